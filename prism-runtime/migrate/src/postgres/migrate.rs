//! Applies migrations to a Postgres database that serves meanwhile.
//!
//! Table, checksum and lock are those of sqlx 0.9 (`sqlx-postgres/src/migrate.rs`).

use std::time::{Duration, Instant};

use prism_schema::Entity;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::index::{self, Existing};
use super::lock;
use super::query::{self, is_locked, literal};
use crate::check::{Applied, History, Plans, statuses};
use crate::migration::hex;
use crate::statement::{self, IndexStatement};
use crate::{Cause, Error, Migration, own, rewrite, verify};

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long to wait while another session migrates. Default: 10 minutes.
    pub busy: Duration,
    /// For how long a migration is tried again that finds what it changes locked. Default: 5
    /// minutes.
    pub patience: Duration,
    /// `lock_timeout` where a file does not set its own: how long others may queue behind a
    /// statement that waits. Default: 5 s.
    pub lock: Duration,
    /// `statement_timeout` where a file does not set its own. Default: 1 hour.
    pub statement: Duration,
    /// `lock_timeout` of a file that runs without a transaction. Nobody queues behind
    /// `CREATE INDEX CONCURRENTLY`, which waits for transactions to end. Default: 1 minute.
    pub concurrent_lock: Duration,
    /// `statement_timeout` of a file that runs without a transaction. Default: 12 hours.
    pub concurrent_statement: Duration,
    /// How soon the server ends the transaction of a migrator that was killed (Postgres 14 or
    /// later). Default: 5 s.
    pub client_check: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            busy: Duration::from_secs(600),
            patience: Duration::from_secs(300),
            lock: Duration::from_secs(5),
            statement: Duration::from_secs(3_600),
            concurrent_lock: Duration::from_secs(60),
            concurrent_statement: Duration::from_secs(12 * 3_600),
            client_check: Duration::from_secs(5),
        }
    }
}

/// The pause after a try that found a lock taken, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// The migrations of a schema, on the way to a database.
#[derive(Clone, Copy, Debug)]
pub struct Migrator<'a> {
    /// Name of the database, for messages.
    pub database: &'a str,
    /// The user's migrations.
    pub migrations: &'a [Migration<'a>],
    /// How long things may take.
    pub settings: Settings,
}

impl<'a> Migrator<'a> {
    /// Applies what is outstanding, and answers what that was. Nothing is applied where the
    /// database has another history. Of many that do this at once one does, and the others wait.
    ///
    /// The connection must be one to the server itself, or to a pooler that keeps sessions.
    ///
    /// # Errors
    ///
    /// Where the histories differ, where another session migrates for too long, and where a
    /// migration fails: those before it are applied.
    pub async fn apply(&self, connection: &mut PgConnection) -> Result<Plans<'a>, Error> {
        let plans = history(connection, self.migrations).await?.plan(self.database)?;
        if plans.outstanding().next().is_none() {
            // No lock: whoever has nothing to do neither waits nor keeps others waiting.
            return Ok(plans);
        }
        let id = lock::id(connection).await?;
        lock::acquire(connection, id, self.database, self.settings.busy).await?;
        let applied = self.apply_locked(connection).await;
        // The session's end gives back what this cannot.
        let _ = query::execute(connection, RESET).await;
        let _ = lock::release(connection, id).await;
        applied
    }

    /// Makes a database ready for a server, and decides whether it can be served: applies what is
    /// outstanding, where `migrate` says so, and compares the tables of `entities` with the model.
    ///
    /// # Errors
    ///
    /// Where the database has another history, is behind or differs from the model, or is ahead
    /// of it by what a server of these migrations cannot read.
    pub async fn prepare(
        &self,
        connection: &mut PgConnection,
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), Error> {
        if migrate {
            self.apply(connection).await?;
        }
        let plans = history(connection, self.migrations).await?.plan(self.database)?;
        plans.refuse_mixed(self.database)?;
        plans.refuse_behind(self.database)?;
        let differences = super::verify(connection, entities).await?;
        verify::admit(self.database, &plans, &differences)
    }

    async fn apply_locked(&self, connection: &mut PgConnection) -> Result<Plans<'a>, Error> {
        // Another session may have applied them meanwhile.
        let plans = history(connection, self.migrations).await?.plan(self.database)?;
        plans.refuse_mixed(self.database)?;
        self.apply_all(connection, own::TABLE, &plans.own.outstanding).await?;
        self.apply_all(connection, own::USERS_TABLE, &plans.users.outstanding).await?;
        Ok(plans)
    }

    async fn apply_all(
        &self,
        connection: &mut PgConnection,
        table: &'static str,
        outstanding: &[Migration<'a>],
    ) -> Result<(), Error> {
        if !outstanding.is_empty() && !has_table(connection, table).await? {
            query::execute(connection, create_table(table)).await?;
        }
        for migration in outstanding {
            let start = Instant::now();
            self.apply_one(connection, table, migration).await?;
            let nanos = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
            let version = migration.version;
            let sql =
                format!("UPDATE {table} SET execution_time = {nanos} WHERE version = {version}");
            query::execute(connection, sql).await?;
            tracing::info!(migration = %migration.title(), "migration applied");
        }
        Ok(())
    }

    /// Applies a migration; again and again where others have locked what it changes.
    async fn apply_one(
        &self,
        connection: &mut PgConnection,
        table: &'static str,
        migration: &Migration<'_>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut pause = PAUSE.0;
        let mut tries = 0;
        loop {
            tries += 1;
            let source = match self.execute(connection, table, migration).await {
                Ok(()) => return Ok(()),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Cause(source)) => source,
            };
            let (database, title) = (self.database.to_owned(), migration.title());
            if !is_locked(&source) {
                return Err(Error::Failed { database, migration: title, source });
            }
            let waited = start.elapsed();
            if waited + pause > self.settings.patience {
                return Err(Error::Locked { database, migration: title, tries, waited });
            }
            tracing::warn!(
                migration = title,
                tries,
                "others have locked what it changes: {source}"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// The migration and its row: together in a transaction, unless the file opts out.
    async fn execute(
        &self,
        connection: &mut PgConnection,
        table: &'static str,
        migration: &Migration<'_>,
    ) -> Result<(), Failure> {
        let settings = &self.settings;
        if migration.is_rewrite() {
            limit(connection, settings.lock, settings.statement, settings.client_check).await?;
            let record = insert(table, migration);
            return rewrite::postgres(connection, migration, &record).await.map_err(Failure::Cause);
        }
        if migration.without_transaction() {
            let (lock, statement) = (settings.concurrent_lock, settings.concurrent_statement);
            // A build whose migrator is gone is of use when it ends.
            limit(connection, lock, statement, Duration::ZERO).await?;
            alone(connection, migration).await?;
            return Ok(query::execute(connection, insert(table, migration)).await?);
        }
        limit(connection, settings.lock, settings.statement, settings.client_check).await?;
        let mut transaction = connection.begin().await?;
        query::execute(&mut transaction, &*migration.text()).await?;
        query::execute(&mut transaction, insert(table, migration)).await?;
        Ok(transaction.commit().await?)
    }
}

/// How every migration stands.
///
/// # Errors
///
/// Where the database cannot be read.
pub async fn history<'a>(
    connection: &mut PgConnection,
    migrations: &[Migration<'a>],
) -> Result<History<'a>, Error> {
    let own = applied(connection, own::TABLE).await?;
    let users = applied(connection, own::USERS_TABLE).await?;
    Ok(History { own: statuses(own::POSTGRES, &own), users: statuses(migrations, &users) })
}

/// Why a try did not succeed.
enum Failure {
    /// No try will.
    Refused(Error),
    /// What the database says.
    Cause(Cause),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Cause(error.into())
    }
}

