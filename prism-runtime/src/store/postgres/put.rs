//! Puts, coalesced.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, raw_sql};

use super::admission::{Admission, Admitted, look_up_free};
use super::answer::{Answer, Caller, answer, send_all};
use super::connection::Connection;
use super::database::{Database, transaction};
use super::error::{Failure, breaks_connection, is_locked, leaves_outcome_open, outcome_unknown};
use super::items::{self, Change};
use super::lane::{Flight, Job, Lane};
use crate::keyvalue::decide::{self, Current, Token};
use crate::proto::keyvalue::v1::Item;
use crate::store::StoreFuture;
use crate::store::keyvalue::{RecordPut, Target, content_of, too_many_namespaces};
use crate::{Error, Result};

/// A Put and where its answer goes.
#[derive(Debug)]
pub(super) struct Put {
    put: RecordPut,
    answer: Answer<()>,
    wait: Wait,
}

/// What a Put waits for. It lets others go first meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wait {
    /// Nothing: it flies with others.
    No,
    /// Another transaction has held a lock that cannot be seen: on an item that is not there yet,
    /// on a place for its namespace, or on a whole table. It is tried by itself.
    Last,
    /// Another transaction has locked the item of its record with this key.
    Locked(Arc<[u8]>),
}

impl Wait {
    /// Puts fly in this order.
    fn rank(&self) -> u8 {
        match self {
            Wait::No => 0,
            Wait::Last => 1,
            Wait::Locked(_) => 2,
        }
    }
}

/// What an item takes beside its key and value.
const ITEM_BYTES: usize = 128;

/// How many Puts that are tried by themselves may meet a lock in a flight, and how long each waits
/// for it.
const LAST_TRIES: usize = 16;
const BRIEFLY: &str = "SET LOCAL lock_timeout = '20ms'";

/// Namespace, id and key of an item.
type Name<'a> = (&'a str, &'a [u8], &'a [u8]);

/// Namespace and id of a record.
type RecordName<'a> = (&'a str, &'a [u8]);

/// An item of a Put.
type Putting<'a> = (&'a RecordPut, &'a Item);

impl Put {
    /// Sends a Put.
    pub(super) fn send(database: &Database, lane: &Lane<Put>, put: RecordPut) -> StoreFuture<()> {
        let room = match database.admit(bytes(&put)) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Put { put, answer, wait: Wait::No });
        StoreFuture::pending(outcome)
    }

    fn names(&self) -> impl Iterator<Item = Name<'_>> {
        self.put.items.iter().map(|item| name((&self.put, item)))
    }

    fn record(&self) -> RecordName<'_> {
        (&self.put.target.namespace, self.put.target.id.as_bytes())
    }

    fn answer(self, result: Result<()>) {
        self.answer.send(result);
    }
}

fn bytes(put: &RecordPut) -> usize {
    put.items.iter().map(|item| item.key.len() + item.value.len() + ITEM_BYTES).sum()
}

impl Job for Put {
    fn is_abandoned(&self) -> bool {
        self.answer.is_abandoned()
    }

    fn caller(&self) -> Option<Caller> {
        Some(self.answer.caller())
    }

    fn bytes(&self) -> usize {
        bytes(&self.put)
    }

    fn is_set_back(&self) -> bool {
        self.wait != Wait::No
    }

    fn fail(self, error: Error) {
        self.answer(Err(error));
    }
}

/// One statement that writes every item whose stored token is smaller. What it did not write is
/// looked at, decided, and written where it is still so. Where every Put is of one item each
/// statement commits by itself: no Put can be half written. Else all are written or none, in a
/// transaction.
pub(super) struct Puts {
    pub(super) admitted: Arc<Admitted>,
}

impl Flight for Puts {
    type Job = Put;

