//! Connections that calls share in turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prism_migrate::Servers;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Options;
use super::connection::{Activity, Connection, Use};
use super::control::Control;
use super::error::is_crowded;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// A connection that has rested longer is tried before it is used: what is between may have
/// forgotten it.
const RESTED: Duration = Duration::from_secs(30);
/// How long such a try, and the clearing of a connection, may take.
const SETTLE: Duration = Duration::from_secs(2);
/// A connection is replaced when it is older, so that no session grows for ever, and a server
/// that has moved is found.
const OLD: Duration = Duration::from_secs(30 * 60);
/// Pause before the next try where the server has too many connections.
const CROWDED: Duration = Duration::from_millis(50);
/// How long a statement waits for a lock that gives way to others meanwhile.
const BRIEF_LOCK: Duration = Duration::from_millis(500);

/// How the statements of flights are planned: once and for all, since the values of a flight say
/// nothing about the next one's, and planning again for each of them costs more than it saves. So
/// the plan is the one that is right for a table that grows: every row by the index of its key,
/// also where the table is empty, or was when it was analyzed last.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// What makes connections.
#[derive(Debug)]
pub(super) struct Connector {
    calls: Target,
    flights: Target,
    brief_flights: Target,
    prepares: bool,
    pub(super) control: Control,
}

/// How long the statements of a flight wait for locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as a statement may run.
    Long,
    /// For a moment: the others of the flight wait with it.
    Brief,
}

#[derive(Debug)]
struct Target {
    servers: Servers,
    begin: Arc<str>,
}

impl Connector {
    pub(super) fn new(servers: &Servers, options: &Options, control: Control) -> Self {
        let millis = options.statement_timeout.as_millis().to_string();
        // A proxy that vanishes leaves no locks behind for longer than a statement may take.
        let limits = [
            ("statement_timeout", millis.clone()),
            ("idle_in_transaction_session_timeout", millis),
        ];
        let brief = [("lock_timeout", BRIEF_LOCK.as_millis().to_string())];
        let plans = PLANS.map(|(name, value)| (name, value.to_owned()));
        let prepares = options.prepared_statements;
        let target = |settings: &[(&str, String)]| Target::new(servers, settings, prepares);
        Connector {
            calls: target(&limits),
            flights: target(&[&limits[..], &plans].concat()),
            brief_flights: target(&[&limits[..], &brief, &plans].concat()),
            prepares,
            control,
        }
    }

    /// A connection for the flights of a lane.
    pub(super) async fn connect_lane(&self, patience: Patience) -> sqlx::Result<Connection> {
        let target = match patience {
            Patience::Long => &self.flights,
            Patience::Brief => &self.brief_flights,
        };
        self.connect(target).await
    }

    async fn connect(&self, target: &Target) -> sqlx::Result<Connection> {
        if !self.control.is_reachable() {
            return Err(unreachable());
        }
        let usage = Use {
            begin: Arc::clone(&target.begin),
            prepares: self.prepares,
            outages: self.control.outages(),
            heard: self.control.heard(),
        };
        let connecting = async {
            let first = self.control.server();
            let (connection, server) = target.servers.connect_from(first, CONNECT).await?;
            self.control.found(server);
            Connection::new(connection, usage).await
        };
        let limited = timeout(target.servers.at_most(CONNECT), connecting);
        let activity = Activity::default();
        let watched = self.control.watch(&activity, limited, std::future::pending());
        let Some(Ok(connection)) = watched.await else { return Err(unreachable()) };
        connection.inspect_err(|error| {
            if !is_crowded(error) {
                self.control.suspect();
            }
        })
    }

    /// A connection that has rested, where it can be used again.
    pub(super) async fn revive(&self, mut connection: Connection) -> Option<Connection> {
        let is_old = connection.age() > OLD || connection.outages() != self.control.outages();
        if connection.is_broken() || is_old {
            self.control.given_up(&connection);
            return None;
        }
        if connection.is_settled() && connection.rested() < RESTED {
            return Some(connection);
        }
        let settled = timeout(SETTLE, connection.settle()).await;
        matches!(settled, Ok(Ok(()))).then_some(connection)
    }
}

