//! Update masks, access, oneofs, etags.

use serde_json::{Value as Json, json};

use super::{create, get, invalid, key, ok, refused, with};
use crate::Reason;
use crate::conformance::entity::Harness;
use crate::conformance::entity::typed::Order;
use crate::entity::Part;
use crate::schema::plan::Comparison;

fn update(fields: Json, mask: &str) -> Json {
    json!({"order": with(key("c", "o"), fields), "updateMask": mask})
}

/// Only the mask's fields change; `*` replaces; what a mask may not name.
pub async fn update_masks(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"total": "1", "note": "n", "tags": ["a"]})).await;
    harness.pass_seconds(1);
    let sent = json!({"total": "2", "note": "other", "tags": ["b"]});
    let changed = ok(harness, "UpdateOrder", update(sent, "total,tags")).await;
    assert_eq!(changed["total"], "2");
    assert_eq!(changed["note"], "n");
    assert_eq!(changed["tags"], json!(["b"]));
    assert_eq!(changed["createTime"], made["createTime"]);
    assert_eq!(changed["updateTime"], "2026-01-01T00:00:01Z");
    assert_ne!(changed["etag"], made["etag"]);
    assert_eq!(get(harness, "c", "o").await, changed);
    let cleared = ok(harness, "UpdateOrder", update(json!({}), "note")).await;
    assert!(cleared.get("note").is_none());
    let whole = ok(harness, "UpdateOrder", update(json!({"note": "only"}), "*")).await;
    assert!(whole.get("total").is_none() && whole.get("tags").is_none());
    assert_eq!(whole["note"], "only");
    assert_eq!(whole["createTime"], made["createTime"]);
    invalid(harness, "UpdateOrder", json!({"order": key("c", "o")}), &["update_mask"]).await;
    invalid(harness, "UpdateOrder", update(json!({}), ""), &["update_mask"]).await;
    let paths = ["update_mask.paths[1]", "update_mask.paths[2]", "update_mask.paths[3]"];
    let wrong = "total,orderId,nothing,settings.theme";
    invalid(harness, "UpdateOrder", update(json!({}), wrong), &paths).await;
    let ignored = json!({"createTime": "2000-01-01T00:00:00Z", "etag": "", "total": "9"});
    let mask = "createTime,updateTime,deleteTime,etag,total";
    let kept = ok(harness, "UpdateOrder", update(ignored, mask)).await;
    assert_eq!(kept["createTime"], made["createTime"]);
    assert_eq!(kept["total"], "9");
    let expiring = json!({"expireTime": "2030-01-01T00:00:00Z"});
    let expiring = ok(harness, "UpdateOrder", update(expiring, "expireTime")).await;
    assert_eq!(expiring["expireTime"], "2030-01-01T00:00:00Z");
    allow_missing(harness).await;
}

async fn allow_missing(harness: &Harness) {
    let sent = |allow: bool| {
        let order = with(key("c", "new"), json!({"total": "4", "note": "whole"}));
        json!({"order": order, "updateMask": "total", "allowMissing": allow})
    };
    refused(harness, "UpdateOrder", sent(false), Reason::RecordNotFound).await;
    let made = ok(harness, "UpdateOrder", sent(true)).await;
    assert_eq!(made["note"], "whole", "created from the whole entity");
    assert!(made.get("createTime").is_some());
    let changed = ok(harness, "UpdateOrder", sent(true)).await;
    assert_eq!(changed["createTime"], made["createTime"]);
    let no_key = json!({"order": {"customerId": "c"}, "updateMask": "total", "allowMissing": true});
    invalid(harness, "UpdateOrder", no_key, &["order.order_id"]).await;
}

