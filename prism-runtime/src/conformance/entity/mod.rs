//! Typed services: what every entity backend must do.
//!
//! A backend's crate calls [`entity_conformance!`](crate::entity_conformance) in a test file with
//! a function that opens an empty store; each scenario becomes a test of its own.

// This is test code, which the crate exports.
#![allow(clippy::unwrap_used)]

mod harness;
mod machine;
mod model;
mod scenarios;
pub mod schema;
mod typed;

pub use harness::{Factory, Harness, Opened};
pub use machine::{concurrent_sequences, random_sequences};
pub use scenarios::*;

/// Makes a test of every scenario for a backend.
///
/// The argument is a [`Factory`]: a function that takes entities and opens an empty backend with
/// their tables.
#[macro_export]
macro_rules! entity_conformance {
    ($factory:expr) => {
        $crate::entity_conformance! { @tests $factory;
            reads create_and_defaults managed_ids put update_masks update_access oneofs
            etags soft_delete hard_delete expiry retention unique_fields request_ids batches
            list_orders list_conditions list_pages list_tokens page_bytes sizes_and_keys
            every_value times_and_ranges keys_with_times keys_with_durations
            immutable_json access_rules json_storage
        }

        #[test]
        fn random_sequences() {
            $crate::conformance::entity::random_sequences(&$factory);
        }

        #[test]
        fn concurrent_sequences() {
            $crate::conformance::entity::concurrent_sequences(&$factory);
        }
    };
    (@tests $factory:expr; $($scenario:ident)*) => {$(
        #[test]
        fn $scenario() {
            let harness = $crate::conformance::entity::Harness::new(&$factory);
            harness.block_on($crate::conformance::entity::$scenario(&harness));
        }
    )*};
}
