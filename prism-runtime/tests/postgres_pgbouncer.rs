//! Both suites through PgBouncer in transaction mode, with two connections to a server's database,
//! and what it is like without the setting for it.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use prism_postgres::{Database as Server, PgBouncer, for_test, pooled_for_test};
use prism_runtime::conformance::entity::Opened;
use prism_runtime::conformance::keyvalue::Fixture;
use prism_runtime::schema::Entity;
use prism_runtime::schema::sql::{Dialect, ddl};
use prism_runtime::store::Migration;
use prism_runtime::store::memory::{self, MemoryEntities};
use prism_runtime::store::postgres::{Database, KeyValue, Options, PostgresEntities};
use sqlx::{Connection as _, Executor as _, PgConnection};

mod key_value {
    prism_runtime::keyvalue_conformance!(async || crate::keyvalue().await);
}

mod entities {
    prism_runtime::entity_conformance!(crate::entities);
}

/// A server's database, migrated, and the URL of the same behind PgBouncer.
fn migrated(migrations: Vec<Migration>) -> Option<(Server, Options)> {
    let server = for_test()?;
    let pooled = pooled_for_test(&server)?;
    let mut options = Options::new(server.url());
    options.migrations = migrations;
    Database::open(&options).unwrap();
    options.url = pooled.url();
    options.migrate = false;
    options.prepared_statements = false;
    Some((server, options))
}

/// Databases that no scenario has at the moment: making one takes longer than most scenarios.
static FREE: Mutex<Vec<Lease>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct Lease {
    server: Server,
    database: Arc<Database>,
}

/// Gives a database back when the scenario has ended.
struct Return(Lease);

impl Drop for Return {
    fn drop(&mut self) {
        FREE.lock().unwrap().push(self.0.clone());
    }
}

async fn keyvalue() -> Fixture {
    let free = FREE.lock().unwrap().pop();
    let lease = match free {
        Some(lease) => {
            let mut session = PgConnection::connect(&lease.server.url()).await.unwrap();
            let empty = "DELETE FROM kv_items; DELETE FROM kv_namespaces WHERE namespace <> ''";
            session.execute(empty).await.unwrap();
            lease
        }
        // Where there is no PgBouncer, and nobody insists on one, memory stands in.
        None => match migrated(Vec::new()) {
            None => return Fixture::new(Arc::new(memory::KeyValue::new())),
            Some((server, options)) => {
                Lease { server, database: Database::open(&options).unwrap() }
            }
        },
    };
    let store = KeyValue::new(Arc::clone(&lease.database));
    Fixture::new(Arc::new(store)).keeping(Return(lease))
}

fn entities(entities: &[Entity]) -> Opened {
    let steps = entities.iter().flat_map(ddl::create);
    let sql: Vec<String> = steps.map(|step| step.render(Dialect::Postgres)).collect();
    let sql = Box::leak(sql.join("\n").into_boxed_str());
    let migration = Migration { version: 1, description: "entities", sql };
    let Some((_, options)) = migrated(vec![migration]) else {
        return Opened { backend: Box::new(MemoryEntities), guard: Box::new(()) };
    };
    let database = Database::open(&options).unwrap();
    Opened { backend: Box::new(PostgresEntities::new(database)), guard: Box::new(()) }
}

#[test]
fn migrations_are_not_applied_through_it() {
    let Some((server, mut options)) = migrated(Vec::new()) else { return };
    let one = Migration { version: 1, description: "one", sql: "CREATE TABLE one (a INT)" };
    options.migrations = vec![one];
    let refusal = |options: &Options| Database::open(options).unwrap_err().to_string();
    assert!(refusal(&options).contains("start the server with --migrate"));
    options.migrate = true;
    for _ in 0..3 {
        let text = refusal(&options);
        assert!(text.contains("whose URL is that of Postgres itself"), "{text}");
    }
    // No lock is left behind: the next migration does not wait.
    let direct = Options { migrations: options.migrations.clone(), ..Options::new(server.url()) };
    Database::open(&direct).unwrap();
    options.migrate = false;
    Database::open(&options).unwrap();
}

#[test]
fn a_connection_that_it_refuses_names_the_setting() {
    let Some((_, mut options)) = migrated(Vec::new()) else { return };
    options.prepared_statements = true;
    let text = Database::open(&options).unwrap_err().to_string();
    assert!(text.contains("set postgres.prepared_statements: off"), "{text}");
}

#[test]
fn sessions_that_it_mixes_up_name_the_setting() {
    let Some((server, mut options)) = migrated(Vec::new()) else { return };
    let ignoring = "ignore_startup_parameters = extra_float_digits, options";
    let program = PgBouncer::find().unwrap();
    for pool in ["default_pool_size = 1", "default_pool_size = 5"] {
        let bouncer = PgBouncer::start(&program, &server, &[pool, ignoring]).unwrap();
        options.url = bouncer.database(&server).url();
        options.prepared_statements = true;
        for _ in 0..2 {
            let text = Database::open(&options).unwrap_err().to_string();
            assert!(text.contains("set postgres.prepared_statements: off"), "{text}");
        }
        options.prepared_statements = false;
        Database::open(&options).unwrap();
    }
}
