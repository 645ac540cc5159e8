//! The key-value suite on the Postgres store.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use prism_runtime::conformance::keyvalue::Fixture;
use prism_runtime::store::memory;
use prism_runtime::store::postgres::{Database, KeyValue, Options};

prism_runtime::keyvalue_conformance!(async || postgres());

fn postgres() -> Fixture {
    // Where there is no Postgres, and nobody insists on one, memory stands in.
    let Some(database) = prism_postgres::for_test() else {
        return Fixture::new(Arc::new(memory::KeyValue::new()));
    };
    let database = Database::open(&Options::new(database.url())).unwrap();
    Fixture::new(Arc::new(KeyValue::new(Arc::clone(&database)))).keeping(database)
}
