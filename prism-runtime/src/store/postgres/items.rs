//! Statements on items: what a write must know of them, and what it makes of them.

use std::collections::HashMap;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};

use super::connection::Connection;
use crate::keyvalue::decide::{Current, Version};
use crate::keyvalue::limits::KEY_BYTES;

/// Behind every key, which is at most as long as this is but for one byte.
pub(super) const LAST_KEY: [u8; KEY_BYTES + 1] = [0xFF; KEY_BYTES + 1];

/// Locks items of a record by their keys.
const NAMED: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis, key FROM kv_items
    WHERE namespace = $1 AND id = $2 AND key = ANY($3) ORDER BY key FOR UPDATE";

/// Locks items of a record from a key on and before another.
const COVERED: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis, key FROM kv_items
    WHERE namespace = $1 AND id = $2 AND key >= $3 AND key < $4 ORDER BY key LIMIT $5 FOR UPDATE";

/// Items of many records, by their places in the arrays.
const MANY: &str = "
    SELECT token, value IS NULL, expires_at, created_at_millis, place
    FROM unnest($1::text[], $2::bytea[], $3::bytea[]) WITH ORDINALITY
        AS wanted (namespace, id, key, place)
    JOIN kv_items USING (namespace, id, key)";

/// Those of them that another transaction has locked. It waits for none.
const LOCKED: &str = "
    SELECT place FROM unnest($1::text[], $2::bytea[], $3::bytea[]) WITH ORDINALITY
        AS wanted (namespace, id, key, place)
    JOIN kv_items USING (namespace, id, key)
    WHERE (namespace, id, key) NOT IN
        (SELECT namespace, id, key FROM unnest($1::text[], $2::bytea[], $3::bytea[])
            AS wanted (namespace, id, key)
        JOIN kv_items USING (namespace, id, key)
        FOR NO KEY UPDATE OF kv_items SKIP LOCKED)";

/// Writes items that are as they were when they were looked at: absent, or with the token. Answers
/// with the places of those that were.
const STORE: &str = "
    WITH new AS (
        SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[], $5::integer[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[],
            $12::bigint[], $13::boolean[])
        AS new (namespace, id, key, token, compression, ttl_seconds, created_at_millis,
            updated_at_millis, expires_at, removable_at, value, seen_token, seen_deleted)
    ), inserted AS (
        INSERT INTO kv_items (namespace, id, key, token, compression, ttl_seconds,
            created_at_millis, updated_at_millis, expires_at, removable_at, value)
        SELECT namespace, id, key, token, compression, ttl_seconds, created_at_millis,
            updated_at_millis, expires_at, removable_at, value
        FROM new WHERE seen_token IS NULL ORDER BY namespace, id, key
        ON CONFLICT (namespace, id, key) DO NOTHING
        RETURNING namespace, id, key
    ), updated AS (
        UPDATE kv_items AS item SET
            token = new.token, compression = new.compression, ttl_seconds = new.ttl_seconds,
            created_at_millis = new.created_at_millis, updated_at_millis = new.updated_at_millis,
            expires_at = new.expires_at, removable_at = new.removable_at, value = new.value
        FROM new
        WHERE item.namespace = new.namespace AND item.id = new.id AND item.key = new.key
            AND item.token = new.seen_token AND (item.value IS NULL) = new.seen_deleted
        RETURNING item.namespace, item.id, item.key
    )
    SELECT namespace, id, key FROM inserted UNION ALL SELECT namespace, id, key FROM updated";

/// Writes items over what has a smaller token, which is what
/// [`decide::put`](crate::keyvalue::decide::put) says of such: all of it is new but for the created
/// time, which an item that is overwritten keeps. Answers with the names of those that it wrote.
macro_rules! overwrite {
    ($new:literal) => {
        concat!(
            "INSERT INTO kv_items AS item (namespace, id, key, token, compression, ttl_seconds, ",
            "created_at_millis, updated_at_millis, expires_at, removable_at, value) ",
            $new,
            " ON CONFLICT (namespace, id, key) DO UPDATE SET token = excluded.token, ",
            "compression = excluded.compression, ttl_seconds = excluded.ttl_seconds, ",
            "created_at_millis = CASE WHEN item.value IS NOT NULL ",
            "AND (item.expires_at IS NULL OR item.expires_at > $12) ",
            "THEN item.created_at_millis ELSE excluded.created_at_millis END, ",
            "updated_at_millis = excluded.updated_at_millis, expires_at = excluded.expires_at, ",
            "removable_at = excluded.removable_at, value = excluded.value ",
            "WHERE item.token < excluded.token RETURNING namespace, id, key"
        )
    };
}

const OVERWRITE: &str = overwrite!(
    "SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[], $5::integer[], \
     $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[]) \
     AS new (namespace, id, key, token, compression, ttl_seconds, created_at_millis, \
     updated_at_millis, expires_at, removable_at, value) \
     ORDER BY new.namespace, new.id, new.key"
);
/// For one item, which needs no arrays.
const OVERWRITE_ONE: &str = overwrite!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");

/// What becomes of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    pub(super) namespace: &'a str,
    pub(super) id: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) version: Version,
    pub(super) value: Option<&'a [u8]>,
    /// What the decision was made on.
    pub(super) seen: Option<Current>,
}

