//! Entities in Postgres.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::connection::Connection;
use super::current::{CurrentTable, Using};
use super::database::{Database, Transact};
use super::error::{Failure, is_unique_violation};
use super::lane::Lane;
use super::lookup::{self, Find, Lookup, Lookups};
use super::requests;
use super::table::{Table, Values};
use super::write::{HashedKey, Pending, Shared, Writes};
use crate::Result;
use crate::entity::decide::{Change, decide, repeat, unique_violation};
use crate::entity::layout::Layout;
use crate::entity::record::{Key, Record};
use crate::memory::{READ_AHEAD, charge};
use crate::store::StoreFuture;
use crate::store::entity::{
    BATCH_BYTES, BatchRead, EntityBackend, EntityStore, ListQuery, Page, View, Write, held_bytes,
};

/// Entities in the tables of a database.
#[derive(Clone)]
pub struct PostgresEntities {
    database: Arc<Database>,
    lookups: Arc<Lane<Lookup>>,
    writes: Arc<[Lane<Pending>; WRITE_LANES]>,
    hasher: RandomState,
}

/// Lanes for writes. Those to a record always take the same one, so that they stay in their order;
/// a second one writes while the first waits for its COMMIT to be durable.
const WRITE_LANES: usize = 2;

impl PostgresEntities {
    /// In this database, whose migrations have made the tables.
    pub fn new(database: Arc<Database>) -> Self {
        let lookups = Arc::new(Lane::start(&database, Lookups::new(&database)));
        let writes =
            Arc::new([(); WRITE_LANES].map(|()| Lane::start(&database, Writes::new(&database))));
        PostgresEntities { database, lookups, writes, hasher: RandomState::new() }
    }
}

impl EntityBackend for PostgresEntities {
    fn open(&self, layout: Arc<Layout>) -> Result<Arc<dyn EntityStore>> {
        let opening = self.database.read(Opening { layout });
        let table = Arc::new(self.database.wait(opening)?);
        let PostgresEntities { database, lookups, writes, hasher } = self.clone();
        Ok(Arc::new(PostgresEntityStore { database, lookups, writes, hasher, table }))
    }
}

#[derive(Clone)]
struct PostgresEntityStore {
    database: Arc<Database>,
    lookups: Arc<Lane<Lookup>>,
    writes: Arc<[Lane<Pending>; WRITE_LANES]>,
    hasher: RandomState,
    table: Arc<CurrentTable>,
}

impl EntityStore for PostgresEntityStore {
    fn refuses_nul(&self) -> bool {
        true
    }

