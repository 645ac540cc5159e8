//! Key-value records in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::runtime::Handle;

use crate::keyvalue::decide::{self, Current, Reach, Stamp, Swap, Version};
use crate::keyvalue::page::{Effort, Page, PageRead, Query, StoredItem};
use crate::keyvalue::selection::Selection;
use crate::proto::common::ItemMetadata;
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target, content_of,
    too_many_namespaces,
};
use crate::{Error, Result};

/// Key-value records in memory: gone with the process.
#[derive(Debug, Default)]
pub struct KeyValue {
    data: Arc<RwLock<Data>>,
}

/// Rows that a read looks at on its caller's event loop, whatever they hold.
const INLINE: Effort = Effort::rows(10_000);

#[derive(Debug, Default)]
struct Data {
    namespaces: BTreeMap<String, BTreeMap<String, Record>>,
    /// Namespaces that were written to without having been declared.
    undeclared: BTreeSet<String>,
}

type Record = BTreeMap<Vec<u8>, Row>;

#[derive(Debug)]
struct Row {
    version: Version,
    value: Vec<u8>,
}

impl KeyValue {
    /// An empty store.
    pub fn new() -> Self {
        KeyValue::default()
    }

    fn reading(&self) -> RwLockReadGuard<'_, Data> {
        self.data.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> RwLockWriteGuard<'_, Data> {
        self.data.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyValueStore for KeyValue {
    fn read(&self, mut read: PageRead) -> StoreFuture<PageRead> {
        read.page.attempt(INLINE);
        fill(&self.reading(), &mut read);
        if read.page.is_done() {
            return StoreFuture::ready(Ok(read));
        }
        let data = Arc::clone(&self.data);
        let whole = move || {
            read.page.attempt(Effort::WHOLE);
            fill(&data.read().unwrap_or_else(PoisonError::into_inner), &mut read);
            read
        };
        match Handle::try_current() {
            Ok(runtime) => {
                let reading = runtime.spawn_blocking(whole);
                StoreFuture::pending(async move { reading.await.map_err(Error::internal) })
            }
            Err(_) => StoreFuture::ready(Ok(whole())),
        }
    }

    fn put(&self, put: RecordPut) -> StoreFuture<()> {
        let mut data = self.writing();
        if let Err(error) = data.admit(&put.target) {
            return StoreFuture::ready(Err(error));
        }
        let record = data.record(&put.target);
        for item in put.items {
            let current = record.get(&item.key).map(Row::current);
            if let Some(version) = decide::put(current.as_ref(), content_of(&item), &put.stamp) {
                record.insert(item.key, Row { version, value: item.value });
            }
        }
        StoreFuture::ready(Ok(()))
    }

    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>> {
        let mut data = self.writing();
        let gone = match &delete.selection {
            Selection::Keys(keys) => data.delete_named(&delete.target, keys, &delete.stamp),
            covering => Ok(data.delete_covered(&delete.target, covering, &delete.stamp)),
        };
        StoreFuture::ready(gone.map(Some))
    }

    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome> {
        StoreFuture::ready(self.writing().swap(swap))
    }

    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64> {
        let mut data = self.writing();
        let mut left = u64::from(limit);
        for records in data.namespaces.values_mut() {
            for record in records.values_mut() {
                if left == 0 {
                    return StoreFuture::ready(Ok(u64::from(limit)));
                }
                record.retain(|_, row| {
                    let removed =
                        left > 0 && row.version.removable_at.is_some_and(|at| at < before);
                    left -= u64::from(removed);
                    !removed
                });
            }
            records.retain(|_, record| !record.is_empty());
        }
        let Data { namespaces, undeclared } = &mut *data;
        namespaces.retain(|_, records| !records.is_empty());
        undeclared.retain(|namespace| namespaces.contains_key(namespace));
        StoreFuture::ready(Ok(u64::from(limit) - left))
    }
}

impl Data {
    /// Refuses a first write to an undeclared namespace beyond the number allowed.
    fn admit(&mut self, target: &Target) -> Result<()> {
        let Some(max) = target.max_namespaces else { return Ok(()) };
        if self.undeclared.contains(&*target.namespace) {
            return Ok(());
        }
        if self.undeclared.len() as u64 >= max {
            return Err(too_many_namespaces(max));
        }
        self.undeclared.insert(target.namespace.to_string());
        Ok(())
    }

    fn record(&mut self, target: &Target) -> &mut Record {
        self.namespaces
            .entry(target.namespace.to_string())
            .or_default()
            .entry(target.id.clone())
            .or_default()
    }

    fn stored(&self, target: &Target) -> Option<&Record> {
        self.namespaces.get(&*target.namespace)?.get(&target.id)
    }

