//! Why a database cannot be opened, and what to do.

use std::io::ErrorKind;

use prism_migrate::Servers;

use super::error::{is_mixed_up, says_read_only};

/// Why a database cannot be opened. For the operator: the messages name hosts and users, never
/// the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("the URL of the Postgres database cannot be read: it {source}")]
    Url {
        /// What is wrong with it.
        source: prism_migrate::PlaceError,
    },
    /// Nobody answers.
    #[error("the Postgres server {server} cannot be reached: {cause}; is it running?")]
    Unreachable {
        /// Host and port.
        server: String,
        /// What the operating system says.
        cause: String,
    },
    /// Nothing can be written.
    #[error(
        "the Postgres database {database} is read-only: the server is a standby, or \
         default_transaction_read_only is on. Give the URL of the primary, or of all servers, \
         postgres://user:password@one:5432,two:5432/database; or set \
         default_transaction_read_only off with ALTER SYSTEM, ALTER DATABASE or ALTER ROLE"
    )]
    ReadOnly {
        /// Server and database.
        database: String,
    },
    /// The server refuses the user.
    #[error(
        "the Postgres server {server} does not let user `{user}` in: {cause}; check user and \
         password in the URL"
    )]
    Refused {
        /// Host and port.
        server: String,
        /// The user.
        user: String,
        /// What Postgres says.
        cause: String,
    },
    /// The database does not exist.
    #[error(
        "the Postgres server {server} has no database `{database}`: create it with \
         `createdb {database}`"
    )]
    NoDatabase {
        /// Host and port.
        server: String,
        /// The database.
        database: String,
    },
    /// The connection cannot be encrypted as `sslmode` asks for.
    #[error(
        "the Postgres server {server} does not speak TLS as sslmode asks for: {cause}; check \
         sslmode and sslrootcert in the URL"
    )]
    Tls {
        /// Host and port.
        server: String,
        /// What is wrong.
        cause: String,
    },
    /// The database cannot be migrated, or is not what the schema says.
    #[error(transparent)]
    Migration(prism_migrate::Error),
    /// The database is behind the schema, and a pooler in transaction mode is in front of it.
    #[error(
        "the database {database} is behind the schema: {count} of its migrations are missing, \
         the first is {first}; with postgres.prepared_statements: off they are not applied: start \
         a server with --migrate whose URL is that of Postgres itself, not of the pooler"
    )]
    BehindPooler {
        /// Server and database.
        database: String,
        /// Version and description of the first one.
        first: String,
        /// How many are missing.
        count: usize,
    },
    /// A pooler refuses what a connection brings with it, or mixes up sessions.
    #[error(
        "the server {server} is no Postgres by itself: {cause}; where a pooler like PgBouncer is in \
         front of it, set postgres.prepared_statements: off"
    )]
    Pooler {
        /// Host and port.
        server: String,
        /// What it says.
        cause: String,
    },
    /// A setting of the database with which it cannot be served.
    #[error("{setting} of the database {database} is {value}, and Prism needs {needed}: {help}")]
    Setting {
        /// Server and database.
        database: String,
        /// The setting of Postgres.
        setting: &'static str,
        /// What it is.
        value: String,
        /// What it has to be.
        needed: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// Postgres refuses for another reason.
    #[error("the Postgres database {database} cannot be opened: {source}")]
    Postgres {
        /// Server and database.
        database: String,
        /// What Postgres says.
        source: sqlx::Error,
    },
    /// The operating system refuses the store's thread.
    #[error("the Postgres store cannot start: {source}")]
    Thread {
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// Server and database, for messages.
#[derive(Clone, Debug)]
pub(super) struct Place {
    server: String,
    database: String,
    user: String,
}

impl Place {
    pub(super) fn of(servers: &Servers) -> Self {
        Place {
            server: servers.addresses(),
            database: servers.database().to_owned(),
            user: servers.first().get_username().to_owned(),
        }
    }

    /// `database` at `server`.
    pub(super) fn database(&self) -> String {
        format!("`{}` at {}", self.database, self.server)
    }

    /// Why a connection cannot be made.
    pub(super) fn connect_error(&self, source: sqlx::Error) -> OpenError {
        let (server, user) = (self.server.clone(), self.user.clone());
        let code = source.as_database_error().and_then(|error| error.code());
        match (code.as_deref(), &source) {
            (Some("28P01" | "28000"), _) => {
                OpenError::Refused { server, user, cause: said(&source) }
            }
            (Some("08P01"), _) => OpenError::Pooler { server, cause: said(&source) },
            (Some("3D000"), _) => OpenError::NoDatabase { server, database: self.database.clone() },
            (None, sqlx::Error::Tls(cause)) => OpenError::Tls { server, cause: cause.to_string() },
            _ if says_read_only(&source) => OpenError::ReadOnly { database: self.database() },
            // What TLS says of a certificate comes as an error of input.
            (None, sqlx::Error::Io(cause)) if cause.kind() == ErrorKind::InvalidData => {
                OpenError::Tls { server, cause: cause.to_string() }
            }
            // A network has no files: one of the URL's is missing.
            (None, sqlx::Error::Io(cause))
                if cause.kind() == ErrorKind::NotFound && !server.starts_with('/') =>
            {
                OpenError::Tls { server, cause: format!("sslrootcert, sslcert or sslkey: {cause}") }
            }
            (None, sqlx::Error::Io(cause)) => {
                OpenError::Unreachable { server, cause: cause.to_string() }
            }
            _ => OpenError::Postgres { database: self.database(), source },
        }
    }

    /// Why a first statement cannot be run.
    pub(super) fn statement_error(&self, source: sqlx::Error) -> OpenError {
        match is_mixed_up(&source) {
            true => OpenError::Pooler { server: self.server.clone(), cause: said(&source) },
            false => self.postgres(source),
        }
    }

    /// The error of a migration, or what Postgres's stands for.
    pub(super) fn migration(&self, error: prism_migrate::Error) -> OpenError {
        match error {
            prism_migrate::Error::Database(prism_migrate::Cause::Postgres(source)) => {
                self.postgres(source)
            }
            other => OpenError::Migration(other),
        }
    }

    pub(super) fn postgres(&self, source: sqlx::Error) -> OpenError {
        OpenError::Postgres { database: self.database(), source }
    }
}

fn said(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}
