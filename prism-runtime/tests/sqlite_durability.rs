//! Acknowledged writes survive `kill -9`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use prism_runtime::keyvalue::decide::{Stamp, Token};
use prism_runtime::proto::keyvalue::v1::Item;
use prism_runtime::store::keyvalue::{KeyValueStore, RecordPut, Target};
use prism_runtime::store::sqlite::{Database, KeyValue, Options};

/// Set for the process that is killed: the database, and the number of its first write.
const DATABASE: &str = "PRISM_TEST_DATABASE";
const FIRST: &str = "PRISM_TEST_FIRST";

const KILLS: u64 = 50;
const CLIENTS: u64 = 8;
const ITEMS: u8 = 3;

#[test]
fn every_acknowledged_write_survives_50_kills_and_none_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let mut writer = spawn_writer(&path, round * 1_000_000);
        let mut lines = BufReader::new(writer.stdout.take().unwrap());
        // Between the first answer and 60 ms later, somewhere within a commit or a checkpoint.
        let mut first = String::new();
        while !first.starts_with("ack ") {
            first.clear();
            assert_ne!(lines.read_line(&mut first).unwrap(), 0, "the writer ended by itself");
        }
        #[expect(clippy::disallowed_methods, reason = "the crash comes at a moment of its own")]
        std::thread::sleep(Duration::from_millis(round * 37 % 60));
        writer.kill().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        writer.wait().unwrap();
        let before = acknowledged.len();
        acknowledged.extend(first.lines().chain(complete_lines(&rest)).map(number));
        assert!(acknowledged.len() > before, "round {round} acknowledged nothing");
    }

    // What a new server finds, not what SQLite's recovery left on the way.
    drop(Database::open(&Options::new(&path)).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let stored = stored(&connection);
    for write in &acknowledged {
        assert!(stored.contains_key(write), "acknowledged write {write} is lost");
    }
    assert!(stored.values().all(|items| *items == ITEMS), "a write is torn");
}

/// The process that is killed: clients that write, each saying when a write was acknowledged.
#[test]
#[ignore = "started by the test above"]
fn writer() {
    let Ok(path) = env::var(DATABASE) else { return };
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    let database = Database::open(&Options::new(path)).unwrap();
    let store = Arc::new(KeyValue::new(database));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let clients = (0..CLIENTS).map(|client| {
            let store = Arc::clone(&store);
            async move {
                for number in (first + client..).step_by(CLIENTS as usize) {
                    store.put(write(number)).await.unwrap();
                    println!("\nack {number}");
                }
            }
        });
        futures_util::future::join_all(clients).await;
    });
}

fn spawn_writer(path: &Path, first: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["writer", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A record whose items all have the write's number, in a page of their own.
fn write(number: u64) -> RecordPut {
    let items = (0..ITEMS)
        .map(|key| Item {
            key: vec![key],
            value: number.to_be_bytes().repeat(150 + usize::from(key)),
            metadata: None,
        })
        .collect();
    RecordPut {
        target: Target { namespace: "test".into(), id: number.to_string(), max_namespaces: None },
        items,
        stamp: Stamp { token: Token::Server, now: 1, remembered: 1 },
    }
}

/// How many items each write has in the database, all of them with the write's own value.
fn stored(connection: &rusqlite::Connection) -> BTreeMap<u64, u8> {
    let mut items = BTreeMap::new();
    let mut statement = connection.prepare("SELECT id, key, value FROM kv_items").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let number: u64 = row.get::<_, String>(0).unwrap().parse().unwrap();
        let (key, value): (Vec<u8>, Vec<u8>) = (row.get(1).unwrap(), row.get(2).unwrap());
        assert_eq!(value, number.to_be_bytes().repeat(150 + usize::from(key[0])));
        *items.entry(number).or_default() += 1;
    }
    items
}

/// The last line may have been cut off.
fn complete_lines(output: &str) -> impl Iterator<Item = &str> {
    output
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .filter(|line| line.starts_with("ack "))
}

fn number(line: &str) -> u64 {
    line.strip_prefix("ack ").unwrap().parse().unwrap()
}
