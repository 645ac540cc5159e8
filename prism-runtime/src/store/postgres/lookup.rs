//! Gets of entities, coalesced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::current::{CurrentTable, Using, unusable};
use super::database::Database;
use super::error::{Failure, breaks_connection, of_all};
use super::lane::{Flight, Job, Lane};
use super::pool::Patience;
use super::table::Table;
use crate::entity::layout::Layout;
use crate::entity::record::{Key, Record};
use crate::schema::sql::Visibility;
use crate::store::StoreFuture;
use crate::store::entity::{View, held_bytes};
use crate::{Error, Result};

/// Bytes of the rows that Gets read together. More are read one by one.
const MAX_READ_BYTES: usize = 16 << 20;

/// A Get of a record.
pub(super) struct Lookup {
    table: Arc<CurrentTable>,
    key: Key,
    view: View,
    answer: Answer<Option<Record>>,
}

impl Lookup {
    /// Sends a Get.
    pub(super) fn send(
        database: &Database,
        lane: &Lane<Lookup>,
        table: Arc<CurrentTable>,
        (key, view): (Key, View),
    ) -> StoreFuture<Option<Record>> {
        let room = match database.admit(0) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Lookup { table, key, view, answer });
        outcome
    }

    fn answer(mut self, result: Result<Option<Record>>) {
        let record = result.as_ref().ok().and_then(Option::as_ref);
        self.answer.hold(record.map_or(0, held_bytes));
        self.answer.send(result);
    }
}

impl Job for Lookup {
    fn is_abandoned(&self) -> bool {
        self.answer.is_abandoned()
    }

    fn caller(&self) -> Option<Caller> {
        Some(self.answer.caller())
    }

    fn bytes(&self) -> usize {
        0
    }

    fn fail(self, error: Error) {
        self.answer(Err(error));
    }
}

/// One statement for all Gets of an entity.
pub(super) struct Lookups;

impl Flight for Lookups {
    type Job = Lookup;
    const PATIENCE: Patience = Patience::Long;

    async fn fly(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Lookup>,
    ) -> sqlx::Result<()> {
        while let Some(first) = jobs.first() {
            let current = Arc::clone(&first.table);
            let of_table = |job: &mut Lookup| Arc::ptr_eq(&job.table, &current);
            let keys: BTreeSet<&Key> = jobs
                .iter()
                .filter(|job| Arc::ptr_eq(&job.table, &current))
                .map(|job| &job.key)
                .collect();
            let keys: Vec<Key> = keys.into_iter().cloned().collect();
            let mut using = Using::new(Arc::clone(&current));
            match find_now(&mut using, connection, &keys).await {
                Ok((table, found)) => {
                    send_all(jobs.extract_if(.., of_table).map(|mut job| {
                        let record = found.get(&job.key);
                        let seen = record.filter(|record| sees(&table.layout, job.view, record));
                        job.answer.hold(seen.map_or(0, held_bytes));
                        (job.answer, Ok(seen.cloned()))
                    }));
                }
                Err(Broken::Connection(error)) => return Err(error),
                // One of them is damaged or refused: the others are not. Or they are large.
                Err(Broken::Refused(table)) => {
                    for job in jobs.extract_if(.., of_table).collect::<Vec<_>>() {
                        let record = table.get(connection, &job.key, job.view).await;
                        job.answer(record);
                    }
                }
                Err(Broken::Unusable(error)) => {
                    let error = error.as_ref();
                    jobs.extract_if(.., of_table)
                        .for_each(|job| job.fail(error.map_or_else(unusable, of_all)));
                }
            }
        }
        Ok(())
    }
}

/// Why Gets have no answer.
enum Broken {
    Connection(sqlx::Error),
    Refused(Arc<Table>),
    /// The columns cannot be looked up; or, without an error, are not all there.
    Unusable(Option<sqlx::Error>),
}

/// The rows with these keys, in the table as it is now.
async fn find_now(
    using: &mut Using,
    connection: &mut Connection,
    keys: &[Key],
) -> Result<(Arc<Table>, BTreeMap<Key, Record>), Broken> {
    loop {
        let table = using.table(connection).await.map_err(|failure| match failure {
            Failure::Database(error) if breaks_connection(&error) => Broken::Connection(error),
            Failure::Database(error) => Broken::Unusable(Some(error)),
            Failure::Conflict | Failure::Call(_) => Broken::Unusable(None),
        })?;
        let found = find(&table, connection, keys).await;
        using.confirm(&found);
        if using.is_outdated(&found) {
            continue;
        }
        return match found {
            Ok(found) => Ok((table, found)),
            Err(Failure::Database(error)) if breaks_connection(&error) => {
                Err(Broken::Connection(error))
            }
            Err(_) => Err(Broken::Refused(table)),
        };
    }
}

/// The rows with these keys, whatever their state.
async fn find(
    table: &Table,
    connection: &mut Connection,
    keys: &[Key],
) -> Result<BTreeMap<Key, Record>, Failure> {
    let rows: Vec<_> = keys.iter().map(|key| (key, None)).collect();
    let mut rows = table.query_many(&table.many.find, &rows)?.fetch(connection);
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let record = table.record(&row)?;
        bytes += held_bytes(&record);
        if bytes > MAX_READ_BYTES && keys.len() > 1 {
            return Err(Failure::Conflict);
        }
        found.insert(table.layout.key_of(&record), record);
    }
    Ok(found)
}

/// What [`Statements`](crate::schema::sql::Statements) says in SQL.
fn sees(layout: &Layout, view: View, record: &Record) -> bool {
    match view.visibility {
        Visibility::All => true,
        Visibility::Kept => !layout.is_expired(record, view.now_micros),
        Visibility::Live => {
            !layout.is_expired(record, view.now_micros) && !layout.is_deleted(record)
        }
    }
}
