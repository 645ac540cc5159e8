//! Key-value records in SQLite.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Database;
use super::connection::in_one_snapshot;
use super::covered::{Covered, finish_part};
use super::sweep::sweep;
use super::unfinished::{Rest, Seen, Unfinished};
use super::writer::Part;
use crate::Result;
use crate::keyvalue::decide::{self, Current, Reach, Stamp, Swap, Version};
use crate::keyvalue::page::{Effort, Page, PageRead, Query, StoredItem};
use crate::keyvalue::selection::Selection;
use crate::memory::charge;
use crate::proto::common::ItemMetadata;
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target, content_of,
    too_many_namespaces,
};

/// The item with a key, as of the time ?4. The value of one that has expired is not read: it may
/// have many pages of its own.
const ITEM: &str = "SELECT key, CASE WHEN expires_at IS NULL OR expires_at > ?4 THEN value END, \
    expires_at, compression, ttl_seconds, created_at_millis, updated_at_millis, token \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key = ?3";

/// The items of a record from a key on.
const RECORD: &str = "SELECT key, CASE WHEN expires_at IS NULL OR expires_at > ?5 THEN value END, \
    expires_at, compression, ttl_seconds, created_at_millis, updated_at_millis, token \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key >= ?3 ORDER BY key LIMIT ?4";

/// The items of a record from a key on and before another.
const RECORD_RANGE: &str = "SELECT key, \
    CASE WHEN expires_at IS NULL OR expires_at > ?5 THEN value END, \
    expires_at, compression, ttl_seconds, created_at_millis, updated_at_millis, token \
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key >= ?3 AND key < ?6 \
    ORDER BY key LIMIT ?4";

/// The items of a namespace from a record's key on.
const NAMESPACE: &str = "SELECT key, \
    CASE WHEN expires_at IS NULL OR expires_at > ?5 THEN value END, \
    expires_at, compression, ttl_seconds, created_at_millis, updated_at_millis, token, id \
    FROM kv_items WHERE namespace = ?1 AND (id, key) >= (?2, ?3) ORDER BY id, key LIMIT ?4";

/// What a write must know of an item.
const CURRENT: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis
    FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key = ?3";

/// What a delete must know of the items that it covers.
const COVERED: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis, key, ifnull(length(value), 0)
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

/// Rows that a covering delete reads before it writes them.
pub(super) const CHUNK: usize = 1000;

/// Bytes of values that one transaction removes, unless one value alone has more: SQLite reads all
/// the pages of a long value to free them.
pub(super) const REMOVED_BYTES: usize = 8 << 20;

/// Keys that are looked up on an event loop.
const SHORT_KEYS: usize = 64;

/// Key-value records in a SQLite database.
#[derive(Clone, Debug)]
pub struct KeyValue {
    database: Arc<Database>,
}

impl KeyValue {
    /// The records of a database.
    pub fn new(database: Arc<Database>) -> Self {
        KeyValue { database }
    }

    /// Writes to a record, in one part unless an earlier Delete of the record has something left to
    /// do. `bytes` are those that the command holds.
    fn write<C, T>(
        &self,
        (bytes, command): (usize, C),
        target: impl Fn(&C) -> &Target + Send + 'static,
        work: impl Fn(&mut Write<'_>, &C) -> Result<T> + Send + 'static,
    ) -> StoreFuture<T>
    where
        C: Send + 'static,
        T: Send + 'static,
    {
        let unfinished = Arc::clone(self.database.unfinished());
        let record = record(&unfinished, target(&command));
        self.database.write_in_parts(record, bytes as u64, move |connection| {
            let target = target(&command);
            if finish_part(&unfinished, connection, target)? {
                return Ok(Part::More);
            }
            work(&mut Write::new(connection, target), &command).map(Part::Done)
        })
    }
}

pub(super) fn record(unfinished: &Unfinished, target: &Target) -> u64 {
    unfinished.record(&target.namespace, &target.id)
}

impl KeyValueStore for KeyValue {
    fn read(&self, mut read: PageRead) -> StoreFuture<PageRead> {
        let many =
            matches!(&read.query.selection, Selection::Keys(keys) if keys.len() > SHORT_KEYS);
        let unfinished = self.database.unfinished();
        if !many && !read.page.is_of_scan() {
            let seen = unfinished.observe();
            let attempt = self
                .database
                .read(|connection| fill(connection, &mut read, Effort::SHORT, (unfinished, seen)));
            match attempt {
                Ok(()) if read.page.is_done() => return StoreFuture::ready(Ok(read)),
                Ok(()) => {}
                Err(error) => return StoreFuture::ready(Err(error)),
            }
        }
        // Another snapshot, so what an event loop has read of the page is read again.
        let unfinished = Arc::clone(unfinished);
        self.database.read_offloaded(move |connection| {
            let seen = unfinished.observe();
            fill(connection, &mut read, Effort::WHOLE, (&unfinished, seen))?;
            charge(read.page.bytes())?;
            Ok(read)
        })
    }

