//! SQLite.

mod introspect;
mod lock;
mod migrate;

pub use introspect::verify;
pub use lock::{FileLock, LockError, canonical, identity, index_path, lock_path, log_path};
pub use migrate::{Migrator, history};
