//! Reads of one record, coalesced.

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Postgres, Row as _};

use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::database::Database;
use super::error::breaks_connection;
use super::items::{LAST_KEY, key_after, place};
use super::keyvalue::stored_item;
use super::lane::{FLIGHT_BYTES, Flight, Job, Lane, MAX_JOBS};
use super::pool::Patience;
use crate::keyvalue::page::{Effort, PageRead};
use crate::keyvalue::selection::Selection;
use crate::{Error, Result};

/// Items by the places of their records, or of their names, in the arrays: without what finds the
/// first ones of many, which takes half of the time that a small record takes. In any order.
macro_rules! joined {
    ($wanted:literal, $names:literal) => {
        concat!(
            "SELECT id, key, CASE WHEN octet_length(value) <= $4 THEN value END, expires_at, ",
            "compression, ttl_seconds, created_at_millis, updated_at_millis, place, ",
            "coalesce(octet_length(value) > $4, false) FROM unnest($1::text[], $2::bytea[]",
            $wanted,
            ") WITH ORDINALITY AS wanted (",
            $names,
            ", place) JOIN kv_items USING (",
            $names,
            ") LIMIT $3"
        )
    };
}

const RECORDS: &str = joined!("", "namespace, id");
const NAMED: &str = joined!(", $5::bytea[]", "namespace, id, key");

/// Rows that records, one by one of a flight, may have on average for [`RECORDS`]; and how many
/// flights do without it once they had more.
const RECORD_ROWS: usize = 4;
const WIDE_FLIGHTS: u32 = 64;

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

/// Rows of a range, and the bytes of a value, that a shared statement reads at most; and the keys
/// that one read may name to take part in it. A read of more is made by itself.
const RANGE_ROWS: usize = 16;
const VALUE_BYTES: usize = 64 << 10;
const MOST_KEYS: usize = 64;

/// Rows that a shared statement reads at most. Reads beyond are left to the next one.
const MOST_ROWS: usize = RANGE_ROWS * MAX_JOBS;