/// Writes the changes of which each is to another item. Answers with the names of those
/// that were as they had been seen; the others are not written.
pub(super) async fn store(
    connection: &mut Connection,
    changes: &[Change<'_>],
) -> sqlx::Result<Vec<PgRow>> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    bind(sqlx::query(STORE), changes)
        .bind(column(changes, |change| change.seen.map(|seen| seen.token)))
        .bind(column(changes, |change| change.seen.map(|seen| seen.deleted)))
        .fetch_all(connection)
        .await
}

/// Writes puts, each to another item, that were decided as if nothing were there: over what has a
/// smaller token. Answers with the names of those; the others are not written. `now` is the latest
/// time of the puts, in microseconds.
pub(super) async fn overwrite(
    connection: &mut Connection,
    puts: &[Change<'_>],
    now: i64,
) -> sqlx::Result<Vec<PgRow>> {
    let query = match puts {
        [put] => bind_one(sqlx::query(OVERWRITE_ONE), put),
        puts => bind(sqlx::query(OVERWRITE), puts),
    };
    query.bind(now).fetch_all(connection).await
}

fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    changes: &[Change<'q>],
) -> Query<'q, Postgres, PgArguments> {
    let content = |change: &Change<'_>| change.version.content.unwrap_or_default();
    query
        .bind(column(changes, |change| change.namespace))
        .bind(column(changes, |change| change.id))
        .bind(column(changes, |change| change.key))
        .bind(column(changes, |change| change.version.token))
        .bind(column(changes, |change| content(change).compression))
        .bind(column(changes, |change| content(change).ttl_seconds))
        .bind(column(changes, |change| change.version.created_at_millis))
        .bind(column(changes, |change| change.version.updated_at_millis))
        .bind(column(changes, |change| change.version.expires_at))
        .bind(column(changes, |change| change.version.removable_at))
        .bind(column(changes, |change| change.value))
}

fn bind_one<'q>(
    query: Query<'q, Postgres, PgArguments>,
    change: &Change<'q>,
) -> Query<'q, Postgres, PgArguments> {
    let (version, content) = (change.version, change.version.content.unwrap_or_default());
    query
        .bind(change.namespace)
        .bind(change.id)
        .bind(change.key)
        .bind(version.token)
        .bind(content.compression)
        .bind(content.ttl_seconds)
        .bind(version.created_at_millis)
        .bind(version.updated_at_millis)
        .bind(version.expires_at)
        .bind(version.removable_at)
        .bind(change.value)
}

fn column<'a, T>(changes: &[Change<'a>], of: impl Fn(&Change<'a>) -> T) -> Vec<T> {
    changes.iter().map(of).collect()
}

/// Locks the items with these keys, as far as they are there.
pub(super) async fn lock_named(
    connection: &mut Connection,
    (namespace, id): (&str, &[u8]),
    keys: &[&[u8]],
) -> sqlx::Result<HashMap<Vec<u8>, Current>> {
    let rows = sqlx::query(NAMED).bind(namespace).bind(id).bind(keys).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(4)?, current(row)?))).collect()
}

/// Locks at most `limit` items of a range, in the order of their keys.
pub(super) async fn lock_covered(
    connection: &mut Connection,
    (namespace, id): (&str, &[u8]),
    (from, end): (&[u8], &[u8]),
    limit: usize,
) -> sqlx::Result<Vec<(Vec<u8>, Current)>> {
    let query = sqlx::query(COVERED).bind(namespace).bind(id).bind(from).bind(end);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = query.bind(limit).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(4)?, current(row)?))).collect()
}

/// Looks at items of many records, without a lock: each where it is there, by its place.
pub(super) async fn look(
    connection: &mut Connection,
    items: &[(&str, &[u8], &[u8])],
) -> sqlx::Result<Vec<Option<Current>>> {
    let mut found = vec![None; items.len()];
    for row in of_items(MANY, items).fetch_all(connection).await? {
        if let Some(slot) = found.get_mut(place(&row, 4)?) {
            *slot = Some(current(&row)?);
        }
    }
    Ok(found)
}

/// The places of the items that another transaction has locked. It waits for none.
pub(super) async fn locked(
    connection: &mut Connection,
    items: &[(&str, &[u8], &[u8])],
) -> sqlx::Result<Vec<usize>> {
    let rows = of_items(LOCKED, items).fetch_all(connection).await?;
    rows.iter().map(|row| place(row, 0)).collect()
}

/// A statement with the names of items.
fn of_items(
    sql: &'static str,
    items: &[(&str, &[u8], &[u8])],
) -> Query<'static, Postgres, PgArguments> {
    let namespaces: Vec<&str> = items.iter().map(|item| item.0).collect();
    let ids: Vec<&[u8]> = items.iter().map(|item| item.1).collect();
    let keys: Vec<&[u8]> = items.iter().map(|item| item.2).collect();
    sqlx::query(sql).bind(namespaces).bind(ids).bind(keys)
}

/// The place that a column says, counted from 0.
pub(super) fn place(row: &PgRow, column: usize) -> sqlx::Result<usize> {
    let ordinality: i64 = row.try_get(column)?;
    Ok(usize::try_from(ordinality).unwrap_or(0).wrapping_sub(1))
}

/// The smallest key that is larger.
pub(super) fn key_after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn current(row: &PgRow) -> sqlx::Result<Current> {
    Ok(Current {
        token: row.try_get(0)?,
        deleted: row.try_get(1)?,
        expires_at: row.try_get(2)?,
        created_at_millis: row.try_get(3)?,
    })
}
