//! Calls at the same time.

use futures_util::future::{join, join_all};

use super::Harness;
use super::harness::{START, delete_keys, get, match_keys, put, swap};
use crate::proto::keyvalue::v1::GetRequest;

/// Each success of a swap saw the success before it.
pub async fn swaps_count_every_success_once(h: Harness) {
    h.put(put("1", &[(b"n", b"0")], 0)).await.unwrap();
    let count = |text: Vec<u8>| String::from_utf8(text).unwrap().parse::<u32>().unwrap();
    let increments = (0..8).map(|_| async {
        let mut seen = b"0".to_vec();
        for _ in 0..20 {
            loop {
                let next = (count(seen.clone()) + 1).to_string().into_bytes();
                let answer = h.swap(swap("1", b"n", Some(&seen), Some(&next))).await.unwrap();
                if answer.success {
                    seen = next;
                    break;
                }
                seen = answer.actual_value.unwrap();
            }
        }
    });
    join_all(increments).await;
    assert_eq!(count(h.value("1", b"n").await.unwrap()), 160);
}

/// The last state depends on tokens, not on who came first.
pub async fn writes_with_tokens_end_in_the_same_state_in_any_order(h: Harness) {
    // Two puts and a delete of the same token for each item, in a different order each; all
    // three smaller than a last put for every other item.
    let h = &h;
    let writes = (0..300_i64).map(|n| {
        let step = n * 7919 % 300;
        let (item, kind) = (step / 3, step % 3);
        async move {
            let key = item.to_be_bytes();
            let token = START + item;
            match kind {
                0 => drop(h.delete(delete_keys("1", &[&key], token)).await.unwrap()),
                1 => h.put(put("1", &[(&key, b"same")], token)).await.unwrap(),
                _ if item % 2 == 0 => {
                    h.put(put("1", &[(&key, b"last")], token + 1000)).await.unwrap();
                }
                _ => h.put(put("1", &[(&key, b"older")], token - 1)).await.unwrap(),
            }
        }
    });
    join_all(writes).await;
    let record = h.record("1").await;
    assert_eq!(record.len(), 50);
    for (key, value) in record {
        assert_eq!(i64::from_be_bytes(key.try_into().unwrap()) % 2, 0);
        assert_eq!(value, b"last");
    }
}

/// The items of a Put appear together.
pub async fn a_read_sees_a_record_whole(h: Harness) {
    let writing = async {
        for n in 0..200_u8 {
            h.put(put("1", &[(b"a", &[n]), (b"b", &[n]), (b"c", &[n])], 0)).await.unwrap();
        }
    };
    let reading = async {
        for _ in 0..200 {
            let record = h.record("1").await;
            assert!(record.windows(2).all(|pair| pair[0].1 == pair[1].1), "{record:?}");
            tokio::task::yield_now().await;
        }
    };
    join(writing, reading).await;
    assert_eq!(h.value("1", b"c").await.unwrap(), [199]);
}

/// Reads that are made together answer as each would alone, however large their records are.
pub async fn reads_at_the_same_time_do_not_mix(h: Harness) {
    let size = |id: u32| if id == 20 { 300 } else { id % 4 };
    let keys = |id: u32| (0..size(id)).map(|n| n.to_be_bytes().to_vec());
    for id in 0..40_u32 {
        let value = id.to_be_bytes();
        let keys: Vec<_> = keys(id).collect();
        let items: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &value[..])).collect();
        if !items.is_empty() {
            h.put(put(&id.to_string(), &items, 0)).await.unwrap();
        }
    }
    let (h, keys) = (&h, &keys);
    let whole = |id: u32| async move {
        let wanted: Vec<_> = keys(id).map(|key| (key, id.to_be_bytes().to_vec())).collect();
        assert_eq!(h.record(&id.to_string()).await, wanted);
    };
    let named = |id: u32| async move {
        // The second key is not there.
        let (third, after) = (2_u32.to_be_bytes(), [0, 0, 0, 2, 0]);
        let predicate = Some(match_keys(&[&third, &after, &[0; 4]]));
        let page = h.get(GetRequest { predicate, ..get(&id.to_string()) }).await.unwrap();
        let found: Vec<_> = page.items.into_iter().map(|item| (item.key, item.value)).collect();
        let wanted = keys(id).filter(|key| **key == [0; 4] || **key == third);
        let wanted: Vec<_> = wanted.map(|key| (key, id.to_be_bytes().to_vec())).collect();
        assert_eq!(found, wanted);
    };
    // Small records, with a large one among them, and small ones again.
    for ids in [0..20, 0..40, 0..20] {
        join_all(ids.clone().chain(ids).map(whole)).await;
    }
    join_all((0..40).chain(0..40).map(named)).await;
    join(join_all((0..40).map(whole)), join_all((0..40).map(named))).await;
}

/// Of writes without a token each wins over those before it, within one microsecond too.
pub async fn writes_without_tokens_never_tie(h: Harness) {
    for n in 0..100_u8 {
        h.put(put("1", &[(b"k", &[n])], 0)).await.unwrap();
        assert_eq!(h.value("1", b"k").await.unwrap(), [n]);
    }
    assert_eq!(h.delete(delete_keys("1", &[b"k"], 0)).await.unwrap(), 1);
    h.put(put("1", &[(b"k", b"v")], 0)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"v");
}
