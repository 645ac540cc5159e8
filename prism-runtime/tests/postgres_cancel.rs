//! What nobody waits for any more ends on the server, and its connection is used again.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use prism_postgres::{for_test, pooled_for_test};
use prism_runtime::keyvalue::decide::{Content, Stamp, Token};
use prism_runtime::keyvalue::page::{Page, PageRead, Query, Shape};
use prism_runtime::keyvalue::selection::Selection;
use prism_runtime::proto::keyvalue::v1::{GetResponse, Item};
use prism_runtime::store::keyvalue::{
    ItemSwap, KeyValueStore as _, RecordPut, SwapOutcome, Target,
};
use prism_runtime::store::postgres::{Database, KeyValue, Options};
use prism_runtime::{Reason, Result};
use prost::Message as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::time::timeout;

const SERVER: Stamp = Stamp { token: Token::Server, now: 1, remembered: 1 };
/// How long callers wait who go away.
const SHORT: Duration = Duration::from_millis(300);

struct Store {
    store: Arc<KeyValue>,
    url: String,
}

impl Store {
    /// Where there is no Postgres: none.
    async fn open(change: impl FnOnce(&mut Options)) -> Option<Store> {
        let url = for_test()?.url();
        let mut options = Options::new(&url);
        change(&mut options);
        Store::start(url, options).await
    }

    /// Behind PgBouncer.
    async fn open_pooled() -> Option<Store> {
        let database = for_test()?;
        let url = database.url();
        drop(Database::open(&Options::new(&url)).unwrap());
        let mut options = Options::new(pooled_for_test(&database)?.url());
        options.migrate = false;
        options.prepared_statements = false;
        Store::start(url, options).await
    }

    async fn start(url: String, options: Options) -> Option<Store> {
        let store = Arc::new(KeyValue::new(Database::open(&options).unwrap()));
        let store = Store { store, url };
        for id in ["a", "b"] {
            store.put(id, "first").await.unwrap();
        }
        Some(store)
    }

    async fn session(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// A session that holds what a statement locks.
    async fn locked(&self, sql: &'static str) -> PgConnection {
        let mut session = self.session().await;
        session.execute("BEGIN").await.unwrap();
        session.execute(sql).await.unwrap();
        session
    }

    async fn put(&self, id: &str, value: &str) -> Result<()> {
        let item = Item { key: b"k".to_vec(), value: value.into(), metadata: None };
        let target = target(id);
        self.store.put(RecordPut { target, items: vec![item], stamp: SERVER }).await
    }

    async fn swap(&self, id: &str, expected: &str, new: &str) -> Result<SwapOutcome> {
        let (expected, new) = (Some(expected.into()), Some(new.into()));
        let (target, content) = (target(id), Content::default());
        let swap = ItemSwap { target, key: b"k".to_vec(), expected, new, content, stamp: SERVER };
        self.store.swap(swap).await
    }

    async fn value(&self, id: &str) -> Result<String> {
        let query = Query {
            namespace: "test".into(),
            id: Some(id.to_owned()),
            selection: Selection::keys(vec![b"k".to_vec()]),
            now: 1,
        };
        let read = PageRead { query, page: Page::new(Shape::Items, 10, None) };
        let page = self.store.read(read).await?.page.into_response(None);
        let mut response = GetResponse::decode(page.message()).unwrap();
        Ok(String::from_utf8(response.items.pop().unwrap().value).unwrap())
    }

    /// The processes of the store's connections, of those that run something where it is asked for.
    async fn processes(&self, busy: bool) -> Vec<i32> {
        let condition = if busy { "state <> 'idle'" } else { "true" };
        let sql = format!(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
             AND backend_type = 'client backend' AND pid <> pg_backend_pid() \
             AND query NOT LIKE '%LOCK TABLE%' AND query NOT LIKE '%FOR UPDATE /*%' \
             AND {condition} ORDER BY pid"
        );
        let mut session = self.session().await;
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut session).await.unwrap()
    }

    /// Waits until the store runs something, or nothing any more.
    async fn until_busy(&self, busy: bool) {
        let end = Instant::now() + Duration::from_secs(5);
        while self.processes(true).await.is_empty() == busy {
            assert!(Instant::now() < end, "busy: {}", !busy);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn target(id: &str) -> Target {
    Target { namespace: "test".into(), id: id.to_owned(), max_namespaces: None }
}

const TABLE: &str = "LOCK TABLE kv_items IN ACCESS EXCLUSIVE MODE";
const ROW_A: &str = "SELECT 1 FROM kv_items WHERE id = 'a' FOR UPDATE /* held */";

#[tokio::test]
async fn a_write_that_waits_for_a_row_is_cancelled_with_its_caller() {
    let Some(store) = Store::open(|_| {}).await else { return };
    store.swap("b", "first", "first").await.unwrap();
    let before = store.processes(false).await;
    let held = store.locked(ROW_A).await;
    assert!(timeout(SHORT, store.swap("a", "first", "second")).await.is_err());
    store.until_busy(false).await;
    // The row is still locked, and the connection is there for others.
    assert_eq!(store.swap("b", "first", "second").await.unwrap(), SwapOutcome::Swapped);
    assert_eq!(store.value("a").await.unwrap(), "first");
    held.close().await.unwrap();
    let after = store.processes(false).await;
    assert!(before.iter().all(|process| after.contains(process)), "{before:?} {after:?}");
    assert_eq!(store.swap("a", "first", "third").await.unwrap(), SwapOutcome::Swapped);
}

#[tokio::test]
async fn behind_a_pooler_too() {
    let Some(store) = Store::open_pooled().await else { return };
    let held = store.locked(ROW_A).await;
    assert!(timeout(SHORT, store.swap("a", "first", "second")).await.is_err());
    store.until_busy(false).await;
    assert_eq!(store.swap("b", "first", "second").await.unwrap(), SwapOutcome::Swapped);
    held.close().await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), "first");
}

#[tokio::test]
async fn a_flight_is_cancelled_when_its_last_caller_has_gone() {
    let Some(store) = Store::open(|_| {}).await else { return };
    let held = store.locked(TABLE).await;
    let both = futures_util::future::join(
        timeout(SHORT, store.value("a")),
        timeout(2 * SHORT, store.value("b")),
    );
    tokio::pin!(both);
    assert!(timeout(SHORT + SHORT / 2, &mut both).await.is_err());
    assert!(!store.processes(true).await.is_empty(), "the second one still waits");
    let (one, other) = both.await;
    assert!(one.is_err() && other.is_err());
    store.until_busy(false).await;
    held.close().await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), "first");
}

