//! The sweep of key-value: items of which nothing need be known, places of empty namespaces, and what
//! Deletes have left to do.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::Database;
use super::covered::finish_part;
use super::keyvalue::{REMOVED_BYTES, record};
use super::unfinished::Rest;
use super::writer::Part;
use crate::Result;
use crate::store::keyvalue::Target;

/// Items of which nothing need be known, with the lengths of their values.
pub(super) const REMOVABLE: &str = "
    SELECT namespace, id, key, ifnull(length(value), 0) FROM kv_items WHERE removable_at < ?1
    LIMIT ?2";

const REMOVE: &str = "DELETE FROM kv_items WHERE namespace = ?1 AND id = ?2 AND key = ?3";

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

/// Records for which a sweep does what Deletes have left to do.
const RESTS: u32 = 500;

/// Removes up to `limit` items of which nothing need be known since before `before`; if fewer are left,
/// does the rest of the sweep as well. Returns how many items were removed.
pub(super) async fn sweep(database: &Database, before: i64, limit: u32) -> Result<u64> {
    let limit = u64::from(limit);
    let mut swept = 0;
    while swept < limit {
        let left = limit - swept;
        match database.write(move |connection| remove(connection, before, left)).await? {
            0 => break,
            removed => swept += removed,
        }
    }
    if swept < limit {
        give_back(database).await?;
        finish(database).await?;
    }
    Ok(swept)
}

/// Removes up to `limit` items of which nothing need be known since before `before`, or fewer, if
/// their values are long. Returns how many; none: there is none left.
fn remove(connection: &Connection, before: i64, limit: u64) -> Result<u64> {
    let mut find = connection.prepare_cached(REMOVABLE)?;
    let mut rows = find.query(params![before, limit.min(i64::MAX as u64) as i64])?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        found.push((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?));
        bytes += row.get::<_, u32>(3)? as usize;
        if bytes >= REMOVED_BYTES {
            break;
        }
    }
    drop(rows);
    let mut remove = connection.prepare_cached(REMOVE)?;
    found.iter().try_for_each(|(namespace, id, key)| {
        remove.execute(params![namespace, id, key]).map(drop)
    })?;
    Ok(found.len() as u64)
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

/// Does what Deletes have left to do, because one of their parts failed or the server was killed.
async fn finish(database: &Database) -> Result<()> {
    let unfinished = database.unfinished();
    if unfinished.observe().is_none() {
        return Ok(());
    }
    let find = database.read_offloaded(|connection| Ok(Rest::targets(connection, RESTS)?));
    for (namespace, id) in find.await? {
        let target = Target { namespace: namespace.into(), id, max_namespaces: None };
        let (record, of) = (record(unfinished, &target), Arc::clone(unfinished));
        // It waits for a Delete that is being made, and has nothing to do then.
        let rest = database.write_in_parts(record, 0, move |connection| {
            let more = finish_part(&of, connection, &target)?;
            Ok(if more { Part::More } else { Part::Done(()) })
        });
        rest.await?;
    }
    let of = Arc::clone(unfinished);
    let none = database.write(move |connection| Ok(of.none_left(connection)?));
    if let Some(seen) = none.await? {
        unfinished.settle(seen);
    }
    Ok(())
}
