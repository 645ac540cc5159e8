//! Put: values, metadata, times, and the order of tokens.

use super::Harness;
use super::harness::{SECOND, START, get, item, put, put_with_ttl};
use crate::keyvalue::limits::{ID_BYTES, KEY_BYTES, VALUE_BYTES};
use crate::proto::common::{CompressionType, ItemMetadata};
use crate::proto::keyvalue::v1::{GetRequest, Item};

/// The items of a Put are read in key order.
pub async fn what_was_put_is_read(h: Harness) {
    h.put(put("1", &[(b"b", b"2"), (b"a", b"1"), (b"c", b"3")], 0)).await.unwrap();
    let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")];
    let expected = expected.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_eq!(h.record("1").await, expected);
    assert_eq!(h.record("2").await, [], "a record that does not exist is empty");
}

/// An empty key is a key, an empty value a value.
pub async fn empty_keys_and_values_are_items(h: Harness) {
    h.put(put("1", &[(b"", b"")], 0)).await.unwrap();
    assert_eq!(h.record("1").await, [(vec![], vec![])]);
    assert_eq!(h.value("1", b"").await, Some(vec![]));
}

/// The longest namespace, id, key and value are accepted and read back.
pub async fn items_of_every_size_survive(h: Harness) {
    let mut request = put(&"i".repeat(ID_BYTES), &[], 0);
    request.namespace = "n".repeat(63);
    request.items = [0, 1, 127, 128, 16_383, 16_384, VALUE_BYTES]
        .iter()
        .map(|&length| {
            let key = vec![0xFF; KEY_BYTES - usize::from(length == 0)];
            let mut item = item(&key, &vec![0xAB; length]);
            item.key[..4].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            item
        })
        .collect();
    h.put(request.clone()).await.unwrap();
    let mut read = GetRequest {
        namespace: request.namespace.clone(),
        id: request.id.clone(),
        ..Default::default()
    };
    let mut items: Vec<Item> = Vec::new();
    loop {
        let page = h.get(read.clone()).await.unwrap();
        items.extend(page.items);
        if page.next_page_token.is_empty() {
            break;
        }
        read.page_token = page.next_page_token;
    }
    assert_eq!(items.len(), request.items.len());
    for (read, written) in items.iter().zip(&request.items) {
        assert!(read.key == written.key && read.value == written.value);
    }
}

/// Compression and TTL are read back as written, unknown compressions included.
pub async fn metadata_is_read_back(h: Harness) {
    for compression in [CompressionType::Zstd as i32, CompressionType::Unspecified as i32, 77] {
        let metadata = ItemMetadata { compression, ttl_seconds: 60, ..Default::default() };
        let mut request = put("1", &[(b"k", b"v")], 0);
        request.items[0].metadata = Some(metadata);
        h.put(request).await.unwrap();
        let read = h.item("1", b"k").await.unwrap().metadata.unwrap();
        assert_eq!((read.compression, read.ttl_seconds), (compression, 60));
    }
}

/// `created_at_millis` and `updated_at_millis` are the server's.
pub async fn server_times_in_a_request_are_ignored(h: Harness) {
    let mut request = put("1", &[(b"k", b"v")], 0);
    request.items[0].metadata =
        Some(ItemMetadata { created_at_millis: 1, updated_at_millis: 2, ..Default::default() });
    h.put(request).await.unwrap();
    let read = h.item("1", b"k").await.unwrap().metadata.unwrap();
    assert_eq!((read.created_at_millis, read.updated_at_millis), (START / 1000, START / 1000));
}

/// An overwritten item keeps its created time and gets a new updated time.
pub async fn overwriting_keeps_the_created_time(h: Harness) {
    h.put(put("1", &[(b"k", b"1")], 0)).await.unwrap();
    h.clock.advance(5 * SECOND);
    h.put(put("1", &[(b"k", b"2")], 0)).await.unwrap();
    let read = h.item("1", b"k").await.unwrap().metadata.unwrap();
    assert_eq!(read.created_at_millis, START / 1000);
    assert_eq!(read.updated_at_millis, START / 1000 + 5000);
}

