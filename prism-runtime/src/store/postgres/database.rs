//! A database, open.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use prism_migrate::Servers;
use prism_migrate::postgres::{Migrator, Settings};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, raw_sql};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::answer::Answered;
use super::connection::Connection;
use super::control::Control;
use super::error::{Failure, is_crowded, outcome_unknown, overloaded, shutting_down, unreachable};
use super::open_error::Place;
use super::pool::{Connector, Lease, Pool};
use super::{OpenError, Options};
use crate::Result;
use crate::memory::{hand_over, keep, within_future};
use crate::store::{Readiness, StoreFuture};

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
    pool: Arc<Pool>,
    connector: Arc<Connector>,
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

/// What happens on a connection, any number of times: a read, or what a write does between BEGIN
/// and COMMIT.
pub(super) trait Transact: Send {
    /// What it answers.
    type Output: Send + 'static;

    /// Runs once.
    fn run(
        &mut self,
        connection: &mut Connection,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// What it holds.
    fn bytes(&self) -> usize {
        0
    }

    /// A hash of what it locks, where others may lock the same for long: those that wait for it
    /// take a part of the connections at most.
    fn subject(&self) -> Option<u64> {
        None
    }

    /// Whether all statements of its transaction are to see the same moment.
    fn is_snapshot(&self) -> bool {
        false
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
        let servers = servers(options)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| OpenError::Thread { source })?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (opened, open) = mpsc::channel();
        let (settings, target) = (options.clone(), servers.clone());
        let thread = std::thread::Builder::new()
            .name("prism-postgres".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let prepared = prepare(&settings, &target).await;
                    let control = prepared.map(|()| Control::start(&settings.name, target));
                    let is_open = control.is_ok();
                    // Whoever waits for it has gone only where this process ends.
                    let _ = opened.send(control);
                    if is_open {
                        let _ = stopped.await;
                    }
                });
            })
            .map_err(|source| OpenError::Thread { source })?;
        let control = open.recv().map_err(|_| OpenError::Thread {
            source: std::io::Error::other("the store's thread has ended"),
        })??;
        let connector = Arc::new(Connector::new(&servers, options, control));
        let queue = u32::try_from(options.queue).unwrap_or(u32::MAX);
        Ok(Arc::new(Database {
            pool: Arc::new(Pool::new(Arc::clone(&connector), options)),
            connector,
            handle,
            room: Arc::new(Semaphore::new(options.queue)),
            queue,
            closed: AtomicBool::new(false),
            running: Mutex::new(Some(Running { stop, thread })),
        }))
    }

    /// Whether the server can be reached. Found out by calls that fail, and by probes: each second
    /// while it cannot be reached, each five seconds else.
    pub fn readiness(&self) -> Readiness {
        self.connector.control.readiness()
    }

    /// Runs a read on the database's thread. It is cancelled where nobody waits for it any more.
    pub(super) fn read<W: Transact + 'static>(&self, work: W) -> StoreFuture<W::Output> {
        self.run(work, Form::Read)
    }

    /// Runs a write as one transaction on the database's thread. It is cancelled, and rolled back,
    /// where nobody waits for it any more before it commits.
    pub(super) fn transact<W: Transact + 'static>(&self, work: W) -> StoreFuture<W::Output> {
        self.run(work, Form::Transaction)
    }

    fn run<W: Transact + 'static>(&self, mut work: W, form: Form) -> StoreFuture<W::Output> {
        let (pool, connector) = (Arc::clone(&self.pool), Arc::clone(&self.connector));
        self.spawn(work.bytes(), async move |answer: oneshot::Sender<Answered<W::Output>>| {
            let mut answer = answer;
            let turn = tokio::select! {
                turn = pool.turn(work.subject()) => turn,
                () = answer.closed() => return,
            };
            let _turn = match turn {
                Ok(turn) => turn,
                Err(error) => {
                    // The caller may have gone.
                    let _ = answer.send((Err(error.into()), hand_over()));
                    return;
                }
            };
            for attempt in 0.. {
                let lease = tokio::select! {
                    lease = pool.acquire() => lease,
                    () = answer.closed() => return,
                };
                let tried = match lease {
                    Ok(lease) => {
                        let run = Attempt { pool: &pool, connector: &connector, lease, form };
                        run.run(&mut work, answer.closed()).await
                    }
                    Err(error) => Tried::Done(Err(error.into())),
                };
                match tried {
                    Tried::Stale => {}
                    Tried::Done(Err(Failure::Conflict)) if attempt < TRIES => {
                        back_off(attempt).await;
                    }
                    Tried::Done(outcome) => {
                        // The caller may have gone.
                        let _ = answer.send((outcome.map_err(Failure::into_error), hand_over()));
                        return;
                    }
                }
            }
        })
    }

    fn spawn<T, F>(
        &self,
        bytes: usize,
        work: impl FnOnce(oneshot::Sender<Answered<T>>) -> F,
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
        let mut share = hand_over();
        self.handle.spawn(async move {
            within_future(&mut share, work).await;
            drop(permit);
        });
        StoreFuture::pending(async move {
            let (result, held) = outcome.await.unwrap_or_else(|_| (Err(shutting_down()), None));
            keep(held);
            result
        })
    }

    /// Room for a call that holds so many bytes.
    pub(super) fn admit(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        if self.closed.load(Ordering::Acquire) {
            return Err(shutting_down());
        }
        if !self.connector.control.is_reachable() {
            return Err(unreachable());
        }
        let permits = u32::try_from(1 + bytes / BYTES_A_PERMIT).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| overloaded())
    }

    /// Blocks until there is an answer.
    pub(super) fn wait<T: Unpin + Send + 'static>(&self, answer: StoreFuture<T>) -> Result<T> {
        let (sender, receiver) = mpsc::channel();
        self.handle.spawn(async move {
            // Whoever waits for it has gone only where this process ends.
            let _ = sender.send(answer.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(shutting_down()))
    }

    /// What makes connections beside the pool's.
    pub(super) fn connector(&self) -> Arc<Connector> {
        Arc::clone(&self.connector)
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
        let (room, queue, pool) = (Arc::clone(&self.room), self.queue, Arc::clone(&self.pool));
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

#[derive(Clone, Copy, Debug)]
enum Form {
    Read,
    Transaction,
}

/// One attempt at a piece of work.
struct Attempt<'a> {
    pool: &'a Arc<Pool>,
    connector: &'a Connector,
    lease: Lease,
    form: Form,
}

/// What came of it.
enum Tried<T> {
    Done(Result<T, Failure>),
    /// The connection had died while it rested: nothing was written.
    Stale,
}

impl Attempt<'_> {
    async fn run<W: Transact>(
        mut self,
        work: &mut W,
        given_up: impl Future<Output = ()>,
    ) -> Tried<W::Output> {
        let connection = &mut self.lease.connection;
        let activity = connection.activity();
        let ended = match self.form {
            Form::Read if connection.prepares() => {
                let work = work.run(connection);
                self.connector.control.watch(&activity, work, given_up).await
            }
            _ => {
                let work = transaction(connection, work);
                self.connector.control.watch(&activity, work, given_up).await
            }
        };
        let Some(outcome) = ended else {
            let error =
                if activity.may_have_committed() { outcome_unknown(LOST) } else { unreachable() };
            return Tried::Done(Err(error.into()));
        };
        if self.lease.connection.is_broken() {
            self.connector.control.given_up(&self.lease.connection);
            self.connector.control.suspect();
            self.pool.forget();
            if self.lease.reused && matches!(outcome, Err(Failure::Database(_))) {
                return Tried::Stale;
            }
        } else if self.lease.connection.is_settled() {
            self.pool.release(self.lease).await;
        } else {
            // The caller need not wait for what the server has still to say.
            let (pool, lease) = (Arc::clone(self.pool), self.lease);
            tokio::spawn(async move { pool.release(lease).await });
        }
        Tried::Done(outcome)
    }
}

