//! The key-value suite on the memory store.

use std::sync::Arc;

use prism_runtime::conformance::keyvalue::Fixture;
use prism_runtime::store::memory::KeyValue;

prism_runtime::keyvalue_conformance!(async || Fixture::new(Arc::new(KeyValue::new())));
