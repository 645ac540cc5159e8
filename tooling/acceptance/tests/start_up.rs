//! What keeps the proxy from starting is one clear line, and exit code 1.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::{self, Proxy};
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use support::{GET, PUT, put};

/// Nobody: root may write everywhere.
const NOBODY: u32 = 65534;

/// A database that a proxy has made and written to.
async fn database(folder: &Path) -> PathBuf {
    let proxy = Proxy::start_in(folder, &[]).unwrap();
    let client = support::connect(&proxy).await;
    for number in 0..50 {
        let request = put("record", &[number], vec![number; 2000]);
        client.unary::<_, PutResponse>(PUT, request).await.unwrap();
    }
    assert_eq!(proxy.stop().unwrap().0, Some(0));
    folder.join("prism.db")
}

#[track_caller]
fn assert_refused(output: &Output, expected: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

fn refusal(folder: &Path) -> Output {
    proxy::refusal(folder, &[]).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_proxy_on_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let first = Proxy::start_in(folder.path(), &[]).unwrap();
    assert_refused(&refusal(folder.path()), "is in use by another server");
    // By another way to the same file, too.
    let other = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), other.path().join("link")).unwrap();
    let flags = ["--database", "link/prism.db"];
    assert_refused(&proxy::refusal(other.path(), &flags).unwrap(), "is in use by another server");
    // The first one is not disturbed, and its end frees the file, however it ends.
    let client = support::connect(&first).await;
    client.unary::<_, PutResponse>(PUT, put("r", b"k", b"v".to_vec())).await.unwrap();
    first.kill().unwrap();
    let next = Proxy::start_in(folder.path(), &[]).unwrap();
    let client = support::connect(&next).await;
    let request = GetRequest { namespace: "test".into(), id: "r".into(), ..Default::default() };
    let answer = client.unary::<_, GetResponse>(GET, request).await.unwrap().into_inner();
    assert_eq!(answer.items[0].value, b"v");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_that_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prism.db");
    let text = "not a database ".repeat(1000);
    fs::write(&path, &text).unwrap();
    assert_refused(&refusal(folder.path()), "is not a SQLite database");
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "it is left alone");
    assert_eq!(files(folder.path()), ["prism.db"], "nothing is left beside it");
}

/// The names of the files of a database in a folder.
fn files(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("prism.db")).collect();
    names.sort();
    names
}

#[test]
fn a_start_that_is_refused_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--set", "migrate=false"];
    let output = proxy::refusal(folder.path(), &flags).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(files(folder.path()), [""; 0]);
    // The lock that another proxy holds stays where it is.
    let first = Proxy::start_in(folder.path(), &[]).unwrap();
    let before = files(folder.path());
    assert_refused(&refusal(folder.path()), "is in use by another server");
    assert_eq!(files(folder.path()), before);
    first.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_damaged_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path()).await;
    // The page that holds the schema.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xff; 3000], 100).unwrap();
    assert_refused(&refusal(folder.path()), "is damaged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_damaged_page_fails_the_calls_that_need_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path()).await;
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    // All that the records' own pages hold; the schema's tables come first.
    for page in (length / 4096 / 2)..(length / 4096) {
        file.write_all_at(&[0xff; 4096], page * 4096).unwrap();
    }
    let proxy = Proxy::start_in(folder.path(), &[]).unwrap();
    let client = support::connect(&proxy).await;
    let request =
        GetRequest { namespace: "test".into(), id: "record".into(), ..Default::default() };
    let status = client.unary::<_, GetResponse>(GET, request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::DataLoss, "{status:?}");
    // Typed services use other pages.
    let orders = support::orders(&proxy).await;
    let request = prism_proxy::acme::orders::v1::ListOrdersRequest {
        customer_id: "c".to_owned(),
        ..Default::default()
    };
    orders.list_orders(request).await.unwrap();
    let (code, log) = proxy.stop().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_file_that_may_only_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(folder.path()).await;
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::set_permissions(file.unwrap().path(), Permissions::from_mode(0o644)).unwrap();
    }
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let mut command = proxy::command(folder.path(), &[]).unwrap();
    if is_root() {
        // The executable may lie where nobody else may look.
        let copy = folder.path().join("prism-proxy");
        fs::copy(proxy::executable().unwrap(), &copy).unwrap();
        command = std::process::Command::new(copy);
        command.current_dir(folder.path()).args(["--listen", "127.0.0.1:0"]);
        let _ = fs::remove_file(folder.path().join("prism.db-lock"));
        command.uid(NOBODY).gid(NOBODY);
    }
    assert_refused(&command.output().unwrap(), "cannot be written to");
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let probe = tempfile::tempdir().unwrap();
    fs::metadata(probe.path()).unwrap().uid() == 0
}

