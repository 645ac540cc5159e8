//! Key-value records in SQLite.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Database;
use super::connection::in_one_snapshot;
use super::writer::Part;
use crate::Result;
use crate::keyvalue::decide::{self, Current, Reach, Swap, Version};
use crate::keyvalue::limits::KEY_BYTES;
use crate::keyvalue::page::{Effort, Page, PageRead, Query, StoredItem};
use crate::keyvalue::selection::Selection;
use crate::memory::charge;
use crate::proto::common::ItemMetadata;
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target, content_of,
    too_many_namespaces,
};

/// The item with a key.
const ITEM: &str = "SELECT key, value, expires_at, compression, ttl_seconds, \
    created_at_millis, updated_at_millis \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key = ?3";

/// The items of a record from a key on.
const RECORD: &str = "SELECT key, value, expires_at, compression, ttl_seconds, \
    created_at_millis, updated_at_millis \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key >= ?3 ORDER BY key LIMIT ?4";

/// The items of a record from a key on and before another.
const RECORD_RANGE: &str = "SELECT key, value, expires_at, compression, ttl_seconds, \
    created_at_millis, updated_at_millis \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key >= ?3 AND key < ?5 \
    ORDER BY key LIMIT ?4";

/// The items of a namespace from a record's key on.
const NAMESPACE: &str = "SELECT key, value, expires_at, compression, ttl_seconds, \
    created_at_millis, updated_at_millis, id \
    FROM kv_items WHERE namespace = ?1 AND (id, key) >= (?2, ?3) ORDER BY id, key LIMIT ?4";

/// What a write must know of an item.
const CURRENT: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key = ?3";

/// What a delete must know of the items that it covers.
const COVERED: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis, key
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key >= ?3 AND key < ?4
    ORDER BY key LIMIT ?5";

const STORE: &str = "
    INSERT INTO kv_items (namespace, id, key, token, compression, ttl_seconds, created_at_millis,
                          updated_at_millis, expires_at, removable_at, value)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (namespace, id, key) DO UPDATE SET
        token = excluded.token, compression = excluded.compression,
        ttl_seconds = excluded.ttl_seconds, created_at_millis = excluded.created_at_millis,
        updated_at_millis = excluded.updated_at_millis, expires_at = excluded.expires_at,
        removable_at = excluded.removable_at, value = excluded.value";

const SWEEP: &str = "
    DELETE FROM kv_items WHERE (namespace, id, key) IN
        (SELECT namespace, id, key FROM kv_items WHERE removable_at < ?1 LIMIT ?2)";

/// Namespaces in which nothing is stored, not even a delete that is remembered.
const EMPTY: &str = "
    SELECT namespace FROM kv_namespaces AS known WHERE NOT EXISTS
        (SELECT 1 FROM kv_items AS item WHERE item.namespace = known.namespace) LIMIT ?1";

/// Gives the place of a namespace back, unless it was written to since.
const GIVE_BACK: &str = "
    DELETE FROM kv_namespaces WHERE namespace = ?1 AND NOT EXISTS
        (SELECT 1 FROM kv_items AS item WHERE item.namespace = ?1)";

/// Namespaces that one transaction gives back.
const PLACES: usize = 500;

/// Behind every key, which is at most as long as this is but for one byte.
const LAST_KEY: [u8; KEY_BYTES + 1] = [0xFF; KEY_BYTES + 1];

/// Rows that a covering delete reads before it writes them.
const CHUNK: usize = 1000;

/// How many times that one transaction of it does: about 20 ms, for which other writers wait.
const CHUNKS: u32 = 2;

/// Keys that are looked up on an event loop.
const SHORT_KEYS: usize = 64;

/// Key-value records in a SQLite database.
#[derive(Clone, Debug)]
pub struct KeyValue {
    database: Arc<Database>,
    hasher: RandomState,
}

impl KeyValue {
    /// The records of a database.
    pub fn new(database: Arc<Database>) -> Self {
        KeyValue { database, hasher: RandomState::new() }
    }

    /// What a record is told from others by. Two that have the same wait for each other at times.
    fn record(&self, target: &Target) -> u64 {
        self.hasher.hash_one((&target.namespace, &target.id))
    }
}

