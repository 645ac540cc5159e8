//! Pages of Get.

use prost::Message;

use super::Harness;
use super::harness::{
    HOUR, SECOND, delete_where, get, item, match_keys, match_range, put, put_with_ttl,
};
use crate::Reason;
use crate::keyvalue::limits::{PAGE_BYTES, VALUE_BYTES};
use crate::proto::keyvalue::v1::{GetRequest, GetResponse};

async fn store(h: &Harness, count: u32) {
    let keys: Vec<_> = (0..count).map(u32::to_be_bytes).collect();
    for keys in keys.chunks(1000) {
        let items: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &b"v"[..])).collect();
        h.put(put("1", &items, 0)).await.unwrap();
    }
}

async fn page(h: &Harness, limit: i32, token: &[u8]) -> GetResponse {
    h.get(GetRequest { limit, page_token: token.to_vec(), ..get("1") }).await.unwrap()
}

async fn refusal(h: &Harness, request: GetRequest) {
    let error = h.get(request).await.unwrap_err();
    assert_eq!(error.reason(), Reason::PageTokenInvalid);
    assert_eq!(error.violations()[0].field, "page_token");
}

/// Pages join without gaps and repeats.
pub async fn a_limit_ends_a_page_and_the_token_continues(h: Harness) {
    store(&h, 7).await;
    let mut keys = Vec::new();
    let mut token = Vec::new();
    for length in [3, 3, 1] {
        let page = page(&h, 3, &token).await;
        assert_eq!(page.items.len(), length);
        keys.extend(page.items.into_iter().map(|item| item.key));
        token = page.next_page_token;
    }
    assert!(token.is_empty());
    assert_eq!(keys, (0..7_u32).map(|n| n.to_be_bytes().to_vec()).collect::<Vec<_>>());
}

/// The token is empty on the last page, also where the limit is just reached.
pub async fn a_limit_that_the_rest_just_fills_leaves_no_token(h: Harness) {
    store(&h, 6).await;
    assert!(page(&h, 6, b"").await.next_page_token.is_empty());
    let first = page(&h, 3, b"").await;
    assert!(page(&h, 3, &first.next_page_token).await.next_page_token.is_empty());
    let named = GetRequest { predicate: Some(match_keys(&[&[0; 4]])), limit: 1, ..get("1") };
    assert!(h.get(named).await.unwrap().next_page_token.is_empty());
}

/// The encoded response, token included, stays within its size.
pub async fn a_page_ends_at_its_size(h: Harness) {
    for n in 0..40_u8 {
        h.put(put("1", &[(&[n], &vec![n; 100_000])], 0)).await.unwrap();
    }
    let mut token = Vec::new();
    let mut read = 0;
    loop {
        let page = page(&h, 0, &token).await;
        assert!(page.encoded_len() <= PAGE_BYTES);
        assert!(
            page.items.iter().zip(read..).all(|(item, n)| item.key == [n] && item.value[0] == n)
        );
        read += u8::try_from(page.items.len()).unwrap();
        if page.next_page_token.is_empty() {
            break;
        }
        assert!(page.encoded_len() > PAGE_BYTES - 110_000, "a page is filled");
        token = page.next_page_token;
    }
    assert_eq!(read, 40);
}

/// A page holds at least one item, even one that alone is longer.
pub async fn an_item_larger_than_a_page_is_one(h: Harness) {
    h.put(put("1", &[(b"a", &vec![1; VALUE_BYTES]), (b"b", b"2")], 0)).await.unwrap();
    let first = page(&h, 0, b"").await;
    assert_eq!((first.items.len(), first.items[0].value.len()), (1, VALUE_BYTES));
    let second = page(&h, 0, &first.next_page_token).await;
    assert_eq!(second.items[0].key, b"b");
    assert!(second.next_page_token.is_empty());
}

/// Another limit may be asked for with the next page.
pub async fn the_limit_is_not_bound_by_the_token(h: Harness) {
    store(&h, 6).await;
    let first = page(&h, 2, b"").await;
    let second = page(&h, 3, &first.next_page_token).await;
    assert_eq!(second.items.len(), 3);
    assert_eq!(page(&h, 0, &second.next_page_token).await.items.len(), 1);
}

