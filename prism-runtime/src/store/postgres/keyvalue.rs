//! Key-value records in Postgres.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::admission::Admitted;
use super::connection::Connection;
use super::database::{Database, Transact};
use super::error::Failure;
use super::get::{Get, Gets, Shared};
use super::items::{LAST_KEY, key_after};
use super::lane::Lane;
use super::put::{Put, Puts};
use super::record::{Operation, Write};
use crate::keyvalue::limits::PAGE_BYTES;
use crate::keyvalue::page::{PageRead, StoredItem};
use crate::keyvalue::selection::Selection;
use crate::memory::{READ_AHEAD, charge};
use crate::proto::common::ItemMetadata;
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target,
};
use crate::{Error, Result};

/// Rows of a page, up to a number of them and until their values have so many bytes.
macro_rules! page {
    ($condition:literal) => {
        concat!(
            "SELECT id, key, value, expires_at, compression, ttl_seconds, created_at_millis, ",
            "updated_at_millis FROM (SELECT *, sum(octet_length(value)) OVER (ORDER BY id, key ",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (SELECT * FROM ",
            "kv_items WHERE namespace = $1 AND ",
            $condition,
            " ORDER BY id, key LIMIT $2) AS item) AS item WHERE coalesce(before, 0) < $3 ",
            "ORDER BY id, key"
        )
    };
}

const KEYS: &str = page!("id = $4 AND key = ANY($5)");
const RECORD: &str = page!("id = $4 AND key >= $5 AND key < $6");
const NAMESPACE: &str = page!("(id, key) >= ($4, $5)");

/// Lanes for Puts. A record's Puts always take the same one, so that they stay in their order; a
/// second one writes while the first waits for its COMMIT to be durable.
const PUT_LANES: usize = 2;

const SWEEP: &str = "
    DELETE FROM kv_items WHERE (namespace, id, key) IN
        (SELECT namespace, id, key FROM kv_items WHERE removable_at < $1 LIMIT $2)";

/// Key-value records in a Postgres database.
#[derive(Debug)]
pub struct KeyValue {
    database: Arc<Database>,
    admitted: Arc<Admitted>,
    gets: Lane<Get>,
    puts: Vec<Lane<Put>>,
    hasher: RandomState,
}

impl KeyValue {
    /// The records of a database.
    pub fn new(database: Arc<Database>) -> Self {
        let admitted = Arc::<Admitted>::default();
        let put_lane = |_| Lane::start(&database, Puts { admitted: Arc::clone(&admitted) });
        KeyValue {
            gets: Lane::start(&database, Gets::default()),
            puts: (0..PUT_LANES).map(put_lane).collect(),
            admitted,
            hasher: RandomState::new(),
            database,
        }
    }

    fn write<O>(&self, target: &Target, operation: O) -> StoreFuture<O::Output>
    where
        O: Operation,
    {
        let (target, admitted) = (target.clone(), Arc::clone(&self.admitted));
        self.database.transact(Write::new(target, admitted, operation))
    }
}

impl KeyValueStore for KeyValue {
    fn read(&self, read: PageRead) -> StoreFuture<PageRead> {
        if !Get::takes(&read) {
            return self.database.read(Fill { read: Some(read) });
        }
        let database = Arc::clone(&self.database);
        let shared = Get::send(&database, &self.gets, read);
        StoreFuture::pending(async move {
            match shared.await? {
                Shared::Done(read) => Ok(read),
                Shared::More(read) => database.read(Fill { read: Some(read) }).await,
            }
        })
    }

    fn put(&self, put: RecordPut) -> StoreFuture<()> {
        let lane = self.hasher.hash_one((&put.target.namespace, &put.target.id)) as usize;
        Put::send(&self.database, &self.puts[lane % PUT_LANES], put)
    }

    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>> {
        let target = delete.target.clone();
        self.write(&target, delete)
    }

    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome> {
        let target = swap.target.clone();
        self.write(&target, swap)
    }

    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64> {
        self.database.transact(Sweep { before, limit })
    }
}

/// Removes items that nobody can see any more, at most `limit`.
struct Sweep {
    before: i64,
    limit: u32,
}

impl Transact for Sweep {
    type Output = u64;

    async fn run(&mut self, connection: &mut Connection) -> Result<u64, Failure> {
        let sweep = sqlx::query(SWEEP).bind(self.before).bind(i64::from(self.limit));
        Ok(sweep.execute(connection).await?.rows_affected())
    }
}

/// Reads a page; made again, it goes on where it was.
struct Fill {
    /// `None` once it was answered with.
    read: Option<PageRead>,
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
    loop {
        let PageRead { query, page } = &mut *read;
        // The page stops before the limit is reached, so an end of the rows is the end of what
        // there is.
        let limit = i64::from(query.effort.rows()) + 1;
        let after = page.after();
        let from =
            |start: &[u8]| after.map_or_else(|| start.to_vec(), |after| key_after(&after.key));
        let paged = |sql| {
            sqlx::query(sql).bind(query.namespace.as_str()).bind(limit).bind(PAGE_BYTES as i64)
        };
        let rows = match (&query.id, &query.selection) {
            (Some(id), Selection::Keys(keys)) => {
                let first = after.map_or(0, |after| keys.partition_point(|k| *k <= after.key));
                paged(KEYS)
                    .bind(id.as_bytes())
                    .bind(&keys[first..])
                    .fetch_all(&mut *connection)
                    .await?
            }
            (Some(id), selection) => {
                let (start, end) = selection.bounds();
                let end = end.unwrap_or(&LAST_KEY);
                paged(RECORD)
                    .bind(id.as_bytes())
                    .bind(from(start))
                    .bind(end)
                    .fetch_all(&mut *connection)
                    .await?
            }
            (None, _) => {
                let id = after.map_or("", |after| after.id.as_str());
                paged(NAMESPACE)
                    .bind(id.as_bytes())
                    .bind(from(&[]))
                    .fetch_all(&mut *connection)
                    .await?
            }
        };
        let mut bytes = 0;
        for row in &rows {
            let item = stored_item(row)?;
            bytes += item.value.map_or(0, <[u8]>::len);
            if page.offer(query, &item).is_break() {
                return Ok(());
            }
        }
        if (rows.len() as i64) < limit && bytes < PAGE_BYTES {
            page.end();
            return Ok(());
        }
    }
}

/// The item in a row of id, key, value and what is known of them.
pub(super) fn stored_item(row: &PgRow) -> sqlx::Result<StoredItem<'_>> {
    Ok(StoredItem {
        id: std::str::from_utf8(row.try_get(0)?).map_err(|e| sqlx::Error::Decode(e.into()))?,
        key: row.try_get(1)?,
        value: row.try_get(2)?,
        expires_at: row.try_get(3)?,
        metadata: ItemMetadata {
            compression: row.try_get(4)?,
            ttl_seconds: row.try_get(5)?,
            created_at_millis: row.try_get(6)?,
            updated_at_millis: row.try_get(7)?,
        },
    })
}
