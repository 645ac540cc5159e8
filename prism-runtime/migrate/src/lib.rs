//! Migrations of a live database: which are applied, applying the rest, and whether the result is
//! what the schema says.
//!
//! The server does this when it starts, the `prism migrate` command at any time. The user's
//! migrations are tracked in sqlx's table, `_sqlx_migrations`, with its checksums and under its
//! advisory lock, so that `sqlx migrate` works on the same files and the same database; Prism's
//! own tables are tracked beside it, in `prism_migrations`.
//!
//! What does not depend on the database is decided by pure functions: [`check`] compares the
//! applied migrations with the known ones, [`verify`] the tables with the model. A folder a
//! database executes it.

pub mod check;
mod database;
mod error;
pub mod json;
mod migration;
mod own;
mod place;
pub mod postgres;
pub mod rewrite;
pub mod sqlite;
mod statement;
pub mod verify;

pub use database::{Access, Database};
pub use error::{Cause, Error};
pub use migration::Migration;
pub use place::{Place, PlaceError, Servers, is_memory};
