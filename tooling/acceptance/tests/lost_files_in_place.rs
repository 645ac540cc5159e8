//! Another program cuts or overwrites the files under SQLite while the proxy runs: nothing is
//! acknowledged that is not there after a restart, health follows, and the log says why.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "support/files.rs"]
mod files;
mod support;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use files::{
    NOTICE, assert_stopped, fill, is_serving, read, start, stop, until_copied, until_serving, write,
};
use prism_runtime::codegen::Client;

const HEADER: u64 = 32;
const FRAME: u64 = 24 + 4096;

fn log(folder: &Path) -> PathBuf {
    folder.join("prism.db-wal")
}

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Frames of the log that belong to it, as its index says: what is behind them is left over.
fn frames(folder: &Path) -> u64 {
    let index = fs::read(folder.join("prism.db-shm")).unwrap();
    u64::from(u32::from_ne_bytes(index[16..20].try_into().unwrap()))
}

/// Writes until the log has a number of frames. Gives back how many there are, and the next number
/// to write.
async fn fill_log(folder: &Path, client: &Client) -> (u64, u32) {
    for number in 0.. {
        write(client, number).await.unwrap();
        let frames = frames(folder);
        if frames >= 20 {
            return (frames, number + 1);
        }
    }
    unreachable!()
}

async fn assert_all(client: &Client, numbers: std::ops::Range<u32>) {
    for number in numbers {
        assert!(read(client, number).await.unwrap(), "{number} is lost");
    }
}

