//! Connections to the first of several servers that will do.

use std::io;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection, Row as _, raw_sql};

use crate::Servers;

/// What is wrong with a server on which nothing can be written.
const READ_ONLY: &str = "the server is read-only: it is a standby, or its \
                         default_transaction_read_only is on";

impl Servers {
    /// Connects to the first server that takes connections, and on which writes are possible where
    /// that is asked for. Each server has the time of `limit`. Names are resolved anew each time.
    ///
    /// # Errors
    ///
    /// Why the last server is of no use; one that is only full goes before others.
    pub async fn connect(&self, limit: Duration) -> sqlx::Result<PgConnection> {
        self.connect_from(0, limit).await.map(|(connection, _)| connection)
    }

    /// Connects as [`Servers::connect`] does, and begins with the server of a number, modulo how
    /// many there are. Returns the number of the one that is connected.
    ///
    /// # Errors
    ///
    /// Those of [`Servers::connect`].
    pub async fn connect_from(
        &self,
        first: usize,
        limit: Duration,
    ) -> sqlx::Result<(PgConnection, usize)> {
        let mut failure = None;
        for turn in 0..self.hosts.len() {
            let number = (first + turn) % self.hosts.len();
            let connected = tokio::time::timeout(limit, self.connect_to(number)).await;
            match connected.unwrap_or_else(|_| Err(timed_out())) {
                Ok(connection) => return Ok((connection, number)),
                Err(_) if failure.as_ref().is_some_and(is_crowded) => {}
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(timed_out))
    }

    async fn connect_to(&self, number: usize) -> sqlx::Result<PgConnection> {
        let mut connection = PgConnection::connect_with(&self.hosts[number]).await?;
        if self.writable && is_read_only(&mut connection).await? {
            // Closed either way.
            let _ = connection.close().await;
            return Err(read_only());
        }
        Ok(connection)
    }
}

/// Whether nothing can be written in a session: the server is a standby, or
/// `default_transaction_read_only` is on. A server that does not know the setting can be written
/// to.
///
/// # Errors
///
/// Where the connection is lost.
pub async fn is_read_only(connection: &mut PgConnection) -> sqlx::Result<bool> {
    match raw_sql("SHOW transaction_read_only").fetch_optional(connection).await {
        Ok(row) => Ok(row.is_some_and(|row| row.try_get::<&str, _>(0).is_ok_and(|is| is == "on"))),
        Err(sqlx::Error::Database(error)) if !error.code().is_some_and(|c| ends_session(&c)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Whether a server has said that it is read-only, to [`Servers::connect`] or to a statement.
pub fn says_read_only(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() == io::ErrorKind::ReadOnlyFilesystem,
        // read_only_sql_transaction
        error => code(error).as_deref() == Some("25006"),
    }
}

/// Whether the server has no room for another connection.
pub fn is_crowded(error: &sqlx::Error) -> bool {
    // too_many_connections
    code(error).as_deref() == Some("53300")
}

fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// connection_exception, operator_intervention
fn ends_session(code: &str) -> bool {
    ["08", "57"].iter().any(|class| code.starts_with(class))
}

fn read_only() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, READ_ONLY))
}

fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
}
