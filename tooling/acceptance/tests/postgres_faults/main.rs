//! What production does to a database, under load: every acknowledged write is there afterwards,
//! callers are answered in time, the proxy recovers by itself, and its readiness follows.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod cable;
mod failover;
mod load;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use cable::{Cable, Network};
use load::{DEADLINE, Kind, Load, check, read, write};
use prism_postgres::{Cluster, Database, Setup, Shutdown, cluster_for_test};
use prism_runtime::Proxy;
use prism_runtime::codegen::Client;
use prism_runtime::config::Config;
use prism_runtime::proto::keyvalue::v1::PutResponse;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// How long the proxy may take to find out that a server that refuses is gone.
const REFUSED: Duration = Duration::from_secs(5);
/// The same for one that says nothing.
const SILENT: Duration = Duration::from_secs(15);
/// How long it may take to find a server that is back, and to go on with it, on a busy machine.
const BACK: Duration = Duration::from_secs(30);

/// So many tests at a time, each of which keeps a server busy: more would be slow, not faulty.
static TURNS: Semaphore = Semaphore::const_new(2);

const KEY_VALUE: &str = "prism.keyvalue.v1.KeyValueService";

/// A proxy on a database of a cluster.
struct Running {
    proxy: Proxy,
    client: Client,
}

impl Running {
    async fn start(database: &Database) -> Running {
        Running::start_at(database.url()).await
    }

    async fn start_at(url: String) -> Running {
        let mut config = Config::default();
        config.server.listen = "127.0.0.1:0".to_owned();
        config.database = url;
        config.migrate = Some(true);
        let proxy = Proxy::builder(prism_proxy::schema()).config(config).start().unwrap();
        let client = Client::connect(format!("http://{}", proxy.local_addr())).await.unwrap();
        Running { proxy, client }
    }

    /// What a health probe hears under a name.
    async fn health(&self, service: &str) -> ServingStatus {
        let request = HealthCheckRequest { service: service.to_owned() };
        let path = "/grpc.health.v1.Health/Check";
        let answer = self.client.unary::<_, HealthCheckResponse>(path, request).await;
        answer.unwrap().into_inner().status()
    }

    /// What a client hears that wants to be told.
    async fn watch(&self) -> tonic::Streaming<HealthCheckResponse> {
        let request = HealthCheckRequest { service: KEY_VALUE.to_owned() };
        let path = "/grpc.health.v1.Health/Watch";
        self.client.server_streaming(path, request).await.unwrap().into_inner()
    }

    /// Waits until the proxy says that it can serve, or that it cannot. It lives either way.
    async fn until_ready(&self, ready: bool, limit: Duration) {
        let end = Instant::now() + limit;
        while (self.health("").await == ServingStatus::Serving) != ready {
            assert!(Instant::now() < end, "ready: {}", !ready);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.health("liveness").await, ServingStatus::Serving);
    }

    /// While the server is known to be out of reach, nobody waits for it.
    async fn fails_at_once(&self) {
        for kind in [Kind::Item, Kind::Order] {
            let started = Instant::now();
            let written = write(&self.client, kind, "outage").await.unwrap_err();
            let found = read(&self.client, kind, "outage").await.unwrap_err();
            assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
            assert_eq!([check(&written), check(&found)], ["BACKEND_UNAVAILABLE"; 2]);
        }
    }

    async fn end(self, load: Load) -> load::Report {
        let report = load.stop().await;
        report.assert_stored(&self.client).await;
        self.proxy.shutdown().await;
        report
    }
}

/// A server for a test, whose turn it is.
struct Server {
    cluster: Cluster,
    _turn: SemaphorePermit<'static>,
}

async fn server(setup: impl FnOnce(&Path) -> Setup) -> Option<(Server, Database)> {
    let turn = TURNS.acquire().await.unwrap();
    let cluster = cluster_for_test(setup)?;
    let database = cluster.create_database("faults").unwrap();
    Some((Server { cluster, _turn: turn }, database))
}

/// A session beside the proxy's.
async fn session(database: &Database) -> PgConnection {
    let options: PgConnectOptions = database.url().parse().unwrap();
    options.application_name("other").connect().await.unwrap()
}

