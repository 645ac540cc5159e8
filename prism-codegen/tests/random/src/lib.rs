//! The crates that the generator makes of random schemas, as modules. They compile without a
//! warning, and what they serve is what their `.proto` files say: `tests/` calls them.
//!
//! More of them, from another seed on:
//!
//! ```text
//! PRISM_RANDOM_SEED=1000 PRISM_RANDOM_SCHEMAS=200 cargo test -p random-schemas
//! ```
#![deny(warnings)]
#![allow(missing_docs)]

use prism_runtime::codegen::schema::{Entity, Service};
use prism_runtime::{Schema, codegen};

/// A generated crate.
pub struct Compiled {
    /// What made its schema.
    pub seed: u64,
    /// Where its files are; those of the schema below `proto`.
    pub folder: &'static str,
    /// What it serves.
    pub schema: fn() -> Schema,
    /// What its types say of its entities.
    pub entities: &'static [fn() -> &'static Entity],
    /// What its code says of its services.
    pub services: &'static [fn() -> &'static Service],
}

include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

#[path = "generator/random.rs"]
mod random;

pub use random::Random;
