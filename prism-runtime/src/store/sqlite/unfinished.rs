//! Deletes that are made, but whose items are not all gone from the table.
//!
//! A Delete of very many items is made in parts. Its first part adds a row to `kv_deletes`, which
//! says what the other parts are still to do: with the COMMIT of that row the Delete is made. Reads
//! treat what the row covers as deleted, in the snapshot that they read the items in. Each part
//! moves the row forward, and the last one removes it. If a part fails or the server is killed, the
//! row stays: reads go on as before, the next write to the record does the rest first, and the
//! sweep does the rest for records that are not written.
//!
//! Reads look for such rows only if a number in memory says that there may be some.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::keyvalue::decide::{self, Current, Reach, Stamp, Token};

const ANY: &str = "SELECT EXISTS (SELECT 1 FROM kv_deletes)";

/// Records whose rest the sweep is to do.
const TARGETS: &str = "SELECT namespace, id FROM kv_deletes LIMIT ?1";

const OF_RECORD: &str = "SELECT id, next_key, end_key, token, made_at, remembered \
    FROM kv_deletes WHERE namespace = ?1 AND id = ?2";

const OF_NAMESPACE: &str = "SELECT id, next_key, end_key, token, made_at, remembered \
    FROM kv_deletes WHERE namespace = ?1";

const ADD: &str = "
    INSERT INTO kv_deletes (namespace, id, next_key, end_key, token, made_at, remembered)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const MOVE: &str = "UPDATE kv_deletes SET next_key = ?3 WHERE namespace = ?1 AND id = ?2";

const REMOVE: &str = "DELETE FROM kv_deletes WHERE namespace = ?1 AND id = ?2";

/// Whether there may be unfinished Deletes in an open database.
#[derive(Debug)]
pub(super) struct Unfinished {
    /// Odd while there may be rows. It changes with every row that is added and never decreases,
    /// so if it is even and the same before and after a read, no snapshot in between had a row.
    sequence: AtomicU64,
    hasher: RandomState,
}

/// The sequence as it was at some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen(u64);

impl Seen {
    /// Whether there was no row.
    pub(super) fn is_none(self) -> bool {
        self.0.is_multiple_of(2)
    }
}

