//! Typed services on SQLite.

use prism_runtime::conformance::entity::Opened;
use prism_runtime::entity_conformance;
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::sqlite::{Database, Options, SqliteEntities};

fn open(entities: &[Entity]) -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = Options::new(folder.path().join("test.db"));
    let steps = entities.iter().flat_map(ddl::create);
    let sql: Vec<String> = steps.map(|step| step.render(Dialect::Sqlite)).collect();
    options.migrations = vec![Migration {
        version: 1,
        description: "entities",
        sql: Box::leak(sql.join("\n").into_boxed_str()),
    }];
    let database = Database::open(&options).expect("a database");
    Opened { backend: Box::new(SqliteEntities::new(database)), guard: Box::new(folder) }
}

entity_conformance!(open);
