//! Long reads and writes of the SQLite store do not keep others waiting.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use prism_runtime::keyvalue::decide::{Stamp, Token};
use prism_runtime::keyvalue::selection::Selection;
use prism_runtime::proto::common::ItemMetadata;
use prism_runtime::proto::keyvalue::v1::Item;
use prism_runtime::store::keyvalue::{KeyValueStore, RecordDelete, RecordPut, Target};
use prism_runtime::store::sqlite::{Database, KeyValue, Options};
use prism_runtime::{Error, Reason};

/// Far longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

fn open(change: impl FnOnce(&mut Options)) -> (tempfile::TempDir, Arc<Database>) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path().join("test.db"));
    change(&mut options);
    let database = Database::open(&options).unwrap();
    (folder, database)
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("it is kept waiting")
}

/// Counts without an end.
fn endless(database: &Database) -> impl Future<Output = Result<i64, Error>> + use<> {
    database.read_offloaded(|connection| {
        let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) \
                   SELECT count(*) FROM n";
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    })
}

fn short(database: &Database) -> impl Future<Output = Result<i64, Error>> + use<> {
    database
        .read_offloaded(|connection| Ok(connection.query_row("SELECT 1", [], |row| row.get(0))?))
}

#[tokio::test]
async fn short_reads_do_not_wait_for_long_ones() {
    let (_folder, database) = open(|options| options.max_reader_threads = 8);
    // More than the threads that are always there.
    let long: Vec<_> = (0..7).map(|_| Box::pin(endless(&database))).collect();
    for _ in 0..20 {
        assert_eq!(in_time(short(&database)).await.unwrap(), 1);
    }
    drop(long);
    assert_eq!(in_time(short(&database)).await.unwrap(), 1);
}

#[tokio::test]
async fn reads_that_nobody_waits_for_are_interrupted() {
    let (_folder, database) = open(|options| {
        options.reader_threads = 1;
        options.max_reader_threads = 1;
    });
    for _ in 0..10 {
        let abandoned = tokio::time::timeout(Duration::from_millis(20), endless(&database)).await;
        assert!(abandoned.is_err());
        assert_eq!(in_time(short(&database)).await.unwrap(), 1);
    }
    // One that has not begun is left out.
    let waiting: Vec<_> = (0..50).map(|_| Box::pin(endless(&database))).collect();
    drop(waiting);
    assert_eq!(in_time(short(&database)).await.unwrap(), 1);
    let abandoned = Box::pin(endless(&database));
    drop(abandoned);
    let closing = tokio::task::spawn_blocking(move || {
        database.close();
        database
    });
    let database = in_time(closing).await.unwrap();
    assert_eq!(short(&database).await.unwrap_err().reason(), Reason::ShuttingDown);
}

#[tokio::test]
async fn reads_beyond_the_queue_are_refused() {
    let (_folder, database) = open(|options| {
        options.reader_threads = 1;
        options.max_reader_threads = 1;
        options.read_queue = 4;
    });
    let mut reads: Vec<_> = (0..5).map(|_| Box::pin(endless(&database))).collect();
    // Of five, the first may have begun by now; of six more, one finds no place in any case.
    reads.extend((0..6).map(|_| Box::pin(endless(&database))));
    let last = in_time(reads.pop().unwrap()).await;
    assert_eq!(last.unwrap_err().reason(), Reason::Overloaded);
}

const STAMP: Stamp = Stamp { token: Token::Server, now: 1_000, remembered: 1_000 };

fn target(id: &str) -> Target {
    Target { namespace: "test".into(), id: id.to_owned(), max_namespaces: None }
}

async fn put(store: &KeyValue, id: &str, keys: std::ops::Range<u32>) {
    let item = |n: u32| Item { key: n.to_be_bytes().to_vec(), ..Item::default() };
    let items = keys.map(item).collect();
    store.put(RecordPut { target: target(id), items, stamp: STAMP }).await.unwrap();
}

fn live(database: &Database, id: &str) -> u32 {
    let sql = "SELECT count(*) FROM kv_items WHERE id = ?1 AND value IS NOT NULL";
    database.read(|connection| Ok(connection.query_row(sql, [id], |row| row.get(0))?)).unwrap()
}

