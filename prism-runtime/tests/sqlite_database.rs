//! Reads, grouped writes and shutdown of the SQLite store.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::mpsc;

use prism_runtime::store::sqlite::{Database, Options};
use prism_runtime::{Error, Reason};

fn open(options: &Options) -> Arc<Database> {
    let database = Database::open(options).unwrap();
    wait(database.write(|connection| {
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, v BLOB)")?;
        Ok(())
    }))
    .unwrap();
    database
}

fn temporary() -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path().join("test.db"));
    (folder, options)
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn insert(database: &Database, n: i64) -> impl Future<Output = Result<(), Error>> + use<> {
    database.write(move |connection| {
        connection.execute("INSERT INTO t (n) VALUES (?1)", [n])?;
        Ok(())
    })
}

fn numbers(database: &Database) -> Vec<i64> {
    database
        .read(|connection| {
            let mut statement = connection.prepare_cached("SELECT n FROM t ORDER BY n")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<Vec<i64>, _>>()?)
        })
        .unwrap()
}

/// Holds the writer in a job, so that what is handed in meanwhile shares the next transaction.
fn hold_writer(database: &Database) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let held = database.write(move |_| {
        entered.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    });
    // A write whose future is dropped is left out.
    std::thread::spawn(move || wait(held));
    has_entered.recv().unwrap();
    release
}

#[test]
fn an_acknowledged_write_is_read_on_every_thread() {
    let (_folder, options) = temporary();
    let database = open(&options);
    for n in 0..50 {
        wait(insert(&database, n)).unwrap();
        assert_eq!(numbers(&database).len() as i64, n + 1);
        let other = Arc::clone(&database);
        assert_eq!(std::thread::spawn(move || numbers(&other).len()).join().unwrap() as i64, n + 1);
        let count = database.read_offloaded(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))?)
        });
        assert_eq!(wait(count).unwrap(), n + 1);
    }
}

#[test]
fn reads_of_an_event_loop_see_each_write_acknowledged_before_them() {
    let (_folder, options) = temporary();
    let database = open(&options);
    let database = &database;
    wait(async {
        let clients = (0..16_i64).map(|client| async move {
            for n in 0..20 {
                let number = 1000 * client + n;
                insert(database, number).await.unwrap();
                assert!(numbers(database).contains(&number));
                if client % 2 == 0 {
                    tokio::task::yield_now().await;
                }
                assert!(numbers(database).contains(&number));
            }
        });
        futures_util::future::join_all(clients).await;
    });
}

#[test]
fn reads_of_an_event_loop_hold_nothing_once_it_is_idle_or_gone() {
    let (_folder, mut options) = temporary();
    options.checkpoint_interval = std::time::Duration::from_secs(3600);
    let database = open(&options);
    let log_is_free = || {
        let connection = rusqlite::Connection::open(database.path()).unwrap();
        let busy: bool =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        !busy
    };
    wait(async {
        for n in 0..20 {
            insert(&database, n).await.unwrap();
            for _ in 0..3 {
                assert_eq!(numbers(&database).len() as i64, n + 1);
            }
        }
        tokio::task::yield_now().await;
        assert!(log_is_free());
        insert(&database, 20).await.unwrap();
        numbers(&database);
    });
    assert!(log_is_free());
    // On a thread without an event loop, after one.
    assert_eq!(numbers(&database).len(), 21);
    wait(insert(&database, 21)).unwrap();
    assert_eq!(numbers(&database).len(), 22);
    assert!(log_is_free());
}

#[test]
fn a_failing_write_does_not_fail_those_that_share_its_transaction() {
    let (_folder, options) = temporary();
    let database = open(&options);
    let release = hold_writer(&database);
    let first = insert(&database, 1);
    let failing = database.write(|connection| -> Result<(), Error> {
        connection.execute("INSERT INTO t (n) VALUES (2)", [])?;
        Err(Error::new(Reason::Conflict, "changed its mind"))
    });
    let duplicate = insert(&database, 1);
    let panicking = database.write(|connection| -> Result<(), Error> {
        connection.execute("INSERT INTO t (n) VALUES (3)", [])?;
        panic!("a bug in a write")
    });
    let last = insert(&database, 4);
    release.send(()).unwrap();

    wait(first).unwrap();
    assert_eq!(wait(failing).unwrap_err().reason(), Reason::Conflict);
    assert_eq!(wait(duplicate).unwrap_err().reason(), Reason::Internal);
    assert_eq!(wait(panicking).unwrap_err().reason(), Reason::Internal);
    wait(last).unwrap();
    assert_eq!(numbers(&database), [1, 4]);
}

#[test]
fn a_queue_that_is_full_refuses_with_a_retry() {
    let (_folder, mut options) = temporary();
    options.write_queue = 2;
    let database = open(&options);
    let release = hold_writer(&database);
    let waiting = [insert(&database, 1), insert(&database, 2)];
    let refused = wait(insert(&database, 3)).unwrap_err();
    assert_eq!(refused.reason(), Reason::Overloaded);
    assert!(refused.retry_after().is_some());
    release.send(()).unwrap();
    for write in waiting {
        wait(write).unwrap();
    }
    assert_eq!(numbers(&database), [1, 2]);
}

