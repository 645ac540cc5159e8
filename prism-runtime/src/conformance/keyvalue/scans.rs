//! Scan.

use futures_util::StreamExt;
use prost::Message;

use super::Harness;
use super::harness::{delete_where, item, match_all, match_keys, match_range, put, scan};
use crate::keyvalue::limits::PAGE_BYTES;
use crate::proto::keyvalue::v1::{ScanRequest, ScanResponse};

type Found = Vec<(String, Vec<u8>)>;

async fn records(h: &Harness, ids: &[&str]) {
    for id in ids {
        h.put(put(id, &[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")], 0)).await.unwrap();
    }
}

fn found(responses: &[ScanResponse]) -> Found {
    let items = responses.iter().flat_map(|response| &response.items);
    items.map(|found| (found.id.clone(), found.item.as_ref().unwrap().key.clone())).collect()
}

async fn find(h: &Harness, request: ScanRequest) -> Found {
    found(&h.scan(request).await.unwrap())
}

/// Every record of the namespace, each with its items together and in key order.
pub async fn a_scan_finds_every_record_with_its_items_together(h: Harness) {
    records(&h, &["2", "10", "1", "é"]).await;
    let mut other = put("elsewhere", &[(b"a", b"1")], 0);
    other.namespace = "other".into();
    h.put(other).await.unwrap();
    let found = find(&h, scan()).await;
    assert_eq!(found.len(), 12);
    let mut ids: Vec<&str> = Vec::new();
    for record in found.chunks(3) {
        assert!(record.iter().all(|(id, _)| *id == record[0].0));
        assert_eq!(record.iter().map(|(_, key)| key[0]).collect::<Vec<_>>(), b"abc");
        ids.push(&record[0].0);
    }
    ids.sort_unstable();
    assert_eq!(ids, ["1", "10", "2", "é"]);
}

/// With an id, that record alone.
pub async fn a_scan_of_one_record(h: Harness) {
    records(&h, &["1", "10", "2"]).await;
    let found = find(&h, ScanRequest { id: Some("1".into()), ..scan() }).await;
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|(id, _)| id == "1"));
    assert_eq!(find(&h, ScanRequest { id: Some("none".into()), ..scan() }).await, []);
}

/// The predicate selects among the items of each record.
pub async fn a_scan_with_a_predicate(h: Harness) {
    records(&h, &["1", "2"]).await;
    for (predicate, keys) in [
        (match_keys(&[b"c", b"a", b"x"]), &b"ac"[..]),
        (match_range(Some(b"b"), None), b"bc"),
        (match_range(None, Some(b"b")), b"a"),
        (match_all(), b"abc"),
    ] {
        let of_all = find(&h, ScanRequest { predicate: Some(predicate.clone()), ..scan() }).await;
        assert_eq!(of_all.len(), 2 * keys.len());
        let request = ScanRequest { predicate: Some(predicate), id: Some("2".into()), ..scan() };
        let of_one = find(&h, request).await;
        assert_eq!(of_one.iter().map(|(_, key)| key[0]).collect::<Vec<_>>(), keys);
    }
}

/// One empty response says that the end was reached.
pub async fn a_scan_of_nothing_answers_once(h: Harness) {
    assert_eq!(h.scan(scan()).await.unwrap(), [ScanResponse::default()]);
}

/// `limit` counts the items of all responses; a limit that the rest just fills ends the scan.
pub async fn a_limit_is_one_of_the_whole_scan(h: Harness) {
    for n in 0..15_u8 {
        h.put(put("1", &[(&[n], &vec![n; 200_000])], 0)).await.unwrap();
    }
    for (limit, ends) in [(12, false), (1, false), (14, false), (15, true), (16, true), (0, true)] {
        let responses = h.scan(ScanRequest { limit, ..scan() }).await.unwrap();
        let expected = if (1..15).contains(&limit) { usize::try_from(limit).unwrap() } else { 15 };
        assert_eq!(found(&responses).len(), expected);
        assert_eq!(responses.last().unwrap().next_page_token.is_empty(), ends, "limit {limit}");
        let (_, before) = responses.split_last().unwrap();
        assert!(before.iter().all(|response| !response.next_page_token.is_empty()));
    }
}

/// Any response's token continues after its last item, with another limit too.
pub async fn a_scan_goes_on_where_it_broke_off(h: Harness) {
    records(&h, &["1", "2", "3"]).await;
    let whole = find(&h, scan()).await;
    for limit in 1..9 {
        let first = h.scan(ScanRequest { limit, ..scan() }).await.unwrap();
        let page_token = first.last().unwrap().next_page_token.clone();
        let second = h.scan(ScanRequest { page_token, ..scan() }).await.unwrap();
        assert_eq!([found(&first), found(&second)].concat(), whole);
    }
}

/// A scan goes on after its last item, not after deleted ones or records behind that: what is written
/// there meanwhile is found.
pub async fn a_scan_goes_on_after_its_last_item(h: Harness) {
    for id in ["a", "c", "e"] {
        h.put(put(id, &[(b"k", b"v")], 0)).await.unwrap();
    }
    h.delete(delete_where("c", match_all(), 0)).await.unwrap();
    let first = h.scan(ScanRequest { limit: 1, ..scan() }).await.unwrap();
    h.put(put("a", &[(b"l", b"new")], 0)).await.unwrap();
    h.put(put("c", &[(b"k", b"again")], 0)).await.unwrap();
    let page_token = first.last().unwrap().next_page_token.clone();
    let second = find(&h, ScanRequest { page_token, ..scan() }).await;
    let ids: Vec<_> = second.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["a", "c", "e"]);
}

