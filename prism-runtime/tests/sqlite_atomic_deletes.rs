//! A Delete of very many items on SQLite is seen whole or not at all: by reads beside it, after a
//! `kill -9`, and after a part of it failed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use prism_runtime::Reason;
use prism_runtime::keyvalue::decide::{Stamp, Token};
use prism_runtime::keyvalue::page::{Page, PageRead, Query, Shape};
use prism_runtime::keyvalue::selection::Selection;
use prism_runtime::proto::keyvalue::v1::Item;
use prism_runtime::store::keyvalue::{KeyValueStore, RecordDelete, RecordPut, Target};
use prism_runtime::store::sqlite::{Database, KeyValue, Options};

/// Set for the process that is killed: the database, and the token of its Delete.
const DATABASE: &str = "PRISM_TEST_DATABASE";
const TOKEN: &str = "PRISM_TEST_TOKEN";

/// Many times what a part deletes.
const ITEMS: u64 = 20_000;

/// Items of one Put, a part of the record apart from each other.
const SPREAD: u64 = 10;

/// Tokens of the record's items, of the spread ones and of the Delete that these survive.
const OLD: i64 = 1_000;
const NEW: i64 = 9_000;
const BETWEEN: i64 = 5_000;

fn stamp(token: Token) -> Stamp {
    Stamp { token, now: 10_000, remembered: 1_000_000 }
}

fn target(id: &str) -> Target {
    Target { namespace: "test".into(), id: id.to_owned(), max_namespaces: None }
}

fn key(n: u64) -> Vec<u8> {
    u32::try_from(n).unwrap().to_be_bytes().to_vec()
}

fn spread() -> Vec<Vec<u8>> {
    (0..SPREAD).map(|n| [&key(n * (ITEMS / SPREAD))[..], b"spread"].concat()).collect()
}

async fn put(store: &KeyValue, id: &str, keys: Vec<Vec<u8>>, token: Token) {
    let items = keys.into_iter().map(|key| Item { key, ..Item::default() }).collect();
    store.put(RecordPut { target: target(id), items, stamp: stamp(token) }).await.unwrap();
}

async fn fill(store: &KeyValue) {
    for first in (0..ITEMS).step_by(1000) {
        let keys = (first..first + 1000).map(key).collect();
        put(store, "large", keys, Token::Client(OLD)).await;
    }
    put(store, "large", spread(), Token::Client(NEW)).await;
}

fn delete(token: Token) -> RecordDelete {
    RecordDelete { target: target("large"), selection: Selection::All, stamp: stamp(token) }
}

/// How many items a read finds, in one page.
async fn found(store: &KeyValue, id: Option<&str>, selection: Selection) -> u64 {
    let shape = if id.is_some() { Shape::Items } else { Shape::Scanned };
    let query =
        Query { namespace: "test".into(), id: id.map(str::to_owned), selection, now: 10_000 };
    let page = Page::new(shape, u64::MAX, None);
    let read = store.read(PageRead { query, page }).await.unwrap();
    assert!(read.page.is_done() && read.page.next().is_none());
    read.page.items()
}

async fn found_of_large(store: &KeyValue) -> u64 {
    found(store, Some("large"), Selection::All).await
}

/// Items of the record in the table that are no remembered deletes.
fn in_table(database: &Database) -> u64 {
    let sql = "SELECT count(*) FROM kv_items WHERE id = 'large' AND value IS NOT NULL";
    let count = |row: &rusqlite::Row<'_>| row.get::<_, u32>(0);
    database.read(|connection| Ok(connection.query_row(sql, [], count)?)).unwrap().into()
}

/// Deletes of which something is left to do.
fn unfinished(database: &Database) -> u32 {
    let sql = "SELECT count(*) FROM kv_deletes";
    database.read(|connection| Ok(connection.query_row(sql, [], |row| row.get(0))?)).unwrap()
}