    /// Waits for a lock once. Then what has come meanwhile goes first.
    async fn fly(&mut self, connection: &mut Connection, jobs: &mut Vec<Put>) -> sqlx::Result<()> {
        self.admit(connection, jobs).await?;
        if jobs.iter().any(|put| matches!(put.wait, Wait::Locked(_))) {
            pass_locked(connection, jobs).await?;
        }
        // How many fly alone, because one of them was refused: the others are not to fail with it.
        let mut alone = 0_usize;
        let mut tries = LAST_TRIES;
        loop {
            // A write that was refused because nobody waits for it is not made again.
            jobs.retain(|put| !put.is_abandoned());
            jobs.sort_by_key(|put| put.wait.rank());
            let Some(first) = jobs.first() else { return Ok(()) };
            let flying = match first.wait {
                Wait::No if alone == 0 => distinct(jobs),
                Wait::No => 1,
                Wait::Last if self.is_news(first) => {
                    match self.admit_first(connection, jobs).await? {
                        true => continue,
                        false => return Ok(()),
                    }
                }
                Wait::Last => 1,
                Wait::Locked(_) => return Ok(()),
            };
            alone = alone.saturating_sub(1);
            let is_last = first_waits(jobs);
            match write(connection, &jobs[..flying], is_last).await {
                Ok(done) => {
                    // What found another write in its way comes again.
                    let mut done = done.into_iter();
                    let ended = jobs.extract_if(..flying, |_| done.next().unwrap_or(false));
                    send_all(ended.map(|put| (put.answer, Ok(()))));
                }
                Err(Broken::Before(error)) => return Err(error),
                Err(Broken::Committing(error)) => {
                    for put in jobs.drain(..flying) {
                        put.answer(Err(outcome_unknown(error.to_string())));
                    }
                    return Err(error);
                }
                Err(Broken::Refused(error)) if is_locked(&error) && is_last => {
                    jobs.rotate_left(1);
                    tries = tries.min(jobs.len()) - 1;
                    if tries == 0 {
                        return Ok(());
                    }
                }
                Err(Broken::Refused(error)) if is_locked(&error) => {
                    return set_back(connection, jobs, flying).await;
                }
                Err(Broken::Refused(error)) if flying == 1 => match Failure::from(error) {
                    Failure::Conflict => {}
                    failure => jobs.remove(0).answer(Err(failure.into_error())),
                },
                Err(Broken::Refused(_)) => alone = flying,
            }
        }
    }
}

/// Whether the first Put is tried by itself.
fn first_waits(jobs: &[Put]) -> bool {
    jobs.first().is_some_and(|put| put.wait == Wait::Last)
}

/// Sets back those of the first Puts that wait for a lock, and all others to their records. If it
/// cannot be seen which these are, each of them is tried by itself.
async fn set_back(
    connection: &mut Connection,
    jobs: &mut [Put],
    flying: usize,
) -> sqlx::Result<()> {
    pass_locked(connection, jobs).await?;
    let seen = |put: &Put| matches!(put.wait, Wait::Locked(_));
    if !jobs[..flying].iter().any(seen) {
        jobs[..flying].iter_mut().for_each(|put| put.wait = Wait::Last);
        // Behind those that wait already.
        jobs.rotate_left(flying);
    }
    Ok(())
}

/// Looks which records have items that other transactions have locked, without a wait: Puts to
/// these wait, and others no longer.
async fn pass_locked(connection: &mut Connection, jobs: &mut [Put]) -> sqlx::Result<()> {
    let mut names: Vec<Name<'_>> = Vec::with_capacity(jobs.len());
    let (mut waiting, mut has_last) = (HashSet::new(), false);
    for put in &*jobs {
        match &put.wait {
            Wait::No => names.extend(put.names()),
            // Only the first one is about to be tried.
            Wait::Last if !std::mem::replace(&mut has_last, true) => names.extend(put.names()),
            Wait::Last => {}
            Wait::Locked(key) => {
                let (namespace, id) = put.record();
                if waiting.insert((namespace, id)) {
                    names.push((namespace, id, &**key));
                }
            }
        }
    }
    let places = match items::locked(connection, &names).await {
        Ok(places) => places,
        Err(error) if breaks_connection(&error) => return Err(error),
        // A whole table is locked: who writes finds that out.
        Err(_) => return Ok(()),
    };
    let locked = places.into_iter().filter_map(|place| names.get(place));
    let locked: HashMap<RecordName<'_>, Arc<[u8]>> =
        locked.map(|&(namespace, id, key)| ((namespace, id), Arc::from(key))).collect();
    let waits: Vec<Wait> = jobs
        .iter()
        .map(|put| match (locked.get(&put.record()), &put.wait) {
            (Some(key), _) => Wait::Locked(Arc::clone(key)),
            (None, Wait::Last) => Wait::Last,
            (None, Wait::No | Wait::Locked(_)) => Wait::No,
        })
        .collect();
    jobs.iter_mut().zip(waits).for_each(|(put, wait)| put.wait = wait);
    Ok(())
}

impl Puts {
    /// Whether a Put is to a namespace that has to be admitted.
    fn is_news(&self, put: &Put) -> bool {
        !self.admitted.knows(&put.put.target, put.put.stamp.now)
    }

