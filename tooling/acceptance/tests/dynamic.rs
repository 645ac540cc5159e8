//! A schema that is served without compiling it, through a change, on both databases.
#![allow(clippy::unwrap_used)]

use prism_acceptance::dynamic::{Project, service};
use serde_json::json;
use tonic::Code;

fn proto(fields: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage a;\nimport \"prism/options.proto\";\n\
         import \"google/protobuf/field_mask.proto\";\nmessage Thing {{\n  \
         option (prism.message) = {{namespace: \"things\"}};\n  \
         string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n{fields}}}\n{}",
        service("Thing", "Things", "")
    )
}

async fn lives_through_a_change(database: &str) {
    let project = Project::new().unwrap();
    let first = project.next(&proto("string name = 2; int64 count = 3;"), &[]).unwrap();
    let thing = json!({"id": "a", "name": "one", "count": "7"});
    let serving = first.serve(database).await.unwrap();
    let answer = serving.call("CreateThing", json!({"thing": thing})).await.unwrap();
    assert_eq!(answer, thing);
    let missing = serving.call("GetThing", json!({"id": "b"})).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    serving.stop().await;

    let refused = project.next(&proto("string name = 2;"), &[]).unwrap_err();
    assert!(refused.contains("reserved"), "{refused}");
    let changed = proto("string title = 2; int64 count = 3; optional bool ready = 4;");
    let second = project.next(&changed, &[]).unwrap();
    assert!(second.migrations.postgres.len() > first.migrations.postgres.len());
    assert_eq!(second.entities().count(), 1);
    let serving = second.serve(database).await.unwrap();
    let request = json!({"thing": {"id": "a", "ready": false}, "update_mask": "ready"});
    let thing = json!({"id": "a", "title": "one", "count": "7", "ready": false});
    assert_eq!(serving.call("UpdateThing", request).await.unwrap(), thing);
    let page = serving.call("ListThings", json!({})).await.unwrap();
    assert_eq!(page, json!({"things": [thing]}));
    serving.call("DeleteThing", json!({"id": "a"})).await.unwrap();
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    lives_through_a_change(folder.path().join("test.db").to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_postgres() {
    let Some(database) = prism_postgres::for_test() else { return };
    lives_through_a_change(&database.url()).await;
}