fn open(path: &Path) -> (Arc<Database>, KeyValue) {
    let database = Database::open(&Options::new(path)).unwrap();
    let store = KeyValue::new(Arc::clone(&database));
    (database, store)
}

/// Reads beside a Delete: each kind of read finds all that there was, until one finds nothing of
/// what is deleted, and none finds anything of it after that.
async fn seen_whole(token: Token, left: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (database, store) = open(&folder.path().join("test.db"));
    let (mut half_way, mut others) = (0, 0);
    // A run in which nothing is read half way says nothing.
    for _ in 0..20 {
        fill(&store).await;
        let mut delete = std::pin::pin!(store.delete(delete(token)));
        let mut is_deleted = false;
        let check = |found: u64, all: u64, left: u64, is_deleted: &mut bool| {
            assert!(found == left || found == all, "{found} of {all} are read");
            assert!(!*is_deleted || found == left, "what was deleted is found again");
            // Of a read whose answer does not depend on the Delete nothing can be told.
            *is_deleted |= found != all;
        };
        let gone = loop {
            let step = async {
                let before = in_table(&database);
                let all = ITEMS + SPREAD;
                check(found_of_large(&store).await, all, left, &mut is_deleted);
                let some = found(&store, Some("large"), Selection::keys(spread())).await;
                check(some, SPREAD, left, &mut is_deleted);
                let end = Some(key(ITEMS / 2));
                let half = Selection::Range { start: key(0), end };
                let half = found(&store, Some("large"), half).await;
                check(half, all / 2, left / 2, &mut is_deleted);
                check(
                    found(&store, None, Selection::All).await - others,
                    all,
                    left,
                    &mut is_deleted,
                );
                if left < before && before < all {
                    assert!(is_deleted, "{before} are left, and all are read");
                    half_way += 1;
                }
                put(&store, "other", vec![key(others)], Token::Server).await;
                others += 1;
            };
            tokio::select! {
                biased;
                gone = &mut delete => break gone.unwrap(),
                () = step => {}
            }
        };
        assert_eq!(gone, Some(ITEMS + SPREAD - left));
        assert_eq!((in_table(&database), found_of_large(&store).await), (left, left));
        assert_eq!(unfinished(&database), 0);
        if half_way > 0 && others > 0 {
            return;
        }
        others = found(&store, Some("other"), Selection::All).await;
        store.delete(self::delete(Token::Server)).await.unwrap();
        database
            .write(|c| Ok(c.execute("DELETE FROM kv_items WHERE id = 'large'", [])?))
            .await
            .unwrap();
    }
    panic!("no read was made half way");
}

#[tokio::test]
async fn reads_see_all_of_a_large_delete_or_nothing() {
    seen_whole(Token::Server, 0).await;
}

#[tokio::test]
async fn reads_beside_a_delete_find_the_items_that_are_newer_than_it() {
    seen_whole(Token::Client(BETWEEN), SPREAD).await;
}

/// A read shares its transaction with those before it on the same event loop, unless something was
/// acknowledged in between.
#[tokio::test]
async fn a_delete_that_is_acknowledged_is_seen_at_once() {
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        let (_database, store) = open(&folder.path().join("test.db"));
        let named = || Selection::keys(spread());
        fill(&store).await;
        assert_eq!(found(&store, Some("large"), named()).await, SPREAD);
        store.delete(delete(Token::Server)).await.unwrap();
        assert_eq!(found(&store, Some("large"), named()).await, 0);
        put(&store, "large", spread(), Token::Server).await;
        assert_eq!(found(&store, Some("large"), named()).await, SPREAD);
        assert_eq!(found_of_large(&store).await, SPREAD);
    }
}

