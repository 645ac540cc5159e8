//! Whether the server can be reached, and the end of statements that nobody waits for.
//!
//! A connection beside all others carries both: probes, and `pg_cancel_backend`. While the server
//! cannot be reached, calls fail at once, and nobody but the probe tries to connect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt as _;
use prism_migrate::Servers;
use prism_migrate::postgres::is_read_only;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Activity, Connection, keep_alive};
use super::error::{breaks_connection, is_crowded, says_read_only};
use crate::store::Readiness;

/// Time between two probes of a server that nothing is said against.
const IDLE: Duration = Duration::from_secs(5);
/// Time between two probes of a server that cannot be reached.
const OUTAGE: Duration = Duration::from_secs(1);
/// How long a probe's statement may take before its connection is given up.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the probe's connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// From then on, work that takes long makes the server suspect.
const SLOW: Duration = Duration::from_secs(1);
/// How long cancelled work may take to end before its connection is given up.
const END: Duration = Duration::from_secs(2);
/// Time between two cancellations of the same work, which may have begun another statement.
const AGAIN: Duration = Duration::from_millis(250);

/// Requests that may wait.
const QUEUE: usize = 1024;

/// What all connections of a database share.
#[derive(Clone, Debug)]
pub(super) struct Control {
    state: Arc<State>,
    requests: Sender<Request>,
}

#[derive(Debug)]
struct State {
    /// The backend's, for the log.
    name: String,
    reachable: watch::Sender<bool>,
    outages: AtomicU64,
    /// Counts answers of the server on all connections.
    heard: Arc<AtomicU64>,
    /// Number of the server that was connected to last.
    server: AtomicUsize,
}

#[derive(Debug)]
enum Request {
    /// Something took long, or failed.
    Suspect,
    /// Cancels what a process of the server runs.
    Cancel(i32, oneshot::Sender<()>),
}

impl Control {
    /// Starts it on the runtime that this is called on. It ends with the last clone.
    pub(super) fn start(name: &str, servers: Servers) -> Self {
        let (requests, waiting) = channel(QUEUE);
        let state = Arc::new(State {
            name: name.to_owned(),
            reachable: watch::Sender::new(true),
            outages: AtomicU64::new(0),
            heard: Arc::default(),
            server: AtomicUsize::new(0),
        });
        let probe = Probe { servers, connection: None, state: Arc::clone(&state), waiting };
        tokio::spawn(probe.run());
        Control { state, requests }
    }

    /// The backend's name, for the log.
    pub(super) fn name(&self) -> &str {
        &self.state.name
    }

    pub(super) fn is_reachable(&self) -> bool {
        *self.state.reachable.borrow()
    }

    /// How often the server was found out of reach. Connections from before the last time are not
    /// used any more.
    pub(super) fn outages(&self) -> u64 {
        self.state.outages.load(Ordering::Acquire)
    }

    /// A connection was given up. Where it cannot write any more, the server has become a standby:
    /// no connection that was made before is used again.
    pub(super) fn given_up(&self, connection: &Connection) {
        if connection.is_read_only() {
            let seen = connection.outages();
            // Where it fails, another one has said so before.
            let _ = self.state.outages.compare_exchange(
                seen,
                seen + 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
        }
    }

    /// The server to try first.
    pub(super) fn server(&self) -> usize {
        self.state.server.load(Ordering::Relaxed)
    }

    /// A server will do.
    pub(super) fn found(&self, server: usize) {
        self.state.server.store(server, Ordering::Relaxed);
    }

    /// Counts answers.
    pub(super) fn heard(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.state.heard)
    }

    pub(super) fn readiness(&self) -> Readiness {
        Readiness::new(self.state.reachable.subscribe())
    }

    /// Has the server probed.
    pub(super) fn suspect(&self) {
        // Where the queue is full, it is being probed.
        let _ = self.requests.try_send(Request::Suspect);
    }

