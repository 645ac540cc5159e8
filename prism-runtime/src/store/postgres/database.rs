//! A database, open.

use std::fmt;
use std::str::FromStr as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::error::{Failure, overloaded, shutting_down};
use super::open_error::Place;
use super::{OpenError, Options, migrate};
use crate::Result;
use crate::store::StoreFuture;

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a call that count as one call more of those that may wait: 256 MiB for all of them.
const BYTES_A_PERMIT: usize = 26 << 10;

/// How often a transaction is tried.
const TRIES: u32 = 20;

/// A database, open: a pool of connections on a thread of its own.
///
/// Dropping the last reference closes it as [`Database::close`] does.
pub struct Database {
    pool: PgPool,
    connect: PgConnectOptions,
    handle: Handle,
    /// One for each call that may be under way or wait.
    room: Arc<Semaphore>,
    queue: u32,
    closed: AtomicBool,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// A write: what happens between BEGIN and COMMIT, any number of times.
pub(super) trait Transact: Send {
    /// What it answers.
    type Output: Send + 'static;

    /// Runs once.
    fn run(
        &mut self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// What it holds.
    fn bytes(&self) -> usize {
        0
    }

    /// It has been committed.
    fn committed(&self) {}
}

impl Database {
    /// Connects, and applies outstanding migrations. Blocks meanwhile.
    ///
    /// # Errors
    ///
    /// Where the server cannot be reached or refuses, and where the database's migrations are not
    /// those of the options.
    pub fn open(options: &Options) -> Result<Arc<Self>, OpenError> {
        let connect = connect_options(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| OpenError::Thread { source })?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (opened, open) = mpsc::channel();
        let (settings, target) = (options.clone(), connect.clone());
        let thread = std::thread::Builder::new()
            .name("prism-postgres".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let pool = prepare(&settings, target).await;
                    let is_open = pool.is_ok();
                    // Whoever waits for it has gone only where this process ends.
                    let _ = opened.send(pool);
                    if is_open {
                        let _ = stopped.await;
                    }
                });
            })
            .map_err(|source| OpenError::Thread { source })?;
        let pool = open.recv().map_err(|_| OpenError::Thread {
            source: std::io::Error::other("the store's thread has ended"),
        })??;
        let queue = u32::try_from(options.queue).unwrap_or(u32::MAX);
        Ok(Arc::new(Database {
            pool,
            connect,
            handle,
            room: Arc::new(Semaphore::new(options.queue)),
            queue,
            closed: AtomicBool::new(false),
            running: Mutex::new(Some(Running { stop, thread })),
        }))
    }

    /// Runs a read on the database's thread. It ends where nobody waits for it any more.
    pub(super) fn read<T, W>(&self, work: impl FnOnce(PgPool) -> W) -> StoreFuture<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let work = work(self.pool.clone());
        self.spawn(0, async move |answer: oneshot::Sender<Result<T>>| {
            let mut answer = answer;
            let result = tokio::select! {
                result = work => result,
                () = answer.closed() => return,
            };
            // The caller may have gone.
            let _ = answer.send(result);
        })
    }

    /// Runs a write as one transaction on the database's thread, until it commits or fails. One
    /// that nobody waits for before it has a connection is left out.
    pub(super) fn transact<W: Transact + 'static>(&self, mut work: W) -> StoreFuture<W::Output> {
        let pool = self.pool.clone();
        self.spawn(work.bytes(), async move |answer: oneshot::Sender<Result<W::Output>>| {
            let mut answer = answer;
            for attempt in 0.. {
                let connection = tokio::select! {
                    connection = pool.acquire() => connection,
                    () = answer.closed() => return,
                };
                let outcome = match connection {
                    Ok(mut connection) => transaction(&mut connection, &mut work).await,
                    Err(error) => Err(error.into()),
                };
                match outcome {
                    Err(Failure::Conflict) if attempt < TRIES => back_off(attempt).await,
                    outcome => {
                        // The caller may have gone.
                        let _ = answer.send(outcome.map_err(Failure::into_error));
                        return;
                    }
                }
            }
        })
    }

    fn spawn<T, F>(
        &self,
        bytes: usize,
        work: impl FnOnce(oneshot::Sender<Result<T>>) -> F,
    ) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let permit = match self.admit(bytes) {
            Ok(permit) => permit,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = oneshot::channel();
        let work = work(answer);
        self.handle.spawn(async move {
            work.await;
            drop(permit);
        });
        StoreFuture::pending(async move { outcome.await.unwrap_or_else(|_| Err(shutting_down())) })
    }

    /// Room for a call that holds so many bytes.
    pub(super) fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        if self.closed.load(Ordering::Acquire) {
            return Err(shutting_down());
        }
        let permits = u32::try_from(1 + bytes / BYTES_A_PERMIT).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| overloaded())
    }

    /// How to connect, for connections beside the pool's.
    pub(super) fn connect_options(&self) -> PgConnectOptions {
        self.connect.clone()
    }

    /// The connections of reads and transactions that share no statement.
    pub(super) fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// How many calls may wait.
    pub(super) fn queue(&self) -> usize {
        self.queue as usize
    }

    /// The database's thread.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the database: calls that are under way are answered, connections are closed. Blocks
    /// until then. Calls after it answer SHUTTING_DOWN.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, thread }) = running else { return };
        let (room, queue, pool) = (Arc::clone(&self.room), self.queue, self.pool.clone());
        self.handle.spawn(async move {
            // Every call gives its room back when it is answered; the semaphore is never closed.
            let _ = room.acquire_many(queue).await;
            pool.close().await;
            let _ = stop.send(());
        });
        // The last reference may be dropped by a call of its own.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread of the Postgres store panicked");
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

fn connect_options(options: &Options) -> Result<PgConnectOptions, OpenError> {
    let connect =
        PgConnectOptions::from_str(&options.url).map_err(|source| OpenError::Url { source })?;
    let timeout = options.statement_timeout.as_millis().to_string();
    Ok(connect.options([("statement_timeout", timeout)]).disable_statement_logging())
}

async fn prepare(options: &Options, connect: PgConnectOptions) -> Result<PgPool, OpenError> {
    let place = Place::of(&connect);
    let connecting = PgConnection::connect_with(&connect);
    let mut connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| place.timed_out())?
        .map_err(|error| place.connect_error(error))?;
    migrate::run(&mut connection, &place, &options.migrations, options.migrate).await?;
    connection.close().await.map_err(|error| place.postgres(error))?;
    Ok(PgPoolOptions::new()
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .connect_lazy_with(connect))
}

/// BEGIN … COMMIT, or ROLLBACK where the work fails.
pub(super) async fn transaction<W: Transact>(
    connection: &mut PgConnection,
    work: &mut W,
) -> Result<W::Output, Failure> {
    let mut transaction = connection.begin().await?;
    match work.run(&mut transaction).await {
        Ok(output) => {
            transaction.commit().await.map_err(Failure::of_commit)?;
            work.committed();
            Ok(output)
        }
        Err(failure) => {
            // The first error is the one to report; a lost connection has rolled back already.
            let _ = transaction.rollback().await;
            Err(failure)
        }
    }
}

/// A little longer each time, so that whoever is in the way can end.
async fn back_off(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(1 << attempt.min(6))).await;
}
