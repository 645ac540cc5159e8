//! What the tests share in which files of SQLite are taken away or changed.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use prism_acceptance::proxy::Proxy;
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use tonic::Status;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_types::StatusExt as _;

use crate::support::{GET, PUT, put};

/// How long the proxy may take to notice, on a busy machine.
pub const NOTICE: Duration = Duration::from_secs(10);

pub fn start(folder: &Path) -> Proxy {
    Proxy::start_in(folder, &[]).unwrap()
}

pub async fn write(client: &Client, number: u32) -> Result<(), Status> {
    let request = put(&number.to_string(), b"k", number.to_be_bytes().repeat(100));
    client.unary::<_, PutResponse>(PUT, request).await.map(drop)
}

pub async fn read(client: &Client, number: u32) -> Result<bool, Status> {
    let request = GetRequest {
        namespace: "test".to_owned(),
        id: number.to_string(),
        ..GetRequest::default()
    };
    let items = client.unary::<_, GetResponse>(GET, request).await?.into_inner().items;
    Ok(items.first().is_some_and(|item| item.value == number.to_be_bytes().repeat(100)))
}

pub async fn is_serving(client: &Client) -> bool {
    let path = "/grpc.health.v1.Health/Check";
    let request = HealthCheckRequest { service: String::new() };
    let answer = client.unary::<_, HealthCheckResponse>(path, request).await.unwrap();
    answer.into_inner().status() == ServingStatus::Serving
}

pub async fn until_serving(client: &Client, serving: bool, proxy: &Proxy) {
    let end = Instant::now() + NOTICE;
    while is_serving(client).await != serving {
        assert!(Instant::now() < end, "serving: {}: {}", !serving, proxy.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

/// Writes that are acknowledged.
pub async fn fill(client: &Client, numbers: std::ops::Range<u32>) {
    for number in numbers {
        write(client, number).await.unwrap();
    }
}

/// No write that begins now is acknowledged, and the proxy says why.
pub async fn assert_stopped(client: &Client, proxy: &Proxy, cause: &str) {
    for number in 10_000..10_050 {
        let status = write(client, number).await.unwrap_err();
        let known = ["OUTCOME_UNKNOWN", "BACKEND_UNAVAILABLE"];
        assert!(known.contains(&reason(&status).as_str()), "{status:?}");
    }
    until_serving(client, false, proxy).await;
    let status = write(client, 10_050).await.unwrap_err();
    assert_eq!(reason(&status), "BACKEND_UNAVAILABLE", "{status:?}");
    let status = read(client, 0).await.unwrap_err();
    assert_eq!(reason(&status), "BACKEND_UNAVAILABLE", "{status:?}");
    let log = proxy.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("SQLite database")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(cause) && lines[0].contains("prism.db"), "{log}");
}

pub fn stop(proxy: Proxy) {
    let (code, log) = proxy.stop().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

/// Waits until the database without its log has so many items.
pub async fn until_copied(database: &Path, items: i64) {
    let end = Instant::now() + NOTICE;
    let count = || {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        fs::copy(database, &copy).unwrap();
        let connection = rusqlite::Connection::open(&copy).unwrap();
        connection.query_row("SELECT count(*) FROM kv_items", [], |row| row.get::<_, i64>(0))
    };
    while !count().is_ok_and(|count| count >= items) {
        assert!(Instant::now() < end, "the log is not copied");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