impl Unfinished {
    /// As a server left it that was killed.
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let any: bool = connection.query_row(ANY, [], |row| row.get(0))?;
        Ok(Unfinished { sequence: AtomicU64::new(any.into()), hasher: RandomState::new() })
    }

    /// What a record is told from others by. Two that have the same wait for each other at times.
    pub(super) fn record(&self, namespace: &str, id: &str) -> u64 {
        self.hasher.hash_one((namespace, id))
    }

    /// To be called before a snapshot is begun, or before it is decided that one is recent enough.
    pub(super) fn observe(&self) -> Seen {
        Seen(self.sequence.load(Ordering::Acquire))
    }

    /// Whether nothing was added since. To be called after a snapshot was read.
    pub(super) fn is_as(&self, seen: Seen) -> bool {
        // What was read of the snapshot was read before.
        fence(Ordering::Acquire);
        self.sequence.load(Ordering::Relaxed) == seen.0
    }

    /// To be called before the COMMIT of a row that is added.
    pub(super) fn raise(&self) {
        let next = |sequence: u64| Some(sequence + 1 + sequence % 2);
        // It always succeeds, because `next` always gives a number.
        let _ = self.sequence.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        // Before anything of the COMMIT can be read.
        fence(Ordering::SeqCst);
    }

    /// In the writer's transaction, whose own changes count: what to [settle](Self::settle) once it
    /// is committed, if there is no row.
    pub(super) fn none_left(&self, connection: &Connection) -> rusqlite::Result<Option<Seen>> {
        let seen = self.observe();
        let any: bool = connection.prepare_cached(ANY)?.query_row([], |row| row.get(0))?;
        Ok((!any && !seen.is_none()).then_some(seen))
    }

    /// Reads need not look any longer, unless a row was added since.
    pub(super) fn settle(&self, Seen(seen): Seen) {
        // A failure means that a row was added since.
        let _ = self.sequence.compare_exchange(
            seen,
            seen + seen % 2,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}

/// What is still to be done of a Delete.
#[derive(Debug)]
pub(super) struct Rest {
    /// The record.
    pub(super) id: String,
    /// The key that it begins with.
    pub(super) next: Vec<u8>,
    /// The key that it ends before.
    pub(super) end: Vec<u8>,
    /// Of the Delete.
    pub(super) stamp: Stamp,
}

impl Rest {
    /// That of a record.
    pub(super) fn of_record(
        connection: &Connection,
        namespace: &str,
        id: &str,
    ) -> rusqlite::Result<Option<Self>> {
        connection.prepare_cached(OF_RECORD)?.query_row([namespace, id], Rest::of_row).optional()
    }

    /// Those of all records of a namespace.
    pub(super) fn of_namespace(
        connection: &Connection,
        namespace: &str,
    ) -> rusqlite::Result<Vec<Self>> {
        connection.prepare_cached(OF_NAMESPACE)?.query_map([namespace], Rest::of_row)?.collect()
    }

    /// Namespaces and ids of up to `limit` records that have one.
    pub(super) fn targets(
        connection: &Connection,
        limit: u32,
    ) -> rusqlite::Result<Vec<(String, String)>> {
        let target = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        connection.prepare_cached(TARGETS)?.query_map([limit], target)?.collect()
    }

    pub(super) fn add(&self, connection: &Connection, namespace: &str) -> rusqlite::Result<()> {
        let Stamp { token, now, remembered } = self.stamp;
        let token = match token {
            Token::Client(token) => Some(token),
            Token::Server => None,
        };
        let row = params![namespace, self.id, self.next, self.end, token, now, remembered];
        connection.prepare_cached(ADD)?.execute(row).map(drop)
    }

    /// Stores that it begins with a later key now.
    pub(super) fn advance(&self, connection: &Connection, namespace: &str) -> rusqlite::Result<()> {
        let row = params![namespace, self.id, self.next];
        connection.prepare_cached(MOVE)?.execute(row).map(drop)
    }

    pub(super) fn remove(&self, connection: &Connection, namespace: &str) -> rusqlite::Result<()> {
        connection.prepare_cached(REMOVE)?.execute([namespace, &self.id]).map(drop)
    }

    /// Whether the Delete deletes an item of its record that is still in the table.
    pub(super) fn deletes(&self, key: &[u8], current: &Current) -> bool {
        self.next.as_slice() <= key
            && key < self.end.as_slice()
            && decide::delete(Some(current), Reach::Covered, &self.stamp).version.is_some()
    }

    fn of_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let token: Option<i64> = row.get(3)?;
        Ok(Rest {
            id: row.get(0)?,
            next: row.get(1)?,
            end: row.get(2)?,
            stamp: Stamp {
                token: token.map_or(Token::Server, Token::Client),
                now: row.get(4)?,
                remembered: row.get(5)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn none() -> Unfinished {
        Unfinished { sequence: AtomicU64::new(0), hasher: RandomState::new() }
    }

    #[test]
    fn a_read_beside_a_row_that_came_and_went_looks_again() {
        let unfinished = none();
        let before = unfinished.observe();
        assert!(before.is_none() && unfinished.is_as(before));
        unfinished.raise();
        assert!(!unfinished.is_as(before) && !unfinished.observe().is_none());
        unfinished.settle(unfinished.observe());
        assert!(!unfinished.is_as(before), "a row came and went");
        assert!(unfinished.observe().is_none());
    }

    #[test]
    fn a_row_that_was_added_since_keeps_reads_looking() {
        let unfinished = none();
        unfinished.raise();
        let seen = unfinished.observe();
        unfinished.raise();
        unfinished.settle(seen);
        assert!(!unfinished.observe().is_none());
        unfinished.settle(unfinished.observe());
        let settled = unfinished.observe();
        assert!(settled.is_none());
        unfinished.settle(settled);
        assert!(unfinished.is_as(settled));
    }
}
