//! Decisions that the conformance suite's entities do not lead to.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use prism_runtime::Reason;
use prism_runtime::conformance::entity::schema;
use prism_runtime::entity::decide::{Action, Change, Command, Mask, RequestPath, Source, decide};
use prism_runtime::entity::layout::Layout;
use prism_runtime::entity::record::{Record, absent};
use prism_runtime::schema::{Access, Value};
use prism_runtime::violations::Violations;

const NOW: i64 = 1_000_000;

/// Orders in which the members of the oneof have this access.
fn layout(card: Access) -> Layout {
    let mut entity = schema::order(&schema::pool());
    entity.columns.iter_mut().find(|column| column.field == "card").unwrap().access = card;
    Layout::new(entity)
}

fn record(layout: &Layout, fields: &[(&str, Value)]) -> Record {
    let mut values: Vec<Value> = layout.entity.columns.iter().map(absent).collect();
    for (field, value) in fields {
        let at = layout.entity.columns.iter().position(|column| column.field == *field).unwrap();
        values[at] = value.clone();
    }
    Record(values)
}

fn value<'a>(layout: &Layout, record: &'a Record, field: &str) -> &'a Value {
    let at = layout.entity.columns.iter().position(|column| column.field == field).unwrap();
    &record.0[at]
}

fn command(action: Action) -> Command {
    Command {
        action,
        expected_etag: None,
        new_etag: "new".to_owned(),
        now_micros: NOW,
        source: Source::Caller,
        entity: RequestPath { number: 1, path: "order".into() },
        if_created: Violations::default(),
        mask: RequestPath { number: 2, path: "update_mask".into() },
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn an_immutable_member_of_a_oneof_is_not_displaced() {
    let layout = layout(Access::Immutable);
    let key = [("customer_id", text("c")), ("order_id", text("o"))];
    let current = record(&layout, &[&key[..], &[("card", text("visa"))]].concat());
    let other = record(&layout, &[&key[..], &[("invoice", Value::Int(1))]].concat());
    let position = layout.entity.columns.iter().position(|c| c.field == "invoice").unwrap();
    for (action, path) in [
        (Action::Put(other.clone()), "order.card"),
        (
            Action::Update { record: other.clone(), mask: Mask::All, allow_missing: false },
            "update_mask.paths[0]",
        ),
        (
            Action::Update {
                record: other,
                mask: Mask::Fields(vec![(position, 3)]),
                allow_missing: false,
            },
            "update_mask.paths[3]",
        ),
    ] {
        let error = decide(&layout, &command(action), Some(&current)).unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidRequest);
        assert_eq!(error.violations()[0].field, path);
    }
    let same = decide(&layout, &command(Action::Put(current.clone())), Some(&current)).unwrap();
    assert_eq!(value(&layout, same.written().unwrap(), "card"), &text("visa"));
}

#[test]
fn an_output_only_member_of_a_oneof_gives_way() {
    let layout = layout(Access::OutputOnly);
    let key = [("customer_id", text("c")), ("order_id", text("o"))];
    let current = record(&layout, &[&key[..], &[("card", text("visa"))]].concat());
    let other = record(&layout, &[&key[..], &[("invoice", Value::Int(1))]].concat());
    let put = decide(&layout, &command(Action::Put(other)), Some(&current)).unwrap();
    assert_eq!(value(&layout, put.written().unwrap(), "card"), &Value::Null);
    assert_eq!(value(&layout, put.written().unwrap(), "invoice"), &Value::Int(1));
    let none = record(&layout, &key);
    let put = decide(&layout, &command(Action::Put(none)), Some(&current)).unwrap();
    assert_eq!(value(&layout, put.written().unwrap(), "card"), &text("visa"));
}

#[test]
fn an_update_writes_the_columns_of_its_mask_and_what_every_write_changes() {
    let layout = layout(Access::Unrestricted);
    let key = [("customer_id", text("c")), ("order_id", text("o"))];
    let current = record(&layout, &[&key[..], &[("card", text("visa"))]].concat());
    let sent = record(&layout, &[&key[..], &[("invoice", Value::Int(1))]].concat());
    let position =
        |field: &str| layout.entity.columns.iter().position(|c| c.field == field).unwrap();
    let mask = Mask::Fields(vec![(position("invoice"), 0), (position("score"), 1)]);
    let action = Action::Update { record: sent, mask, allow_missing: false };
    let change = decide(&layout, &command(action), Some(&current)).unwrap();
    let Change::Update { columns, .. } = change else { panic!("{change:?}") };
    let names: Vec<&str> =
        columns.iter().map(|&column| layout.entity.columns[column].field.as_str()).collect();
    assert_eq!(names, ["update_time", "etag", "card", "invoice"]);
}

/// Orders in which the oneof has so many members, all of which an update names; and how long such
/// an update takes to be decided.
fn time_of_a_wide_mask(members: u32) -> Duration {
    let mut entity = schema::order(&schema::pool());
    let card = entity.columns.iter().find(|column| column.field == "card").unwrap().clone();
    for n in 0..members {
        let mut member = card.clone();
        (member.number, member.field) = (1_000 + n, format!("card_{n}"));
        entity.columns.push(member);
    }
    let layout = Layout::new(entity);
    let key = [("customer_id", text("c")), ("order_id", text("o"))];
    let current = record(&layout, &key);
    let mut sent = record(&layout, &key);
    let first = layout.entity.columns.len() - members as usize;
    let named = (first..layout.entity.columns.len()).map(|position| (position, 0)).collect();
    sent.0[first] = text("visa");
    let action = Action::Update { record: sent, mask: Mask::Fields(named), allow_missing: false };
    let command = command(action);
    let started = Instant::now();
    let change = decide(&layout, &command, Some(&current)).unwrap();
    let took = started.elapsed();
    assert!(matches!(change, Change::Update { columns, .. } if columns.len() > members as usize));
    took
}

/// Eight times the fields take about eight times as long, not sixty-four times.
#[test]
fn a_decision_grows_as_the_mask_does() {
    let best = |members| (0..9).map(|_| time_of_a_wide_mask(members)).min().unwrap();
    let (narrow, wide) = (best(1_000), best(8_000));
    assert!(wide < narrow * 32, "{narrow:?} for 1,000 fields, {wide:?} for 8,000");
}
