//! What expires, what is unique while it lives, what is remembered for a day.

use futures_util::future::join;
use serde_json::json;

use super::{create, get, get_deleted, invalid, key, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::{Code, Reason};

const DAY: i64 = 24 * 60 * 60;

/// An expired record is gone at once, before any sweep.
pub async fn expiry(harness: &Harness) {
    let soon = json!({"expireTime": "2026-01-01T00:00:10Z", "total": "1", "code": "k"});
    let made = create(harness, "c", "o", soon.clone()).await;
    harness.pass_seconds(9);
    assert_eq!(get(harness, "c", "o").await, made);
    harness.pass_seconds(1);
    refused(harness, "GetOrder", key("c", "o"), Reason::RecordNotFound).await;
    let shown = with(key("c", "o"), json!({"showDeleted": true}));
    refused(harness, "GetOrder", shown, Reason::RecordNotFound).await;
    let list = ok(harness, "ListOrders", json!({"customerId": "c", "showDeleted": true})).await;
    assert!(super::ids(&list).is_empty());
    let found = ok(harness, "BatchGetOrders", json!({"keys": [key("c", "o")]})).await;
    assert_eq!(found, json!({}));
    let update = json!({"order": key("c", "o"), "updateMask": "total"});
    refused(harness, "UpdateOrder", update, Reason::RecordNotFound).await;
    refused(harness, "DeleteOrder", key("c", "o"), Reason::RecordNotFound).await;
    refused(harness, "UndeleteOrder", key("c", "o"), Reason::RecordNotFound).await;
    let fresh = create(harness, "c", "o", json!({"note": "new"})).await;
    assert_eq!(fresh["createTime"], "2026-01-01T00:00:10Z");
    assert!(fresh.get("total").is_none() && fresh.get("expireTime").is_none());
    // A deleted record that expires is gone for good, and Put makes a new one.
    create(harness, "c", "d", json!({"expireTime": "2026-01-01T00:00:20Z"})).await;
    ok(harness, "DeleteOrder", key("c", "d")).await;
    get_deleted(harness, "c", "d").await;
    harness.pass_seconds(10);
    let shown = with(key("c", "d"), json!({"showDeleted": true}));
    refused(harness, "GetOrder", shown, Reason::RecordNotFound).await;
    create(harness, "c", "d", json!({})).await;
    // The sweep takes what has expired and nothing else, however small its batches.
    for order in ["e1", "e2", "e3", "e4", "e5"] {
        create(harness, "c", order, json!({"expireTime": "2026-01-01T00:00:30Z"})).await;
    }
    assert_eq!(harness.collection("Order").sweep(2).await.unwrap(), 0);
    harness.pass_seconds(10);
    for removed in [2, 2, 1, 0] {
        assert_eq!(harness.collection("Order").sweep(2).await.unwrap(), removed);
    }
    get(harness, "c", "o").await;
    get(harness, "c", "d").await;
}

/// What is written beside the sweep that finds it expired stays: a record, and a request id.
pub async fn sweeps_beside_writes(harness: &Harness) {
    let orders = harness.collection("Order");
    let create_once = |order: &str| {
        let order = with(key("c", order), json!({"expireTime": "2100-01-01T00:00:00Z"}));
        json!({"order": order, "requestId": "once"})
    };
    for round in 0..25 {
        create(harness, "c", "o", json!({"expireTime": "2026-01-01T00:00:01Z"})).await;
        ok(harness, "CreateOrder", create_once("first")).await;
        harness.pass_seconds(2 * DAY);
        let put = json!({"order": with(key("c", "o"), json!({"note": "kept"}))});
        let again = create_once("second");
        let writes = async {
            let put = ok(harness, "PutOrder", put);
            join(put, ok(harness, "CreateOrder", again.clone())).await
        };
        if round % 2 == 0 {
            join(orders.sweep(100), writes).await.0.unwrap();
        } else {
            join(writes, orders.sweep(100)).await.1.unwrap();
        }
        assert_eq!(get(harness, "c", "o").await["note"], "kept", "round {round}");
        let repeated = ok(harness, "CreateOrder", again).await;
        assert_eq!(repeated["orderId"], "second", "the request is remembered, round {round}");
        for order in ["o", "first", "second"] {
            // For good.
            let gone = json!({"order": with(key("c", order), json!({
                "expireTime": "2026-01-01T00:00:01Z"
            }))});
            ok(harness, "PutOrder", gone).await;
        }
        harness.pass_seconds(2 * DAY);
        orders.sweep(100).await.unwrap();
    }
}

/// A record is gone `retention_days` after its last write, whether that has a field or not.
pub async fn retention(harness: &Harness) {
    let session = json!({"session": {"sessionId": "1", "name": "n"}});
    ok(harness, "CreateSession", session.clone()).await;
    harness.pass_seconds(DAY - 1);
    ok(harness, "PutSession", session.clone()).await;
    harness.pass_seconds(DAY - 1);
    ok(harness, "GetSession", json!({"sessionId": "1"})).await;
    harness.pass_seconds(1);
    refused(harness, "GetSession", json!({"sessionId": "1"}), Reason::RecordNotFound).await;
    assert_eq!(ok(harness, "ListSessions", json!({})).await, json!({}));
    ok(harness, "CreateSession", session).await;
    harness.pass_seconds(DAY);
    assert_eq!(harness.collection("Session").sweep(100).await.unwrap(), 1);
}

/// Unique among live records; an absent value takes no part; an expired one gives way.
pub async fn unique_fields(harness: &Harness) {
    create(harness, "c", "1", json!({"code": "k"})).await;
    let second = json!({"order": with(key("c", "2"), json!({"code": "k"}))});
    let error = refused(harness, "CreateOrder", second.clone(), Reason::UniqueViolation).await;
    assert_eq!(error.code(), Code::AlreadyExists);
    assert!(error.message().contains("code"), "{error}");
    assert_eq!(error.violations()[0].field, "order.code");
    refused(harness, "PutOrder", second.clone(), Reason::UniqueViolation).await;
    create(harness, "c", "3", json!({})).await;
    create(harness, "c", "4", json!({})).await;
    let update = json!({"order": with(key("c", "3"), json!({"code": "k"})), "updateMask": "code"});
    refused(harness, "UpdateOrder", update.clone(), Reason::UniqueViolation).await;
    assert!(get(harness, "c", "3").await.get("code").is_none(), "nothing was written");
    let own = json!({"order": with(key("c", "1"), json!({"code": "k"}))});
    ok(harness, "PutOrder", own).await;
    ok(harness, "DeleteOrder", key("c", "1")).await;
    ok(harness, "UpdateOrder", update).await;
    refused(harness, "UndeleteOrder", key("c", "1"), Reason::UniqueViolation).await;
    let soon = json!({
        "order": with(key("c", "3"), json!({"code": "k", "expireTime": "2026-01-01T00:00:10Z"})),
    });
    ok(harness, "PutOrder", soon).await;
    harness.pass_seconds(10);
    ok(harness, "CreateOrder", second).await;
    refused(harness, "GetOrder", key("c", "3"), Reason::RecordNotFound).await;
    refused(harness, "UndeleteOrder", key("c", "1"), Reason::UniqueViolation).await;
    // Two unique indexes, each in the way of one expired record.
    let session = |id: &str, name: &str, start: &str| json!({"session": {"sessionId": id, "name": name, "startTime": start}});
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    ok(harness, "CreateSession", session("1", "a", early)).await;
    ok(harness, "CreateSession", session("2", "b", late)).await;
    let both = session("3", "a", late);
    refused(harness, "CreateSession", both.clone(), Reason::UniqueViolation).await;
    harness.pass_seconds(DAY);
    ok(harness, "CreateSession", both).await;
    let finer = session("4", "c", "2026-01-01T00:00:00.0000001Z");
    invalid(harness, "CreateSession", finer, &["session.start_time"]).await;
}

/// A repeated Create answers the record that the first one made, for a day.
pub async fn request_ids(harness: &Harness) {
    let request = |id: &str, order: &str, total: &str| {
        let attributes = json!({"a": "1", "b": "2", "c": "3"});
        let fields = json!({"total": total, "attributes": attributes});
        json!({"order": with(key("c", order), fields), "requestId": id})
    };
    let first = ok(harness, "CreateOrder", request("r", "", "1")).await;
    assert_eq!(ok(harness, "CreateOrder", request("r", "", "1")).await, first);
    let order = first["orderId"].as_str().unwrap();
    let error =
        refused(harness, "CreateOrder", request("r", "", "2"), Reason::RequestIdReused).await;
    assert_eq!(error.code(), Code::InvalidArgument);
    refused(harness, "CreateOrder", request("r", "other", "1"), Reason::RequestIdReused).await;
    assert_ne!(ok(harness, "CreateOrder", request("s", "", "1")).await["orderId"], order);
    let update =
        json!({"order": with(key("c", order), json!({"total": "8"})), "updateMask": "total"});
    let changed = ok(harness, "UpdateOrder", update).await;
    let repeated = ok(harness, "CreateOrder", request("r", "", "1")).await;
    assert_eq!(repeated, changed, "the record as it is now");
    ok(harness, "DeleteOrder", key("c", order)).await;
    refused(harness, "CreateOrder", request("r", "", "1"), Reason::RecordNotFound).await;
    // A try that failed is not remembered.
    create(harness, "c", "taken", json!({})).await;
    refused(harness, "CreateOrder", request("f", "taken", "1"), Reason::RecordExists).await;
    ok(harness, "CreateOrder", request("f", "free", "1")).await;
    let long = "x".repeat(65);
    invalid(harness, "CreateOrder", request(&long, "l", "1"), &["request_id"]).await;
    ok(harness, "CreateOrder", request(&long[..64], "l", "1")).await;
    harness.pass_seconds(DAY - 1);
    ok(harness, "CreateOrder", request("s", "", "1")).await;
    refused(harness, "CreateOrder", request("r", "", "2"), Reason::RequestIdReused).await;
    harness.pass_seconds(1);
    let again = ok(harness, "CreateOrder", request("r", "", "2")).await;
    assert_ne!(again["orderId"], order, "after a day the id is free");
    harness.pass_seconds(DAY);
    assert_eq!(harness.collection("Order").sweep(100).await.unwrap(), 4);
}