/// Ends every session of the proxy.
const KILL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name <> 'other'";

fn plain(_: &Path) -> Setup {
    Setup::default()
}

async fn restarted(shutdown: Shutdown) {
    let Some((mut server, database)) = server(plain).await else { return };
    let running = Running::start(&database).await;
    let mut watch = running.watch().await;
    let load = Load::start(&running.client);
    load.until_succeeded(200, BACK).await;
    server.cluster.stop(shutdown).unwrap();
    running.until_ready(false, REFUSED).await;
    running.fails_at_once().await;
    server.cluster.start_again().unwrap();
    running.until_ready(true, BACK).await;
    for expected in [ServingStatus::Serving, ServingStatus::NotServing, ServingStatus::Serving] {
        assert_eq!(watch.message().await.unwrap().unwrap().status(), expected);
    }
    load.until_succeeded(200, BACK).await;
    let report = running.end(load).await;
    assert!(report.count("BACKEND_UNAVAILABLE") > 0, "{:?}", report.failures);
    assert_eq!(report.count("DEADLINE_EXCEEDED"), 0, "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts() {
    restarted(Shutdown::Fast).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes() {
    restarted(Shutdown::Immediate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed() {
    let Some((_server, database)) = server(plain).await else { return };
    let running = Running::start(&database).await;
    let load = Load::start(&running.client);
    let mut administrator = session(&database).await;
    for _ in 0..8 {
        load.until_succeeded(30, BACK).await;
        administrator.execute(KILL).await.unwrap();
    }
    running.until_ready(true, BACK).await;
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_cut_and_healed() {
    let Some((_server, database)) = server(plain).await else { return };
    let cable = Cable::to(database.port()).await;
    let running = Running::start(&database.at_port(cable.port())).await;
    let load = Load::start(&running.client);
    for _ in 0..2 {
        load.until_succeeded(100, BACK).await;
        cable.becomes(Network::Cut);
        running.until_ready(false, REFUSED).await;
        running.fails_at_once().await;
        cable.becomes(Network::Whole);
        running.until_ready(true, BACK).await;
    }
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_says_nothing() {
    let Some((_server, database)) = server(plain).await else { return };
    let cable = Cable::to(database.port()).await;
    let running = Running::start(&database.at_port(cable.port())).await;
    let load = Load::start(&running.client);
    load.until_succeeded(200, BACK).await;
    cable.becomes(Network::Silent);
    running.until_ready(false, SILENT).await;
    running.fails_at_once().await;
    cable.becomes(Network::Whole);
    running.until_ready(true, BACK).await;
    load.until_succeeded(200, BACK).await;
    let report = running.end(load).await;
    assert!(report.count("DEADLINE_EXCEEDED") > 0, "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_says_nothing_while_nobody_calls() {
    let Some((_server, database)) = server(plain).await else { return };
    let cable = Cable::to(database.port()).await;
    let running = Running::start(&database.at_port(cable.port())).await;
    cable.becomes(Network::Silent);
    running.until_ready(false, SILENT).await;
    cable.becomes(Network::Whole);
    running.until_ready(true, BACK).await;
    write(&running.client, Kind::Order, "after").await.unwrap();
    running.proxy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_who_take_every_connection() {
    let few =
        |_: &Path| Setup { settings: vec!["max_connections=20".to_owned()], ..Setup::default() };
    let Some((_server, database)) = server(few).await else { return };
    let running = Running::start(&database).await;
    let load = Load::start(&running.client);
    load.until_succeeded(100, BACK).await;
    let mut others = take_all(&database).await;
    // What is open goes on.
    load.until_succeeded(100, BACK).await;
    // What breaks cannot be replaced where others are faster.
    let end = Instant::now() + BACK;
    while !load.is_refused() {
        assert!(Instant::now() < end, "the proxy is always faster");
        others[0].execute(KILL).await.unwrap();
        others.extend(take_all(&database).await);
    }
    drop(others);
    running.until_ready(true, BACK).await;
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
}

/// Opens sessions until the server has no more, three times in a row.
async fn take_all(database: &Database) -> Vec<PgConnection> {
    let options: PgConnectOptions = database.url().parse().unwrap();
    let options = options.application_name("other");
    let mut taken = Vec::new();
    let mut refused = 0;
    while refused < 3 {
        match options.connect().await {
            Ok(session) => taken.push(session),
            Err(_) => refused += 1,
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_that_others_hold() {
    let Some((_server, database)) = server(plain).await else { return };
    let running = Running::start(&database).await;
    let load = Load::start(&running.client);
    load.until_succeeded(200, BACK).await;
    let mut holder = session(&database).await;
    let lock = "BEGIN; LOCK TABLE kv_items, orders IN ACCESS EXCLUSIVE MODE";
    holder.execute(lock).await.unwrap();
    tokio::time::sleep(DEADLINE + Duration::from_secs(3)).await;
    // Callers went away at their deadline: what they wanted does not go on.
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                   AND wait_event_type = 'Lock' AND query_start < now() - interval '7 s'";
    let waiting: i64 =
        sqlx::query_scalar(waiting).fetch_one(&mut session(&database).await).await.unwrap();
    assert_eq!(waiting, 0);
    assert_eq!(running.health("").await, ServingStatus::Serving, "the server can be reached");
    holder.close().await.unwrap();
    load.until_succeeded(200, BACK).await;
    let report = running.end(load).await;
    let in_time = report.count("DEADLINE_EXCEEDED") + report.count("BACKEND_UNAVAILABLE");
    assert!(in_time > 0, "{:?}", report.failures);
    assert_eq!(report.count("OUTCOME_UNKNOWN"), 0, "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full() {
    let Some((_server, database, disk)) = on_a_small_disk().await else { return };
    let mut administrator = session(&database).await;
    let ballast = format!(
        "COPY (SELECT repeat('x', 1000000) FROM generate_series(1, 20)) TO '{disk}/ballast'"
    );
    administrator.execute(AssertSqlSafe(ballast)).await.unwrap();
    let running = Running::start(&database).await;
    let load = Load::start(&running.client);
    load.until_succeeded(50, BACK).await;
    assert_eq!(fill(&running.client).await, "STORAGE_FULL");
    assert_eq!(running.health("").await, ServingStatus::Serving, "reads can be served");
    let remove = format!("COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; rm {disk}/ballast'");
    administrator.execute(AssertSqlSafe(remove)).await.unwrap();
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
}

/// Writes until it is refused; answers why.
async fn fill(client: &Client) -> String {
    let mut number = 1_u64;
    for id in 0..200 {
        // What can be compressed takes no room.
        let next = || {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            number.to_be_bytes()
        };
        let value: Vec<u8> = std::iter::repeat_with(next).take(100_000).flatten().collect();
        let put = support::put(&format!("large-{id}"), b"k", value);
        if let Err(status) = client.unary::<_, PutResponse>(support::PUT, put).await {
            return check(&status);
        }
    }
    panic!("the disk does not fill");
}

/// A cluster whose database is on a disk of 40 MB, and where that is. None where the system does
/// not let this user mount one for a process alone.
async fn on_a_small_disk() -> Option<(Server, Database, String)> {
    let isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
    let mut probe = std::process::Command::new(isolated[0]);
    let probe = probe.args(&isolated[1..]).arg("mount -t tmpfs none /mnt").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no mount namespaces here");
        return None;
    }
    // Postgres does not run as root, not even as that of a namespace.
    let script = "mkdir \"$0\" && mount -t tmpfs -o size=40m none \"$0\" && \
                  exec unshare --user --map-user=1000 --map-group=1000 \"$@\"";
    let mut disk = String::new();
    let (server, first) = server(|folder| {
        disk = folder.join("disk").to_str().unwrap().to_owned();
        let words = isolated.into_iter().chain([script, &disk]);
        Setup { wrapper: words.map(str::to_owned).collect(), ..Setup::default() }
    })
    .await?;
    let space = format!("CREATE TABLESPACE small LOCATION '{disk}'");
    server.cluster.execute(&first, &space).unwrap();
    let database = "CREATE DATABASE small TEMPLATE template0 TABLESPACE small";
    server.cluster.execute(&first, database).unwrap();
    Some((server, first.named("small"), disk))
}
