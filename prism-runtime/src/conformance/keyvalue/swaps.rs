//! CompareAndSwap.

use super::Harness;
use super::harness::{SECOND, START, put, swap};
use crate::proto::common::ItemMetadata;
use crate::proto::keyvalue::v1::CompareAndSwapRequest;

async fn succeeds(h: &Harness, request: CompareAndSwapRequest) {
    let response = h.swap(request).await.unwrap();
    assert_eq!((response.success, response.actual_value), (true, None));
}

async fn fails(h: &Harness, request: CompareAndSwapRequest, actual: Option<&[u8]>) {
    let response = h.swap(request).await.unwrap();
    assert!(!response.success);
    assert_eq!(response.actual_value.as_deref(), actual);
}

/// Value and metadata are replaced, the created time is kept.
pub async fn a_swap_replaces_what_it_expects(h: Harness) {
    h.put(put("1", &[(b"k", b"1"), (b"l", b"1")], 0)).await.unwrap();
    h.clock.advance(SECOND);
    let metadata = ItemMetadata { compression: 2, ttl_seconds: 9, ..Default::default() };
    let request = swap("1", b"k", Some(b"1"), Some(b"2"));
    succeeds(&h, CompareAndSwapRequest { metadata: Some(metadata), ..request }).await;
    let read = h.item("1", b"k").await.unwrap();
    assert_eq!(read.value, b"2");
    assert_eq!(
        read.metadata.unwrap(),
        ItemMetadata {
            created_at_millis: START / 1000,
            updated_at_millis: START / 1000 + 1000,
            ..metadata
        }
    );
    assert_eq!(h.value("1", b"l").await.unwrap(), b"1");
    h.clock.advance(9 * SECOND);
    assert_eq!(h.value("1", b"k").await, None);
}

/// A swap that fails changes nothing and tells the value, where there is one.
pub async fn a_failed_swap_tells_the_current_value(h: Harness) {
    fails(&h, swap("1", b"k", Some(b"1"), Some(b"2")), None).await;
    h.put(put("1", &[(b"k", b"1")], 0)).await.unwrap();
    fails(&h, swap("1", b"k", Some(b"x"), Some(b"2")), Some(b"1")).await;
    fails(&h, swap("1", b"k", None, Some(b"2")), Some(b"1")).await;
    fails(&h, swap("1", b"k", None, None), Some(b"1")).await;
    fails(&h, swap("1", b"k", Some(b"x"), None), Some(b"1")).await;
    assert_eq!(h.value("1", b"k").await.unwrap(), b"1");
}

/// An absent old value expects that the item does not exist.
pub async fn a_swap_that_expects_nothing_creates(h: Harness) {
    succeeds(&h, swap("1", b"k", None, Some(b"1"))).await;
    assert_eq!(h.value("1", b"k").await.unwrap(), b"1");
    fails(&h, swap("1", b"k", None, Some(b"1")), Some(b"1")).await;
}

/// An absent new value deletes the item.
pub async fn a_swap_without_a_new_value_deletes(h: Harness) {
    h.put(put("1", &[(b"k", b"1")], 0)).await.unwrap();
    succeeds(&h, swap("1", b"k", Some(b"1"), None)).await;
    assert_eq!(h.value("1", b"k").await, None);
    succeeds(&h, swap("1", b"k", None, Some(b"2"))).await;
}

/// A put with a token up to that of the swap's delete stays out.
pub async fn a_swap_leaves_a_tombstone(h: Harness) {
    h.put(put("1", &[(b"k", b"1")], START + 5 * SECOND)).await.unwrap();
    succeeds(&h, swap("1", b"k", Some(b"1"), None)).await;
    h.put(put("1", &[(b"k", b"late")], START + 5 * SECOND + 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await, None);
    h.put(put("1", &[(b"k", b"later")], START + 5 * SECOND + 2)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"later");
}

/// It succeeds where the item is absent, and is not remembered as a delete.
pub async fn a_swap_with_neither_value_changes_nothing(h: Harness) {
    succeeds(&h, swap("1", b"k", None, None)).await;
    h.put(put("1", &[(b"k", b"1")], START - SECOND)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"1");
}

/// A swap has the server's token, which is larger than the stored one.
pub async fn a_swap_wins_over_tokens_ahead_of_the_clock(h: Harness) {
    h.put(put("1", &[(b"k", b"1")], START + 30 * SECOND)).await.unwrap();
    succeeds(&h, swap("1", b"k", Some(b"1"), Some(b"2"))).await;
    h.put(put("1", &[(b"k", b"3")], START + 30 * SECOND + 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"2");
}

/// Presence tells them apart.
pub async fn an_empty_value_is_not_an_absent_one(h: Harness) {
    fails(&h, swap("1", b"", Some(b""), Some(b"1")), None).await;
    succeeds(&h, swap("1", b"", None, Some(b""))).await;
    fails(&h, swap("1", b"", None, Some(b"1")), Some(b"")).await;
    assert_eq!(h.value("1", b"").await.unwrap(), b"");
    succeeds(&h, swap("1", b"", Some(b""), Some(b"1"))).await;
}
