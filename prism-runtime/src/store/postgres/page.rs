//! Pages of items that take a statement of their own, or several.
//!
//! A page is one snapshot. Most are one statement, which is one by itself. A page of more rows than
//! that reads is read again, through a cursor, which is one however often it is fetched from.

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{AssertSqlSafe, Postgres, raw_sql};

use super::connection::Connection;
use super::database::Transact;
use super::error::Failure;
use super::items::{LAST_KEY, key_after};
use super::keyvalue::stored_item;
use crate::keyvalue::limits::{KEY_BYTES, PAGE_BYTES};
use crate::keyvalue::page::{Effort, PageRead, Query, StoredItem};
use crate::keyvalue::selection::Selection;
use crate::memory::{READ_AHEAD, charge};
use crate::{Error, Result};

/// Rows that one statement reads.
const ROWS: u64 = 10_001;

/// Rows that are fetched from a cursor at a time.
const FETCHED: usize = 1_000;

/// From how many bytes before it on a row is not read: more than a page holds, whatever is first
/// on it.
const READ_BYTES: usize = PAGE_BYTES + 2 * KEY_BYTES;

/// What an item takes on a page beside its names and its value, at least: the statements have the
/// same number.
const ITEM_BYTES: usize = 4;

/// Items that can be seen, in their order, with the bytes that those before each take on a page at
/// least. Deleted and expired ones are passed over by the server, however many they are.
macro_rules! items {
    ($names:literal, $condition:literal) => {
        concat!(
            " FROM (SELECT *, coalesce(sum(octet_length(value) + ",
            $names,
            " + 4) OVER (ORDER BY id, key ",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before ",
            "FROM (SELECT * FROM kv_items WHERE namespace = $1 AND value IS NOT NULL ",
            "AND (expires_at IS NULL OR expires_at > $2) AND ",
            $condition,
            " ORDER BY id, key LIMIT $4) AS item) AS item"
        )
    };
}

/// The statements that read some items.
struct Statements {
    /// Up to a number of rows, and until they have so many bytes.
    once: &'static str,
    /// All rows, without the values of those that have more bytes before them.
    declare: &'static str,
}

macro_rules! statements {
    ($id:literal, $names:literal, $condition:literal) => {
        Statements {
            once: concat!(
                "SELECT ",
                $id,
                ", key, value, expires_at, compression, ttl_seconds, ",
                "created_at_millis, updated_at_millis",
                items!($names, $condition),
                " WHERE before < $3 ORDER BY id, key"
            ),
            declare: concat!(
                "DECLARE prism_page NO SCROLL CURSOR FOR SELECT ",
                $id,
                ", key, CASE WHEN before < $3 THEN value END AS value, expires_at, compression, ",
                "ttl_seconds, created_at_millis, updated_at_millis",
                items!($names, $condition),
                " ORDER BY id, key"
            ),
        }
    };
}

/// Items of one record, whose id is known.
macro_rules! of_record {
    ($condition:literal) => {
        statements!("''::bytea AS known", "octet_length(key)", $condition)
    };
}

/// Items of any record, each with its id.
macro_rules! of_namespace {
    ($condition:literal) => {
        statements!("id", "octet_length(id) + octet_length(key)", $condition)
    };
}

const KEYS: Statements = of_record!("id = $5 AND key = ANY($6)");
const RECORD: Statements = of_record!("id = $5 AND key >= $6 AND key < $7");
const NAMESPACE: Statements = of_namespace!("(id, key) >= ($5, $6) AND key >= $7 AND key < $8");
const NAMESPACE_KEYS: Statements = of_namespace!("(id, key) >= ($5, $6) AND key = ANY($7)");

/// Reads a page.
pub(super) struct Fill {
    /// `None` once it was answered with.
    read: Option<PageRead>,
}

impl Fill {
    pub(super) fn new(read: PageRead) -> Self {
        Fill { read: Some(read) }
    }
}

impl Transact for Fill {
    type Output = PageRead;

    async fn run(&mut self, connection: &mut Connection) -> Result<PageRead, Failure> {
        if let Some(read) = &mut self.read {
            charge(READ_AHEAD)?;
            fill(connection, read).await?;
            charge(read.page.bytes())?;
        }
        self.read.take().ok_or_else(|| Error::internal("a page was read twice").into())
    }
}

