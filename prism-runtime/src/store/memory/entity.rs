//! Entities in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::entity::decide::{Change, Remembered, RequestScope, decide, repeat, unique_violation};
use crate::entity::layout::{Layout, State};
use crate::entity::record::{Key, Record, compare};
use crate::memory::charge;
use crate::schema::plan::Comparison;
use crate::schema::sql::Visibility;
use crate::schema::{Index, Value};
use crate::store::StoreFuture;
use crate::store::entity::{
    BATCH_BYTES, BatchRead, EntityBackend, EntityStore, Filter, ListQuery, Page, View, Write,
    held_bytes,
};
use crate::{Error, Result};

/// Entities that are lost with the process.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryEntities;

impl EntityBackend for MemoryEntities {
    fn open(&self, layout: Arc<Layout>) -> Result<Arc<dyn EntityStore>> {
        Ok(Arc::new(MemoryEntityStore { layout, state: Mutex::default() }))
    }
}

/// The records of one entity, by key. One lock: every call is short.
struct MemoryEntityStore {
    layout: Arc<Layout>,
    state: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    records: BTreeMap<Key, Record>,
    requests: HashMap<RequestScope, Remembered>,
}

impl EntityStore for MemoryEntityStore {
    fn get(&self, key: Key, view: View) -> StoreFuture<Option<Record>> {
        let rows = self.lock();
        let found = rows.records.get(&key).filter(|record| self.sees(view, record));
        StoreFuture::ready(found.map(counted).transpose())
    }

    fn batch_get(&self, keys: Vec<Key>, view: View) -> StoreFuture<Page> {
        let rows = self.lock();
        let mut batch = Page::default();
        let mut read = BatchRead::default();
        for record in keys.iter().filter_map(|key| rows.records.get(key)) {
            if !self.sees(view, record) {
                continue;
            }
            if read.is_full() {
                batch.more = true;
                break;
            }
            read.add(&self.layout, record);
            match counted(record) {
                Ok(record) => batch.records.push(record),
                Err(error) => return StoreFuture::ready(Err(error)),
            }
        }
        StoreFuture::ready(Ok(batch))
    }

    fn list(&self, query: ListQuery) -> StoreFuture<Page> {
        let rows = self.lock();
        let after = |record: &Record| match &query.after {
            Some(after) => self.order(&query.order, record, |at, _| &after[at]).is_gt(),
            None => true,
        };
        let mut found: Vec<&Record> = rows
            .records
            .values()
            .filter(|record| self.sees(query.view, record))
            .filter(|record| query.conditions.iter().all(|filter| meets(filter, record)))
            .filter(|record| after(record))
            .collect();
        let order = |one: &&Record, two: &&Record| {
            self.order(&query.order, one, |_, column| &two.0[column])
        };
        // The lock is held: no more is sorted than the page takes, and tells that there is more.
        if found.len() > query.limit.saturating_add(1) {
            found.select_nth_unstable_by(query.limit, order);
            found.truncate(query.limit + 1);
        }
        found.sort_by(order);
        let mut page = Page::default();
        let mut bytes = 0;
        for record in found {
            if page.records.len() == query.limit || bytes > BATCH_BYTES {
                page.more = true;
                break;
            }
            bytes += held_bytes(record);
            match counted(record) {
                Ok(record) => page.records.push(record),
                Err(error) => return StoreFuture::ready(Err(error)),
            }
        }
        StoreFuture::ready(Ok(page))
    }

    fn write(&self, write: Write) -> StoreFuture<Option<Record>> {
        StoreFuture::ready(self.apply(&mut self.lock(), &write))
    }

    fn sweep(&self, now_micros: i64, limit: usize) -> StoreFuture<usize> {
        let mut rows = self.lock();
        let expired = |(_, record): &(&Key, &Record)| self.layout.is_expired(record, now_micros);
        let keys: Vec<Key> =
            rows.records.iter().filter(expired).take(limit).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            rows.records.remove(key);
        }
        let scopes: Vec<RequestScope> = rows
            .requests
            .iter()
            .filter(|(_, request)| request.is_forgotten(now_micros))
            .take(limit)
            .map(|(scope, _)| scope.clone())
            .collect();
        for scope in &scopes {
            rows.requests.remove(scope);
        }
        StoreFuture::ready(Ok(keys.len() + scopes.len()))
    }
}

