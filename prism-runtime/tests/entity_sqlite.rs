//! Typed services on SQLite.

use prism_runtime::conformance::entity::{self, Harness, Opened};
use prism_runtime::entity_conformance;
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::sqlite::{Database, Options, SqliteEntities};

fn open(entities: &[Entity]) -> Opened {
    open_with(entities, "")
}

/// With a further migration.
fn open_with(entities: &[Entity], newer: &str) -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(folder.path().join("test.db"));
    let steps = entities.iter().flat_map(ddl::create);
    let mut sql: Vec<String> = steps.map(|step| step.render(Dialect::Sqlite)).collect();
    sql.push(newer.to_owned());
    options.migrations = vec![Migration {
        version: 1,
        description: "entities",
        sql: Box::leak(sql.join("\n").into_boxed_str()),
    }];
    let database = Database::open(&options).expect("a database");
    Opened { backend: Box::new(SqliteEntities::new(database)), guard: Box::new(folder) }
}

entity_conformance!(open);

/// A server reads through the indexes of its schema, and goes on without those that a newer schema
/// has dropped.
#[test]
fn lists_do_without_an_index_that_is_gone() {
    let open = |entities: &[Entity]| {
        open_with(entities, "DROP INDEX orders_by_status; DROP INDEX orders_by_note;")
    };
    let harness = Harness::new(&open);
    harness.block_on(entity::list_orders(&harness));
    let harness = Harness::new(&open);
    harness.block_on(entity::list_ties(&harness));
}
