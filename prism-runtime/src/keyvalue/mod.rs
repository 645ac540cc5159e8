//! The built-in `prism.keyvalue.v1.KeyValueService`.
//!
//! `validate` turns a request into a command or into violations, `decide` says what a command does
//! to an item, a store executes it. Reads fill a [`page::PageRead`] straight from the store's rows.
//!
//! Where the contract leaves room, this is what holds:
//!
//! - A deleted or expired item is not stored as far as `match_all` and `match_range` of a Delete
//!   are concerned: it stays remembered with the token that it has. A key that is named is
//!   remembered with the new token in any case.
//! - A TTL counts from the time that the client's token says; without one from the write, even
//!   where the token that the server took is ahead of its clock.
//! - An item with a TTL that ends after its token has become too old to be used is removed when it
//!   expires, others when their token is too old; both [`SWEEP_MARGIN`] later.
//! - A first write is one that stores something: a CompareAndSwap that fails, or a Delete that
//!   covers nothing, makes no namespace.
//! - A namespace that is not declared has its place among `keyvalue.max_namespaces` until nothing
//!   is stored in it, and deletes are: ten thousand Puts and Deletes of one byte take ten thousand
//!   places for as long as the deletes are remembered (`keyvalue.tombstone_hours`). The next sweep
//!   after that gives them back.
//! - A Delete is made all or none, for reads and for a server that is killed. On SQLite one whose
//!   predicate covers 2,000 items, 8 MiB of values or more is written in parts: the first one makes
//!   it, other records are written between them, writes to the same record wait for the last one, and
//!   the response comes after it. Elsewhere it is one transaction, or one hold of the lock.
//! - What is too long or too many is VALUE_TOO_LARGE, what is empty or too few INVALID_REQUEST.
//! - A scan that finds nothing answers once, with an empty response.

mod batch;
mod descriptor;
mod options;
mod read;
mod service;
mod sweep;
mod validate;

pub mod decide;
pub mod limits;
pub mod page;
pub mod selection;

pub use options::Options;
pub use service::KeyValue;
pub use sweep::{SWEEP_MARGIN, sweep};
pub(crate) use validate::fault_of_namespace;
