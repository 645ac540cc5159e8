//! The files under SQLite go away, change, or refuse writes while the proxy runs: nothing is
//! acknowledged that is not there after a restart, health follows, and the log says why.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "support/files.rs"]
mod files;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use files::{
    NOTICE, assert_stopped, fill, is_serving, read, reason, start, stop, until_copied,
    until_serving, write,
};
use prism_acceptance::proxy::{self, Proxy};
use prism_runtime::codegen::Client;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_that_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    for name in ["prism.db", "prism.db-wal"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_stopped(&client, &proxy, "missing").await;
    stop(proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_folder_that_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    fs::create_dir(&inner).unwrap();
    let proxy = Proxy::start_in(folder.path(), &["--database", "data/prism.db"]).unwrap();
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    fs::remove_dir_all(&inner).unwrap();
    assert_stopped(&client, &proxy, "missing").await;
    stop(proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_database_that_is_replaced_takes_nothing_from_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prism.db");
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    let backup = folder.path().join("backup.db");
    let vacuum = format!("VACUUM INTO '{}'", backup.display());
    rusqlite::Connection::open(&path).unwrap().execute_batch(&vacuum).unwrap();
    fill(&client, 20..40).await;
    fs::rename(&backup, &path).unwrap();
    assert_stopped(&client, &proxy, "replaced by another file").await;
    // The log beside it is the old one's, and is emptied.
    let end = Instant::now() + NOTICE;
    while fs::metadata(folder.path().join("prism.db-wal")).unwrap().len() > 0 {
        assert!(Instant::now() < end, "the log is not emptied");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.kill().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    assert!(read(&client, 19).await.unwrap());
    assert!(!read(&client, 20).await.unwrap());
    fill(&client, 50..60).await;
    stop(proxy);
    let check: String = rusqlite::Connection::open(&path)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_log_that_is_removed_or_replaced_loses_nothing_that_was_acknowledged() {
    for replace in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("prism.db-wal");
        let proxy = start(folder.path());
        let client = support::connect(&proxy).await;
        fill(&client, 0..50).await;
        fs::remove_file(&log).unwrap();
        if replace {
            fs::write(&log, "").unwrap();
        }
        assert_stopped(&client, &proxy, if replace { "replaced" } else { "missing" }).await;
        until_copied(&folder.path().join("prism.db"), 50).await;
        proxy.kill().unwrap();
        let proxy = start(folder.path());
        let client = support::connect(&proxy).await;
        for number in 0..50 {
            assert!(read(&client, number).await.unwrap(), "{number} is lost");
        }
        stop(proxy);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_that_come_back_are_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    let away = folder.path().join("away");
    fs::create_dir(&inner).unwrap();
    let proxy = Proxy::start_in(folder.path(), &["--database", "data/prism.db"]).unwrap();
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    fs::rename(&inner, &away).unwrap();
    assert_stopped(&client, &proxy, "missing").await;
    fs::rename(&away, &inner).unwrap();
    until_serving(&client, true, &proxy).await;
    fill(&client, 20..40).await;
    for number in 0..40 {
        assert!(read(&client, number).await.unwrap(), "{number} is lost");
    }
    stop(proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_link_that_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("prism.db");
    std::os::unix::fs::symlink("one.db", &link).unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    fs::copy(folder.path().join("one.db"), folder.path().join("two.db")).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("two.db", &link).unwrap();
    assert_stopped(&client, &proxy, "replaced by another file").await;
    stop(proxy);
}

/// A proxy whose files were taken from it leaves those of the next one alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_next_database_of_the_name_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path());
    fill(&support::connect(&first).await, 0..20).await;
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let second = start(folder.path());
    let client = support::connect(&second).await;
    fill(&client, 100..150).await;
    stop(first);
    fill(&client, 150..200).await;
    assert!(is_serving(&client).await);
    second.kill().unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    for number in 100..200 {
        assert!(read(&client, number).await.unwrap(), "{number} is lost");
    }
    stop(proxy);
}

#[track_caller]
fn assert_refused(folder: &Path, flags: &[&str], expected: &str) {
    let output = proxy::refusal(folder, flags).unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(expected), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hard_link_does_not_let_a_second_proxy_in() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir_in(folder.path()).unwrap();
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    let path = folder.path().join("prism.db");
    fs::hard_link(&path, other.path().join("prism.db")).unwrap();
    assert_refused(other.path(), &[], "is in use by another server");
    assert_refused(other.path(), &["--migrate-only"], "is in use by another server");
    fill(&client, 20..40).await;
    proxy.kill().unwrap();
    // What was written last is in the log beside the other name.
    assert_refused(other.path(), &[], "has another name");
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    for number in 0..40 {
        assert!(read(&client, number).await.unwrap(), "{number} is lost");
    }
    stop(proxy);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_database_that_is_cut_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prism.db");
    let proxy = start(folder.path());
    let client = support::connect(&proxy).await;
    fill(&client, 0..200).await;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
    let end = Instant::now() + NOTICE;
    // A read of what is mapped into memory ends the process.
    while !proxy.log().contains("cut short") && Client::connect(proxy.uri()).await.is_ok() {
        assert!(Instant::now() < end, "{}", proxy.log());
        write(&client, 1000).await.unwrap_err();
    }
    proxy.kill().unwrap();
    assert!(fs::metadata(folder.path().join("prism.db-wal")).unwrap().len() > 0);
    assert_refused(folder.path(), &[], "is missing or empty, but its write-ahead log");
    // The database from before and its log belong together.
    fs::remove_file(folder.path().join("prism.db-wal")).unwrap();
    stop(start(folder.path()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_on_which_every_write_fails_is_not_serving_until_they_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // Without the signal, a write beyond the limit fails.
    command
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"])
        .arg(proxy::executable().unwrap())
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("RUST_LOG")
        .env_remove("DATABASE_URL")
        .current_dir(folder.path());
    let proxy = Proxy::spawn(command, folder.path()).unwrap();
    let client = support::connect(&proxy).await;
    fill(&client, 0..20).await;
    let id = proxy.id().to_string();
    let limit = |limit: &str| {
        let status = Command::new("prlimit").args(["--pid", &id, limit]).status();
        status.is_ok_and(|status| status.success())
    };
    if !limit("--fsize=0:") {
        eprintln!("SKIPPED: no prlimit here");
        return;
    }
    write(&client, 1000).await.unwrap_err();
    until_serving(&client, false, &proxy).await;
    // Reads go on.
    assert!(read(&client, 0).await.unwrap());
    // It is found out without a caller's write.
    assert!(limit("--fsize=unlimited:"));
    until_serving(&client, true, &proxy).await;
    fill(&client, 20..40).await;
    for number in 0..40 {
        assert!(read(&client, number).await.unwrap(), "{number} is lost");
    }
    let log = proxy.log();
    assert!(log.contains("the SQLite database cannot be written to"), "{log}");
    assert!(log.contains("the SQLite database can be written to again"), "{log}");
    stop(proxy);
}

/// Has reads of the database fail while there is a file `failing` in the working directory.
const FAILING_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
    if (access("failing", F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!strstr(path, "prism.db")) return 0;
    errno = EIO;
    return 1;
}

ssize_t read(int fd, void *buffer, size_t length) {
    ssize_t (*next)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    return fails(fd) ? -1 : next(fd, buffer, length);
}

ssize_t pread(int fd, void *buffer, size_t length, off_t offset) {
    ssize_t (*next)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread");
    return fails(fd) ? -1 : next(fd, buffer, length, offset);
}

ssize_t pread64(int fd, void *buffer, size_t length, off64_t offset) {
    ssize_t (*next)(int, void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pread64");
    return fails(fd) ? -1 : next(fd, buffer, length, offset);
}
"#;

/// Builds it. None where there is no C compiler.
fn failing_disk(folder: &Path) -> Option<std::path::PathBuf> {
    let (source, library) = (folder.join("disk.c"), folder.join("disk.so"));
    fs::write(&source, FAILING_DISK).unwrap();
    let mut compiler = Command::new("cc");
    let built = compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    if !built.status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: no C compiler here");
        return None;
    }
    Some(library)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn errors_of_reading_that_pass_are_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = failing_disk(folder.path()) else { return };
    let command = || {
        let mut command = proxy::command(folder.path(), &[]).unwrap();
        command.env("LD_PRELOAD", &library);
        command
    };
    let proxy = Proxy::spawn(command(), folder.path()).unwrap();
    let client = support::connect(&proxy).await;
    fill(&client, 0..50).await;
    let failing = folder.path().join("failing");
    fs::write(&failing, "").unwrap();
    for number in 0..20 {
        // A thread that has not read before has to read the file itself.
        if let Err(status) = read(&client, number).await {
            assert_eq!(reason(&status), "BACKEND_UNAVAILABLE", "{status:?}");
        }
    }
    let orders = support::orders(&proxy).await;
    let list = || prism_proxy::acme::orders::v1::ListOrdersRequest {
        customer_id: "c".to_owned(),
        ..Default::default()
    };
    let status = orders.list_orders(list()).await.unwrap_err();
    assert_eq!(reason(&status), "BACKEND_UNAVAILABLE", "{status:?}");
    fs::remove_file(&failing).unwrap();
    for number in 0..50 {
        assert!(read(&client, number).await.unwrap(), "{number}");
    }
    orders.list_orders(list()).await.unwrap();
    until_serving(&client, true, &proxy).await;
    fill(&client, 50..60).await;
    stop(proxy);

    fs::write(&failing, "").unwrap();
    let output = command().output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(!text.contains("damaged") && !text.contains("backup"), "{text}");
}
