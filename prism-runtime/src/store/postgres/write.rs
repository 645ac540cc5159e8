//! Writes of entities, coalesced.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::current::{Cause, CurrentTable, Using};
use super::database::Database;
use super::error::{Failure, breaks_connection, leaves_outcome_open, outcome_unknown};
use super::lane::{Flight, Job, Lane};
use super::table::Table;
use crate::entity::decide::{Action, Change, decide};
use crate::entity::record::{Key, Record};
use crate::schema::Value;
use crate::schema::sql::Statement;
use crate::store::StoreFuture;
use crate::store::entity::{Write, held_bytes, written_bytes};
use crate::{Error, Result};

/// Bytes of the rows that writes read together. A row that is longer is read by itself.
const MAX_READ_BYTES: usize = 16 << 20;

/// A write of a record, without a request id.
pub(super) struct Pending {
    table: Arc<CurrentTable>,
    write: Write,
    answer: Answer<Shared>,
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
    ) -> StoreFuture<Shared> {
        let room = match database.admit(written_bytes(&write)) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Pending { table: Arc::clone(table), write, answer });
        outcome
    }

    fn alone(self) {
        self.answer.send(Ok(Shared::Alone(Box::new(self.write))));
    }

    fn end(mut self, outcome: Outcome) -> (Answer<Shared>, Result<Shared>) {
        if let Outcome::Decided(Ok(Some(record))) = &outcome {
            self.answer.hold(held_bytes(record));
        }
        let answer = match outcome {
            Outcome::Decided(result) => result.map(Shared::Written),
            Outcome::Alone => Ok(Shared::Alone(Box::new(self.write))),
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
        written_bytes(&self.write)
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
pub(super) struct Writes;

impl Flight for Writes {
    type Job = Pending;

    async fn fly(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Pending>,
    ) -> sqlx::Result<()> {
        // Stable: the writes to a record stay in their order.
        jobs.sort_by(|one, two| one.table_name().cmp(two.table_name()));
        let mut size = jobs.len();
        loop {
            // A write that was refused because nobody waits for it is not made again.
            jobs.retain(|job| !job.is_abandoned());
            if jobs.is_empty() {
                return Ok(());
            }
            let flying = size.clamp(1, jobs.len());
            match attempt(connection, &jobs[..flying]).await {
                Ok(outcomes) => {
                    let ended = jobs.drain(..flying).zip(outcomes);
                    send_all(ended.map(|(job, outcome)| job.end(outcome)));
                    size = flying * 2;
                }
                Err(Broken::Lost(error)) => return Err(error),
                Err(Broken::Committing(error)) => {
                    for job in jobs.drain(..flying) {
                        job.fail(outcome_unknown(error.to_string()));
                    }
                    return Err(error);
                }
                // Whoever waits for a lock does so without the others.
                Err(Broken::Refused(failure)) if flying == 1 || failure.is_locked() => {
                    jobs.drain(..flying).for_each(Pending::alone);
                }
                Err(Broken::Refused(_)) => size = flying / 2,
            }
        }
    }
}

impl Pending {
    fn table_name(&self) -> &str {
        &self.table.layout().entity.table
    }
}

/// What became of a write.
enum Outcome {
    Decided(Result<Option<Record>>),
    Alone,
}

/// Why writes were not made together.
enum Broken {
    /// The connection failed before anything was written.
    Lost(sqlx::Error),
    /// The connection failed when it may have been written.
    Committing(sqlx::Error),
    /// Nothing was written.
    Refused(Failure),
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

impl Cause for Broken {
    fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Broken::Lost(error) | Broken::Committing(error) => Some(error),
            Broken::Refused(failure) => failure.cause(),
        }
    }
}

/// Makes writes, in tables as they are now. They are in the order of their tables.
async fn attempt(connection: &mut Connection, jobs: &[Pending]) -> Result<Vec<Outcome>, Broken> {
    let mut parts: Vec<(Using, Range<usize>)> = Vec::new();
    for (at, job) in jobs.iter().enumerate() {
        match parts.last_mut() {
            Some((_, part)) if Arc::ptr_eq(&jobs[part.start].table, &job.table) => part.end += 1,
            _ => parts.push((Using::new(Arc::clone(&job.table)), at..at + 1)),
        }
    }
    loop {
        let mut tables = Vec::with_capacity(parts.len());
        for (using, part) in &mut parts {
            tables.push((using.table(connection).await?, &jobs[part.clone()]));
        }
        let made = match tables.as_slice() {
            [(table, jobs)] if jobs.iter().all(|job| job.is_create()) => {
                create(connection, table, jobs).await
            }
            _ => transact(connection, &tables).await,
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

impl Pending {
    fn is_create(&self) -> bool {
        matches!(self.write.command.action, Action::Create(_))
    }
}

async fn transact(
    connection: &mut Connection,
    tables: &[(Arc<Table>, &[Pending])],
) -> Result<Vec<Outcome>, Broken> {
    let mut transaction = connection.begin().await?;
    let mut outcomes = Vec::new();
    for (table, jobs) in tables {
        let mut rows = Rows::read(table, &mut transaction, &table.many.lock, jobs).await?;
        let mut decided = rows.decide(jobs);
        let changes = rows.changes();
        changes.write(table, &mut transaction).await?;
        let refused = changes.insert(table, &mut transaction).await?;
        leave_alone(jobs, &mut decided, &refused);
        outcomes.append(&mut decided);
    }
    transaction.commit().await.map_err(Broken::committing)?;
    Ok(outcomes)
}

/// Creates records, which needs no lock: an insert finds out whether there is one.
async fn create(
    connection: &mut Connection,
    table: &Table,
    jobs: &[Pending],
) -> Result<Vec<Outcome>, Broken> {
    let mut rows = Rows::read(table, connection, &table.many.find, jobs).await?;
    let mut outcomes = rows.decide(jobs);
    // What has expired is replaced, under a lock.
    let replaced = rows.0.iter().filter(|(_, row)| row.was_there && row.is_changed());
    let mut alone: BTreeSet<Key> = replaced.map(|(key, _)| (*key).clone()).collect();
    rows.0.retain(|_, row| !row.was_there);
    let inserted = rows.changes().insert(table, connection).await;
    alone.append(&mut inserted.map_err(|failure| match failure {
        Failure::Database(error) => Broken::committing(error),
        failure => failure.into(),
    })?);
    leave_alone(jobs, &mut outcomes, &alone);
    Ok(outcomes)
}

fn leave_alone(jobs: &[Pending], outcomes: &mut [Outcome], keys: &BTreeSet<Key>) {
    if keys.is_empty() {
        return;
    }
    for (job, outcome) in jobs.iter().zip(outcomes) {
        if keys.contains(&job.write.key) {
            *outcome = Outcome::Alone;
        }
    }
}

/// The rows of a table that writes are for.
struct Rows<'a>(BTreeMap<&'a Key, Row>);

/// A row, as the writes so far have made it.
#[derive(Default)]
struct Row {
    was_there: bool,
    now: Option<Record>,
    /// Which columns differ from what is stored.
    changed: Columns,
}

#[derive(Default)]
enum Columns {
    #[default]
    None,
    Some(BTreeSet<usize>),
    All,
}

impl<'a> Rows<'a> {
    async fn read(
        table: &Table,
        connection: &mut Connection,
        statement: &Statement,
        jobs: &'a [Pending],
    ) -> Result<Self, Failure> {
        let mut rows: BTreeMap<&Key, Row> =
            jobs.iter().map(|job| (&job.write.key, Row::default())).collect();
        let keys: Vec<_> = rows.keys().map(|key| (*key, None)).collect();
        let mut stored = table.query_many(statement, &keys)?.fetch(connection);
        let mut bytes = 0;
        while let Some(row) = stored.try_next().await? {
            let record = table.record(&row)?;
            bytes += held_bytes(&record);
            if bytes > MAX_READ_BYTES && keys.len() > 1 {
                // They are made again in parts.
                return Err(Failure::Conflict);
            }
            if let Some(row) = rows.get_mut(&table.layout.key_of(&record)) {
                (row.was_there, row.now) = (true, Some(record));
            }
        }
        Ok(Rows(rows))
    }

    /// Decides each write on what those before it have made of its row.
    fn decide(&mut self, jobs: &[Pending]) -> Vec<Outcome> {
        let decided = jobs.iter().map(|job| {
            let Some(row) = self.0.get_mut(&job.write.key) else { return Outcome::Alone };
            let change = decide(job.table.layout(), &job.write.command, row.now.as_ref());
            Outcome::Decided(change.map(|change| {
                row.apply(&change);
                change.into_record()
            }))
        });
        decided.collect()
    }

    /// What is to be written.
    fn changes(&self) -> Changes<'_> {
        let mut changes = Changes::default();
        for (key, row) in &self.0 {
            match (row.was_there, &row.now, &row.changed) {
                (_, _, Columns::None) | (false, None, _) => {}
                (false, Some(record), _) => changes.inserted.push((key, Some(record))),
                (true, None, _) => changes.deleted.push((key, None)),
                (true, Some(record), Columns::All) => changes.replaced.push((key, Some(record))),
                (true, Some(record), Columns::Some(columns)) => {
                    let columns = columns.iter().copied().collect();
                    changes.updated.entry(columns).or_default().push((key, Some(record)));
                }
            }
        }
        changes
    }
}

impl Row {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Nothing => {}
            Change::Insert(record) | Change::Replace(record) => {
                (self.now, self.changed) = (Some(record.clone()), Columns::All);
            }
            Change::Delete(_) => (self.now, self.changed) = (None, Columns::All),
            Change::Update { record, columns } => {
                self.now = Some(record.clone());
                let changed = std::mem::replace(&mut self.changed, Columns::All);
                self.changed = match changed {
                    Columns::None => Columns::Some(columns.iter().copied().collect()),
                    Columns::Some(before) => {
                        Columns::Some(&before | &columns.iter().copied().collect())
                    }
                    Columns::All => Columns::All,
                };
            }
        }
    }

    fn is_changed(&self) -> bool {
        !matches!(self.changed, Columns::None)
    }
}