    /// Admits the namespaces that are news. A Put to such a one always stores something. Puts to
    /// those for which a lock has to be waited for are set back.
    async fn admit(&self, connection: &mut Connection, jobs: &mut Vec<Put>) -> sqlx::Result<()> {
        let mut news: Vec<(Target, i64)> = jobs
            .iter()
            .filter(|put| self.is_news(put))
            .map(|put| (put.put.target.clone(), put.put.stamp.now))
            .collect();
        if news.is_empty() {
            return Ok(());
        }
        news.sort_by(|one, two| one.0.namespace.cmp(&two.0.namespace));
        news.dedup_by(|one, two| one.0.namespace == two.0.namespace);
        self.look_up(connection, &mut news).await?;
        // One that waits already is tried when all others have flown.
        let mut waits = jobs.iter().any(|put| put.wait == Wait::Last && self.is_news(put));
        for (target, now) in news {
            waits = waits || !self.admit_one(connection, jobs, &target, now).await?;
            if waits {
                let of_it = |put: &&mut Put| put.put.target.namespace == target.namespace;
                jobs.iter_mut().filter(of_it).for_each(|put| put.wait = Wait::Last);
            }
        }
        Ok(())
    }

    /// Leaves those that have no place yet, or whose place is locked.
    async fn look_up(
        &self,
        connection: &mut Connection,
        news: &mut Vec<(Target, i64)>,
    ) -> sqlx::Result<()> {
        let namespaces: Vec<&str> = news.iter().map(|(target, _)| &*target.namespace).collect();
        let now = news.iter().map(|(_, now)| *now).max().unwrap_or_default();
        let known: HashSet<String> = match look_up_free(connection, &namespaces, now).await {
            Ok(known) => known.into_iter().collect(),
            Err(error) if breaks_connection(&error) => return Err(error),
            // They are looked up one by one.
            Err(_) => HashSet::new(),
        };
        news.retain(|(target, now)| {
            let has_place = known.contains(&*target.namespace);
            if has_place {
                self.admitted.learn(target, *now);
            }
            !has_place
        });
        Ok(())
    }

    /// Admits the namespace of the first Put, where that is still to be done. Answers whether it is
    /// done.
    async fn admit_first(
        &self,
        connection: &mut Connection,
        jobs: &mut Vec<Put>,
    ) -> sqlx::Result<bool> {
        let Some(first) = jobs.first().filter(|put| self.is_news(put)) else { return Ok(true) };
        let (target, now) = (first.put.target.clone(), first.put.stamp.now);
        let done = self.admit_one(connection, jobs, &target, now).await?;
        if !done {
            jobs.rotate_left(1);
        }
        Ok(done)
    }

    /// Admits a namespace, or refuses the Puts to it. Answers false where a lock has been waited
    /// for in vain.
    async fn admit_one(
        &self,
        connection: &mut Connection,
        jobs: &mut Vec<Put>,
        target: &Target,
        now: i64,
    ) -> sqlx::Result<bool> {
        let is_of = |put: &Put| put.put.target.namespace == target.namespace;
        while jobs.iter().any(is_of) {
            let mut admission = Admission::new(&self.admitted, target.clone(), now);
            let error = match transaction(connection, &mut admission).await {
                Ok(()) => return Ok(true),
                Err(Failure::Conflict) => continue,
                Err(Failure::Database(error)) if is_locked(&error) => return Ok(false),
                Err(Failure::Database(error)) => return Err(error),
                Err(Failure::Call(error)) => error,
            };
            let mut error = Some(error);
            for put in jobs.extract_if(.., |put| is_of(put)) {
                let max = target.max_namespaces.unwrap_or_default();
                put.answer(Err(error.take().unwrap_or_else(|| too_many_namespaces(max))));
            }
        }
        Ok(true)
    }
}

/// Where a flight was broken off.
enum Broken {
    /// The connection failed before anything was written.
    Before(sqlx::Error),
    /// The connection failed when it may have been written.
    Committing(sqlx::Error),
    /// Postgres refused it: nothing was written.
    Refused(sqlx::Error),
}

impl Broken {
    fn before(error: sqlx::Error) -> Self {
        if breaks_connection(&error) { Broken::Before(error) } else { Broken::Refused(error) }
    }

    fn committing(error: sqlx::Error) -> Self {
        if leaves_outcome_open(&error) { Broken::Committing(error) } else { Broken::before(error) }
    }
}

/// How many from the first on are to different items, for a statement writes none twice, and wait
/// for nothing.
fn distinct(jobs: &[Put]) -> usize {
    let mut seen = HashSet::with_capacity(jobs.len());
    let free = jobs.iter().take_while(|put| put.wait == Wait::No);
    free.take_while(|put| put.names().all(|name| seen.insert(name))).count().max(1)
}