#[tokio::test]
async fn who_still_waits_is_answered_although_others_have_gone() {
    let Some(store) = Store::open(|_| {}).await else { return };
    let held = store.locked(TABLE).await;
    let (one, other) = (timeout(SHORT, store.value("a")), store.value("b"));
    let release = async {
        tokio::time::sleep(2 * SHORT).await;
        held.close().await.unwrap();
    };
    let (one, other, ()) = tokio::join!(one, other, release);
    assert!(one.is_err());
    assert_eq!(other.unwrap(), "first");
}

#[tokio::test]
async fn a_put_that_is_given_up_is_not_made_later() {
    let Some(store) = Store::open(|_| {}).await else { return };
    let held = store.locked(TABLE).await;
    assert!(timeout(SHORT, store.put("a", "second")).await.is_err());
    store.until_busy(false).await;
    held.close().await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), "first");
    store.put("a", "third").await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), "third");
}

#[tokio::test]
async fn a_put_to_a_locked_row_waits_while_others_are_made() {
    let Some(store) = Store::open(|_| {}).await else { return };
    let held = store.locked(ROW_A).await;
    let started = Instant::now();
    let others = async {
        for turn in 0..3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let others: Vec<String> = (0..20).map(|number| format!("{turn}-{number}")).collect();
            let puts = futures_util::future::join_all(others.iter().map(|id| store.put(id, "x")));
            puts.await.into_iter().for_each(|put| put.unwrap());
        }
        assert_eq!(store.value("a").await.unwrap(), "first");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        held.close().await.unwrap();
    };
    let (late, given_up, ()) =
        tokio::join!(store.put("a", "second"), timeout(SHORT, store.put("a", "never")), others);
    late.unwrap();
    assert!(given_up.is_err());
    assert_eq!(store.value("a").await.unwrap(), "second");
}

#[tokio::test]
async fn a_table_that_is_locked_for_a_while_fails_no_call() {
    let Some(store) = Store::open(|_| {}).await else { return };
    let held = store.locked(TABLE).await;
    let ids: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let puts = futures_util::future::join_all(ids.iter().map(|id| store.put(id, "x")));
    let release = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        held.close().await.unwrap();
    };
    let (puts, found, swapped, ()) =
        tokio::join!(puts, store.value("a"), store.swap("b", "first", "second"), release);
    puts.into_iter().for_each(|put| put.unwrap());
    assert_eq!(found.unwrap(), "first");
    assert_eq!(swapped.unwrap(), SwapOutcome::Swapped);
}

#[tokio::test]
async fn a_wait_for_a_connection_ends_in_time_or_with_the_call_that_had_it() {
    let Some(store) = Store::open(|options| {
        options.max_connections = 1;
        options.acquire_timeout = 2 * SHORT;
    })
    .await
    else {
        return;
    };
    let held = store.locked(ROW_A).await;
    let started = Instant::now();
    let first = timeout(4 * SHORT, store.swap("a", "first", "second"));
    let second = async {
        tokio::time::sleep(SHORT / 3).await;
        let error = store.swap("b", "first", "second").await.unwrap_err();
        assert_eq!(error.reason(), Reason::BackendUnavailable, "{error:?}");
        assert!(error.retry_after().is_some() && started.elapsed() < 4 * SHORT);
        // This one has the connection when the first one's caller goes.
        tokio::time::sleep_until((started + 3 * SHORT + SHORT / 2).into()).await;
        store.swap("b", "first", "third").await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_err());
    assert_eq!(second.unwrap(), SwapOutcome::Swapped);
    held.close().await.unwrap();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_says_so() {
    let Some(store) = Store::open(|options| options.statement_timeout = SHORT).await else {
        return;
    };
    let held = store.locked(TABLE).await;
    let swapped = store.swap("a", "first", "second").await.unwrap_err();
    for error in [store.value("a").await.unwrap_err(), swapped] {
        assert_eq!(error.reason(), Reason::DeadlineExceeded, "{error:?}");
        assert!(error.retry_after().is_some());
    }
    held.close().await.unwrap();
    assert_eq!(store.value("a").await.unwrap(), "first");
}
