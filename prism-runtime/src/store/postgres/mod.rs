//! The Postgres store.
//!
//! A database has a thread of its own, on which every connection lives: a call hands its work over
//! and awaits the answer, so that a caller that goes away never leaves a connection halfway: what
//! nobody waits for is cancelled on the server (`control`), and only then used again. A
//! write is one transaction, made again where Postgres says that another one was in its way.
//! Gets and writes that come together share statements: see `lane`.

mod admission;
mod answer;
mod connection;
mod control;
mod current;
mod database;
mod entity;
mod error;
mod get;
mod items;
mod keyvalue;
mod lane;
mod lookup;
mod open_error;
mod options;
mod page;
mod pool;
mod put;
mod record;
mod requests;
mod rows;
mod session;
mod table;
mod value;
mod write;

pub use database::Database;
pub use entity::PostgresEntities;
pub use keyvalue::KeyValue;
pub use open_error::OpenError;
pub use options::Options;
