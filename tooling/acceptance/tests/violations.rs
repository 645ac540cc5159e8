//! What a client sees of a request that is wrong: one status with everything, on both databases.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use prism_acceptance::dynamic::{Project, Serving};
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// In the requests, the numbers of the fields are not in the order in which they are checked.
const SCHEMA: &str = r#"
syntax = "proto3";
package acme.shelves.v1;
import "google/protobuf/field_mask.proto";
import "prism/options.proto";

message Shelf {
  option (prism.message) = {namespace: "shelves", plural: "Shelves"};

  string room = 1 [(prism.field).index = INDEX_KIND_PARTITION_KEY];
  string id = 2 [(prism.field).index = INDEX_KIND_CLUSTERING_KEY];
  string label = 3 [(prism.field).index = INDEX_KIND_SECONDARY];
  string secret = 4 [(prism.field).access = ACCESS_OUTPUT_ONLY];
  map<string, Book> books = 5;
  map<int32, Book> by_year = 6;
  map<string, Book> readers = 7 [(prism.field).pii = PII_EMAIL];
  repeated Book lent = 8;
  string etag = 9 [(prism.field).managed = MANAGED_ETAG];
}

message Book {
  string title = 1;
}

service Shelves {
  option (prism.service) = {entity: "Shelf"};
  rpc GetShelf(GetShelfRequest) returns (Shelf);
  rpc BatchGetShelves(BatchGetShelvesRequest) returns (BatchGetShelvesResponse);
  rpc ListShelves(ListShelvesRequest) returns (ListShelvesResponse);
  rpc CreateShelf(CreateShelfRequest) returns (Shelf);
  rpc UpdateShelf(UpdateShelfRequest) returns (Shelf);
}

message GetShelfRequest {
  string id = 1;
  string room = 2;
}
message BatchGetShelvesRequest {
  repeated GetShelfRequest keys = 1 [(prism.field).role = ROLE_KEYS];
}
message BatchGetShelvesResponse {
  repeated Shelf shelves = 1;
}
message ListShelvesRequest {
  string order_by = 1;
  int32 page_size = 3;
  string page_token = 4;
  string room = 5;
}
message ListShelvesResponse {
  repeated Shelf shelves = 1;
  string next_page_token = 2;
}
message CreateShelfRequest {
  string request_id = 1;
  Shelf shelf = 2;
}
message UpdateShelfRequest {
  google.protobuf.FieldMask update_mask = 1;
  bool allow_missing = 2;
  Shelf shelf = 3;
}
"#;

/// What a status tells.
struct Refused {
    status: Status,
    fields: Vec<String>,
    reason: String,
    metadata: HashMap<String, String>,
}

impl Refused {
    fn of(status: Status) -> Self {
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        let fields = violations.iter().map(|violation| violation.field.clone()).collect();
        let info = details.error_info().unwrap();
        let (reason, metadata) = (info.reason.clone(), info.metadata.clone());
        Refused { status, fields, reason, metadata }
    }
}

async fn refused(serving: &Serving, method: &str, request: Value) -> Refused {
    let answer = serving.call(method, request.clone()).await;
    Refused::of(answer.err().unwrap_or_else(|| panic!("{method} {request} was answered")))
}

/// Calls a method with an encoded request.
async fn refused_bytes(serving: &Serving, method: &str, request: &[u8]) -> Refused {
    let method = serving.method(method).unwrap();
    let request = DynamicMessage::decode(method.input(), request).unwrap();
    Refused::of(serving.unary(&method, request).await.unwrap_err())
}

