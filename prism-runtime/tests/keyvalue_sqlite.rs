//! The key-value suite on the SQLite store.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use prism_runtime::conformance::keyvalue::Fixture;
use prism_runtime::store::sqlite::{Database, KeyValue, Options};

prism_runtime::keyvalue_conformance!(async || sqlite());

fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Options::new(folder.path().join("test.db"))).unwrap();
    Fixture::new(Arc::new(KeyValue::new(Arc::clone(&database)))).keeping((database, folder))
}
