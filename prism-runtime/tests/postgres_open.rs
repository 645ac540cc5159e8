//! How a Postgres database is opened, refused, lost and found again.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prism_postgres::{Cluster, Programs, for_test};
use prism_runtime::keyvalue::decide::{Stamp, Token};
use prism_runtime::keyvalue::page::{Page, PageRead, Query, Shape};
use prism_runtime::keyvalue::selection::Selection;
use prism_runtime::proto::keyvalue::v1::{GetResponse, Item};
use prism_runtime::store::Migration;
use prism_runtime::store::keyvalue::{KeyValueStore as _, RecordPut, Target};
use prism_runtime::store::postgres::{Database, KeyValue, Options};
use prism_runtime::{Error, Result};
use prost::Message as _;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tracing_subscriber::fmt::MakeWriter;

const ONE: Migration =
    Migration { version: 1, description: "one", sql: "CREATE TABLE one (a INT)" };
const TWO: Migration =
    Migration { version: 2, description: "two", sql: "CREATE TABLE two (a INT)" };

fn options(url: &str, migrations: &[Migration]) -> Options {
    let mut options = Options::new(url);
    options.migrations = migrations.to_vec();
    options
}

fn refusal(options: &Options) -> String {
    let text = Database::open(options).unwrap_err().to_string();
    assert!(!text.contains("throw-away") && !text.contains('\n'), "{text}");
    text
}

#[test]
fn a_server_that_refuses_is_said_clearly() {
    let Some(database) = for_test() else { return };
    let url = database.url();
    let corpus = [
        (url.replace("throw-away", "wrong"), "does not let user `prism` in: password"),
        (format!("{url}_none"), "create it with `createdb test_"),
        (url.replace(&format!(":{}/", database.port()), ":1/"), "cannot be reached: Connection"),
        (format!("{url}?sslmode=require"), "does not speak TLS as sslmode asks for"),
        ("postgres://a:throw-away@host:port/d".to_owned(), "URL of the Postgres database cannot"),
    ];
    for (url, expected) in corpus {
        let text = refusal(&Options::new(url));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_server_that_cannot_be_written_to_is_refused() {
    let Ok(programs) = Programs::find() else { return };
    let cluster = Cluster::start(programs).unwrap();
    let database = cluster.create_database("writable").unwrap();
    let standby = cluster.standby().unwrap();
    let url = database.at_port(standby.port()).url();
    assert!(refusal(&Options::new(&url)).contains("is read-only: the server is a standby"));
    // The primary is found among several, wherever it stands.
    let hosts = format!("@127.0.0.1:{},127.0.0.1:{}/", standby.port(), database.port());
    let several = url.replace(&format!("@127.0.0.1:{}/", standby.port()), &hosts);
    drop(Database::open(&Options::new(&several)).unwrap());
    drop(Database::open(&Options::new(format!("{several}?target_session_attrs=primary"))).unwrap());
    // Asked for, a standby is served from.
    let looked_at =
        Options { migrate: false, ..Options::new(format!("{url}?target_session_attrs=any")) };
    let end = Instant::now() + Duration::from_secs(30);
    while let Err(error) = Database::open(&looked_at) {
        assert!(Instant::now() < end, "the tables do not reach the standby: {error}");
    }
    let text = refusal(&Options::new(format!("{url}?target_session_attrs=standby")));
    assert!(text.contains("target_session_attrs: read-write, primary or any"), "{text}");
}

#[test]
fn migrations_are_compared_before_anything_is_applied() {
    let Some(database) = for_test() else { return };
    let url = database.url();
    let behind = Options { migrate: false, ..options(&url, &[ONE]) };
    assert!(refusal(&behind).contains("start the server with --migrate"));
    Database::open(&options(&url, &[ONE, TWO])).unwrap();
    Database::open(&Options { migrate: false, ..options(&url, &[ONE, TWO]) }).unwrap();
    // A newer server has migrated it, and nothing is known here that this breaks.
    Database::open(&options(&url, &[ONE])).unwrap();
    assert!(refusal(&options(&url, &[TWO])).contains("has migration 1, which is missing"));
    let edited = Migration { sql: "CREATE TABLE one (b INT)", ..ONE };
    assert!(refusal(&options(&url, &[edited, TWO])).contains("0001 (one) was edited"));
    let broken =
        Migration { version: 3, description: "three", sql: "CREATE TABLE x (a INT); oops" };
    let text = refusal(&options(&url, &[ONE, TWO, broken]));
    assert!(text.contains("0003 (three) cannot be applied") && text.contains("oops"), "{text}");
    // Nothing of it is left.
    Database::open(&options(&url, &[ONE, TWO])).unwrap();
}

/// What a database, or a role, may be set to that changes what statements and values mean.
const ODD: [&str; 9] = [
    "bytea_output = escape",
    "standard_conforming_strings = off",
    "transform_null_equals = on",
    "array_nulls = off",
    "default_transaction_isolation = 'serializable'",
    "\"DateStyle\" = 'SQL, DMY'",
    "\"IntervalStyle\" = sql_standard",
    "timezone = 'Asia/Kathmandu'",
    "client_encoding = 'LATIN1'",
];

/// Runs statements on the test's database, whose name takes the place of `DATABASE`.
async fn run(url: &str, statements: &[&str]) {
    let mut admin = PgConnection::connect(url).await.unwrap();
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut admin).await.unwrap();
    for statement in statements {
        let sql = statement.replace("DATABASE_NAME", &name);
        admin.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
    }
}

#[tokio::test]
async fn settings_of_a_database_change_no_value() {
    let Some(database) = for_test() else { return };
    let url = database.url();
    for odd in ODD {
        run(&url, &[&format!("ALTER DATABASE DATABASE_NAME SET {odd}")]).await;
    }
    let options = options(&url, &[ONE, TWO]);
    let open = || Database::open(&options).unwrap();
    let store = Store(KeyValue::new(open()));
    for number in [1, 2, 1] {
        store.put(number).await.unwrap();
        assert_eq!(store.value(number).await.unwrap(), number.to_string().as_bytes());
    }
    drop(store);
    // Its migrations are recognized, whose checksums are bytes.
    drop(open());
}

#[tokio::test]
async fn a_database_that_cannot_be_served_is_refused() {
    let Some(database) = for_test() else { return };
    let url = database.url();
    run(
        &url,
        &["CREATE DATABASE DATABASE_NAME_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' \
           TEMPLATE template0"],
    )
    .await;
    let latin = format!("{url}_latin");
    let text = refusal(&options(&latin, &[]));
    assert!(
        text.contains("server_encoding") && text.contains("LATIN1, and Prism needs UTF8"),
        "{text}"
    );
    run(&url, &["DROP DATABASE DATABASE_NAME_latin"]).await;

    run(&url, &["ALTER DATABASE DATABASE_NAME SET default_transaction_read_only = on"]).await;
    let text = refusal(&options(&url, &[]));
    assert!(
        text.contains("is read-only: the server is a standby, or default_transaction"),
        "{text}"
    );

    // Without settings that go with the connection, as behind a pooler, they have to be right.
    run(
        &url,
        &[
            "SET default_transaction_read_only = off",
            "ALTER DATABASE DATABASE_NAME RESET ALL",
            "ALTER DATABASE DATABASE_NAME SET bytea_output = escape",
        ],
    )
    .await;
    let pooled = Options { prepared_statements: false, ..options(&url, &[]) };
    let text = refusal(&pooled);
    assert!(text.contains("bytea_output of the database"), "{text}");
    assert!(text.contains("is escape, and Prism needs hex"), "{text}");
}

#[test]
fn servers_that_start_at_once_migrate_once() {
    let Some(database) = for_test() else { return };
    // Building it waits for every transaction: none may be one that waits for the migrator.
    let index = Migration {
        version: 3,
        description: "index",
        sql: "-- no-transaction\nCREATE INDEX CONCURRENTLY by_id ON one (a);",
    };
    let options = options(&database.url(), &[ONE, TWO, index]);
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..10).map(|_| scope.spawn(|| Database::open(&options))).collect();
        starts.into_iter().for_each(|start| drop(start.join().unwrap().unwrap()));
    });
}