    /// Done when the server is out of reach.
    pub(super) async fn lost(&self) {
        let mut reachable = self.state.reachable.subscribe();
        // The sender lives as long as this.
        let _ = reachable.wait_for(|reachable| !reachable).await;
    }

    /// Runs work on a connection until it is done. Once nobody waits for it any more, it is
    /// cancelled on the server, and its end awaited. `None` where it does not end in time, or the
    /// server is lost meanwhile: the connection is of no use then.
    pub(super) async fn watch<T>(
        &self,
        activity: &Activity,
        work: impl Future<Output = T>,
        given_up: impl Future<Output = ()>,
    ) -> Option<T> {
        let mut work = std::pin::pin!(work);
        let mut given_up = std::pin::pin!(given_up);
        let mut lost = std::pin::pin!(self.lost());
        let mut slow = std::pin::pin!(sleep(SLOW));
        let mut is_slow = false;
        loop {
            tokio::select! {
                biased;
                result = &mut work => return Some(result),
                () = &mut lost => return None,
                () = &mut given_up => break,
                () = &mut slow, if !is_slow => {
                    is_slow = true;
                    self.suspect();
                }
            }
        }
        let cancelled = self.cancel(activity, work);
        tokio::select! {
            result = timeout(END, cancelled) => result.ok(),
            () = lost => None,
        }
    }

    /// Has the server stop a statement when the rest of its rows is not wanted. The connection is
    /// to be settled after it.
    pub(super) async fn stop<T>(
        &self,
        activity: &Activity,
        mut rows: impl Stream<Item = sqlx::Result<T>> + Unpin,
    ) {
        // It ends with its last row, or with the error that it was cancelled.
        let rest = std::pin::pin!(async { while let Some(Ok(_)) = rows.next().await {} });
        self.cancel(activity, rest).await;
    }

    /// Cancels work until it ends. The connection is left when no cancellation is under way any
    /// more, so that none hits what comes after.
    async fn cancel<T>(&self, activity: &Activity, mut work: impl Future<Output = T> + Unpin) -> T {
        activity.disturb();
        let mut result = None;
        loop {
            let (done, sent) = oneshot::channel();
            // Where the queue is full, it is asked for again.
            let _ = self.requests.try_send(Request::Cancel(activity.process(), done));
            let mut sent = std::pin::pin!(async {
                let _ = sent.await;
            });
            let mut again = std::pin::pin!(sleep(AGAIN));
            let (mut is_sent, mut is_over) = (false, false);
            while !(is_sent && (is_over || result.is_some())) {
                tokio::select! {
                    biased;
                    ended = &mut work, if result.is_none() => result = Some(ended),
                    () = &mut sent, if !is_sent => is_sent = true,
                    () = &mut again, if !is_over => is_over = true,
                }
            }
            if let Some(result) = result {
                activity.disturb();
                return result;
            }
        }
    }
}

struct Probe {
    servers: Servers,
    connection: Option<PgConnection>,
    state: Arc<State>,
    waiting: Receiver<Request>,
}

impl Probe {
    async fn run(mut self) {
        let mut pause = Duration::ZERO;
        loop {
            let mut requests = Vec::new();
            match timeout(pause, self.waiting.recv()).await {
                Ok(None) => return,
                Ok(Some(request)) => requests.push(request),
                Err(_) => {}
            }
            while let Ok(request) = self.waiting.try_recv() {
                requests.push(request);
            }
            let processes = requests.iter().filter_map(|request| match request {
                Request::Cancel(process, _) if *process != 0 => Some(process.to_string()),
                _ => None,
            });
            let processes: Vec<String> = processes.collect();
            let checked = self.check(&processes).await;
            let reachable = checked.is_ok();
            self.report(checked);
            for request in requests {
                if let Request::Cancel(_, done) = request {
                    // The work may have ended by itself.
                    let _ = done.send(());
                }
            }
            pause = if reachable { IDLE } else { OUTAGE };
            if !reachable {
                // Nothing is worth a try before.
                self.rest(&mut pause).await;
            }
        }
    }

