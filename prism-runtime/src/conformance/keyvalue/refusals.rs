//! What is refused, and with which reason and fields.

use bytes::Bytes;

use super::Harness;
use super::harness::{
    HOUR, SECOND, START, delete_keys, delete_where, fields, get, item, match_all, match_keys,
    match_range, names, put, put_with_ttl, scan, swap,
};
use crate::keyvalue::limits::{COUNT, ID_BYTES, KEY_BYTES, VALUE_BYTES};
use crate::proto::common::ItemMetadata;
use crate::proto::keyvalue::v1::{
    CompareAndSwapRequest, DeleteRequest, GetRequest, KeyPredicate, PutRequest, ScanRequest,
};
use crate::service::Reply;
use crate::{Code, Error, Reason, Result};

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T>, reason: Reason, paths: &[&str]) -> Error {
    let error = result.unwrap_err();
    assert_eq!((error.reason(), fields(&error)), (reason, paths.to_vec()), "{error}");
    error
}

#[track_caller]
fn invalid<T: std::fmt::Debug>(result: Result<T>, paths: &[&str]) {
    let error = refused(result, Reason::InvalidRequest, paths);
    assert_eq!(error.code(), Code::InvalidArgument);
}

#[track_caller]
fn too_large<T: std::fmt::Debug>(result: Result<T>, paths: &[&str]) {
    let error = refused(result, Reason::ValueTooLarge, paths);
    assert_eq!(error.code(), Code::InvalidArgument);
}

async fn put_in(h: &Harness, namespace: &str) -> Result<()> {
    h.put(PutRequest { namespace: namespace.into(), ..put("1", &[(b"k", b"v")], 0) }).await
}

/// 1 to 63 of a to z, 0 to 9 and -.
pub async fn namespaces(h: Harness) {
    for good in ["a", "0", "-", "a-0", &"n".repeat(63)] {
        put_in(&h, good).await.unwrap();
    }
    for bad in ["", "A", "a_b", "a.b", "a b", "é", "a\0"] {
        invalid(put_in(&h, bad).await, &["namespace"]);
    }
    too_large(put_in(&h, &"n".repeat(64)).await, &["namespace"]);
    let namespace = || String::from("Bad");
    invalid(h.get(GetRequest { namespace: namespace(), ..get("1") }).await, &["namespace"]);
    invalid(h.scan(ScanRequest { namespace: namespace(), ..scan() }).await, &["namespace"]);
    let delete = delete_keys("1", &[b"k"], 0);
    invalid(h.delete(DeleteRequest { namespace: namespace(), ..delete }).await, &["namespace"]);
    let swap = swap("1", b"k", None, None);
    let swap = CompareAndSwapRequest { namespace: namespace(), ..swap };
    invalid(h.swap(swap).await, &["namespace"]);
}

/// Prism's own are invalid, those of entities not found.
pub async fn reserved_and_foreign_namespaces(mut h: Harness) {
    invalid(put_in(&h, "prism-").await, &["namespace"]);
    invalid(put_in(&h, "prism-x").await, &["namespace"]);
    put_in(&h, "prism").await.unwrap();
    h.configure(|options| options.entity_namespaces = names(["orders"]));
    refused(put_in(&h, "orders").await, Reason::NamespaceNotFound, &[]);
    let read = h.get(GetRequest { namespace: "orders".into(), ..get("1") }).await;
    assert_eq!(refused(read, Reason::NamespaceNotFound, &[]).code(), Code::NotFound);
    put_in(&h, "orders-2").await.unwrap();
}

/// Where namespaces are listed, the others are not found.
pub async fn declared_namespaces(mut h: Harness) {
    h.configure(|options| {
        options.namespaces = Some(names(["a", "b"]));
        options.max_namespaces = 0;
    });
    put_in(&h, "a").await.unwrap();
    put_in(&h, "b").await.unwrap();
    refused(put_in(&h, "c").await, Reason::NamespaceNotFound, &[]);
    let read = h.scan(ScanRequest { namespace: "c".into(), ..scan() }).await;
    refused(read, Reason::NamespaceNotFound, &[]);
}