/// Other records are written meanwhile; what is written to the same one waits, and is kept.
#[tokio::test]
async fn a_delete_of_very_many_items_lets_others_write() {
    const ITEMS: u32 = 30_000;
    let (_folder, database) = open(|_| {});
    let store = KeyValue::new(Arc::clone(&database));
    for first in (0..ITEMS).step_by(1000) {
        put(&store, "large", first..first + 1000).await;
    }
    let selection = Selection::All;
    let delete = RecordDelete { target: target("large"), selection, stamp: STAMP };
    let mut delete = std::pin::pin!(store.delete(delete));
    let mut same = std::pin::pin!(put(&store, "large", 500..600));
    let mut others = 0;
    let gone = loop {
        tokio::select! {
            biased;
            gone = &mut delete => break gone.unwrap(),
            () = &mut same => panic!("a write to the same record did not wait"),
            () = put(&store, "other", others..others + 1) => others += 1,
        }
    };
    assert_eq!(gone, Some(ITEMS.into()));
    // A part is 2,000 items, and others have their turn after each.
    assert!(others >= ITEMS / 2_000 / 2, "{others} writes beside the delete");
    in_time(same).await;
    assert_eq!(live(&database, "large"), 100);
    // The last write may have been made, and its answer not have been waited for.
    assert!((others..=others + 1).contains(&live(&database, "other")));
}

/// What a part of a delete removes is counted in bytes as well: long values have many pages.
#[tokio::test]
async fn a_delete_of_long_values_lets_others_write() {
    const ITEMS: u32 = 64;
    let (_folder, database) = open(|_| {});
    let store = KeyValue::new(Arc::clone(&database));
    for key in 0..ITEMS {
        let value = vec![7; 1 << 20];
        let item = Item { key: key.to_be_bytes().to_vec(), value, ..Item::default() };
        let put = RecordPut { target: target("large"), items: vec![item], stamp: STAMP };
        store.put(put).await.unwrap();
    }
    let selection = Selection::All;
    let delete = RecordDelete { target: target("large"), selection, stamp: STAMP };
    let mut delete = std::pin::pin!(store.delete(delete));
    let mut others = 0;
    let gone = loop {
        tokio::select! {
            biased;
            gone = &mut delete => break gone.unwrap(),
            () = put(&store, "other", others..others + 1) => others += 1,
        }
    };
    assert_eq!(gone, Some(ITEMS.into()));
    // A part is 8 MiB, and others have their turn after each.
    assert!(others >= ITEMS / 8 / 2, "{others} writes beside the delete");
}

/// Each call of the sweep removes as much as it is asked for, however long the values are.
#[tokio::test]
async fn a_sweep_removes_long_values_in_parts() {
    const ITEMS: u32 = 40;
    let (_folder, database) = open(|_| {});
    let store = KeyValue::new(Arc::clone(&database));
    for key in 0..ITEMS {
        let metadata = ItemMetadata { ttl_seconds: 1, ..ItemMetadata::default() };
        let (key, value) = (key.to_be_bytes().to_vec(), vec![7; 1 << 20]);
        let item = Item { key, value, metadata: Some(metadata) };
        let put = RecordPut { target: target("large"), items: vec![item], stamp: STAMP };
        store.put(put).await.unwrap();
    }
    let later = i64::MAX / 2;
    let mut sweep = std::pin::pin!(store.sweep(later, 30));
    let mut others = 0;
    let swept = loop {
        tokio::select! {
            biased;
            swept = &mut sweep => break swept.unwrap(),
            () = put(&store, "other", others..others + 1) => others += 1,
        }
    };
    assert_eq!(swept, 30);
    assert!(others >= 2, "{others} writes beside the sweep");
    assert_eq!(live(&database, "large"), ITEMS - 30);
    assert_eq!(store.sweep(later, 30).await.unwrap(), 10);
    assert_eq!(store.sweep(later, 30).await.unwrap(), 0);
}

/// A delete that has begun goes on: also where its caller has gone, and where the store is closed.
#[tokio::test]
async fn a_delete_that_has_begun_ends() {
    const ITEMS: u32 = 10_000;
    let (folder, database) = open(|_| {});
    let store = KeyValue::new(Arc::clone(&database));
    for first in (0..ITEMS).step_by(1000) {
        put(&store, "large", first..first + 1000).await;
    }
    let selection = Selection::All;
    let delete = RecordDelete { target: target("large"), selection, stamp: STAMP };
    let mut delete = Box::pin(store.delete(delete));
    while live(&database, "large") == ITEMS {
        let waited = tokio::time::timeout(Duration::from_millis(1), &mut delete).await;
        assert!(waited.is_err() || live(&database, "large") == 0);
    }
    drop(delete);
    drop(store);
    database.close();
    drop(database);
    let database = Database::open(&Options::new(folder.path().join("test.db"))).unwrap();
    assert_eq!(live(&database, "large"), 0);
}
