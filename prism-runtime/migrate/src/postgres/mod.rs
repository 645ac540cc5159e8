//! PostgreSQL, and what speaks its dialect.

mod index;
mod introspect;
mod lock;
mod migrate;
pub(crate) mod query;

pub use introspect::verify;
pub use migrate::{Migrator, Settings, history};
