//! SQLite without a server: what a program that links it gets.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;

/// Opens a database with one table of `rows` rows.
fn open(directory: &Path, rows: u32, payload: usize) -> rusqlite::Result<Connection> {
    let connection = Connection::open(directory.join("embedded.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.execute_batch(
        "CREATE TABLE items (id TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
         PRIMARY KEY (id, key)) WITHOUT ROWID; BEGIN",
    )?;
    {
        let mut insert = connection.prepare("INSERT INTO items VALUES (?1, ?2, ?3)")?;
        for row in 0..rows {
            insert.execute((id(row), b"profile", vec![0_u8; payload]))?;
        }
    }
    connection.execute_batch("COMMIT")?;
    Ok(connection)
}

fn id(row: u32) -> String {
    format!("user-{row:08x}")
}

/// A walk over all rows in an order that a B-tree does not like. The factor is prime.
fn scattered(step: u64, rows: u32) -> u32 {
    (step.wrapping_mul(2_654_435_761) % u64::from(rows)) as u32
}

/// A transaction for each put, each with other bytes: SQLite writes nothing where they are the
/// same.
pub fn puts(directory: &Path, rows: u32, payload: usize) -> Result<(), Box<dyn Error>> {
    let connection = open(directory, rows, payload)?;
    let mut put = connection.prepare("INSERT OR REPLACE INTO items VALUES (?1, ?2, ?3)")?;
    let mut value = vec![0_u8; payload];
    let mut step = 0_u64;
    super::on_demand(|length| {
        let (start, first) = (Instant::now(), step);
        while start.elapsed() < length {
            step += 1;
            value[..8].copy_from_slice(&step.to_be_bytes());
            put.execute((id(scattered(step, rows)), b"profile", &value))?;
        }
        Ok(step - first)
    })
}

/// Prepared gets, one after the other.
pub fn gets(directory: &Path, rows: u32, payload: usize) -> Result<(), Box<dyn Error>> {
    let connection = open(directory, rows, payload)?;
    let mut get = connection.prepare("SELECT key, value FROM items WHERE id = ?1 ORDER BY key")?;
    let mut step = 0_u64;
    super::on_demand(|length| {
        let (start, first) = (Instant::now(), step);
        while start.elapsed() < length {
            step += 1;
            let mut rows = get.query([id(scattered(step, rows))])?;
            while let Some(row) = rows.next()? {
                std::hint::black_box(row.get::<_, Vec<u8>>(1)?);
            }
        }
        Ok(step - first)
    })
}
