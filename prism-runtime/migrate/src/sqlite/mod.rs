//! SQLite.

mod introspect;
mod lock;
mod migrate;
mod once;

pub mod json;

pub use introspect::verify;
pub use lock::{FileLock, LockError, canonical, identity, index_path, lock_path, log_path};
pub use migrate::{Migrator, history};
pub use once::open_once;