/// Keys of rows, each with what the row is to be.
type Writing<'a> = Vec<(&'a Key, Option<&'a Record>)>;

/// What has become of rows, by how it is written.
#[derive(Default)]
struct Changes<'a> {
    inserted: Writing<'a>,
    replaced: Writing<'a>,
    deleted: Writing<'a>,
    /// By the columns that are written.
    updated: BTreeMap<Vec<usize>, Writing<'a>>,
}

impl Changes<'_> {
    /// Writes what becomes of rows that are there and locked.
    async fn write(&self, table: &Table, connection: &mut Connection) -> Result<(), Failure> {
        let updates = self.updated.iter().filter_map(|(columns, rows)| {
            let number = |&position: &usize| table.layout.entity.columns[position].number;
            let numbers: Vec<u32> = columns.iter().map(number).collect();
            let writes = !numbers.is_empty() || table.has_written_at();
            writes.then(|| (table.statements().update_many(&numbers), rows))
        });
        let updates: Vec<_> = updates.collect();
        let others = [(&table.many.delete, &self.deleted), (&table.many.replace, &self.replaced)];
        let updates = updates.iter().map(|(statement, rows)| (statement, *rows));
        for (statement, rows) in others.into_iter().chain(updates) {
            if !rows.is_empty() {
                table.query_many(statement, rows)?.execute(&mut *connection).await?;
            }
        }
        Ok(())
    }

    /// Inserts rows that were not there. Answers with the keys of those that another row is in the
    /// way of, under the key or in a unique index.
    async fn insert(
        &self,
        table: &Table,
        connection: &mut Connection,
    ) -> Result<BTreeSet<Key>, Failure> {
        if self.inserted.is_empty() {
            return Ok(BTreeSet::new());
        }
        let query = table.query_many(&table.many.insert, &self.inserted)?;
        let inserted = query.fetch_all(connection).await?;
        if inserted.len() == self.inserted.len() {
            return Ok(BTreeSet::new());
        }
        let mut refused: BTreeSet<Key> =
            self.inserted.iter().map(|(key, _)| (*key).clone()).collect();
        for row in &inserted {
            refused.remove(&table.key(row)?);
        }
        Ok(refused)
    }
}
