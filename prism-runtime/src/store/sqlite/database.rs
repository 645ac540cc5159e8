//! A database file, open.

use std::cell::RefCell;
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::checkpoint::Checkpointer;
use super::lock::{self, FileLock};
use super::readers::Readers;
use super::writer::{Writer, shutting_down};
use super::{OpenError, Options, connection, migrate};
use crate::Result;
use crate::store::StoreFuture;

/// A database file, open: inline reads, long reads beside the event loops, grouped writes.
///
/// This process has the file for itself, save for other programs that read it with SQLite.
/// Dropping the last reference closes it as [`Database::close`] does.
pub struct Database {
    options: Options,
    closed: AtomicBool,
    writer: Writer,
    readers: Mutex<Option<Arc<Readers>>>,
    running: Mutex<Option<Running>>,
    /// Present while the database is open, for the connections of other threads.
    alive: Arc<()>,
}

/// What closing a database ends, in this order.
struct Running {
    writer: JoinHandle<()>,
    readers: Vec<JoinHandle<()>>,
    checkpointer: Checkpointer,
    checkpoints: JoinHandle<()>,
    lock: FileLock,
}

thread_local! {
    /// This thread's connections, one for each open database that it has read.
    static CONNECTIONS: RefCell<Vec<(Weak<()>, Rc<Connection>)>> = const { RefCell::new(Vec::new()) };
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
        let lock = FileLock::acquire(&options.path)?;
        let writing = connection::open_writer(&options)?;
        connection::verify(&writing, &options.path)?;
        migrate::run(&writing, &options)?;

        let of_system = |source| OpenError::Io { path: options.path.clone(), source };
        let copying = connection::open_checkpointer(&options)
            .map_err(|error| OpenError::from_sqlite(&options.path, error))?;
        let commits = Arc::new(AtomicU64::new(0));
        let (writer, writer_thread) =
            Writer::start(writing, options.write_queue, Arc::clone(&commits)).map_err(of_system)?;
        let (readers, reader_threads) = Readers::start(&options).map_err(of_system)?;
        let (checkpointer, checkpoints) =
            Checkpointer::start(copying, &options, commits).map_err(of_system)?;
        Ok(Arc::new(Database {
            writer,
            readers: Mutex::new(Some(Arc::new(readers))),
            running: Mutex::new(Some(Running {
                writer: writer_thread,
                readers: reader_threads,
                checkpointer,
                checkpoints,
                lock,
            })),
            closed: AtomicBool::new(false),
            alive: Arc::new(()),
            options,
        }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.options.path
    }

    /// Reads on this thread, now. For point reads and short pages: an event loop waits meanwhile.
    /// It sees every write that was acknowledged before.
    ///
    /// # Errors
    ///
    /// Those of `work`, and SHUTTING_DOWN once the database is closed.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.closed.load(Ordering::Acquire) {
            return Err(shutting_down());
        }
        work(&*self.connection()?)
    }

    /// Reads on another thread, for what may take longer than an event loop should stand still.
    /// It sees every write that was acknowledged before.
    ///
    /// The answer is an error where `work` fails, OVERLOADED where too many reads wait, and
    /// SHUTTING_DOWN once the database is closed.
    pub fn read_offloaded<T, F>(&self, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match readers {
            Some(readers) => readers.read(work),
            None => StoreFuture::ready(Err(shutting_down())),
        }
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
        if self.closed.load(Ordering::Acquire) {
            return StoreFuture::ready(Err(shutting_down()));
        }
        self.writer.write(work)
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
        drop(self.readers.lock().unwrap_or_else(PoisonError::into_inner).take());
        running.readers.into_iter().for_each(join);
        close_own_connection(&self.alive);
        drop(running.checkpointer);
        join(running.checkpoints);
        drop(running.lock);
    }

    /// This thread's connection.
    fn connection(&self) -> Result<Rc<Connection>> {
        CONNECTIONS.with_borrow_mut(|connections| {
            let alive = Arc::as_ptr(&self.alive);
            if let Some((_, found)) = connections.iter().find(|(of, _)| of.as_ptr() == alive) {
                return Ok(Rc::clone(found));
            }
            connections.retain(|(of, _)| of.strong_count() > 0);
            let opened = Rc::new(connection::open_reader(&self.options)?);
            connections.push((Arc::downgrade(&self.alive), Rc::clone(&opened)));
            Ok(opened)
        })
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

fn close_own_connection(alive: &Arc<()>) {
    // A thread that is ending has closed its connections already.
    let _ = CONNECTIONS.try_with(|connections| {
        if let Ok(mut connections) = connections.try_borrow_mut() {
            connections.retain(|(of, _)| of.as_ptr() != Arc::as_ptr(alive));
        }
    });
}

/// Waits for a thread, unless it is this one: the last reference to a database may be held by a
/// write of its own.
fn join(thread: JoinHandle<()>) {
    if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
        tracing::error!("a thread of the database panicked");
    }
}
