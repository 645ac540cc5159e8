//! Start, drain, many connections, callers that do not read.
#![allow(clippy::unwrap_used)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use prism_runtime::Proxy;
use prism_runtime::proto::keyvalue::v1::PutRequest;
use prost::Message;
use raw::{Raw, framed, post};
use support::{Running, config, schema};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

fn request() -> PutRequest {
    PutRequest { id: "a record".to_owned(), ..PutRequest::default() }
}

async fn echo(running: &Running) -> Result<(), tonic::Status> {
    let client = running.client().await;
    let answer = client.unary::<_, PutRequest>("/test.v1.Test/Echo", request()).await?;
    assert_eq!(answer.into_inner(), request());
    Ok(())
}

async fn echoes(running: &Running) {
    echo(running).await.unwrap();
}

#[tokio::test]
async fn a_drain_lets_calls_in_flight_end_and_tells_the_watchers() {
    let running = Running::start(config());
    let client = running.client().await;
    let address = running.proxy.local_addr();
    let health = HealthCheckRequest { service: "test.v1.Test".to_owned() };
    let mut watch = client
        .server_streaming::<_, HealthCheckResponse>("/grpc.health.v1.Health/Watch", health)
        .await
        .unwrap()
        .into_inner();
    let status = watch.message().await.unwrap().unwrap().status();
    assert_eq!(status, ServingStatus::Serving);

    let slow = tokio::spawn({
        let client = client.clone();
        async move { client.unary::<_, PutRequest>("/test.v1.Test/Sleep", request()).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    let Running { proxy, .. } = running;
    proxy.shutdown().await;
    assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());

    assert_eq!(slow.await.unwrap().unwrap().into_inner(), request());
    let status = watch.message().await.unwrap().unwrap().status();
    assert_eq!(status, ServingStatus::NotServing);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
    TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn the_drain_has_a_hard_end() {
    let mut config = config();
    config.server.drain_seconds = 1;
    let running = Running::start(config);
    let client = running.client().await;
    let stream = client
        .server_streaming::<_, PutRequest>(
            "/test.v1.Test/Count",
            PutRequest { id: "x".repeat(60_000), ..request() },
        )
        .await
        .unwrap();
    let silent = TcpStream::connect(running.proxy.local_addr()).await.unwrap();
    let started = Instant::now();
    let Running { proxy, .. } = running;
    proxy.shutdown().await;
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{took:?}");
    drop((stream, silent));
}

#[tokio::test]
async fn health_knows_each_service() {
    let running = Running::start(config());
    let client = running.client().await;
    let check = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        let path = "/grpc.health.v1.Health/Check";
        client.unary::<_, HealthCheckResponse>(path, request).await
    };
    for service in ["", "test.v1.Test", "grpc.reflection.v1.ServerReflection"] {
        let status = check(service).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service}");
    }
    assert_eq!(check("acme.v1.None").await.unwrap_err().code(), Code::NotFound);
    running.proxy.health().set_not_serving("test.v1.Test");
    let status = check("test.v1.Test").await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::NotServing);
}

/// The answer of `List`: names and statuses.
#[derive(Clone, PartialEq, Message)]
struct Listed {
    #[prost(map = "string, message", tag = "1")]
    statuses: HashMap<String, HealthCheckResponse>,
}