/// The cause of an error that no error of sqlx stands behind.
pub(super) const LOST: &str = "the server was lost while it committed";

fn servers(options: &Options) -> Result<Servers, OpenError> {
    match prism_migrate::Place::parse_url(&options.url) {
        Ok(prism_migrate::Place::Postgres(servers)) => {
            Ok(servers.map(|connect| prepared_as(connect, options)))
        }
        Ok(prism_migrate::Place::Sqlite(_)) => {
            Err(OpenError::Url { source: prism_migrate::PlaceError::NoUrl })
        }
        Err(source) => Err(OpenError::Url { source }),
    }
}

fn prepared_as(connect: PgConnectOptions, options: &Options) -> PgConnectOptions {
    // By it a migration knows that servers are connected.
    let name = match connect.get_application_name() {
        None => "prism proxy".to_owned(),
        Some(name) => format!("prism proxy {name}"),
    };
    let connect = connect.application_name(&name).disable_statement_logging();
    match options.prepared_statements {
        true => connect.options(super::session::SETTINGS),
        // Poolers know few settings that come with a connection.
        false => connect.extra_float_digits(None),
    }
}

async fn prepare(options: &Options, servers: &Servers) -> Result<(), OpenError> {
    let place = Place::of(servers);
    let timeout = options.statement_timeout.as_millis().to_string();
    let limited = servers.map(|connect| match options.prepared_statements {
        true => connect.options([("statement_timeout", &timeout)]),
        false => connect,
    });
    let connecting = limited.connect(CONNECT_TIMEOUT);
    let mut connection = connecting.await.map_err(|error| place.connect_error(error))?;
    super::session::check(&mut connection, &place).await?;
    if options.prepared_statements {
        check_sessions(&mut connection, &limited, &place).await?;
        migrate(&mut connection, &place, options, options.migrate).await?;
    } else {
        compare(&mut connection, &place, options).await?;
    }
    connection.close().await.map_err(|error| place.postgres(error))
}

