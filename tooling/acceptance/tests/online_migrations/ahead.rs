//! A server that starts again once a newer one has migrated the database.

use prism_acceptance::dynamic::{Project, config};
use serde_json::json;

use super::chain::{CHAIN, Schema};

/// What the older server says of these changes; it serves after every other one.
const REFUSED: [(&str, &str); 3] = [
    ("fields renamed", "column name is missing"),
    ("names swapped", "columns have names that others had before"),
    ("retention removed", "column _prism_written_at is missing"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_starts_on_a_database_that_is_ahead_where_it_can_read_it() {
    let Some(database) = prism_postgres::for_test() else { return };
    let url = database.url();
    let project = Project::new().unwrap();
    let mut schema = Schema::first();
    let mut old = project.next(&schema.render(), &[]).unwrap();
    old.serve(&url).await.unwrap().stop().await;
    for (name, change) in CHAIN {
        change(&mut schema);
        let new = project.next(&schema.render(), &[]).unwrap();
        let newer = new.serve(&url).await.unwrap();
        let thing = json!({"id": "a", "label": name});
        let written = newer.call("PutThing", json!({"thing": thing})).await.unwrap();
        for migrate in [false, true] {
            let mut config = config(&url);
            config.migrate = Some(migrate);
            let started = old.serve_with(config).await;
            match REFUSED.iter().find(|(refused, _)| refused == name) {
                None => {
                    let serving = started.unwrap_or_else(|error| panic!("{name}: {error}"));
                    let found = serving.call("GetThing", json!({"id": "a"})).await.unwrap();
                    assert_eq!(found["label"], written["label"], "{name}");
                    serving.call("PutThing", json!({"thing": thing})).await.unwrap();
                    serving.call("ListThings", json!({})).await.unwrap();
                    serving.call("DeleteThing", json!({"id": "a"})).await.unwrap();
                    newer.call("PutThing", json!({"thing": thing})).await.unwrap();
                    serving.stop().await;
                }
                Some((_, reason)) => {
                    let refused = started.err().unwrap_or_else(|| panic!("{name}: it serves"));
                    assert!(refused.contains(reason), "{name}: {refused}");
                    assert!(refused.contains("start a server as new as the database"), "{refused}");
                }
            }
        }
        newer.stop().await;
        old = new;
    }
}
