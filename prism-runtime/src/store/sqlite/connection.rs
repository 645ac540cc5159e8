//! Connections and their settings.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::condition::Condition;
use super::{OpenError, Options, Synchronous};
use crate::Result;

/// Bytes of a page. Fixed when the file is created.
pub(super) const PAGE_BYTES: u32 = 4096;

/// Statements that a connection keeps compiled: a handful for each method of each entity.
const STATEMENTS: usize = 512;

/// How long a checkpoint after which the log begins anew waits for readers; writers wait as long.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(20);

/// How many times its limit the log may take before the writer copies it itself.
const BACKSTOP_LIMITS: u64 = 4;

/// Opens the connection that writes, creating the file where it does not exist. Nothing is written
/// yet.
pub(super) fn open_writer(options: &Options) -> Result<Connection, OpenError> {
    let path = &options.path;
    let explain = |error| OpenError::from_sqlite(path, error);
    let connection = Connection::open_with_flags(path, flags() | OpenFlags::SQLITE_OPEN_CREATE)
        .map_err(explain)?;
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(explain)? {
        return Err(OpenError::ReadOnly { path: path.clone() });
    }
    connection.busy_timeout(options.busy_timeout).map_err(explain)?;
    Ok(connection)
}

/// Gives the file its page size and its write-ahead log. For migrations; before the connection is
/// used for others' writes it is made durable.
pub(super) fn prepare_writer(connection: &Connection, options: &Options) -> Result<(), OpenError> {
    let path = &options.path;
    let explain = |error| OpenError::from_sqlite(path, error);
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(explain)?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(explain)?;
    if mode != "wal" {
        return Err(OpenError::NoWriteAheadLog { path: path.clone() });
    }
    configure_writer(connection, options).map_err(explain)
}

fn configure_writer(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    share_settings(connection, options, options.writer_cache_bytes)?;
    // Migrations are flushed with the first write that is acknowledged: until then they may be
    // lost as a whole, and are applied again.
    connection.pragma_update(None, "synchronous", Synchronous::Normal.pragma())?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", signed(options.wal_limit_bytes))?;
    // The checkpoint thread copies the log, so that no write waits for that. Only where it falls
    // behind by several limits does the writer copy itself: a log without bound would fill the disk.
    connection.pragma_update(None, "wal_autocheckpoint", signed(backstop_pages(options)))?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Pages of the log beyond which the writer copies it itself.
fn backstop_pages(options: &Options) -> u64 {
    BACKSTOP_LIMITS * options.wal_limit_bytes / u64::from(PAGE_BYTES)
}

/// Makes the writer's commits wait for what the options say: from before the first one that is
/// acknowledged.
pub(super) fn make_durable(connection: &Connection, options: &Options) -> Result<(), OpenError> {
    connection
        .pragma_update(None, "synchronous", options.synchronous.pragma())
        .map_err(|error| OpenError::from_sqlite(&options.path, error))
}

/// Opens a connection that cannot write. Under the path there may be another database by now: then
/// it is an error.
pub(super) fn open_reader(options: &Options, condition: &Condition) -> Result<Connection> {
    let connection = connect_reader(options).map_err(|error| condition.explain(error.into()))?;
    condition.check_files();
    condition.available()?;
    Ok(connection)
}

fn connect_reader(options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(&options.path, flags())?;
    connection.busy_timeout(options.busy_timeout)?;
    share_settings(&connection, options, options.reader_cache_bytes)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Opens the connection that copies the log into the database.
pub(super) fn open_checkpointer(options: &Options) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(&options.path, flags())?;
    connection.busy_timeout(CHECKPOINT_WAIT)?;
    connection.pragma_update(None, "synchronous", options.synchronous.pragma())?;
    connection.pragma_update(None, "journal_size_limit", signed(options.wal_limit_bytes))?;
    Ok(connection)
}

/// Reads all that `work` reads as of one moment: in the transaction that is open, or in its own.
pub(super) fn in_one_snapshot<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    if !connection.is_autocommit() {
        return work(connection);
    }
    let transaction = connection.unchecked_transaction()?;
    let result = work(&transaction);
    transaction.finish()?;
    result
}

/// Keeps SQLite from removing the log when the connection is closed: under its name there may be
/// another database's by now.
/// <https://www.sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose>
pub(super) fn leave_files(connection: &Connection) {
    let left = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    if let Err(error) = left {
        tracing::warn!(%error, "the write-ahead log is removed with its database");
    }
}

/// Fails where the file's schema cannot be read.
pub(super) fn verify(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map(drop)
        .map_err(|error| OpenError::from_sqlite(path, error))
}

/// A connection is used by one thread at a time, so SQLite needs no mutex. Paths are no URIs: a
/// `?` in a file's name is one.
fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn share_settings(
    connection: &Connection,
    options: &Options,
    cache_bytes: u64,
) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Plans must not depend on bound values: SQLite would compile a statement with a bound LIMIT
    // or range anew at each execution, which costs more than a point read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "mmap_size", signed(options.mmap_bytes))?;
    // A negative size is one in KiB.
    connection.pragma_update(None, "cache_size", -signed(cache_bytes / 1024))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