fn assert_sound(folder: &Path) {
    let check: String = rusqlite::Connection::open(folder.join("prism.db"))
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

/// Damages the log once all of it has been copied into the database; nothing is lost then.
async fn a_copied_log_is_damaged(cause: &str, damage: impl Fn(&Path, u64)) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    let mut count = 0;
    let frames = loop {
        let (_, next) = fill_log(folder.path(), &client).await;
        count = next.max(count);
        until_copied(&folder.path().join("prism.db"), count.into()).await;
        // It is emptied when nothing has been written for some time.
        let left = frames(folder.path());
        if left >= 10 {
            break left;
        }
    };
    damage(&log(folder.path()), frames);
    assert_stopped(&client, &proxy, cause).await;
    let end = Instant::now() + NOTICE;
    while fs::metadata(log(folder.path())).unwrap().len() > 0 {
        assert!(Instant::now() < end, "the log is not emptied");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.kill().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    assert_all(&client, 0..count).await;
    fill(&client, 1000..1010).await;
    stop(proxy);
    assert_sound(folder.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_log_that_is_cut() {
    let lengths: [fn(u64) -> u64; 7] = [
        |_| 0,
        |_| HEADER - 1,
        |_| HEADER,
        |frames| HEADER + frames / 2 * FRAME,
        |frames| HEADER + frames / 2 * FRAME + 1000,
        |frames| HEADER + (frames - 1) * FRAME,
        |frames| HEADER + frames * FRAME - 1,
    ];
    for length in lengths {
        a_copied_log_is_damaged("cut short", |log, frames| cut(log, length(frames))).await;
    }
}

/// As a program leaves it that appends to a log that was cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_log_that_is_cut_and_has_grown_again() {
    for left in [0, HEADER, HEADER + FRAME, HEADER + 5 * FRAME + 77] {
        a_copied_log_is_damaged("cut short", |log, frames| {
            let last = HEADER + (frames - 1) * FRAME;
            let file = OpenOptions::new().read(true).write(true).open(log).unwrap();
            let mut frame = vec![0; FRAME as usize];
            file.read_exact_at(&mut frame, last).unwrap();
            file.set_len(left).unwrap();
            file.write_all_at(&frame, last).unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_log_that_is_overwritten() {
    let damages: [fn(&Path); 3] = [
        |log| OpenOptions::new().write(true).open(log).unwrap().write_all_at(&[0; 32], 0).unwrap(),
        |log| {
            // The log of another database, or of another time.
            let file = OpenOptions::new().write(true).open(log).unwrap();
            file.write_all_at(b"salt", 16).unwrap();
        },
        |log| {
            let file = OpenOptions::new().write(true).open(log).unwrap();
            file.write_all_at(&vec![7; 10_000_000], 0).unwrap();
        },
    ];
    for damage in damages {
        a_copied_log_is_damaged("overwritten", |log, _| damage(log)).await;
    }
}

/// Writes that go on until one fails for good or the flag is set: when each one that was
/// acknowledged had been sent.
async fn load(
    client: Client,
    next: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
) -> BTreeMap<u32, Instant> {
    let mut acknowledged = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let sent = Instant::now();
        if write(&client, number).await.is_ok() {
            acknowledged.insert(number, sent);
        }
    }
    acknowledged
}

/// What is sent after the cut is acknowledged only if it is there after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_cut_while_it_is_written() {
    let lengths: [fn(u64) -> u64; 4] = [
        |_| 0,
        |_| HEADER,
        |frames| HEADER + frames / 2 * FRAME,
        |frames| HEADER + (frames.max(2) - 2) * FRAME + 300,
    ];
    for (round, length) in lengths.iter().cycle().take(12).enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let proxy = start(folder.path());
        let (next, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let mut writers = Vec::new();
        for _ in 0..4 {
            let client = support::connect(&proxy).await;
            writers.push(tokio::spawn(load(client, Arc::clone(&next), Arc::clone(&done))));
        }
        let end = Instant::now() + NOTICE;
        while next.load(Ordering::Relaxed) < 100 + 17 * round as u32 {
            assert!(Instant::now() < end, "{}", proxy.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        cut(&log(folder.path()), length(frames(folder.path())));
        let cut = Instant::now();
        let until = next.load(Ordering::Relaxed) + 200;
        while next.load(Ordering::Relaxed) < until {
            assert!(Instant::now() < end, "{}", proxy.log());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        done.store(true, Ordering::Relaxed);
        let mut late = Vec::new();
        for writer in writers {
            let acknowledged = writer.await.unwrap();
            late.extend(acknowledged.into_iter().filter(|(_, sent)| *sent > cut));
        }
        // A log that was just begun anew loses nothing by it.
        if proxy.log().contains("cut short") {
            assert_eq!(late, [], "round {round}");
        }
        proxy.kill().unwrap();
        let proxy = start(folder.path());
        let client = support::connect(&proxy).await;
        for (number, _) in late {
            assert!(read(&client, number).await.unwrap(), "round {round}: {number} is lost");
        }
        stop(proxy);
    }
}

/// Other programs may copy and empty the log, and compact the database, as long as they are SQLite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_itself_does_to_the_files_is_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = start(folder.path());
    let (next, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for _ in 0..2 {
        let client = support::connect(&proxy).await;
        writers.push(tokio::spawn(load(client, Arc::clone(&next), Arc::clone(&done))));
    }
    let other = rusqlite::Connection::open(folder.path().join("prism.db")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("CREATE TABLE other (n INTEGER)").unwrap();
    for round in 0..100 {
        let (insert, checkpoint) = match round % 4 {
            0 => ("INSERT INTO other VALUES (1)", "PRAGMA wal_checkpoint(TRUNCATE)"),
            1 => ("UPDATE other SET n = n + 1", "PRAGMA wal_checkpoint(RESTART)"),
            2 => ("PRAGMA user_version = 7", "PRAGMA wal_checkpoint(PASSIVE)"),
            _ => ("DELETE FROM other", "VACUUM"),
        };
        for statement in [insert, checkpoint] {
            // It may be busy.
            let _ = other.prepare(statement).and_then(|mut it| it.query([])?.next().map(drop));
        }
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    drop(other);
    done.store(true, Ordering::Relaxed);
    let mut count = 0;
    let client = support::connect(&proxy).await;
    for writer in writers {
        for number in writer.await.unwrap().into_keys() {
            assert!(read(&client, number).await.unwrap(), "{number} is lost");
            count += 1;
        }
    }
    assert_eq!(count, next.load(Ordering::Relaxed), "{}", proxy.log());
    assert!(is_serving(&client).await);
    assert!(!proxy.log().contains("SQLite database"), "{}", proxy.log());
    stop(proxy);
    assert_sound(folder.path());
}

/// Nothing is acknowledged once `damage` has happened to the database.
async fn a_database_is_damaged(damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..50).await;
    until_copied(&folder.path().join("prism.db"), 50).await;
    // The look after the copy.
    fill(&client, 50..51).await;
    until_copied(&folder.path().join("prism.db"), 51).await;
    fill(&client, 51..52).await;
    damage(&folder.path().join("prism.db"));
    for number in 100..150 {
        write(&client, number).await.unwrap_err();
    }
    // A read of what is mapped into memory and gone ends the process.
    if Client::connect(proxy.uri()).await.is_ok() {
        until_serving(&client, false, &proxy).await;
        let log = proxy.log();
        let named = log.contains("overwritten") || log.contains("cut short");
        assert!(named && log.contains("prism.db"), "{log}");
    }
    proxy.kill().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_database_that_is_overwritten() {
    let text = "This is not a database.\n".repeat(100_000);
    let other = tempfile::tempdir().unwrap();
    let other_database = other.path().join("other.db");
    let connection = rusqlite::Connection::open(&other_database).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE t (v BLOB); INSERT INTO t VALUES (zeroblob(3000000)); \
             CREATE TABLE u (v BLOB);",
        )
        .unwrap();
    drop(connection);
    let overwrite = |database: &Path, bytes: &[u8]| {
        OpenOptions::new().write(true).open(database).unwrap().write_all_at(bytes, 0).unwrap();
    };
    a_database_is_damaged(|database| overwrite(database, text.as_bytes())).await;
    a_database_is_damaged(|database| overwrite(database, &fs::read(&other_database).unwrap()))
        .await;
    // As `cp` does.
    a_database_is_damaged(|database| {
        fs::copy(&other_database, database).unwrap();
    })
    .await;
    a_database_is_damaged(|database| fs::write(database, "").unwrap()).await;
}
