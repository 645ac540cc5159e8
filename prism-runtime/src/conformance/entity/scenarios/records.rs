//! Reading, creating, replacing, deleting.

use serde_json::json;

use super::{create, get, get_deleted, invalid, key, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::{Code, Reason};

/// Get: found, absent, without a whole key; zero is a key.
pub async fn reads(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"total": "5"})).await;
    assert_eq!(get(harness, "c", "o").await, made);
    refused(harness, "GetOrder", key("c", "other"), Reason::RecordNotFound).await;
    invalid(harness, "GetOrder", key("c", ""), &["order_id"]).await;
    invalid(harness, "GetOrder", json!({}), &["customer_id", "order_id"]).await;
    refused(harness, "GetSession", json!({}), Reason::RecordNotFound).await;
    ok(harness, "CreateSession", json!({"session": {"name": "zero"}})).await;
    assert_eq!(ok(harness, "GetSession", json!({})).await, json!({"name": "zero"}));
    let largest = json!({"sessionId": u64::MAX.to_string()});
    let session = with(largest.clone(), json!({"name": "largest"}));
    ok(harness, "CreateSession", json!({"session": session})).await;
    assert_eq!(ok(harness, "GetSession", largest).await, session);
    assert!(harness.call_bytes("GetOrder", vec![0x0a, 0x05, b'x']).await.is_err());
    let bad_utf8 = harness.call_bytes("GetOrder", vec![0x0a, 0x01, 0xff]).await;
    assert_eq!(bad_utf8.unwrap_err().reason(), Reason::InvalidRequest);
}

/// Create: what the server sets, what it ignores, and what is there already.
pub async fn create_and_defaults(harness: &Harness) {
    let sent = json!({
        "total": "7", "note": "", "createTime": "2000-01-01T00:00:00Z", "etag": "mine",
        "updateTime": "2000-01-01T00:00:00Z", "deleteTime": "2000-01-01T00:00:00Z",
    });
    let made = create(harness, "c", "o", sent).await;
    assert_eq!(made["createTime"], "2026-01-01T00:00:00Z");
    assert_eq!(made["updateTime"], "2026-01-01T00:00:00Z");
    assert_eq!(made["total"], "7");
    assert_eq!(made["note"], "", "an empty field with presence is there");
    assert!(made.get("deleteTime").is_none());
    assert!(made.get("code").is_none());
    let etag = made["etag"].as_str().unwrap();
    assert!(!etag.is_empty() && etag != "mine");
    let again = json!({"order": key("c", "o")});
    let error = refused(harness, "CreateOrder", again, Reason::RecordExists).await;
    assert_eq!(error.code(), Code::AlreadyExists);
    assert!(error.message().contains("customer_id and order_id"), "{error}");
    invalid(harness, "CreateOrder", json!({}), &["order"]).await;
    invalid(harness, "CreateOrder", json!({"order": {}}), &["order.customer_id"]).await;
}

/// A managed id is filled in by Create alone, and grows.
pub async fn managed_ids(harness: &Harness) {
    let mut last = String::new();
    for _ in 0..20 {
        let made = ok(harness, "CreateOrder", json!({"order": {"customerId": "c"}})).await;
        let id = made["orderId"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 36, "{id}");
        assert_eq!(&id[14..15], "7", "a UUIDv7: {id}");
        assert!(id > last, "{id} after {last}");
        last = id;
    }
    let put = json!({"order": {"customerId": "c"}});
    invalid(harness, "PutOrder", put, &["order.order_id"]).await;
}

/// Put: inserts, replaces whole, keeps the create time, revives what was deleted.
pub async fn put(harness: &Harness) {
    let put = |fields| json!({"order": with(key("c", "o"), fields)});
    let first = ok(harness, "PutOrder", put(json!({"total": "1", "tags": ["a"]}))).await;
    harness.pass_seconds(1);
    let second = ok(harness, "PutOrder", put(json!({"note": "n"}))).await;
    assert!(second.get("total").is_none() && second.get("tags").is_none());
    assert_eq!(second["note"], "n");
    assert_eq!(second["createTime"], first["createTime"]);
    assert_eq!(second["updateTime"], "2026-01-01T00:00:01Z");
    assert_ne!(second["etag"], first["etag"]);
    assert_eq!(get(harness, "c", "o").await, second);
    ok(harness, "DeleteOrder", key("c", "o")).await;
    harness.pass_seconds(1);
    let revived = ok(harness, "PutOrder", put(json!({"total": "3"}))).await;
    assert_eq!(revived["createTime"], "2026-01-01T00:00:02Z");
    assert!(revived.get("deleteTime").is_none() && revived.get("note").is_none());
    assert_eq!(get(harness, "c", "o").await, revived);
}