#[tokio::test]
async fn health_lists_every_name() {
    let running = Running::start(config());
    let client = running.client().await;
    let list = async || {
        let path = "/grpc.health.v1.Health/List";
        client.unary::<(), Listed>(path, ()).await.unwrap().into_inner().statuses
    };
    let statuses = list().await;
    let mut names: Vec<&str> = statuses.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "liveness",
        "prism.keyvalue.v1.KeyValueService",
        "test.v1.Test",
    ];
    assert_eq!(names, expected);
    assert!(statuses.values().all(|status| status.status() == ServingStatus::Serving));
    running.proxy.health().set_not_serving("test.v1.Test");
    assert_eq!(list().await["test.v1.Test"].status(), ServingStatus::NotServing);
    // More than the protocol lets a list have.
    for number in 0..100 {
        running.proxy.health().set_serving(&format!("test.v1.Service{number}"));
    }
    let answer = client.unary::<(), Listed>("/grpc.health.v1.Health/List", ()).await;
    assert_eq!(answer.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn an_address_that_is_taken_is_one_clear_line() {
    let running = Running::start(config());
    let mut other = config();
    other.server.listen = running.proxy.local_addr().to_string();
    let folder = tempfile::tempdir().unwrap();
    other.database = folder.path().join("other.db").to_str().unwrap().to_owned();
    let error = Proxy::builder(schema()).config(other).start().err().unwrap().to_string();
    let address = running.proxy.local_addr();
    assert_eq!(error, format!("cannot listen on {address}: another process listens there"));
}

#[tokio::test]
async fn ten_thousand_connections_come_and_go() {
    let mut config = config();
    config.server.max_connections = 100;
    config.server.max_connections_per_peer = 100;
    let running = Running::start(config);
    let address = running.proxy.local_addr();
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        tasks.spawn(async move {
            for round in 0..200 {
                let stream = TcpStream::connect(address).await.unwrap();
                if round % 10 == 0 {
                    // Some begin to talk before they leave.
                    // They may be refused if the server has not seen yet that others left.
                    let Ok((sender, connection)) = h2::client::handshake(stream).await else {
                        continue;
                    };
                    let connection = tokio::spawn(connection);
                    drop::<h2::client::SendRequest<bytes::Bytes>>(sender);
                    drop(connection.await.unwrap());
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    // Every place is given back.
    let started = Instant::now();
    while let Err(error) = echo(&running).await {
        assert!(started.elapsed() < Duration::from_secs(10), "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_caller_that_does_not_read_stops_the_stream_until_its_deadline() {
    let mut config = config();
    config.server.threads = 1;
    let running = Running::start(config);
    let raw = Raw::connect(running.proxy.local_addr()).await;
    let mut sender = raw.sender.clone().ready().await.unwrap();
    let (response, mut body) = sender.send_request(post("/test.v1.Test/Flood"), false).unwrap();
    body.send_data(framed(&large()).into(), true).unwrap();
    let mut stalled = response.await.unwrap().into_body();

    // Nothing gives the window back: the server can send 64 KiB and has to stop. Others go on.
    let mut received = 0;
    let end = loop {
        match tokio::time::timeout(Duration::from_secs(10), stalled.data()).await.unwrap() {
            Some(Ok(chunk)) => received += chunk.len(),
            Some(Err(error)) => break error,
            None => panic!("the stream ended as if it were whole"),
        }
        echoes(&running).await;
    };
    assert_eq!(received, 65_535);
    assert_eq!(end.reason(), Some(h2::Reason::CANCEL));
}

#[tokio::test]
async fn a_socket_that_is_not_read_stops_the_writer() {
    let mut config = config();
    config.server.threads = 1;
    let running = Running::start(config);
    // Windows as large as they go, so that only the socket holds the server back.
    let stream = TcpStream::connect(running.proxy.local_addr()).await.unwrap();
    let (mut sender, mut connection) = h2::client::Builder::new()
        .initial_window_size((1 << 31) - 1)
        .initial_connection_window_size((1 << 31) - 1)
        .handshake::<_, bytes::Bytes>(stream)
        .await
        .unwrap();
    let (_response, mut body) = sender.send_request(post("/test.v1.Test/Count"), false).unwrap();
    body.send_data(framed(&large()).into(), true).unwrap();
    // Long enough to send the request; then nobody reads the socket any more, and it stays open.
    let _ = tokio::time::timeout(Duration::from_millis(20), &mut connection).await;
    let before = resident_bytes();
    for _ in 0..30 {
        echoes(&running).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

fn large() -> Vec<u8> {
    PutRequest { id: "x".repeat(60_000), ..PutRequest::default() }.encode_to_vec()
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4096
}