    /// Waits for the next try, unless the database ends.
    async fn rest(&mut self, pause: &mut Duration) {
        let end = Instant::now() + *pause;
        while let Ok(Some(_)) = tokio::time::timeout_at(end, self.waiting.recv()).await {}
        *pause = Duration::ZERO;
    }

    /// Tells everybody what has been found out.
    fn report(&self, checked: Result<(), String>) {
        let reachable = checked.is_ok();
        let changed = *self.state.reachable.borrow() != reachable;
        if !changed {
            return;
        }
        let backend = self.state.name.as_str();
        match checked {
            Ok(()) => tracing::info!(backend, "the Postgres server can be reached again"),
            Err(cause) => {
                self.state.outages.fetch_add(1, Ordering::AcqRel);
                tracing::error!(backend, %cause, "the Postgres server cannot be reached");
            }
        }
        self.state.reachable.send_replace(reachable);
    }

    /// Cancels what these processes run, which is a probe, too, and asks whether the server takes
    /// writes. Fails where it does not, or cannot be reached.
    async fn check(&mut self, processes: &[String]) -> Result<(), String> {
        let cancel: Vec<String> = processes
            .iter()
            .map(|process| format!("SELECT pg_cancel_backend({process})"))
            .collect();
        let cancel = cancel.join(";");
        let heard = self.state.heard.load(Ordering::Relaxed);
        let mut is_standby = false;
        if let Some(mut connection) = self.connection.take() {
            match self.ask(&mut connection, &cancel).await {
                Some(Session::Fit) => {
                    self.connection = Some(connection);
                    return Ok(());
                }
                Some(Session::ReadOnly) => {
                    // Others that were made when it was are on the same server.
                    self.state.outages.fetch_add(1, Ordering::AcqRel);
                    is_standby = true;
                }
                None => {}
            }
        }
        let cause = match timeout(self.servers.at_most(CONNECT), self.connect()).await {
            Ok(Ok(mut connection)) => {
                // On another server these numbers are of other processes.
                let cancel = if is_standby { "" } else { &cancel };
                if self.ask(&mut connection, cancel).await.is_some() {
                    self.connection = Some(connection);
                    return Ok(());
                }
                "it takes connections, but does not answer".to_owned()
            }
            Ok(Err(error)) if says_read_only(&error) => return Err(error.to_string()),
            Ok(Err(error)) if is_crowded(&error) && !is_standby => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        // Too slow for a new connection is not out of reach.
        let is_heard = self.state.heard.load(Ordering::Relaxed) != heard;
        if is_heard && !is_standby { Ok(()) } else { Err(cause) }
    }

    /// A connection to a server that takes writes.
    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let first = self.state.server.load(Ordering::Relaxed);
        let (mut connection, server) = self.servers.connect_from(first, CONNECT).await?;
        self.state.server.store(server, Ordering::Relaxed);
        keep_alive(&mut connection).await?;
        Ok(connection)
    }

    /// Runs SQL, and looks what the session can do. `None` where there is no answer in time; an
    /// error is one, since a server without a function answers too.
    async fn ask(&self, connection: &mut PgConnection, sql: &str) -> Option<Session> {
        let asking = async {
            if !sql.is_empty() {
                let ran = sqlx::Executor::execute(&mut *connection, raw_sql(AssertSqlSafe(sql)));
                if let Err(error) = ran.await
                    && breaks_connection(&error)
                {
                    return Err(error);
                }
            }
            is_read_only(connection).await
        };
        match timeout(ANSWER, asking).await {
            Ok(Ok(true)) if self.servers.writable => Some(Session::ReadOnly),
            Ok(Ok(_)) => Some(Session::Fit),
            _ => None,
        }
    }
}

/// What the session of a probe can do.
enum Session {
    /// All that is needed.
    Fit,
    /// It cannot write.
    ReadOnly,
}
