//! Writes of entities, coalesced.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::control::Control;
use super::current::{Cause, CurrentTable, Using};
use super::database::Database;
use super::error::{Failure, breaks_connection, leaves_outcome_open, outcome_unknown};
use super::lane::{FLIGHT_BYTES, Flight, Job, Lane, MAX_JOBS};
use super::rows::Rows;
use super::table::Table;
use crate::entity::decide::Action;
use crate::entity::record::{Key, Record};
use crate::schema::Value;
use crate::store::entity::{Write, held_bytes, written_bytes};
use crate::{Error, Result};

/// For how long after a write has met a lock each flight looks for locks before it waits for one.
const WARY: Duration = Duration::from_secs(5);

/// A write of a record, without a request id.
pub(super) struct Pending {
    task: Task,
    answer: Answer<Shared>,
    /// Whether a flight had no room for its record any more.
    set_back: bool,
}

/// What is to be done.
pub(super) struct Task {
    pub(super) table: Arc<CurrentTable>,
    pub(super) write: Write,
}

/// What came of a write that shared a transaction.
#[derive(Debug)]
pub(super) enum Shared {
    /// It was made.
    Written(Option<Record>),
    /// It was not: something about it needs a transaction of its own.
    Alone(Box<Write>),
}

impl Pending {
    /// Sends a write.
    pub(super) fn send(
        database: &Database,
        lane: &Lane<Pending>,
        table: &Arc<CurrentTable>,
        write: Write,
    ) -> Result<impl Future<Output = Result<Shared>> + Send + use<>> {
        let room = database.admit(written_bytes(&write))?;
        let (answer, outcome) = answer(room);
        let task = Task { table: Arc::clone(table), write };
        lane.send(Pending { task, answer, set_back: false });
        Ok(outcome)
    }

    fn alone(mut self) {
        self.answer.settle(0);
        self.answer.send(Ok(Shared::Alone(Box::new(self.task.write))));
    }

    fn end(mut self, outcome: Outcome) -> (Answer<Shared>, Result<Shared>) {
        self.answer.settle(match &outcome {
            Outcome::Decided(Ok(Some(record))) => held_bytes(record),
            _ => 0,
        });
        let answer = match outcome {
            Outcome::Decided(result) => result.map(Shared::Written),
            Outcome::Alone => Ok(Shared::Alone(Box::new(self.task.write))),
        };
        (self.answer, answer)
    }
}

impl Job for Pending {
    fn is_abandoned(&self) -> bool {
        self.answer.is_abandoned()
    }

    fn caller(&self) -> Option<Caller> {
        Some(self.answer.caller())
    }

    fn bytes(&self) -> usize {
        written_bytes(&self.task.write)
    }

    fn is_set_back(&self) -> bool {
        self.set_back
    }

    fn fail(self, error: Error) {
        self.answer.send(Err(error));
    }
}

/// A key as what chooses a lane.
pub(super) struct HashedKey<'a>(pub(super) &'a Key);

impl Hash for HashedKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for value in &self.0.0 {
            match value {
                Value::Null | Value::Double(_) => {}
                Value::Int(number) => number.hash(state),
                Value::Text(text) => text.hash(state),
                Value::Blob(bytes) => bytes.hash(state),
            }
        }
    }
}

/// One transaction for all: the rows are locked and read, each write is decided on what those
/// before it have made of its row, and what has become of the rows is written with a statement for
/// each kind of change. One that Postgres refuses is made again in parts, until the write that is
/// to blame is by itself.
pub(super) struct Writes {
    control: Control,
    /// Until when locks are looked for first.
    wary: Option<Instant>,
}

impl Writes {
    pub(super) fn new(database: &Database) -> Self {
        Writes { control: database.connector().control.clone(), wary: None }
    }
}

impl Flight for Writes {
    type Job = Pending;

