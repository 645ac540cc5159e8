//! The key-value suite on the Postgres store.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use prism_runtime::conformance::keyvalue::Fixture;
use prism_runtime::store::memory;
use prism_runtime::store::postgres::{Database, KeyValue, Options};
use sqlx::{Connection, Executor, PgConnection};

prism_runtime::keyvalue_conformance!(async || postgres().await);

/// Databases that no scenario has at the moment: making one takes longer than most scenarios.
static FREE: Mutex<Vec<Lease>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct Lease {
    url: String,
    database: Arc<Database>,
}

/// Gives a database back when the scenario has ended.
struct Return(Lease);

impl Drop for Return {
    fn drop(&mut self) {
        FREE.lock().unwrap().push(self.0.clone());
    }
}

async fn postgres() -> Fixture {
    let free = FREE.lock().unwrap().pop();
    let lease = match free {
        Some(lease) => {
            let mut connection = PgConnection::connect(&lease.url).await.unwrap();
            let empty = "DELETE FROM kv_items; DELETE FROM kv_namespaces WHERE namespace <> ''";
            connection.execute(empty).await.unwrap();
            lease
        }
        // Where there is no Postgres, and nobody insists on one, memory stands in.
        None => match prism_postgres::for_test() {
            None => return Fixture::new(Arc::new(memory::KeyValue::new())),
            Some(database) => {
                let url = database.url();
                Lease { database: Database::open(&Options::new(&url)).unwrap(), url }
            }
        },
    };
    let store = KeyValue::new(Arc::clone(&lease.database));
    Fixture::new(Arc::new(store)).keeping(Return(lease))
}
