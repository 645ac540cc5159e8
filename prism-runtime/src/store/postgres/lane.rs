//! Jobs that come together share a statement.
//!
//! A lane has a connection of its own. It takes the first job, lets whatever else is ready come,
//! and sends all of them off as one flight; what comes meanwhile is the next one. There is no
//! timer: a job that comes alone flies alone, at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep, timeout};

use super::answer::Caller;
use super::connection::Connection;
use super::database::{Database, LOST};
use super::error::{
    breaks_connection, of_all, outcome_unknown, overloaded, shutting_down, unreachable,
};
use super::pool::{Connector, Patience};
use crate::Error;

/// Jobs of a flight at most, and the bytes from which on it takes no more.
pub(super) const MAX_JOBS: usize = 256;
const MAX_BYTES: usize = 4 << 20;

/// Bytes of the rows that a flight reads at a time, and of what it makes of them.
pub(super) const FLIGHT_BYTES: usize = 16 << 20;

/// How long a lane waits for new jobs when a flight could do nothing for those that it has.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a flight is looked at, whether anybody still waits for it.
const LOOK: Duration = Duration::from_millis(25);

/// Where jobs are handed in.
#[derive(Debug)]
pub(super) struct Lane<J>(Sender<J>);

/// A job in a lane.
pub(super) trait Job: Send + 'static {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// Whoever waits for the answer. A flight is cancelled when nobody waits for any of its jobs;
    /// one with a job that does not say is not.
    fn caller(&self) -> Option<Caller> {
        None
    }

    /// What it holds.
    fn bytes(&self) -> usize;

    /// Whether a flight has set it back, so that others go first. It does not count for how many
    /// jobs a flight takes.
    fn is_set_back(&self) -> bool {
        false
    }

    /// Answers with an error.
    fn fail(self, error: Error);
}

/// What a lane does with its jobs.
pub(super) trait Flight: Send + 'static {
    /// What it flies.
    type Job: Job;

    /// How long its statements wait for locks. Those that only read meet none but a migration's.
    const PATIENCE: Patience = Patience::Brief;

    /// Takes jobs out of the list and answers them. What is left in it has written nothing; it
    /// flies again, with what has come meanwhile: after a pause, if none was answered.
    fn fly(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Self::Job>,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;
}

impl<J: Job> Lane<J> {
    /// Starts a lane on the database's thread; it ends with this.
    pub(super) fn start(database: &Database, flight: impl Flight<Job = J>) -> Self {
        let (sender, jobs) = channel(database.queue());
        let lane = Running { flight, connector: database.connector(), connection: None };
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

/// Takes what is ready, up to what a flight takes.
fn take_more<J: Job>(jobs: &mut Vec<J>, waiting: &mut Receiver<J>) {
    let counted = || jobs.iter().filter(|job| !job.is_set_back());
    let mut count = counted().count();
    let mut bytes: usize = counted().map(Job::bytes).sum();
    while count < MAX_JOBS && bytes < MAX_BYTES {
        let Ok(job) = waiting.try_recv() else { break };
        (count, bytes) = (count + 1, bytes + job.bytes());
        jobs.push(job);
    }
}

struct Running<F> {
    flight: F,
    connector: Arc<Connector>,
    connection: Option<Connection>,
}

impl<F: Flight> Running<F> {
    async fn run(mut self, mut waiting: Receiver<F::Job>) {
        let mut jobs = Vec::with_capacity(MAX_JOBS);
        loop {
            if jobs.is_empty() {
                let Some(first) = waiting.recv().await else { return };
                jobs.push(first);
                tokio::task::yield_now().await;
            }
            take_more(&mut jobs, &mut waiting);
            jobs.retain(|job| !job.is_abandoned());
            let before = jobs.len();
            self.fly(&mut jobs).await;
            let waits = jobs.len() == before && jobs.iter().all(Job::is_set_back);
            if waits && !jobs.is_empty() {
                match timeout(PAUSE, waiting.recv()).await {
                    Ok(Some(job)) => jobs.push(job),
                    Ok(None) => sleep(PAUSE).await,
                    Err(_) => {}
                }
            }
        }
    }

    /// Flies. A connection that turns out to be stale is replaced.
    async fn fly(&mut self, jobs: &mut Vec<F::Job>) {
        let mut was_open = self.connection.is_some();
        while !jobs.is_empty() {
            match self.try_fly(jobs).await {
                Ok(()) => return,
                Err(Grounded::Lost { may_have_committed }) => {
                    self.connection = None;
                    let error =
                        || if may_have_committed { outcome_unknown(LOST) } else { unreachable() };
                    jobs.drain(..).for_each(|job| job.fail(error()));
                }
                Err(Grounded::Failed(error)) => {
                    if breaks_connection(&error) {
                        if let Some(broken) = self.connection.take() {
                            self.connector.control.given_up(&broken);
                        }
                        self.connector.control.suspect();
                        if std::mem::take(&mut was_open) {
                            continue;
                        }
                    }
                    let backend = self.connector.control.name();
                    tracing::warn!(backend, %error, "calls to Postgres failed");
                    jobs.drain(..).for_each(|job| job.fail(of_all(&error)));
                }
            }
        }
    }

    async fn try_fly(&mut self, jobs: &mut Vec<F::Job>) -> Result<(), Grounded> {
        let revived = match self.connection.take() {
            Some(rested) => self.connector.revive(rested).await,
            None => None,
        };
        let mut connection = match revived {
            Some(connection) => connection,
            None => self.connector.connect_lane(F::PATIENCE).await?,
        };
        let activity = connection.activity();
        let callers: Option<Vec<Caller>> = jobs.iter().map(Job::caller).collect();
        let flying = self.flight.fly(&mut connection, jobs);
        let flown = self.connector.control.watch(&activity, flying, all_gone(callers)).await;
        let Some(flown) = flown else {
            return Err(Grounded::Lost { may_have_committed: activity.may_have_committed() });
        };
        connection.rest();
        self.connection = Some(connection);
        Ok(flown?)
    }
}

/// Why a flight did not end as it should.
enum Grounded {
    Failed(sqlx::Error),
    /// The connection is of no use any more.
    Lost {
        may_have_committed: bool,
    },
}

impl From<sqlx::Error> for Grounded {
    fn from(error: sqlx::Error) -> Self {
        Grounded::Failed(error)
    }
}

/// Done when none of the callers waits any more.
async fn all_gone(callers: Option<Vec<Caller>>) {
    let Some(callers) = callers else { return std::future::pending().await };
    while callers.iter().any(|caller| caller.strong_count() > 0) {
        sleep(LOOK).await;
    }
}
