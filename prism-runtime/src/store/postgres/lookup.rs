//! Gets of entities, coalesced.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::current::{CurrentTable, Using, unusable};
use super::database::{Database, Transact};
use super::error::{Failure, breaks_connection, of_all};
use super::lane::{FLIGHT_BYTES, Flight, Job, Lane};
use super::pool::{Connector, Patience};
use super::table::Table;
use crate::entity::layout::Layout;
use crate::entity::record::{Key, Record};
use crate::memory::{READ_AHEAD, charge};
use crate::schema::sql::Visibility;
use crate::store::entity::{View, held_bytes};
use crate::{Error, Result};

/// A Get of a record.
pub(super) struct Lookup {
    table: Arc<CurrentTable>,
    key: Key,
    view: View,
    answer: Answer<Shared>,
    /// Whether a flight had no room for its answer any more.
    set_back: bool,
}

/// What a shared statement has made of a Get.
#[derive(Debug)]
pub(super) enum Shared {
    /// The record, or that there is none.
    Found(Option<Record>),
    /// The record with this key is to be read by itself.
    Alone(Key),
}

impl Lookup {
    /// Sends a Get.
    pub(super) fn send(
        database: &Database,
        lane: &Lane<Lookup>,
        table: Arc<CurrentTable>,
        (key, view): (Key, View),
    ) -> Result<impl Future<Output = Result<Shared>> + Send + use<>> {
        let room = database.admit(0)?;
        let (answer, outcome) = answer(room);
        lane.send(Lookup { table, key, view, answer, set_back: false });
        Ok(outcome)
    }

    /// Ends with what was found.
    fn end(mut self, table: &Table, found: &Found) -> (Answer<Shared>, Result<Shared>) {
        let record = found.records.get(&self.key);
        if record.is_none() && !found.complete {
            return self.alone();
        }
        let seen = record.filter(|record| sees(&table.layout, self.view, record));
        // Before it is copied: others of the flight may have asked for the same record.
        let charged = self.answer.charge(seen.map_or(0, held_bytes));
        (self.answer, charged.map(|()| Shared::Found(seen.cloned())))
    }

    fn alone(self) -> (Answer<Shared>, Result<Shared>) {
        (self.answer, Ok(Shared::Alone(self.key)))
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

    fn is_set_back(&self) -> bool {
        self.set_back
    }

    fn fail(self, error: Error) {
        self.answer.send(Err(error));
    }
}

/// One statement for all Gets of an entity.
pub(super) struct Lookups {
    connector: Arc<Connector>,
}

impl Lookups {
    pub(super) fn new(database: &Database) -> Self {
        Lookups { connector: database.connector() }
    }
}

impl Flight for Lookups {
    type Job = Lookup;
    const PATIENCE: Patience = Patience::Long;

