//! The memory store: for tests, and for `BACKEND_MEMORY`.
pub mod entity;
pub use entity::MemoryEntities;