#[test]
fn writes_that_hold_too_many_bytes_are_refused_with_a_retry() {
    let (_folder, mut options) = temporary();
    options.write_queue_bytes = 1000;
    let database = open(&options);
    let release = hold_writer(&database);
    let first = database.write_sized(900, |_| Ok(()));
    let refused = wait(database.write_sized(101, |_| Ok(()))).unwrap_err();
    assert_eq!(refused.reason(), Reason::Overloaded);
    assert!(refused.retry_after().is_some());
    let second = database.write_sized(100, |_| Ok(()));
    release.send(()).unwrap();
    wait(first).unwrap();
    wait(second).unwrap();
    wait(database.write_sized(1000, |_| Ok(()))).unwrap();
}

#[test]
fn closing_makes_the_writes_that_wait_and_frees_the_file() {
    let (folder, options) = temporary();
    let database = open(&options);
    let release = hold_writer(&database);
    let waiting: Vec<_> = (0..1000).map(|n| insert(&database, n)).collect();
    release.send(()).unwrap();
    database.close();
    for write in waiting {
        wait(write).unwrap();
    }
    assert_eq!(wait(insert(&database, 1)).unwrap_err().reason(), Reason::ShuttingDown);
    assert_eq!(database.read(|_| Ok(())).unwrap_err().reason(), Reason::ShuttingDown);
    let offloaded = wait(database.read_offloaded(|_| Ok(())));
    assert_eq!(offloaded.unwrap_err().reason(), Reason::ShuttingDown);
    let log = std::fs::metadata(folder.path().join("test.db-wal")).map_or(0, |file| file.len());
    assert_eq!(log, 0, "the write-ahead log is in the database");

    let again = open(&options);
    assert_eq!(numbers(&again).len(), 1000);
}

#[test]
fn a_full_database_refuses_writes_keeps_what_it_has_and_goes_on() {
    let (_folder, mut options) = temporary();
    options.max_pages = Some(64);
    let database = open(&options);
    let store = |n: i64| {
        database.write(move |connection| {
            connection.execute("INSERT INTO t (n, v) VALUES (?1, zeroblob(16384))", [n])?;
            Ok(())
        })
    };
    let mut stored = 0;
    let full = loop {
        match wait(store(stored)) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(full.reason(), Reason::StorageFull);
    assert!(stored > 5);
    assert_eq!(numbers(&database).len() as i64, stored);

    // Neighbours in one transaction: each answer is the truth.
    let release = hold_writer(&database);
    let delete = database.write(|connection| {
        connection.execute("DELETE FROM t WHERE n < 3", [])?;
        Ok(())
    });
    let fits = store(1000);
    let overflowing: Vec<_> = (2000..2020).map(store).collect();
    release.send(()).unwrap();
    let mut expected: Vec<i64> = (0..stored).collect();
    if wait(delete).is_ok() {
        expected.retain(|&n| n >= 3);
    }
    if wait(fits).is_ok() {
        expected.push(1000);
    }
    let mut refused = 0;
    for (n, write) in (2000..).zip(overflowing) {
        match wait(write) {
            Ok(()) => expected.push(n),
            Err(error) => {
                assert_eq!(error.reason(), Reason::StorageFull);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(numbers(&database), expected);
}

#[test]
fn the_write_ahead_log_stays_near_its_limit_under_writes() {
    let (folder, mut options) = temporary();
    options.wal_limit_bytes = 1 << 20;
    options.checkpoint_interval = std::time::Duration::from_millis(5);
    let database = open(&options);
    let log = folder.path().join("test.db-wal");
    let mut largest = 0;
    for round in 0..200_i64 {
        let writes: Vec<_> = (0..8)
            .map(|n| {
                database.write(move |connection| {
                    connection.execute(
                        "INSERT OR REPLACE INTO t (n, v) VALUES (?1, randomblob(16384))",
                        [(round * 8 + n) % 64],
                    )?;
                    Ok(())
                })
            })
            .collect();
        for write in writes {
            wait(write).unwrap();
        }
        largest = largest.max(std::fs::metadata(&log).map_or(0, |file| file.len()));
    }
    assert!(largest < 16 << 20, "the log grew to {largest} bytes");
}

#[test]
fn the_write_ahead_log_of_a_database_at_rest_takes_no_room() {
    let (folder, mut options) = temporary();
    options.checkpoint_interval = std::time::Duration::from_millis(5);
    let database = open(&options);
    let log = folder.path().join("test.db-wal");
    for n in 0..3_i64 {
        let write = database.write(move |connection| {
            connection.execute("INSERT INTO t (n, v) VALUES (?1, randomblob(65536))", [n])?;
            Ok(())
        });
        wait(write).unwrap();
        assert!(std::fs::metadata(&log).unwrap().len() > 65536);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while std::fs::metadata(&log).unwrap().len() > 0 {
            assert!(std::time::Instant::now() < end, "the log is not cut");
            std::thread::yield_now();
        }
        assert_eq!(numbers(&database), (0..=n).collect::<Vec<_>>());
    }
}
