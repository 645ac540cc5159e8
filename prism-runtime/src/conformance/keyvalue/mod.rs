//! Key-value: a scenario for each rule of the contract, and random sequences against a model.
//!
//! ```ignore
//! prism_runtime::keyvalue_conformance!(async || Fixture::new(Arc::new(memory::KeyValue::new())));
//! ```

mod harness;
mod model;

pub mod batches;
pub mod concurrency;
pub mod deletes;
pub mod lifetimes;
pub mod pages;
pub mod places;
pub mod predicates;
pub mod puts;
pub mod refusals;
pub mod scans;
pub mod sequences;
pub mod snapshots;
pub mod swaps;

pub use harness::{Fixture, Harness};

/// Runs a scenario on a runtime of its own.
#[doc(hidden)]
pub fn run<F, S>(make: F, scenario: S)
where
    F: AsyncFn() -> Fixture,
    S: AsyncFnOnce(Harness),
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { scenario(Harness::new(make().await)).await });
}

/// A test for each scenario of the suite, on the backend that `$make`, an async closure that
/// answers a [`Fixture`] with an empty store, sets up.
#[macro_export]
macro_rules! keyvalue_conformance {
    ($make:expr) => {
        $crate::keyvalue_conformance! { @tests $make;
            puts: what_was_put_is_read,
                empty_keys_and_values_are_items,
                items_of_every_size_survive,
                metadata_is_read_back,
                server_times_in_a_request_are_ignored,
                overwriting_keeps_the_created_time,
                overwriting_replaces_metadata,
                a_larger_token_wins,
                a_smaller_token_loses_silently,
                with_equal_tokens_the_first_stays,
                a_write_without_a_token_wins,
                a_write_without_a_token_wins_when_the_clock_goes_back,
                records_and_namespaces_are_apart;
            deletes: named_keys_are_deleted_and_counted,
                a_predicate_deletes_what_it_covers,
                match_all_deletes_the_record,
                a_delete_with_the_same_token_wins,
                a_delete_with_a_smaller_token_loses,
                a_late_put_does_not_bring_a_deleted_item_back,
                a_named_key_that_is_absent_is_remembered,
                a_key_that_a_range_covers_but_is_absent_is_not_remembered,
                a_delete_without_a_token_wins,
                an_item_put_after_its_delete_is_new,
                a_delete_of_many_items_reaches_all,
                a_delete_of_very_many_items_is_before_or_after_a_put;
            lifetimes: an_item_expires_after_its_token_and_ttl,
                without_a_token_the_ttl_counts_from_the_write,
                an_expired_item_counts_as_a_delete_with_its_token,
                an_expired_item_does_not_exist_for_anyone,
                overwriting_an_expired_item_makes_a_new_one,
                a_huge_ttl_is_kept_and_never_expires,
                a_sweep_removes_what_is_of_no_use,
                a_sweep_keeps_what_must_be_remembered,
                a_sweep_is_bounded;
            predicates: an_absent_predicate_is_all,
                match_keys_finds_each_once_in_key_order,
                a_range_is_half_open,
                a_range_that_ends_before_it_starts_is_empty,
                a_range_may_end_behind_the_longest_key,
                keys_are_ordered_byte_by_byte;
            pages: a_limit_ends_a_page_and_the_token_continues,
                a_limit_that_the_rest_just_fills_leaves_no_token,
                a_page_ends_at_its_size,
                an_item_larger_than_a_page_is_one,
                the_limit_is_not_bound_by_the_token,
                a_token_of_another_request_is_refused,
                a_forged_or_expired_token_is_refused,
                deleted_and_expired_items_do_not_end_a_page,
                a_page_goes_on_after_its_last_item,
                a_page_of_many_small_items_is_whole;
            scans: a_scan_finds_every_record_with_its_items_together,
                a_scan_of_one_record,
                a_scan_with_a_predicate,
                a_scan_of_nothing_answers_once,
                a_limit_is_one_of_the_whole_scan,
                a_scan_goes_on_where_it_broke_off,
                a_scan_goes_on_after_its_last_item,
                responses_of_a_scan_end_at_their_size,
                the_order_of_a_scan_is_stable,
                a_scan_that_is_not_read_holds_nothing,
                an_item_written_meanwhile_is_never_seen_twice,
                a_sparse_scan_finds_what_there_is;
            swaps: a_swap_replaces_what_it_expects,
                a_failed_swap_tells_the_current_value,
                a_swap_that_expects_nothing_creates,
                a_swap_without_a_new_value_deletes,
                a_swap_leaves_a_tombstone,
                a_swap_with_neither_value_changes_nothing,
                a_swap_wins_over_tokens_ahead_of_the_clock,
                an_empty_value_is_not_an_absent_one;
            batches: a_batch_writes_every_record,
                a_part_that_fails_does_not_fail_the_others,
                a_part_is_whole_or_not_at_all,
                an_id_given_twice_fails_the_call,
                errors_of_parts_name_reason_and_field,
                a_batch_fails_for_its_namespace_and_size;
            refusals: namespaces,
                reserved_and_foreign_namespaces,
                declared_namespaces,
                the_number_of_undeclared_namespaces,
                ids,
                keys_and_values,
                counts_and_repeats,
                negative_numbers,
                predicates_that_say_nothing,
                what_a_delete_must_say,
                tokens_out_of_range,
                every_violation_is_reported,
                violations_are_in_the_order_of_the_request,
                sizes_alone_are_value_too_large,
                malformed_messages,
                refused_writes_write_nothing;
            places: a_namespace_that_contains_nothing_gives_its_place_back,
                a_namespace_that_is_written_again_takes_a_place_again,
                a_namespace_that_contains_something_keeps_its_place,
                places_of_many_namespaces_are_given_back,
                what_stores_nothing_takes_no_place,
                a_first_write_beside_a_sweep_has_its_place;
            concurrency: swaps_count_every_success_once,
                writes_with_tokens_end_in_the_same_state_in_any_order,
                a_read_sees_a_record_whole,
                reads_at_the_same_time_do_not_mix,
                writes_without_tokens_never_tie;
            snapshots: a_page_of_many_items_is_one_snapshot,
                a_page_of_large_items_is_one_snapshot,
                a_page_of_very_many_items_is_one_snapshot,
                a_page_with_few_items_among_many_rows_is_one_snapshot,
                a_second_page_is_one_snapshot,
                a_response_of_a_scan_is_one_snapshot,
                a_delete_of_very_many_items_is_seen_whole;
            sequences: random_sequences_match_the_model,
                concurrent_writes_end_in_the_state_of_the_model;
        }
    };
    (@tests $make:expr; $($module:ident: $($scenario:ident),+;)+) => {
        $(mod $module {
            #[allow(unused_imports)]
            use super::*;
            $(#[test]
            fn $scenario() {
                $crate::keyvalue_conformance!(@run $make, $module, $scenario);
            })+
        })+
    };
    (@run $make:expr, sequences, $scenario:ident) => {
        $crate::conformance::keyvalue::sequences::$scenario($make)
    };
    (@run $make:expr, $module:ident, $scenario:ident) => {
        $crate::conformance::keyvalue::run(
            $make,
            $crate::conformance::keyvalue::$module::$scenario,
        )
    };
}
