//! Writes of entities that share a transaction: one that cannot be made never fails the others.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use prism_runtime::conformance::entity::{Harness, Opened};
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::postgres::{Database, Options, PostgresEntities};
use prism_runtime::{Reason, Result};
use serde_json::{Value as Json, json};
use sqlx::{Connection as _, PgConnection};

/// Half a row of an index, in which nothing repeats: as text it cannot be made smaller.
const LARGE: usize = 3_000;

/// What waits longer for a lock goes on alone.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a flight is tried to be held: a slow machine may let a lock's wait end before all
/// calls are there.
const TRIES: usize = 5;

/// How long a record is locked, and how long others wait at most: one lock for a moment, and what a
/// slow machine takes.
const LOCKED: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(3);

/// The suite's entities in a database, or `None` where there is no Postgres.
fn open() -> Option<(Harness, String)> {
    let database = prism_postgres::for_test()?;
    let url = database.url();
    let opening = RefCell::new(Some(Options::new(&url)));
    let factory = |entities: &[Entity]| {
        let steps = entities.iter().flat_map(ddl::create);
        let mut sql: Vec<String> = steps.map(|step| step.render(Dialect::Postgres)).collect();
        // What the schema does not know of, so that nothing but Postgres can refuse it.
        sql.push("CREATE INDEX by_secret ON orders (secret);".to_owned());
        let mut options = opening.borrow_mut().take().unwrap();
        options.migrations = vec![Migration {
            version: 1,
            description: "entities",
            sql: Box::leak(sql.join("\n").into_boxed_str()),
        }];
        let database = Database::open(&options).unwrap();
        Opened { backend: Box::new(PostgresEntities::new(database)), guard: Box::new(()) }
    };
    Some((Harness::new(&factory), url))
}

fn order(id: String, fields: Json) -> Json {
    let mut order = json!({"customerId": "c", "orderId": id});
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    order
}

/// Text in which nothing repeats.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'!' + (state >> 33) as u8 % 90)
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Makes calls at the same time, all of which wait behind those that were made first. Answers in
/// their order; `None` where that took so long that they may not have shared a transaction.
async fn together(
    harness: &Harness,
    url: &str,
    first: Vec<(&str, Json)>,
    calls: Vec<(&str, Json)>,
) -> Option<Vec<Result<Json>>> {
    let mut holder = PgConnection::connect(url).await.unwrap();
    let mut watcher = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("BEGIN; LOCK TABLE orders IN EXCLUSIVE MODE").execute(&mut holder).await.unwrap();
    let held = Instant::now();
    let first = join_all(first.into_iter().map(|(method, request)| harness.call(method, request)));
    let behind = async {
        // One flight of each lane, at most.
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..100 {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watcher).await.unwrap();
            if waiting >= 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // The calls are handed in before this is released.
        let calls = calls.into_iter().map(|(method, request)| harness.call(method, request));
        let release = async {
            sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
            held.elapsed()
        };
        join(join_all(calls), release).await
    };
    let (first, (answers, held)) = join(first, behind).await;
    for answer in first {
        answer.unwrap();
    }
    (held < LOCK_TIMEOUT).then_some(answers)
}

/// How many transactions wrote the orders with ids that begin so.
async fn transactions(url: &str, prefix: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar("SELECT count(DISTINCT xmin::text) FROM orders WHERE order_id LIKE $1")
        .bind(format!("{prefix}%"))
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[test]
fn what_cannot_be_written_fails_alone() {
    let Some((harness, url)) = open() else { return };
    harness.block_on(async {
        let taken = order("taken".to_owned(), json!({"code": "taken"}));
        harness.call("CreateOrder", json!({"order": taken})).await.unwrap();
        for attempt in 0..TRIES {
            if one_batch(&harness, &url, attempt).await {
                return;
            }
        }
        panic!("the calls never shared a transaction");
    });
}

/// Writes good and bad records together. Whether they shared transactions.
async fn one_batch(harness: &Harness, url: &str, attempt: usize) -> bool {
    const GOOD: usize = 60;
    let prefix = format!("n{attempt}-");
    let create = |id: String, fields: Json| ("CreateOrder", json!({"order": order(id, fields)}));
    let first = (0..8).map(|n| create(format!("first{attempt}-{n}"), json!({}))).collect();
    let existing = (0..GOOD / 3).map(|n| create(format!("{prefix}{n}"), json!({"total": "1"})));
    for (method, request) in existing {
        harness.call(method, request).await.unwrap();
    }
    let mut calls: Vec<(&str, Json)> = (0..GOOD)
        .map(|n| {
            let id = format!("{prefix}{n}");
            match n % 2 {
                _ if n >= GOOD / 3 => create(id, json!({"total": "2"})),
                0 => ("PutOrder", json!({"order": order(id, json!({"total": "2"}))})),
                _ => {
                    let order = order(id, json!({"total": "2"}));
                    ("UpdateOrder", json!({"order": order, "updateMask": "total"}))
                }
            }
        })
        .collect();
    let bad = |name: &str| format!("bad{attempt}-{name}");
    calls.insert(11, create(bad("unique"), json!({"code": "taken"})));
    let update = order(format!("{prefix}1"), json!({"code": "taken"}));
    calls.insert(22, ("UpdateOrder", json!({"order": update, "updateMask": "code"})));
    calls.insert(33, create(bad("indexed"), json!({"code": noise(LARGE)})));
    calls.insert(44, create(bad("row"), json!({"secret": noise(LARGE)})));
    calls.insert(55, create(bad("nul"), json!({"note": "a\0b"})));

    let Some(mut answers) = together(harness, url, first, calls).await else { return false };
    let refused: Vec<_> =
        [55, 44, 33, 22, 11].map(|at| answers.remove(at).unwrap_err()).into_iter().rev().collect();
    let fields = |at: usize| -> Vec<&str> {
        refused[at].violations().iter().map(|violation| violation.field.as_str()).collect()
    };
    let reasons: Vec<Reason> = refused.iter().map(prism_runtime::Error::reason).collect();
    let expected = [
        Reason::UniqueViolation,
        Reason::UniqueViolation,
        Reason::ValueTooLarge,
        Reason::ValueTooLarge,
        Reason::InvalidRequest,
    ];
    assert_eq!(reasons, expected, "{refused:?}");
    assert_eq!(fields(0), ["order.code"]);
    assert_eq!(fields(1), ["order.code"]);
    assert_eq!(fields(2), ["order.code"]);
    assert_eq!(fields(4), ["order.note"]);
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap()["total"], "2", "{n}");
        let key = json!({"customerId": "c", "orderId": format!("{prefix}{n}")});
        let stored = harness.call("GetOrder", key).await.unwrap();
        assert_eq!((&stored["total"], stored.get("code")), (&json!("2"), None), "{n}");
    }
    assert!(transactions(url, &prefix).await < GOOD as i64 / 2);
    true
}

