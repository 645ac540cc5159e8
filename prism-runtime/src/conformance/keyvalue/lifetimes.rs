//! Expiry, and the sweep.

use super::Harness;
use super::harness::{
    HOUR, SECOND, START, delete_keys, delete_where, match_all, put, put_with_ttl, swap,
};

/// An item is there until token time + TTL, and no longer.
pub async fn an_item_expires_after_its_token_and_ttl(h: Harness) {
    h.put(put_with_ttl("1", b"k", 10, START - 4 * SECOND)).await.unwrap();
    h.clock.advance(6 * SECOND - 1);
    assert!(h.item("1", b"k").await.is_some());
    assert_eq!(h.all("test").await.len(), 1);
    h.clock.advance(1);
    assert!(h.item("1", b"k").await.is_none());
    assert_eq!(h.record("1").await, []);
    assert_eq!(h.all("test").await, []);
}

/// Without a token the TTL counts from the write.
pub async fn without_a_token_the_ttl_counts_from_the_write(h: Harness) {
    h.put(put("1", &[(b"k", b"v")], START + 30 * SECOND)).await.unwrap();
    h.put(put_with_ttl("1", b"k", 10, 0)).await.unwrap();
    h.clock.advance(10 * SECOND - 1);
    assert!(h.item("1", b"k").await.is_some());
    h.clock.advance(1);
    assert!(h.item("1", b"k").await.is_none());
}

/// A put with the same or a smaller token than the expired item's stays out.
pub async fn an_expired_item_counts_as_a_delete_with_its_token(h: Harness) {
    h.put(put_with_ttl("1", b"k", 1, START)).await.unwrap();
    h.clock.advance(2 * SECOND);
    h.put(put("1", &[(b"k", b"smaller")], START - 1)).await.unwrap();
    h.put(put("1", &[(b"k", b"same")], START)).await.unwrap();
    assert!(h.item("1", b"k").await.is_none());
    h.put(put("1", &[(b"k", b"larger")], START + 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"larger");
    // A put that arrives when its TTL has passed deletes what is older.
    h.put(put_with_ttl("1", b"k", 1, START + SECOND)).await.unwrap();
    assert!(h.item("1", b"k").await.is_none());
}

/// Delete does not count it, CompareAndSwap finds nothing.
pub async fn an_expired_item_does_not_exist_for_anyone(h: Harness) {
    h.put(put_with_ttl("1", b"a", 1, 0)).await.unwrap();
    h.put(put_with_ttl("1", b"b", 1, 0)).await.unwrap();
    h.clock.advance(SECOND);
    assert_eq!(h.delete(delete_keys("1", &[b"a"], 0)).await.unwrap(), 0);
    assert_eq!(h.delete(delete_where("1", match_all(), 0)).await.unwrap(), 0);
    let failed = h.swap(swap("1", b"b", Some(b"v"), Some(b"w"))).await.unwrap();
    assert_eq!((failed.success, failed.actual_value), (false, None));
    assert!(h.swap(swap("1", b"b", None, Some(b"w"))).await.unwrap().success);
    assert_eq!(h.value("1", b"b").await.unwrap(), b"w");
}

/// The created time is that of the new item.
pub async fn overwriting_an_expired_item_makes_a_new_one(h: Harness) {
    h.put(put_with_ttl("1", b"k", 1, 0)).await.unwrap();
    h.clock.advance(SECOND);
    h.put(put("1", &[(b"k", b"v")], 0)).await.unwrap();
    let read = h.item("1", b"k").await.unwrap().metadata.unwrap();
    assert_eq!(read.created_at_millis, START / 1000 + 1000);
}

/// The largest TTL does not overflow.
pub async fn a_huge_ttl_is_kept_and_never_expires(h: Harness) {
    h.put(put_with_ttl("1", b"k", i64::MAX, 0)).await.unwrap();
    h.clock.advance(1_000_000 * HOUR);
    assert_eq!(h.sweep(10).await, 0);
    assert_eq!(h.item("1", b"k").await.unwrap().metadata.unwrap().ttl_seconds, i64::MAX);
}

/// Deletes and expired items go once no token as old as theirs is accepted.
pub async fn a_sweep_removes_what_is_of_no_use(h: Harness) {
    h.put(put("1", &[(b"kept", b"v")], START)).await.unwrap();
    h.delete(delete_keys("1", &[b"deleted"], START)).await.unwrap();
    h.put(put_with_ttl("2", b"expired", 60, START)).await.unwrap();
    h.put(put_with_ttl("2", b"expires-late", 30 * 3600, START)).await.unwrap();
    assert!(h.swap(swap("3", b"k", None, Some(b"v"))).await.unwrap().success);
    assert!(h.swap(swap("3", b"k", Some(b"v"), None)).await.unwrap().success);
    h.clock.advance(24 * HOUR + 120 * SECOND);
    assert_eq!(h.sweep(100).await, 3);
    assert_eq!(h.sweep(100).await, 0);
    assert_eq!(h.all("test").await.len(), 2);
    h.clock.advance(6 * HOUR);
    assert_eq!(h.sweep(100).await, 1);
    assert_eq!(h.all("test").await.len(), 1);
}

/// Until then a sweep keeps them: a late put stays out.
pub async fn a_sweep_keeps_what_must_be_remembered(h: Harness) {
    h.delete(delete_keys("1", &[b"deleted"], START)).await.unwrap();
    h.put(put_with_ttl("1", b"expired", 60, START)).await.unwrap();
    h.clock.advance(24 * HOUR);
    assert_eq!(h.sweep(100).await, 0);
    h.put(put("1", &[(b"deleted", b"late"), (b"expired", b"late")], START)).await.unwrap();
    assert_eq!(h.record("1").await, []);
}

/// A sweep removes at most as many as it is told.
pub async fn a_sweep_is_bounded(h: Harness) {
    for n in 0..10_u8 {
        h.delete(delete_keys("1", &[&[n]], START)).await.unwrap();
    }
    h.clock.advance(25 * HOUR);
    assert_eq!(h.sweep(4).await, 4);
    assert_eq!(h.sweep(4).await, 4);
    assert_eq!(h.sweep(4).await, 2);
}
