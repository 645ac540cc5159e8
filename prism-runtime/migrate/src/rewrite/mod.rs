//! Copies that write every row anew: migrations that only this migrator runs, in batches.
//!
//! The file begins with [`MARKER`] and holds a statement that any other tool fails on. The migrator
//! hands such a file to [`postgres()`] or [`sqlite()`] and records it when they return. One that was
//! interrupted is handed over again, and so is one that ended before it was recorded: both go on
//! from what the database holds.

use rusqlite::Connection;
use sqlx::PgConnection;

use crate::{Cause, Migration};

/// What the file begins with.
pub const MARKER: &str = "-- prism:rewrite";

/// Runs the copy on Postgres, outside a transaction and under the migrator's lock.
///
/// # Errors
///
/// Where a statement fails; what was done by then stays.
pub async fn postgres(_: &mut PgConnection, _: &Migration<'_>) -> Result<(), Cause> {
    Err(unknown())
}

/// Runs the copy on SQLite, outside a transaction.
///
/// # Errors
///
/// Where a statement fails; what was done by then stays.
pub fn sqlite(_: &Connection, _: &Migration<'_>) -> Result<(), Cause> {
    Err(unknown())
}

fn unknown() -> Cause {
    Cause::Refused("this version of Prism cannot run it: use the one that wrote the file".into())
}
