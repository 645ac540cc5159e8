//! Applies migrations to a SQLite database.
//!
//! Table and checksum are those of sqlx 0.9 (`sqlx-sqlite/src/migrate.rs`).

use std::time::Instant;

use prism_schema::Entity;
use rusqlite::{Connection, params};

use crate::check::{Applied, History, Plans, statuses};
use crate::{Cause, Error, Migration, own, rewrite, verify};

/// The migrations of a schema, on the way to a database that nobody else migrates meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Migrator<'a> {
    /// Name of the database, for messages.
    pub database: &'a str,
    /// The user's migrations.
    pub migrations: &'a [Migration<'a>],
}

impl<'a> Migrator<'a> {
    /// Applies what is outstanding, and answers what that was. Nothing is applied where the
    /// database has another history.
    ///
    /// # Errors
    ///
    /// Where the histories differ, and where a migration fails: those before it are applied.
    pub fn apply(&self, connection: &Connection) -> Result<Plans<'a>, Error> {
        let plans = history(connection, self.migrations)?.plan(self.database)?;
        plans.refuse_mixed(self.database)?;
        self.apply_all(connection, own::TABLE, &plans.own.outstanding)?;
        self.apply_all(connection, own::USERS_TABLE, &plans.users.outstanding)?;
        Ok(plans)
    }

    /// Makes a database ready for a server, and decides whether it can be served: applies what is
    /// outstanding, where `migrate` says so, and compares the tables of `entities` with the model.
    ///
    /// # Errors
    ///
    /// Where the database has another history, is behind or differs from the model, or is ahead
    /// of it by what a server of these migrations cannot read.
    pub fn prepare(
        &self,
        connection: &Connection,
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), Error> {
        if migrate {
            self.apply(connection)?;
        }
        self.admit(connection, entities, false)
    }

    /// Decides whether [`Migrator::prepare`] has a database to work with, as far as it is known
    /// without a change to it.
    ///
    /// # Errors
    ///
    /// Where the database has another history; without `migrate`, those of [`Migrator::prepare`].
    pub fn admit(
        &self,
        connection: &Connection,
        entities: &[&Entity],
        migrate: bool,
    ) -> Result<(), Error> {
        let plans = history(connection, self.migrations)?.plan(self.database)?;
        plans.refuse_mixed(self.database)?;
        if migrate {
            return Ok(());
        }
        plans.refuse_behind(self.database)?;
        verify::admit(self.database, &plans, &super::verify(connection, entities)?)
    }

    fn apply_all(
        &self,
        connection: &Connection,
        table: &'static str,
        outstanding: &[Migration<'a>],
    ) -> Result<(), Error> {
        if !outstanding.is_empty() {
            create_table(connection, table)?;
        }
        for migration in outstanding {
            let start = Instant::now();
            execute(connection, table, migration).map_err(|source| {
                if !connection.is_autocommit() {
                    // The first error is the one to report.
                    let _ = connection.execute_batch("ROLLBACK");
                }
                Error::Failed {
                    database: self.database.to_owned(),
                    migration: migration.title(),
                    source,
                }
            })?;
            let nanos = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
            connection.execute(
                &format!("UPDATE {table} SET execution_time = ?1 WHERE version = ?2"),
                params![nanos, migration.version],
            )?;
            tracing::info!(migration = %migration.title(), "migration applied");
        }
        Ok(())
    }
}

/// How every migration stands.
///
/// # Errors
///
/// Where the database cannot be read.
pub fn history<'a>(
    connection: &Connection,
    migrations: &[Migration<'a>],
) -> Result<History<'a>, Error> {
    Ok(History {
        own: statuses(own::SQLITE, &applied(connection, own::TABLE)?),
        users: statuses(migrations, &applied(connection, own::USERS_TABLE)?),
    })
}

/// The migration and its row, together in a transaction unless the file opts out.
fn execute(
    connection: &Connection,
    table: &'static str,
    migration: &Migration<'_>,
) -> Result<(), Cause> {
    if migration.is_rewrite() {
        return rewrite::sqlite(connection, migration, &|connection| {
            insert(connection, table, migration)
        });
    }
    let transaction = !migration.without_transaction();
    if transaction {
        connection.execute_batch("BEGIN IMMEDIATE")?;
    }
    connection.execute_batch(&migration.text())?;
    insert(connection, table, migration)?;
    if transaction {
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}

/// Records it, in place of the row of an attempt that broke off.
fn insert(
    connection: &Connection,
    table: &'static str,
    migration: &Migration<'_>,
) -> rusqlite::Result<()> {
    connection
        .execute(
            &format!(
                "INSERT OR REPLACE INTO {table} \
                 (version, description, success, checksum, execution_time) \
                 VALUES (?1, ?2, TRUE, ?3, -1)"
            ),
            params![migration.version, migration.description, migration.checksum()],
        )
        .map(drop)
}

fn create_table(connection: &Connection, table: &'static str) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {table} (\n    \
             version BIGINT PRIMARY KEY,\n    \
             description TEXT NOT NULL,\n    \
             installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    \
             success BOOLEAN NOT NULL,\n    \
             checksum BLOB NOT NULL,\n    \
             execution_time BIGINT NOT NULL\n)"
    ))
}

/// The rows of a table of applied migrations; none where there is no such table.
fn applied(connection: &Connection, table: &'static str) -> rusqlite::Result<Vec<Applied>> {
    let found: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
        [table],
        |row| row.get(0),
    )?;
    if !found {
        return Ok(Vec::new());
    }
    let sql =
        format!("SELECT version, description, checksum, success FROM {table} ORDER BY version");
    let mut statement = connection.prepare(&sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Applied {
            version: row.get(0)?,
            description: row.get(1)?,
            checksum: row.get(2)?,
            success: row.get(3)?,
        })
    })?;
    rows.collect()
}
