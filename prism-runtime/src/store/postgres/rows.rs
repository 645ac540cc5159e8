//! The rows that the writes of a flight are for: read once, decided on in order, and written by kind of
//! change.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt as _;

use super::answer::Answer;
use super::connection::Connection;
use super::control::Control;
use super::error::Failure;
use super::lane::FLIGHT_BYTES;
use super::table::Table;
use super::write::{Broken, Outcome, Shared, Task};
use crate::Result;
use crate::entity::decide::{Change, decide};
use crate::entity::record::{Key, Record};
use crate::schema::sql::Statement;
use crate::store::entity::{held_bytes, written_bytes};

/// The rows of a table that writes are for.
pub(super) struct Rows<'a>(BTreeMap<&'a Key, Row>);

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
    pub(super) async fn read(
        table: &Table,
        connection: &mut Connection,
        statement: &Statement,
        tasks: &[&'a Task],
        control: &Control,
    ) -> Result<Self, Broken> {
        let mut rows: BTreeMap<&Key, Row> =
            tasks.iter().map(|task| (&task.write.key, Row::default())).collect();
        let keys: Vec<_> = rows.keys().map(|key| (*key, None)).collect();
        let activity = connection.activity();
        let mut stored = table.query_many(statement, &keys)?.fetch(&mut *connection);
        let (mut count, mut bytes) = (0, 0);
        while let Some(row) = stored.try_next().await? {
            let record = table.record(&row)?;
            (count, bytes) = (count + 1, bytes + held_bytes(&record));
            if bytes > FLIGHT_BYTES && keys.len() > 1 {
                // They are made again in parts.
                control.stop(&activity, stored).await;
                connection.settle().await?;
                return Err(Broken::Large { rows: count });
            }
            if let Some(row) = rows.get_mut(&table.layout.key_of(&record)) {
                (row.was_there, row.now) = (true, Some(record));
            }
        }
        Ok(Rows(rows))
    }

    /// Decides each write on what those before it have made of its row, as long as there is room
    /// for what they make. One whose caller holds too much is refused.
    pub(super) fn decide(
        &mut self,
        tasks: &[&Task],
        answers: &mut [&mut Answer<Shared>],
        room: &mut usize,
    ) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(tasks.len());
        for (task, answer) in tasks.iter().zip(answers) {
            let Some(row) = self.0.get_mut(&task.write.key) else {
                outcomes.push(Outcome::Alone);
                continue;
            };
            if *room == 0 {
                break;
            }
            let most = row.now.as_ref().map_or(0, held_bytes) + written_bytes(&task.write);
            *room = room.saturating_sub(most);
            let change = answer
                .charge(most)
                .and_then(|()| decide(task.table.layout(), &task.write.command, row.now.as_ref()));
            outcomes.push(Outcome::Decided(change.map(|change| {
                row.apply(&change);
                change.into_record()
            })));
        }
        outcomes
    }

    /// Leaves the rows out that are stored already. Returns the keys of those that would change.
    pub(super) fn leave_stored(&mut self) -> BTreeSet<Key> {
        let stored = self.0.iter().filter(|(_, row)| row.was_there && row.is_changed());
        let changed = stored.map(|(key, _)| (*key).clone()).collect();
        self.0.retain(|_, row| !row.was_there);
        changed
    }

    /// What is to be written.
    pub(super) fn changes(&self) -> Changes<'_> {
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
pub(super) struct Changes<'a> {
    inserted: Writing<'a>,
    replaced: Writing<'a>,
    deleted: Writing<'a>,
    /// By the columns that are written.
    updated: BTreeMap<Vec<usize>, Writing<'a>>,
}

impl Changes<'_> {
    /// Writes what becomes of rows that are there and locked.
    pub(super) async fn write(
        &self,
        table: &Table,
        connection: &mut Connection,
    ) -> Result<(), Failure> {
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
    pub(super) async fn insert(
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
