//! docs/deployment.md, done: every command that it shows is run here on a proxy that serves, or by
//! the test that is named below.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "support/deploy.rs"]
mod deploy;
mod support;

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::{self, Proxy};
use prism_acceptance::tools::root;
use prism_proxy::acme::orders::v1::{
    CreateOrderRequest, GetOrderRequest, ListOrdersRequest, ListOrdersResponse, Order, order,
};
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use tonic::{Code, Status};

/// How the blocks of commands on the page begin.
const BLOCKS: [&str; 7] = [
    "sqlite3 prism.db \"VACUUM INTO",
    "rm -f prism.db",
    "pg_dump ",
    "psql ",
    "openssl rand",
    // tooling/xtask/tests/stack.rs runs it.
    "cargo xtask stack up",
    // Their files and objects are looked up below; what they hold, in tests/deployment.rs.
    "kubectl apply -f config.yaml",
];

/// The page's commands, in the order of [`BLOCKS`].
fn blocks() -> [String; 7] {
    let page = std::fs::read_to_string(root().join("docs/deployment.md")).unwrap();
    let parts = page.split("\n```").skip(1).step_by(2);
    let mut found: Vec<String> =
        parts.map(|part| part.split_once('\n').unwrap().1.to_owned()).collect();
    assert_eq!(found.len(), BLOCKS.len(), "a block of the page is not run");
    BLOCKS.map(|start| {
        let at = found.iter().position(|block| block.starts_with(start));
        found.swap_remove(at.unwrap_or_else(|| panic!("no block begins with {start}")))
    })
}

/// Runs a block as a reader would.
fn shell(folder: &Path, block: &str, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new("sh");
    command.args(["-e", "-u", "-c", block]).current_dir(folder).env("PATH", path());
    let output: Output = command.envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{block}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The path with Postgres's own programs before all others: they are of the server's version.
fn path() -> OsString {
    let postgres = prism_postgres::Programs::find().ok();
    let first: Vec<PathBuf> = postgres.iter().map(|found| found.folder().to_owned()).collect();
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths(first.into_iter().chain(env::split_paths(&others))).unwrap()
}

/// Whether a program can be run; a test whose program is missing is skipped, save in CI.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "{program} is missing");
        eprintln!("SKIPPED: {program} is not on this machine");
    }
    found
}

async fn create(proxy: &Proxy, id: &str) -> Order {
    let new = Order {
        customer_id: "c".to_owned(),
        order_id: id.to_owned(),
        status: order::Status::Placed.into(),
        ..Order::default()
    };
    let request = CreateOrderRequest { order: Some(new), request_id: String::new() };
    support::orders(proxy).await.create_order(request).await.unwrap().into_inner()
}

