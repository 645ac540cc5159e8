//! SQLite.

mod introspect;
mod migrate;

pub use introspect::verify;
pub use migrate::Migrator;