async fn fill(connection: &mut Connection, read: &mut PageRead) -> sqlx::Result<()> {
    read.page.attempt(Effort::WHOLE);
    if at_once(connection, read).await? {
        return Ok(());
    }
    read.page.attempt(Effort::WHOLE);
    if !connection.prepares() {
        // Everything runs in a transaction.
        return fetch(connection, read).await;
    }
    let mut transaction = connection.begin().await?;
    fetch(&mut transaction, read).await?;
    transaction.rollback().await
}

/// Reads the page with one statement. Answers whether that was enough.
async fn at_once(connection: &mut Connection, read: &mut PageRead) -> sqlx::Result<bool> {
    let limit = read.page.most_rows().min(ROWS);
    let mut rows = bind(read, limit, |of| of.once).fetch(connection);
    let PageRead { query, page } = read;
    let (mut count, mut bytes, mut closed) = (0, 0, false);
    while let Some(row) = rows.try_next().await? {
        let item = stored_item(&row)?;
        count += 1;
        bytes += item.id.len() + item.key.len() + item.value.map_or(0, <[u8]>::len) + ITEM_BYTES;
        closed = closed || page.offer(query, &of_record(query, item)).is_break();
    }
    let is_end = !closed && count < limit && bytes < READ_BYTES;
    if is_end {
        page.end();
    }
    Ok(closed || is_end)
}

/// The item with its id, which is not read again for each item of a record.
fn of_record<'a>(query: &'a Query, item: StoredItem<'a>) -> StoredItem<'a> {
    StoredItem { id: query.id.as_deref().unwrap_or(item.id), ..item }
}

/// Reads the page through a cursor, in a transaction.
async fn fetch(connection: &mut Connection, read: &mut PageRead) -> sqlx::Result<()> {
    // In the order of the key's index: a plan that sorts would read all before the first row.
    let plan = "SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; \
                SET LOCAL enable_bitmapscan = off";
    raw_sql(plan).execute(&mut *connection).await?;
    let limit = i64::MAX.unsigned_abs();
    bind(read, limit, |of| of.declare).persistent(false).execute(&mut *connection).await?;
    let fetch = format!("FETCH {FETCHED} FROM prism_page");
    loop {
        let rows = sqlx::query(AssertSqlSafe(fetch.clone())).persistent(false);
        let rows: Vec<PgRow> = rows.fetch_all(&mut *connection).await?;
        let PageRead { query, page } = &mut *read;
        for row in &rows {
            let item = stored_item(row)?;
            // One without a value stands behind more than a page holds.
            let item = StoredItem { value: item.value.or(Some(&[])), ..of_record(query, item) };
            if page.offer(query, &item).is_break() {
                return Ok(());
            }
        }
        if rows.len() < FETCHED {
            page.end();
            return Ok(());
        }
    }
}

/// The statement that reads from the page's start on, at most so many rows.
fn bind(
    PageRead { query, page }: &PageRead,
    limit: u64,
    of: impl Fn(&Statements) -> &'static str,
) -> sqlx::query::Query<'static, Postgres, PgArguments> {
    let after = page.after();
    let from = |start: &[u8]| after.map_or_else(|| start.to_vec(), |after| key_after(&after.key));
    let items = |statements: &Statements| {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        sqlx::query(of(statements))
            .bind(query.namespace.clone())
            .bind(query.now)
            .bind(READ_BYTES as i64)
            .bind(limit)
    };
    let (start, end) = query.selection.bounds();
    let end = end.unwrap_or(&LAST_KEY).to_vec();
    if let Some(id) = &query.id {
        let id = id.as_bytes().to_vec();
        return match &query.selection {
            Selection::Keys(keys) => {
                let first = after.map_or(0, |after| keys.partition_point(|k| *k <= after.key));
                items(&KEYS).bind(id).bind(keys[first..].to_vec())
            }
            _ => items(&RECORD).bind(id).bind(from(start)).bind(end),
        };
    }
    let id = after.map_or("", |after| after.id.as_str()).as_bytes().to_vec();
    match &query.selection {
        Selection::Keys(keys) => items(&NAMESPACE_KEYS).bind(id).bind(from(&[])).bind(keys.clone()),
        _ => items(&NAMESPACE).bind(id).bind(from(&[])).bind(start.to_vec()).bind(end),
    }
}
