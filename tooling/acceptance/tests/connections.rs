//! Connections of a running proxy: their clients do not notice that they are replaced, and those
//! for which there is no place are told.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_acceptance::python;
use prism_acceptance::tools::Tool;
use prism_runtime::proto::keyvalue::v1::PutResponse;
use support::{PUT, put};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Reason and name of the error that refuses a connection.
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

on_every_backend! {
    clients_of_old_connections_lose_no_call,
    a_proxy_without_a_file_left_says_so_and_goes_on,
    idle_connections_give_their_places_back,
}

async fn stop(proxy: Proxy) -> String {
    let (code, log) = tokio::task::spawn_blocking(|| proxy.stop()).await.unwrap().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
    log
}

async fn clients_of_old_connections_lose_no_call(backend: Backend) {
    let Some(python) = Tool::Python.for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--set",
        "server.max_connection_age_seconds=1",
        "--log-level",
        "info,prism::connection=debug",
    ];
    let proxy = backend.start_in(folder.path(), &flags).unwrap();
    let proxy = tokio::task::spawn_blocking(move || {
        if let Err(output) = python::run(&python, &proxy, "test_connections") {
            panic!("{output}");
        }
        proxy
    });
    let log = stop(proxy.await.unwrap()).await;
    let retired = log.lines().filter(|line| line.contains("connection retires")).count();
    assert!(retired >= 3, "{retired}: {log}");
}

/// What is read of a connection that says nothing, until its end.
async fn told(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    // Closed with a last word, or reset after it.
    drop(tokio::time::timeout(Duration::from_secs(20), read).await.expect("an end"));
    bytes
}

async fn a_proxy_without_a_file_left_says_so_and_goes_on(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let proxy = limited(&backend, folder.path(), 100);
    let client = support::connect(&proxy).await;
    client.unary::<_, PutResponse>(PUT, put("r", b"k", b"v".to_vec())).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(TcpStream::connect(proxy.address()).await.unwrap());
    }
    // The last ones find no file, and are not left waiting.
    let last = told(held.last_mut().unwrap()).await;
    assert!(last.ends_with(&ENHANCE_YOUR_CALM), "{last:?}");
    client.unary::<_, PutResponse>(PUT, put("r", b"k", b"v".to_vec())).await.unwrap();
    drop(held);
    let log = stop(proxy).await;
    assert!(log.contains("connections are refused"), "{log}");
    // As often as there is something new to say, not as often as it happens.
    assert!(
        log.lines().filter(|line| line.contains("connections are refused")).count() < 5,
        "{log}"
    );
}

/// A proxy that may have so many files open.
fn limited(backend: &Backend, folder: &Path, files: u32) -> Proxy {
    let flags = ["--set", "server.threads=1"];
    let inner = backend.command(folder, &flags).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files}; exec \"$@\""), "sh"]);
    command.arg(inner.get_program()).args(inner.get_args()).current_dir(folder);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Proxy::spawn(command, folder).unwrap()
}

async fn idle_connections_give_their_places_back(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--set",
        "server.max_connections=20",
        "--set",
        "server.max_connections_per_peer=20",
        "--set",
        "server.idle_timeout_seconds=1",
        "--set",
        "server.max_connection_grace_seconds=1",
    ];
    let proxy = backend.start_in(folder.path(), &flags).unwrap();
    // They are HTTP/2 and make no call; their clients answer every PING.
    let mut held = Vec::new();
    for _ in 0..20 {
        let stream = TcpStream::connect(proxy.address()).await.unwrap();
        let (sender, connection) = h2::client::handshake(stream).await.unwrap();
        held.push((sender, tokio::spawn(connection)));
    }
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    let bytes = told(&mut refused).await;
    assert!(bytes.ends_with(&ENHANCE_YOUR_CALM), "{bytes:?}");
    for (sender, connection) in held {
        let _sender: h2::client::SendRequest<bytes::Bytes> = sender;
        let ended = tokio::time::timeout(Duration::from_secs(20), connection).await;
        ended.expect("the proxy ends it").unwrap().unwrap();
    }
    let client = support::connect(&proxy).await;
    client.unary::<_, PutResponse>(PUT, put("r", b"k", b"v".to_vec())).await.unwrap();
    drop(client);
    stop(proxy).await;
}
