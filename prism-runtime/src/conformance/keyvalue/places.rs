//! Places of namespaces that are not declared: `keyvalue.max_namespaces`.

use futures_util::future::{join, join_all};

use super::Harness;
use super::harness::{
    HOUR, delete_keys, delete_where, get, match_all, put, put_with_ttl, scan, swap,
};
use crate::proto::keyvalue::v1::{
    CompareAndSwapRequest, DeleteRequest, GetRequest, PutRequest, ScanRequest,
};
use crate::{Reason, Result};

/// After which all that was deleted is forgotten.
const FORGOTTEN: i64 = 25 * HOUR;

async fn put_in(h: &Harness, namespace: &str) -> Result<()> {
    h.put(PutRequest { namespace: namespace.into(), ..put("1", &[(b"k", b"v")], 0) }).await
}

async fn delete_in(h: &Harness, namespace: &str) {
    let delete = delete_keys("1", &[b"k"], 0);
    h.delete(DeleteRequest { namespace: namespace.into(), ..delete }).await.unwrap();
}

async fn is_full_for(h: &Harness, namespace: &str) -> bool {
    match put_in(h, namespace).await {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.reason(), Reason::StorageFull);
            true
        }
    }
}

/// Deleted, expired or swapped away: once nothing is remembered, and a sweep has been.
pub async fn a_namespace_that_contains_nothing_gives_its_place_back(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 3);
    for namespace in ["deleted", "swapped"] {
        put_in(&h, namespace).await.unwrap();
    }
    let expiring = put_with_ttl("1", b"k", 1, 0);
    h.put(PutRequest { namespace: "expired".into(), ..expiring }).await.unwrap();
    assert!(is_full_for(&h, "new").await);
    delete_in(&h, "deleted").await;
    let swapped = swap("1", b"k", Some(b"v"), None);
    let swapped = CompareAndSwapRequest { namespace: "swapped".into(), ..swapped };
    assert!(h.swap(swapped).await.unwrap().success);
    h.clock.advance(HOUR);
    h.sweep(1000).await;
    assert!(is_full_for(&h, "new").await, "deletes are remembered");
    h.clock.advance(FORGOTTEN);
    assert_eq!(h.sweep(1000).await, 3);
    for namespace in ["a", "b", "c"] {
        assert!(!is_full_for(&h, namespace).await);
    }
    for namespace in ["deleted", "swapped", "expired"] {
        assert!(is_full_for(&h, namespace).await, "{namespace} has no place any more");
    }
}

/// It takes a place again with its next first write.
pub async fn a_namespace_that_is_written_again_takes_a_place_again(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 1);
    for _ in 0..3 {
        put_in(&h, "a").await.unwrap();
        assert!(is_full_for(&h, "b").await);
        delete_in(&h, "a").await;
        h.clock.advance(FORGOTTEN);
        h.sweep(1000).await;
        put_in(&h, "b").await.unwrap();
        assert!(is_full_for(&h, "a").await);
        let all = delete_where("1", match_all(), 0);
        h.delete(DeleteRequest { namespace: "b".into(), ..all }).await.unwrap();
        h.clock.advance(FORGOTTEN);
        h.sweep(1000).await;
    }
}

/// What still contains something keeps its place, however long ago it was written.
pub async fn a_namespace_that_contains_something_keeps_its_place(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 2);
    put_in(&h, "a").await.unwrap();
    h.put(PutRequest { namespace: "b".into(), ..put("1", &[(b"k", b"v"), (b"l", b"v")], 0) })
        .await
        .unwrap();
    delete_in(&h, "b").await;
    h.clock.advance(FORGOTTEN);
    h.sweep(1000).await;
    assert!(is_full_for(&h, "c").await);
    put_in(&h, "a").await.unwrap();
    put_in(&h, "b").await.unwrap();
}

/// A sweep that is not the last one of its round gives back no less in the end.
pub async fn places_of_many_namespaces_are_given_back(mut h: Harness) {
    const MOST: u32 = 700;
    h.configure(|options| options.max_namespaces = MOST.into());
    let name = |n: u32| format!("n{n}");
    let h = &h;
    for round in 0..2 {
        for first in (0..MOST).step_by(100) {
            let puts = (first..first + 100).map(|n| async move {
                put_in(h, &name(n)).await.unwrap();
                delete_in(h, &name(n)).await;
            });
            join_all(puts).await;
        }
        assert!(is_full_for(h, "new").await, "round {round}");
        h.clock.advance(FORGOTTEN);
        while h.sweep(300).await == 300 {}
    }
    assert!(!is_full_for(h, "new").await);
}

/// What stores nothing takes no place.
pub async fn what_stores_nothing_takes_no_place(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 1);
    let namespace = || String::from("a");
    let failed = swap("1", b"k", Some(b"other"), Some(b"v"));
    let failed = CompareAndSwapRequest { namespace: namespace(), ..failed };
    assert!(!h.swap(failed).await.unwrap().success);
    let nothing = CompareAndSwapRequest { namespace: namespace(), ..swap("1", b"k", None, None) };
    assert!(h.swap(nothing).await.unwrap().success);
    let covered = delete_where("1", match_all(), 0);
    let covered = DeleteRequest { namespace: namespace(), ..covered };
    assert_eq!(h.delete(covered).await.unwrap(), 0);
    h.get(GetRequest { namespace: namespace(), ..get("1") }).await.unwrap();
    h.scan(ScanRequest { namespace: namespace(), ..scan() }).await.unwrap();
    let mut invalid = put("1", &[(b"k", b"v"), (b"k", b"v")], 0);
    invalid.namespace = namespace();
    h.put(invalid).await.unwrap_err();
    put_in(&h, "b").await.unwrap();
    assert!(is_full_for(&h, "a").await);
}

/// A write beside the sweep that finds its namespace empty has a place afterwards.
pub async fn a_first_write_beside_a_sweep_has_its_place(mut h: Harness) {
    h.configure(|options| options.max_namespaces = 1);
    for round in 0..40 {
        put_in(&h, "a").await.unwrap();
        delete_in(&h, "a").await;
        h.clock.advance(FORGOTTEN);
        let (swept, written) = if round % 2 == 0 {
            join(h.sweep(1000), put_in(&h, "a")).await
        } else {
            let (written, swept) = join(put_in(&h, "a"), h.sweep(1000)).await;
            (swept, written)
        };
        written.unwrap();
        assert!(swept <= 1);
        assert!(is_full_for(&h, "b").await, "a contains something, and has no place");
        assert_eq!(h.all("a").await.len(), 1);
        delete_in(&h, "a").await;
        h.clock.advance(FORGOTTEN);
        h.sweep(1000).await;
        put_in(&h, "b").await.unwrap();
        delete_in(&h, "b").await;
        h.clock.advance(FORGOTTEN);
        h.sweep(1000).await;
    }
}