/// Soft delete: kept and hidden, shown on demand, brought back.
pub async fn soft_delete(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"total": "1"})).await;
    harness.pass_seconds(1);
    let deleted = ok(harness, "DeleteOrder", key("c", "o")).await["order"].clone();
    assert_eq!(deleted["deleteTime"], "2026-01-01T00:00:01Z");
    assert_eq!(deleted["updateTime"], "2026-01-01T00:00:01Z");
    assert_ne!(deleted["etag"], made["etag"]);
    refused(harness, "GetOrder", key("c", "o"), Reason::RecordNotFound).await;
    assert_eq!(get_deleted(harness, "c", "o").await, deleted);
    let update = json!({"order": key("c", "o"), "updateMask": "total", "allowMissing": true});
    refused(harness, "UpdateOrder", update, Reason::RecordNotFound).await;
    refused(harness, "DeleteOrder", key("c", "o"), Reason::RecordNotFound).await;
    let missing = with(key("c", "o"), json!({"allowMissing": true}));
    assert_eq!(ok(harness, "DeleteOrder", missing).await, json!({}));
    let again = json!({"order": key("c", "o")});
    refused(harness, "CreateOrder", again, Reason::RecordExists).await;
    let list = json!({"customerId": "c"});
    assert!(super::ids(&ok(harness, "ListOrders", list.clone()).await).is_empty());
    let shown = ok(harness, "ListOrders", with(list, json!({"showDeleted": true}))).await;
    assert_eq!(super::ids(&shown), ["o"]);
    harness.pass_seconds(1);
    let back = ok(harness, "UndeleteOrder", key("c", "o")).await;
    assert!(back.get("deleteTime").is_none());
    assert_eq!(back["createTime"], made["createTime"]);
    assert_eq!(back["updateTime"], "2026-01-01T00:00:02Z");
    assert_eq!(get(harness, "c", "o").await, back);
    refused(harness, "UndeleteOrder", key("c", "o"), Reason::RecordExists).await;
    refused(harness, "UndeleteOrder", key("c", "none"), Reason::RecordNotFound).await;
    invalid(harness, "UndeleteOrder", json!({"customerId": "c"}), &["order_id"]).await;
}

/// Without a delete time, Delete removes.
pub async fn hard_delete(harness: &Harness) {
    let session = json!({"session": {"sessionId": "1", "name": "n"}});
    ok(harness, "CreateSession", session.clone()).await;
    assert_eq!(ok(harness, "DeleteSession", json!({"sessionId": "1"})).await, json!({}));
    refused(harness, "GetSession", json!({"sessionId": "1"}), Reason::RecordNotFound).await;
    refused(harness, "DeleteSession", json!({"sessionId": "1"}), Reason::RecordNotFound).await;
    let missing = json!({"sessionId": "1", "allowMissing": true});
    assert_eq!(ok(harness, "DeleteSession", missing).await, json!({}));
    ok(harness, "CreateSession", session).await;
}

/// BatchGet: request order, duplicates once, missing ones left out, at most 1,000 keys and 1 MiB.
pub async fn batches(harness: &Harness) {
    for order in ["a", "b", "d"] {
        create(harness, "c", order, json!({})).await;
    }
    ok(harness, "DeleteOrder", key("c", "d")).await;
    let keys: Vec<_> = ["b", "x", "a", "b", "d"].iter().map(|order| key("c", order)).collect();
    let found = ok(harness, "BatchGetOrders", json!({"keys": keys})).await;
    assert_eq!(super::ids(&found), ["b", "a"]);
    assert_eq!(ok(harness, "BatchGetOrders", json!({})).await, json!({}));
    let bad = json!({"keys": [key("c", "a"), key("c", "")]});
    invalid(harness, "BatchGetOrders", bad, &["keys[1].order_id"]).await;
    for id in 0..40 {
        let blob = "A".repeat(40_000);
        let session = json!({"sessionId": id.to_string(), "name": id.to_string(), "blob": blob});
        ok(harness, "PutSession", json!({"session": session})).await;
    }
    let ids: Vec<String> = (0..20).rev().map(|id| id.to_string()).collect();
    let found = ok(harness, "BatchGetSessions", json!({"sessionIds": ids})).await;
    let order: Vec<&str> = found["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["sessionId"].as_str().unwrap_or("0"))
        .collect();
    assert_eq!(order, ids);
    let ids: Vec<String> = (0..40).map(|id| id.to_string()).collect();
    let request = json!({"sessionIds": ids});
    let error = refused(harness, "BatchGetSessions", request, Reason::ValueTooLarge).await;
    assert_eq!(error.code(), Code::ResourceExhausted);
    let ids: Vec<String> = (0..1_001).map(|id| id.to_string()).collect();
    invalid(harness, "BatchGetSessions", json!({"sessionIds": ids}), &["session_ids"]).await;
    let ids: Vec<String> = (1_000..2_000).map(|id| id.to_string()).collect();
    assert_eq!(ok(harness, "BatchGetSessions", json!({"sessionIds": ids})).await, json!({}));
}
