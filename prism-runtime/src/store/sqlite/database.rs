//! A database file, open.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use prism_migrate::sqlite::{FileLock, Migrator};
use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::local::Local;
use super::lock;
use super::readers::Readers;
use super::writer::{Part, Writer, shutting_down};
use super::{OpenError, Options, connection};
use crate::Result;
use crate::store::StoreFuture;

/// A database file, open: inline reads, long reads beside the event loops, grouped writes.
///
/// This process has the file for itself, save for other programs that read it with SQLite.
/// Dropping the last reference closes it as [`Database::close`] does.
pub struct Database {
    options: Options,
    closed: AtomicBool,
    /// Commits that may have been acknowledged.
    commits: Arc<AtomicU64>,
    writer: Writer,
    readers: Readers,
    running: Mutex<Option<Running>>,
    /// Present while the database is open, for the connections of other threads.
    alive: Arc<()>,
}

/// What closing a database ends, in this order.
struct Running {
    writer: JoinHandle<()>,
    checkpointer: Checkpointer,
    checkpoints: JoinHandle<()>,
    lock: FileLock,
}

impl Database {
    /// Opens the file, or creates it, and applies outstanding migrations.
    ///
    /// # Errors
    ///
    /// Where another server has the file, where it or its folder cannot be written to, is no
    /// database or is damaged, and where its migrations are not those of the options.
    pub fn open(options: &Options) -> Result<Arc<Self>, OpenError> {
        let mut options = options.clone();
        options.path = lock::canonical(&options.path)?;
        let lock = lock::acquire(&options.path)?;
        let writing = connection::open_writer(&options)?;
        connection::verify(&writing, &options.path)?;
        migrate(&writing, &options)?;
        connection::make_durable(&writing, &options)?;

        let of_system = |source| OpenError::Io { path: options.path.clone(), source };
        let copying = connection::open_checkpointer(&options)
            .map_err(|error| OpenError::from_sqlite(&options.path, error))?;
        let commits = Arc::new(AtomicU64::new(0));
        let (writer, writer_thread) =
            Writer::start(writing, &options, Arc::clone(&commits)).map_err(of_system)?;
        let readers = Readers::start(&options).map_err(of_system)?;
        let (checkpointer, checkpoints) =
            Checkpointer::start(copying, &options, Arc::clone(&commits)).map_err(of_system)?;
        Ok(Arc::new(Database {
            writer,
            readers,
            running: Mutex::new(Some(Running {
                writer: writer_thread,
                checkpointer,
                checkpoints,
                lock,
            })),
            closed: AtomicBool::new(false),
            commits,
            alive: Arc::new(()),
            options,
        }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// Reads on this thread, now. For point reads and short pages: an event loop waits meanwhile.
    /// It sees every write that was acknowledged before. Reads of one tick of a current-thread
    /// runtime share a transaction, so that they pay once for its locks: `work` neither begins nor
    /// ends one.
    ///
    /// # Errors
    ///
    /// Those of `work`, and SHUTTING_DOWN once the database is closed.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(shutting_down());
        }
        let local = Local::of(&self.alive, &self.options)?;
        local.read(&self.alive, self.commits.load(Ordering::Acquire), work)
    }

    /// Reads on another thread, for what may take longer than an event loop should stand still.
    /// It sees every write that was acknowledged before. A read whose future is dropped is left out,
    /// or interrupted. Reads that take long do not make others wait for their end.
    ///
    /// The answer is an error where `work` fails, OVERLOADED where too many reads wait, and
    /// SHUTTING_DOWN once the database is closed.
    pub fn read_offloaded<T, F>(&self, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.readers.read(work)
    }

    /// Writes on the writer's thread, in a transaction that `work` shares with other writes; the
    /// answer comes after its COMMIT. `work` neither begins nor ends a transaction. What it wrote
    /// is undone where it fails. A write whose future is dropped before it began is left out.
    ///
    /// The answer is an error where `work` or the COMMIT fails, OVERLOADED where too many writes
    /// wait, and SHUTTING_DOWN once the database is closed: nothing was written then, unless the
    /// reason is OUTCOME_UNKNOWN.
    pub fn write<T, F>(&self, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.write_sized(0, work)
    }

    /// Writes as [`Database::write`] does, counting the bytes that `work` holds: more than
    /// [`Options::write_queue_bytes`] that wait are refused with OVERLOADED.
    pub fn write_sized<T, F>(&self, bytes: u64, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return StoreFuture::ready(Err(shutting_down()));
        }
        self.writer.write(bytes, work)
    }

    /// Writes to a record as [`Database::write_sized`] does, where other writes to it may be made in
    /// parts: then this one waits for the last of them. `record` is the same for the same record.
    pub(super) fn write_record<T, F>(&self, record: u64, bytes: u64, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return StoreFuture::ready(Err(shutting_down()));
        }
        self.writer.write_record(record, bytes, work)
    }

    /// Writes to a record in parts: `work` is called until it says that it is done, each time in a
    /// transaction, between which writes to other records are made. A part that fails ends it, and
    /// leaves the parts before it written. Once it has begun it goes on, also where nobody waits
    /// for the answer any more.
    pub(super) fn write_in_parts<T, F>(&self, record: u64, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<Part<T>> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return StoreFuture::ready(Err(shutting_down()));
        }
        self.writer.write_in_parts(record, work)
    }

    /// Ends the database: writes that were handed in are made and answered, the write-ahead log is
    /// copied into the file, the lock is released. Blocks until then. Calls after it answer
    /// SHUTTING_DOWN.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = running else { return };
        self.writer.stop();
        join(running.writer);
        self.readers.close();
        Local::close(&self.alive);
        drop(running.checkpointer);
        join(running.checkpoints);
        drop(running.lock);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("path", &self.options.path).finish_non_exhaustive()
    }
}

/// Applies migrations as the options say.
fn migrate(connection: &Connection, options: &Options) -> Result<(), OpenError> {
    let database = options.path.display().to_string();
    let migrator = Migrator { database: &database, migrations: &options.migrations };
    migrator
        .prepare(connection, &options.entities, options.migrate)
        .map_err(|error| OpenError::from_migration(&options.path, error))
}

/// Waits for a thread, unless it is this one: the last reference to a database may be held by a
/// write of its own.
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
        tracing::error!("a thread of the database panicked");
    }
}