/// A copy of a record, counted for the present call before it is made.
fn counted(record: &Record) -> Result<Record> {
    charge(held_bytes(record))?;
    Ok(record.clone())
}

impl MemoryEntityStore {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        // Every change is made whole, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sees(&self, view: View, record: &Record) -> bool {
        match (view.visibility, self.layout.state(Some(record), view.now_micros)) {
            (Visibility::All, _) => true,
            (_, state) => {
                state == State::Live
                    || (state == State::Deleted && view.visibility == Visibility::Kept)
            }
        }
    }

    /// How a record stands to other values of the columns of an order.
    fn order<'a>(
        &self,
        order: &[(usize, bool)],
        record: &Record,
        other: impl Fn(usize, usize) -> &'a Value,
    ) -> Ordering {
        let terms = order.iter().enumerate().map(|(at, &(column, descending))| {
            let order = compare(&record.0[column], other(at, column));
            if descending { order.reverse() } else { order }
        });
        terms.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    fn apply(&self, rows: &mut Rows, write: &Write) -> Result<Option<Record>> {
        let now = write.command.now_micros;
        if let Some(request) = &write.request
            && let Some(remembered) = rows.requests.get(&request.scope)
            && !remembered.is_forgotten(now)
        {
            let current = rows.records.get(&remembered.key).cloned();
            return repeat(&self.layout, request, remembered, current, now).map(Some);
        }
        let change = decide(&self.layout, &write.command, rows.records.get(&write.key))?;
        if let Some(record) = change.written() {
            for key in self.in_the_way(rows, write, record)? {
                rows.records.remove(&key);
            }
        }
        match &change {
            Change::Nothing => {}
            Change::Delete(_) => drop(rows.records.remove(&write.key)),
            Change::Insert(record) | Change::Replace(record) | Change::Update { record, .. } => {
                rows.records.insert(write.key.clone(), record.clone());
            }
        }
        if let Some(request) = &write.request {
            let remembered = Remembered {
                content: request.content,
                key: write.key.clone(),
                created_micros: now,
            };
            rows.requests.insert(request.scope.clone(), remembered);
        }
        Ok(change.into_record())
    }

    /// Expired records that hold a unique value; an error where one holds it that has not.
    fn in_the_way(&self, rows: &Rows, write: &Write, record: &Record) -> Result<Vec<Key>> {
        let mut expired = Vec::new();
        for (position, index) in self.layout.entity.indexes.iter().enumerate() {
            let Some(values) = unique_values(&self.layout, index, record) else { continue };
            for (key, other) in &rows.records {
                if *key == write.key
                    || unique_values(&self.layout, index, other) != Some(values.clone())
                {
                    continue;
                }
                if !self.layout.is_expired(other, write.command.now_micros) {
                    return Err::<_, Error>(unique_violation(
                        &self.layout,
                        &write.command,
                        position,
                    ));
                }
                expired.push(key.clone());
            }
        }
        Ok(expired)
    }
}

/// What a record takes part in a unique index with: nothing where it is deleted or a column is
/// NULL.
fn unique_values<'a>(layout: &Layout, index: &Index, record: &'a Record) -> Option<Vec<&'a Value>> {
    if !index.unique || layout.is_deleted(record) {
        return None;
    }
    let value = |number: u32| layout.entity.position(number).map(|position| &record.0[position]);
    let values: Vec<&Value> = index.columns.iter().filter_map(|c| value(c.number)).collect();
    values.iter().all(|value| !value.is_null()).then_some(values)
}

fn meets(filter: &Filter, record: &Record) -> bool {
    let value = &record.0[filter.position];
    if value.is_null() {
        return false;
    }
    let holds = |other: &Value| match filter.comparison {
        Comparison::Equals | Comparison::AnyOf => compare(value, other).is_eq(),
        Comparison::AtLeast => compare(value, other).is_ge(),
        Comparison::LessThan => compare(value, other).is_lt(),
        Comparison::Prefix => match (value, other) {
            (Value::Text(text), Value::Text(prefix)) => text.starts_with(prefix.as_str()),
            (Value::Blob(bytes), Value::Blob(prefix)) => bytes.starts_with(prefix),
            _ => false,
        },
    };
    filter.values.iter().any(holds)
}