/// A first write beyond the cap is refused; reads and further writes are not.
pub async fn the_number_of_undeclared_namespaces(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 2);
    put_in(&h, "a").await.unwrap();
    let delete = DeleteRequest { namespace: "b".into(), ..delete_keys("1", &[b"k"], 0) };
    h.delete(delete).await.unwrap();
    let error = refused(put_in(&h, "c").await, Reason::StorageFull, &["namespace"]);
    assert_eq!(error.code(), Code::ResourceExhausted);
    let swap = swap("1", b"k", None, Some(b"v"));
    let swap = h.swap(CompareAndSwapRequest { namespace: "c".into(), ..swap }).await;
    refused(swap, Reason::StorageFull, &["namespace"]);
    put_in(&h, "a").await.unwrap();
    put_in(&h, "b").await.unwrap();
    assert_eq!(h.all("c").await, []);
}

/// 1 to 512 bytes.
pub async fn ids(h: Harness) {
    invalid(h.put(put("", &[(b"k", b"v")], 0)).await, &["id"]);
    too_large(h.put(put(&"i".repeat(ID_BYTES + 1), &[(b"k", b"v")], 0)).await, &["id"]);
    // The limit is on bytes, not on characters.
    too_large(h.get(get(&"é".repeat(ID_BYTES / 2 + 1))).await, &["id"]);
    h.put(put(&"é".repeat(ID_BYTES / 2), &[(b"k", b"v")], 0)).await.unwrap();
    invalid(h.scan(ScanRequest { id: Some(String::new()), ..scan() }).await, &["id"]);
    invalid(h.delete(delete_keys("", &[b"k"], 0)).await, &["id"]);
    invalid(h.swap(swap("", b"k", None, None)).await, &["id"]);
}

/// Keys up to 1024 bytes, values up to 1 MiB.
pub async fn keys_and_values(h: Harness) {
    let (key, value) = (vec![1; KEY_BYTES + 1], vec![1; VALUE_BYTES + 1]);
    let mut request = put("1", &[(b"a", b"1"), (&key, b"2")], 0);
    too_large(h.put(request.clone()).await, &["items[1].key"]);
    request.items[1] = item(b"b", &value);
    too_large(h.put(request).await, &["items[1].value"]);
    too_large(h.delete(delete_keys("1", &[b"a", &key], 0)).await, &["keys[1]"]);
    too_large(h.swap(swap("1", &key, None, None)).await, &["key"]);
    too_large(h.swap(swap("1", b"k", Some(&value), None)).await, &["old_value"]);
    too_large(h.swap(swap("1", b"k", None, Some(&value))).await, &["new_value"]);
    for (predicate, path) in [
        (match_keys(&[b"a", &key]), "predicate.match_keys.keys[1]"),
        (match_range(Some(&key), None), "predicate.match_range.start_key"),
        (match_range(None, Some(&vec![1; KEY_BYTES + 2])), "predicate.match_range.end_key"),
    ] {
        let read = GetRequest { predicate: Some(predicate.clone()), ..get("1") };
        too_large(h.get(read).await, &[path]);
        let scan = ScanRequest { predicate: Some(predicate.clone()), ..scan() };
        too_large(h.scan(scan).await, &[path]);
        too_large(h.delete(delete_where("1", predicate, 0)).await, &[path]);
    }
}

/// 1 to 1000 items and keys; an item's key once in a Put.
pub async fn counts_and_repeats(h: Harness) {
    let keys: Vec<_> = (0..=COUNT).map(|n| n.to_be_bytes()).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let items: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (*key, &b"v"[..])).collect();
    invalid(h.put(put("1", &[], 0)).await, &["items"]);
    too_large(h.put(put("1", &items, 0)).await, &["items"]);
    h.put(put("1", &items[1..], 0)).await.unwrap();
    too_large(h.delete(delete_keys("1", &keys, 0)).await, &["keys"]);
    let read = |keys: &[&[u8]]| GetRequest { predicate: Some(match_keys(keys)), ..get("1") };
    too_large(h.get(read(&keys)).await, &["predicate.match_keys.keys"]);
    invalid(h.get(read(&[])).await, &["predicate.match_keys.keys"]);
    let twice = [(&b"a"[..], &b"1"[..]), (b"b", b"2"), (b"a", b"1"), (b"b", b"1")];
    invalid(h.put(put("1", &twice, 0)).await, &["items[2].key", "items[3].key"]);
}

