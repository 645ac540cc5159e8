//! Why a database cannot be migrated or served, and what to do.

use std::fmt;
use std::time::Duration;

use crate::verify::Difference;

/// Why a database cannot be migrated or served. For the operator: the messages name the database
/// and say what to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database is behind the schema, and migrations are not to be applied.
    #[error(
        "the database {database} is behind the schema: {count} of its migrations are missing, \
         the first is {first}; start the server with --migrate or run `prism migrate apply` to \
         apply them"
    )]
    Behind {
        /// Name of the database.
        database: String,
        /// Version and description of the first one.
        first: String,
        /// How many are missing.
        count: usize,
    },
    /// The database is ahead of the schema by a change that the server cannot read.
    #[error(
        "the database {database} has migration {migration}, which this server does not know, \
         and cannot be served by it: {reason}; start a server as new as the database, or restore \
         a backup from before"
    )]
    Ahead {
        /// Name of the database.
        database: String,
        /// Version and description of the newest unknown one.
        migration: String,
        /// What cannot be read.
        reason: String,
    },
    /// The database is not what the schema says, although every migration is applied.
    #[error(
        "the database {database} differs from the schema: {}; `prism migrate verify` shows \
         everything that differs; undo what was changed by hand, or restore a backup",
        list(differences)
    )]
    Differs {
        /// Name of the database.
        database: String,
        /// What would break calls.
        differences: Vec<Difference>,
    },
    /// A migration was applied that is not known, among ones that are.
    #[error(
        "the database {database} has migration {version}, which is missing from the known \
         migrations: put its file back and generate again"
    )]
    Missing {
        /// Name of the database.
        database: String,
        /// Its version.
        version: i64,
    },
    /// A migration's text is no longer what was applied.
    #[error(
        "migration {migration} was edited after it was applied to the database {database}: its \
         checksum was {applied} and is now {known}; restore the file, and put the change into a \
         new migration"
    )]
    Edited {
        /// Name of the database.
        database: String,
        /// Version and description.
        migration: String,
        /// SHA-384 of the text that was applied.
        applied: String,
        /// SHA-384 of the text that is known.
        known: String,
    },
    /// A migration without a transaction broke off, and is not known to be safe to repeat.
    #[error(
        "migration {version} of the database {database} broke off halfway: complete or undo it \
         by hand, then set `success` in its row of {table} or delete the row"
    )]
    Dirty {
        /// Name of the database.
        database: String,
        /// Its version.
        version: i64,
        /// The table that has the row.
        table: &'static str,
    },
    /// A file that cannot run in a transaction holds more than one statement.
    #[error(
        "migration {migration} is marked `-- no-transaction` and holds {count} statements: one \
         that breaks off could not be repeated; give each statement a file"
    )]
    SeveralStatements {
        /// Version and description.
        migration: String,
        /// How many it holds.
        count: usize,
    },
    /// A migration failed. The database is as it was before it, unless it runs without a
    /// transaction.
    #[error("migration {migration} cannot be applied to the database {database}: {source}")]
    Failed {
        /// Name of the database.
        database: String,
        /// Version and description.
        migration: String,
        /// What the database says.
        source: Cause,
    },
    /// Other sessions kept locked what a migration changes.
    #[error(
        "migration {migration} cannot be applied to the database {database}: other sessions \
         locked what it changes in each of {tries} tries over {waited:?}; look for long \
         transactions in pg_stat_activity, and run it again when they have ended: it goes on \
         with this migration"
    )]
    Locked {
        /// Name of the database.
        database: String,
        /// Version and description.
        migration: String,
        /// How often it was tried.
        tries: u32,
        /// For how long.
        waited: Duration,
    },
    /// Another migrator is at work.
    #[error(
        "the database {database} is being migrated by another session{holder}, for longer than \
         {waited:?}; wait for it to end, or end it with pg_terminate_backend, and start again"
    )]
    Busy {
        /// Name of the database.
        database: String,
        /// Which one, where it can be seen.
        holder: String,
        /// How long this one has waited.
        waited: Duration,
    },
    /// What says where the database is cannot be read.
    #[error("the place of the database {0}")]
    Place(crate::PlaceError),
    /// There is no such database, or it cannot be reached.
    #[error("the database {database} cannot be opened: {source}")]
    Open {
        /// Name of the database.
        database: String,
        /// Why.
        source: Cause,
    },
    /// A server has the database.
    #[error(
        "the database {database} is in use by a server: stop it first, or let it migrate when it \
         starts"
    )]
    InUse {
        /// Name of the database.
        database: String,
    },
    /// The database refuses, apart from any migration.
    #[error(transparent)]
    Database(Cause),
}

/// How many differences a message names.
const SHOWN: usize = 5;

fn list(differences: &[Difference]) -> String {
    let shown: Vec<String> = differences.iter().take(SHOWN).map(ToString::to_string).collect();
    let rest = differences.len().saturating_sub(SHOWN);
    let rest = if rest > 0 { format!("; and {rest} more") } else { String::new() };
    shown.join("; ") + &rest
}

/// What a database says.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// SQLite.
    Sqlite(rusqlite::Error),
    /// Postgres, or the way to it.
    Postgres(sqlx::Error),
    /// Prism itself.
    Refused(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Sqlite(error) => error.fmt(f),
            Cause::Postgres(sqlx::Error::Database(error)) => f.write_str(error.message()),
            Cause::Postgres(error) => error.fmt(f),
            Cause::Refused(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Cause::Sqlite(error) => error.source(),
            Cause::Postgres(error) => error.source(),
            Cause::Refused(_) => None,
        }
    }
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Cause::Sqlite(error)
    }
}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        Cause::Postgres(error)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Database(error.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Error::Database(error.into())
    }
}
