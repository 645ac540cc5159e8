//! Stores: where records and key-value items live.
//!
//! Each driver is a folder with the same file names as its neighbours. What a call means
//! (visibility, etags, tokens, expiry) is decided by pure functions in [`crate::entity`] and
//! [`crate::keyvalue`]; a driver reads, asks, and writes, in one transaction.

mod error;
mod future;
mod migration;
mod readiness;

pub mod entity;
pub mod keyvalue;
pub mod memory;
pub mod postgres;
pub mod sqlite;

pub use future::StoreFuture;
pub use migration::Migration;
pub use readiness::Readiness;
