//! SIGTERM while calls are in flight: what was acknowledged is stored, what runs may end, and the
//! exit code is 0.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::time::{Duration, Instant};

use prism_acceptance::backend::Backend;
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{
    GetRequest, GetResponse, PutResponse, ScanRequest, ScanResponse,
};
use support::{GET, PUT, SCAN, put};
use tokio::sync::mpsc;

/// Answers of a scan: more than fit into any buffer on the way.
const RECORDS: usize = 40;
const VALUE: usize = 512 * 1024;

async fn scan(client: &Client) -> tonic::Streaming<ScanResponse> {
    let request = ScanRequest { namespace: "test".to_owned(), ..ScanRequest::default() };
    client.server_streaming(SCAN, request).await.unwrap().into_inner()
}

on_every_backend! {
    sigterm_lets_a_scan_and_writes_in_flight_end,
    what_does_not_end_is_cut_off_and_the_exit_code_is_still_0,
}

async fn sigterm_lets_a_scan_and_writes_in_flight_end(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    let client = support::connect(&proxy).await;
    for number in 0..RECORDS {
        let request = put(&format!("r{number:03}"), b"k", vec![number as u8; VALUE]);
        client.unary::<_, PutResponse>(PUT, request).await.unwrap();
    }
    let mut messages = scan(&client).await;
    let first = messages.message().await.unwrap().unwrap();

    // Writers that go on until the proxy is gone.
    let (sender, mut acks) = mpsc::channel(64);
    for writer in 0..4 {
        let client = support::connect(&proxy).await;
        let sender = sender.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let id = format!("w{writer}-{number}");
                let request = put(&id, b"k", b"v".to_vec());
                if client.unary::<_, PutResponse>(PUT, request).await.is_err() {
                    break;
                }
                sender.send(id).await.unwrap();
            }
        });
    }
    drop(sender);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 20 {
        acknowledged.push(acks.recv().await.unwrap());
    }
    let started = Instant::now();
    proxy.terminate().unwrap();
    while let Some(id) = acks.recv().await {
        acknowledged.push(id);
    }
    // The scan is whole, though the proxy has been told to stop.
    let mut seen = first.items.len();
    while let Some(message) = messages.message().await.unwrap() {
        seen += message.items.iter().filter(|scanned| scanned.id.starts_with('r')).count();
    }
    assert_eq!(seen, RECORDS);
    drop(client);
    let (code, log) = tokio::task::spawn_blocking(|| proxy.end()).await.unwrap().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(started.elapsed() < Duration::from_secs(20), "it waited for the hard end");
    assert!(!log.contains("cut off") && !log.contains("panic"), "{log}");

    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    let client = support::connect(&proxy).await;
    for id in acknowledged {
        let request = GetRequest { namespace: "test".to_owned(), id, ..GetRequest::default() };
        let answer = client.unary::<_, GetResponse>(GET, request).await.unwrap().into_inner();
        assert_eq!(answer.items[0].value, b"v");
    }
}

async fn what_does_not_end_is_cut_off_and_the_exit_code_is_still_0(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = backend.start_in(folder.path(), &["--set", "server.drain_seconds=1"]).unwrap();
    let client = support::connect(&proxy).await;
    for number in 0..RECORDS {
        let request = put(&format!("r{number}"), b"k", vec![0; VALUE]);
        client.unary::<_, PutResponse>(PUT, request).await.unwrap();
    }
    // Held, not read.
    let messages = scan(&client).await;
    let (code, log) = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("cut off"), "{log}");
    drop(messages);
}