async fn get(proxy: &Proxy, id: &str) -> Result<Order, Status> {
    let request = GetOrderRequest {
        customer_id: "c".to_owned(),
        order_id: id.to_owned(),
        ..GetOrderRequest::default()
    };
    let answer = support::orders(proxy).await.get_order(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sqlite_database_is_backed_up_while_it_serves_and_restored() {
    if !has("sqlite3") {
        return;
    }
    let [backup, restore, ..] = blocks();
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start_in(folder.path(), &[]).unwrap();
    let kept = create(&proxy, "kept").await;
    assert!(shell(folder.path(), &backup, &[]).ends_with("ok\n"));
    create(&proxy, "later").await;
    // Not an orderly end: what it leaves beside the file is the old database's.
    proxy.kill().unwrap();
    assert!(folder.path().join("prism.db-wal").exists());

    shell(folder.path(), &restore, &[]);
    let proxy = Proxy::start_in(folder.path(), &[]).unwrap();
    assert_eq!(get(&proxy, "kept").await.unwrap(), kept);
    assert_eq!(get(&proxy, "later").await.unwrap_err().code(), Code::NotFound);
    create(&proxy, "new").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_postgres_database_is_dumped_while_it_serves_and_restored() {
    let Some(Backend::Postgres(url)) = Backend::postgres() else { return };
    let [_, _, dump, restore, ..] = blocks();
    let folder = tempfile::tempdir().unwrap();
    let proxy = Backend::Postgres(url.clone()).start_in(folder.path(), &[]).unwrap();
    let kept = create(&proxy, "kept").await;
    shell(folder.path(), &dump, &[("DATABASE_URL", &url)]);
    create(&proxy, "later").await;

    let (server, _) = url.rsplit_once('/').unwrap();
    let restored = format!("{server}/restored");
    shell(folder.path(), &restore, &[("DATABASE_URL", &url), ("RESTORED_URL", &restored)]);
    // Without --migrate: what is restored is up to date.
    let mut command = proxy::command(folder.path(), &[]).unwrap();
    command.env("DATABASE_URL", &restored).env_remove("PRISM_MIGRATE");
    let other = Proxy::spawn(command, folder.path()).unwrap();
    assert_eq!(get(&other, "kept").await.unwrap(), kept);
    assert_eq!(get(&other, "later").await.unwrap_err().code(), Code::NotFound);
    create(&other, "new").await;
    assert_eq!(get(&proxy, "new").await.unwrap_err().code(), Code::NotFound, "another database");
}

/// The page's formula: what a proxy opens beside `postgres.max_connections`.
const BESIDE: i64 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_opens_as_many_connections_as_the_formula_says() {
    let Some(backend) = Backend::postgres() else { return };
    let folder = tempfile::tempdir().unwrap();
    let limit = 3;
    let flag = format!("postgres.max_connections={limit}");
    let proxy = backend.start_in(folder.path(), &["--set", &flag]).unwrap();
    let orders = support::orders(&proxy).await;
    let client = support::connect(&proxy).await;
    // More of everything than there are connections for.
    let calls = (0..64).map(|number| {
        let (orders, client) = (orders.clone(), client.clone());
        async move {
            let id = number.to_string();
            for round in 0..8_u8 {
                let put = support::put(&id, &[round], vec![round; 100]);
                client.unary::<_, PutResponse>(support::PUT, put).await.unwrap();
                let namespace = "test".to_owned();
                let get = GetRequest { namespace, id: id.clone(), ..GetRequest::default() };
                client.unary::<_, GetResponse>(support::GET, get).await.unwrap();
                let new = Order {
                    customer_id: id.clone(),
                    order_id: round.to_string(),
                    ..Order::default()
                };
                let request = CreateOrderRequest { order: Some(new), request_id: String::new() };
                orders.create_order(request).await.unwrap();
                let list = ListOrdersRequest { customer_id: id.clone(), ..Default::default() };
                orders.list_orders(list).await.unwrap();
                let get = GetOrderRequest {
                    customer_id: id.clone(),
                    order_id: round.to_string(),
                    ..GetOrderRequest::default()
                };
                orders.get_order(get).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(calls).await;
    let others = "pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let table = format!("pg_stat_activity WHERE datname = current_database() AND {others}");
    let opened = support::count(&backend, folder.path(), &table).await;
    assert!(opened > limit && opened <= limit + BESIDE, "{opened}");
    let page = std::fs::read_to_string(root().join("docs/deployment.md")).unwrap();
    assert!(page.contains(&format!("(postgres.max_connections + {BESIDE})")));
}

/// The page of a list that follows a token; the first one after an empty one.
async fn next(proxy: &Proxy, token: &str) -> Result<ListOrdersResponse, Status> {
    let request = ListOrdersRequest {
        customer_id: "c".to_owned(),
        page_size: 1,
        page_token: token.to_owned(),
        ..ListOrdersRequest::default()
    };
    let answer = support::orders(proxy).await.list_orders(request).await;
    answer.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_of_page_tokens_is_replaced_while_lists_go_on() {
    if !has("openssl") {
        return;
    }
    let Some(backend) = Backend::postgres() else { return };
    let [_, _, _, _, make, ..] = blocks();
    let folder = tempfile::tempdir().unwrap();
    let key = || shell(folder.path(), &make, &[]).trim().to_owned();
    let (old, new) = (key(), key());
    let start = |keys: &[&String]| {
        let quoted: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
        let flag = format!("server.token_keys=[{}]", quoted.join(","));
        backend.start_in(folder.path(), &["--set", &flag]).unwrap()
    };
    // All four serve at the same time, as during a roll-out.
    let before = start(&[&old]);
    let (first, second, third) = (start(&[&old, &new]), start(&[&new, &old]), start(&[&new]));
    for id in ["1", "2", "3"] {
        create(&before, id).await;
    }
    let of_old = next(&before, "").await.unwrap().next_page_token;
    let of_new = next(&second, "").await.unwrap().next_page_token;
    for proxy in [&before, &first, &second] {
        assert_eq!(next(proxy, &of_old).await.unwrap().orders.len(), 1);
    }
    for proxy in [&first, &second, &third] {
        assert_eq!(next(proxy, &of_new).await.unwrap().orders.len(), 1);
    }
    for (proxy, token) in [(&before, &of_new), (&third, &of_old)] {
        assert_eq!(next(proxy, token).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

#[test]
fn the_commands_of_a_roll_out_name_what_there_is() {
    let [.., kubectl] = blocks();
    let mut objects = 0;
    for line in kubectl.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        for (at, word) in words.iter().enumerate() {
            if *word == "-f" {
                deploy::path(&format!("kubernetes/{}", words[at + 1]));
            }
            let named = match word.split_once('/') {
                Some((kind, name)) => Some((kind, name)),
                None if *word == "job" => Some(("job", words[at + 1])),
                None => None,
            };
            if let Some((kind, name)) = named {
                let kind = if kind == "job" { "Job" } else { "Deployment" };
                assert_eq!(deploy::object(kind)["metadata"]["name"], name, "{line}");
                objects += 1;
            }
        }
    }
    assert_eq!(objects, 3);
}