/// Limits and TTLs are not negative.
pub async fn negative_numbers(h: Harness) {
    invalid(h.get(GetRequest { limit: -1, ..get("1") }).await, &["limit"]);
    invalid(h.scan(ScanRequest { limit: i64::MIN, ..scan() }).await, &["limit"]);
    let ttl = h.put(put_with_ttl("1", b"k", -1, 0)).await;
    invalid(ttl, &["items[0].metadata.ttl_seconds"]);
    let metadata = Some(ItemMetadata { ttl_seconds: -1, ..Default::default() });
    let swap = CompareAndSwapRequest { metadata, ..swap("1", b"k", None, Some(b"v")) };
    invalid(h.swap(swap).await, &["metadata.ttl_seconds"]);
}

/// A predicate in which nothing is set may come from a newer client.
pub async fn predicates_that_say_nothing(h: Harness) {
    let nothing = KeyPredicate { predicate: None };
    let predicate = Some(nothing.clone());
    invalid(h.get(GetRequest { predicate: predicate.clone(), ..get("1") }).await, &["predicate"]);
    invalid(h.scan(ScanRequest { predicate, ..scan() }).await, &["predicate"]);
    invalid(h.delete(delete_where("1", nothing, 0)).await, &["predicate"]);
}

/// Either keys or a predicate.
pub async fn what_a_delete_must_say(h: Harness) {
    invalid(h.delete(delete_keys("1", &[], 0)).await, &["keys"]);
    let both = DeleteRequest { predicate: Some(match_all()), ..delete_keys("1", &[b"k"], 0) };
    invalid(h.delete(both).await, &["predicate"]);
}

/// From as long ago as deletes are remembered to as far ahead as clocks may differ.
pub async fn tokens_out_of_range(mut h: Harness) {
    let (oldest, newest) = (START - 24 * HOUR, START + 60 * SECOND);
    for good in [oldest, newest, START, 0] {
        h.put(put("1", &[(b"k", b"v")], good)).await.unwrap();
        h.delete(delete_keys("1", &[b"k"], good)).await.unwrap();
    }
    for bad in [oldest - 1, newest + 1, 1, -1, i64::MIN, i64::MAX] {
        let error = h.put(put("1", &[(b"k", b"v")], bad)).await;
        let error = refused(error, Reason::PriorityTokenOutOfRange, &["item_priority_token"]);
        assert_eq!(error.code(), Code::InvalidArgument);
        let error = h.delete(delete_keys("1", &[b"k"], bad)).await;
        refused(error, Reason::PriorityTokenOutOfRange, &["item_priority_token"]);
    }
    h.configure(|options| {
        options.tombstones = std::time::Duration::from_secs(3600);
        options.max_clock_skew = std::time::Duration::from_secs(1);
    });
    h.put(put("1", &[(b"k", b"v")], START - HOUR)).await.unwrap();
    assert!(h.put(put("1", &[(b"k", b"v")], START - HOUR - 1)).await.is_err());
    assert!(h.put(put("1", &[(b"k", b"v")], START + SECOND + 1)).await.is_err());
}

/// All that is wrong is told at once.
pub async fn every_violation_is_reported(h: Harness) {
    let mut request = put("", &[(b"a", b"1"), (b"a", b"2")], -1);
    request.namespace = "No".into();
    request.items[0].value = vec![0; VALUE_BYTES + 1];
    let paths = ["namespace", "id", "items[0].value", "items[1].key", "item_priority_token"];
    invalid(h.put(request).await, &paths);
}