    fn put(&self, put: RecordPut) -> StoreFuture<()> {
        let bytes = put.items.iter().map(|item| item.key.len() + item.value.len()).sum::<usize>();
        self.write((bytes, put), |put| &put.target, |write, put| write.put(put))
    }

    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>> {
        if let Selection::Keys(keys) = &delete.selection {
            let bytes = keys.iter().map(|key| size_of_val(key) + key.len()).sum::<usize>();
            return self.write(
                (bytes, delete),
                |delete| &delete.target,
                |write, delete| write.delete_named(delete).map(Some),
            );
        }
        let unfinished = self.database.unfinished();
        let record = record(unfinished, &delete.target);
        let mut covered = Covered::new(delete, Arc::clone(unfinished));
        self.database.write_in_parts(record, 0, move |connection| covered.delete_next(connection))
    }

    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome> {
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        let bytes = length(&swap.expected) + length(&swap.new);
        self.write((bytes, swap), |swap| &swap.target, |write, swap| write.swap(swap))
    }

    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64> {
        let database = Arc::clone(&self.database);
        StoreFuture::pending(async move { sweep(&database, before, limit).await })
    }
}

/// Fills the page with what there is of a query, as of one moment. `seen` was observed before.
fn fill(
    connection: &Connection,
    PageRead { query, page }: &mut PageRead,
    effort: Effort,
    (unfinished, seen): (&Unfinished, Seen),
) -> Result<()> {
    page.attempt(effort);
    if seen.is_none() {
        Reading { connection, query, deletes: &[] }.fill(page)?;
        if unfinished.is_as(seen) {
            return Ok(());
        }
        page.attempt(effort);
    }
    in_one_snapshot(connection, |connection| {
        let deletes = match &query.id {
            Some(id) => Rest::of_record(connection, &query.namespace, id)?.into_iter().collect(),
            None => Rest::of_namespace(connection, &query.namespace)?,
        };
        Reading { connection, query, deletes: &deletes }.fill(page)
    })
}

/// A read of a page.
struct Reading<'a> {
    connection: &'a Connection,
    query: &'a Query,
    /// Deletes that are made, with what is left to do of them in the same snapshot.
    deletes: &'a [Rest],
}

impl Reading<'_> {
    fn fill(&self, page: &mut Page) -> Result<()> {
        match (&self.query.id, &self.query.selection) {
            (Some(id), Selection::Keys(keys)) if keys.len() == 1 => self.keys(page, (id, keys)),
            // A Put of several items is seen whole.
            (Some(id), Selection::Keys(keys)) => {
                in_one_snapshot(self.connection, |_| self.keys(page, (id, keys)))
            }
            (Some(id), _) => self.record(page, id),
            (None, _) => self.namespace(page),
        }
    }

    fn keys(&self, page: &mut Page, (id, keys): (&str, &[Vec<u8>])) -> Result<()> {
        let first = page.after().map_or(0, |after| keys.partition_point(|key| *key <= after.key));
        let mut statement = self.connection.prepare_cached(ITEM)?;
        for key in &keys[first..] {
            let mut rows =
                statement.query(params![self.query.namespace, id, key, self.query.now])?;
            if let Some(row) = rows.next()?
                && page.offer(self.query, &self.item(row)?).is_break()
            {
                return Ok(());
            }
        }
        page.end();
        Ok(())
    }

    fn record(&self, page: &mut Page, id: &str) -> Result<()> {
        let (namespace, now) = (&self.query.namespace, self.query.now);
        let (start, end) = self.query.selection.bounds();
        let from = page.after().map_or_else(|| start.to_vec(), |after| key_after(&after.key));
        let limit = rows_limit(page);
        if let Some(end) = end {
            let mut statement = self.connection.prepare_cached(RECORD_RANGE)?;
            let rows = statement.query(params![namespace, id, from, limit, now, end])?;
            self.offer_all(rows, page)
        } else {
            let mut statement = self.connection.prepare_cached(RECORD)?;
            let rows = statement.query(params![namespace, id, from, limit, now])?;
            self.offer_all(rows, page)
        }
    }

    fn namespace(&self, page: &mut Page) -> Result<()> {
        let (id, from) = page.after().map_or_else(
            || (String::new(), Vec::new()),
            |after| (after.id.clone(), key_after(&after.key)),
        );
        let mut statement = self.connection.prepare_cached(NAMESPACE)?;
        let (namespace, limit, now) = (&self.query.namespace, rows_limit(page), self.query.now);
        let rows = statement.query(params![namespace, id, from, limit, now])?;
        self.offer_all(rows, page)
    }

    fn offer_all(&self, mut rows: rusqlite::Rows<'_>, page: &mut Page) -> Result<()> {
        while let Some(row) = rows.next()? {
            if page.offer(self.query, &self.item(row)?).is_break() {
                return Ok(());
            }
        }
        page.end();
        Ok(())
    }

    fn item<'r>(&'r self, row: &'r Row<'_>) -> rusqlite::Result<StoredItem<'r>> {
        let mut item = stored_item(row, self.query)?;
        if !self.deletes.is_empty() && self.is_deleted(row, &item)? {
            item.value = None;
        }
        Ok(item)
    }

    /// Whether a Delete that is made deletes an item that is still there.
    fn is_deleted(&self, row: &Row<'_>, item: &StoredItem<'_>) -> rusqlite::Result<bool> {
        let current = Current {
            token: row.get(7)?,
            deleted: item.value.is_none(),
            expires_at: item.expires_at,
            created_at_millis: item.metadata.created_at_millis,
        };
        let mut of_record = self.deletes.iter().filter(|rest| rest.id == item.id);
        Ok(of_record.any(|rest| rest.deletes(item.key, &current)))
    }
}