impl KeyValueStore for KeyValue {
    fn read(&self, mut read: PageRead) -> StoreFuture<PageRead> {
        let many =
            matches!(&read.query.selection, Selection::Keys(keys) if keys.len() > SHORT_KEYS);
        if !many && !read.page.is_of_scan() {
            read.page.attempt(Effort::SHORT);
            match self.database.read(|connection| fill(connection, &mut read)) {
                Ok(()) if read.page.is_done() => return StoreFuture::ready(Ok(read)),
                Ok(()) => {}
                Err(error) => return StoreFuture::ready(Err(error)),
            }
        }
        // Another snapshot, so what an event loop has read of the page is read again.
        self.database.read_offloaded(move |connection| {
            read.page.attempt(Effort::WHOLE);
            fill(connection, &mut read)?;
            charge(read.page.bytes())?;
            Ok(read)
        })
    }

    fn put(&self, put: RecordPut) -> StoreFuture<()> {
        let bytes = put.items.iter().map(|item| item.key.len() + item.value.len()).sum::<usize>();
        self.database.write_record(self.record(&put.target), bytes as u64, move |connection| {
            Write::new(connection, &put.target).put(&put)
        })
    }

    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>> {
        let record = self.record(&delete.target);
        if let Selection::Keys(keys) = &delete.selection {
            let bytes = keys.iter().map(|key| size_of_val(key) + key.len()).sum::<usize>();
            return self.database.write_record(record, bytes as u64, move |connection| {
                Write::new(connection, &delete.target).delete_named(&delete).map(Some)
            });
        }
        let mut covered = Covered::new(delete);
        self.database.write_in_parts(record, move |connection| covered.delete_next(connection))
    }

    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome> {
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let bytes = length(&swap.expected) + length(&swap.new);
        self.database.write_record(self.record(&swap.target), bytes as u64, move |connection| {
            Write::new(connection, &swap.target).swap(&swap)
        })
    }

    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64> {
        let database = Arc::clone(&self.database);
        StoreFuture::pending(async move {
            let sweep = database.write(move |connection| {
                Ok(connection.prepare_cached(SWEEP)?.execute(params![before, limit])? as u64)
            });
            let swept = sweep.await?;
            if swept < u64::from(limit) {
                give_back(&database).await?;
            }
            Ok(swept)
        })
    }
}

/// Gives back the places of empty namespaces, which are looked for beside the writer.
async fn give_back(database: &Database) -> Result<()> {
    loop {
        let find = database.read_offloaded(|connection| {
            let mut empty = connection.prepare_cached(EMPTY)?;
            let names = empty.query_map([PLACES as i64], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<Vec<String>>>()?)
        });
        let empty = find.await?;
        let is_last = empty.len() < PLACES;
        if !empty.is_empty() {
            let remove = database.write(move |connection| {
                let mut remove = connection.prepare_cached(GIVE_BACK)?;
                empty.iter().try_for_each(|name| remove.execute([name]).map(drop))?;
                Ok(())
            });
            remove.await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

fn fill(connection: &Connection, PageRead { query, page }: &mut PageRead) -> Result<()> {
    match (&query.id, &query.selection) {
        (Some(id), Selection::Keys(keys)) if keys.len() == 1 => {
            fill_keys(connection, query, page, (id, keys))
        }
        // A Put of several items is seen whole.
        (Some(id), Selection::Keys(keys)) => {
            in_one_snapshot(connection, |connection| fill_keys(connection, query, page, (id, keys)))
        }
        (Some(id), _) => fill_record(connection, query, page, id),
        (None, _) => fill_namespace(connection, query, page),
    }
}

fn fill_keys(
    connection: &Connection,
    query: &Query,
    page: &mut Page,
    (id, keys): (&str, &[Vec<u8>]),
) -> Result<()> {
    let first = page.after().map_or(0, |after| keys.partition_point(|key| *key <= after.key));
    let mut statement = connection.prepare_cached(ITEM)?;
    for key in &keys[first..] {
        let mut rows = statement.query(params![query.namespace, id, key])?;
        if let Some(row) = rows.next()?
            && page.offer(query, &stored_item(row, query)?).is_break()
        {
            return Ok(());
        }
    }
    page.end();
    Ok(())
}

fn fill_record(connection: &Connection, query: &Query, page: &mut Page, id: &str) -> Result<()> {
    let (start, end) = query.selection.bounds();
    let from = page.after().map_or_else(|| start.to_vec(), |after| key_after(&after.key));
    let limit = rows_limit(page);
    if let Some(end) = end {
        let mut statement = connection.prepare_cached(RECORD_RANGE)?;
        let rows = statement.query(params![query.namespace, id, from, limit, end])?;
        offer_all(rows, query, page)
    } else {
        let mut statement = connection.prepare_cached(RECORD)?;
        let rows = statement.query(params![query.namespace, id, from, limit])?;
        offer_all(rows, query, page)
    }
}

fn fill_namespace(connection: &Connection, query: &Query, page: &mut Page) -> Result<()> {
    let (id, from) = page.after().map_or_else(
        || (String::new(), Vec::new()),
        |after| (after.id.clone(), key_after(&after.key)),
    );
    let mut statement = connection.prepare_cached(NAMESPACE)?;
    let rows = statement.query(params![query.namespace, id, from, rows_limit(page)])?;
    offer_all(rows, query, page)
}

/// The page stops before the limit is reached, so an end of the rows is the end of what there is.
fn rows_limit(page: &Page) -> i64 {
    i64::from(page.effort_rows()) + 1
}

fn offer_all(mut rows: rusqlite::Rows<'_>, query: &Query, page: &mut Page) -> Result<()> {
    while let Some(row) = rows.next()? {
        if page.offer(query, &stored_item(row, query)?).is_break() {
            return Ok(());
        }
    }
    page.end();
    Ok(())
}

/// The smallest key that is larger.
fn key_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn stored_item<'a>(row: &'a Row<'_>, query: &'a Query) -> rusqlite::Result<StoredItem<'a>> {
    Ok(StoredItem {
        // Only rows of several records say which they are of.
        id: match &query.id {
            Some(id) => id,
            None => row.get_ref(7)?.as_str()?,
        },
        key: row.get_ref(0)?.as_blob()?,
        value: match row.get_ref(1)? {
            ValueRef::Null => None,
            value => Some(value.as_blob()?),
        },
        expires_at: row.get(2)?,
        metadata: ItemMetadata {
            compression: row.get(3)?,
            ttl_seconds: row.get(4)?,
            created_at_millis: row.get(5)?,
            updated_at_millis: row.get(6)?,
        },
    })
}

/// A write to a record, within the writer's transaction.
struct Write<'a> {
    connection: &'a Connection,
    target: &'a Target,
    admitted: bool,
}