    async fn fly(
        &mut self,
        connection: &mut Connection,
        jobs: &mut Vec<Lookup>,
    ) -> sqlx::Result<()> {
        jobs.sort_by_key(|job| job.set_back);
        while let Some(first) = jobs.first() {
            let (current, set_back) = (Arc::clone(&first.table), first.set_back);
            let is_alike =
                |job: &Lookup| Arc::ptr_eq(&job.table, &current) && job.set_back == set_back;
            let alike = |job: &mut Lookup| is_alike(job);
            let keys: BTreeSet<&Key> =
                jobs.iter().filter(|job| is_alike(job)).map(|job| &job.key).collect();
            let keys: Vec<Key> = keys.into_iter().cloned().collect();
            let mut using = Using::new(Arc::clone(&current));
            match self.find_now(&mut using, connection, &keys).await {
                Ok((table, found)) => {
                    let copied = Cell::new(0);
                    let ended = jobs.extract_if(.., |job| {
                        let fits = copied.get() < FLIGHT_BYTES;
                        let ends = is_alike(job);
                        job.set_back |= ends && !fits;
                        ends && fits
                    });
                    send_all(ended.map(|job| {
                        let (answer, ended) = job.end(&table, &found);
                        if let Ok(Shared::Found(Some(record))) = &ended {
                            copied.set(copied.get() + held_bytes(record));
                        }
                        (answer, ended)
                    }));
                    jobs.sort_by_key(|job| job.set_back);
                }
                Err(Broken::Connection(error)) => return Err(error),
                // One of them is damaged or refused: the others are not.
                Err(Broken::Refused) => send_all(jobs.extract_if(.., alike).map(Lookup::alone)),
                Err(Broken::Unusable(error)) => {
                    let error = error.as_ref();
                    jobs.extract_if(.., alike)
                        .for_each(|job| job.fail(error.map_or_else(unusable, of_all)));
                }
            }
            if set_back {
                // What has come meanwhile goes first.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Why Gets have no answer.
enum Broken {
    Connection(sqlx::Error),
    Refused,
    /// The columns cannot be looked up; or, without an error, are not all there.
    Unusable(Option<sqlx::Error>),
}

/// Rows that were found, whatever their state.
struct Found {
    records: BTreeMap<Key, Record>,
    /// Whether there are no others. Large ones end the search.
    complete: bool,
}

impl Lookups {
    /// The rows with these keys, in the table as it is now.
    async fn find_now(
        &self,
        using: &mut Using,
        connection: &mut Connection,
        keys: &[Key],
    ) -> Result<(Arc<Table>, Found), Broken> {
        loop {
            let table = using.table(connection).await.map_err(|failure| match failure {
                Failure::Database(error) if breaks_connection(&error) => Broken::Connection(error),
                Failure::Database(error) => Broken::Unusable(Some(error)),
                Failure::Conflict | Failure::Call(_) => Broken::Unusable(None),
            })?;
            let found = self.find_streamed(&table, connection, keys).await;
            using.confirm(&found);
            if using.is_outdated(&found) {
                continue;
            }
            return match found {
                Ok(found) => Ok((table, found)),
                Err(Failure::Database(error)) if breaks_connection(&error) => {
                    Err(Broken::Connection(error))
                }
                Err(_) => Err(Broken::Refused),
            };
        }
    }

    async fn find_streamed(
        &self,
        table: &Table,
        connection: &mut Connection,
        keys: &[Key],
    ) -> Result<Found, Failure> {
        if connection.prepares() {
            return self.find(table, connection, keys).await;
        }
        // What is not in a transaction is made one, and all of its rows are held until it ends.
        let mut transaction = connection.begin().await?;
        let found = self.find(table, &mut transaction, keys).await?;
        transaction.rollback().await?;
        Ok(found)
    }

    async fn find(
        &self,
        table: &Table,
        connection: &mut Connection,
        keys: &[Key],
    ) -> Result<Found, Failure> {
        let rows: Vec<_> = keys.iter().map(|key| (key, None)).collect();
        let activity = connection.activity();
        let mut rows = table.query_many(&table.many.find, &rows)?.fetch(&mut *connection);
        let mut found = Found { records: BTreeMap::new(), complete: true };
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            let record = table.record(&row)?;
            bytes += held_bytes(&record);
            found.records.insert(table.layout.key_of(&record), record);
            if bytes > FLIGHT_BYTES && found.records.len() < keys.len() {
                found.complete = false;
                self.connector.control.stop(&activity, rows).await;
                connection.settle().await?;
                break;
            }
        }
        Ok(found)
    }
}

/// A Get that reads its record by itself.
pub(super) struct Find {
    using: Using,
    key: Key,
    view: View,
}

impl Find {
    pub(super) fn new(table: Arc<CurrentTable>, key: Key, view: View) -> Self {
        Find { using: Using::new(table), key, view }
    }
}

impl Transact for Find {
    type Output = Option<Record>;

    async fn run(&mut self, connection: &mut Connection) -> Result<Option<Record>, Failure> {
        charge(READ_AHEAD)?;
        let table = self.using.table(connection).await?;
        let found = table.get(connection, &self.key, self.view).await;
        let record = self.using.settle(found.map_err(Failure::from))?;
        charge(record.as_ref().map_or(0, held_bytes))?;
        Ok(record)
    }
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