    async fn fly(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Pending>,
    ) -> sqlx::Result<()> {
        sort(jobs);
        if self.wary.is_some_and(|until| Instant::now() < until) {
            self.pass_locked(connection, jobs).await?;
        }
        let (mut size, mut most) = (MAX_JOBS, MAX_JOBS);
        loop {
            // A write that was refused because nobody waits for it is not made again.
            jobs.retain(|job| !job.is_abandoned());
            let Some(set_back) = jobs.first().map(|job| job.set_back) else { return Ok(()) };
            let alike = jobs.iter().take_while(|job| job.set_back == set_back).count();
            let flying = size.min(alike).max(1);
            match self.attempt(connection, &mut jobs[..flying]).await {
                Ok(outcomes) => {
                    let (ended, cut) = (outcomes.len(), outcomes.len() < flying);
                    let outcomes = jobs.drain(..ended).zip(outcomes);
                    send_all(outcomes.map(|(job, outcome)| job.end(outcome)));
                    size = most.min(flying * 2);
                    if cut {
                        set_rest_back(jobs, flying - ended);
                    }
                    if set_back {
                        // What has come meanwhile goes first.
                        return Ok(());
                    }
                }
                Err(Broken::Lost(error)) => return Err(error),
                Err(Broken::Committing(error)) => {
                    for job in jobs.drain(..flying) {
                        job.fail(outcome_unknown(error.to_string()));
                    }
                    return Err(error);
                }
                Err(Broken::Large { rows }) => {
                    // All but the last one have fit.
                    most = (rows - 1).clamp(1, flying - 1);
                    size = most;
                }
                // Whoever waits for a lock does so without the others.
                Err(Broken::Refused(failure)) if failure.is_locked() && flying > 1 => {
                    self.wary = Some(Instant::now() + WARY);
                    if self.pass_locked(connection, jobs).await? == 0 {
                        // The row cannot be seen.
                        jobs.drain(..flying).for_each(Pending::alone);
                    }
                }
                Err(Broken::Refused(_)) if flying == 1 => {
                    jobs.drain(..flying).for_each(Pending::alone);
                }
                Err(Broken::Refused(_)) => size = flying / 2,
            }
        }
    }
}

/// What was set back goes last. Stable: otherwise the writes to a record stay in their order.
fn sort(jobs: &mut [Pending]) {
    jobs.sort_by(|one, two| {
        let of = |job: &Pending| job.set_back;
        of(one).cmp(&of(two)).then_with(|| one.task.table_name().cmp(two.task.table_name()))
    });
}

/// Sets back the first jobs, which did not fit a flight.
fn set_rest_back(jobs: &mut [Pending], rest: usize) {
    jobs[..rest].iter_mut().for_each(|job| job.set_back = true);
    sort(jobs);
}

impl Task {
    fn table_name(&self) -> &str {
        &self.table.layout().entity.table
    }

    fn is_create(&self) -> bool {
        matches!(self.write.command.action, Action::Create(_))
    }
}

/// What became of a write.
pub(super) enum Outcome {
    Decided(Result<Option<Record>>),
    Alone,
}

/// Why writes were not made together.
pub(super) enum Broken {
    /// The connection failed before anything was written.
    Lost(sqlx::Error),
    /// The connection failed when it may have been written.
    Committing(sqlx::Error),
    /// Nothing was written.
    Refused(Failure),
    /// Nothing was written: so many rows are all that a flight reads.
    Large { rows: usize },
}

impl Broken {
    fn committing(error: sqlx::Error) -> Self {
        if leaves_outcome_open(&error) { Broken::Committing(error) } else { error.into() }
    }
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) if breaks_connection(&error) => Broken::Lost(error),
            failure => Broken::Refused(failure),
        }
    }
}

impl From<sqlx::Error> for Broken {
    fn from(error: sqlx::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

impl Cause for Broken {
    fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Broken::Lost(error) | Broken::Committing(error) => Some(error),
            Broken::Refused(failure) => failure.cause(),
            Broken::Large { .. } => None,
        }
    }
}

/// The parts of writes, which are in the order of their tables, that are for one table each.
fn parts(tasks: &[&Task]) -> Vec<(Using, Range<usize>)> {
    let mut parts: Vec<(Using, Range<usize>)> = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        match parts.last_mut() {
            Some((_, part)) if Arc::ptr_eq(&tasks[part.start].table, &task.table) => part.end += 1,
            _ => parts.push((Using::new(Arc::clone(&task.table)), at..at + 1)),
        }
    }
    parts
}

impl Writes {
    /// Makes writes, in tables as they are now. They are in the order of their tables. Answers
    /// with the outcomes of the first ones: as many as fit a flight.
    async fn attempt(
        &self,
        connection: &mut Connection,
        jobs: &mut [Pending],
    ) -> Result<Vec<Outcome>, Broken> {
        let (tasks, mut answers): (Vec<&Task>, Vec<&mut Answer<Shared>>) =
            jobs.iter_mut().map(|job| (&job.task, &mut job.answer)).unzip();
        let mut parts = parts(&tasks);
        loop {
            let mut tables = Vec::with_capacity(parts.len());
            for (using, part) in &mut parts {
                tables.push((using.table(connection).await?, &tasks[part.clone()]));
            }
            let made = match tables.as_slice() {
                // What is not in a transaction is made one where nothing is prepared.
                [(table, tasks)]
                    if connection.prepares() && tasks.iter().all(|task| task.is_create()) =>
                {
                    self.create(connection, table, tasks, &mut answers).await
                }
                _ => self.transact(connection, &tables, &mut answers).await,
            };
            let mut is_outdated = false;
            for (using, _) in &mut parts {
                using.confirm(&made);
                is_outdated |= using.is_outdated(&made);
            }
            if !is_outdated {
                return made;
            }
        }
    }