impl<'a> Write<'a> {
    fn new(connection: &'a Connection, target: &'a Target) -> Self {
        Write { connection, target, admitted: false }
    }

    fn put(&mut self, put: &RecordPut) -> Result<()> {
        for item in &put.items {
            let current = self.current(&item.key)?;
            if let Some(version) = decide::put(current.as_ref(), content_of(item), &put.stamp) {
                self.store(&item.key, &version, Some(&item.value))?;
            }
        }
        Ok(())
    }

    fn delete_named(&mut self, delete: &RecordDelete) -> Result<u64> {
        let Selection::Keys(keys) = &delete.selection else { return Ok(0) };
        let mut gone = 0;
        for key in keys {
            let current = self.current(key)?;
            gone += self.delete(key, current.as_ref(), (Reach::Named, delete))?;
        }
        Ok(gone)
    }

    fn delete(
        &mut self,
        key: &[u8],
        current: Option<&Current>,
        (reach, delete): (Reach, &RecordDelete),
    ) -> Result<u64> {
        let deletion = decide::delete(current, reach, &delete.stamp);
        if let Some(version) = deletion.version {
            self.store(key, &version, None)?;
        }
        Ok(u64::from(deletion.gone))
    }

    fn swap(&mut self, swap: &ItemSwap) -> Result<SwapOutcome> {
        let current = self.current(&swap.key)?;
        let actual = match &current {
            Some(current) if current.is_visible(swap.stamp.now) => self.value(&swap.key)?,
            _ => None,
        };
        let matches = actual == swap.expected;
        let content = swap.new.is_some().then_some(swap.content);
        match decide::swap(current.as_ref(), matches, content, &swap.stamp) {
            Swap::Fails => {
                charge(actual.as_ref().map_or(0, Vec::len))?;
                return Ok(SwapOutcome::Differs(actual));
            }
            Swap::Succeeds(None) => {}
            Swap::Succeeds(Some(version)) => {
                self.store(&swap.key, &version, swap.new.as_deref())?;
            }
        }
        Ok(SwapOutcome::Swapped)
    }

    fn current(&self, key: &[u8]) -> Result<Option<Current>> {
        let mut statement = self.connection.prepare_cached(CURRENT)?;
        let row = params![self.target.namespace, self.target.id, key];
        Ok(statement.query_row(row, current).optional()?)
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut statement = self.connection.prepare_cached(ITEM)?;
        let row = params![self.target.namespace, self.target.id, key];
        Ok(statement.query_row(row, |row| row.get(1))?)
    }

