//! Deterministic scenarios: one for each rule of the semantics.

mod json;
mod lifetimes;
mod lists;
mod long_json;
mod records;
mod required;
mod snapshots;
mod times;
mod updates;
mod values;
mod violations;

pub use json::{json_depth, json_forms, json_newer_writes, json_unreadable};
pub use lifetimes::{expiry, request_ids, retention, sweeps_beside_writes, unique_fields};
pub use lists::{
    list_conditions, list_orders, list_pages, list_ties, list_tokens, list_violations, page_bytes,
};
pub use long_json::{long_json, long_json_batches, long_json_immutable, long_json_kept};
pub use records::{
    batches, create_and_defaults, hard_delete, managed_ids, put, reads, soft_delete,
};
pub use required::required_fields;
pub use snapshots::{batches_of_the_service, read_snapshots};
pub use times::{finer_bounds, immutable_json, keys_with_durations, keys_with_times};
pub use updates::{
    access_rules, etags, long_masks, oneofs, record_bytes, update_access, update_masks,
};
pub use values::{every_value, json_storage, sizes_and_keys, times_and_ranges};
pub use violations::{sizes_of_requests, texts_with_nul, violations_together};

use serde_json::{Value as Json, json};

use super::harness::Harness;
use crate::{Code, Error, Reason};

/// Calls a method that succeeds.
async fn ok(harness: &Harness, method: &str, request: Json) -> Json {
    match harness.call(method, request.clone()).await {
        Ok(answer) => answer,
        Err(error) => panic!("{method} {request}: {error}"),
    }
}

/// Calls a method that is refused for a reason.
async fn refused(harness: &Harness, method: &str, request: Json, reason: Reason) -> Error {
    match harness.call(method, request.clone()).await {
        Ok(answer) => panic!("{method} {request} answered {answer}"),
        Err(error) => {
            assert_eq!(error.reason(), reason, "{method} {request}: {error}");
            error
        }
    }
}

/// Calls a method that is refused for fields of the request.
async fn invalid(harness: &Harness, method: &str, request: Json, fields: &[&str]) -> Error {
    let error = match harness.call(method, request.clone()).await {
        Ok(answer) => panic!("{method} {request} answered {answer}"),
        Err(error) => error,
    };
    assert_eq!(error.code(), Code::InvalidArgument, "{method} {request}: {error}");
    let found: Vec<&str> = error.violations().iter().map(|v| v.field.as_str()).collect();
    assert_eq!(found, fields, "{method} {request}: {error}");
    error
}

/// The key of an order.
fn key(customer: &str, order: &str) -> Json {
    json!({"customerId": customer, "orderId": order})
}

/// A key with other fields.
fn with(mut message: Json, more: Json) -> Json {
    if let (Json::Object(message), Json::Object(more)) = (&mut message, more) {
        message.extend(more);
    }
    message
}

/// Creates an order with these fields beside its key.
async fn create(harness: &Harness, customer: &str, order: &str, fields: Json) -> Json {
    ok(harness, "CreateOrder", json!({"order": with(key(customer, order), fields)})).await
}

async fn get(harness: &Harness, customer: &str, order: &str) -> Json {
    ok(harness, "GetOrder", key(customer, order)).await
}

async fn get_deleted(harness: &Harness, customer: &str, order: &str) -> Json {
    ok(harness, "GetOrder", with(key(customer, order), json!({"showDeleted": true}))).await
}

/// The ids of a list's orders.
fn ids(answer: &Json) -> Vec<&str> {
    let orders = answer["orders"].as_array().map(Vec::as_slice).unwrap_or_default();
    orders.iter().filter_map(|order| order["orderId"].as_str()).collect()
}