    async fn transact(
        &self,
        connection: &mut Connection,
        tables: &[(Arc<Table>, &[&Task])],
        answers: &mut [&mut Answer<Shared>],
    ) -> Result<Vec<Outcome>, Broken> {
        let mut transaction = connection.begin().await?;
        let mut outcomes = Vec::new();
        let mut room = FLIGHT_BYTES;
        for (table, tasks) in tables {
            let lock = &table.many.lock;
            let mut rows = Rows::read(table, &mut transaction, lock, tasks, &self.control).await?;
            let mut decided = rows.decide(tasks, &mut answers[outcomes.len()..], &mut room);
            let changes = rows.changes();
            changes.write(table, &mut transaction).await?;
            let refused = changes.insert(table, &mut transaction).await?;
            leave_alone(tasks, &mut decided, &refused);
            let cut = decided.len() < tasks.len();
            outcomes.append(&mut decided);
            if cut {
                break;
            }
        }
        transaction.commit().await.map_err(Broken::committing)?;
        Ok(outcomes)
    }

    /// Creates records, which needs no lock: an insert finds out whether there is one.
    async fn create(
        &self,
        connection: &mut Connection,
        table: &Table,
        tasks: &[&Task],
        answers: &mut [&mut Answer<Shared>],
    ) -> Result<Vec<Outcome>, Broken> {
        let find = &table.many.find;
        let mut rows = Rows::read(table, connection, find, tasks, &self.control).await?;
        let mut outcomes = rows.decide(tasks, answers, &mut { FLIGHT_BYTES });
        // What has expired is replaced, under a lock.
        let mut alone = rows.leave_stored();
        let inserted = rows.changes().insert(table, connection).await;
        alone.append(&mut inserted.map_err(|failure| match failure {
            Failure::Database(error) => Broken::committing(error),
            failure => failure.into(),
        })?);
        leave_alone(tasks, &mut outcomes, &alone);
        Ok(outcomes)
    }

    /// Has writes to rows that others have locked made by themselves, without a wait here. Answers
    /// how many these are.
    async fn pass_locked(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Pending>,
    ) -> sqlx::Result<usize> {
        let mut locked = Vec::with_capacity(jobs.len());
        match look_for_locks(connection, jobs, &mut locked).await {
            Ok(()) => {}
            Err(Broken::Lost(error) | Broken::Committing(error)) => return Err(error),
            // A whole table is locked, or its columns have changed: the writes find that out.
            Err(Broken::Refused(_) | Broken::Large { .. }) => return Ok(0),
        }
        let before = jobs.len();
        let mut locked = locked.into_iter();
        let passed = jobs.extract_if(.., |_| locked.next().unwrap_or(false));
        passed.for_each(Pending::alone);
        if jobs.len() < before {
            self.wary = Some(Instant::now() + WARY);
        }
        Ok(before - jobs.len())
    }
}

/// Finds out which writes are to rows that are locked.
async fn look_for_locks(
    connection: &mut Connection,
    jobs: &[Pending],
    locked: &mut Vec<bool>,
) -> Result<(), Broken> {
    let tasks: Vec<&Task> = jobs.iter().map(|job| &job.task).collect();
    for (mut using, part) in parts(&tasks) {
        let table = using.table(connection).await?;
        let keys: BTreeSet<&Key> = tasks[part.clone()].iter().map(|t| &t.write.key).collect();
        let keys: Vec<_> = keys.into_iter().map(|key| (key, None)).collect();
        let query = table.query_many(&table.many.locked, &keys)?;
        let rows = query.fetch_all(&mut *connection).await?;
        let keys: BTreeSet<Key> = rows.iter().map(|row| table.key(row)).collect::<Result<_>>()?;
        locked.extend(tasks[part].iter().map(|task| keys.contains(&task.write.key)));
    }
    Ok(())
}

fn leave_alone(tasks: &[&Task], outcomes: &mut [Outcome], keys: &BTreeSet<Key>) {
    if keys.is_empty() {
        return;
    }
    for (task, outcome) in tasks.iter().zip(outcomes) {
        if keys.contains(&task.write.key) {
            *outcome = Outcome::Alone;
        }
    }
}