/// Writes Puts to different items, and gives locks up at once if that is to be `brief`. Answers
/// which of them are done.
async fn write(
    connection: &mut Connection,
    jobs: &[Put],
    brief: bool,
) -> Result<Vec<bool>, Broken> {
    let items = jobs.iter().flat_map(|put| put.put.items.iter().map(move |item| (&put.put, item)));
    let items: Vec<Putting<'_>> = items.collect();
    if items.len() == jobs.len() && !brief {
        let done = overwrite(connection, &items).await.map_err(Broken::committing)?;
        return match settle(connection, &items, &done).await {
            // What is written is not to be written again.
            Err(_) if done.contains(&true) => Ok(done),
            settled => settled.map_err(Broken::committing),
        };
    }
    let mut transaction = connection.begin().await.map_err(Broken::before)?;
    if brief {
        raw_sql(BRIEFLY).execute(&mut *transaction).await.map_err(Broken::before)?;
    }
    let done = overwrite(&mut transaction, &items).await.map_err(Broken::before)?;
    let done = settle(&mut transaction, &items, &done).await.map_err(Broken::before)?;
    if done.iter().all(|done| *done) {
        transaction.commit().await.map_err(Broken::committing)?;
        return Ok(vec![true; jobs.len()]);
    }
    transaction.rollback().await.map_err(Broken::before)?;
    Ok(vec![false; jobs.len()])
}

/// Writes what has a larger token than what is stored. Answers which items are done: where the
/// token is the client's, what was not written stays as it is.
async fn overwrite(connection: &mut Connection, items: &[Putting<'_>]) -> sqlx::Result<Vec<bool>> {
    let changes = changes(items, &vec![None; items.len()]);
    let now = items.iter().map(|(put, _)| put.stamp.now).max().unwrap_or_default();
    let rows = items::overwrite(connection, &changes, now).await?;
    let written = done(items, &rows, &changes)?.into_iter();
    let stays = |put: &RecordPut| matches!(put.stamp.token, Token::Client(_));
    Ok(items.iter().zip(written).map(|((put, _), written)| written || stays(put)).collect())
}

/// Looks at the items that are not done, and writes what becomes of those that are still as they
/// were seen. Answers which are done now.
async fn settle(
    connection: &mut Connection,
    items: &[Putting<'_>],
    done_before: &[bool],
) -> sqlx::Result<Vec<bool>> {
    let open = items.iter().zip(done_before).filter(|(_, done)| !**done);
    let open: Vec<Putting<'_>> = open.map(|(item, _)| *item).collect();
    if open.is_empty() {
        return Ok(done_before.to_vec());
    }
    let names: Vec<_> = open.iter().map(|item| name(*item)).collect();
    let seen = items::look(connection, &names).await?;
    let changes = changes(&open, &seen);
    let rows = items::store(connection, &changes).await?;
    let mut settled = done(&open, &rows, &changes)?.into_iter();
    Ok(done_before.iter().map(|done| *done || settled.next().unwrap_or(false)).collect())
}

/// What becomes of the items as they were seen.
fn changes<'a>(items: &[Putting<'a>], seen: &[Option<Current>]) -> Vec<Change<'a>> {
    let changed = items.iter().zip(seen).filter_map(|(&(put, item), seen)| {
        let version = decide::put(seen.as_ref(), content_of(item), &put.stamp)?;
        let (namespace, id, key) = name((put, item));
        Some(Change { namespace, id, key, version, value: Some(&item.value), seen: *seen })
    });
    changed.collect()
}

/// Which items have no change that is missing among the rows that were written.
fn done(items: &[Putting<'_>], rows: &[PgRow], changes: &[Change<'_>]) -> sqlx::Result<Vec<bool>> {
    if rows.len() == changes.len() {
        return Ok(vec![true; items.len()]);
    }
    let of_row = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let written: HashSet<(String, Vec<u8>, Vec<u8>)> =
        rows.iter().map(of_row).collect::<sqlx::Result<_>>()?;
    let written: HashSet<Name<'_>> =
        written.iter().map(|(namespace, id, key)| (&**namespace, &**id, &**key)).collect();
    let wanted = changes.iter().map(|change| (change.namespace, change.id, change.key));
    let failed: HashSet<Name<'_>> = wanted.filter(|name| !written.contains(name)).collect();
    Ok(items.iter().map(|item| !failed.contains(&name(*item))).collect())
}

fn name<'a>((put, item): Putting<'a>) -> Name<'a> {
    (&put.target.namespace, put.target.id.as_bytes(), &item.key)
}
