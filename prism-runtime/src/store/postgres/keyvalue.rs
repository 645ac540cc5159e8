//! Key-value records in Postgres.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::admission::{Admitted, give_back};
use super::connection::Connection;
use super::database::{Database, Transact};
use super::error::Failure;
use super::get::{Get, Gets, Shared};
use super::lane::Lane;
use super::page::Fill;
use super::put::{Put, Puts};
use super::record::{Operation, Write};
use crate::Result;
use crate::keyvalue::page::{PageRead, StoredItem};
use crate::proto::common::ItemMetadata;
use crate::store::StoreFuture;
use crate::store::keyvalue::{
    ItemSwap, KeyValueStore, RecordDelete, RecordPut, SwapOutcome, Target,
};

/// Lanes for Puts. A record's Puts always take the same one, so that they stay in their order; a
/// second one writes while the first waits for its COMMIT to be durable.
const PUT_LANES: usize = 2;

/// Says twice what is removed: an item that is written meanwhile is looked at again, and what was
/// selected is not.
const SWEEP: &str = "
    DELETE FROM kv_items WHERE removable_at < $1 AND (namespace, id, key) IN
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
            return self.database.read(Fill::new(read));
        }
        let shared = match Get::send(&self.database, &self.gets, read) {
            Ok(shared) => shared,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        let database = Arc::clone(&self.database);
        StoreFuture::pending(async move {
            match shared.await? {
                Shared::Done(read) => Ok(read),
                Shared::Alone(read) => database.read(Fill::new(read)).await,
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
        let admitted = Arc::clone(&self.admitted);
        self.database.transact(Sweep { before, limit, admitted, given_back: Vec::new() })
    }
}

/// Removes items that nobody can see any more, at most `limit`; and, where these were the last ones,
/// the namespaces that are empty.
struct Sweep {
    before: i64,
    limit: u32,
    admitted: Arc<Admitted>,
    given_back: Vec<String>,
}

impl Transact for Sweep {
    type Output = u64;

    async fn run(&mut self, connection: &mut Connection) -> Result<u64, Failure> {
        let sweep = sqlx::query(SWEEP).bind(self.before).bind(i64::from(self.limit));
        let swept = sweep.execute(&mut *connection).await?.rows_affected();
        if swept < u64::from(self.limit) {
            self.given_back = give_back(connection, self.before).await?;
        }
        Ok(swept)
    }

    fn committed(&self) {
        self.admitted.forget(&self.given_back);
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
