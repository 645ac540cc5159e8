//! PostgreSQL, and what speaks its dialect.

mod index;
mod introspect;
mod lock;
mod migrate;
mod query;

pub use introspect::verify;
pub use migrate::{Migrator, Settings};
