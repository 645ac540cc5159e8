//! One answer is one snapshot.

use std::cell::Cell;

use futures_util::StreamExt;
use futures_util::future::{join, join_all};
use prost::Message;

use super::Harness;
use super::harness::{delete_where, get, item, match_all, match_range, put, scan};
use crate::proto::keyvalue::v1::{GetRequest, PutRequest, ScanResponse};

/// Keys that every Put of a scenario writes, and Puts of each writer.
const KEYS: u32 = 600;
const PUTS: u8 = 20;

/// Key of an item that every Put writes: they are spread over the record.
fn moving(n: u32) -> Vec<u8> {
    [&n.to_be_bytes()[..], b"moving"].concat()
}

fn all_moving(id: &str, value: &[u8]) -> PutRequest {
    let mut request = put(id, &[], 0);
    request.items = (0..KEYS).map(|n| item(&moving(n), value)).collect();
    request
}

/// Puts that write all keys, from two clients, beside reads by four until the Puts have ended.
/// Each read answers with the keys and values that it found.
async fn never_torn(h: &Harness, bytes: usize, read: impl AsyncFn() -> Vec<(Vec<u8>, Vec<u8>)>) {
    let writing = Cell::new(true);
    let value = |n: u8| vec![n; bytes];
    h.put(all_moving("1", &value(0))).await.unwrap();
    let writer = async |first: u8| {
        for n in 0..PUTS {
            h.put(all_moving("1", &value(first + n))).await.unwrap();
        }
    };
    let writers = async {
        join(writer(1), writer(100)).await;
        writing.set(false);
    };
    let reader = async || {
        let mut reads = 0;
        while writing.get() || reads < 2 {
            let mut found = read().await;
            found.retain(|(key, _)| key.ends_with(b"moving"));
            assert!(!found.is_empty());
            let first = &found[0].1;
            let torn = found.iter().find(|(_, value)| value != first);
            assert!(torn.is_none(), "items of two Puts in one answer, after {reads} whole ones");
            reads += 1;
            tokio::task::yield_now().await;
        }
    };
    join(writers, join_all((0..4).map(|_| reader()))).await;
}

async fn page(h: &Harness) -> Vec<(Vec<u8>, Vec<u8>)> {
    let page = h.get(get("1")).await.unwrap();
    page.items.into_iter().map(|item| (item.key, item.value)).collect()
}

/// Puts this many items that stay between those that move.
async fn fill(h: &Harness, count: u32) {
    let keys: Vec<u32> = (0..count).collect();
    for keys in keys.chunks(1000) {
        let mut request = put("1", &[], 0);
        let key = |n: &u32| [&(n % KEYS).to_be_bytes()[..], &n.to_be_bytes()].concat();
        request.items = keys.iter().map(|n| item(&key(n), b"")).collect();
        h.put(request).await.unwrap();
    }
}

/// More rows than an event loop waits for.
pub async fn a_page_of_many_items_is_one_snapshot(h: Harness) {
    never_torn(&h, 1, async || page(&h).await).await;
}

/// More bytes than an event loop waits for, and a page that ends at its size.
pub async fn a_page_of_large_items_is_one_snapshot(h: Harness) {
    never_torn(&h, 3_000, async || page(&h).await).await;
}

/// More rows than one statement reads.
pub async fn a_page_of_very_many_items_is_one_snapshot(h: Harness) {
    fill(&h, 11_000).await;
    never_torn(&h, 1, async || {
        let page = page(&h).await;
        assert_eq!(page.len(), 11_000 + KEYS as usize);
        page
    })
    .await;
}

/// Rows that are passed over, because they are deleted or no part of what is asked for.
pub async fn a_page_with_few_items_among_many_rows_is_one_snapshot(h: Harness) {
    fill(&h, 3_000).await;
    h.delete(delete_where("1", match_all(), 0)).await.unwrap();
    let predicate = Some(match_range(Some(&moving(1)), None));
    let request = GetRequest { predicate, ..get("1") };
    never_torn(&h, 1, async || {
        let page = h.get(request.clone()).await.unwrap();
        assert_eq!(page.items.len(), KEYS as usize - 1);
        page.items.into_iter().map(|item| (item.key, item.value)).collect()
    })
    .await;
}

/// A later page is as whole as the first one.
pub async fn a_second_page_is_one_snapshot(h: Harness) {
    h.put(all_moving("1", b"first")).await.unwrap();
    let first = h.get(GetRequest { limit: 10, ..get("1") }).await.unwrap();
    let request = GetRequest { page_token: first.next_page_token, ..get("1") };
    never_torn(&h, 1, async || {
        let page = h.get(request.clone()).await.unwrap();
        assert_eq!(page.items.len(), KEYS as usize - 10);
        page.items.into_iter().map(|item| (item.key, item.value)).collect()
    })
    .await;
}

/// Each response of a Scan by itself.
pub async fn a_response_of_a_scan_is_one_snapshot(h: Harness) {
    fill(&h, 11_000).await;
    let h = &h;
    never_torn(h, 1, async || {
        let first = h.scan_stream(scan()).unwrap().next().await.unwrap().unwrap();
        let response = ScanResponse::decode(first.message()).unwrap();
        let items = response.items.into_iter().filter_map(|found| found.item);
        items.map(|item| (item.key, item.value)).collect()
    })
    .await;
}
