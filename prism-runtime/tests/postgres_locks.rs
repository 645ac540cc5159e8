//! What other transactions have locked is waited for by those who need it: all others are served.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use prism_postgres::for_test;
use prism_runtime::Result;
use prism_runtime::keyvalue::decide::{Content, Stamp, Token};
use prism_runtime::keyvalue::page::{Page, PageRead, Query, Shape};
use prism_runtime::keyvalue::selection::Selection;
use prism_runtime::proto::keyvalue::v1::{GetResponse, Item};
use prism_runtime::store::keyvalue::{
    ItemSwap, KeyValueStore as _, RecordDelete, RecordPut, SwapOutcome, Target,
};
use prism_runtime::store::postgres::{Database, KeyValue, Options};
use prost::Message as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const STAMP: Stamp = Stamp { token: Token::Server, now: 1, remembered: 1 };

/// How long locks are held.
const HELD: Duration = Duration::from_secs(6);

/// How long others wait at most: one lock for a moment, and what a slow machine takes.
const PATIENCE: Duration = Duration::from_secs(3);

struct Store {
    store: Arc<KeyValue>,
    url: String,
}

impl Store {
    /// Where there is no Postgres: none.
    fn open() -> Option<Store> {
        let url = for_test()?.url();
        let mut options = Options::new(&url);
        options.acquire_timeout = HELD * 10;
        let store = Arc::new(KeyValue::new(Database::open(&options).unwrap()));
        Some(Store { store, url })
    }

    /// A session that holds what statements lock.
    async fn locked(&self, sql: &'static str) -> PgConnection {
        let mut session = PgConnection::connect(&self.url).await.unwrap();
        session.execute("BEGIN").await.unwrap();
        session.execute(AssertSqlSafe(sql)).await.unwrap();
        session
    }

    async fn put(&self, target: Target, key: impl Into<Vec<u8>>, value: Vec<u8>) -> Result<()> {
        let item = Item { key: key.into(), value, metadata: None };
        self.store.put(RecordPut { target, items: vec![item], stamp: STAMP }).await
    }

    async fn values(&self, id: &str) -> Vec<Vec<u8>> {
        let (namespace, id) = ("test".to_owned(), Some(id.to_owned()));
        let query = Query { namespace, id, selection: Selection::All, now: 1 };
        let read = PageRead { query, page: Page::new(Shape::Items, 1_000, None) };
        let page = self.store.read(read).await.unwrap().page.into_response(None);
        let response = GetResponse::decode(page.message()).unwrap();
        response.items.into_iter().map(|item| item.value).collect()
    }

    async fn swap(&self, id: &str, key: &str) -> Result<SwapOutcome> {
        let (new, content) = (Some(b"swapped".to_vec()), Content::default());
        let key = key.into();
        let swap = ItemSwap { target: of(id), key, expected: None, new, content, stamp: STAMP };
        self.store.swap(swap).await
    }
}

fn of(id: &str) -> Target {
    Target { namespace: "test".into(), id: id.to_owned(), max_namespaces: None }
}

