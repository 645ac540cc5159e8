//! On SQLite a table takes the place of the old one.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prism_migrate::sqlite::Migrator;
use prism_schema::sql::Dialect;
use rusqlite::{Connection, params};

use crate::{Records, borrowed, label, migrations, part};

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "off").unwrap();
    connection
}

fn fill(connection: &Connection, rows: i64) -> Records {
    connection.execute_batch("BEGIN").unwrap();
    let mut expected = Records::new();
    for number in 0..rows {
        let record = (Some(format!("label {number}")).filter(|_| number % 3 > 0), number);
        connection
            .execute(
                "INSERT INTO things (shop, number, part, size) VALUES ('shop', ?1, ?2, ?3)",
                params![number, record.0.as_deref().map(part), number],
            )
            .unwrap();
        expected.insert(("shop".to_owned(), number), record);
    }
    connection.execute_batch("COMMIT").unwrap();
    expected
}

fn records(connection: &Connection) -> Records {
    let mut statement = connection.prepare("SELECT shop, number, part, size FROM things").unwrap();
    let rows = statement.query_map([], |row| {
        let decoded = |at| row.get::<_, i64>(at).map(|it| it.wrapping_sub(i64::MIN));
        Ok(((row.get(0)?, decoded(1)?), (label(row.get(2)?), decoded(3)?)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn is_clean(connection: &Connection) {
    let left = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '\\_prism%' ESCAPE '\\'";
    let left: i64 = connection.query_row(left, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "a table is left");
}

#[test]
fn a_copy_that_is_interrupted_anywhere_ends_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let (files, first) = migrations(Dialect::Sqlite);
    let known = borrowed(&files);
    let expected = {
        let connection = open(&path);
        let migrator = Migrator { database: "test", migrations: &known[..first] };
        migrator.apply(&connection).unwrap();
        fill(&connection, 500)
    };
    let mut interrupted = 0;
    for steps in 1.. {
        let connection = open(&path);
        let mut left = steps * 20;
        let stop = move || {
            left -= 1;
            left == 0
        };
        connection.progress_handler(100, Some(stop)).unwrap();
        let migrator = Migrator { database: "test", migrations: &known };
        match migrator.apply(&connection) {
            Ok(_) => break,
            Err(_) => interrupted += 1,
        }
    }
    assert!(interrupted > 3, "{interrupted}");
    let connection = open(&path);
    assert_eq!(records(&connection), expected);
    is_clean(&connection);
}

#[test]
fn a_copy_starts_over_where_something_else_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let (files, first) = migrations(Dialect::Sqlite);
    let known = borrowed(&files);
    let connection = open(&path);
    let migrator = Migrator { database: "test", migrations: &known[..first] };
    migrator.apply(&connection).unwrap();
    let mut expected = fill(&connection, 5000);
    let ended = AtomicBool::new(false);
    let update = "UPDATE things SET size = 77 WHERE number = ?1 AND typeof(part) <> 'text'";
    std::thread::scope(|scope| {
        let other = open(&path);
        let writer = scope.spawn(|| {
            let mut written = Vec::new();
            for number in 1..4_i64 {
                if !ended.load(Ordering::Relaxed)
                    && other.execute(update, [number]).is_ok_and(|rows| rows == 1)
                {
                    written.push(number);
                }
            }
            drop(other);
            written
        });
        let migrator = Migrator { database: "test", migrations: &known };
        migrator.apply(&connection).unwrap();
        ended.store(true, Ordering::Relaxed);
        for number in writer.join().unwrap() {
            expected.get_mut(&("shop".to_owned(), number)).unwrap().1 = 77;
        }
    });
    assert_eq!(records(&connection), expected);
    is_clean(&connection);
}
