//! PostgreSQL, and what speaks its dialect.

mod connect;
mod index;
mod introspect;
mod lock;
mod migrate;
pub(crate) mod query;

pub use connect::{is_crowded, is_read_only, says_read_only};
pub use introspect::verify;
pub use migrate::{Migrator, Settings, history};