#[test]
fn writes_to_a_record_in_a_flight_see_each_other() {
    let Some((harness, url)) = open() else { return };
    harness.block_on(async {
        for attempt in 0..TRIES {
            if one_record(&harness, &url, &format!("o{attempt}")).await {
                return;
            }
        }
        panic!("the calls never shared a transaction");
    });
}

/// Writes to a record together. Whether they shared a transaction.
async fn one_record(harness: &Harness, url: &str, id: &str) -> bool {
    let key = json!({"customerId": "c", "orderId": id});
    let create = ("CreateOrder", json!({"order": order(id.to_owned(), json!({"total": "1"}))}));
    let update = |fields: Json, mask: &str| {
        let order = order(id.to_owned(), fields);
        ("UpdateOrder", json!({"order": order, "updateMask": mask}))
    };
    let calls = vec![
        update(json!({"total": "5"}), "total"),
        create.clone(),
        create,
        update(json!({"total": "2"}), "total"),
        update(json!({"note": "n"}), "note"),
        ("DeleteOrder", key.clone()),
        update(json!({"total": "3"}), "total"),
        ("UndeleteOrder", key.clone()),
        update(json!({"status": "STATUS_PAID"}), "status"),
    ];
    let first = (0..8)
        .map(|n| ("CreateOrder", json!({"order": order(format!("first-{id}-{n}"), json!({}))})));
    let Some(answers) = together(harness, url, first.collect(), calls).await else { return false };
    let reasons: Vec<Option<Reason>> = answers
        .iter()
        .map(|answer| answer.as_ref().err().map(prism_runtime::Error::reason))
        .collect();
    let (absent, exists) = (Some(Reason::RecordNotFound), Some(Reason::RecordExists));
    assert_eq!(reasons, [absent, None, exists, None, None, None, absent, None, None]);
    let stored = harness.call("GetOrder", key).await.unwrap();
    assert_eq!((&stored["total"], &stored["note"]), (&json!("2"), &json!("n")));
    assert_eq!(stored["status"], "STATUS_PAID");
    true
}

#[test]
fn writes_to_a_locked_record_hold_up_no_others() {
    let Some((harness, url)) = open() else { return };
    harness.block_on(async {
        let create = |id: String| ("CreateOrder", json!({"order": order(id, json!({}))}));
        let (method, request) = create("locked".to_owned());
        harness.call(method, request).await.unwrap();
        let mut holder = PgConnection::connect(&url).await.unwrap();
        let lock = "BEGIN; SELECT 1 FROM orders WHERE order_id = 'locked' FOR UPDATE";
        sqlx::raw_sql(lock).execute(&mut holder).await.unwrap();
        let update = || {
            let order = order("locked".to_owned(), json!({"total": "2"}));
            harness.call("UpdateOrder", json!({"order": order, "updateMask": "total"}))
        };
        let updates = join_all((0..60).map(|_| update()));
        let others = async {
            let started = Instant::now();
            for turn in 0.. {
                if started.elapsed() > LOCKED {
                    break;
                }
                let before = Instant::now();
                // In both lanes, and by themselves.
                let calls = (0..8).map(|number| {
                    let (method, request) = create(format!("other-{turn}-{number}"));
                    harness.call(method, request)
                });
                join_all(calls).await.into_iter().for_each(|call| drop(call.unwrap()));
                harness.call("ListOrders", json!({"customerId": "c"})).await.unwrap();
                let waited = before.elapsed();
                assert!(waited < PATIENCE, "others waited for {waited:?}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            holder.close().await.unwrap();
        };
        let (updates, ()) = join(updates, others).await;
        updates.into_iter().for_each(|update| drop(update.unwrap()));
    });
}