    fn covered(&self, from: &[u8], end: &[u8]) -> Result<Vec<(Vec<u8>, Current)>> {
        let mut statement = self.connection.prepare_cached(COVERED)?;
        let row = params![self.target.namespace, self.target.id, from, end, CHUNK as i64];
        let rows = statement.query_map(row, |row| Ok((row.get(4)?, current(row)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn store(&mut self, key: &[u8], version: &Version, value: Option<&[u8]>) -> Result<()> {
        self.admit()?;
        let content = version.content.unwrap_or_default();
        self.connection.prepare_cached(STORE)?.execute(params![
            self.target.namespace,
            self.target.id,
            key,
            version.token,
            content.compression,
            content.ttl_seconds,
            version.created_at_millis,
            version.updated_at_millis,
            version.expires_at,
            version.removable_at,
            value,
        ])?;
        Ok(())
    }

    /// Refuses a first write to an undeclared namespace beyond the number allowed.
    fn admit(&mut self) -> Result<()> {
        let Some(max) = self.target.max_namespaces.filter(|_| !self.admitted) else {
            return Ok(());
        };
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM kv_namespaces WHERE namespace = ?1")?
            .exists([&*self.target.namespace])?;
        if !known {
            let count: u64 = self
                .connection
                .prepare_cached("SELECT count(*) FROM kv_namespaces")?
                .query_row([], |row| row.get::<_, i64>(0))?
                .unsigned_abs();
            if count >= max {
                return Err(too_many_namespaces(max));
            }
            self.connection
                .prepare_cached("INSERT INTO kv_namespaces (namespace) VALUES (?1)")?
                .execute([&*self.target.namespace])?;
        }
        self.admitted = true;
        Ok(())
    }
}

/// A delete of all that a predicate covers, in parts.
struct Covered {
    delete: RecordDelete,
    /// The key that the next part begins with.
    from: Vec<u8>,
    gone: u64,
}

impl Covered {
    fn new(delete: RecordDelete) -> Self {
        let from = delete.selection.bounds().0.to_vec();
        Covered { delete, from, gone: 0 }
    }

    fn delete_next(&mut self, connection: &Connection) -> Result<Part<Option<u64>>> {
        let mut write = Write::new(connection, &self.delete.target);
        let end = self.delete.selection.bounds().1.unwrap_or(&LAST_KEY);
        for _ in 0..CHUNKS {
            let covered = write.covered(&self.from, end)?;
            for (key, current) in &covered {
                self.gone += write.delete(key, Some(current), (Reach::Covered, &self.delete))?;
            }
            match covered.last() {
                Some((last, _)) if covered.len() == CHUNK => self.from = key_after(last),
                _ => return Ok(Part::Done(Some(self.gone))),
            }
        }
        Ok(Part::More)
    }
}

fn current(row: &Row<'_>) -> rusqlite::Result<Current> {
    Ok(Current {
        token: row.get(0)?,
        deleted: row.get(1)?,
        expires_at: row.get(2)?,
        created_at_millis: row.get(3)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::sqlite::Options;

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&Options::new(folder.path().join("test.db"))).unwrap();
        let planned_again = database.read(|connection| {
            let mut statement = connection.prepare(RECORD)?;
            for (key, limit) in [(b"a", 1), (b"b", 2), (b"c", 3)] {
                statement.query(params!["test", "1", key, limit])?.next()?;
            }
            Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
        });
        assert_eq!(planned_again.unwrap(), 0);
    }

    #[test]
    fn every_statement_seeks_in_an_index_and_none_sorts() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&Options::new(folder.path().join("test.db"))).unwrap();
        let plan = |sql: &str| {
            database
                .read(|connection| {
                    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let mut rows = statement.raw_query();
                    let mut steps = Vec::new();
                    while let Some(row) = rows.next()? {
                        steps.push(row.get::<_, String>(3)?);
                    }
                    Ok(steps.join("; "))
                })
                .unwrap()
        };
        let key = "USING PRIMARY KEY (namespace=? AND id=? AND key";
        for (sql, expected) in [
            (ITEM, "key=?)"),
            (RECORD, "key>?)"),
            (RECORD_RANGE, "key>? AND key<?)"),
            (CURRENT, "key=?)"),
            (COVERED, "key>? AND key<?)"),
        ] {
            let plan = plan(sql);
            assert!(plan.contains(key) && plan.contains(expected), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("TEMP"), "{plan}");
        }
        let plan_of_scan = plan(NAMESPACE);
        assert!(plan_of_scan.contains("namespace=? AND (id,key)>(?,?)"), "{plan_of_scan}");
        assert!(!plan_of_scan.contains("TEMP"), "{plan_of_scan}");
        let plan_of_sweep = plan(SWEEP);
        assert!(plan_of_sweep.contains("kv_items_removable (removable_at<?)"), "{plan_of_sweep}");
        assert!(!plan_of_sweep.contains("SCAN kv_items"), "{plan_of_sweep}");
    }
}
