//! The one place that turns an error of Postgres into one of a call.

pub(super) use prism_migrate::postgres::{is_crowded, says_read_only};

use crate::store::error::RETRY;
pub(super) use crate::store::error::{outcome_unknown, overloaded, shutting_down, unreachable};
use crate::{Error, Reason};

/// An error of a read, or of a write before its COMMIT: nothing was written.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Kind::of(&error).into_error(error)
    }
}

/// Why a transaction did not commit.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another transaction was in its way: made again, it may pass.
    Conflict,
    /// Postgres refuses, or cannot be reached.
    Database(sqlx::Error),
    /// The caller is told.
    Call(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Call(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match Kind::of(&error) {
            Kind::Conflict => Failure::Conflict,
            _ => Failure::Database(error),
        }
    }
}

impl Failure {
    /// The COMMIT failed, or a statement that commits by itself. Where the server said no, nothing
    /// was written; where it did not answer, that is not known.
    pub(super) fn of_commit(error: sqlx::Error) -> Self {
        match Kind::of(&error) {
            Kind::Conflict => Failure::Conflict,
            Kind::Unavailable => Failure::Call(outcome_unknown(error)),
            _ => Failure::Database(error),
        }
    }

    /// Whether somebody else has held a lock for too long.
    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Failure::Database(error) if is_locked(error))
    }

    /// The error for the caller.
    pub(super) fn into_error(self) -> Error {
        match self {
            Failure::Conflict => contended(),
            Failure::Database(error) => error.into(),
            Failure::Call(error) => error,
        }
    }
}

/// Whether an error says that a row is not unique.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// Whether the connection is of no use after an error.
pub(super) fn breaks_connection(error: &sqlx::Error) -> bool {
    matches!(Kind::of(error), Kind::Unavailable | Kind::ReadOnly)
}

/// Whether a write that was to commit by itself may have been made, although it failed.
pub(super) fn leaves_outcome_open(error: &sqlx::Error) -> bool {
    Kind::of(error) == Kind::Unavailable
}

/// Whether an error says that somebody else has held a lock for too long.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    // lock_not_available
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

/// Whether an error says that a session is not always the same one.
pub(super) fn is_mixed_up(error: &sqlx::Error) -> bool {
    Kind::of(error) == Kind::Pooled
}

/// The error of each of several calls that failed together; nothing was written.
pub(super) fn of_all(error: &sqlx::Error) -> Error {
    Kind::of(error).into_error(error.to_string())
}

/// A transaction that met others until its tries were used up.
fn contended() -> Error {
    Error::new(Reason::BackendUnavailable, "the storage is busy with other writes to the record")
        .with_retry_after(RETRY)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Conflict,
    Full,
    /// The connection is of no use any more, or was none.
    Unavailable,
    /// The session cannot write any more: the server has become a standby. Nothing was written.
    ReadOnly,
    /// The server can be reached, but not do it now.
    Busy,
    Cancelled,
    /// A pooler has handed the session to somebody else.
    Pooled,
    TooLarge,
    BadText,
    Corrupt,
    Internal,
}

impl Kind {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => error.code().map_or(Kind::Internal, |c| of_state(&c)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed => Kind::Unavailable,
            sqlx::Error::PoolTimedOut => Kind::Busy,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Kind::Corrupt,
            _ => Kind::Internal,
        }
    }

    fn into_error(self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let error = match self {
            Kind::Conflict => contended(),
            Kind::Full => Error::new(Reason::StorageFull, "the storage is full"),
            Kind::Unavailable => unreachable(),
            Kind::ReadOnly => {
                Error::new(Reason::BackendUnavailable, "the storage cannot be written to")
                    .with_retry_after(RETRY)
            }
            Kind::Busy => Error::new(Reason::BackendUnavailable, "the storage is busy")
                .with_retry_after(RETRY),
            Kind::Cancelled => {
                Error::new(Reason::DeadlineExceeded, "the storage took too long, and was stopped")
                    .with_retry_after(RETRY)
            }
            Kind::Pooled => {
                let cause: Box<dyn std::error::Error + Send + Sync> = source.into();
                return Error::internal(format!(
                    "a pooler in transaction mode is in front of Postgres: set \
                     postgres.prepared_statements: off ({cause})"
                ));
            }
            Kind::TooLarge => Error::new(Reason::ValueTooLarge, "the record is too large to store"),
            Kind::BadText => {
                Error::new(Reason::InvalidRequest, "a text holds what Postgres does not store")
            }
            Kind::Corrupt => Error::new(Reason::CorruptRecord, "the stored data is damaged"),
            Kind::Internal => return Error::internal(source),
        };
        error.with_source(source)
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn of_state(code: &str) -> Kind {
    match code {
        // serialization_failure, deadlock_detected
        "40001" | "40P01" => Kind::Conflict,
        // disk_full
        "53100" => Kind::Full,
        // query_canceled, which a statement timeout is
        "57014" => Kind::Cancelled,
        // program_limit_exceeded: a row that an index cannot hold
        "54000" => Kind::TooLarge,
        // character_not_in_repertoire, untranslatable_character
        "22021" | "22P05" => Kind::BadText,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => Kind::Corrupt,
        // invalid_sql_statement_name, duplicate_prepared_statement
        "26000" | "42P05" => Kind::Pooled,
        // read_only_sql_transaction
        "25006" => Kind::ReadOnly,
        // lock_not_available
        "55P03" => Kind::Busy,
        // statement_completion_unknown, invalid_password, invalid_catalog_name,
        // idle_in_transaction_session_timeout, transaction_timeout
        "40003" | "28P01" | "28000" | "3D000" | "25P03" | "25P04" => Kind::Unavailable,
        // connection_exception, operator_intervention
        _ if ["08", "57"].iter().any(|class| code.starts_with(class)) => Kind::Unavailable,
        // insufficient_resources, system_error
        _ if ["53", "58"].iter().any(|class| code.starts_with(class)) => Kind::Busy,
        _ => Kind::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_their_kind() {
        assert_eq!(of_state("40P01"), Kind::Conflict);
        assert_eq!(of_state("53100"), Kind::Full);
        assert_eq!(of_state("53300"), Kind::Busy);
        assert_eq!(of_state("55P03"), Kind::Busy);
        assert_eq!(of_state("25006"), Kind::ReadOnly);
        assert_eq!(of_state("42P05"), Kind::Pooled);
        assert_eq!(of_state("57P01"), Kind::Unavailable);
        assert_eq!(of_state("57014"), Kind::Cancelled);
        assert_eq!(of_state("42601"), Kind::Internal);
    }

    #[test]
    fn a_commit_without_an_answer_has_an_unknown_outcome() {
        let lost = || sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into());
        assert_eq!(Failure::of_commit(lost()).into_error().reason(), Reason::OutcomeUnknown);
        assert_eq!(Failure::from(lost()).into_error().reason(), Reason::BackendUnavailable);
    }
}
