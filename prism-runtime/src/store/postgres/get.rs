//! Gets of one item, coalesced.

use super::answer::{Answer, Caller, answer};
use super::connection::Connection as PgConnection;
use super::database::Database;
use super::items::place;
use super::keyvalue::stored_item;
use super::lane::{Flight, Job, Lane};
use crate::Error;
use crate::keyvalue::page::PageRead;
use crate::keyvalue::selection::Selection;
use crate::store::StoreFuture;

/// Items of many records, by their places in the arrays.
const MANY: &str = "
    SELECT id, key, value, expires_at, compression, ttl_seconds, created_at_millis,
        updated_at_millis, place
    FROM unnest($1::text[], $2::bytea[], $3::bytea[]) WITH ORDINALITY
        AS wanted (namespace, id, key, place)
    JOIN kv_items USING (namespace, id, key)";

/// A read of one item.
#[derive(Debug)]
pub(super) struct Get {
    read: PageRead,
    answer: Answer<PageRead>,
}

impl Get {
    /// Sends a read that names a record and one key.
    pub(super) fn send(
        database: &Database,
        lane: &Lane<Get>,
        read: PageRead,
    ) -> StoreFuture<PageRead> {
        let room = match database.admit(0) {
            Ok(room) => room,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let (answer, outcome) = answer(room);
        lane.send(Get { read, answer });
        outcome
    }

    fn id(&self) -> &[u8] {
        self.read.query.id.as_ref().map_or(&[], String::as_bytes)
    }

    fn key(&self) -> &[u8] {
        match &self.read.query.selection {
            Selection::Keys(keys) => keys.first().map_or(&[], Vec::as_slice),
            _ => &[],
        }
    }

    fn answer(self) {
        self.answer.send(Ok(self.read));
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

    async fn fly(
        &mut self,
        connection: &mut PgConnection,
        jobs: &mut Vec<Get>,
    ) -> sqlx::Result<()> {
        let namespaces: Vec<&str> = jobs.iter().map(|g| g.read.query.namespace.as_str()).collect();
        let ids: Vec<&[u8]> = jobs.iter().map(Get::id).collect();
        let keys: Vec<&[u8]> = jobs.iter().map(Get::key).collect();
        let query = sqlx::query(MANY).bind(namespaces).bind(ids).bind(keys);
        let rows = query.fetch_all(connection).await?;
        let mut open = vec![true; jobs.len()];
        for row in &rows {
            let at = place(row, 8)?;
            if let Some(Get { read: PageRead { query, page }, .. }) = jobs.get_mut(at) {
                open[at] = page.offer(query, &stored_item(row)?).is_continue();
            }
        }
        for (mut get, open) in jobs.drain(..).zip(open) {
            if open {
                get.read.page.end();
            }
            get.answer();
        }
        Ok(())
    }
}