/// By the field numbers of the request, then by those within.
pub async fn violations_are_in_the_order_of_the_request(h: Harness) {
    let long = vec![1; KEY_BYTES + 1];
    let bad = || Some(match_keys(&[]));
    let read = GetRequest { limit: -1, predicate: bad(), ..get("") };
    invalid(h.get(read).await, &["id", "predicate.match_keys.keys", "limit"]);
    let id = Some(String::new());
    let scan = ScanRequest { id, limit: -1, predicate: bad(), ..scan() };
    invalid(h.scan(scan).await, &["id", "predicate.match_keys.keys", "limit"]);
    let range = Some(match_range(Some(&long), Some(&[1; KEY_BYTES + 2])));
    let read = GetRequest { limit: -1, predicate: range, ..get("1") };
    let ends = ["predicate.match_range.start_key", "predicate.match_range.end_key", "limit"];
    invalid(h.get(read).await, &ends);
    let both = DeleteRequest { predicate: bad(), ..delete_keys("1", &[b"a", &long], 1) };
    let paths = ["keys[1]", "predicate", "predicate.match_keys.keys", "item_priority_token"];
    invalid(h.delete(both).await, &paths);

    let mut request = put_with_ttl("1", &long, -1, 1);
    request.items[0].value = vec![0; VALUE_BYTES + 1];
    request.items.push(request.items[0].clone());
    let item = |n: usize| {
        ["key", "value", "metadata.ttl_seconds"].map(|part| format!("items[{n}].{part}"))
    };
    let mut paths = [item(0), item(1)].concat();
    // Too long, and a repetition.
    paths.insert(3, "items[1].key".to_owned());
    paths.push("item_priority_token".to_owned());
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    invalid(h.put(request).await, &paths);
    let metadata = Some(ItemMetadata { ttl_seconds: -1, ..Default::default() });
    let value = vec![1; VALUE_BYTES + 1];
    let swap = CompareAndSwapRequest { metadata, ..swap("", &long, Some(&value), Some(&value)) };
    let paths = ["id", "key", "old_value", "new_value", "metadata.ttl_seconds"];
    invalid(h.swap(swap).await, &paths);

    // One that is too many does not hide the others, of which the first 50 are kept.
    let many: Vec<Vec<u8>> = vec![long; COUNT + 1];
    let many: Vec<&[u8]> = many.iter().map(Vec::as_slice).collect();
    let error = h.delete(delete_keys("1", &many, 0)).await.unwrap_err();
    assert_eq!((error.reason(), error.omitted()), (Reason::ValueTooLarge, COUNT + 2 - 50));
    assert_eq!(fields(&error)[..3], ["keys", "keys[0]", "keys[1]"]);
}

/// VALUE_TOO_LARGE is for sizes alone.
pub async fn sizes_alone_are_value_too_large(h: Harness) {
    let mut request = put(&"i".repeat(600), &[(b"a", b"1")], 0);
    request.items[0].value = vec![0; VALUE_BYTES + 1];
    too_large(h.put(request.clone()).await, &["id", "items[0].value"]);
    request.namespace = String::new();
    invalid(h.put(request.clone()).await, &["namespace", "id", "items[0].value"]);
    // So is every more specific reason.
    (request.namespace, request.item_priority_token) = ("test".into(), 1);
    invalid(h.put(request).await, &["id", "items[0].value", "item_priority_token"]);
}

/// What cannot be decoded is INVALID_ARGUMENT, for every method.
pub async fn malformed_messages(h: Harness) {
    // A field of 100 bytes that is cut off; a namespace that is not UTF-8; a group that ends.
    for bytes in [&b"\x0a\x64abc"[..], b"\x0a\x02\xff\xfe", b"\x0c"] {
        for method in ["Put", "PutBatch", "Get", "Delete", "Scan", "CompareAndSwap"] {
            let Reply::Ready(Err(error)) = h.call(method, Bytes::from_static(bytes)) else {
                panic!("{method} takes what is no message");
            };
            assert_eq!(error.reason(), Reason::InvalidRequest);
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    }
}

/// A write that is refused leaves what was there.
pub async fn refused_writes_write_nothing(h: Harness) {
    h.put(put("1", &[(b"a", b"1")], 0)).await.unwrap();
    let mut request = put("1", &[(b"a", b"2"), (b"b", b"2")], 0);
    request.items[1].key = vec![0; KEY_BYTES + 1];
    too_large(h.put(request).await, &["items[1].key"]);
    let both = DeleteRequest { predicate: Some(match_all()), ..delete_keys("1", &[b"a"], 0) };
    invalid(h.delete(both).await, &["predicate"]);
    assert_eq!(h.record("1").await, [(b"a".to_vec(), b"1".to_vec())]);
}
