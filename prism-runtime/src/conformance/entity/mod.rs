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
mod wide;

pub use harness::{Factory, Harness, Opened};
pub use machine::{concurrent_sequences, random_sequences};
pub use scenarios::*;
pub use wide::json_random;

/// Makes a test of every scenario for a backend.
///
/// The argument is a [`Factory`]: a function that takes entities and opens an empty backend with
/// their tables.
#[macro_export]
macro_rules! entity_conformance {
    ($factory:expr) => {
        $crate::entity_conformance! { @tests $factory;
            reads read_snapshots create_and_defaults managed_ids put update_masks long_masks
            record_bytes update_access oneofs batches_of_the_service
            etags soft_delete hard_delete expiry sweeps_beside_writes retention unique_fields
            request_ids batches
            list_orders list_ties list_conditions list_pages list_tokens list_violations page_bytes
            sizes_and_keys every_value times_and_ranges keys_with_times keys_with_durations finer_bounds
            immutable_json
            access_rules json_storage required_fields
            violations_together sizes_of_requests texts_with_nul
            json_forms json_depth json_unreadable json_newer_writes
            long_json long_json_kept long_json_immutable long_json_batches
        }

        #[test]
        fn json_random() {
            $crate::conformance::entity::json_random(&$factory);
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