/// A record that an answer cannot hold is not made, however it would come about.
pub async fn record_bytes(harness: &Harness) {
    let text = |bytes: usize| "x".repeat(bytes);
    let create = |fields: Json| json!({"order": with(key("c", "o"), fields)});
    let over = json!({"tags": [text(4_190_000)]});
    for (method, request) in [
        ("CreateOrder", create(over.clone())),
        ("PutOrder", create(over.clone())),
        ("UpdateOrder", with(update(over, "tags"), json!({"allowMissing": true}))),
    ] {
        let error = invalid(harness, method, request, &["order.tags"]).await;
        assert_eq!(error.reason(), Reason::ValueTooLarge, "{method}");
        refused(harness, "GetOrder", key("c", "o"), Reason::RecordNotFound).await;
    }
    let own = Order { order_id: "o".to_owned(), secret: text(4_190_000), ..Order::default() };
    let error = harness.orders().create(&Order { customer_id: "c".to_owned(), ..own }).await;
    assert_eq!(error.unwrap_err().reason(), Reason::ValueTooLarge);
    // In parts, each of which fits; also of what is stored as JSON and of what callers do not see.
    let parts = [
        (json!({"tags": [text(1_000_000)]}), "tags"),
        (json!({"linesJson": [{"theme": text(1_000_000)}]}), "linesJson"),
        (json!({"secret": text(1_000_000)}), "secret"),
        (json!({"attributes": {"a": text(1_000_000)}}), "attributes"),
    ];
    ok(harness, "CreateOrder", create(json!({}))).await;
    for (fields, mask) in parts {
        ok(harness, "UpdateOrder", update(fields, mask)).await;
    }
    let before = get(harness, "c", "o").await;
    let last = update(json!({"settings": {"theme": text(1_100_000)}}), "settings");
    let error = invalid(harness, "UpdateOrder", last.clone(), &["order.settings"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    assert_eq!(get(harness, "c", "o").await, before);
    let page = ok(harness, "ListOrders", json!({"customerId": "c"})).await;
    assert_eq!(page["orders"], json!([before]));
    let batch = json!({"keys": [key("c", "o")]});
    let error = refused(harness, "BatchGetOrders", batch, Reason::ValueTooLarge).await;
    assert!(error.message().contains("Get"), "{error}");
    // With less of something else there is room.
    ok(harness, "UpdateOrder", update(json!({}), "tags")).await;
    ok(harness, "UpdateOrder", last).await;
    ok(harness, "DeleteOrder", key("c", "o")).await;
    ok(harness, "UndeleteOrder", key("c", "o")).await;
}

/// A mask is a set, of at most 10,000 paths as sent.
pub async fn long_masks(harness: &Harness) {
    create(harness, "c", "o", json!({"card": "visa", "note": "n"})).await;
    let mask = |path: &str, count: usize| vec![path; count].join(",");
    let paid = || json!({"invoice": "7", "note": "changed"});
    let long = format!("note,{}", mask("invoice", 9_999));
    let changed = ok(harness, "UpdateOrder", update(paid(), &long)).await;
    assert_eq!((&changed["invoice"], &changed["note"]), (&json!("7"), &json!("changed")));
    assert!(changed.get("card").is_none(), "{changed}");
    for path in ["invoice", "nothing", "*", "orderId"] {
        let request = update(paid(), &mask(path, 10_001));
        let error = invalid(harness, "UpdateOrder", request, &["update_mask"]).await;
        assert_eq!(error.reason(), Reason::ValueTooLarge);
    }
    let twice = update(paid(), "nothing,note,nothing,orderId,orderId");
    let paths = ["update_mask.paths[0]", "update_mask.paths[3]"];
    invalid(harness, "UpdateOrder", twice, &paths).await;
    let whole = ok(harness, "UpdateOrder", update(json!({"card": "amex"}), "*,*")).await;
    assert_eq!(whole["card"], "amex");
    assert!(whole.get("note").is_none(), "{whole}");
}

/// Immutable fields keep their value, output-only ones are ignored.
pub async fn update_access(harness: &Harness) {
    create(harness, "c", "o", json!({"createdBy": "me"})).await;
    let same = ok(harness, "UpdateOrder", update(json!({"createdBy": "me"}), "createdBy")).await;
    assert_eq!(same["createdBy"], "me");
    for (sent, mask, path) in [
        (json!({"createdBy": "you"}), "total,createdBy", "update_mask.paths[1]"),
        (json!({}), "createdBy", "update_mask.paths[0]"),
        (json!({"createdBy": "you"}), "*", "update_mask.paths[0]"),
    ] {
        let error = invalid(harness, "UpdateOrder", update(sent, mask), &[path]).await;
        assert!(!error.message().contains("you"), "{error}");
    }
    let whole = ok(harness, "UpdateOrder", update(json!({"total": "1"}), "*")).await;
    assert_eq!(whole["createdBy"], "me", "what is not sent stays");
    let put = |by: &str| json!({"order": with(key("c", "o"), json!({"createdBy": by}))});
    invalid(harness, "PutOrder", put("you"), &["order.created_by"]).await;
    assert_eq!(ok(harness, "PutOrder", put("me")).await["createdBy"], "me");
    assert_eq!(ok(harness, "PutOrder", put("")).await["createdBy"], "me");
    let scored = ok(harness, "UpdateOrder", update(json!({"score": 5}), "score")).await;
    assert!(scored.get("score").is_none());
}

/// At most one member of a oneof is set.
pub async fn oneofs(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"card": "visa"})).await;
    assert_eq!(made["card"], "visa");
    let other = ok(harness, "UpdateOrder", update(json!({"invoice": "0"}), "invoice")).await;
    assert_eq!(other["invoice"], "0");
    assert!(other.get("card").is_none(), "{other}");
    assert_eq!(get(harness, "c", "o").await, other);
    let kept = ok(harness, "UpdateOrder", update(json!({"card": "x"}), "total")).await;
    assert_eq!(kept["invoice"], "0");
    let kept = ok(harness, "UpdateOrder", update(json!({}), "card")).await;
    assert_eq!(kept["invoice"], "0", "clearing another member changes nothing");
    let both = ok(harness, "UpdateOrder", update(json!({"card": "amex"}), "card,invoice")).await;
    assert_eq!(both["card"], "amex");
    assert!(both.get("invoice").is_none());
    let none = ok(harness, "UpdateOrder", update(json!({}), "card,invoice")).await;
    assert!(none.get("card").is_none() && none.get("invoice").is_none());
    // The last one on the wire wins.
    let mut order = vec![0x0a, 1, b'c', 0x12, 1, b'o'];
    order.extend([0x92, 0x01, 1, b'v', 0x98, 0x01, 7]);
    let mut request = vec![0x0a, order.len() as u8];
    request.extend(order);
    let last = harness.call_bytes("PutOrder", request).await.unwrap();
    assert_eq!(last["invoice"], "7");
    assert!(last.get("card").is_none());
}

