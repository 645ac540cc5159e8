//! A disk without room: writes are refused with a clear status, reads go on, and once there is
//! room again so do writes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prism_acceptance::proxy::{self, Proxy};
use prism_proxy::acme::orders::v1::{GetOrderRequest, Order, PutOrderRequest};
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use support::{GET, PUT, put};
use tonic::{Code, Status};
use tonic_types::StatusExt;

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

async fn write(client: &Client, number: u32) -> Result<(), Status> {
    let value = number.to_be_bytes().repeat(5_000);
    let answer = client.unary::<_, PutResponse>(PUT, put(&number.to_string(), b"k", value)).await;
    answer.map(|_| ())
}

async fn is_stored(client: &Client, number: u32) -> bool {
    let request = GetRequest {
        namespace: "test".to_owned(),
        id: number.to_string(),
        ..GetRequest::default()
    };
    let items = client.unary::<_, GetResponse>(GET, request).await.unwrap().into_inner().items;
    items.first().is_some_and(|item| item.value == number.to_be_bytes().repeat(5_000))
}

/// Writes until it is refused; answers with the writes that were acknowledged, and the refusal.
async fn fill(client: &Client, numbers: std::ops::Range<u32>) -> (Vec<u32>, Status) {
    let mut acknowledged = Vec::new();
    for number in numbers {
        match write(client, number).await {
            Ok(()) => acknowledged.push(number),
            Err(status) => return (acknowledged, status),
        }
    }
    panic!("the disk does not fill");
}

/// Runs the proxy in a mount namespace of its own, where its folder is a small tmpfs. None where
/// the system does not let this user have one.
fn on_a_small_disk(folder: &Path) -> Option<Proxy> {
    let script = "mount -t tmpfs -o size=9m none \"$0\" && cd \"$0\" && exec \"$@\"";
    let isolated = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]).arg(folder);
        command
    };
    let mut probe = isolated("mount -t tmpfs -o size=9m none \"$0\"");
    if !probe.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no mount namespaces here");
        return None;
    }
    let mut command = isolated(script);
    command.arg(proxy::executable().unwrap()).args(["--listen", "127.0.0.1:0"]);
    command.env_remove("RUST_LOG");
    Some(Proxy::spawn(command, folder).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_disk_refuses_writes_until_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(proxy) = on_a_small_disk(folder.path()) else { return };
    // The tmpfs, seen through the proxy. `unshare` executes what it starts: the ids are the same.
    let inside = PathBuf::from(format!("/proc/{}/root", proxy.id()));
    let ballast = inside.join(folder.path().strip_prefix("/").unwrap()).join("ballast");
    fs::write(&ballast, vec![0; 6 << 20]).unwrap();

    let client = support::connect(&proxy).await;
    let orders = support::orders(&proxy).await;
    let order = |note: String| Order {
        customer_id: "c".to_owned(),
        order_id: "o".to_owned(),
        note: Some(note),
        ..Order::default()
    };
    let put = |note| PutOrderRequest { order: Some(order(note)) };
    orders.put_order(put("before".to_owned())).await.unwrap();

    let (mut acknowledged, refusal) = fill(&client, 0..1000).await;
    assert!(acknowledged.len() > 20, "{acknowledged:?}");
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal:?}");
    assert_eq!(reason(&refusal), "STORAGE_FULL");
    let refusal = orders.put_order(put("x".repeat(500_000))).await.unwrap_err();
    assert_eq!(reason(&refusal), "STORAGE_FULL", "{refusal:?}");

    // Reads go on, and see what was acknowledged alone.
    for &number in &acknowledged {
        assert!(is_stored(&client, number).await, "{number} is lost");
    }
    let get = GetOrderRequest {
        customer_id: "c".to_owned(),
        order_id: "o".to_owned(),
        show_deleted: false,
    };
    let found = orders.get_order(get).await.unwrap().into_inner();
    assert_eq!(found.note.as_deref(), Some("before"));

    fs::remove_file(&ballast).unwrap();
    for number in 2000..2050 {
        write(&client, number).await.unwrap();
        acknowledged.push(number);
    }
    orders.put_order(put("after".to_owned())).await.unwrap();
    for &number in &acknowledged {
        assert!(is_stored(&client, number).await, "{number} is lost");
    }
    let (code, log) = proxy.stop().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn files_that_may_not_grow_refuse_writes_until_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    // 2 MiB a file: a soft limit. Without the signal, a write beyond it fails.
    command
        .args(["-c", "trap '' XFSZ; ulimit -S -f 4096; exec \"$@\"", "sh"])
        .arg(proxy::executable().unwrap())
        .args(["--listen", "127.0.0.1:0"])
        .env_remove("RUST_LOG")
        .current_dir(folder.path());
    let proxy = Proxy::spawn(command, folder.path()).unwrap();
    let client = support::connect(&proxy).await;
    let (mut acknowledged, refusal) = fill(&client, 0..1000).await;
    assert!(acknowledged.len() > 20, "{acknowledged:?}");
    let known = ["STORAGE_FULL", "BACKEND_UNAVAILABLE", "OUTCOME_UNKNOWN"];
    assert!(known.contains(&reason(&refusal).as_str()), "{refusal:?}");
    for &number in &acknowledged {
        assert!(is_stored(&client, number).await, "{number} is lost");
    }

    let id = proxy.id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &id, "--fsize=unlimited:"]).status();
    if raised.is_ok_and(|status| status.success()) {
        for number in 2000..2050 {
            write(&client, number).await.unwrap();
            acknowledged.push(number);
        }
    }
    let (code, log) = proxy.stop().unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panic"), "{log}");
    let proxy = Proxy::start_in(folder.path(), &[]).unwrap();
    let client = support::connect(&proxy).await;
    for &number in &acknowledged {
        assert!(is_stored(&client, number).await, "{number} is lost");
    }
}
