//! The memory store: for tests, and for `BACKEND_MEMORY`.

pub mod entity;
mod keyvalue;

pub use entity::MemoryEntities;
pub use keyvalue::KeyValue;
