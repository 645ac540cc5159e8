//! SQLite finds the records of a list the way that the plan says: through the index, in its
//! order, without a sort.
#![allow(clippy::unwrap_used)]

use prism_runtime::conformance::entity::schema;
use prism_runtime::schema::plan::{Comparison, Condition, plan};
use prism_runtime::schema::sql::{Dialect, ListShape, Shape, Statements, Visibility, ddl};
use prism_runtime::schema::{Entity, IndexColumn};

/// What SQLite does for a list with these equalities and this order.
fn explained(entity: &Entity, equal: &[&str], order: &[(&str, bool)]) -> String {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    for step in ddl::create(entity) {
        connection.execute_batch(&step.render(Dialect::Sqlite)).unwrap();
    }
    let number = |field: &str| entity.column_of_field(field).unwrap().number;
    let holding: Vec<Condition> = equal
        .iter()
        .map(|field| Condition {
            field: number(field),
            comparison: Comparison::Equals,
            always: true,
        })
        .collect();
    let asked: Vec<IndexColumn> = order
        .iter()
        .map(|&(field, descending)| IndexColumn { number: number(field), descending })
        .collect();
    let plan = plan(entity, &holding, &asked, Visibility::Live).unwrap();
    let shapes = holding.iter().map(Shape::usual).collect();
    let shape = ListShape::first(shapes, &plan, Visibility::Live);
    let statement = Statements::new(entity, Dialect::Sqlite).list(&shape);
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let parameters = vec![rusqlite::types::Value::Integer(1); statement.parameters.len()];
    let rows = explain.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3)).unwrap();
    rows.map(Result::<String, _>::unwrap).collect::<Vec<_>>().join("; ")
}

#[test]
fn lists_use_the_index_that_was_planned() {
    let orders = schema::order(&schema::pool());
    for (equal, order, index) in [
        (&["customer_id"][..], &[][..], "PRIMARY KEY (customer_id=?)"),
        (&["customer_id"], &[("order_id", true)], "PRIMARY KEY (customer_id=?)"),
        (&["customer_id", "status"], &[("total", true)], "orders_by_status"),
        (&["customer_id"], &[("status", false), ("total", true)], "orders_by_status"),
        (&["customer_id"], &[("note", false), ("order_id", false)], "orders_by_note"),
        (&["customer_id"], &[("status", false)], "orders_by_status"),
        (&["customer_id", "status", "total"], &[("order_id", true)], "orders_by_status"),
        (&["customer_id"], &[("note", false)], "orders_by_note"),
        (&["customer_id"], &[("note", true)], "orders_by_note"),
        (&["customer_id"], &[("due_time", false)], "orders_by_due"),
    ] {
        let steps = explained(&orders, equal, order);
        assert!(steps.contains(index), "{equal:?} {order:?}: {steps}");
        assert!(!steps.contains("TEMP B-TREE"), "{equal:?} {order:?}: {steps}");
    }
}

#[test]
fn the_sweep_does_not_scan() {
    let pool = schema::pool();
    let mut swept = 0;
    for entity in [schema::order(&pool), schema::session(&pool)] {
        let Some(statement) = Statements::new(&entity, Dialect::Sqlite).sweep() else { continue };
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for step in ddl::create(&entity) {
            connection.execute_batch(&step.render(Dialect::Sqlite)).unwrap();
        }
        let explain = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        let mut explain = connection.prepare(&explain).unwrap();
        let parameters = vec![rusqlite::types::Value::Integer(1); statement.parameters.len()];
        let rows =
            explain.query_map(rusqlite::params_from_iter(parameters), |row| row.get(3)).unwrap();
        let steps: Vec<String> = rows.map(Result::unwrap).collect();
        assert!(!steps.iter().any(|step| step.starts_with("SCAN")), "{}: {steps:?}", entity.table);
        swept += 1;
    }
    assert_eq!(swept, 2);
}
