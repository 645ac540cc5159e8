//! Which index serves a list.
#![allow(clippy::unwrap_used)]

mod support;

use prism_schema::plan::{
    Access, Comparison, Condition, ServedOrder, order_text, orders as served_orders, plan, serves,
    unserved,
};
use prism_schema::sql::Visibility;
use prism_schema::{Cardinality, Entity, IndexColumn};
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
    let served =
        |conditions: &[Condition]| unserved(&entity, conditions, Visibility::Kept).is_empty();
    assert!(served(&[CUSTOMER]));
    assert!(served(&[CUSTOMER, sometimes(2, AtLeast), sometimes(3, AnyOf)]));
    assert!(served(&[CUSTOMER, always(3, Equals), sometimes(4, LessThan)]));
    assert!(served(&[sometimes(5, Prefix), sometimes(2, Equals), CUSTOMER]));
    // A unique index has no deleted records.
    assert!(unserved(&entity, &[sometimes(6, Equals)], Visibility::Live).is_empty());
    assert_eq!(unserved(&entity, &[sometimes(6, Equals)], Visibility::Kept), [0]);
    // The column before it is not fixed, or not in every request, or not by an equality.
    assert_eq!(unserved(&entity, &[sometimes(2, Equals)], Visibility::Live), [0]);
    assert_eq!(
        unserved(&entity, &[sometimes(1, Equals), always(2, Equals)], Visibility::Live),
        [1]
    );
    assert_eq!(
        unserved(&entity, &[CUSTOMER, always(3, AnyOf), always(4, Equals)], Visibility::Live),
        [2]
    );
    assert_eq!(
        unserved(&entity, &[CUSTOMER, sometimes(3, Equals), always(4, Equals)], Visibility::Live),
        [2]
    );
    assert_eq!(unserved(&entity, &[CUSTOMER, always(7, Equals)], Visibility::Live), [1]);
    let conditions = [CUSTOMER, sometimes(3, Equals)];
    assert_eq!(serves(&entity, &conditions, &conditions[0], Visibility::Live), Some(Access::Key));
    assert_eq!(
        serves(&entity, &conditions, &conditions[1], Visibility::Live),
        Some(Access::Index(0))
    );
}

/// The whole order of a list that asks for one, as far as it is served.
fn text(entity: &Entity, holding: &[Condition], asked: &[(u32, bool)]) -> Option<String> {
    let plan = plan(entity, holding, &order(asked), Visibility::Live)?;
    Some(order_text(entity, &plan.order))
}

#[test]
fn an_order_is_the_rest_of_an_index_as_declared_or_reversed() {
    let entity = orders();
    let text = |holding: &[Condition], asked: &[(u32, bool)]| text(&entity, holding, asked);
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(text(&[], &[]), some("customer, id"));
    assert_eq!(text(&[CUSTOMER], &[]), some("id"));
    // The columns that are not named follow as in the index, which a page then reads on in.
    assert_eq!(text(&[CUSTOMER], &[(3, false)]), some("status, total desc, id"));
    assert_eq!(text(&[CUSTOMER], &[(3, true)]), some("status desc, total, id desc"));
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
    assert_eq!(text(&range, &[(3, false)]), some("status, total desc, id"));
}

#[test]
fn an_order_names_the_parts_of_the_key_where_the_index_has_them() {
    let entity = orders();
    for (holding, asked, served) in [
        (&[][..], &[(5, false), (1, false)][..], Some("note, customer, id")),
        (&[], &[(5, false), (1, false), (2, false)], Some("note, customer, id")),
        (&[], &[(5, true), (1, true), (2, true)], Some("note desc, customer desc, id desc")),
        (&[], &[(5, true), (1, false)], None),
        (&[], &[(5, false), (2, false)], None),
        (&[CUSTOMER], &[(3, false), (4, true), (2, false)], Some("status, total desc, id")),
        (&[CUSTOMER], &[(3, true), (4, false), (2, true)], Some("status desc, total, id desc")),
        (&[CUSTOMER], &[(3, false), (1, true), (4, true)], Some("status, total desc, id")),
        (&[CUSTOMER], &[(3, false), (4, true), (2, true)], None),
        (&[CUSTOMER], &[(3, false), (2, false)], None),
        (&[CUSTOMER], &[(3, false), (2, false), (4, true)], None),
        (&[CUSTOMER], &[(2, false), (5, false)], None),
    ] {
        assert_eq!(text(&entity, holding, asked).as_deref(), served, "{holding:?} {asked:?}");
    }
}

