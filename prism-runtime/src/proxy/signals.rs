//! The signals that stop a stand-alone proxy.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one that comes after this time. Those that come before are taken for the
    /// one that came last.
    pub(super) async fn next_after(&mut self, time: Duration) -> &'static str {
        let until = tokio::time::Instant::now() + time;
        while tokio::time::timeout_at(until, self.next()).await.is_ok() {}
        self.next().await
    }

    /// The next one's name.
    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
