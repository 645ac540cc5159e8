//! SQLite.

mod introspect;
mod lock;
mod migrate;

pub use introspect::verify;
pub use lock::{FileLock, lock_path};
pub use migrate::{Migrator, history};