/// The page stops before the limit is reached, so an end of the rows is the end of what there is.
fn rows_limit(page: &Page) -> i64 {
    i64::from(page.effort_rows()) + 1
}

/// The smallest key that is larger.
pub(super) fn key_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn stored_item<'a>(row: &'a Row<'_>, query: &'a Query) -> rusqlite::Result<StoredItem<'a>> {
    Ok(StoredItem {
        // Only rows of several records say which they are of.
        id: match &query.id {
            Some(id) => id,
            None => row.get_ref(8)?.as_str()?,
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

/// An item that a Delete covers.
pub(super) struct CoveredItem {
    pub(super) key: Vec<u8>,
    pub(super) current: Current,
    /// Length of the value.
    pub(super) bytes: u32,
}

/// A write to a record, within the writer's transaction.
pub(super) struct Write<'a> {
    connection: &'a Connection,
    target: &'a Target,
    admitted: bool,
}

impl<'a> Write<'a> {
    pub(super) fn new(connection: &'a Connection, target: &'a Target) -> Self {
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
            gone += self.delete(key, current.as_ref(), (Reach::Named, &delete.stamp))?;
        }
        Ok(gone)
    }

    pub(super) fn delete(
        &mut self,
        key: &[u8],
        current: Option<&Current>,
        (reach, stamp): (Reach, &Stamp),
    ) -> Result<u64> {
        let deletion = decide::delete(current, reach, stamp);
        if let Some(version) = deletion.version {
            self.store(key, &version, None)?;
        }
        Ok(u64::from(deletion.gone))
    }

    fn swap(&mut self, swap: &ItemSwap) -> Result<SwapOutcome> {
        let current = self.current(&swap.key)?;
        let actual = match &current {
            Some(current) if current.is_visible(swap.stamp.now) => {
                self.value(&swap.key, swap.stamp.now)?
            }
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

    fn value(&self, key: &[u8], now: i64) -> Result<Option<Vec<u8>>> {
        let mut statement = self.connection.prepare_cached(ITEM)?;
        let row = params![self.target.namespace, self.target.id, key, now];
        Ok(statement.query_row(row, |row| row.get(1))?)
    }

    /// Up to [`CHUNK`] items from a key on and before another.
    pub(super) fn covered(&self, from: &[u8], end: &[u8]) -> Result<Vec<CoveredItem>> {
        let mut statement = self.connection.prepare_cached(COVERED)?;
        let row = params![self.target.namespace, self.target.id, from, end, CHUNK as i64];
        let rows = statement.query_map(row, |row| {
            Ok(CoveredItem { key: row.get(4)?, current: current(row)?, bytes: row.get(5)? })
        })?;
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
                statement.query(params!["test", "1", key, limit, 0])?.next()?;
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
        let plan_of_sweep = plan(super::super::sweep::REMOVABLE);
        assert!(plan_of_sweep.contains("kv_items_removable (removable_at<?)"), "{plan_of_sweep}");
        assert!(!plan_of_sweep.contains("SCAN kv_items"), "{plan_of_sweep}");
    }
}
