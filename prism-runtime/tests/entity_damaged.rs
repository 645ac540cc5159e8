//! A column that holds what no version of Prism wrote: it costs its own record, and no other one.
#![allow(clippy::unwrap_used)]

use prism_runtime::conformance::entity::{Harness, Opened};
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::entity::EntityBackend;
use prism_runtime::store::postgres::{self, PostgresEntities};
use prism_runtime::store::sqlite::{self, SqliteEntities};
use prism_runtime::{Error, Reason};
use serde_json::{Value as Json, json};
use sqlx::Connection as _;

fn migrations(entities: &[Entity], dialect: Dialect) -> Vec<Migration> {
    let steps = entities.iter().flat_map(ddl::create);
    let sql: Vec<String> = steps.map(|step| step.render(dialect)).collect();
    let sql = Box::leak(sql.join("\n").into_boxed_str());
    vec![Migration { version: 1, description: "entities", sql }]
}

fn opened(backend: impl EntityBackend) -> Opened {
    Opened { backend: Box::new(backend), guard: Box::new(()) }
}

fn next(error: &Error) -> &str {
    let token = error.metadata().find(|(name, _)| *name == "next_page_token");
    token.expect("where the list goes on").1
}

/// `damage` damages the order `b` of three.
fn costs_its_record_alone(harness: &Harness, damage: impl FnOnce()) {
    let call = |method: &str, request: Json| harness.block_on(harness.call(method, request));
    let key = |id: &str| json!({"customerId": "c", "orderId": id});
    for id in ["a", "b", "c"] {
        call("CreateOrder", json!({"order": key(id)})).unwrap();
    }
    damage();
    let refused = |method: &str, request: Json| {
        let error = call(method, request).unwrap_err();
        assert_eq!(error.reason(), Reason::CorruptRecord, "{error}");
        assert!(
            error.message().contains(r#"due_time of the record with key ["c","b"]"#),
            "{error}"
        );
        error
    };
    refused("GetOrder", key("b"));
    let order = json!({"customerId": "c", "orderId": "b", "note": "x"});
    refused("UpdateOrder", json!({"order": order, "updateMask": "note"}));
    let first = call("ListOrders", json!({"customerId": "c"})).unwrap();
    assert_eq!(first["orders"].as_array().unwrap().len(), 1);
    let rest = |token: &str| json!({"customerId": "c", "pageToken": token});
    let error = refused("ListOrders", rest(first["nextPageToken"].as_str().unwrap()));
    let last = call("ListOrders", rest(next(&error))).unwrap();
    assert_eq!(last["orders"][0]["orderId"], "c");
    call("PutOrder", json!({"order": key("b")})).unwrap();
    call("GetOrder", key("b")).unwrap();
}

#[test]
fn in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let harness = Harness::new(&|entities: &[Entity]| {
        let mut options = sqlite::Options::new(&path);
        options.migrations = migrations(entities, Dialect::Sqlite);
        opened(SqliteEntities::new(sqlite::Database::open(&options).unwrap()))
    });
    costs_its_record_alone(&harness, || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let damage = "UPDATE orders SET due_time = 'soon' WHERE order_id = 'b'";
        assert_eq!(connection.execute(damage, []).unwrap(), 1);
    });
}

/// A record from a time of longer messages can be removed, and the answer says that it was.
#[test]
fn a_record_that_is_too_large_to_be_read_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let open = |entities: &[Entity]| {
        let mut options = sqlite::Options::new(&path);
        options.migrations = migrations(entities, Dialect::Sqlite);
        opened(SqliteEntities::new(sqlite::Database::open(&options).unwrap()))
    };
    let document = |fields: Json| {
        let mut document = json!({"shop": "s", "number": "1"});
        document.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        document
    };
    let text = |bytes: usize| "x".repeat(bytes);
    let large = document(json!({"title": text(3_000_000), "wide": {"string": text(4_500_000)},
        "origin": {"flag": true}}));
    let order = json!({"customerId": "c", "orderId": "o", "note": "n", "tags": [text(5_000_000)]});
    let harness = Harness::limited(&open, 16 << 20);
    harness.block_on(harness.call("PutDocument", json!({"document": large}))).unwrap();
    harness.block_on(harness.call("CreateOrder", json!({"order": order}))).unwrap();
    drop(harness);
    let harness = Harness::new(&open);
    let call = |method: &str, request: Json| harness.block_on(harness.call(method, request));
    let removed = call("DeleteDocument", document(json!({}))).unwrap();
    let rest = json!({"title": text(3_000_000), "origin": {"flag": true}});
    assert_eq!(removed["document"], document(rest));
    let gone = call("GetDocument", document(json!({}))).unwrap_err();
    assert_eq!(gone.reason(), Reason::RecordNotFound);
    let hidden = call("DeleteOrder", json!({"customerId": "c", "orderId": "o"})).unwrap();
    let hidden = &hidden["order"];
    assert_eq!((&hidden["note"], hidden.get("tags")), (&json!("n"), None));
}

#[test]
fn in_postgres() {
    let Some(server) = prism_postgres::for_test() else { return };
    let harness = Harness::new(&|entities: &[Entity]| {
        let mut options = postgres::Options::new(server.url());
        options.migrations = migrations(entities, Dialect::Postgres);
        opened(PostgresEntities::new(postgres::Database::open(&options).unwrap()))
    });
    costs_its_record_alone(&harness, || {
        let damage = "UPDATE orders SET due_time = 'infinity' WHERE order_id = 'b'";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = sqlx::PgConnection::connect(&server.url()).await.unwrap();
            sqlx::query(damage).execute(&mut connection).await.unwrap();
        });
    });
}