on_every_backend! {
    migrations_that_are_not_the_proxys_own,
    a_database_from_before_the_schema_is_migrated,
}

async fn migrations_that_are_not_the_proxys_own(backend: Backend) {
    let table = "_sqlx_migrations";
    let no_checksum = match backend {
        Backend::Sqlite => "x'00'",
        Backend::Postgres(_) => "'\\x00'",
    };
    for (sql, expected) in [
        // A newer server has been here, and has changed what values mean.
        (
            format!(
                "INSERT INTO {table} SELECT 99, 'rewrite orders', installed_on, success, checksum, \
                 execution_time FROM {table} LIMIT 1"
            ),
            "which this server does not know",
        ),
        (format!("UPDATE {table} SET checksum = {no_checksum}"), "was edited after it was applied"),
        (format!("UPDATE {table} SET success = false WHERE version = 1"), "broke off halfway"),
        // Somebody has been there by hand.
        (
            "DROP TABLE user_profiles".to_owned(),
            "differs from the schema: table user_profiles is missing; `prism migrate verify` shows",
        ),
        (
            "ALTER TABLE orders DROP COLUMN note".to_owned(),
            "differs from the schema: table orders: column note is missing;",
        ),
        (
            "DROP INDEX idx_orders_external_reference".to_owned(),
            "table orders: unique index idx_orders_external_reference is missing;",
        ),
    ] {
        let (backend, folder) = (backend.another().unwrap(), tempfile::tempdir().unwrap());
        let start = || backend.start_in(folder.path(), &[]).unwrap();
        // As the proxy has made it, it is served.
        start().stop().unwrap();
        start().stop().unwrap();
        support::execute(&backend, folder.path(), &sql).await;
        let mut command = backend.command(folder.path(), &[]).unwrap();
        assert_refused(&command.output().unwrap(), expected);
    }
}

async fn a_database_from_before_the_schema_is_migrated(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    // One that only ever served key-values: the schema's own migration is missing.
    backend.start_in(folder.path(), &[]).unwrap().stop().unwrap();
    let sql = "DELETE FROM _sqlx_migrations WHERE description = 'initial';
               DROP TABLE orders; DROP TABLE user_profiles;";
    support::execute(&backend, folder.path(), sql).await;
    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    let orders = support::orders(&proxy).await;
    let request = prism_proxy::acme::orders::v1::ListOrdersRequest {
        customer_id: "c".to_owned(),
        ..Default::default()
    };
    assert!(orders.list_orders(request).await.unwrap().into_inner().orders.is_empty());
}

#[test]
fn settings_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &str); 7] = [
        ("server:\n  lisen: 127.0.0.1:0\n", "prism.yaml:2"),
        ("server: [\n", "prism.yaml:"),
        ("server:\n  listen: 0.0.0.0:0\n", "loopback"),
        ("database: none/a.db\n", "does not exist"),
        ("backends:\n  main:\n    ulr: a.db\n", "prism.yaml:3"),
        (
            "backends: {one: {url: one.db}, two: {url: two.db}}\n",
            "say which one serves it with the line `orders: one` below `namespaces:`",
        ),
        ("backends: {main: {url: none/a.db}}\n", "error: backends.main: "),
    ];
    for (yaml, expected) in cases {
        fs::write(folder.path().join("prism.yaml"), yaml).unwrap();
        let mut command = std::process::Command::new(proxy::executable().unwrap());
        let output = command.current_dir(folder.path()).env_remove("RUST_LOG").output().unwrap();
        assert_refused(&output, expected);
    }
}
