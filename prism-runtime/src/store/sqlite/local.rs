//! The connection that a thread reads on, and the transaction that the reads of one tick of its
//! event loop share.
//!
//! A read of its own takes and releases locks on the file: two system calls, which threads also
//! contend for. The first read of a tick begins a transaction, and a task that it puts at the end
//! of the loop's queue ends it, so the calls that came in together pay once. A commit in between
//! makes the next read begin again: what was acknowledged is read.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use rusqlite::Connection;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::condition::Condition;
use super::{Options, connection};
use crate::Result;

/// Reads that pay for themselves after a tick that had but one, at most.
const MAX_ALONE: u32 = 64;

thread_local! {
    /// This thread's connections, one for each open database that it has read.
    static CONNECTIONS: RefCell<Vec<(Weak<()>, Rc<Local>)>> = const { RefCell::new(Vec::new()) };
}

/// A connection of this thread.
pub(super) struct Local {
    connection: Connection,
    /// Holds the database file open for as long as the connection: see `FileLock::database`.
    condition: Arc<Condition>,
    /// The number of commits that the open transaction has seen at least.
    snapshot: Cell<Option<u64>>,
    /// Alive while the task that ends the transaction is.
    ending: RefCell<Weak<()>>,
    /// Reads of this tick.
    reads: Cell<u32>,
    /// Reads that are not to begin a transaction, since the last tick had but one read, and how
    /// many there were of them the last time.
    alone: Cell<u32>,
    last_alone: Cell<u32>,
}

impl Local {
    /// This thread's connection to the database that `alive` belongs to.
    pub(super) fn of(
        alive: &Arc<()>,
        options: &Options,
        condition: &Arc<Condition>,
    ) -> Result<Rc<Self>> {
        if let Some(found) = find(Arc::as_ptr(alive)) {
            return Ok(found);
        }
        let opened = Rc::new(Local {
            connection: connection::open_reader(options, condition)?,
            condition: Arc::clone(condition),
            snapshot: Cell::new(None),
            ending: RefCell::new(Weak::new()),
            reads: Cell::new(0),
            alone: Cell::new(0),
            last_alone: Cell::new(0),
        });
        CONNECTIONS.with_borrow_mut(|connections| {
            connections.retain(|(of, _)| of.strong_count() > 0);
            connections.push((Arc::downgrade(alive), Rc::clone(&opened)));
        });
        Ok(opened)
    }

    /// Closes this thread's connection.
    pub(super) fn close(alive: &Arc<()>) {
        // A thread that is ending has closed its connections already.
        let closed = CONNECTIONS.try_with(|connections| {
            let mut connections = connections.try_borrow_mut().ok()?;
            let own = connections.iter().position(|(of, _)| of.as_ptr() == Arc::as_ptr(alive))?;
            Some(connections.swap_remove(own))
        });
        drop(closed);
    }

    /// Reads, in this tick's transaction where there is an event loop. `commits` is the number of
    /// commits that have been acknowledged.
    pub(super) fn read<T>(
        &self,
        alive: &Arc<()>,
        commits: u64,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.reads.set(self.reads.get().saturating_add(1));
        let is_ending = || self.ending.borrow().strong_count() > 0;
        match self.snapshot.get() {
            Some(seen) if seen == commits && is_ending() => {}
            Some(_) if is_ending() => {
                self.end();
                self.begin(commits)?;
            }
            Some(_) => {
                // The event loop went away without running the task.
                self.end();
                self.begin_tick(alive, commits)?;
            }
            None => self.begin_tick(alive, commits)?,
        }
        work(&self.connection)
    }

    fn begin_tick(&self, alive: &Arc<()>, commits: u64) -> Result<()> {
        if let Some(alone) = self.alone.get().checked_sub(1) {
            self.alone.set(alone);
            return Ok(());
        }
        let Ok(event_loop) = Handle::try_current() else { return Ok(()) };
        if event_loop.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return Ok(());
        }
        self.begin(commits)?;
        self.reads.set(1);
        let ending = Arc::new(());
        *self.ending.borrow_mut() = Arc::downgrade(&ending);
        let end = EndOfTick { database: Arc::downgrade(alive), _ending: ending };
        event_loop.spawn(async move { drop(end) });
        Ok(())
    }

    fn begin(&self, commits: u64) -> Result<()> {
        self.connection.prepare_cached("BEGIN")?.execute([])?;
        self.snapshot.set(Some(commits));
        Ok(())
    }

    fn end(&self) {
        if self.snapshot.take().is_none() || self.connection.is_autocommit() {
            return;
        }
        let ended = self.connection.prepare_cached("COMMIT").and_then(|mut end| end.execute([]));
        if let Err(error) = ended {
            tracing::warn!(%error, "a read transaction cannot be ended");
        }
    }

    fn end_tick(&self) {
        self.end();
        if self.reads.get() > 1 {
            self.last_alone.set(0);
        } else {
            let alone = (2 * self.last_alone.get() + 1).min(MAX_ALONE);
            self.last_alone.set(alone);
            self.alone.set(alone);
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if self.condition.is_lost() {
            connection::leave_files(&self.connection);
        }
    }
}

/// Ends the transaction of a tick when it is dropped: after the task ran, or with its event loop.
struct EndOfTick {
    database: Weak<()>,
    _ending: Arc<()>,
}

impl Drop for EndOfTick {
    fn drop(&mut self) {
        if let Some(local) = find(self.database.as_ptr()) {
            local.end_tick();
        }
    }
}

fn find(alive: *const ()) -> Option<Rc<Local>> {
    CONNECTIONS
        .try_with(|connections| {
            let connections = connections.try_borrow().ok()?;
            let (_, found) = connections.iter().find(|(of, _)| of.as_ptr() == alive)?;
            Some(Rc::clone(found))
        })
        .ok()
        .flatten()
}
