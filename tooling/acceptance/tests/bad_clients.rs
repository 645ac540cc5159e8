//! Clients that send what is wrong, come and go, or do not read: they get a clear status, and
//! nobody else is disturbed.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request};
use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse, ScanRequest};
use prost::Message;
use support::{GET, PUT, SCAN, put};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::StatusExt;

async fn connection(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    // Ends with its sender.
    tokio::spawn(async move { drop(connection.await) });
    sender
}

fn request(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// Sends bytes as the body of a call; answers with its status.
async fn send(proxy: &Proxy, path: &str, body: &[u8]) -> Status {
    let mut sender = connection(proxy.address()).await.ready().await.unwrap();
    let (response, mut stream) = sender.send_request(request(path), false).unwrap();
    stream.send_data(Bytes::copy_from_slice(body), true).unwrap();
    let response = response.await.unwrap();
    let headers = response.headers().clone();
    let mut body = response.into_body();
    while let Some(chunk) = body.data().await {
        body.flow_control().release_capacity(chunk.unwrap().len()).unwrap();
    }
    let trailers = body.trailers().await.unwrap().unwrap_or_default();
    Status::from_header_map(&headers).or_else(|| Status::from_header_map(&trailers)).unwrap()
}

#[track_caller]
fn assert_status(status: &Status, code: Code, reason: &str) {
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, reason, "{status:?}");
}

/// Scans that nobody reads, of 64 MiB each.
const SCANS: usize = 20;

/// Others are served.
async fn assert_serves(proxy: &Proxy) {
    let client = support::connect(proxy).await;
    client.unary::<_, PutResponse>(PUT, put("alive", b"k", b"v".to_vec())).await.unwrap();
    let request =
        GetRequest { namespace: "test".to_owned(), id: "alive".to_owned(), ..Default::default() };
    let answer = client.unary::<_, GetResponse>(GET, request).await.unwrap();
    assert_eq!(answer.into_inner().items[0].value, b"v");
}

