//! Puts, coalesced.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::admission::{Admission, Admitted};
use super::answer::{Answer, Caller, answer};
use super::connection::Connection as PgConnection;
use super::database::{Database, transaction};
use super::error::{Failure, breaks_connection, outcome_unknown};
use super::items::{self, Change};
use super::lane::{Flight, Job, Lane};
use crate::keyvalue::decide::{self, Current};
use crate::store::StoreFuture;
use crate::store::keyvalue::{RecordPut, content_of, too_many_namespaces};
use crate::{Error, Result};

/// A Put and where its answer goes.
#[derive(Debug)]
pub(super) struct Put {
    put: RecordPut,
    answer: Answer<()>,
}

/// What an item takes beside its key and value.
const ITEM_BYTES: usize = 128;

/// Namespace, id and key of an item.
type Name<'a> = (&'a str, &'a [u8], &'a [u8]);

impl Put {
    /// Sends a Put.
    pub(super) fn send(database: &Database, lane: &Lane<Put>, put: RecordPut) -> StoreFuture<()> {
        let room = match database.admit(bytes(&put)) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Put { put, answer });
        outcome
    }

    fn names(&self) -> impl Iterator<Item = Name<'_>> {
        let target = &self.put.target;
        self.put.items.iter().map(|item| (&*target.namespace, target.id.as_bytes(), &*item.key))
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

    fn fail(self, error: Error) {
        self.answer(Err(error));
    }
}

/// A look at the items, then one statement that writes those of them that are still so. Where
/// every Put is of one item it commits by itself: none of them can be half written. Else all are
/// written or none, in a transaction.
pub(super) struct Puts {
    pub(super) admitted: Arc<Admitted>,
}

impl Flight for Puts {
    type Job = Put;

    async fn fly(
        &mut self,
        connection: &mut PgConnection,
        jobs: &mut Vec<Put>,
    ) -> sqlx::Result<()> {
        self.admit(connection, jobs).await?;
        // How many fly alone, because one of them was refused: the others are not to fail with it.
        let mut alone = 0_usize;
        loop {
            // A write that was refused because nobody waits for it is not made again.
            jobs.retain(|put| !put.is_abandoned());
            if jobs.is_empty() {
                return Ok(());
            }
            let flying = if alone > 0 { 1 } else { distinct(jobs) };
            alone = alone.saturating_sub(1);
            match write(connection, &jobs[..flying]).await {
                Ok(done) => {
                    // What found another write in its way comes again.
                    let mut done = done.into_iter();
                    let ended = jobs.extract_if(..flying, |_| done.next().unwrap_or(false));
                    ended.for_each(|put| put.answer(Ok(())));
                }
                Err(Broken::Before(error)) => return Err(error),
                Err(Broken::Committing(error)) => {
                    for put in jobs.drain(..flying) {
                        put.answer(Err(outcome_unknown(error.to_string())));
                    }
                    return Err(error);
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

impl Puts {
    /// Admits the namespaces that are news. A Put to such a one always stores something.
    async fn admit(&self, connection: &mut PgConnection, jobs: &mut Vec<Put>) -> sqlx::Result<()> {
        while let Some(put) = jobs.iter().find(|put| !self.admitted.knows(&put.put.target)) {
            let target = put.put.target.clone();
            let mut admission = Admission::new(&self.admitted, target.clone());
            let error = match transaction(connection, &mut admission).await {
                Ok(()) | Err(Failure::Conflict) => continue,
                Err(Failure::Database(error)) => return Err(error),
                Err(Failure::Call(error)) => error,
            };
            let refused = |put: &mut Put| put.put.target.namespace == target.namespace;
            let mut error = Some(error);
            for put in jobs.extract_if(.., refused) {
                let max = target.max_namespaces.unwrap_or_default();
                put.answer(Err(error.take().unwrap_or_else(|| too_many_namespaces(max))));
            }
        }
        Ok(())
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
        if breaks_connection(&error) { Broken::Committing(error) } else { Broken::Refused(error) }
    }
}

/// How many from the first on are to different items: a statement writes none twice.
fn distinct(jobs: &[Put]) -> usize {
    let mut names = HashSet::with_capacity(jobs.len());
    jobs.iter().take_while(|put| put.names().all(|name| names.insert(name))).count().max(1)
}

/// Writes Puts to different items. Answers which of them are done.
async fn write(connection: &mut PgConnection, jobs: &[Put]) -> Result<Vec<bool>, Broken> {
    if jobs.iter().all(|put| put.put.items.len() == 1) {
        let seen = look(connection, jobs).await.map_err(Broken::before)?;
        return store(connection, jobs, &seen).await.map_err(Broken::committing);
    }
    let mut transaction = connection.begin().await.map_err(Broken::before)?;
    let seen = look(&mut transaction, jobs).await.map_err(Broken::before)?;
    let done = store(&mut transaction, jobs, &seen).await.map_err(Broken::before)?;
    if done.iter().all(|done| *done) {
        transaction.commit().await.map_err(Broken::committing)?;
        return Ok(done);
    }
    transaction.rollback().await.map_err(Broken::before)?;
    Ok(vec![false; jobs.len()])
}

async fn look(connection: &mut PgConnection, jobs: &[Put]) -> sqlx::Result<Vec<Option<Current>>> {
    let names: Vec<_> = jobs.iter().flat_map(Put::names).collect();
    items::look(connection, &names).await
}

/// Writes what the Puts make of the items as they were seen. Answers which of them are done.
async fn store(
    connection: &mut PgConnection,
    jobs: &[Put],
    seen: &[Option<Current>],
) -> sqlx::Result<Vec<bool>> {
    let mut changes = Vec::with_capacity(seen.len());
    let items = jobs.iter().flat_map(|put| put.put.items.iter().map(move |item| (&put.put, item)));
    for ((put, item), seen) in items.zip(seen) {
        let version = decide::put(seen.as_ref(), content_of(item), &put.stamp);
        changes.extend(version.map(|version| Change {
            namespace: &put.target.namespace,
            id: put.target.id.as_bytes(),
            key: &item.key,
            version,
            value: Some(&item.value),
            seen: *seen,
        }));
    }
    let rows = items::store(connection, &changes).await?;
    if rows.len() == changes.len() {
        return Ok(vec![true; jobs.len()]);
    }
    let name = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let stored: HashSet<(String, Vec<u8>, Vec<u8>)> =
        rows.iter().map(name).collect::<sqlx::Result<_>>()?;
    let stored: HashSet<Name<'_>> =
        stored.iter().map(|(namespace, id, key)| (&**namespace, &**id, &**key)).collect();
    let names = changes.iter().map(|change| (change.namespace, change.id, change.key));
    let failed: HashSet<Name<'_>> = names.filter(|name| !stored.contains(name)).collect();
    Ok(jobs.iter().map(|put| put.names().all(|name| !failed.contains(&name))).collect())
}
