//! Delete: what is deleted, counted and remembered.

use futures_util::future::join;

use super::Harness;
use super::harness::{
    HOUR, SECOND, START, delete_keys, delete_where, item, match_all, match_keys, match_range, put,
};

async fn abc(h: &Harness, token: i64) {
    h.put(put("1", &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")], token)).await.unwrap();
}

async fn keys(h: &Harness) -> Vec<Vec<u8>> {
    h.record("1").await.into_iter().map(|(key, _)| key).collect()
}

/// Keys that were there are deleted and counted once; they may repeat.
pub async fn named_keys_are_deleted_and_counted(h: Harness) {
    abc(&h, 0).await;
    assert_eq!(h.delete(delete_keys("1", &[b"c", b"a", b"x", b"a"], 0)).await.unwrap(), 2);
    assert_eq!(keys(&h).await, [b"b"]);
    assert_eq!(h.delete(delete_keys("1", &[b"a"], 0)).await.unwrap(), 0);
    assert_eq!(h.delete(delete_keys("none", &[b"a"], 0)).await.unwrap(), 0);
}

/// match_keys and match_range delete what they select.
pub async fn a_predicate_deletes_what_it_covers(h: Harness) {
    abc(&h, 0).await;
    let range = delete_where("1", match_range(Some(b"b"), Some(b"c")), 0);
    assert_eq!(h.delete(range).await.unwrap(), 1);
    assert_eq!(keys(&h).await, [b"a", b"c"]);
    let named = delete_where("1", match_keys(&[b"c", b"x"]), 0);
    assert_eq!(h.delete(named).await.unwrap(), 1);
    assert_eq!(keys(&h).await, [b"a"]);
}

/// match_all deletes the whole record, and no other.
pub async fn match_all_deletes_the_record(h: Harness) {
    abc(&h, 0).await;
    h.put(put("2", &[(b"a", b"1")], 0)).await.unwrap();
    assert_eq!(h.delete(delete_where("1", match_all(), 0)).await.unwrap(), 3);
    assert_eq!(h.record("1").await, []);
    assert_eq!(h.record("2").await.len(), 1);
    assert_eq!(h.delete(delete_where("1", match_all(), 0)).await.unwrap(), 0);
}

/// With the same token a delete wins over a put, whichever comes first.
pub async fn a_delete_with_the_same_token_wins(h: Harness) {
    abc(&h, START).await;
    assert_eq!(h.delete(delete_keys("1", &[b"a"], START)).await.unwrap(), 1);
    assert_eq!(h.delete(delete_where("1", match_range(Some(b"c"), None), START)).await.unwrap(), 1);
    abc(&h, START).await;
    assert_eq!(keys(&h).await, [b"b"]);
}

/// A delete with a smaller token leaves the item, and counts it not.
pub async fn a_delete_with_a_smaller_token_loses(h: Harness) {
    abc(&h, START).await;
    assert_eq!(h.delete(delete_keys("1", &[b"a"], START - 1)).await.unwrap(), 0);
    assert_eq!(h.delete(delete_where("1", match_all(), START - 1)).await.unwrap(), 0);
    assert_eq!(keys(&h).await.len(), 3);
}

/// A put with the same or a smaller token that arrives after the delete stays out.
pub async fn a_late_put_does_not_bring_a_deleted_item_back(h: Harness) {
    abc(&h, START - 10).await;
    h.delete(delete_where("1", match_all(), START)).await.unwrap();
    h.clock.advance(23 * HOUR);
    abc(&h, START - 1).await;
    abc(&h, START).await;
    assert_eq!(h.record("1").await, []);
    abc(&h, START + 1).await;
    assert_eq!(h.record("1").await.len(), 3);
}

/// A delete is remembered for every key that it names, stored or not.
pub async fn a_named_key_that_is_absent_is_remembered(h: Harness) {
    h.delete(delete_keys("1", &[b"a"], START)).await.unwrap();
    h.delete(delete_where("1", match_keys(&[b"b"]), START)).await.unwrap();
    abc(&h, START).await;
    assert_eq!(keys(&h).await, [b"c"]);
    // Also with the token that the server took, and for a key that was deleted before.
    h.clock.advance(SECOND);
    h.delete(delete_keys("1", &[b"a", b"z"], 0)).await.unwrap();
    h.put(put("1", &[(b"a", b"late"), (b"z", b"late")], START + SECOND)).await.unwrap();
    assert_eq!(keys(&h).await, [b"c"]);
    h.put(put("1", &[(b"a", b"later"), (b"z", b"later")], START + SECOND + 1)).await.unwrap();
    assert_eq!(keys(&h).await, [b"a", b"c", b"z"]);
}

/// A key that a range covers but that was not stored is not remembered.
pub async fn a_key_that_a_range_covers_but_is_absent_is_not_remembered(h: Harness) {
    h.put(put("1", &[(b"b", b"1")], START - 10)).await.unwrap();
    h.delete(delete_keys("1", &[b"b"], START - 5)).await.unwrap();
    h.delete(delete_where("1", match_range(Some(b"a"), Some(b"x")), START)).await.unwrap();
    h.delete(delete_where("1", match_all(), START)).await.unwrap();
    abc(&h, START - 1).await;
    assert_eq!(keys(&h).await.len(), 3);
}

/// Token 0 deletes what has a token ahead of the server's clock.
pub async fn a_delete_without_a_token_wins(h: Harness) {
    abc(&h, START + 30 * SECOND).await;
    assert_eq!(h.delete(delete_keys("1", &[b"a"], 0)).await.unwrap(), 1);
    assert_eq!(h.delete(delete_where("1", match_range(Some(b"b"), None), 0)).await.unwrap(), 2);
    abc(&h, START + 30 * SECOND).await;
    assert_eq!(h.record("1").await, []);
}

/// An item that is put after its delete has a new created time.
pub async fn an_item_put_after_its_delete_is_new(h: Harness) {
    abc(&h, 0).await;
    h.delete(delete_keys("1", &[b"a"], 0)).await.unwrap();
    h.clock.advance(SECOND);
    abc(&h, 0).await;
    let created = |item: crate::proto::keyvalue::v1::Item| item.metadata.unwrap().created_at_millis;
    assert_eq!(created(h.item("1", b"a").await.unwrap()), START / 1000 + 1000);
    assert_eq!(created(h.item("1", b"b").await.unwrap()), START / 1000);
}

/// A predicate may cover more items than a Put may have.
pub async fn a_delete_of_many_items_reaches_all(h: Harness) {
    for part in 0..5_u32 {
        let keys: Vec<_> = (0..500).map(|n| (part * 500 + n).to_be_bytes()).collect();
        let items: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &b"v"[..])).collect();
        h.put(put("1", &items, 0)).await.unwrap();
    }
    let rest = delete_where("1", match_range(Some(&[0, 0, 0, 1]), None), 0);
    assert_eq!(h.delete(rest).await.unwrap(), 2499);
    assert_eq!(keys(&h).await, [[0; 4]]);
}

