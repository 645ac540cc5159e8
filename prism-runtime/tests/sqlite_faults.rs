//! Files that cannot be written, are damaged, are held by another process, or do not grow.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use prism_runtime::Reason;
use prism_runtime::store::sqlite::{Database, OpenError, Options};

/// Set for a process of its own: the database.
const DATABASE: &str = "PRISM_TEST_DATABASE";

/// Nobody: root may write everywhere.
const NOBODY: u32 = 65534;

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn create(path: &Path) -> Arc<Database> {
    let database = Database::open(&Options::new(path)).unwrap();
    let created = database.write(|connection| {
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, v BLOB)")?;
        Ok(())
    });
    wait(created).unwrap();
    database
}

async fn insert(database: &Database, n: i64, bytes: i64) -> prism_runtime::Result<()> {
    let insert = database.write(move |connection| {
        connection.execute("INSERT INTO t VALUES (?1, randomblob(?2))", [n, bytes])?;
        Ok(())
    });
    insert.await
}

/// This executable, running one of the tests that are no tests.
fn child(name: &str, path: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture"]).env(DATABASE, path);
    command
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What a user who is not root is told.
fn refusal(path: &Path) -> String {
    if fs::metadata(path).unwrap().uid() != 0 {
        return output(child("opener", path));
    }
    // The executable may lie where nobody may go.
    let folder = tempfile::tempdir().unwrap();
    allow(folder.path(), 0o755);
    let executable = folder.path().join("opener");
    fs::copy(env::current_exe().unwrap(), &executable).unwrap();
    let mut command = Command::new(executable);
    command.args(["opener", "--exact", "--ignored", "--nocapture"]).env(DATABASE, path);
    command.uid(NOBODY);
    output(command)
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    create(&path).close();
    allow(folder.path(), 0o777);
    allow(&folder.path().join("a.db-lock"), 0o666);
    allow(&path, 0o444);
    let told = refusal(&path);
    assert!(told.contains("a.db cannot be written to"), "{told}");
    assert!(told.contains("write access to the file"), "{told}");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("a.db");
    create(&path).close();
    fs::remove_file(inner.join("a.db-lock")).unwrap();
    allow(folder.path(), 0o755);
    allow(&path, 0o666);
    allow(&inner, 0o555);
    let told = refusal(&path);
    allow(&inner, 0o755);
    assert!(told.contains("the folder of the database"), "{told}");
}

#[test]
fn another_process_is_told_that_the_file_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let database = create(&path);
    let told = output(child("opener", &path));
    assert!(told.contains("in use by another server"), "{told}");
    assert!(told.contains("a.db-lock"), "{told}");
    database.close();
    assert!(output(child("opener", &path)).contains("opened"));
}

/// Opens the database and says what came of it.
#[test]
#[ignore = "started by other tests"]
fn opener() {
    let Ok(path) = env::var(DATABASE) else { return };
    match Database::open(&Options::new(path)) {
        Ok(_) => println!("opened"),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn a_damaged_page_fails_the_calls_that_need_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let database = create(&path);
    for n in 0..100 {
        wait(insert(&database, n, 1000)).unwrap();
    }
    database.close();
    // A page in the middle of the table.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    file.write_all_at(&[0xA5; 4096], (pages - 3) * 4096).unwrap();
    drop(file);

    let database = Database::open(&Options::new(&path)).unwrap();
    let sum = database.read(|connection| {
        Ok(connection.query_row("SELECT sum(length(v)) FROM t", [], |row| row.get::<_, i64>(0))?)
    });
    let error = sum.unwrap_err();
    assert_eq!(error.reason(), Reason::CorruptRecord);
    assert!(!error.message().contains("SELECT") && !error.message().contains("a.db"));
    let first = database.read(|connection| {
        Ok(connection
            .query_row("SELECT length(v) FROM t WHERE n = 0", [], |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(first.unwrap(), 1000);
}

#[test]
fn a_file_that_is_cut_short_is_refused_or_its_reads_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let database = create(&path);
    for n in 0..100 {
        wait(insert(&database, n, 1000)).unwrap();
    }
    database.close();
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    match Database::open(&Options::new(&path)) {
        Err(error) => assert!(matches!(error, OpenError::Corrupt { .. }), "{error}"),
        Ok(database) => {
            let sum = database.read(|connection| {
                Ok(connection
                    .query_row("SELECT sum(length(v)) FROM t", [], |row| row.get::<_, i64>(0))?)
            });
            assert_eq!(sum.unwrap_err().reason(), Reason::CorruptRecord);
        }
    }
}

#[test]
fn files_that_do_not_grow_refuse_writes_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    create(&path).close();
    // 2 MiB a file; without the signal, a write beyond it fails.
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 4096; exec \"$@\"", "sh"])
        .arg(env::current_exe().unwrap())
        .args(["filler", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, &path);
    let told = output(shell);
    let lines = |prefix: &str| -> Vec<&str> {
        told.lines().filter_map(|line| line.strip_prefix(prefix)).collect()
    };
    let acknowledged = lines("ack ");
    assert!(acknowledged.len() > 10, "{told}");
    let refused = lines("refused ");
    assert!(!refused.is_empty(), "{told}");
    let known = ["StorageFull", "BackendUnavailable", "OutcomeUnknown"];
    assert!(refused.iter().all(|reason| known.contains(reason)), "{told}");
    assert_eq!(lines("read "), [acknowledged.len().to_string()], "{told}");

    // With room again, everything acknowledged is there and writes go on.
    let database = Database::open(&Options::new(&path)).unwrap();
    let (stored, check) = database
        .read(|connection| {
            let mut statement = connection.prepare("SELECT n FROM t WHERE length(v) = 20000")?;
            let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
            let check = connection
                .query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
            Ok((rows.collect::<Result<Vec<_>, _>>()?, check))
        })
        .unwrap();
    assert_eq!(check, "ok");
    for n in acknowledged {
        assert!(stored.contains(&n.parse().unwrap()), "acknowledged write {n} is lost");
    }
    wait(insert(&database, 1_000_000, 20_000)).unwrap();
}

/// Writes until it is refused 20 times, and says what became of each write.
#[test]
#[ignore = "started by the test above"]
fn filler() {
    let Ok(path) = env::var(DATABASE) else { return };
    let database = Database::open(&Options::new(path)).unwrap();
    let (mut n, mut refused, mut acknowledged) = (0, 0, Vec::new());
    println!();
    while refused < 20 {
        match wait(insert(&database, n, 20_000)) {
            Ok(()) => {
                println!("ack {n}");
                acknowledged.push(n);
            }
            Err(error) => {
                println!("refused {:?}", error.reason());
                refused += 1;
            }
        }
        n += 1;
    }
    // Reads go on.
    let found = acknowledged.iter().filter(|&&n| {
        let length = database.read(|connection| {
            Ok(connection.query_row("SELECT length(v) FROM t WHERE n = ?1", [n], |row| {
                row.get::<_, i64>(0)
            })?)
        });
        length.unwrap() == 20_000
    });
    println!("read {}", found.count());
}
