//! Typed services on Postgres.

use prism_runtime::conformance::entity::Opened;
use prism_runtime::entity_conformance;
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::memory::MemoryEntities;
use prism_runtime::store::postgres::{Database, Options, PostgresEntities};

fn open(entities: &[Entity]) -> Opened {
    // Where there is no Postgres, and nobody insists on one, memory stands in.
    let Some(database) = prism_postgres::for_test() else {
        return Opened { backend: Box::new(MemoryEntities), guard: Box::new(()) };
    };
    let mut options = Options::new(database.url());
    let steps = entities.iter().flat_map(ddl::create);
    let sql: Vec<String> = steps.map(|step| step.render(Dialect::Postgres)).collect();
    options.migrations = vec![Migration {
        version: 1,
        description: "entities",
        sql: Box::leak(sql.join("\n").into_boxed_str()),
    }];
    let database = Database::open(&options).expect("a database");
    Opened { backend: Box::new(PostgresEntities::new(database)), guard: Box::new(()) }
}

entity_conformance!(open);