/// Metadata is replaced by every write, also where it is absent.
pub async fn overwriting_replaces_metadata(h: Harness) {
    h.put(put_with_ttl("1", b"k", 60, 0)).await.unwrap();
    h.put(put("1", &[(b"k", b"v")], 0)).await.unwrap();
    let read = h.item("1", b"k").await.unwrap().metadata.unwrap();
    assert_eq!(read.ttl_seconds, 0);
    h.clock.advance(120 * SECOND);
    assert!(h.item("1", b"k").await.is_some());
}

/// The write with the larger token is stored.
pub async fn a_larger_token_wins(h: Harness) {
    h.put(put("1", &[(b"k", b"old")], START - 2)).await.unwrap();
    h.put(put("1", &[(b"k", b"new")], START - 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"new");
}

/// A write with a smaller token succeeds and changes nothing, item by item.
pub async fn a_smaller_token_loses_silently(h: Harness) {
    h.put(put("1", &[(b"k", b"new")], START)).await.unwrap();
    h.put(put("1", &[(b"k", b"old"), (b"other", b"old")], START - 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"new");
    assert_eq!(h.value("1", b"other").await.unwrap(), b"old");
}

/// Equal tokens with other content: the first stays, so a write can be sent again.
pub async fn with_equal_tokens_the_first_stays(h: Harness) {
    h.put(put("1", &[(b"k", b"first")], START)).await.unwrap();
    h.clock.advance(SECOND);
    h.put(put("1", &[(b"k", b"second")], START)).await.unwrap();
    let read = h.item("1", b"k").await.unwrap();
    assert_eq!(read.value, b"first");
    assert_eq!(read.metadata.unwrap().updated_at_millis, START / 1000);
}

/// Token 0 wins over a token ahead of the server's clock.
pub async fn a_write_without_a_token_wins(h: Harness) {
    h.put(put("1", &[(b"k", b"ahead")], START + 30 * SECOND)).await.unwrap();
    h.put(put("1", &[(b"k", b"server")], 0)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"server");
    // It took the stored token plus one.
    h.put(put("1", &[(b"k", b"equal")], START + 30 * SECOND + 1)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"server");
    h.put(put("1", &[(b"k", b"larger")], START + 30 * SECOND + 2)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"larger");
}

/// Token 0 wins over what was written before the server's clock went back.
pub async fn a_write_without_a_token_wins_when_the_clock_goes_back(h: Harness) {
    h.put(put("1", &[(b"k", b"before")], 0)).await.unwrap();
    h.clock.advance(-3600 * SECOND);
    h.put(put("1", &[(b"k", b"after")], 0)).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"after");
}

/// An id means another record in another namespace, and neighbours in the order stay apart.
pub async fn records_and_namespaces_are_apart(h: Harness) {
    h.put(put("1", &[(b"k", b"test/1")], 0)).await.unwrap();
    h.put(put("1\0", &[(b"k", b"test/1-nul")], 0)).await.unwrap();
    h.put(put("é", &[(b"k", b"test/accent")], 0)).await.unwrap();
    let mut other = put("1", &[(b"k", b"test-2/1")], 0);
    other.namespace = "test-2".into();
    h.put(other).await.unwrap();
    assert_eq!(h.value("1", b"k").await.unwrap(), b"test/1");
    assert_eq!(h.value("1\0", b"k").await.unwrap(), b"test/1-nul");
    assert_eq!(h.value("é", b"k").await.unwrap(), b"test/accent");
    let read = GetRequest { namespace: "test-2".into(), ..get("1") };
    assert_eq!(h.get(read).await.unwrap().items[0].value, b"test-2/1");
    assert_eq!(h.all("test").await.len(), 3);
    assert_eq!(h.all("test-2").await.len(), 1);
}
