//! Predicates, on Get.

use super::Harness;
use super::harness::{get, match_all, match_keys, match_range, put};
use crate::keyvalue::limits::KEY_BYTES;
use crate::proto::keyvalue::v1::{GetRequest, KeyPredicate};

async fn select(h: &Harness, predicate: KeyPredicate) -> Vec<Vec<u8>> {
    let request = GetRequest { predicate: Some(predicate), ..get("1") };
    h.get(request).await.unwrap().items.into_iter().map(|item| item.key).collect()
}

async fn store(h: &Harness, keys: &[&[u8]]) {
    let items: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (*key, &b"v"[..])).collect();
    h.put(put("1", &items, 0)).await.unwrap();
}

/// No predicate selects what match_all does.
pub async fn an_absent_predicate_is_all(h: Harness) {
    store(&h, &[b"", b"a", b"b"]).await;
    assert_eq!(h.record("1").await.len(), 3);
    assert_eq!(select(&h, match_all()).await.len(), 3);
}

/// Keys may repeat, be absent and come in any order.
pub async fn match_keys_finds_each_once_in_key_order(h: Harness) {
    store(&h, &[b"", b"a", b"b", b"c"]).await;
    let found = select(&h, match_keys(&[b"c", b"x", b"a", b"", b"c"])).await;
    assert_eq!(found, [&b""[..], b"a", b"c"]);
    let many: Vec<_> = (0..1000_u32).map(u32::to_be_bytes).collect();
    let many: Vec<&[u8]> = many.iter().map(|key| &key[..]).collect();
    assert_eq!(select(&h, match_keys(&many)).await.len(), 0);
    store(&h, &many).await;
    assert_eq!(select(&h, match_keys(&many)).await, many);
}

/// The start is inclusive, the end exclusive; each may be absent, and an empty one is a key.
pub async fn a_range_is_half_open(h: Harness) {
    store(&h, &[b"", b"a", b"b", b"c"]).await;
    assert_eq!(select(&h, match_range(Some(b"a"), Some(b"c"))).await, [b"a", b"b"]);
    assert_eq!(select(&h, match_range(Some(b"b"), None)).await, [b"b", b"c"]);
    assert_eq!(select(&h, match_range(None, Some(b"b"))).await, [&b""[..], b"a"]);
    assert_eq!(select(&h, match_range(None, None)).await.len(), 4);
    assert_eq!(select(&h, match_range(None, Some(b""))).await.len(), 0);
}

/// It is no error.
pub async fn a_range_that_ends_before_it_starts_is_empty(h: Harness) {
    store(&h, &[b"a", b"b", b"c"]).await;
    assert_eq!(select(&h, match_range(Some(b"c"), Some(b"a"))).await.len(), 0);
    assert_eq!(select(&h, match_range(Some(b"b"), Some(b"b"))).await.len(), 0);
}

/// The end may be one byte longer than a key.
pub async fn a_range_may_end_behind_the_longest_key(h: Harness) {
    let last = vec![0xFF; KEY_BYTES];
    store(&h, &[b"a", &last]).await;
    let behind = [&last[..], &[0]].concat();
    assert_eq!(select(&h, match_range(Some(&last), Some(&behind))).await, [&last[..]]);
    assert_eq!(select(&h, match_range(None, Some(&last))).await, [b"a"]);
}

/// Bytes are unsigned, and a prefix comes before what it begins.
pub async fn keys_are_ordered_byte_by_byte(h: Harness) {
    let ordered: [&[u8]; 7] = [b"", b"\0", b"\0\0", b"A", b"a", b"\x7f", b"\x80"];
    let mut mixed = ordered;
    mixed.reverse();
    store(&h, &mixed).await;
    assert_eq!(select(&h, match_all()).await, ordered);
}