    fn delete_named(&mut self, target: &Target, keys: &[Vec<u8>], stamp: &Stamp) -> Result<u64> {
        self.admit(target)?;
        let record = self.record(target);
        let mut gone = 0;
        for key in keys {
            let current = record.get(key).map(Row::current);
            let deletion = decide::delete(current.as_ref(), Reach::Named, stamp);
            if let Some(version) = deletion.version {
                record.insert(key.clone(), Row { version, value: Vec::new() });
            }
            gone += u64::from(deletion.gone);
        }
        Ok(gone)
    }

    fn delete_covered(&mut self, target: &Target, selection: &Selection, stamp: &Stamp) -> u64 {
        if self.stored(target).is_none() {
            return 0;
        }
        let mut gone = 0;
        let (start, end) = selection.bounds();
        let range = (Bound::Included(start), end.map_or(Bound::Unbounded, Bound::Excluded));
        if end.is_some_and(|end| end <= start) {
            return 0;
        }
        for (key, row) in self.record(target).range_mut::<[u8], _>(range) {
            if selection.contains(key) {
                let deletion = decide::delete(Some(&row.current()), Reach::Covered, stamp);
                if let Some(version) = deletion.version {
                    *row = Row { version, value: Vec::new() };
                }
                gone += u64::from(deletion.gone);
            }
        }
        gone
    }

    fn swap(&mut self, swap: ItemSwap) -> Result<SwapOutcome> {
        let row = self.stored(&swap.target).and_then(|record| record.get(&swap.key));
        let current = row.map(Row::current);
        let visible = row.filter(|row| row.current().is_visible(swap.stamp.now));
        let actual = visible.map(|row| row.value.as_slice());
        let matches = actual == swap.expected.as_deref();
        let content = swap.new.is_some().then_some(swap.content);
        match decide::swap(current.as_ref(), matches, content, &swap.stamp) {
            Swap::Fails => Ok(SwapOutcome::Differs(actual.map(<[u8]>::to_vec))),
            Swap::Succeeds(None) => Ok(SwapOutcome::Swapped),
            Swap::Succeeds(Some(version)) => {
                self.admit(&swap.target)?;
                let value = swap.new.unwrap_or_default();
                self.record(&swap.target).insert(swap.key, Row { version, value });
                Ok(SwapOutcome::Swapped)
            }
        }
    }
}

impl Row {
    fn current(&self) -> Current {
        Current {
            token: self.version.token,
            deleted: self.version.content.is_none(),
            expires_at: self.version.expires_at,
            created_at_millis: self.version.created_at_millis,
        }
    }

    fn item<'a>(&'a self, id: &'a str, key: &'a [u8]) -> StoredItem<'a> {
        let content = self.version.content.unwrap_or_default();
        StoredItem {
            id,
            key,
            value: self.version.content.map(|_| self.value.as_slice()),
            expires_at: self.version.expires_at,
            metadata: ItemMetadata {
                compression: content.compression,
                ttl_seconds: content.ttl_seconds,
                created_at_millis: self.version.created_at_millis,
                updated_at_millis: self.version.updated_at_millis,
            },
        }
    }
}

fn fill(data: &Data, read: &mut PageRead) {
    let PageRead { query, page } = read;
    if data.namespaces.get(&query.namespace).is_none_or(|records| offer_all(records, query, page)) {
        page.end();
    }
}

/// Offers rows; tells whether the page wants more.
fn offer_all(records: &BTreeMap<String, Record>, query: &Query, page: &mut Page) -> bool {
    let after = page.after().cloned();
    let after_key = after.as_ref().map(|position| position.key.as_slice());
    if let Some(id) = &query.id {
        return records.get(id).is_none_or(|record| offer(query, page, (id, record), after_key));
    }
    let first = after.as_ref().map_or("", |position| position.id.as_str());
    let mut records = records.range::<str, _>((Bound::Included(first), Bound::Unbounded));
    records.all(|(id, record)| {
        let after_key = after_key.filter(|_| id == first);
        offer(query, page, (id, record), after_key)
    })
}

/// Offers the rows of a record after a key; tells whether the page wants more.
fn offer(
    query: &Query,
    page: &mut Page,
    (id, record): (&str, &Record),
    after: Option<&[u8]>,
) -> bool {
    if let Selection::Keys(keys) = &query.selection {
        let mut keys = keys.iter().filter(|key| after.is_none_or(|after| key.as_slice() > after));
        let mut rows = keys.by_ref().filter_map(|key| record.get_key_value(key));
        return rows.all(|(key, row)| page.offer(query, &row.item(id, key)).is_continue());
    }
    let (start, end) = query.selection.bounds();
    let start = match after {
        Some(after) if after >= start => Bound::Excluded(after),
        _ => Bound::Included(start),
    };
    let mut rows = record.range::<[u8], _>((start, Bound::Unbounded));
    let mut rows = rows.by_ref().take_while(|(key, _)| end.is_none_or(|end| key.as_slice() < end));
    rows.all(|(key, row)| page.offer(query, &row.item(id, key)).is_continue())
}