async fn assert_stops_well(proxy: Proxy) {
    let (code, log) = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

const CREATE_ORDER: &str = "/acme.orders.v1.OrderService/CreateOrder";

on_every_backend! {
    malformed_messages_are_invalid_requests,
    random_bytes_are_refused_or_understood,
    messages_over_the_limit_are_refused,
    ten_thousand_connections_come_and_go,
    scans_that_are_not_read_take_no_memory_and_no_time_of_others,
    what_is_no_http2_is_cut_off,
}

async fn malformed_messages_are_invalid_requests(backend: Backend) {
    let proxy = backend.start().unwrap();
    let whole = framed(&put("r", b"k", b"v".to_vec()).encode_to_vec());
    let cases: [(&str, &[u8], Code); 8] = [
        // No message, half of a prefix, half of a message, two of them.
        (PUT, b"", Code::Unimplemented),
        (PUT, &whole[..3], Code::Internal),
        (PUT, &whole[..whole.len() - 1], Code::Internal),
        (PUT, &whole.repeat(2), Code::Unimplemented),
        // A length beyond the end, a bad tag, a bad wire type, bytes that are no UTF-8.
        (PUT, &framed(b"\x0a\x7fx"), Code::InvalidArgument),
        (CREATE_ORDER, &framed(b"\x00"), Code::InvalidArgument),
        (CREATE_ORDER, &framed(b"\x0a\x02\x0f\x00"), Code::InvalidArgument),
        (CREATE_ORDER, &framed(b"\x0a\x04\x0a\x02\xff\xfe"), Code::InvalidArgument),
    ];
    for (path, body, code) in cases {
        let status = send(&proxy, path, body).await;
        assert_status(&status, code, "INVALID_REQUEST");
    }
    assert_serves(&proxy).await;
    assert_stops_well(proxy).await;
}

async fn random_bytes_are_refused_or_understood(backend: Backend) {
    let proxy = backend.start().unwrap();
    let methods = [
        PUT,
        GET,
        CREATE_ORDER,
        "/acme.orders.v1.OrderService/ListOrders",
        "/acme.orders.v1.OrderService/UpdateOrder",
        "/acme.orders.v1.OrderService/BatchGetOrders",
        "/acme.profiles.v1.ProfileService/CreateUserProfile",
    ];
    let mut state = 1_u64;
    let mut random = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for _ in 0..60 {
        for path in methods {
            // Small numbers first: they are the tags of known fields more often.
            let length = usize::from(random()) % 40;
            let mut body: Vec<u8> = (0..length).map(|_| random() % 130).collect();
            if let Some(first) = body.first_mut() {
                *first = [0x0a, 0x12, 0x1a, 0x10][usize::from(random()) % 4];
            }
            let status = send(&proxy, path, &framed(&body)).await;
            let expected = [Code::Ok, Code::InvalidArgument, Code::NotFound, Code::AlreadyExists];
            assert!(expected.contains(&status.code()), "{path} {body:?}: {status:?}");
        }
    }
    assert_serves(&proxy).await;
    assert_stops_well(proxy).await;
}

async fn messages_over_the_limit_are_refused(backend: Backend) {
    let proxy = backend.start().unwrap();
    let client = support::connect(&proxy).await;
    // Over the limit of a message, of a value, and of an id.
    let large = client.unary::<_, PutResponse>(PUT, put("r", b"k", vec![0; 5 << 20])).await;
    assert_status(&large.unwrap_err(), Code::ResourceExhausted, "VALUE_TOO_LARGE");
    let value = client.unary::<_, PutResponse>(PUT, put("r", b"k", vec![0; (1 << 20) + 1])).await;
    assert_status(&value.unwrap_err(), Code::InvalidArgument, "VALUE_TOO_LARGE");
    let id = client.unary::<_, PutResponse>(PUT, put(&"x".repeat(513), b"k", vec![])).await;
    assert_status(&id.unwrap_err(), Code::InvalidArgument, "VALUE_TOO_LARGE");
    // What the prefix announces is not waited for.
    let status = send(&proxy, PUT, &[0, 0xff, 0xff, 0xff, 0xff]).await;
    assert_status(&status, Code::ResourceExhausted, "VALUE_TOO_LARGE");
    client.unary::<_, PutResponse>(PUT, put("r", b"k", vec![0; 1 << 20])).await.unwrap();
    assert_stops_well(proxy).await;
}

async fn ten_thousand_connections_come_and_go(backend: Backend) {
    let proxy = backend.start().unwrap();
    assert_serves(&proxy).await;
    let before = resident(&proxy);
    for round in 0..100 {
        let opened = (0..100).map(|_| TcpStream::connect(proxy.address()));
        let opened = futures_util::future::join_all(opened).await;
        for (index, stream) in opened.into_iter().enumerate() {
            let mut stream = stream.unwrap();
            // Some say nothing, some garbage, some half of HTTP/2's preface.
            match (round + index) % 3 {
                0 => {}
                1 => drop(stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await),
                _ => drop(stream.write_all(b"PRI * HTTP/2.0\r\n").await),
            }
        }
    }
    assert_serves(&proxy).await;
    let grown = resident(&proxy).saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    assert_stops_well(proxy).await;
}

async fn scans_that_are_not_read_take_no_memory_and_no_time_of_others(backend: Backend) {
    let proxy = backend.start().unwrap();
    let client = support::connect(&proxy).await;
    for number in 0..64 {
        let request = put(&format!("r{number}"), b"k", vec![number; 1 << 20]);
        client.unary::<_, PutResponse>(PUT, request).await.unwrap();
    }
    let before = resident(&proxy);
    let scan = ScanRequest { namespace: "test".to_owned(), ..ScanRequest::default() };
    let body = framed(&scan.encode_to_vec());
    let mut held = Vec::new();
    for _ in 0..SCANS {
        // The stream's window is as large as they go; then nobody reads the socket.
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut sender, mut connection) = h2::client::Builder::new()
            .initial_window_size((1 << 31) - 1)
            .initial_connection_window_size((1 << 31) - 1)
            .handshake::<_, Bytes>(stream)
            .await
            .unwrap();
        let (response, mut stream) = sender.send_request(request(SCAN), false).unwrap();
        stream.send_data(body.clone().into(), true).unwrap();
        // Long enough to send the request.
        drop(tokio::time::timeout(Duration::from_millis(20), &mut connection).await);
        held.push((sender, connection, response, stream));
    }
    for _ in 0..20 {
        assert_serves(&proxy).await;
    }
    let grown = resident(&proxy).saturating_sub(before);
    // Each holds a page or two of 1 MiB in buffers that grew by doubling, not what it asked for.
    assert!(grown < SCANS * (8 << 20), "{grown} bytes");
    drop(held);
    assert_stops_well(proxy).await;
}

async fn what_is_no_http2_is_cut_off(backend: Backend) {
    let proxy = backend.start().unwrap();
    for bytes in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 4096], b"\x16\x03\x01\x02\x00"]
    {
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut told = Vec::new();
        let read = stream.read_to_end(&mut told);
        // Closed, with or without a last word.
        drop(tokio::time::timeout(Duration::from_secs(10), read).await.unwrap());
    }
    assert_serves(&proxy).await;
    assert_stops_well(proxy).await;
}

/// Resident memory of the proxy's own, in bytes: without mapped files.
fn resident(proxy: &Proxy) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", proxy.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}
