//! `google.api.field_behavior`, from the schema to the wire.
#![allow(clippy::unwrap_used)]

use prism_acceptance::dynamic::{Project, Serving};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

const SCHEMA: &str = r#"
syntax = "proto3";
package acme.books.v1;
import "google/api/field_behavior.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "prism/options.proto";

message Book {
  option (prism.message) = {namespace: "books"};

  string id = 1 [
    (prism.field).index = INDEX_KIND_PRIMARY,
    (prism.field).managed = MANAGED_ID,
    (google.api.field_behavior) = IDENTIFIER
  ];
  string title = 2 [(google.api.field_behavior) = REQUIRED];
  string isbn = 3 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.field_behavior) = IMMUTABLE
  ];
  int32 loans = 4 [(google.api.field_behavior) = OUTPUT_ONLY];
  string pin = 5 [(google.api.field_behavior) = INPUT_ONLY];
  Publisher publisher = 6 [(google.api.field_behavior) = OPTIONAL];
  google.protobuf.Timestamp create_time = 7 [
    (prism.field).managed = MANAGED_CREATE_TIME,
    (google.api.field_behavior) = OUTPUT_ONLY
  ];
  repeated string tags = 8 [(google.api.field_behavior) = UNORDERED_LIST];
}

message Publisher {
  string name = 1 [(google.api.field_behavior) = REQUIRED];
}

service Books {
  option (prism.service).entity = "Book";
  rpc GetBook(GetBookRequest) returns (GetBookResponse);
  rpc CreateBook(CreateBookRequest) returns (Book);
  rpc UpdateBook(UpdateBookRequest) returns (Book);
  rpc LendBook(LendBookRequest) returns (Book) {
    option (prism.method) = {operation: OPERATION_CUSTOM, require_auth: false};
  }
}

message GetBookRequest {
  string id = 1 [(google.api.field_behavior) = REQUIRED];
}

message GetBookResponse {
  Book book = 1;
  string shelf = 2 [(prism.field).role = ROLE_CUSTOM];
}

message CreateBookRequest {
  Book book = 1 [(google.api.field_behavior) = REQUIRED];
}

message UpdateBookRequest {
  Book book = 1;
  google.protobuf.FieldMask update_mask = 2;
  bool allow_missing = 3;
}

message LendBookRequest {
  string id = 1 [(google.api.field_behavior) = REQUIRED];
  Book as_it_was = 2;
}
"#;

/// Calls a method that is refused for these fields.
async fn invalid(serving: &Serving, method: &str, request: Value, fields: &[&str]) {
    let status = serving.call(method, request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{method} {request}: {status:?}");
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let found: Vec<&str> = violations.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(found, fields, "{method} {request}: {status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_behavior_means_what_it_says() {
    let project = Project::new().unwrap();
    let version = project.next(SCHEMA, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let serving = version.serve(database.to_str().unwrap()).await.unwrap();

    let book = json!({
        "title": "t", "isbn": "1", "loans": 9, "pin": "p", "create_time": "2001-01-01T00:00:00Z"
    });
    let made = serving.call("CreateBook", json!({"book": book})).await.unwrap();
    assert_eq!(made["id"].as_str().unwrap().len(), 36);
    assert_eq!((made.get("loans"), made.get("pin")), (None, None), "{made}");
    assert_ne!(made["create_time"], book["create_time"]);

    let fields = ["book.title", "book.isbn", "book.publisher.name"];
    invalid(&serving, "CreateBook", json!({"book": {"publisher": {}}}), &fields).await;
    invalid(&serving, "CreateBook", json!({}), &["book"]).await;
    invalid(&serving, "GetBook", json!({}), &["id"]).await;

    let change = |more: Value, mask: &str| {
        let mut book = more;
        book["id"] = made["id"].clone();
        json!({"book": book, "update_mask": mask})
    };
    let loans = change(json!({"loans": 3, "title": "u"}), "loans,title");
    let changed = serving.call("UpdateBook", loans).await.unwrap();
    assert_eq!((changed.get("loans"), &changed["title"]), (None, &json!("u")), "{changed}");
    let isbn = change(json!({"isbn": "2"}), "isbn");
    invalid(&serving, "UpdateBook", isbn, &["update_mask.paths[0]"]).await;
    let cleared = change(json!({"publisher": {}}), "title,publisher");
    let fields = ["book.title", "book.publisher.name"];
    invalid(&serving, "UpdateBook", cleared, &fields).await;
    let absent =
        json!({"book": {"id": "x", "title": "t"}, "update_mask": "title", "allow_missing": true});
    invalid(&serving, "UpdateBook", absent, &["book.isbn"]).await;

    let found = serving.call("GetBook", json!({"id": made["id"]})).await.unwrap();
    assert_eq!((&found["book"]["title"], found.get("shelf")), (&json!("u"), None));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_request_of_a_method_written_by_hand_is_checked_first() {
    let project = Project::new().unwrap();
    let version = project.next(SCHEMA, &[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let serving = version.serve(database.to_str().unwrap()).await.unwrap();
    let fields = ["id", "as_it_was.title", "as_it_was.isbn"];
    invalid(&serving, "LendBook", json!({"as_it_was": {}}), &fields).await;
    let sound = json!({"id": "b", "as_it_was": {"title": "t", "isbn": "1"}});
    let status = serving.call("LendBook", sound).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    serving.stop().await;
}