    fn get(&self, key: Key, view: View) -> StoreFuture<Option<Record>> {
        let table = Arc::clone(&self.table);
        let shared = match Lookup::send(&self.database, &self.lookups, table, (key, view)) {
            Ok(shared) => shared,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (database, table) = (Arc::clone(&self.database), Arc::clone(&self.table));
        StoreFuture::pending(async move {
            match shared.await? {
                lookup::Shared::Found(record) => Ok(record),
                lookup::Shared::Alone(key) => database.read(Find::new(table, key, view)).await,
            }
        })
    }

    fn batch_get(&self, keys: Vec<Key>, view: View) -> StoreFuture<Page> {
        if keys.is_empty() {
            return StoreFuture::ready(Ok(Page::default()));
        }
        let using = Using::new(Arc::clone(&self.table));
        self.database.read(BatchGet { using, keys, view })
    }

    fn list(&self, query: ListQuery) -> StoreFuture<Page> {
        let using = Using::new(Arc::clone(&self.table));
        self.database.read(List { using, query })
    }

    fn write(&self, write: Write) -> StoreFuture<Option<Record>> {
        if write.request.is_some() {
            return self.write_alone(write);
        }
        let lane = self.hasher.hash_one(HashedKey(&write.key)) as usize % WRITE_LANES;
        let lane = &self.writes[lane];
        let shared = match Pending::send(&self.database, lane, &self.table, write) {
            Ok(shared) => shared,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let store = self.clone();
        StoreFuture::pending(async move {
            match shared.await? {
                Shared::Written(record) => Ok(record),
                Shared::Alone(write) => store.write_alone(*write).await,
            }
        })
    }

    fn sweep(&self, now_micros: i64, limit: usize) -> StoreFuture<usize> {
        let using = Using::new(Arc::clone(&self.table));
        self.database.transact(Sweep { using, now_micros, limit })
    }
}

impl PostgresEntityStore {
    fn write_alone(&self, write: Write) -> StoreFuture<Option<Record>> {
        let using = Using::new(Arc::clone(&self.table));
        self.database.transact(Writing { using, write, crowded: false })
    }
}

/// Finds the table of an entity.
struct Opening {
    layout: Arc<Layout>,
}

impl Transact for Opening {
    type Output = CurrentTable;

    async fn run(&mut self, connection: &mut Connection) -> Result<CurrentTable, Failure> {
        Ok(CurrentTable::open(connection, Arc::clone(&self.layout)).await?)
    }
}

struct BatchGet {
    using: Using,
    keys: Vec<Key>,
    view: View,
}

impl Transact for BatchGet {
    type Output = Page;

    async fn run(&mut self, connection: &mut Connection) -> Result<Page, Failure> {
        charge(READ_AHEAD)?;
        let table = self.using.table(connection).await?;
        let found = batch_get(&table, connection, &self.keys, self.view).await;
        self.using.settle(found)
    }
}

struct List {
    using: Using,
    query: ListQuery,
}

impl Transact for List {
    type Output = Page;

    async fn run(&mut self, connection: &mut Connection) -> Result<Page, Failure> {
        charge(READ_AHEAD)?;
        let table = self.using.table(connection).await?;
        let page = list(&table, connection, &self.query).await;
        self.using.settle(page)
    }
}

/// All of them as of one moment.
async fn batch_get(
    table: &Table,
    connection: &mut Connection,
    keys: &[Key],
    view: View,
) -> Result<Page, Failure> {
    // A power of two, so that there are few such statements; the last key fills it up.
    let places = keys.len().next_power_of_two();
    let statement = table.statements().get_many(places, view.visibility);
    let values = Values { keys, now_micros: view.now_micros, ..table.values() };
    let mut rows = table.query(&statement, &values)?.fetch(connection);
    let mut by_key = BTreeMap::new();
    let mut read = BatchRead::default();
    let mut more = false;
    // They come in no order. A batch is all or none: any of them say that they are too large.
    while let Some(row) = rows.try_next().await? {
        more = read.is_full();
        if more {
            break;
        }
        let record = table.record(&row)?;
        charge(held_bytes(&record))?;
        read.add(&table.layout, &record);
        by_key.insert(table.layout.key_of(&record), record);
    }
    let records = keys.iter().filter_map(|key| by_key.remove(key)).collect();
    Ok(Page { records, more })
}

async fn list(
    table: &Table,
    connection: &mut Connection,
    query: &ListQuery,
) -> Result<Page, Failure> {
    let (shape, conditions) = query.shape(&table.layout);
    let statement = table.statements().list(&shape);
    let values = Values {
        shape: Some(&shape),
        conditions: &conditions,
        after: query.after.as_deref().unwrap_or_default(),
        now_micros: query.view.now_micros,
        // One more tells whether there is a page after this one.
        limit: query.limit.saturating_add(1),
        ..table.values()
    };
    let mut rows = table.query(&statement, &values)?.fetch(connection);
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        if page.records.len() == query.limit || bytes > BATCH_BYTES {
            page.more = true;
            break;
        }
        let record = table.record(&row)?;
        let held = held_bytes(&record);
        charge(held)?;
        bytes += held;
        page.records.push(record);
    }
    Ok(page)
}

/// A write, as a transaction.
struct Writing {
    using: Using,
    write: Write,
    /// Whether a unique index refused it before: what is in its way is looked for first.
    crowded: bool,
}

impl Transact for Writing {
    type Output = Option<Record>;

    fn subject(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        (&self.using.layout().entity.table, HashedKey(&self.write.key)).hash(&mut hasher);
        Some(hasher.finish())
    }