/// Makes calls that wait for what a session holds, while others go on; then lets go of it.
async fn serve_others<T>(
    held: PgConnection,
    calls: impl Future<Output = T>,
    others: impl AsyncFn(usize),
) -> T {
    let released = Cell::new(false);
    let others = async {
        let started = Instant::now();
        for turn in 0.. {
            if started.elapsed() > HELD {
                break;
            }
            let before = Instant::now();
            others(turn).await;
            let waited = before.elapsed();
            assert!(waited < PATIENCE, "others waited for {waited:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        released.set(true);
        held.close().await.unwrap();
    };
    let calls = async {
        let ended = calls.await;
        assert!(released.get(), "nothing was locked");
        ended
    };
    tokio::join!(calls, others).0
}

/// Puts to many other records, in both lanes.
async fn put_others(store: &Store, turn: usize) {
    let ids: Vec<String> = (0..8).map(|number| format!("other-{turn}-{number}")).collect();
    let puts = ids.iter().map(|id| store.put(of(id), "k", b"v".to_vec()));
    join_all(puts).await.into_iter().for_each(|put| put.unwrap());
}

/// A record of a hundred items, all of which are locked.
async fn locked_record(store: &Store) -> PgConnection {
    let items = (0..100).map(|n| Item { key: key(n).into(), ..Item::default() }).collect();
    store.store.put(RecordPut { target: of("locked"), items, stamp: STAMP }).await.unwrap();
    store.locked("SELECT 1 FROM kv_items WHERE id = 'locked' FOR UPDATE").await
}

fn key(n: usize) -> String {
    format!("k{n:03}")
}

#[tokio::test]
async fn puts_to_the_items_of_a_locked_record_hold_up_no_others() {
    let Some(store) = Store::open() else { return };
    let held = locked_record(&store).await;
    let puts = (0..300).map(|n| store.put(of("locked"), key(n % 100), n.to_string().into()));
    let puts = serve_others(held, join_all(puts), async |turn| put_others(&store, turn).await);
    puts.await.into_iter().for_each(|put| put.unwrap());
    // Those to an item were made in their order.
    let last: Vec<Vec<u8>> = (200..300).map(|n| n.to_string().into()).collect();
    assert_eq!(store.values("locked").await, last);
}

#[tokio::test]
async fn large_puts_that_wait_leave_room_for_others() {
    let Some(store) = Store::open() else { return };
    let held = locked_record(&store).await;
    let puts = (0..12).map(|n| store.put(of("locked"), key(n), vec![7; 1_000_000]));
    let puts = serve_others(held, join_all(puts), async |turn| put_others(&store, turn).await);
    puts.await.into_iter().for_each(|put| put.unwrap());
}

#[tokio::test]
async fn items_that_another_transaction_is_about_to_insert_hold_up_no_others() {
    let Some(store) = Store::open() else { return };
    put_others(&store, 0).await;
    let held = store
        .locked(
            "INSERT INTO kv_items (namespace, id, key, token, compression, ttl_seconds, \
             created_at_millis, updated_at_millis, expires_at, removable_at, value) \
             SELECT namespace, convert_to('new-' || n, 'UTF8'), key, token, compression, ttl_seconds, \
             created_at_millis, updated_at_millis, expires_at, removable_at, value \
             FROM kv_items, generate_series(0, 29) AS n WHERE id = 'other-0-0'",
        )
        .await;
    let ids: Vec<String> = (0..30).map(|n| format!("new-{n}")).collect();
    let puts = join_all(ids.iter().map(|id| store.put(of(id), "k", b"new".to_vec())));
    let puts = serve_others(held, puts, async |turn| put_others(&store, turn + 1).await).await;
    puts.into_iter().for_each(|put| put.unwrap());
}

#[tokio::test]
async fn puts_to_new_namespaces_that_wait_for_their_places_hold_up_no_others() {
    let Some(store) = Store::open() else { return };
    let in_namespace = |namespace: &str| Target {
        namespace: namespace.into(),
        id: "r".to_owned(),
        max_namespaces: Some(1_000),
    };
    store.put(in_namespace("known"), "k", b"v".to_vec()).await.unwrap();
    let held = store.locked("SELECT 1 FROM kv_namespaces WHERE namespace = '' FOR UPDATE").await;
    let names: Vec<String> = (0..20).map(|n| format!("new-{n}")).collect();
    let puts = join_all(names.iter().map(|name| store.put(in_namespace(name), "k", b"v".to_vec())));
    let puts = serve_others(held, puts, async |turn| {
        put_others(&store, turn).await;
        store.put(in_namespace("known"), "k", b"w".to_vec()).await.unwrap();
    });
    puts.await.into_iter().for_each(|put| put.unwrap());
}

#[tokio::test]
async fn transactions_that_wait_for_a_record_leave_connections_to_others() {
    let Some(store) = Store::open() else { return };
    let held = locked_record(&store).await;
    let keys: Vec<String> = (0..60).map(key).collect();
    let swaps = join_all(keys.iter().map(|key| store.swap("locked", key)));
    let deletes = join_all((0..20).map(|_| {
        let selection = Selection::keys(vec![key(99).into()]);
        store.store.delete(RecordDelete { target: of("locked"), selection, stamp: STAMP })
    }));
    let calls = futures_util::future::join(swaps, deletes);
    let (swaps, deletes) = serve_others(held, calls, async |turn| {
        let swapped = store.swap(&format!("other-{turn}"), "k").await.unwrap();
        assert_eq!(swapped, SwapOutcome::Swapped);
    })
    .await;
    swaps.into_iter().for_each(|swap| assert!(swap.is_ok(), "{swap:?}"));
    deletes.into_iter().for_each(|delete| assert!(delete.is_ok(), "{delete:?}"));
}

/// A Delete of a whole record beside steady Puts to its items, each of which is deleted with it or
/// made after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_of_a_record_ends_beside_steady_puts_to_it() {
    const ITEMS: usize = 20_000;
    let Some(store) = Store::open() else { return };
    for first in (0..ITEMS).step_by(1_000) {
        let items = (first..first + 1_000).map(|n| Item { key: key(n).into(), ..Item::default() });
        let put = RecordPut { target: of("busy"), items: items.collect(), stamp: STAMP };
        store.store.put(put).await.unwrap();
    }
    let deleting = Cell::new(true);
    let puts = join_all((0..8).map(async |putter| {
        for turn in 0.. {
            if !deleting.get() {
                break;
            }
            let n = (putter * 2_503 + turn * 7_919) % ITEMS;
            store.put(of("busy"), key(n), b"busy".to_vec()).await.unwrap();
        }
    }));
    let delete = async {
        let delete = RecordDelete { target: of("busy"), selection: Selection::All, stamp: STAMP };
        let deleted = store.store.delete(delete).await;
        deleting.set(false);
        assert!(deleted.unwrap().unwrap() >= ITEMS as u64 / 2);
    };
    tokio::join!(puts, delete);
}