#[test]
fn an_order_is_not_served_if_a_condition_only_filters() {
    let entity = orders();
    let status = sometimes(3, Comparison::Equals);
    assert_eq!(text(&entity, &[CUSTOMER], &[(5, false)]), None, "by_note begins with the note");
    assert_eq!(text(&entity, &[CUSTOMER, status], &[(2, true)]), None);
    // The list's own order is always served, by a sort or a filter if need be.
    let chosen = plan(&entity, &[CUSTOMER, status], &order(&[(2, false)]), Visibility::Live);
    let chosen = chosen.unwrap();
    assert_eq!((chosen.access, chosen.ordered, chosen.index()), (Access::Index(0), false, None));
    let several = always(5, Comparison::AnyOf);
    assert_eq!(text(&entity, &[several], &[(5, false)]), None);
    assert_eq!(text(&entity, &[several], &[]).as_deref(), Some("customer, id"));
}

#[test]
fn a_unique_index_orders_what_it_holds_once() {
    let mut entity = orders();
    let code = |comparison| always(6, comparison);
    assert_eq!(text(&entity, &[], &[(6, false)]), None, "many codes may be NULL");
    let range = [code(Comparison::AtLeast)];
    assert_eq!(text(&entity, &range, &[(6, true)]).as_deref(), Some("code desc"));
    assert_eq!(text(&entity, &range, &[(6, false), (1, false)]), None);
    let kept = plan(&entity, &range, &order(&[(6, false)]), Visibility::Kept);
    assert_eq!(kept, None, "deleted records are not in it");
    let one = plan(&entity, &[CUSTOMER, code(Comparison::Equals)], &[], Visibility::Live).unwrap();
    assert_eq!((one.access, one.order, one.ordered), (Access::Index(2), vec![], true));
    entity.columns[5].cardinality = Cardinality::Implicit;
    assert_eq!(text(&entity, &[], &[(6, false)]).as_deref(), Some("code"));
    entity.columns[5].access = prism_schema::Access::InputOnly;
    assert_eq!(text(&entity, &[], &[(6, false)]), None, "no answer shows it");
}

fn served(entity: &Entity, holding: &[Condition]) -> Vec<String> {
    let text = |served: &ServedOrder| {
        let one_way = if served.reversible { "" } else { "!" };
        order_text(entity, &served.order) + one_way
    };
    served_orders(entity, holding, Visibility::Live).iter().map(text).collect()
}

#[test]
fn the_orders_that_are_served_can_be_named() {
    let entity = orders();
    assert_eq!(served(&entity, &[CUSTOMER]), ["id", "status, total desc, id"]);
    assert_eq!(
        served(&entity, &[]),
        ["customer, id", "customer, status, total desc, id", "note, customer, id"]
    );
    let status = sometimes(3, Comparison::Equals);
    assert_eq!(served(&entity, &[CUSTOMER, status]), ["id!", "total desc, id"]);
    assert_eq!(served(&logs(), &[always(1, Comparison::Equals)]), [""; 0]);
}

#[test]
fn the_access_with_most_bounds_is_chosen_and_the_rest_filters() {
    let entity = orders();
    let status = sometimes(3, Comparison::Equals);
    let note = sometimes(5, Comparison::Prefix);
    let chosen = plan(&entity, &[CUSTOMER, note, status], &[], Visibility::Live).unwrap();
    assert_eq!((chosen.access, chosen.bounds), (Access::Index(0), vec![0, 2]));
    assert_eq!(chosen.access.name(&entity), "by_status");
    let chosen = plan(&entity, &[CUSTOMER], &[], Visibility::Live).unwrap();
    assert_eq!((chosen.access, chosen.ordered), (Access::Key, true));
    let chosen = plan(&entity, &[note], &order(&[(5, false)]), Visibility::Live).unwrap();
    assert_eq!((chosen.access, chosen.bounds), (Access::Index(1), vec![0]));
}
