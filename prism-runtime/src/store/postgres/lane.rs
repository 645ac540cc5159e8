//! Jobs that come together share a statement.
//!
//! A lane has a connection of its own. It takes the first job, lets whatever else is ready come,
//! and sends all of them off as one flight; what comes meanwhile is the next one. There is no
//! timer: a job that comes alone flies alone, at once.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::database::Database;
use super::error::{breaks_connection, of_all, overloaded, shutting_down};
use crate::Error;

/// Jobs of a flight at most, and the bytes from which on it takes no more.
const MAX_JOBS: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// How long a lane tries to connect before it fails its jobs.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where jobs are handed in.
#[derive(Debug)]
pub(super) struct Lane<J>(Sender<J>);

/// A job in a lane.
pub(super) trait Job: Send + 'static {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// What it holds.
    fn bytes(&self) -> usize;

    /// Answers with an error.
    fn fail(self, error: Error);
}

/// What a lane does with its jobs.
pub(super) trait Flight: Send + 'static {
    /// What it flies.
    type Job: Job;

    /// Takes jobs out of the list and answers them. What is left in it where the connection fails
    /// has written nothing.
    fn fly(
        &mut self,
        connection: &mut PgConnection,
        jobs: &mut Vec<Self::Job>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl<J: Job> Lane<J> {
    /// Starts a lane on the database's thread; it ends with this.
    pub(super) fn start(database: &Database, flight: impl Flight<Job = J>) -> Self {
        let (sender, jobs) = channel(database.queue());
        let lane = Running { flight, connect: database.connect_options(), connection: None };
        database.handle().spawn(lane.run(jobs));
        Lane(sender)
    }

    /// Hands in a job.
    pub(super) fn send(&self, job: J) {
        match self.0.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job)) => job.fail(overloaded()),
            Err(TrySendError::Closed(job)) => job.fail(shutting_down()),
        }
    }
}

struct Running<F> {
    flight: F,
    connect: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl<F: Flight> Running<F> {
    async fn run(mut self, mut waiting: Receiver<F::Job>) {
        let mut jobs = Vec::with_capacity(MAX_JOBS);
        while let Some(first) = waiting.recv().await {
            let mut bytes = first.bytes();
            jobs.push(first);
            tokio::task::yield_now().await;
            while jobs.len() < MAX_JOBS && bytes < MAX_BYTES {
                let Ok(job) = waiting.try_recv() else { break };
                bytes += job.bytes();
                jobs.push(job);
            }
            jobs.retain(|job| !job.is_abandoned());
            self.fly(&mut jobs).await;
        }
    }

    /// Flies until every job is answered. A connection that turns out to be stale is replaced.
    async fn fly(&mut self, jobs: &mut Vec<F::Job>) {
        let mut was_open = self.connection.is_some();
        while !jobs.is_empty() {
            let Err(error) = self.try_fly(jobs).await else { continue };
            if breaks_connection(&error) {
                self.connection = None;
                if std::mem::take(&mut was_open) {
                    continue;
                }
            }
            tracing::warn!(%error, "calls to Postgres failed");
            jobs.drain(..).for_each(|job| job.fail(of_all(&error)));
        }
    }

    async fn try_fly(&mut self, jobs: &mut Vec<F::Job>) -> sqlx::Result<()> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.connect).await?),
        };
        self.flight.fly(connection, jobs).await
    }
}

/// Settings of a lane's session. Plans are made once and for all: the values of a flight say
/// nothing about the next one's, and planning again for each of them costs more than it saves. So
/// the plan is the one that is right for a table that grows: every row by the index of its key,
/// also where the table is empty, or was when it was analyzed last.
const SETTINGS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = options.clone().options(SETTINGS);
    tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options))
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}
