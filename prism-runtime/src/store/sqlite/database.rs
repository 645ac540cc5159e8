//! A database file, open.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use prism_migrate::sqlite::{FileLock, Migrator};
use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::condition::Condition;
use super::error::shutting_down;
use super::files::Files;
use super::local::Local;
use super::lock;
use super::readers::Readers;
use super::unfinished::Unfinished;
use super::writer::{Part, Writer};
use super::{OpenError, Options, connection};
use crate::Result;
use crate::store::{Readiness, StoreFuture};

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
    unfinished: Arc<Unfinished>,
    condition: Arc<Condition>,
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
        let given = std::mem::take(&mut options.path);
        options.path = lock::canonical(&given)?;
        let mut lock = lock::acquire(&options.path)?;
        let writing = connection::open_writer(&options)?;
        connection::verify(&writing, &options.path)?;
        // One that is refused stays as it is.
        migrator(&options, |migrator| {
            migrator.admit(&writing, &options.entities, options.migrate)
        })?;
        connection::prepare_writer(&writing, &options)?;
        migrator(&options, |migrator| {
            migrator.prepare(&writing, &options.entities, options.migrate)
        })?;
        connection::make_durable(&writing, &options)?;
        let unfinished = Unfinished::load(&writing)
            .map_err(|error| OpenError::from_sqlite(&options.path, error))?;
        let files = Files::of(&given, &options.path, lock.database())?;
        let condition = Arc::new(Condition::new(files));

        let of_system = |source| OpenError::Io { path: options.path.clone(), source };
        let copying = connection::open_checkpointer(&options)
            .map_err(|error| OpenError::from_sqlite(&options.path, error))?;
        let commits = Arc::new(AtomicU64::new(0));
        let (writer, writer_thread) =
            Writer::start(writing, &options, Arc::clone(&commits), Arc::clone(&condition))
                .map_err(of_system)?;
        let readers = Readers::start(&options, &condition).map_err(of_system)?;
        let (checkpointer, checkpoints) =
            Checkpointer::start(copying, &options, Arc::clone(&commits), Arc::clone(&condition))
                .map_err(of_system)?;
        lock.keep();
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
            unfinished: Arc::new(unfinished),
            condition,
            alive: Arc::new(()),
            options,
        }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// Deletes of key-value items of which a part is still to be done.
    pub(super) fn unfinished(&self) -> &Arc<Unfinished> {
        &self.unfinished
    }

    /// Whether calls can be served: the files are those that were opened, and a write can be made.
    /// Found out with each commit and at least once a second.
    pub fn readiness(&self) -> Readiness {
        self.condition.readiness()
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
        self.condition.available()?;
        let local = Local::of(&self.alive, &self.options, &self.condition)?;
        let read = local.read(&self.alive, self.commits.load(Ordering::Acquire), work);
        read.map_err(|error| self.condition.explain(error))
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
        if let Err(error) = self.condition.available() {
            return StoreFuture::ready(Err(error));
        }
        let condition = Arc::clone(&self.condition);
        self.readers
            .read(move |connection| work(connection).map_err(|error| condition.explain(error)))
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
        let condition = Arc::clone(&self.condition);
        self.writer.write(bytes, move |connection| {
            work(connection).map_err(|error| condition.explain(error))
        })
    }

    /// Writes to a record in parts: `work` is called until it says that it is done, each time in a
    /// transaction, between which writes to other records are made. It waits for the end of earlier
    /// writes with the same `record`, which is the same for the same record. All parts but the
    /// first have a transaction for themselves. A part that fails ends the write, and leaves the
    /// parts before it written: if one of them was [`Part::Made`], the error is OUTCOME_UNKNOWN.
    /// Once it has begun it goes on, also where nobody waits for the answer any more. `bytes` are
    /// those that `work` holds, as in [`Database::write_sized`].
    pub(super) fn write_in_parts<T, F>(
        &self,
        record: u64,
        bytes: u64,
        mut work: F,
    ) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<Part<T>> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return StoreFuture::ready(Err(shutting_down()));
        }
        let condition = Arc::clone(&self.condition);
        self.writer.write_in_parts(record, bytes, move |connection: &Connection| {
            work(connection).map_err(|error| condition.explain(error))
        })
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

/// Does something with the migrations of the options.
fn migrator(
    options: &Options,
    run: impl FnOnce(&Migrator<'_>) -> Result<(), prism_migrate::Error>,
) -> Result<(), OpenError> {
    let database = options.path.display().to_string();
    run(&Migrator { database: &database, migrations: &options.migrations })
        .map_err(|error| OpenError::from_migration(&options.path, error))
}

/// Waits for a thread, unless it is this one: the last reference to a database may be held by a
/// write of its own.
pub(super) fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
        tracing::error!("a thread of the database panicked");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Reason;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// A part that is committed to files that are gone, and one that finds them gone.
    #[test]
    fn a_write_in_parts_is_not_acknowledged_once_the_files_are_gone() {
        for is_removed_by_the_part in [true, false] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("test.db");
            let database = Database::open(&Options::new(&path)).unwrap();
            let (started, has_started) = std::sync::mpsc::channel();
            let (go, gone) = std::sync::mpsc::channel::<()>();
            let (mut part, own) = (0, path.clone());
            let long = database.write_in_parts(1, 0, move |connection: &Connection| {
                part += 1;
                if part == 1 {
                    connection.execute_batch("CREATE TABLE t (n INTEGER)")?;
                    started.send(()).unwrap();
                    gone.recv().unwrap();
                }
                if part == 2 && is_removed_by_the_part {
                    std::fs::remove_file(&own).unwrap();
                }
                Ok(if part < 5 { Part::Made } else { Part::Done(()) })
            });
            has_started.recv().unwrap();
            // It has its turn between two parts.
            let between = database.write(move |_| {
                if !is_removed_by_the_part {
                    std::fs::remove_file(&path).unwrap();
                }
                Ok(())
            });
            go.send(()).unwrap();
            assert_eq!(block_on(long).unwrap_err().reason(), Reason::OutcomeUnknown);
            let between = block_on(between).map_err(|error| error.reason());
            let lost = [Reason::OutcomeUnknown, Reason::BackendUnavailable];
            assert!(between.is_err_and(|reason| lost.contains(&reason)));
            let after = database.write(|_| Ok(()));
            assert_eq!(block_on(after).unwrap_err().reason(), Reason::BackendUnavailable);
        }
    }
}
