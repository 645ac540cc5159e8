//! A server goes on while a newer version renames and drops columns of its table.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use prism_acceptance::dynamic::{Project, Serving, Version, service};
use serde_json::{Value, json};
use tonic::Code;

fn proto(options: &str, fields: &str) -> String {
    format!(
        "syntax = \"proto3\";\npackage a;\nimport \"prism/options.proto\";\n\
         import \"google/protobuf/field_mask.proto\";\nmessage Thing {{\n  \
         option (prism.message) = {{namespace: \"things\" {options}}};\n  \
         string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n{fields}}}\n{}",
        service("Thing", "Things", "")
    )
}

/// A project with its first version served from an empty database.
struct Old {
    url: String,
    project: Project,
    serving: Serving,
}

impl Old {
    async fn serve(options: &str, fields: &str) -> Option<Old> {
        let url = prism_postgres::for_test()?.url();
        let project = Project::new().unwrap();
        let serving = project.next(&proto(options, fields), &[]).unwrap().serve(&url).await;
        Some(Old { url, project, serving: serving.unwrap() })
    }

    async fn create(&self, thing: &Value) {
        let answer = self.serving.call("CreateThing", json!({"thing": thing})).await.unwrap();
        assert_eq!(answer, *thing);
    }

    /// Every operation reads and writes a thing as the old schema has it.
    async fn uses(&self, thing: &Value, field: &str, value: Value) {
        let id = thing["id"].clone();
        assert_eq!(self.serving.call("GetThing", json!({"id": id})).await.unwrap(), *thing);
        let page = self.serving.call("ListThings", json!({})).await.unwrap();
        assert!(page["things"].as_array().unwrap().contains(thing), "{page}");
        let mut updated = json!({"id": id});
        updated[field] = value.clone();
        let request = json!({"thing": updated, "update_mask": field});
        let mut expected = thing.clone();
        expected[field] = value;
        assert_eq!(self.serving.call("UpdateThing", request).await.unwrap(), expected);
        let put = self.serving.call("PutThing", json!({"thing": thing})).await.unwrap();
        assert_eq!(put, *thing);
        let other = json!({"id": "other"});
        self.serving.call("CreateThing", json!({"thing": other})).await.unwrap();
        self.serving.call("DeleteThing", json!({"id": "other"})).await.unwrap();
    }

    /// Migrates to another version, which serves.
    async fn migrate(&self, version: &Version) -> Serving {
        version.serve(&self.url).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renamed_column_is_found_again() {
    let Some(old) = Old::serve("", "string name = 2; int64 count = 3;").await else { return };
    let thing = json!({"id": "a", "name": "one", "count": "7"});
    old.create(&thing).await;
    let text = proto("", "string title = 2; int64 amount = 3;");
    let new = old.migrate(&old.project.next(&text, &[]).unwrap()).await;
    old.uses(&thing, "name", json!("two")).await;
    let renamed = json!({"id": "a", "title": "one", "amount": "7"});
    assert_eq!(new.call("GetThing", json!({"id": "a"})).await.unwrap(), renamed);
    // Each operation is the first one after a rename once.
    for (position, call) in ["List", "Update", "Put", "Create", "Delete"].iter().enumerate() {
        let text = proto("", &format!("string title = 2; int64 amount_{position} = 3;"));
        old.migrate(&old.project.next(&text, &[]).unwrap()).await.stop().await;
        let request = match *call {
            "Update" => json!({"thing": {"id": "a", "count": "8"}, "update_mask": "count"}),
            "Put" => json!({"thing": thing}),
            "Create" => json!({"thing": {"id": "b"}}),
            "Delete" => json!({"id": "b"}),
            _ => json!({}),
        };
        let method = if *call == "List" { "ListThings".to_owned() } else { format!("{call}Thing") };
        old.serving.call(&method, request).await.unwrap();
    }
    old.uses(&thing, "count", json!("9")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_names_are_not_mixed_up() {
    let Some(old) = Old::serve("", "string one = 2; string two = 3;").await else { return };
    let thing = json!({"id": "a", "one": "1", "two": "2"});
    let idle = Old::serve("", "string one = 2; string two = 3;").await.unwrap();
    old.create(&thing).await;
    idle.create(&thing).await;
    let swapped = proto("", "string two = 2; string one = 3;");
    let version = old.project.next(&swapped, &[]).unwrap();
    let idle_version = idle.project.next(&swapped, &[]).unwrap();
    let started = Instant::now();
    let migration = async {
        let (new, idle_new) = tokio::join!(old.migrate(&version), idle.migrate(&idle_version));
        (new, idle_new)
    };
    tokio::pin!(migration);
    let mut calls = 0;
    let (new, idle_new) = loop {
        tokio::select! {
            migrated = &mut migration => break migrated,
            answer = old.serving.call("GetThing", json!({"id": "a"})) => {
                assert_eq!(answer.unwrap(), thing);
                calls += 1;
            }
        }
    };
    assert!(started.elapsed() > Duration::from_secs(9) && calls > 100, "{calls}");
    old.uses(&thing, "one", json!("3")).await;
    // Nobody has called this one meanwhile: it has met neither of the two steps.
    idle.uses(&thing, "two", json!("3")).await;
    let expected = json!({"id": "a", "two": "1", "one": "2"});
    for new in [new, idle_new] {
        assert_eq!(new.call("GetThing", json!({"id": "a"})).await.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_time_of_the_last_write_may_go() {
    let Some(old) = Old::serve("retention_days: 3", "string name = 2;").await else { return };
    let thing = json!({"id": "a", "name": "one"});
    old.create(&thing).await;
    let new = old.migrate(&old.project.next(&proto("", "string name = 2;"), &[]).unwrap()).await;
    old.uses(&thing, "name", json!("two")).await;
    assert_eq!(new.call("GetThing", json!({"id": "a"})).await.unwrap(), thing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_removed_field_sends_callers_to_the_new_servers() {
    let Some(old) = Old::serve("", "string name = 2; string note = 3;").await else { return };
    old.create(&json!({"id": "a", "name": "one", "note": "x"})).await;
    let text = proto("", "reserved 3; reserved \"note\"; string name = 2;");
    let accepted = ["remove-field:things.3".to_owned()];
    let new = old.migrate(&old.project.next(&text, &accepted).unwrap()).await;
    let calls = [
        ("GetThing", json!({"id": "a"})),
        ("ListThings", json!({})),
        ("PutThing", json!({"thing": {"id": "a"}})),
        ("DeleteThing", json!({"id": "a"})),
    ];
    for (method, request) in calls {
        let status = old.serving.call(method, request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{method}: {status:?}");
        assert!(status.message().contains("changed for a newer version"), "{status:?}");
    }
    let thing = json!({"id": "a", "name": "one"});
    assert_eq!(new.call("GetThing", json!({"id": "a"})).await.unwrap(), thing);
}
