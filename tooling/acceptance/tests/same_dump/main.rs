//! The same operations on SQLite and on Postgres: every answer is the same, and in the end every
//! row of every table means the same, also those that no call shows.
#![allow(clippy::unwrap_used)]

mod dump;
mod server;
mod steps;

use std::time::Duration;

use prism_acceptance::backend::Backend;
use prism_acceptance::dynamic::{Project, Version};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use dump::{Dump, dump};
use server::Server;
use steps::{HOUR, NAMESPACES, Step, steps};

/// Sequences that are tried: each needs a database of its own.
const CASES: u32 = 6;

#[test]
fn the_same_operations_leave_the_same_data() {
    if Backend::postgres().is_none() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let project = Project::new().unwrap();
    let version = project.next(include_str!("schema.proto"), &[]).unwrap();
    let config = Config {
        cases: CASES,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| {
            runtime.block_on(compare(&version, &steps));
            Ok(())
        })
        .unwrap();
}

async fn compare(version: &Version, steps: &[Step]) {
    let mut sqlite = Server::start(version, Backend::Sqlite).await;
    let mut postgres = Server::start(version, Backend::postgres().unwrap()).await;
    for step in steps {
        let (one, other) = (sqlite.take(step).await, postgres.take(step).await);
        assert_eq!(one, other, "SQLite and Postgres answer otherwise to {step:?}");
    }
    assert_eq!(shown(&sqlite).await, shown(&postgres).await, "what calls show");
    assert_eq!(rows(version, &sqlite).await, rows(version, &postgres).await, "the tables");

    // Of what has expired by then both keep the same.
    for server in [&mut sqlite, &mut postgres] {
        server.clock.advance(80 * HOUR);
        server.sweep(version).await;
    }
    let swept = async {
        loop {
            let (one, other) = (rows(version, &sqlite).await, rows(version, &postgres).await);
            if one == other && is_swept(&one, sqlite.clock.now_micros()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), swept).await.is_err() {
        assert_eq!(rows(version, &sqlite).await, rows(version, &postgres).await, "after a sweep");
        panic!("nothing is swept");
    }
    sqlite.stop().await;
    postgres.stop().await;
}

async fn rows(version: &Version, server: &Server) -> Dump {
    dump(version, &server.backend, server.path()).await
}

/// Whether nothing is left that a sweep removes: request ids, all of which are older than a day,
/// and events, which are kept for two days.
fn is_swept(rows: &Dump, now: i64) -> bool {
    let is_old =
        |row: &Vec<String>| row[9].parse::<i64>().is_ok_and(|removable| removable < now - HOUR);
    rows["prism_requests"].is_empty()
        && rows["events"].is_empty()
        && !rows["kv_items"].iter().any(is_old)
}

/// Everything that calls show of the data.
async fn shown(server: &Server) -> Vec<Value> {
    let mut shown = server.pages("ListRows", json!({"show_deleted": true, "page_size": 2})).await;
    for device in ["d", "e"] {
        shown.extend(server.pages("ListEvents", json!({"device": device})).await);
    }
    for namespace in NAMESPACES {
        shown.extend(server.scan(namespace).await);
    }
    shown
}
