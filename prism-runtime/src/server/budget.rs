//! How much memory the requests that are being received may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::error::{Error, Reason, Result};

/// When a refused caller may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Bytes that messages in pieces may take, over all connections.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Budget(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Takes a part.
    ///
    /// # Errors
    ///
    /// OVERLOADED where less is left.
    pub(super) fn take(&self, bytes: usize) -> Result<Share> {
        let less = |left: usize| left.checked_sub(bytes);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(Share { budget: self.clone(), bytes }),
            Err(_) => Err(Error::new(
                Reason::Overloaded,
                "the server receives as much at the same time as server.max_buffered_bytes allows",
            )
            .with_retry_after(RETRY_AFTER)),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::Relaxed);
    }
}
