//! SQLite.

mod migrate;

pub use migrate::Migrator;
