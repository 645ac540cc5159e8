//! PutBatch.

use super::Harness;
use super::harness::{SECOND, START, fields, item, put};
use crate::Reason;
use crate::keyvalue::limits::{COUNT, VALUE_BYTES};
use crate::proto::common::{BatchError, ItemMetadata};
use crate::proto::keyvalue::v1::{PutBatchRequest, RecordWrite};

fn write(id: &str, items: &[(&[u8], &[u8])], token: i64) -> RecordWrite {
    let put = put(id, items, token);
    RecordWrite { id: put.id, items: put.items, item_priority_token: token }
}

fn batch(writes: Vec<RecordWrite>) -> PutBatchRequest {
    PutBatchRequest { namespace: "test".into(), writes }
}

async fn errors(h: &Harness, writes: Vec<RecordWrite>) -> Vec<Option<BatchError>> {
    let count = writes.len();
    let response = h.put_batch(batch(writes)).await.unwrap();
    assert_eq!(response.results.len(), count);
    let results = response.results.into_iter();
    results
        .map(|result| {
            assert_eq!(result.success, result.error.is_none());
            result.error
        })
        .collect()
}

/// Up to 1000 records, with the rules of Put for each.
pub async fn a_batch_writes_every_record(h: Harness) {
    h.put(put("7", &[(b"k", b"newer")], START + 1)).await.unwrap();
    let items: [(&[u8], &[u8]); 3] = [(b"k", b"v"), (b"l", b"w"), (b"m", b"x")];
    let writes = (0..COUNT).map(|n| write(&n.to_string(), &items, START)).collect();
    assert!(errors(&h, writes).await.iter().all(Option::is_none));
    assert_eq!(h.all("test").await.len(), items.len() * COUNT);
    assert_eq!(h.value("7", b"k").await.unwrap(), b"newer");
    assert_eq!(h.value("7", b"l").await.unwrap(), b"w");
}

/// Results come in the order of the writes.
pub async fn a_part_that_fails_does_not_fail_the_others(h: Harness) {
    let writes = vec![
        write("1", &[(b"k", b"v")], 0),
        write("", &[(b"k", b"v")], 0),
        write("2", &[(b"k", b"v")], START + 3600 * SECOND),
        write("3", &[(b"k", b"v")], 0),
    ];
    let failed: Vec<bool> = errors(&h, writes).await.iter().map(Option::is_some).collect();
    assert_eq!(failed, [false, true, true, false]);
    assert_eq!(h.record("1").await.len(), 1);
    assert_eq!(h.record("2").await.len(), 0);
    assert_eq!(h.record("3").await.len(), 1);
}

/// One bad item keeps its whole record from being written.
pub async fn a_part_is_whole_or_not_at_all(h: Harness) {
    let mut bad = write("1", &[(b"a", b"1"), (b"b", b"2")], 0);
    bad.items[1].value = vec![0; VALUE_BYTES + 1];
    assert!(errors(&h, vec![bad]).await[0].is_some());
    assert_eq!(h.record("1").await, []);
}

/// Nothing is written.
pub async fn an_id_given_twice_fails_the_call(h: Harness) {
    let writes = vec![
        write("1", &[(b"a", b"1")], 0),
        write("2", &[(b"a", b"1")], 0),
        write("1", &[(b"b", b"1")], 0),
    ];
    let error = h.put_batch(batch(writes)).await.unwrap_err();
    assert_eq!(error.reason(), Reason::InvalidRequest);
    assert_eq!(fields(&error), ["writes[2].id"]);
    assert_eq!(h.all("test").await, []);
}

/// Paths are those within the part.
pub async fn errors_of_parts_name_reason_and_field(h: Harness) {
    let mut large = write("large", &[(b"a", b"1")], 0);
    large.items.push(item(b"b", &vec![0; VALUE_BYTES + 1]));
    let mut negative = write("negative", &[(b"a", b"1")], 0);
    negative.items[0].metadata = Some(ItemMetadata { ttl_seconds: -1, ..Default::default() });
    let writes = vec![
        large,
        negative,
        write("empty", &[], 0),
        write("twice", &[(b"a", b"1"), (b"a", b"2")], 0),
        write("", &[(b"a", b"1")], 0),
        write("old", &[(b"a", b"1")], START - 25 * 3600 * SECOND),
    ];
    let errors = errors(&h, writes).await;
    let told: Vec<(Reason, &str)> = errors
        .iter()
        .flatten()
        .map(|error| {
            assert!(!error.message.is_empty());
            (error.reason(), error.field.as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (Reason::ValueTooLarge, "items[1].value"),
            (Reason::InvalidRequest, "items[0].metadata.ttl_seconds"),
            (Reason::InvalidRequest, "items"),
            (Reason::InvalidRequest, "items[1].key"),
            (Reason::InvalidRequest, "id"),
            (Reason::PriorityTokenOutOfRange, "item_priority_token"),
        ]
    );
}

/// The call fails for what is not one part's fault.
pub async fn a_batch_fails_for_its_namespace_and_size(mut h: Harness) {
    let one = || write("1", &[(b"a", b"1")], 0);
    let error = h.put_batch(batch(vec![])).await.unwrap_err();
    assert_eq!(fields(&error), ["writes"]);
    let many = (0..=COUNT).map(|n| write(&n.to_string(), &[(b"a", b"1")], 0)).collect();
    let error = h.put_batch(batch(many)).await.unwrap_err();
    assert_eq!((error.reason(), fields(&error)), (Reason::ValueTooLarge, vec!["writes"]));
    let namespace = "UPPER".into();
    let error = h.put_batch(PutBatchRequest { namespace, writes: vec![one()] }).await.unwrap_err();
    assert_eq!(fields(&error), ["namespace"]);
    h.configure(|options| options.max_namespaces = 0);
    let error = h.put_batch(batch(vec![one()])).await.unwrap_err();
    assert_eq!(error.reason(), Reason::StorageFull);
    assert_eq!(fields(&error), ["namespace"]);
}
