//! All that is wrong with a request is one error, which names fields that the request has.

use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json};

use super::{create, get, invalid, key, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::{Error, Reason};

/// A `google.protobuf.Timestamp` before the year 1, in a field of this number.
fn too_early(number: u8) -> Vec<u8> {
    let past = [8, 0xff, 0x93, 0x84, 0xd6, 0x97, 0xe3, 0xff, 0xff, 0xff, 0x01];
    let mut field = Vec::new();
    prost::encoding::encode_varint(u64::from(number) << 3 | 2, &mut field);
    field.push(u8::try_from(past.len()).unwrap());
    field.extend(past);
    field
}

/// A message, with bytes behind it that JSON has no form for.
fn encoded(harness: &Harness, message: &str, fields: Json, more: &[u8]) -> Vec<u8> {
    let message = DynamicMessage::deserialize(harness.message(message), fields).unwrap();
    [message.encode_to_vec(), more.to_vec()].concat()
}

/// A field that is a message.
fn nested(number: u8, message: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(message.len() as u64, &mut field);
    [field, message.to_vec()].concat()
}

/// Calls a method with an encoded request that is refused for these fields.
async fn refused_bytes(harness: &Harness, method: &str, request: Vec<u8>, fields: &[&str]) {
    let error = harness.call_bytes(method, request).await.unwrap_err();
    assert_eq!(paths(&error), fields, "{method}: {error}");
    assert_eq!(error.reason(), Reason::InvalidRequest, "{method}: {error}");
}

fn paths(error: &Error) -> Vec<&str> {
    error.violations().iter().map(|violation| violation.field.as_str()).collect()
}

/// One error of all own violations, by the field numbers of the request.
pub async fn violations_together(harness: &Harness) {
    writes(harness).await;
    values_out_of_range(harness).await;
    reads(harness).await;
    many(harness).await;
}

async fn writes(harness: &Harness) {
    let long = "x".repeat(65);
    let create = |order: Json| json!({"order": order, "requestId": long});
    let no_customer = create(json!({"orderId": "o"}));
    let fields = ["order.customer_id", "request_id"];
    let error = invalid(harness, "CreateOrder", no_customer, &fields).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    assert!(error.message().ends_with(" (and 1 more)"), "{error}");
    // VALUE_TOO_LARGE is for sizes alone.
    let large = create(key("c", &"k".repeat(2_048)));
    let error = invalid(harness, "CreateOrder", large, &["order.order_id", "request_id"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    let large = create(json!({"orderId": "o", "note": "n".repeat(2_048)}));
    let fields = ["order.customer_id", "order.note", "request_id"];
    let error = invalid(harness, "CreateOrder", large, &fields).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    invalid(harness, "CreateOrder", json!({"requestId": long}), &["order", "request_id"]).await;

    let etags = json!({"note": "n".repeat(2_048), "etag": "one"});
    let put = json!({"order": with(key("c", ""), etags.clone()), "etag": "other"});
    let fields = ["order.order_id", "order.note", "order.etag"];
    invalid(harness, "PutOrder", put, &fields).await;

    let update = |order: Json, mask: &str| json!({"order": order, "updateMask": mask});
    let empty = ["order.customer_id", "order.order_id", "update_mask"];
    invalid(harness, "UpdateOrder", update(json!({}), ""), &empty).await;
    invalid(harness, "UpdateOrder", json!({}), &["order", "update_mask"]).await;
    let wrong = with(update(with(key("c", ""), etags), "note,nothing"), json!({"etag": "other"}));
    let fields = ["order.order_id", "order.etag", "update_mask.paths[1]"];
    invalid(harness, "UpdateOrder", wrong, &fields).await;
    for method in ["DeleteOrder", "UndeleteOrder", "GetOrder"] {
        invalid(harness, method, json!({}), &["customer_id", "order_id"]).await;
    }
}

/// A value out of range causes one violation, beside all others.
async fn values_out_of_range(harness: &Harness) {
    let order = encoded(harness, "Order", json!({"orderId": "o", "etag": "a"}), &too_early(20));
    let etag = json!({"etag": "b"});
    let put = encoded(harness, "PutOrderRequest", etag.clone(), &nested(1, &order));
    let fields = ["order.customer_id", "order.etag", "order.due_time"];
    refused_bytes(harness, "PutOrder", put, &fields).await;
    let mask = json!({"updateMask": "nothing"});
    let update = encoded(harness, "UpdateOrderRequest", mask, &nested(1, &order));
    let fields = ["order.customer_id", "order.due_time", "update_mask.paths[0]"];
    refused_bytes(harness, "UpdateOrder", update, &fields).await;
    // Of several occurrences the last one counts, and of a oneof the last member.
    let id = json!({"id": "e"});
    let everything =
        encoded(harness, "Everything", id, &[too_early(74), vec![0xc0, 4, 7]].concat());
    let put = encoded(harness, "PutEverythingRequest", json!({}), &nested(1, &everything));
    let stored = harness.call_bytes("PutEverything", put).await.unwrap();
    assert_eq!(stored["choiceUint64"], "7");
}

async fn reads(harness: &Harness) {
    let wrong = json!({
        "pageSize": -1, "orderBy": "nothing", "pageToken": "nonsense", "customerId": "c"
    });
    let error = invalid(harness, "ListOrders", wrong.clone(), &["page_size", "order_by"]).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    let bounds = [too_early(8), too_early(9)].concat();
    let wrong = encoded(harness, "ListOrdersRequest", wrong, &bounds);
    let fields = ["page_size", "order_by", "due_from", "due_before"];
    refused_bytes(harness, "ListOrders", wrong, &fields).await;
    // A condition that is at fault holds: it decides which orders are served.
    let bound = too_early(8);
    let order = json!({"customerId": "c", "orderBy": "due_time"});
    let wrong = encoded(harness, "ListOrdersRequest", order.clone(), &bound);
    refused_bytes(harness, "ListOrders", wrong, &["due_from"]).await;

    let names: Vec<String> = (0..1_001).map(|number| number.to_string()).collect();
    let request = json!({"names": names, "pageSize": -1});
    let error = invalid(harness, "ListSessions", request, &["page_size", "names"]).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);

    let mut keys: Vec<Json> = (0..1_001).map(|number| key("c", &number.to_string())).collect();
    let error = invalid(harness, "BatchGetOrders", json!({"keys": keys}), &["keys"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    keys[7] = key("", &"k".repeat(2_049));
    let fields = ["keys", "keys[7].customer_id", "keys[7].order_id"];
    let error = invalid(harness, "BatchGetOrders", json!({"keys": keys}), &fields).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    let early = encoded(harness, "ReadingKey", json!({"offset": "1s"}), &too_early(2));
    let keys = [nested(1, &early), nested(1, &[])].concat();
    let found = harness.call_bytes("BatchGetReadings", keys).await.unwrap_err();
    let fields = ["keys[0].sensor", "keys[0].at", "keys[1].sensor", "keys[1].at", "keys[1].offset"];
    assert_eq!(paths(&found), fields, "{found}");
    let days = too_early(1).repeat(60);
    let found = harness.call_bytes("BatchGetHolidays", days).await.unwrap_err();
    assert_eq!((paths(&found)[49], found.omitted()), ("days[49]", 10), "{found}");
}

/// The first 50 are kept, and the others counted.
async fn many(harness: &Harness) {
    let paths: Vec<String> = (0..60).map(|number| format!("nothing{number}")).collect();
    let update = json!({"order": key("c", ""), "updateMask": paths.join(",")});
    let error = harness.call("UpdateOrder", update).await.unwrap_err();
    let fields = super::violations::paths(&error);
    assert_eq!((fields.len(), error.omitted()), (50, 11), "{error}");
    assert_eq!((fields[0], fields[1]), ("order.order_id", "update_mask.paths[0]"));
    assert_eq!(fields[49], "update_mask.paths[48]");
    assert!(error.message().ends_with(" (and 60 more)"), "{error}");
}

/// What is too large is known before the record is looked at if the request alone is, and names a
/// field that the request has.
pub async fn sizes_of_requests(harness: &Harness) {
    let text = |bytes: usize| "x".repeat(bytes);
    create(harness, "c", "o", json!({"note": text(2_000), "tags": [text(3_000_000)]})).await;
    let before = get(harness, "c", "o").await;
    let update = |fields: Json, mask: &str| json!({"order": with(key("c", "o"), fields), "updateMask": mask});
    for (fields, mask, field) in [
        (json!({"code": text(100)}), "code", "order.code"),
        // Not those that are sent beside the mask.
        (json!({"code": text(100), "note": text(1_900)}), "code", "order.code"),
        (json!({"attributes": {"a": text(1_300_000)}}), "attributes", "order.attributes"),
        (
            json!({"attributes": {"a": text(1_200_000)}, "card": text(9)}),
            "card,attributes",
            "order.attributes",
        ),
    ] {
        let error = invalid(harness, "UpdateOrder", update(fields, mask), &[field]).await;
        assert_eq!(error.reason(), Reason::ValueTooLarge, "{mask}");
    }
    // Both limits are reported.
    let both = json!({"code": text(100), "attributes": {"a": text(1_300_000)}});
    let fields = ["order.code", "order.attributes"];
    invalid(harness, "UpdateOrder", update(both, "attributes,code"), &fields).await;
    // Beside a value that may not change, which is then not the reason.
    let immutable = json!({"code": text(100), "createdBy": "you"});
    let fields = ["order.code", "update_mask.paths[0]"];
    let error = invalid(harness, "UpdateOrder", update(immutable, "createdBy,code"), &fields).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    assert_eq!(get(harness, "c", "o").await, before);

    // Without the record, which is there, or is not.
    let large = json!({"note": text(2_048)});
    let there = json!({"order": with(key("c", "o"), large.clone())});
    let error = invalid(harness, "CreateOrder", there, &["order.note"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    let absent = json!({"order": with(key("c", "none"), large), "updateMask": "note"});
    let error = invalid(harness, "UpdateOrder", absent, &["order.note"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    let over = json!({"order": with(key("c", "o"), json!({"tags": [text(4_190_000)]}))});
    invalid(harness, "CreateOrder", over, &["order.tags"]).await;
}

/// A NUL is at fault only where it would be stored or looked for, if the backend does not take it.
pub async fn texts_with_nul(harness: &Harness) {
    let refuses = harness.collection("Order").store.refuses_nul();
    create(harness, "c", "o", json!({"etag": "a\0"})).await;
    // An etag is compared and never stored.
    let put = |etag: &str| json!({"order": with(key("c", "o"), json!({"etag": etag}))});
    refused(harness, "PutOrder", put("a\0"), Reason::EtagMismatch).await;
    let own = with(put(""), json!({"etag": "a\0"}));
    refused(harness, "PutOrder", own, Reason::EtagMismatch).await;
    for method in ["DeleteOrder", "UndeleteOrder"] {
        let reason = match method {
            "DeleteOrder" => Reason::EtagMismatch,
            _ => Reason::RecordExists,
        };
        refused(harness, method, with(key("c", "o"), json!({"etag": "\0"})), reason).await;
    }
    // What a mask does not name is not stored, unless the update creates the record.
    let update = |order: &str, allow: bool| {
        let order = with(key("c", order), json!({"note": "a\0", "total": "4"}));
        json!({"order": order, "updateMask": "total", "allowMissing": allow})
    };
    for allow in [false, true] {
        let changed = ok(harness, "UpdateOrder", update("o", allow)).await;
        assert_eq!(changed["total"], "4");
    }
    refused(harness, "UpdateOrder", update("none", false), Reason::RecordNotFound).await;
    let stored = json!({"note": "a\0", "settingsJson": {"theme": "\0\\u0000"}});
    let create = json!({"order": with(key("", "o2"), stored.clone())});
    if refuses {
        invalid(harness, "UpdateOrder", update("none", true), &["order.note"]).await;
        let fields = ["order.customer_id", "order.note", "order.settings_json.theme"];
        invalid(harness, "CreateOrder", create, &fields).await;
    } else {
        ok(harness, "UpdateOrder", update("none", true)).await;
        invalid(harness, "CreateOrder", create, &["order.customer_id"]).await;
    }
    // Backslashes alone are none.
    let escaped =
        json!({"order": with(key("c", "e"), json!({"settingsJson": {"theme": "\\u0000"}}))});
    ok(harness, "PutOrder", escaped).await;
    // The request's own texts are the same everywhere.
    let id = json!({"order": key("c", "r"), "requestId": "a\0"});
    let error = invalid(harness, "CreateOrder", id, &["request_id"]).await;
    assert_eq!(error.reason(), Reason::InvalidRequest);
    for (request, field) in [
        (json!({"customerId": "c", "orderBy": "note\0"}), "order_by"),
        (json!({"customerId": "c", "pageToken": "\0"}), "page_token"),
    ] {
        invalid(harness, "ListOrders", request, &[field]).await;
    }
    let mask = json!({"order": key("c", "o"), "updateMask": "note\0"});
    invalid(harness, "UpdateOrder", mask, &["update_mask.paths[0]"]).await;
}