/// Bytes of a value in a statement that may find so many rows: all of them together fit a flight.
fn longest_value(rows: usize) -> i32 {
    let bytes = (FLIGHT_BYTES / rows.max(1)).min(VALUE_BYTES);
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

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
    /// It is too long for that: it is made again, by itself.
    Alone(PageRead),
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
    ) -> Result<impl Future<Output = Result<Shared>> + Send + use<>> {
        let room = database.admit(0)?;
        let (answer, outcome) = answer(room);
        lane.send(Get { read, answer });
        Ok(outcome)
    }

    /// Rows that a shared statement may find for it.
    fn most_rows(&self) -> usize {
        match &self.read.query.selection {
            Selection::Keys(keys) => keys.len(),
            Selection::All | Selection::Range { .. } => RANGE_ROWS,
        }
    }

    /// Whether it reads a record from its first item on.
    fn is_of_record(&self) -> bool {
        matches!(self.read.query.selection, Selection::All) && self.read.page.after().is_none()
    }

    /// Whether it reads items by their keys.
    fn is_of_keys(&self) -> bool {
        matches!(self.read.query.selection, Selection::Keys(_))
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

    fn end(mut self, state: State) -> (Answer<Shared>, Result<Shared>) {
        if state == State::Ended {
            self.read.page.end();
        }
        if state == State::More {
            return (self.answer, Ok(Shared::Alone(self.read)));
        }
        let charged = self.answer.charge(self.read.page.bytes());
        (self.answer, charged.map(|()| Shared::Done(self.read)))
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
#[derive(Debug, Default)]
pub(super) struct Gets {
    /// Flights before records may be small again.
    wide: u32,
}

impl Flight for Gets {
    type Job = Get;
    const PATIENCE: Patience = Patience::Long;

    async fn fly(&mut self, connection: &mut Connection, jobs: &mut Vec<Get>) -> sqlx::Result<()> {
        let mut rows = 0;
        let fit = |get: &&Get| {
            rows += get.most_rows();
            rows <= MOST_ROWS
        };
        let flying = jobs.iter().take_while(fit).count();
        // One that comes again has what a lost connection has answered: another snapshot.
        jobs[..flying].iter_mut().for_each(|get| get.read.page.attempt(Effort::WHOLE));
        let mut states = vec![State::Ended; flying];
        match self.read(connection, &mut jobs[..flying], &mut states).await {
            Ok(()) => {}
            Err(error) if breaks_connection(&error) => {
                // Pages that are full are answers; the others are read again.
                let mut states = states.into_iter();
                let closed = |_: &mut Get| states.next() == Some(State::Closed);
                let closed = jobs.extract_if(..flying, closed);
                send_all(closed.map(|get| get.end(State::Closed)));
                return Err(error);
            }
            // One of them is damaged or refused: the others are not.
            Err(_) => {
                states.iter_mut().filter(|s| **s == State::Ended).for_each(|s| *s = State::More);
            }
        }
        send_all(jobs.drain(..flying).zip(states).map(|(get, state)| get.end(state)));
        Ok(())
    }
}

impl Gets {
    /// Offers the rows to the pages.
    async fn read(
        &mut self,
        connection: &mut Connection,
        jobs: &mut [Get],
        states: &mut [State],
    ) -> sqlx::Result<()> {
        if jobs.iter().all(Get::is_of_keys) {
            return read_named(connection, jobs, states).await;
        }
        if self.wide == 0 && jobs.iter().all(Get::is_of_record) {
            if read_records(connection, jobs, states).await? {
                return Ok(());
            }
            self.wide = WIDE_FLIGHTS;
        }
        self.wide = self.wide.saturating_sub(1);
        read_ranges(connection, jobs, states).await
    }
}

/// Reads whole records. Answers whether there were few enough rows; else no page was offered any.
async fn read_records(
    connection: &mut Connection,
    jobs: &mut [Get],
    states: &mut [State],
) -> sqlx::Result<bool> {
    let of_job: Vec<usize> = (0..jobs.len()).collect();
    let most = RECORD_ROWS * jobs.len() + RANGE_ROWS;
    let rows = of_records(RECORDS, jobs, &of_job).bind(most as i64).bind(longest_value(most));
    let rows = rows.fetch_all(connection).await?;
    let few = rows.len() < most;
    if few {
        offer_all(jobs, states, &of_job, rows)?;
    }
    Ok(few)
}

/// Reads items by their keys, each of which is the first one of a range.
async fn read_named(
    connection: &mut Connection,
    jobs: &mut [Get],
    states: &mut [State],
) -> sqlx::Result<()> {
    let named = jobs.iter().enumerate();
    let named = named.flat_map(|(at, job)| job.ranges().map(move |(key, _)| (at, key)));
    let (of_job, keys): (Vec<usize>, Vec<Vec<u8>>) = named.unzip();
    if of_job.is_empty() {
        return Ok(());
    }
    let most = of_job.len();
    let rows = of_records(NAMED, jobs, &of_job).bind(most as i64).bind(longest_value(most));
    let rows = rows.bind(keys).fetch_all(connection).await?;
    offer_all(jobs, states, &of_job, rows)
}

/// A statement with the namespaces and ids of these jobs.
fn of_records(
    sql: &'static str,
    jobs: &[Get],
    of_job: &[usize],
) -> Query<'static, Postgres, PgArguments> {
    let queries = || of_job.iter().map(|at| &jobs[*at].read.query);
    let namespaces: Vec<&str> = queries().map(|query| query.namespace.as_str()).collect();
    let ids: Vec<&[u8]> =
        queries().map(|query| query.id.as_deref().unwrap_or_default().as_bytes()).collect();
    sqlx::query(sql).bind(namespaces).bind(ids)
}

/// Offers rows, which are in any order.
fn offer_all(
    jobs: &mut [Get],
    states: &mut [State],
    of_job: &[usize],
    rows: Vec<PgRow>,
) -> sqlx::Result<()> {
    let places: Vec<usize> = rows.iter().map(|row| place(row, 8)).collect::<sqlx::Result<_>>()?;
    let mut ordered: Vec<(usize, &[u8], &PgRow)> = Vec::with_capacity(rows.len());
    for (row, place) in rows.iter().zip(places) {
        ordered.push((place, row.try_get(1)?, row));
    }
    if !ordered.is_sorted_by_key(|(place, key, _)| (*place, *key)) {
        ordered.sort_unstable_by_key(|(place, key, _)| (*place, *key));
    }
    for (place, _, row) in ordered {
        let Some(&at) = of_job.get(place) else { continue };
        if states[at] == State::Ended {
            states[at] = offer(&mut jobs[at].read, row, false)?;
        }
    }
    Ok(())
}

/// Reads the first items of ranges of keys.
async fn read_ranges(
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
    let sql = if of_job.is_sorted_by(|one, two| one < two) { MANY } else { ORDERED };
    let query = of_records(sql, jobs, &of_job).bind(first).bind(behind);
    let most = jobs.iter().map(Get::most_rows).sum();
    let query = query.bind(RANGE_ROWS as i64).bind(longest_value(most));
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
