//! Whether a store can serve at the moment.

use tokio::sync::watch;

/// Whether a store can serve at the moment, as its driver finds out by itself.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Receiver<bool>);

impl Readiness {
    /// Follows what a driver says.
    pub fn new(ready: watch::Receiver<bool>) -> Self {
        Readiness(ready)
    }

    /// Whether calls can be served.
    pub fn is_ready(&self) -> bool {
        *self.0.borrow()
    }

    /// Done when that has changed since this was made, or was last awaited. Never done once the
    /// store is closed.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
