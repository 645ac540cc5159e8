//! Reads of one record, coalesced.

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::answer::{Answer, Caller, answer};
use super::connection::Connection;
use super::database::Database;
use super::error::breaks_connection;
use super::items::{LAST_KEY, key_after, place};
use super::keyvalue::stored_item;
use super::lane::{Flight, Job, Lane};
use super::pool::Patience;
use crate::Error;
use crate::keyvalue::page::PageRead;
use crate::keyvalue::selection::Selection;
use crate::store::StoreFuture;

/// Items of ranges of keys, by the places of the ranges in the arrays: the first ones of each, in
/// the order of their keys. A value that is too long to share a statement is left out.
macro_rules! ranges {
    ($order:literal) => {
        concat!(
            "SELECT id, item.key, CASE WHEN octet_length(value) <= $6 THEN value END, expires_at, ",
            "compression, ttl_seconds, created_at_millis, updated_at_millis, place, ",
            "coalesce(octet_length(value) > $6, false) ",
            "FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[]) WITH ORDINALITY ",
            "AS wanted (namespace, id, first, behind, place) ",
            "CROSS JOIN LATERAL (SELECT key, value, expires_at, compression, ttl_seconds, ",
            "created_at_millis, updated_at_millis FROM kv_items AS item ",
            "WHERE item.namespace = wanted.namespace AND item.id = wanted.id ",
            "AND item.key >= wanted.first AND item.key < wanted.behind ",
            "ORDER BY item.key LIMIT $5) AS item",
            $order
        )
    };
}

const MANY: &str = ranges!("");
/// For reads of several ranges, whose rows are to come in the order of the ranges too.
const ORDERED: &str = ranges!(" ORDER BY place, item.key");

/// Rows of a range, and the bytes of a value, that a shared statement reads; and the keys that one
/// read may name to take part in it. A read of more goes on by itself.
const RANGE_ROWS: usize = 16;
const VALUE_BYTES: i32 = 64 << 10;
const MOST_KEYS: usize = 64;

/// A read of items of one record.
#[derive(Debug)]
pub(super) struct Get {
    read: PageRead,
    answer: Answer<Shared>,
}

/// What a shared statement has made of a read.
#[derive(Debug)]
pub(super) enum Shared {
    /// All of it.
    Done(PageRead),
    /// It goes on by itself.
    More(PageRead),
}

/// What is left to be done for a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All rows were offered that there are.
    Ended,
    /// The page takes no more rows.
    Closed,
    /// There are more rows, or rows that are not for a shared statement.
    More,
}

impl Get {
    /// Whether a read is one that [`Get::send`] takes: of one record, and not of many keys.
    pub(super) fn takes(read: &PageRead) -> bool {
        let few = match &read.query.selection {
            Selection::Keys(keys) => keys.len() <= MOST_KEYS,
            Selection::All | Selection::Range { .. } => true,
        };
        read.query.id.is_some() && few
    }

    /// Sends a read.
    pub(super) fn send(
        database: &Database,
        lane: &Lane<Get>,
        read: PageRead,
    ) -> StoreFuture<Shared> {
        let room = match database.admit(0) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Get { read, answer });
        outcome
    }

    /// The ranges of keys that are still to be read, each from a key on and before another.
    fn ranges(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        let after = self.read.page.after().map(|after| after.key.as_slice());
        let selection = &self.read.query.selection;
        let (keys, range): (&[Vec<u8>], _) = match selection {
            Selection::Keys(keys) => (keys, None),
            Selection::All | Selection::Range { .. } => {
                let (start, end) = selection.bounds();
                let first = after.map_or_else(|| start.to_vec(), key_after);
                (&[], Some((first, end.unwrap_or(&LAST_KEY).to_vec())))
            }
        };
        let keys = keys.iter().filter(move |key| after.is_none_or(|after| key.as_slice() > after));
        keys.map(|key| (key.clone(), key_after(key))).chain(range)
    }

    fn answer(mut self, state: State) {
        if state == State::Ended {
            self.read.page.end();
        }
        let done = state != State::More;
        self.answer.send(Ok(if done { Shared::Done(self.read) } else { Shared::More(self.read) }));
    }
}

impl Job for Get {
    fn is_abandoned(&self) -> bool {
        self.answer.is_abandoned()
    }

    fn caller(&self) -> Option<Caller> {
        Some(self.answer.caller())
    }

    fn bytes(&self) -> usize {
        0
    }

    fn fail(self, error: Error) {
        self.answer.send(Err(error));
    }
}

/// One statement for all.
pub(super) struct Gets;

impl Flight for Gets {
    type Job = Get;
    const PATIENCE: Patience = Patience::Long;

    async fn fly(&mut self, connection: &mut Connection, jobs: &mut Vec<Get>) -> sqlx::Result<()> {
        let mut states = vec![State::Ended; jobs.len()];
        match read(connection, jobs, &mut states).await {
            Ok(()) => {}
            Err(error) if breaks_connection(&error) => {
                // What has been offered is on the page; the others are read again from there on.
                let mut states = states.into_iter();
                let closed = |_: &mut Get| states.next() == Some(State::Closed);
                jobs.extract_if(.., closed).for_each(|get| get.answer(State::Closed));
                return Err(error);
            }
            // One of them is damaged or refused: the others are not.
            Err(_) => {
                states.iter_mut().filter(|s| **s == State::Ended).for_each(|s| *s = State::More);
            }
        }
        jobs.drain(..).zip(states).for_each(|(get, state)| get.answer(state));
        Ok(())
    }
}

/// Offers the rows to the pages.
async fn read(
    connection: &mut Connection,
    jobs: &mut [Get],
    states: &mut [State],
) -> sqlx::Result<()> {
    let (mut of_job, mut first, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    for (at, job) in jobs.iter().enumerate() {
        for (from, end) in job.ranges() {
            of_job.push(at);
            first.push(from);
            behind.push(end);
        }
    }
    if of_job.is_empty() {
        return Ok(());
    }
    let queries = || of_job.iter().map(|at| &jobs[*at].read.query);
    let namespaces: Vec<&str> = queries().map(|query| query.namespace.as_str()).collect();
    let ids: Vec<&[u8]> =
        queries().map(|query| query.id.as_deref().unwrap_or_default().as_bytes()).collect();
    let sql = if of_job.is_sorted_by(|one, two| one < two) { MANY } else { ORDERED };
    let query = sqlx::query(sql).bind(namespaces).bind(ids).bind(first).bind(behind);
    let query = query.bind(RANGE_ROWS as i64).bind(VALUE_BYTES);
    let mut rows = query.fetch(connection);
    let mut found = vec![0; of_job.len()];
    while let Some(row) = rows.try_next().await? {
        let range = place(&row, 8)?;
        let Some(&at) = of_job.get(range) else { continue };
        if states[at] == State::Ended {
            found[range] += 1;
            states[at] = offer(&mut jobs[at].read, &row, found[range] == RANGE_ROWS)?;
        }
    }
    Ok(())
}

/// Offers a row, which may be the last one that was asked for.
fn offer(read: &mut PageRead, row: &PgRow, is_last: bool) -> sqlx::Result<State> {
    if row.try_get(9)? {
        return Ok(State::More);
    }
    let open = read.page.offer(&read.query, &stored_item(row)?).is_continue();
    Ok(match open {
        false => State::Closed,
        true if is_last => State::More,
        true => State::Ended,
    })
}