/// A Put beside a Delete of more items than are deleted at once is before it or after it: its items
/// are all deleted or none.
pub async fn a_delete_of_very_many_items_is_before_or_after_a_put(h: Harness) {
    let key = |n: u32| n.to_be_bytes().to_vec();
    for round in 0..4 {
        for part in 0..5_u32 {
            let mut request = put("1", &[], 0);
            request.items = (0..1000).map(|n| item(&key(2 * (part * 1000 + n)), b"v")).collect();
            h.put(request).await.unwrap();
        }
        // The first and the last item, and one that is not there beside each of them.
        let keys = [key(0), key(1), key(9998), key(9999)];
        let mut beside = put("1", &[], 0);
        beside.items = keys.iter().map(|key| item(key, b"beside")).collect();
        let delete = h.delete(delete_where("1", match_all(), 0));
        let (gone, written) = if round % 2 == 0 {
            join(delete, h.put(beside)).await
        } else {
            let (written, gone) = join(h.put(beside), delete).await;
            (gone, written)
        };
        written.unwrap();
        let gone = gone.unwrap();
        match self::keys(&h).await.as_slice() {
            [] => assert_eq!(gone, 5002),
            left => {
                assert_eq!(left, keys);
                assert_eq!(gone, 5000);
            }
        }
        h.delete(delete_where("1", match_all(), 0)).await.unwrap();
    }
}
