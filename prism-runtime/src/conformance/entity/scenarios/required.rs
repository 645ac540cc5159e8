//! Fields that have to be set.

use serde_json::{Value as Json, json};

use super::{invalid, ok, with};
use crate::conformance::entity::Harness;

/// A review in which everything that is required is set.
fn review(id: &str, more: Json) -> Json {
    let whole = json!({
        "id": id, "title": "t", "stars": 0, "weight": 1.5, "author": {"name": "a"}, "tags": [""]
    });
    with(whole, more)
}

/// Every field of a review that is required, but for the key.
const REQUIRED: [&str; 5] =
    ["review.title", "review.stars", "review.weight", "review.author", "review.tags"];

/// A required field that is absent or zero is a violation at its place in the request, at any
/// depth, in every operation that writes it; reads check nothing of what is stored.
pub async fn required_fields(harness: &Harness) {
    create(harness).await;
    nested(harness).await;
    replace(harness).await;
    update(harness).await;
    update_or_create(harness).await;
}

async fn create(harness: &Harness) {
    let request = |review: Json| json!({"review": review, "requestId": "1"});
    let made = ok(harness, "CreateReview", request(review("", json!({})))).await;
    assert_eq!(made["id"].as_str().unwrap().len(), 36, "the server chooses a managed id");
    assert_eq!(made["stars"], 0, "a zero with presence is a value");
    invalid(harness, "CreateReview", request(json!({"id": "r"})), &REQUIRED).await;
    let zeros = json!({"title": "", "stars": null, "weight": -0.0, "author": null, "tags": []});
    invalid(harness, "CreateReview", request(review("r", zeros)), &REQUIRED).await;
    invalid(harness, "CreateReview", json!({}), &["review", "request_id"]).await;
    let without_id = json!({"review": {"id": "r", "title": "t"}});
    let fields = [&["request_id"], &REQUIRED[1..]].concat();
    invalid(harness, "CreateReview", without_id, &fields).await;
    let error = invalid(harness, "GetReview", json!({}), &["id"]).await;
    assert_eq!(error.message(), "id: value is required");
}

async fn nested(harness: &Harness) {
    let put = |more: Json| json!({"review": review("n", more)});
    let deep = json!({"author": {"name": "a", "mentor": {"mentor": {"name": "c"}}}});
    invalid(harness, "PutReview", put(deep), &["review.author.mentor.name"]).await;
    let list = json!({"witnesses": [{"name": "a"}, {}, {"name": "b", "address": {}}]});
    let fields = ["review.witnesses[1].name", "review.witnesses[2].address.number"];
    invalid(harness, "PutReview", put(list), &fields).await;
    let map = json!({"editors": {"a\"b": {}, "c": {"name": "d", "address": {"number": "7"}}}});
    invalid(harness, "PutReview", put(map), &["review.editors[\"a\\\"b\"].name"]).await;
    let stored_as_json = json!({"editorJson": {"email": "e"}});
    invalid(harness, "PutReview", put(stored_as_json), &["review.editor_json.name"]).await;
    let ignored = json!({"moderator": {"mentor": {}}});
    ok(harness, "PutReview", put(ignored)).await;
}

async fn replace(harness: &Harness) {
    let empty = [&["review.id"], &REQUIRED[..]].concat();
    invalid(harness, "PutReview", json!({"review": {}}), &empty).await;
    invalid(harness, "PutReview", json!({}), &["review"]).await;
    ok(harness, "PutReview", json!({"review": review("p", json!({}))})).await;
    let whole = |more: Json| json!({"review": review("p", more), "updateMask": "*"});
    invalid(harness, "UpdateReview", whole(json!({"title": ""})), &["review.title"]).await;
    ok(harness, "UpdateReview", whole(json!({"title": "u"}))).await;
}

async fn update(harness: &Harness) {
    let update = |review: Json, mask: &str| json!({"review": review, "updateMask": mask});
    // What the mask does not name is not looked at.
    let note = json!({"id": "p", "note": "n", "witnesses": [{}]});
    ok(harness, "UpdateReview", update(note.clone(), "note")).await;
    let fields = ["review.title", "review.stars", "review.witnesses[0].name"];
    invalid(harness, "UpdateReview", update(note.clone(), "note,stars,witnesses,title"), &fields)
        .await;
    ok(harness, "UpdateReview", update(json!({"id": "p", "stars": 0}), "stars")).await;
    // A mask that is refused names no field to check.
    invalid(harness, "UpdateReview", update(note, "title,nothing"), &["update_mask.paths[1]"])
        .await;
    let found = ok(harness, "GetReview", json!({"id": "p"})).await;
    assert_eq!((&found["title"], &found["note"]), (&json!("u"), &json!("n")));
}

async fn update_or_create(harness: &Harness) {
    let update =
        |review: Json| json!({"review": review, "updateMask": "note", "allowMissing": true});
    ok(harness, "UpdateReview", update(json!({"id": "p", "note": "m"}))).await;
    invalid(harness, "UpdateReview", update(json!({"id": "q", "note": "m"})), &REQUIRED).await;
    invalid(harness, "GetReview", json!({"id": ""}), &["id"]).await;
    let made = ok(harness, "UpdateReview", update(review("q", json!({"note": "m"})))).await;
    assert_eq!((&made["title"], &made["note"]), (&json!("t"), &json!("m")));
}
