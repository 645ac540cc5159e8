//! The memory store: for tests, and for `BACKEND_MEMORY`.

mod keyvalue;

pub use keyvalue::KeyValue;
