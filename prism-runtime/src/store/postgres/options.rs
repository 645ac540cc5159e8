//! How a database is opened.

use std::fmt;
use std::time::Duration;

use crate::schema::Entity;
use crate::store::Migration;

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Its name in the settings, for the log. Default: `main`.
    pub name: String,
    /// `postgres://user:password@host:port/database`, with libpq's parameters: `sslmode`,
    /// `sslrootcert`, `sslcert`, `sslkey`, `application_name`, `options`.
    pub url: String,
    /// The migrations of the user's schema.
    pub migrations: Vec<Migration>,
    /// The entities that live in the database: one that cannot hold them is refused.
    pub entities: Vec<&'static Entity>,
    /// Whether outstanding migrations are applied; a database that is behind is refused else.
    /// Default: true.
    pub migrate: bool,
    /// Connections at most, beside six for calls that share statements and one for
    /// probes.
    /// Default: 16.
    pub max_connections: u32,
    /// How long a call waits for a connection, where its deadline does not come first.
    /// Default: 5 s.
    pub acquire_timeout: Duration,
    /// How long a statement may run. Default: 30 s.
    pub statement_timeout: Duration,
    /// Whether statements are prepared once a connection. Off for poolers in transaction mode, like
    /// PgBouncer: then migrations are compared, not applied. Default: true.
    pub prepared_statements: bool,
    /// Calls that may be under way or wait; more are refused with OVERLOADED. Default: 10,000.
    pub queue: usize,
}

impl Options {
    /// The defaults for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Options {
            name: crate::config::MAIN.to_owned(),
            url: url.into(),
            migrations: Vec::new(),
            entities: Vec::new(),
            migrate: true,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            prepared_statements: true,
            queue: 10_000,
        }
    }
}

/// Without the URL, which holds the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("migrate", &self.migrate)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("prepared_statements", &self.prepared_statements)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
