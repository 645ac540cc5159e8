//! Errors of calls that mean the same on every backend.

use std::time::Duration;

use crate::{Error, Reason};

/// After which time a database that was busy or out of reach is worth another try.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// After which time a call that found a queue full is worth another try.
const RETRY_QUEUE: Duration = Duration::from_millis(100);

/// The error of a call that finds the database out of reach: nothing was written.
pub(super) fn unreachable() -> Error {
    Error::new(Reason::BackendUnavailable, "the storage cannot be reached").with_retry_after(RETRY)
}

/// The error of a call that finds the store closed.
pub(super) fn shutting_down() -> Error {
    Error::new(Reason::ShuttingDown, "the server is shutting down")
}

/// The error of a call that finds a queue full.
pub(super) fn overloaded() -> Error {
    Error::new(Reason::Overloaded, "too many calls wait for the storage")
        .with_retry_after(RETRY_QUEUE)
}

/// The error of a write of which it is not known whether it was made.
pub(super) fn outcome_unknown(
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(
        Reason::OutcomeUnknown,
        "the storage failed while it committed: the write may have been made",
    )
    .with_source(source)
}