/// Compared, never stored.
pub async fn etags(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"etag": "ignored"})).await;
    let etag = made["etag"].clone();
    let stale = update(json!({"etag": "stale"}), "total");
    refused(harness, "UpdateOrder", stale.clone(), Reason::EtagMismatch).await;
    let put = |etag: &Json| json!({"order": with(key("c", "o"), json!({"etag": etag}))});
    refused(harness, "PutOrder", put(&json!("stale")), Reason::EtagMismatch).await;
    let delete = |etag: &Json| with(key("c", "o"), json!({"etag": etag}));
    refused(harness, "DeleteOrder", delete(&json!("stale")), Reason::EtagMismatch).await;
    let differ = with(update(json!({"etag": etag}), "total"), json!({"etag": "other"}));
    invalid(harness, "UpdateOrder", differ, &["order.etag"]).await;
    let agree = with(update(json!({"etag": etag}), "total"), json!({"etag": etag}));
    let etag = ok(harness, "UpdateOrder", agree).await["etag"].clone();
    let own = with(update(json!({}), "total"), json!({"etag": etag}));
    let etag = ok(harness, "UpdateOrder", own.clone()).await["etag"].clone();
    refused(harness, "UpdateOrder", own, Reason::EtagMismatch).await;
    let etag = ok(harness, "PutOrder", put(&etag)).await["etag"].clone();
    refused(
        harness,
        "PutOrder",
        with(put(&json!("")), json!({"etag": "stale"})),
        Reason::EtagMismatch,
    )
    .await;
    let differ = with(put(&etag), json!({"etag": "other"}));
    invalid(harness, "PutOrder", differ, &["order.etag"]).await;
    let own = with(put(&json!("")), json!({"etag": etag}));
    let etag = ok(harness, "PutOrder", own).await["etag"].clone();
    let etag = ok(harness, "DeleteOrder", delete(&etag)).await["order"]["etag"].clone();
    refused(harness, "UpdateOrder", stale, Reason::EtagMismatch).await;
    let undelete = |etag: &Json| with(key("c", "o"), json!({"etag": etag}));
    refused(harness, "UndeleteOrder", undelete(&json!("stale")), Reason::EtagMismatch).await;
    ok(harness, "UndeleteOrder", undelete(&etag)).await;
    let absent = json!({"order": with(key("c", "none"), json!({"etag": "e"}))});
    refused(harness, "PutOrder", absent.clone(), Reason::EtagMismatch).await;
    let own = json!({"order": key("c", "none"), "etag": "e"});
    refused(harness, "PutOrder", own, Reason::EtagMismatch).await;
    for allow in [false, true] {
        let request = with(absent.clone(), json!({"updateMask": "*", "allowMissing": allow}));
        refused(harness, "UpdateOrder", request, Reason::EtagMismatch).await;
    }
}

