//! Puts of one item, coalesced.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::database::Database;
use super::error::{Failure, breaks_connection, outcome_unknown, shutting_down};
use super::items::{self, Change};
use super::lane::{Flight, Job, Lane};
use crate::keyvalue::decide::{self, Current};
use crate::proto::keyvalue::v1::Item;
use crate::store::StoreFuture;
use crate::store::keyvalue::{RecordPut, content_of};
use crate::{Error, Result};

/// A Put of one item, to a namespace that may be written to.
#[derive(Debug)]
pub(super) struct Put {
    put: RecordPut,
    answer: oneshot::Sender<Result<()>>,
    _room: OwnedSemaphorePermit,
}

impl Put {
    /// Sends a Put of exactly one item.
    pub(super) fn send(database: &Database, lane: &Lane<Put>, put: RecordPut) -> StoreFuture<()> {
        let bytes = put.items.iter().map(|item| item.key.len() + item.value.len()).sum();
        let room = match database.admit(bytes) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = oneshot::channel();
        lane.send(Put { put, answer, _room: room });
        StoreFuture::pending(async move { outcome.await.unwrap_or_else(|_| Err(shutting_down())) })
    }

    fn item(&self) -> Option<&Item> {
        self.put.items.first()
    }

    /// Namespace, id and key.
    fn name(&self) -> (&str, &str, &[u8]) {
        let key = self.item().map_or(&[][..], |item| &item.key);
        (&self.put.target.namespace, &self.put.target.id, key)
    }

    fn answer(self, result: Result<()>) {
        // The caller may have gone.
        let _ = self.answer.send(result);
    }
}

impl Job for Put {
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn bytes(&self) -> usize {
        self.item().map_or(0, |item| item.key.len() + item.value.len())
    }

    fn fail(self, error: Error) {
        self.answer(Err(error));
    }
}

/// A look at the items, then one statement that writes those of them that are still so. It commits
/// by itself: each Put is of one item, so that none can be half written.
pub(super) struct Puts;

impl Flight for Puts {
    type Job = Put;

    async fn fly(
        &mut self,
        connection: &mut PgConnection,
        jobs: &mut Vec<Put>,
    ) -> sqlx::Result<()> {
        // How many fly alone, because one of them was refused: the others are not to fail with it.
        let mut alone = 0_usize;
        while !jobs.is_empty() {
            let flying = if alone > 0 { 1 } else { distinct(jobs) };
            alone = alone.saturating_sub(1);
            let seen = {
                let names: Vec<_> = jobs[..flying].iter().map(Put::name).collect();
                items::look(connection, &names).await?
            };
            match store(connection, &jobs[..flying], &seen).await {
                Ok(done) => {
                    // What found another write in its way comes again.
                    let mut done = done.into_iter();
                    let ended = jobs.extract_if(..flying, |_| done.next().unwrap_or(false));
                    ended.for_each(|put| put.answer(Ok(())));
                }
                Err(error) if breaks_connection(&error) => {
                    for put in jobs.drain(..flying) {
                        put.answer(Err(outcome_unknown(error.to_string())));
                    }
                    return Err(error);
                }
                Err(error) if flying == 1 => match Failure::of_commit(error) {
                    Failure::Conflict => {}
                    failure => jobs.remove(0).answer(Err(failure.into_error())),
                },
                Err(_) => alone = flying,
            }
        }
        Ok(())
    }
}

/// How many from the first on are to different items: a statement writes none twice.
fn distinct(jobs: &[Put]) -> usize {
    let mut names = HashSet::with_capacity(jobs.len());
    jobs.iter().take_while(|put| names.insert(put.name())).count()
}

/// Writes what the Puts make of the items as they were seen. Answers which of them are done.
async fn store(
    connection: &mut PgConnection,
    jobs: &[Put],
    seen: &[Option<Current>],
) -> sqlx::Result<Vec<bool>> {
    let mut changes = Vec::with_capacity(jobs.len());
    for (put, seen) in jobs.iter().zip(seen) {
        let Some(item) = put.item() else { continue };
        let version = decide::put(seen.as_ref(), content_of(item), &put.put.stamp);
        let Some(version) = version else { continue };
        let (namespace, id, key) = put.name();
        let value = Some(item.value.as_slice());
        changes.push(Change { namespace, id, key, version, value, seen: *seen });
    }
    let rows = items::store(connection, &changes).await?;
    if rows.len() == changes.len() {
        return Ok(vec![true; jobs.len()]);
    }
    let name = |row: &'_ PgRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
    let stored: HashSet<(String, String, Vec<u8>)> =
        rows.iter().map(name).collect::<sqlx::Result<_>>()?;
    let stored: HashSet<_> =
        stored.iter().map(|(namespace, id, key)| (&**namespace, &**id, &**key)).collect();
    let failed: HashSet<(&str, &str, &[u8])> = changes
        .iter()
        .map(|change| (change.namespace, change.id, change.key))
        .filter(|name| !stored.contains(name))
        .collect();
    Ok(jobs.iter().map(|put| !failed.contains(&put.name())).collect())
}