impl Target {
    /// Settings go with the connection, or, where a pooler would refuse that, with each
    /// transaction.
    fn new(servers: &Servers, settings: &[(&str, String)], prepares: bool) -> Self {
        if prepares {
            let options = || settings.iter().map(|(name, value)| (*name, value));
            let servers = servers.map(|connect| connect.options(options()));
            return Target { servers, begin: "BEGIN".into() };
        }
        let set = settings.iter().map(|(name, value)| format!("SET LOCAL {name} = {value}"));
        let set: Vec<String> = set.collect();
        let begin = format!("BEGIN; {}; SELECT pg_backend_pid()", set.join("; "));
        Target { servers: servers.clone(), begin: begin.into() }
    }
}

fn unreachable() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Connections, up to a number of them.
pub(super) struct Pool {
    connector: Arc<Connector>,
    permits: Arc<Semaphore>,
    resting: Mutex<Vec<Connection>>,
    timeout: Duration,
    /// Connections for transactions on one subject, by its hash.
    turns: Mutex<HashMap<u64, Weak<Semaphore>>>,
    most_turns: usize,
}

/// The part of the connections that transactions on one subject take at most: while one of them
/// holds a lock that the others wait for, the rest is there for other calls.
const SUBJECT_PART: u32 = 4;

/// Number of subjects from which on those without a waiting caller are forgotten.
const MANY_SUBJECTS: usize = 1024;

/// A connection of the pool, in use. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) connection: Connection,
    /// Whether it was used before.
    pub(super) reused: bool,
    permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, options: &Options) -> Self {
        Pool {
            connector,
            permits: Arc::new(Semaphore::new(options.max_connections as usize)),
            resting: Mutex::default(),
            timeout: options.acquire_timeout,
            turns: Mutex::default(),
            most_turns: options.max_connections.div_ceil(SUBJECT_PART) as usize,
        }
    }

    /// Waits for a turn of a transaction on a subject, as long as for a connection.
    pub(super) async fn turn(
        &self,
        subject: Option<u64>,
    ) -> sqlx::Result<Option<OwnedSemaphorePermit>> {
        let Some(subject) = subject else { return Ok(None) };
        let turn = timeout(self.timeout, self.turns_of(subject).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?;
        turn.map(Some).map_err(|_| sqlx::Error::PoolClosed)
    }

    fn turns_of(&self, subject: u64) -> Arc<Semaphore> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= MANY_SUBJECTS {
            turns.retain(|_, turns| turns.strong_count() > 0);
        }
        let known = turns.entry(subject).or_default();
        known.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(self.most_turns));
            *known = Arc::downgrade(&new);
            new
        })
    }

    /// A connection, for which it waits as long as a call may.
    pub(super) async fn acquire(&self) -> sqlx::Result<Lease> {
        let end = Instant::now() + self.timeout;
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => tokio::select! {
                permit = timeout_at(end, Arc::clone(&self.permits).acquire_owned()) => {
                    permit.map_err(|_| sqlx::Error::PoolTimedOut)?
                        .map_err(|_| sqlx::Error::PoolClosed)?
                }
                () = self.connector.control.lost() => return Err(unreachable()),
            },
        };
        loop {
            while let Some(rested) = self.take() {
                if let Some(connection) = self.connector.revive(rested).await {
                    return Ok(Lease { connection, reused: true, permit });
                }
            }
            match self.connector.connect(&self.connector.calls).await {
                Ok(connection) => return Ok(Lease { connection, reused: false, permit }),
                Err(error) if is_crowded(&error) && Instant::now() + CROWDED < end => {
                    sleep(CROWDED).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Gives a connection back. One that has not been answered is first cleared, or closed.
    pub(super) async fn release(&self, lease: Lease) {
        let Lease { mut connection, permit, .. } = lease;
        let settled = connection.is_settled()
            || (!connection.is_broken()
                && matches!(timeout(SETTLE, connection.settle()).await, Ok(Ok(()))));
        if settled {
            connection.rest();
            self.resting.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        drop(permit);
    }

    /// Closes the connections that rest: one of them has turned out to be dead.
    pub(super) fn forget(&self) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes leave of the server.
    pub(super) async fn close(&self) {
        while let Some(connection) = self.take() {
            // Closed either way.
            let _ = timeout(SETTLE, connection.close()).await;
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
