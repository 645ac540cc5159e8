//! Long JSON: it is read beside the event loops and the threads that write, and costs others nothing.

use serde_json::{Value as Json, json};

use super::json::{key, plant, put, write_of};
use super::{invalid, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::entity::decide::{Action, Command, Mask, decide};
use crate::memory::{Budget, within_future};
use crate::service::Reply;
use crate::{Code, Reason};

/// JSON of many small values, of about so many bytes.
fn long(bytes: usize) -> Json {
    json!({"doubles": vec![0.25; bytes / 5]})
}

fn update(number: u64, fields: Json, mask: &str) -> Json {
    json!({"document": with(key(number), fields), "updateMask": mask})
}

/// What is long is converted later, what is short at once if the store can.
pub async fn long_json(harness: &Harness) {
    let is_inline = |method: &str, request: Json| {
        matches!(harness.reply(method, harness.request(method, request)), Reply::Ready(_))
    };
    put(harness, 1, json!({"wide": {"flag": true}})).await;
    put(harness, 2, json!({"wide": long(300_000)})).await;
    let at_once = is_inline("GetDocument", key(3));
    assert_eq!(is_inline("GetDocument", key(1)), at_once);
    assert!(!is_inline("GetDocument", key(2)));
    let document = with(key(4), json!({"wide": long(300_000)}));
    assert!(!is_inline("PutDocument", json!({"document": document})));
    for number in [1, 2] {
        let got = ok(harness, "GetDocument", key(number)).await;
        let batch = ok(harness, "BatchGetDocuments", json!({"keys": [key(number)]})).await;
        assert_eq!(batch["documents"], json!([got]));
    }
    let page = ok(harness, "ListDocuments", json!({"shop": "s"})).await;
    assert_eq!(page["documents"][1]["wide"], long(300_000));
}

/// What a write keeps is checked and measured, but not by the thread that writes.
pub async fn long_json_kept(harness: &Harness) {
    let mut newer = long(200_000);
    newer["newField"] = json!(1);
    plant(harness, 1, long(200_000)).await;
    plant(harness, 2, newer.clone()).await;
    // Twice: unknown, and known.
    for title in ["a", "b"] {
        let updated = ok(harness, "UpdateDocument", update(1, json!({"title": title}), "title"));
        let expected = with(key(1), json!({"title": title, "wide": long(200_000)}));
        assert_eq!(updated.await, expected);
        let kept = update(2, json!({"title": title}), "title");
        let error = refused(harness, "UpdateDocument", kept, Reason::CorruptRecord).await;
        assert!(error.message().contains("newer schema"), "{error}");
    }
    ok(harness, "UpdateDocument", update(2, json!({"wide": {"flag": true}}), "wide")).await;
    decisions_read_nothing_long(harness, newer);
    // Six times the text are above the limit, so that its length in an answer decides.
    let large = json!({"string": "x".repeat(3_000_000)});
    put(harness, 3, json!({"wide": large})).await;
    ok(harness, "UpdateDocument", update(3, json!({"title": "t"}), "title")).await;
    let over = update(3, json!({"title": "x".repeat(1_500_000)}), "title");
    let error = invalid(harness, "UpdateDocument", over, &["document.title"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    let got = ok(harness, "GetDocument", key(3)).await;
    assert_eq!(got, with(key(3), json!({"title": "t", "wide": large})));
}

/// A decision on a text that has not been judged is refused, whatever is wrong with the text.
fn decisions_read_nothing_long(harness: &Harness, mut unknown: Json) {
    unknown["string"] = json!("not seen before");
    let layout = &harness.collection("Document").layout;
    let write = write_of(harness, 5, unknown);
    let Action::Put(current) = write.command.action else { panic!("it is a Put") };
    let title = layout.field("title").expect("a field");
    let mask = Mask::Fields(vec![(title, 0)]);
    let action = Action::Update { record: current.clone(), mask, allow_missing: false };
    let command = Command { action, ..write.command };
    let decided = decide(layout, &command, Some(&current)).unwrap_err();
    assert_eq!(decided.reason(), Reason::Internal, "{decided}");
    layout.json.judge(&current);
    let decided = decide(layout, &command, Some(&current)).unwrap_err();
    assert_eq!(decided.reason(), Reason::CorruptRecord, "{decided}");
}

/// An immutable field takes the value that it has, however the database writes it.
pub async fn long_json_immutable(harness: &Harness) {
    let mut origin = long(100_000);
    origin["doubles"][7] = json!(1e16);
    put(harness, 1, json!({"origin": origin})).await;
    for title in ["a", "b"] {
        let again = put(harness, 1, json!({"origin": origin, "title": title})).await;
        assert_eq!((&again["origin"], &again["title"]), (&origin, &json!(title)));
    }
    ok(harness, "UpdateDocument", update(1, json!({"origin": origin}), "origin")).await;
    let mut other = origin.clone();
    other["doubles"][8] = json!(2);
    let changed = json!({"document": with(key(1), json!({"origin": other}))});
    invalid(harness, "PutDocument", changed, &["document.origin"]).await;
    let changed = update(1, json!({"origin": {"flag": true}}), "origin");
    invalid(harness, "UpdateDocument", changed, &["update_mask.paths[0]"]).await;
    let kept = put(harness, 1, json!({"title": "kept"})).await;
    assert_eq!(kept["origin"], origin);
}

/// A batch of large records is refused for its size before more of it is read than a few MiB.
pub async fn long_json_batches(harness: &Harness) {
    let large = json!({"string": "x".repeat(3_000_000)});
    // It is known from then on.
    put(harness, 0, json!({"wide": large})).await;
    for number in 0..40 {
        plant(harness, number, large.clone()).await;
    }
    let budget = Budget::new(64 << 20, 4 << 20);
    let account = budget.account([127, 0, 0, 1].into());
    for count in [2, 10, 40] {
        let keys: Vec<Json> = (0..count).map(key).collect();
        let mut share = Some(account.share());
        let batch = harness.call("BatchGetDocuments", json!({"keys": keys}));
        let error = within_future(&mut share, batch).await.unwrap_err();
        let what = (error.code(), error.reason());
        assert_eq!(what, (Code::ResourceExhausted, Reason::ValueTooLarge), "{count}: {error}");
        let mut share = Some(account.share());
        let list = harness.call("ListDocuments", json!({"shop": "s", "pageSize": count}));
        let page = within_future(&mut share, list).await.expect("a page");
        assert_eq!(page["documents"].as_array().map(Vec::len), Some(1));
        assert!(page.get("nextPageToken").is_some());
    }
    // What takes much as JSON and little in an answer fits.
    for number in 100..103 {
        put(harness, number, json!({"wide": {"grades": vec!["GRADE_LOW"; 50_000]}})).await;
    }
    let keys: Vec<Json> = (100..103).map(key).collect();
    let batch = ok(harness, "BatchGetDocuments", json!({"keys": keys})).await;
    assert_eq!(batch["documents"].as_array().map(Vec::len), Some(3));
}