/// The one statement of a file without a transaction.
async fn alone(connection: &mut PgConnection, migration: &Migration<'_>) -> Result<(), Failure> {
    let file = migration.text();
    let statements = statement::split(&file);
    let [text] = statements[..] else {
        let (migration, count) = (migration.title(), statements.len());
        return Err(Failure::Refused(Error::SeveralStatements { migration, count }));
    };
    let Some(IndexStatement::Create { name, table, plain }) = IndexStatement::parse(text) else {
        return Ok(query::execute(connection, text).await?);
    };
    if index::make_room(connection, &name, &table, &plain).await? == Existing::Same {
        return Ok(());
    }
    let built = query::execute(connection, text).await;
    if built.is_err() {
        // The first error is the one to report. What stays is dropped before the next try.
        let _ = index::drop_invalid(connection, &name).await;
    }
    Ok(built?)
}

/// Limits the session's statements.
async fn limit(
    connection: &mut PgConnection,
    lock: Duration,
    statement: Duration,
    client_check: Duration,
) -> sqlx::Result<()> {
    let sql = format!(
        "SET lock_timeout = {}; SET statement_timeout = {}; \
         SELECT set_config(name, '{}', false) FROM pg_settings \
         WHERE name = 'client_connection_check_interval'",
        lock.as_millis(),
        statement.as_millis(),
        client_check.as_millis()
    );
    query::execute(connection, sql).await
}

/// Undoes what [`limit`] set.
const RESET: &str = "RESET lock_timeout; RESET statement_timeout; \
    SELECT set_config(name, reset_val, false) FROM pg_settings \
    WHERE name = 'client_connection_check_interval'";

/// Records a migration, in place of the row of an attempt that broke off.
fn insert(table: &'static str, migration: &Migration<'_>) -> String {
    let version = migration.version;
    format!(
        "DELETE FROM {table} WHERE version = {version} AND NOT success; \
         INSERT INTO {table} (version, description, success, checksum, execution_time) \
         VALUES ({version}, {}, TRUE, decode('{}', 'hex'), -1)",
        literal(migration.description),
        hex(&migration.checksum())
    )
}

fn create_table(table: &'static str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\n    \
             version BIGINT PRIMARY KEY,\n    \
             description TEXT NOT NULL,\n    \
             installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n    \
             success BOOLEAN NOT NULL,\n    \
             checksum BYTEA NOT NULL,\n    \
             execution_time BIGINT NOT NULL\n)"
    )
}

async fn has_table(connection: &mut PgConnection, table: &'static str) -> sqlx::Result<bool> {
    let sql = format!("SELECT to_regclass('{table}') IS NOT NULL");
    query::one(connection, sql).await?.try_get(0)
}

/// The rows of a table of applied migrations; none where there is no such table.
async fn applied(connection: &mut PgConnection, table: &'static str) -> sqlx::Result<Vec<Applied>> {
    if !has_table(connection, table).await? {
        return Ok(Vec::new());
    }
    let sql =
        format!("SELECT version, description, checksum, success FROM {table} ORDER BY version");
    let row = |row: &sqlx::postgres::PgRow| {
        Ok(Applied {
            version: row.try_get(0)?,
            description: row.try_get(1)?,
            checksum: row.try_get(2)?,
            success: row.try_get(3)?,
        })
    };
    query::rows(connection, sql).await?.iter().map(row).collect()
}
