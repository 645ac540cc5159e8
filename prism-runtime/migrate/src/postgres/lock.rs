//! One migrator a database.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row as _};

use super::query;
use crate::Error;

/// How long to wait between two tries, at first and at most.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// How often a message says that this migrator waits.
const REMIND: Duration = Duration::from_secs(10);

/// The advisory lock that sqlx takes for a database: a constant times the CRC-32 of its name.
pub(super) async fn id(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let row = query::one(connection, "SELECT current_database()::text").await?;
    let name: String = row.try_get(0)?;
    Ok(0x3d32_ad9e * i64::from(crc32(name.as_bytes())))
}

/// Takes the lock, for the session.
///
/// It asks again and again instead of waiting in `pg_advisory_lock`, as sqlx does: a statement
/// that waits holds a snapshot, `CREATE INDEX CONCURRENTLY` of the one that has the lock waits for
/// every older snapshot, and neither would end.
pub(super) async fn acquire(
    connection: &mut PgConnection,
    id: i64,
    database: &str,
    limit: Duration,
) -> Result<(), Error> {
    let start = Instant::now();
    let mut pause = POLL.0;
    let mut reminded: Option<Instant> = None;
    loop {
        let row = query::one(connection, format!("SELECT pg_try_advisory_lock({id})")).await?;
        if row.try_get(0)? {
            return Ok(());
        }
        if start.elapsed() >= limit {
            let holder = holder(connection, id).await.unwrap_or_default();
            return Err(Error::Busy { database: database.to_owned(), holder, waited: limit });
        }
        if reminded.is_none_or(|last| last.elapsed() >= REMIND) {
            reminded = Some(Instant::now());
            let holder = holder(connection, id).await.unwrap_or_default();
            let waited = start.elapsed().as_secs();
            tracing::info!(
                waited,
                "waiting: the database is being migrated by another session{holder}"
            );
        }
        tokio::time::sleep(pause.min(limit.saturating_sub(start.elapsed()))).await;
        pause = (pause * 2).min(POLL.1);
    }
}

/// Gives the lock back.
pub(super) async fn release(connection: &mut PgConnection, id: i64) -> sqlx::Result<()> {
    query::execute(connection, format!("SELECT pg_advisory_unlock({id})")).await
}

/// Who has the lock.
async fn holder(connection: &mut PgConnection, id: i64) -> sqlx::Result<String> {
    let sql = format!(
        "SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
         AND l.classid::bigint = {} AND l.objid::bigint = {} \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        id >> 32,
        id & 0xFFFF_FFFF
    );
    let row = query::one(connection, sql).await?;
    let (pid, name): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
    let name = if name.is_empty() { name } else { format!(", {name}") };
    Ok(format!(" (pid {pid}{name})"))
}

/// CRC-32 as of ISO 3309 and zip.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_of_a_name_is_that_of_zip() {
        // The check value of CRC-32/ISO-HDLC: <https://reveng.sourceforge.io/crc-catalogue/all.htm>
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
    }
}
