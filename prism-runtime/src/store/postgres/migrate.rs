//! Migrations at start: Prism's own tables, then the user's.
//!
//! The user's are tracked in sqlx's table, and under sqlx's lock, so that `sqlx migrate` works on
//! the same files and the same database, and of many servers that start at once one migrates.
//! Table, checksum and lock are those of sqlx 0.9 (`sqlx-postgres/src/migrate.rs`).

use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::open_error::{OpenError, Place};
use crate::store::Migration;

/// Prism's own tables.
const OWN: &[Migration] = &[
    Migration {
        version: 1,
        description: "keyvalue",
        sql: include_str!("../../../migrations/postgres/0001_keyvalue.sql"),
    },
    Migration {
        version: 2,
        description: "requests",
        sql: include_str!("../../../migrations/postgres/0002_requests.sql"),
    },
];

/// Compares what the database has with what the server knows, and applies what is outstanding.
/// Nothing is applied where anything is refused.
pub(super) async fn run(
    connection: &mut PgConnection,
    place: &Place,
    users: &[Migration],
    apply: bool,
) -> Result<(), OpenError> {
    let lock = lock_id(connection).await.map_err(|error| place.postgres(error))?;
    let locked = sqlx::query("SELECT pg_advisory_lock($1)").bind(lock);
    locked.execute(&mut *connection).await.map_err(|error| place.postgres(error))?;
    let own = Migrator { place, table: "prism_migrations" };
    let user = Migrator { place, table: "_sqlx_migrations" };
    let own_outstanding = own.outstanding(connection, OWN, apply).await?;
    let user_outstanding = user.outstanding(connection, users, apply).await?;
    own.apply_all(connection, &own_outstanding).await?;
    user.apply_all(connection, &user_outstanding).await?;
    let unlocked = sqlx::query("SELECT pg_advisory_unlock($1)").bind(lock);
    unlocked.execute(connection).await.map_err(|error| place.postgres(error))?;
    Ok(())
}

struct Migrator<'a> {
    place: &'a Place,
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
    async fn outstanding<'m>(
        &self,
        connection: &mut PgConnection,
        known: &'m [Migration],
        apply: bool,
    ) -> Result<Vec<&'m Migration>, OpenError> {
        let applied = self.applied(connection).await.map_err(|error| self.place.postgres(error))?;
        self.check(known, &applied)?;
        let mut outstanding: Vec<&Migration> = known
            .iter()
            .filter(|migration| applied.iter().all(|row| row.version != migration.version))
            .collect();
        outstanding.sort_by_key(|migration| migration.version);
        match outstanding.first() {
            Some(first) if !apply => Err(OpenError::Behind {
                database: self.place.database(),
                first: title(first),
                count: outstanding.len(),
            }),
            _ => Ok(outstanding),
        }
    }

    async fn applied(&self, connection: &mut PgConnection) -> sqlx::Result<Vec<Applied>> {
        let found: Option<String> = sqlx::query_scalar("SELECT to_regclass($1)::text")
            .bind(self.table)
            .fetch_one(&mut *connection)
            .await?;
        if found.is_none() {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT version, checksum, success FROM {} ORDER BY version", self.table);
        let rows: Vec<(i64, Vec<u8>, bool)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await?;
        let row = |(version, checksum, success)| Applied { version, checksum, success };
        Ok(rows.into_iter().map(row).collect())
    }

    fn check(&self, known: &[Migration], applied: &[Applied]) -> Result<(), OpenError> {
        let database = || self.place.database();
        let newest = known.iter().map(|migration| migration.version).max();
        for row in applied {
            let version = row.version;
            if !row.success {
                return Err(OpenError::MigrationDirty { database: database(), version });
            }
            let Some(migration) = known.iter().find(|migration| migration.version == version)
            else {
                return Err(if newest.is_none_or(|newest| version > newest) {
                    OpenError::Ahead { database: database(), version }
                } else {
                    OpenError::MigrationMissing { database: database(), version }
                });
            };
            if row.checksum != migration.checksum() {
                let migration = title(migration);
                return Err(OpenError::MigrationEdited { database: database(), migration });
            }
        }
        Ok(())
    }

    async fn apply_all(
        &self,
        connection: &mut PgConnection,
        outstanding: &[&Migration],
    ) -> Result<(), OpenError> {
        if outstanding.is_empty() {
            return Ok(());
        }
        self.create_table(connection).await.map_err(|error| self.place.postgres(error))?;
        for migration in outstanding {
            self.apply(connection, migration).await.map_err(|source| {
                OpenError::MigrationFailed {
                    database: self.place.database(),
                    migration: title(migration),
                    source,
                }
            })?;
            tracing::info!(migration = %title(migration), "migration applied");
        }
        Ok(())
    }

    /// The migration and its row, together in a transaction unless the file opts out.
    async fn apply(
        &self,
        connection: &mut PgConnection,
        migration: &Migration,
    ) -> sqlx::Result<()> {
        let start = Instant::now();
        if migration.without_transaction() {
            connection.execute(migration.sql).await?;
            self.insert(connection, migration).await?;
        } else {
            let mut transaction = connection.begin().await?;
            transaction.execute(migration.sql).await?;
            self.insert(&mut transaction, migration).await?;
            transaction.commit().await?;
        }
        let sql = format!("UPDATE {} SET execution_time = $1 WHERE version = $2", self.table);
        sqlx::query(AssertSqlSafe(sql))
            .bind(i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX))
            .bind(migration.version)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn insert(
        &self,
        connection: &mut PgConnection,
        migration: &Migration,
    ) -> sqlx::Result<()> {
        let sql = format!(
            "INSERT INTO {} (version, description, success, checksum, execution_time) \
             VALUES ($1, $2, TRUE, $3, -1)",
            self.table
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(migration.version)
            .bind(migration.description)
            .bind(migration.checksum().to_vec())
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn create_table(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (\n    \
                 version BIGINT PRIMARY KEY,\n    \
                 description TEXT NOT NULL,\n    \
                 installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n    \
                 success BOOLEAN NOT NULL,\n    \
                 checksum BYTEA NOT NULL,\n    \
                 execution_time BIGINT NOT NULL\n)",
            self.table
        );
        sqlx::query(AssertSqlSafe(sql)).execute(connection).await.map(drop)
    }
}

/// The advisory lock that sqlx takes for a database: a constant times the CRC-32 of its name.
async fn lock_id(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let name: String =
        sqlx::query_scalar("SELECT current_database()::text").fetch_one(connection).await?;
    Ok(0x3d32_ad9e * i64::from(crc32(name.as_bytes())))
}

/// CRC-32 as of ISO 3309 and zip.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn title(migration: &Migration) -> String {
    format!("{:04} ({})", migration.version, migration.description)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_of_a_name_is_that_of_zip() {
        // The check value of CRC-32/ISO-HDLC: <https://reveng.sourceforge.io/crc-catalogue/all.htm>
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