async fn everything_at_once(serving: &Serving) {
    let long = "x".repeat(65);
    let create = json!({"request_id": long, "shelf": {"label": "l".repeat(2_049)}});
    let wrong = refused(serving, "CreateShelf", create).await;
    assert_eq!(wrong.fields, ["request_id", "shelf.room", "shelf.id", "shelf.label"]);
    assert_eq!(wrong.reason, "INVALID_REQUEST");
    let text = "request_id: has 65 bytes, the limit is 64 (and 3 more)";
    assert_eq!(wrong.status.message(), text);
    let sizes = json!({"request_id": long, "shelf": {"room": "r", "id": "i".repeat(2_048)}});
    let wrong = refused(serving, "CreateShelf", sizes).await;
    assert_eq!(
        (wrong.fields.join(" "), &*wrong.reason),
        ("request_id shelf.id".into(), "VALUE_TOO_LARGE")
    );

    let update = json!({"shelf": {"room": "r"}, "update_mask": "label,nothing,room"});
    let wrong = refused(serving, "UpdateShelf", update).await;
    assert_eq!(wrong.fields, ["update_mask.paths[1]", "update_mask.paths[2]", "shelf.id"]);
    let wrong = refused(serving, "UpdateShelf", json!({})).await;
    assert_eq!(wrong.fields, ["update_mask", "shelf"]);
    assert_eq!(refused(serving, "GetShelf", json!({})).await.fields, ["id", "room"]);

    let list = json!({"order_by": "id id", "page_size": -1, "page_token": "none"});
    let wrong = refused(serving, "ListShelves", list).await;
    assert_eq!(wrong.fields, ["order_by", "page_size"], "a token is opened last");
    let keys = json!({"keys": [{"id": "i", "room": "r"}, {}]});
    let wrong = refused(serving, "BatchGetShelves", keys).await;
    assert_eq!(wrong.fields, ["keys[1].id", "keys[1].room"], "by the numbers of the message");

    let many: Vec<String> = (0..60).map(|number| format!("nothing{number}")).collect();
    let update = json!({"shelf": {"room": "r", "id": "i"}, "update_mask": many.join(",")});
    let wrong = refused(serving, "UpdateShelf", update).await;
    assert_eq!((wrong.fields.len(), &*wrong.metadata["violations_omitted"]), (50, "10"));
    assert!(wrong.status.message().ends_with(" (and 59 more)"), "{:?}", wrong.status);
}

async fn fields_that_are_sent(serving: &Serving) {
    let shelf = json!({"room": "r", "id": "i", "label": "l"});
    serving.call("CreateShelf", json!({"shelf": shelf})).await.unwrap();
    // An etag is compared, and what the server sets is ignored, whatever is in it.
    let etag = json!({"room": "r", "id": "i", "etag": "a\0", "label": "m"});
    let update = json!({"shelf": etag, "update_mask": "label"});
    let status = serving.call("UpdateShelf", update).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted, "{status:?}");
    let ignored = json!({"room": "r", "id": "i", "secret": "a\0", "label": "m"});
    let update = json!({"shelf": ignored, "update_mask": "label,secret"});
    let changed = serving.call("UpdateShelf", update).await.unwrap();
    assert_eq!((&changed["label"], changed.get("secret")), (&json!("m"), None));
    let id = json!({"request_id": "a\0", "shelf": {"room": "r", "id": "j"}});
    let wrong = refused(serving, "CreateShelf", id).await;
    assert_eq!((wrong.fields.join(" "), &*wrong.reason), ("request_id".into(), "INVALID_REQUEST"));
}

/// `update_mask` is 1, `shelf` 3.
async fn unknown_fields(serving: &Serving) {
    let wrong = refused_bytes(serving, "GetShelf", b"\x0a\x01i\xe8\x04\x01\x98\x06\x01").await;
    assert_eq!((wrong.fields.join(" "), &*wrong.reason), ("77 99".into(), "UNKNOWN_FIELD"));
    let text = "77: field number 77 is not in the schema (and 1 more)";
    assert_eq!(wrong.status.message(), text);
    // Books of the maps and the list: {77: 1}, under the keys "a", 3, a reader, and at 0.
    let book = b"\x12\x03\xe8\x04\x01";
    let entry = |number: u8, key: &[u8]| {
        let entry = [key, book].concat();
        [&[number << 3 | 2, entry.len() as u8][..], &entry].concat()
    };
    let shelf = [
        entry(5, b"\x0a\x01a"),
        entry(6, b"\x08\x03"),
        entry(7, b"\x0a\x01b"),
        b"\x42\x03\xe8\x04\x01".to_vec(),
    ]
    .concat();
    let request = [&[0x1a, shelf.len() as u8][..], &shelf].concat();
    let wrong = refused_bytes(serving, "UpdateShelf", &request).await;
    let expected = [
        "shelf.books[\"a\"].77",
        "shelf.by_year[3].77",
        "shelf.readers[\"[email]\"].77",
        "shelf.lent[0].77",
    ];
    assert_eq!(wrong.fields, expected);
    assert!(!format!("{:?}", wrong.status).contains("\"b\""), "the key of a reader is not shown");
}

async fn on(database: &str) {
    let version = Project::new().unwrap().next(SCHEMA, &[]).unwrap();
    let serving = version.serve(database).await.unwrap();
    everything_at_once(&serving).await;
    fields_that_are_sent(&serving).await;
    unknown_fields(&serving).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    on(folder.path().join("test.db").to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_postgres() {
    let Some(database) = prism_postgres::for_test() else { return };
    on(&database.url()).await;
}