/// Output-only fields are the service's to set, input-only ones are never in an answer; the
/// service's own code writes and reads both.
pub async fn access_rules(harness: &Harness) {
    let made = create(harness, "c", "o", json!({"score": 3, "secret": "s"})).await;
    assert!(made.get("score").is_none(), "{made}");
    assert!(made.get("secret").is_none(), "{made}");
    assert!(get(harness, "c", "o").await.get("secret").is_none());
    let listed = ok(harness, "ListOrders", json!({"customerId": "c"})).await;
    assert!(listed["orders"][0].get("secret").is_none());
    let store = harness.orders();
    let mut order = store.get(("c", "o")).await.unwrap();
    assert_eq!(order.secret, "s");
    order.score = 9;
    order.etag.clear();
    let written = store.update(&order, &["score"]).await.unwrap();
    assert_eq!(written.score, 9);
    assert_eq!(get(harness, "c", "o").await["score"], 9);
    let put = json!({"order": with(key("c", "o"), json!({"score": 1}))});
    assert_eq!(ok(harness, "PutOrder", put).await["score"], 9, "a caller's value is ignored");
    assert_eq!(store.get(("c", "o")).await.unwrap().secret, "", "Put replaced the whole record");
    let list = store.list().equals("customer_id", "c").page_size(1);
    let page = list.filter("order_id", Comparison::Prefix, [Part::from("o")]).send().await.unwrap();
    assert_eq!(page.records.len(), 1);
    assert!(page.next_page_token.is_empty());
    let unserved = store.list().equals("secret", "s").send().await;
    assert!(unserved.is_err());
    let found = store.batch_get([("c", "o"), ("c", "x"), ("c", "o")]).await.unwrap();
    assert_eq!(found.len(), 1);
    store.delete(("c", "o")).await.unwrap();
    assert_eq!(store.get(("c", "o")).await.unwrap_err().reason(), Reason::RecordNotFound);
    assert_eq!(store.undelete(("c", "o")).await.unwrap().score, 9);
    order.order_id.clear();
    assert_eq!(store.create(&order).await.unwrap().order_id.len(), 36);
    order.order_id = "p".to_owned();
    assert_eq!(store.put(&order).await.unwrap().score, 9);
}
