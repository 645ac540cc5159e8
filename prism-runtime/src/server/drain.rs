//! The signal that a server stops.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells every connection that the server stops.
#[derive(Debug, Default)]
pub(super) struct Drain {
    begun: AtomicBool,
    notify: Notify,
}

impl Drain {
    /// Begins the drain.
    pub(super) fn start(&self) {
        self.begun.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    pub(super) fn has_started(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    /// Done when the drain begins.
    pub(super) async fn started(&self) {
        let notified = self.notify.notified();
        if !self.has_started() {
            notified.await;
        }
    }
}