/// Each response is a page, which holds at least one item.
pub async fn responses_of_a_scan_end_at_their_size(h: Harness) {
    for n in 0..30_u8 {
        h.put(put(&n.to_string(), &[(&[n], &vec![n; 150_000])], 0)).await.unwrap();
    }
    let responses = h.scan(scan()).await.unwrap();
    assert!(responses.len() >= 5);
    for response in &responses {
        assert!(response.encoded_len() <= PAGE_BYTES);
        assert!(!response.items.is_empty());
    }
    assert_eq!(found(&responses).len(), 30);
}

/// Two scans of the same data give the same order, however they are cut.
pub async fn the_order_of_a_scan_is_stable(h: Harness) {
    records(&h, &["9", "b", "A", "10", "ü", "a"]).await;
    let whole = find(&h, scan()).await;
    let mut pieces = Vec::new();
    let mut request = ScanRequest { limit: 2, ..scan() };
    loop {
        let responses = h.scan(request.clone()).await.unwrap();
        pieces.extend(found(&responses));
        let Some(last) = responses.last().filter(|last| !last.next_page_token.is_empty()) else {
            break;
        };
        request.page_token = last.next_page_token.clone();
    }
    assert_eq!(pieces, whole);
}

/// Between its responses a scan blocks nobody: writes and other scans go on, and it ends well.
pub async fn a_scan_that_is_not_read_holds_nothing(h: Harness) {
    for n in 0..12_u8 {
        h.put(put("1", &[(&[n], &vec![n; 200_000])], 0)).await.unwrap();
    }
    let mut stalled: Vec<_> = (0..50).map(|_| h.scan_stream(scan()).unwrap()).collect();
    for stream in &mut stalled {
        stream.next().await.unwrap().unwrap();
    }
    for n in 0..20_u8 {
        h.put(put("2", &[(&[n], b"v")], 0)).await.unwrap();
    }
    assert_eq!(find(&h, scan()).await.len(), 32);
    let mut rest = 0;
    while let Some(response) = stalled[0].next().await {
        rest += ScanResponse::decode(response.unwrap().message()).unwrap().items.len();
    }
    assert!(rest >= 20);
}

/// A scan is no snapshot, but it finds no item twice.
pub async fn an_item_written_meanwhile_is_never_seen_twice(h: Harness) {
    for n in 0..10_u8 {
        h.put(put("1", &[(&[2 * n], &vec![n; 200_000])], 0)).await.unwrap();
    }
    let mut stream = h.scan_stream(scan()).unwrap();
    let mut keys = Vec::new();
    let mut round = 0;
    while let Some(response) = stream.next().await {
        let response = ScanResponse::decode(response.unwrap().message()).unwrap();
        keys.extend(response.items.into_iter().map(|found| found.item.unwrap().key[0]));
        for n in 0..10_u8 {
            h.put(put("1", &[(&[2 * n], &vec![round; 200_000])], 0)).await.unwrap();
            h.put(put("1", &[(&[2 * n + 1], b"new")], 0)).await.unwrap();
        }
        round += 1;
    }
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    assert!((0..10).all(|n| keys.contains(&(2 * n))));
}

/// What lies between items that are found may be long.
pub async fn a_sparse_scan_finds_what_there_is(h: Harness) {
    for part in 0..15_u32 {
        let mut request = put("many", &[], 0);
        request.items = (0..1000).map(|n| item(&(part * 1000 + n).to_be_bytes(), b"v")).collect();
        h.put(request).await.unwrap();
    }
    records(&h, &["zz"]).await;
    let request = ScanRequest { predicate: Some(match_keys(&[b"b"])), ..scan() };
    assert_eq!(find(&h, request).await, [("zz".into(), b"b".to_vec())]);
    h.delete(delete_where("many", match_all(), 0)).await.unwrap();
    let one = h.scan(ScanRequest { limit: 3, ..scan() }).await.unwrap();
    assert_eq!(found(&one).len(), 3);
    assert!(one.last().unwrap().next_page_token.is_empty());
}