    async fn run(&mut self, connection: &mut Connection) -> Result<Option<Record>, Failure> {
        if let Some(request) = &self.write.request {
            requests::lock(connection, self.using.layout(), request).await?;
        }
        let table = self.using.table(connection).await?;
        let written = self.write(&table, connection).await;
        self.using.settle(written)
    }
}

impl Writing {
    async fn write(
        &mut self,
        table: &Table,
        connection: &mut Connection,
    ) -> Result<Option<Record>, Failure> {
        let write = &self.write;
        let now = write.command.now_micros;
        if let Some(request) = &write.request {
            let remembered = requests::find(connection, &table.layout, request).await?;
            if let Some(remembered) = remembered.filter(|one| !one.is_forgotten(now)) {
                let current = table.lock(connection, &remembered.key).await?;
                let again = repeat(&table.layout, request, &remembered, current, now)?;
                return Ok(Some(again));
            }
        }
        let current = table.lock(connection, &write.key).await?;
        charge(current.as_ref().map_or(0, held_bytes))?;
        let change = decide(&table.layout, &write.command, current.as_ref())?;
        if self.crowded {
            make_way(table, connection, write, &change).await?;
        }
        if let Err(error) = carry_out(table, connection, write, &change).await {
            return Err(match error {
                // Another record has come in the way, under the key or in an index; the
                // transaction is of no use any more.
                Failure::Database(error) if is_unique_violation(&error) => {
                    self.crowded = true;
                    Failure::Conflict
                }
                error => error,
            });
        }
        if let Some(request) = &write.request {
            requests::remember(connection, &table.layout, request, write).await?;
        }
        Ok(change.into_record())
    }
}

async fn carry_out(
    table: &Table,
    connection: &mut Connection,
    write: &Write,
    change: &Change,
) -> Result<(), Failure> {
    let updating;
    let statement = match change {
        Change::Nothing => return Ok(()),
        Change::Delete(_) => &table.delete,
        Change::Insert(_) => &table.insert,
        Change::Replace(_) => &table.replace,
        Change::Update { columns, .. } => {
            let number = |&position: &usize| table.layout.entity.columns[position].number;
            let numbers: Vec<u32> = columns.iter().map(number).collect();
            if numbers.is_empty() && !table.has_written_at() {
                return Ok(());
            }
            updating = table.statements().update(&numbers);
            &updating
        }
    };
    let values = Values { key: Some(&write.key), record: change.written(), ..table.values() };
    table.query(statement, &values)?.execute(connection).await?;
    Ok(())
}

/// Removes expired rows that hold a unique value; fails where a row has not expired.
async fn make_way(
    table: &Table,
    connection: &mut Connection,
    write: &Write,
    change: &Change,
) -> Result<(), Failure> {
    let Some(record) = change.written() else { return Ok(()) };
    let values = Values { key: Some(&write.key), record: Some(record), ..table.values() };
    for (index, statement) in &table.unique {
        let row = table.query(statement, &values)?.fetch_optional(&mut *connection).await?;
        let Some(other) = row.map(|row| table.record(&row)).transpose()? else { continue };
        if !table.layout.is_expired(&other, write.command.now_micros) {
            return Err(unique_violation(&table.layout, &write.command, *index).into());
        }
        let key = table.layout.key_of(&other);
        let values = Values { key: Some(&key), ..table.values() };
        table.query(&table.delete, &values)?.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Removes expired records and forgotten request ids, at most `limit` of each.
struct Sweep {
    using: Using,
    now_micros: i64,
    limit: usize,
}

impl Transact for Sweep {
    type Output = usize;

    async fn run(&mut self, connection: &mut Connection) -> Result<usize, Failure> {
        let (now_micros, limit) = (self.now_micros, self.limit);
        let forgotten = requests::forget(connection, now_micros, limit).await?;
        let table = self.using.table(connection).await?;
        let swept = sweep(&table, connection, now_micros, limit).await;
        if self.using.is_outdated(&swept) {
            return Err(Failure::Conflict);
        }
        Ok(usize::try_from(forgotten + swept?).unwrap_or(usize::MAX))
    }
}

async fn sweep(
    table: &Table,
    connection: &mut Connection,
    now_micros: i64,
    limit: usize,
) -> Result<u64, Failure> {
    let Some(statement) = &table.sweep else { return Ok(0) };
    let values = Values { now_micros, limit, ..table.values() };
    Ok(table.query(statement, &values)?.execute(connection).await?.rows_affected())
}
