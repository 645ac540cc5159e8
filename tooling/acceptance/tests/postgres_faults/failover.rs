//! A server that becomes read-only, and another one that takes its place.

use std::time::Duration;

use prism_postgres::{Cluster, Database};
use sqlx::{AssertSqlSafe, Executor as _};

use super::cable::{Cable, Network};
use super::load::{Kind, Load, write};
use super::{BACK, REFUSED, Running, Server, Setup, server, session};

/// How long the proxy may take to find out that sessions cannot write any more: a write that fails
/// says so.
const READ_ONLY: Duration = REFUSED;

/// Has every session of a server refuse writes, without ending any.
async fn fence(database: &Database, is_fenced: bool) {
    let setting = if is_fenced { "on" } else { "off" };
    let mut administrator = session(database).await;
    let fence = format!("ALTER SYSTEM SET default_transaction_read_only = {setting}");
    administrator.execute(AssertSqlSafe(fence)).await.unwrap();
    administrator.execute("SELECT pg_reload_conf()").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_become_read_only() {
    let Some((_server, database)) = server(super::plain).await else { return };
    let running = Running::start(&database).await;
    let load = Load::start(&running.client);
    load.until_succeeded(100, BACK).await;
    fence(&database, true).await;
    running.until_ready(false, READ_ONLY).await;
    running.fails_at_once().await;
    fence(&database, false).await;
    running.until_ready(true, BACK).await;
    load.until_succeeded(200, BACK).await;
    let report = running.end(load).await;
    assert_eq!(report.count("OUTCOME_UNKNOWN"), 0, "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_becomes_read_only_while_nobody_calls() {
    let Some((_server, database)) = server(super::plain).await else { return };
    let running = Running::start(&database).await;
    fence(&database, true).await;
    running.until_ready(false, 3 * READ_ONLY).await;
    fence(&database, false).await;
    running.until_ready(true, BACK).await;
    write(&running.client, Kind::Order, "after").await.unwrap();
    running.proxy.shutdown().await;
}

/// A primary whose commits wait for the standby, and the standby.
async fn pair() -> Option<(Server, Database, Cluster)> {
    let synchronous = |_: &std::path::Path| Setup {
        settings: vec!["synchronous_standby_names=*".to_owned()],
        ..Setup::default()
    };
    let turn = super::TURNS.acquire().await.unwrap();
    let cluster = prism_postgres::cluster_for_test(synchronous)?;
    let standby = cluster.standby().unwrap();
    let database = cluster.create_database("faults").unwrap();
    Some((Server { cluster, _turn: turn }, database, standby))
}

/// The old primary lives on and answers reads; its address leads to the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_leads_to_another_server() {
    let Some((_server, old, standby)) = pair().await else { return };
    let cable = Cable::to(old.port()).await;
    let running = Running::start(&old.at_port(cable.port())).await;
    let load = Load::start(&running.client);
    load.until_succeeded(100, BACK).await;
    fence(&old, true).await;
    standby.promote().unwrap();
    let new = old.at_port(standby.port());
    cable.leads_to(new.port());
    // Nothing ends the sessions with the old one but the proxy itself.
    load.until_succeeded(200, BACK).await;
    running.until_ready(true, BACK).await;
    let report = running.end(load).await;
    assert_eq!(report.count("OUTCOME_UNKNOWN"), 0, "{:?}", report.failures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_demoted() {
    let Some((mut server, old, standby)) = pair().await else { return };
    let cable = Cable::to(old.port()).await;
    let running = Running::start(&old.at_port(cable.port())).await;
    let load = Load::start(&running.client);
    load.until_succeeded(100, BACK).await;
    server.cluster.demote().unwrap();
    // It takes connections, and no writes.
    running.until_ready(false, READ_ONLY).await;
    running.fails_at_once().await;
    standby.promote().unwrap();
    cable.leads_to(standby.port());
    running.until_ready(true, BACK).await;
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
}

/// The proxy finds the primary among several hosts, at start and whenever another one becomes it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_hosts_in_the_url() {
    let Some((server, old, standby)) = pair().await else { return };
    let cable = Cable::to(old.port()).await;
    let hosts = format!("@127.0.0.1:{},127.0.0.1:{}/", standby.port(), cable.port());
    let url = old.url().replace(&format!("@127.0.0.1:{}/", old.port()), &hosts);
    let running = Running::start_at(format!("{url}?target_session_attrs=read-write")).await;
    let load = Load::start(&running.client);
    load.until_succeeded(100, BACK).await;
    fence(&old, true).await;
    standby.promote().unwrap();
    load.until_succeeded(200, BACK).await;
    cable.becomes(Network::Silent);
    load.until_succeeded(200, BACK).await;
    running.end(load).await;
    drop(server);
}
