//! The one place that turns an error of SQLite into one of a call.

use rusqlite::ErrorCode;

use crate::store::error::RETRY;
pub(super) use crate::store::error::{outcome_unknown, overloaded, shutting_down, unreachable};
use crate::{Error, Reason};

/// An error of a read, or of a write before its COMMIT: nothing was written.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Failure::of(&error).into_error(error)
    }
}

/// The error of each write of a transaction that failed as a whole.
#[derive(Clone, Debug)]
pub(super) struct TransactionFailure {
    failure: Failure,
    source: String,
}

impl TransactionFailure {
    /// The transaction was rolled back before its COMMIT: nothing was written.
    pub(super) fn before_commit(error: &rusqlite::Error) -> Self {
        TransactionFailure { failure: Failure::of(error), source: error.to_string() }
    }

    /// The COMMIT failed. Unless the disk had no room, or the lock was not had, what reached the
    /// log is not known.
    pub(super) fn of_commit(error: &rusqlite::Error) -> Self {
        let failure = match Failure::of(error) {
            known @ (Failure::Full | Failure::Busy) => known,
            _ => Failure::OutcomeUnknown,
        };
        TransactionFailure { failure, source: error.to_string() }
    }

    /// The transaction was not begun: the files are gone.
    pub(super) fn lost() -> Self {
        let source = "the files of the database are gone".to_owned();
        TransactionFailure { failure: Failure::Unavailable, source }
    }

    /// The transaction was committed to files that are gone.
    pub(super) fn committed_to_nowhere(error: &Error) -> Self {
        TransactionFailure { failure: Failure::OutcomeUnknown, source: error.to_string() }
    }

    /// A write before this one in the same transaction made SQLite roll it back.
    pub(super) fn rolled_back(by: &Error) -> Self {
        let failure = match by.reason() {
            Reason::StorageFull => Failure::Full,
            Reason::CorruptRecord => Failure::Corrupt,
            Reason::Internal => Failure::Internal,
            _ => Failure::Unavailable,
        };
        TransactionFailure { failure, source: format!("rolled back with its transaction: {by}") }
    }

    /// The error for one of the writes.
    pub(super) fn error(&self) -> Error {
        self.failure.into_error(self.source.clone())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Full,
    Busy,
    Unavailable,
    OutcomeUnknown,
    Corrupt,
    Internal,
}

impl Failure {
    fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Failure::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Failure::Busy,
            // They pass, or somebody else can make them pass: nothing is wrong with the data.
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::SchemaChanged
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => Failure::Unavailable,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Failure::Corrupt,
            Some(_) => Failure::Internal,
            None => Failure::of_value(error),
        }
    }

    /// A stored value that is not of the column's type was not written by Prism.
    fn of_value(error: &rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::InvalidColumnType(..) => Failure::Corrupt,
            _ => Failure::Internal,
        }
    }

    fn into_error(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let error = match self {
            Failure::Full => Error::new(Reason::StorageFull, "the storage is full"),
            Failure::Busy => Error::new(Reason::BackendUnavailable, "the storage is busy")
                .with_retry_after(RETRY),
            Failure::Unavailable => unreachable(),
            Failure::OutcomeUnknown => return outcome_unknown(source),
            Failure::Corrupt => Error::new(Reason::CorruptRecord, "the stored data is damaged"),
            Failure::Internal => return Error::internal(source),
        };
        error.with_source(source)
    }
}
