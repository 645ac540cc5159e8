//! Calls at the same time.

use futures_util::future::join_all;

use super::Harness;
use super::harness::{START, delete_keys, put, swap};

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
    futures_util::future::join(writing, reading).await;
    assert_eq!(h.value("1", b"c").await.unwrap(), [199]);
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
