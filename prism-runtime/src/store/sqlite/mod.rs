//! The embedded SQLite store.
//!
//! Reads run inline on a connection of the calling thread. Writes go to one writer thread, which
//! commits all that wait together and answers after the COMMIT. A third kind of thread copies the
//! write-ahead log back into the database, so that no write waits for that.

mod checkpoint;
mod condition;
mod connection;
mod covered;
mod database;
mod entity;
mod error;
mod files;
mod keyvalue;
mod local;
mod lock;
mod log;
mod open_error;
mod options;
mod parts;
mod readers;
mod sweep;
mod unfinished;
mod writer;

pub use database::Database;
pub use entity::SqliteEntities;
pub use keyvalue::KeyValue;
pub use open_error::OpenError;
pub use options::{Options, Synchronous};
