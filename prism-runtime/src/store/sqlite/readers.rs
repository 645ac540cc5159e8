//! Threads for reads that are too long for an event loop.
//!
//! A few threads take the reads in turn. One that has run for a while looks, as SQLite makes steps,
//! whether its caller is still there, and is interrupted where it has gone; and whether others wait
//! behind it, and has a further thread take them, up to a number of threads. So reads that walk far
//! share the processor with those that do not, and what nobody waits for takes none of it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::condition::Condition;
use super::error::{overloaded, shutting_down};
use super::{Options, connection};
use crate::memory::{self, Share};
use crate::store::StoreFuture;
use crate::{Error, Result};

/// Steps of SQLite's machine between two looks, which are a fraction of a millisecond.
const STEPS: i32 = 4_000;

/// How long a read may run before those that wait behind it get another thread.
const LONG: Duration = Duration::from_millis(10);

/// How long such a thread waits for something to do before it ends.
const REST: Duration = Duration::from_secs(5);

/// By how much the page cache of such a thread is smaller.
const CACHE_SHARE: u64 = 8;

/// Where reads are handed to their threads.
pub(super) struct Readers(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something waits, or the threads are to end.
    changed: Condvar,
    options: Options,
    condition: Arc<Condition>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Read>,
    /// Threads that wait for a read.
    idle: usize,
    /// Threads that have not ended.
    running: usize,
    threads: Vec<JoinHandle<()>>,
    is_closed: bool,
}

/// An error stands for the connection of a thread that could not open one.
type Work = Box<dyn FnOnce(Result<&Connection>) + Send>;

struct Read {
    work: Work,
    /// Gone with whoever waits for the answer.
    caller: Weak<()>,
}

impl Readers {
    /// Starts the threads that are always there.
    pub(super) fn start(options: &Options, condition: &Arc<Condition>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            options: options.clone(),
            condition: Arc::clone(condition),
        });
        for _ in 0..options.reader_threads.max(1) {
            shared.start_thread(&mut shared.lock(), None)?;
        }
        Ok(Readers(shared))
    }

    /// Hands in a read. It sees every write that was acknowledged before. It is interrupted once
    /// the answer is not waited for any more.
    pub(super) fn read<T, F>(&self, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel::<(Result<T>, Option<Share>)>();
        let waiting = Arc::new(());
        let caller = Arc::downgrade(&waiting);
        let mut share = memory::hand_over();
        let work = Box::new(move |connection: Result<&Connection>| {
            let result = connection.and_then(|connection| {
                let work = || memory::charge(memory::READ_AHEAD).and_then(|()| work(connection));
                catch_unwind(AssertUnwindSafe(|| memory::within(&mut share, work)))
                    .unwrap_or_else(|_| Err(Error::internal("a read panicked")))
            });
            // The caller may have gone.
            let _ = answer.send((result, share));
        });
        if let Err(error) = self.0.hand_in(Read { work, caller }) {
            return StoreFuture::ready(Err(error));
        }
        StoreFuture::pending(async move {
            let _waiting = waiting;
            let (result, share) = outcome.await.unwrap_or_else(|_| (Err(shutting_down()), None));
            memory::keep(share);
            result
        })
    }

    /// Ends the threads once all that was handed in is answered. Blocks until then.
    pub(super) fn close(&self) {
        let threads = {
            let mut state = self.0.lock();
            state.is_closed = true;
            std::mem::take(&mut state.threads)
        };
        self.0.changed.notify_all();
        threads.into_iter().for_each(super::database::join);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Every change is made whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_in(&self, read: Read) -> Result<()> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(shutting_down());
        }
        if state.waiting.len() >= self.options.read_queue {
            return Err(overloaded());
        }
        state.waiting.push_back(read);
        if state.idle > 0 {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Starts a thread that ends after so long without a read; never without a limit.
    fn start_thread(
        self: &Arc<Self>,
        state: &mut State,
        rest: Option<Duration>,
    ) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("sqlite-reader".into())
            .spawn(move || shared.options.span().in_scope(|| shared.run(rest)))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.running += 1;
        Ok(())
    }

    fn run(self: &Arc<Self>, rest: Option<Duration>) {
        let mut options = self.options.clone();
        if rest.is_some() {
            options.reader_cache_bytes /= CACHE_SHARE;
        }
        let mut connection = None::<Connection>;
        while let Some(read) = self.next(rest) {
            if read.caller.strong_count() == 0 {
                continue;
            }
            if connection.is_none() {
                match connection::open_reader(&options, &self.condition) {
                    Ok(opened) => connection = Some(opened),
                    Err(error) => {
                        (read.work)(Err(error));
                        continue;
                    }
                }
            }
            if let Some(connection) = &connection {
                self.read(connection, read);
            }
        }
        if let Some(connection) = connection.filter(|_| self.condition.is_lost()) {
            connection::leave_files(&connection);
        }
    }

    /// Waits for a read. `None`: the thread is to end.
    fn next(&self, rest: Option<Duration>) -> Option<Read> {
        let mut state = self.lock();
        loop {
            if let Some(read) = state.waiting.pop_front() {
                return Some(read);
            }
            if state.is_closed {
                state.running -= 1;
                return None;
            }
            state.idle += 1;
            let mut is_rested = false;
            state = match rest {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(rest) => {
                    let waited = self.changed.wait_timeout(state, rest);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    is_rested = timeout.timed_out();
                    state
                }
            };
            state.idle -= 1;
            if is_rested && state.waiting.is_empty() {
                state.running -= 1;
                return None;
            }
        }
    }

    fn read(self: &Arc<Self>, connection: &Connection, read: Read) {
        let (shared, caller, started) = (Arc::clone(self), read.caller, Instant::now());
        let look = move || {
            if started.elapsed() > LONG {
                shared.relieve();
            }
            caller.strong_count() == 0
        };
        match connection.progress_handler(STEPS, Some(look)) {
            Ok(()) => (read.work)(Ok(connection)),
            Err(error) => (read.work)(Err(error.into())),
        }
        if let Err(error) = connection.progress_handler(0, None::<fn() -> bool>) {
            tracing::warn!(%error, "a reading connection keeps the caller of its last read");
        }
    }

    /// Has another thread take what waits behind reads that take long.
    fn relieve(self: &Arc<Self>) {
        let mut state = self.lock();
        let is_full = state.running >= self.options.max_reader_threads;
        if state.waiting.is_empty() || state.idle > 0 || is_full || state.is_closed {
            return;
        }
        if let Err(error) = self.start_thread(&mut state, Some(REST)) {
            tracing::warn!(%error, "no further thread for reads");
        }
    }
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Readers")
    }
}