#[tokio::test]
async fn killed_connections_are_replaced_and_lose_no_acknowledged_write() {
    let Some(database) = for_test() else { return };
    let store = Store(KeyValue::new(Database::open(&Options::new(database.url())).unwrap()));
    let mut acknowledged = Vec::new();
    let mut admin = PgConnection::connect(&database.url()).await.unwrap();
    for number in 0..200_u32 {
        if number % 20 == 10 {
            let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid()";
            admin.execute(kill).await.unwrap();
        }
        match store.put(number).await {
            Ok(()) => acknowledged.push(number),
            Err(error) => assert!(is_lost(&error), "{error}"),
        }
    }
    assert!(acknowledged.len() >= 100, "{}", acknowledged.len());
    for number in acknowledged {
        assert_eq!(store.value(number).await.unwrap(), number.to_string().as_bytes());
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_in_time() {
    let Ok(programs) = Programs::find() else { return };
    let cluster = Cluster::start(programs).unwrap();
    let url = cluster.create_database("gone").unwrap().url();
    let timeout = Duration::from_millis(300);
    let name = "archive".to_owned();
    let options = Options { acquire_timeout: timeout, name, ..Options::new(url) };
    let lines = Lines::default();
    tracing_subscriber::fmt().json().with_writer(lines.clone()).init();
    let store = Store(KeyValue::new(Database::open(&options).unwrap()));
    store.put(1).await.unwrap();
    drop(cluster);
    let started = Instant::now();
    for _ in 0..2 {
        let error = store.put(2).await.unwrap_err();
        assert!(is_lost(&error), "{error}");
        assert!(store.value(1).await.is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(20));
    // Of several backends the log says which one it is.
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let outage = text.lines().find(|line| line.contains("the Postgres server cannot be reached"));
    assert!(outage.is_some_and(|line| line.contains("\"backend\":\"archive\"")), "{text}");
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

/// Numbers, each in a record of its own.
struct Store(KeyValue);

impl Store {
    async fn put(&self, number: u32) -> Result<()> {
        let item = Item { key: b"k".to_vec(), value: number.to_string().into(), metadata: None };
        let id = number.to_string();
        let target = Target { namespace: "test".into(), id, max_namespaces: None };
        let stamp = Stamp { token: Token::Server, now: 1, remembered: 1 };
        self.0.put(RecordPut { target, items: vec![item], stamp }).await
    }

    /// The number of its record.
    async fn value(&self, number: u32) -> Result<Vec<u8>> {
        let query = Query {
            namespace: "test".into(),
            id: Some(number.to_string()),
            selection: Selection::keys(vec![b"k".to_vec()]),
            now: 1,
        };
        let read = PageRead { query, page: Page::new(Shape::Items, 10, None) };
        let page = self.0.read(read).await?.page.into_response(None);
        let mut response = GetResponse::decode(page.message()).unwrap();
        Ok(response.items.pop().unwrap().value)
    }
}

/// The server went away: before the COMMIT, or during it.
fn is_lost(error: &Error) -> bool {
    use prism_runtime::Reason::{BackendUnavailable, OutcomeUnknown};
    [BackendUnavailable, OutcomeUnknown].contains(&error.reason())
}
