//! PostgreSQL, and what speaks its dialect.

mod index;
mod lock;
mod migrate;
pub(crate) mod query;

pub use migrate::{Migrator, Settings};
