//! Which index serves a list.
#![allow(clippy::unwrap_used)]

mod support;

use prism_schema::IndexColumn;
use prism_schema::plan::{
    Access, Comparison, Condition, order_text, orders as served_orders, plan, serves, unserved,
};
use support::{logs, orders};

const CUSTOMER: Condition = always(1, Comparison::Equals);

const fn always(field: u32, comparison: Comparison) -> Condition {
    Condition { field, comparison, always: true }
}

const fn sometimes(field: u32, comparison: Comparison) -> Condition {
    Condition { field, comparison, always: false }
}

fn order(terms: &[(u32, bool)]) -> Vec<IndexColumn> {
    terms.iter().map(|&(number, descending)| IndexColumn { number, descending }).collect()
}

#[test]
fn a_condition_is_served_behind_equalities_that_always_hold() {
    let entity = orders();
    use Comparison::{AnyOf, AtLeast, Equals, LessThan, Prefix};
    let served = |conditions: &[Condition]| unserved(&entity, conditions).is_empty();
    assert!(served(&[CUSTOMER]));
    assert!(served(&[CUSTOMER, sometimes(2, AtLeast), sometimes(3, AnyOf)]));
    assert!(served(&[CUSTOMER, always(3, Equals), sometimes(4, LessThan)]));
    assert!(served(&[sometimes(5, Prefix), sometimes(6, Equals)]));
    // The column before it is not fixed, or not in every request, or not by an equality.
    assert_eq!(unserved(&entity, &[sometimes(2, Equals)]), [0]);
    assert_eq!(unserved(&entity, &[sometimes(1, Equals), always(2, Equals)]), [1]);
    assert_eq!(unserved(&entity, &[CUSTOMER, always(3, AnyOf), always(4, Equals)]), [2]);
    assert_eq!(unserved(&entity, &[CUSTOMER, sometimes(3, Equals), always(4, Equals)]), [2]);
    assert_eq!(unserved(&entity, &[CUSTOMER, always(7, Equals)]), [1]);
    let conditions = [CUSTOMER, sometimes(3, Equals)];
    assert_eq!(serves(&entity, &conditions, &conditions[0]), Some(Access::Key));
    assert_eq!(serves(&entity, &conditions, &conditions[1]), Some(Access::Index(0)));
}

#[test]
fn an_order_is_the_rest_of_an_index_as_declared_or_reversed() {
    let entity = orders();
    let text = |holding: &[Condition], asked: &[(u32, bool)]| {
        plan(&entity, holding, &order(asked)).map(|plan| order_text(&entity, &plan.order))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(text(&[], &[]), some("customer, id"));
    assert_eq!(text(&[CUSTOMER], &[]), some("id"));
    assert_eq!(text(&[CUSTOMER], &[(3, false)]), some("status, id"));
    assert_eq!(text(&[CUSTOMER], &[(3, true)]), some("status desc, id desc"));
    assert_eq!(text(&[CUSTOMER], &[(3, true), (4, false)]), some("status desc, total, id desc"));
    assert_eq!(text(&[CUSTOMER], &[(3, false), (4, false)]), None);
    assert_eq!(text(&[CUSTOMER], &[(4, true)]), None);
    let status = always(3, Comparison::Equals);
    assert_eq!(text(&[CUSTOMER, status], &[(4, true)]), some("total desc, id"));
    assert_eq!(
        text(&[CUSTOMER, status], &[(1, true), (3, false), (4, false)]),
        some("total, id desc")
    );
    assert_eq!(text(&[], &[(5, true)]), some("note desc, customer desc, id desc"));
    assert_eq!(text(&[], &[(3, false)]), None);
    let range = [CUSTOMER, always(3, Comparison::AtLeast)];
    assert_eq!(text(&range, &[(4, true)]), None, "a range fixes nothing");
}

#[test]
fn an_order_may_name_the_parts_of_the_key_that_break_its_ties() {
    let entity = orders();
    let text = |holding: &[Condition], asked: &[(u32, bool)]| {
        plan(&entity, holding, &order(asked)).map(|plan| order_text(&entity, &plan.order))
    };
    for (asked, served) in [
        (&[(5, false), (2, false)][..], Some("note, id")),
        (&[(5, true), (2, true)], Some("note desc, id desc")),
        (&[(5, true), (2, false)], None),
        (&[(5, false), (2, true)], None),
        (&[(3, false), (4, true), (2, false)], Some("status, total desc, id")),
        (&[(3, true), (4, false), (2, true)], Some("status desc, total, id desc")),
        (&[(3, false), (4, true), (2, true)], None),
        (&[(3, false), (2, false)], Some("status, id")),
        (&[(3, false), (1, true), (2, false)], Some("status, id")),
        (&[(3, false), (2, false), (4, true)], None),
        (&[(2, false), (5, false)], None),
    ] {
        assert_eq!(text(&[CUSTOMER], asked).as_deref(), served, "{asked:?}");
    }
    let all = [(5, false), (1, false), (2, false)];
    assert_eq!(text(&[], &all).as_deref(), Some("note, customer, id"));
    assert_eq!(text(&[], &[(5, false), (2, false)]), None, "the key's parts are in its order");
}

#[test]
fn the_orders_that_are_served_can_be_named() {
    let entity = orders();
    assert_eq!(
        served_orders(&entity, &[CUSTOMER]),
        ["id", "status, total desc, id", "note, id", "code, id"]
    );
    assert_eq!(
        served_orders(&entity, &[]),
        [
            "customer, id",
            "customer, status, total desc, id",
            "note, customer, id",
            "code, customer, id",
        ]
    );
    assert_eq!(served_orders(&logs(), &[always(1, Comparison::Equals)]), [""; 0]);
}

#[test]
fn the_access_with_most_bounds_is_chosen_and_the_rest_filters() {
    let entity = orders();
    let status = sometimes(3, Comparison::Equals);
    let note = sometimes(5, Comparison::Prefix);
    let chosen = plan(&entity, &[CUSTOMER, note, status], &[]).unwrap();
    assert_eq!((chosen.access, chosen.bounds), (Access::Index(0), vec![0, 2]));
    assert_eq!(chosen.access.name(&entity), "by_status");
    let chosen = plan(&entity, &[CUSTOMER], &[]).unwrap();
    assert_eq!(chosen.access, Access::Key);
    let chosen = plan(&entity, &[CUSTOMER, note], &order(&[(5, false)])).unwrap();
    assert_eq!((chosen.access, chosen.bounds), (Access::Index(1), vec![1]));
}
