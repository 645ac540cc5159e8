//! Migrations at start: Prism's own tables, then the user's.
//!
//! The user's are tracked in sqlx's table, so that `sqlx migrate` works on the same files and the
//! same database. Table and checksum are those of sqlx 0.9 (`sqlx-sqlite/src/migrate.rs`).

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use super::{OpenError, Options};
use crate::store::Migration;

/// Prism's own tables.
const OWN: &[Migration] = &[
    Migration {
        version: 1,
        description: "keyvalue",
        sql: include_str!("../../../migrations/sqlite/0001_keyvalue.sql"),
    },
    Migration {
        version: 2,
        description: "requests",
        sql: include_str!("../../../migrations/sqlite/0002_requests.sql"),
    },
];

/// Compares what the database has with what the server knows, and applies what is outstanding.
/// Nothing is applied where anything is refused.
pub(super) fn run(connection: &Connection, options: &Options) -> Result<(), OpenError> {
    let migrator = |table| Migrator { connection, path: &options.path, table };
    let (own, users) = (migrator("prism_migrations"), migrator("_sqlx_migrations"));
    let own_outstanding = own.outstanding(OWN, options.migrate)?;
    let users_outstanding = users.outstanding(&options.migrations, options.migrate)?;
    own.apply_all(&own_outstanding)?;
    users.apply_all(&users_outstanding)
}

struct Migrator<'a> {
    connection: &'a Connection,
    path: &'a Path,
    table: &'static str,
}

/// A row of the table.
struct Applied {
    version: i64,
    checksum: Vec<u8>,
    success: bool,
}

impl Migrator<'_> {
    /// What is to be applied, in the order of versions.
    fn outstanding<'m>(
        &self,
        known: &'m [Migration],
        apply: bool,
    ) -> Result<Vec<&'m Migration>, OpenError> {
        let applied = if self.has_table()? { self.applied()? } else { Vec::new() };
        self.check(known, &applied)?;
        let mut outstanding: Vec<&Migration> = known
            .iter()
            .filter(|migration| applied.iter().all(|row| row.version != migration.version))
            .collect();
        outstanding.sort_by_key(|migration| migration.version);
        match outstanding.first() {
            Some(first) if !apply => Err(OpenError::Behind {
                path: self.path.to_owned(),
                first: title(first),
                count: outstanding.len(),
            }),
            _ => Ok(outstanding),
        }
    }

    fn apply_all(&self, outstanding: &[&Migration]) -> Result<(), OpenError> {
        if outstanding.is_empty() {
            return Ok(());
        }
        self.create_table()?;
        outstanding.iter().try_for_each(|migration| self.apply(migration))
    }

    fn check(&self, known: &[Migration], applied: &[Applied]) -> Result<(), OpenError> {
        let path = || self.path.to_owned();
        let newest = known.iter().map(|migration| migration.version).max();
        for row in applied {
            let version = row.version;
            if !row.success {
                return Err(OpenError::MigrationDirty { path: path(), version });
            }
            let Some(migration) = known.iter().find(|migration| migration.version == version)
            else {
                return Err(if newest.is_none_or(|newest| version > newest) {
                    OpenError::Ahead { path: path(), version }
                } else {
                    OpenError::MigrationMissing { path: path(), version }
                });
            };
            if row.checksum != migration.checksum() {
                return Err(OpenError::MigrationEdited {
                    path: path(),
                    migration: title(migration),
                    applied: hex(&row.checksum),
                    embedded: hex(&migration.checksum()),
                });
            }
        }
        Ok(())
    }

    fn apply(&self, migration: &Migration) -> Result<(), OpenError> {
        let start = Instant::now();
        self.execute(migration).map_err(|source| {
            if !self.connection.is_autocommit() {
                // The first error is the one to report.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
            OpenError::MigrationFailed {
                path: self.path.to_owned(),
                migration: title(migration),
                source,
            }
        })?;
        let nanos = i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.connection
            .execute(
                &format!("UPDATE {} SET execution_time = ?1 WHERE version = ?2", self.table),
                params![nanos, migration.version],
            )
            .map_err(|error| self.sqlite(error))?;
        tracing::info!(migration = %title(migration), "migration applied");
        Ok(())
    }

    /// The migration and its row, together in a transaction unless the file opts out.
    fn execute(&self, migration: &Migration) -> rusqlite::Result<()> {
        let transaction = !migration.without_transaction();
        if transaction {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
        }
        self.connection.execute_batch(migration.sql)?;
        self.connection.execute(
            &format!(
                "INSERT INTO {} (version, description, success, checksum, execution_time) \
                 VALUES (?1, ?2, TRUE, ?3, -1)",
                self.table
            ),
            params![migration.version, migration.description, migration.checksum()],
        )?;
        if transaction {
            self.connection.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    fn has_table(&self) -> Result<bool, OpenError> {
        self.connection
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
                [self.table],
                |row| row.get(0),
            )
            .map_err(|error| self.sqlite(error))
    }

    fn create_table(&self) -> Result<(), OpenError> {
        self.connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS {} (\n    \
                     version BIGINT PRIMARY KEY,\n    \
                     description TEXT NOT NULL,\n    \
                     installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    \
                     success BOOLEAN NOT NULL,\n    \
                     checksum BLOB NOT NULL,\n    \
                     execution_time BIGINT NOT NULL\n)",
                self.table
            ))
            .map_err(|error| self.sqlite(error))
    }

    fn applied(&self) -> Result<Vec<Applied>, OpenError> {
        let sql = format!("SELECT version, checksum, success FROM {} ORDER BY version", self.table);
        let mut statement = self.connection.prepare(&sql).map_err(|error| self.sqlite(error))?;
        let rows = statement
            .query_map([], |row| {
                Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, success: row.get(2)? })
            })
            .and_then(Iterator::collect);
        rows.map_err(|error| self.sqlite(error))
    }

    fn sqlite(&self, error: rusqlite::Error) -> OpenError {
        OpenError::from_sqlite(self.path, error)
    }
}

fn title(migration: &Migration) -> String {
    format!("{:04} ({})", migration.version, migration.description)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