/// A token opens with its own method, namespace, id and predicate alone.
pub async fn a_token_of_another_request_is_refused(h: Harness) {
    store(&h, 6).await;
    let page_token = page(&h, 2, b"").await.next_page_token;
    let own = GetRequest { page_token: page_token.clone(), ..get("1") };
    refusal(&h, GetRequest { id: "2".into(), ..own.clone() }).await;
    refusal(&h, GetRequest { namespace: "test-2".into(), ..own.clone() }).await;
    let range = Some(match_range(Some(b""), None));
    refusal(&h, GetRequest { predicate: range, ..own.clone() }).await;
    let mut scan = super::harness::scan();
    scan.id = Some("1".into());
    scan.page_token = page_token;
    assert_eq!(h.scan(scan).await.unwrap_err().reason(), Reason::PageTokenInvalid);
    assert_eq!(h.get(own).await.unwrap().items.len(), 4);
}

/// Changed, cut, invented and day-old tokens are refused.
pub async fn a_forged_or_expired_token_is_refused(h: Harness) {
    store(&h, 6).await;
    let page_token = page(&h, 2, b"").await.next_page_token;
    let own = GetRequest { page_token: page_token.clone(), ..get("1") };
    for forged in [&b"x"[..], b"\xFF\xFE", &page_token[1..], &page_token[..page_token.len() - 1]] {
        refusal(&h, GetRequest { page_token: forged.to_vec(), ..own.clone() }).await;
    }
    let mut changed = page_token;
    changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
    refusal(&h, GetRequest { page_token: changed, ..own.clone() }).await;
    h.clock.advance(24 * HOUR - 1);
    assert_eq!(h.get(own.clone()).await.unwrap().items.len(), 4);
    h.clock.advance(1);
    refusal(&h, own).await;
}

/// Invisible rows neither count nor leave a token behind, however many they are.
pub async fn deleted_and_expired_items_do_not_end_a_page(h: Harness) {
    store(&h, 600).await;
    h.delete(delete_where("1", match_range(Some(&[0, 0, 0, 2]), None), 0)).await.unwrap();
    h.put(put_with_ttl("1", &[0, 0, 1], 1, 0)).await.unwrap();
    h.clock.advance(SECOND);
    let two = page(&h, 2, b"").await;
    assert_eq!((two.items.len(), two.next_page_token.len()), (2, 0));
    h.put(put("1", &[(&[9], b"last")], 0)).await.unwrap();
    let first = page(&h, 2, b"").await;
    let second = page(&h, 2, &first.next_page_token).await;
    assert_eq!((second.items.len(), second.items[0].key.as_slice()), (1, &[9][..]));
    assert!(second.next_page_token.is_empty());
}

/// A page goes on after its last item, not after a deleted one behind that: what is written there
/// between two pages is found.
pub async fn a_page_goes_on_after_its_last_item(h: Harness) {
    h.put(put("1", &[(b"a", b"1"), (b"b", b"2"), (b"d", b"4")], 0)).await.unwrap();
    h.delete(delete_where("1", match_keys(&[b"b"]), 0)).await.unwrap();
    let first = page(&h, 1, b"").await;
    h.put(put("1", &[(b"b", b"again"), (b"c", b"new")], 0)).await.unwrap();
    let second = page(&h, 0, &first.next_page_token).await;
    let keys: Vec<_> = second.items.iter().map(|item| item.key.as_slice()).collect();
    assert_eq!(keys, [b"b", b"c", b"d"]);
}

/// What is too long for one read is still one page.
pub async fn a_page_of_many_small_items_is_whole(h: Harness) {
    store(&h, 3000).await;
    let whole = page(&h, 0, b"").await;
    assert_eq!(whole.items.len(), 3000);
    assert!(whole.next_page_token.is_empty());
    assert_eq!(whole.items[2999].key, 2999_u32.to_be_bytes());
    let mut large = put("2", &[], 0);
    large.items = (0..20_u8).map(|n| item(&[n], &vec![n; 30_000])).collect();
    h.put(large).await.unwrap();
    assert_eq!(h.get(get("2")).await.unwrap().items.len(), 20);
}