/// Refuses a pooler in transaction mode, which hands one session's prepared statements to another,
/// before it mixes any up. It gives the session that rests to whoever comes next.
async fn check_sessions(
    connection: &mut PgConnection,
    servers: &Servers,
    place: &Place,
) -> Result<(), OpenError> {
    let failed = |error| place.statement_error(error);
    sqlx::query("SELECT 1").execute(connection).await.map_err(failed)?;
    let mut other = match servers.connect(CONNECT_TIMEOUT).await {
        Ok(other) => other,
        // That is found out another time.
        Err(error) if is_crowded(&error) => return Ok(()),
        Err(error) => return Err(place.connect_error(error)),
    };
    sqlx::query("SELECT 2").execute(&mut other).await.map_err(failed)?;
    other.close().await.map_err(|error| place.postgres(error))
}

/// Compares the database behind a pooler with the schema. All of it happens in one transaction, so
/// that it stays on one session, which is left as it was found.
async fn compare(
    connection: &mut PgConnection,
    place: &Place,
    options: &Options,
) -> Result<(), OpenError> {
    let failed = |error| place.postgres(error);
    // Others may have left statements of the same names.
    let begin = raw_sql("BEGIN; DEALLOCATE ALL");
    begin.execute(&mut *connection).await.map_err(failed)?;
    let compared = migrate(connection, place, options, false).await;
    connection.clear_cached_statements().await.map_err(failed)?;
    raw_sql("ROLLBACK").execute(connection).await.map_err(failed)?;
    match compared {
        Err(OpenError::Migration(prism_migrate::Error::Behind { database, first, count }))
            if options.migrate =>
        {
            Err(OpenError::BehindPooler { database, first, count })
        }
        compared => compared,
    }
}

/// Compares the database with the schema, once outstanding migrations are applied where they are to
/// be.
async fn migrate(
    connection: &mut PgConnection,
    place: &Place,
    options: &Options,
    apply: bool,
) -> Result<(), OpenError> {
    let database = place.database();
    let migrator = Migrator {
        database: &database,
        migrations: &options.migrations,
        settings: Settings::default(),
    };
    let prepared = migrator.prepare(connection, &options.entities, apply).await;
    prepared.map_err(|error| place.migration(error))
}

/// BEGIN … COMMIT, or ROLLBACK where the work fails.
pub(super) async fn transaction<W: Transact>(
    connection: &mut Connection,
    work: &mut W,
) -> Result<W::Output, Failure> {
    let mut transaction = match work.is_snapshot() {
        true => connection.begin_snapshot().await?,
        false => connection.begin().await?,
    };
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
