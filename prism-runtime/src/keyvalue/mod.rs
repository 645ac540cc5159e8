//! The built-in `prism.keyvalue.v1.KeyValueService`.
//!
//! `validate` turns a request into a command or into violations, `decide` says what a command does
//! to an item, a store executes it. Reads fill a [`page::PageRead`] straight from the store's rows.

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