/// After a kill half way: nothing is found of what is deleted, what is written then is kept, and
/// the rest of the Delete is done by that write, or by the sweep.
#[tokio::test]
async fn a_delete_that_was_killed_is_made_or_not() {
    let mut half_way = 0;
    for round in 0..12_u64 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let (token, left) = if round % 2 == 0 { (None, 0) } else { (Some(BETWEEN), SPREAD) };
        let all = ITEMS + SPREAD;
        kill_half_way(&path, token, (left + 1)..(all - round * 1000));

        let (database, store) = open(&path);
        let is_half_way = (left + 1..all).contains(&in_table(&database));
        assert_eq!(unfinished(&database), u32::from(is_half_way));
        let found = found_of_large(&store).await;
        if !is_half_way {
            assert!(found == left || found == all, "{found} are found");
            continue;
        }
        half_way += 1;
        assert_eq!(found, left);
        if round % 4 < 2 {
            // A key that the Delete has not come to.
            let later = token.map_or(Token::Server, |token| Token::Client(token + 1));
            put(&store, "large", vec![key(ITEMS - 1)], later).await;
            assert_eq!(in_table(&database), left + 1);
            assert_eq!(found_of_large(&store).await, left + 1);
        } else {
            store.sweep(0, 1000).await.unwrap();
            assert_eq!((in_table(&database), found_of_large(&store).await), (left, left));
        }
        assert_eq!(unfinished(&database), 0);
    }
    assert!(half_way > 0, "no kill was half way");
}

/// Starts the process that deletes, and kills it when as many items are left as one of these.
fn kill_half_way(path: &Path, token: Option<i64>, when: std::ops::Range<u64>) {
    let mut deleting = spawn(path, token);
    let lines = BufReader::new(deleting.stdout.take().unwrap()).lines();
    let mut counts = lines.filter_map(|line| line.unwrap().strip_prefix("left ")?.parse().ok());
    assert!(counts.any(|left: u64| when.contains(&left) || left < when.start));
    deleting.kill().unwrap();
    deleting.wait().unwrap();
}

fn spawn(path: &Path, token: Option<i64>) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["deleting", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .env(TOKEN, token.unwrap_or_default().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The process that is killed: a Delete, beside which it says how many items are left.
#[test]
#[ignore = "started by the test above"]
fn deleting() {
    let Ok(path) = env::var(DATABASE) else { return };
    let token = match env::var(TOKEN).unwrap().parse().unwrap() {
        0 => Token::Server,
        token => Token::Client(token),
    };
    let (database, store) = open(Path::new(&path));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        fill(&store).await;
        let mut delete = std::pin::pin!(store.delete(delete(token)));
        loop {
            println!("\nleft {}", in_table(&database));
            tokio::select! {
                biased;
                _ = &mut delete => break,
                () = tokio::task::yield_now() => {}
            }
        }
        println!("\nleft {}", in_table(&database));
    });
}

/// The disk is full for a later part: the Delete is made for every reader all the same, its caller
/// is told that the outcome is not known, and the rest is done once there is room.
#[tokio::test]
async fn a_delete_of_which_a_part_failed_is_seen_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let (database, store) = open(&path);
    fill(&store).await;
    let pages = |connection: &rusqlite::Connection| {
        Ok(connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))?)
    };
    let pages = database.read(pages).unwrap();
    drop((store, database));

    let mut options = Options::new(&path);
    options.max_pages = Some(pages + 50);
    let database = Database::open(&options).unwrap();
    let store = KeyValue::new(Arc::clone(&database));
    let error = store.delete(delete(Token::Server)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::OutcomeUnknown, "{error}");
    assert!(in_table(&database) > 0 && unfinished(&database) == 1);
    assert_eq!(found_of_large(&store).await, 0);
    assert_eq!(found(&store, None, Selection::All).await, 0);
    drop((store, database));

    let (database, store) = open(&path);
    assert_eq!(found_of_large(&store).await, 0);
    assert_eq!(store.delete(delete(Token::Server)).await.unwrap(), Some(0));
    assert_eq!((in_table(&database), unfinished(&database)), (0, 0));
}
