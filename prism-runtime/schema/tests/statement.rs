//! The text of every statement.

mod support;

use prism_schema::plan::Comparison;
use prism_schema::sql::{Dialect, ListShape, Parameter, Shape, Statement, Statements, Visibility};
use support::{logs, orders};

const COLUMNS: &str =
    r#""customer", "id", "status", "total", "note", "code", "delete_time", "expire_time""#;

fn check(statement: Statement, sql: &str, parameters: &[Parameter]) {
    assert_eq!(statement.sql, sql.replace("{columns}", COLUMNS));
    assert_eq!(statement.parameters, parameters);
}

#[test]
fn reads_see_what_their_visibility_says() {
    let entity = orders();
    let statements = Statements::new(&entity, Dialect::Sqlite);
    let key = [Parameter::Column(1), Parameter::Column(2)];
    check(
        statements.get(Visibility::Live),
        r#"SELECT {columns} FROM "orders" WHERE "customer" = ?1 AND "id" = ?2 AND "delete_time" IS NULL AND ("expire_time" IS NULL OR "expire_time" > ?3)"#,
        &[key[0], key[1], Parameter::Now],
    );
    check(
        statements.get(Visibility::Kept),
        r#"SELECT {columns} FROM "orders" WHERE "customer" = ?1 AND "id" = ?2 AND ("expire_time" IS NULL OR "expire_time" > ?3)"#,
        &[key[0], key[1], Parameter::Now],
    );
    check(
        statements.get(Visibility::All),
        r#"SELECT {columns} FROM "orders" WHERE "customer" = ?1 AND "id" = ?2"#,
        &key,
    );
    let logs = logs();
    check(
        Statements::new(&logs, Dialect::Postgres).get_many(2, Visibility::Live),
        r#"SELECT "id", "order", "_prism_written_at" FROM "log ""lines""" WHERE "id" IN ($1, $2) AND ("_prism_written_at" IS NULL OR "_prism_written_at" > $3)"#,
        &[
            Parameter::Key { row: 0, number: 1 },
            Parameter::Key { row: 1, number: 1 },
            Parameter::RetentionCutoff,
        ],
    );
    assert!(
        statements
            .get_many(2, Visibility::All)
            .sql
            .ends_with(r#"WHERE ("customer", "id") IN (VALUES (?1, ?2), (?3, ?4))"#)
    );
    assert!(
        Statements::new(&entity, Dialect::Postgres)
            .get_many(2, Visibility::All)
            .sql
            .ends_with(r#"WHERE ("customer", "id") IN (($1, $2), ($3, $4))"#)
    );
}

#[test]
fn a_list_has_its_conditions_and_where_it_goes_on() {
    let entity = orders();
    let shape = |comparison, field, values| Shape { field, comparison, values };
    let list = ListShape {
        conditions: vec![
            shape(Comparison::Equals, 1, 1),
            shape(Comparison::AnyOf, 3, 2),
            shape(Comparison::AtLeast, 4, 1),
            shape(Comparison::LessThan, 4, 1),
            shape(Comparison::Prefix, 5, 2),
        ],
        order: vec![(2, false)],
        index: None,
        after: Some(vec![false]),
        visibility: Visibility::Live,
    };
    let condition = |condition, value| Parameter::Condition { condition, value };
    check(
        Statements::new(&entity, Dialect::Postgres).list(&list),
        r#"SELECT {columns} FROM "orders" WHERE "customer" = $1 AND "status" IN ($2, $3) AND "total" >= $4 AND "total" < $5 AND "note" >= $6 AND "note" < $7 AND ("id") > ($8) AND "delete_time" IS NULL AND ("expire_time" IS NULL OR "expire_time" > $9) ORDER BY "id" LIMIT $10"#,
        &[
            condition(0, 0),
            condition(1, 0),
            condition(1, 1),
            condition(2, 0),
            condition(3, 0),
            condition(4, 0),
            condition(4, 1),
            Parameter::After(0),
            Parameter::Now,
            Parameter::Limit,
        ],
    );
}

#[test]
fn null_is_the_smallest_value_in_every_dialect() {
    let entity = orders();
    let ordered = |dialect, descending| {
        let order = [(5, descending), (2, false)]
            .map(|(number, descending)| prism_schema::IndexColumn { number, descending });
        let order = order.map(|column| (column.number, column.descending)).to_vec();
        let shape = list(Vec::new(), order, None);
        let sql = Statements::new(&entity, dialect).list(&shape).sql;
        sql.split_once(" ORDER BY ").expect("an order").1.to_owned()
    };
    assert_eq!(ordered(Dialect::Sqlite, false), r#""note", "id" LIMIT ?1"#);
    assert_eq!(ordered(Dialect::Sqlite, true), r#""note" DESC, "id" LIMIT ?1"#);
    assert_eq!(ordered(Dialect::Postgres, false), r#""note" ASC NULLS FIRST, "id" LIMIT $1"#);
    assert_eq!(ordered(Dialect::Postgres, true), r#""note" DESC NULLS LAST, "id" LIMIT $1"#);
}

fn list(conditions: Vec<Shape>, order: Vec<(u32, bool)>, after: Option<&[bool]>) -> ListShape {
    let after = after.map(<[bool]>::to_vec);
    ListShape { conditions, order, index: None, after, visibility: Visibility::All }
}

/// The WHERE of each part of a page after a record, without the first parts that its conditions
/// have.
fn after(conditions: &[Shape], order: &[(u32, bool)], nulls: &[bool]) -> Vec<String> {
    let shape = list(conditions.to_vec(), order.to_vec(), Some(nulls));
    let sql = Statements::new(&orders(), Dialect::Sqlite).list(&shape).sql;
    let part = |part: &str| {
        let (_, rest) = part.split_once(" WHERE ").expect("a condition");
        let end = rest.find(" ORDER BY ").or_else(|| rest.find(" LIMIT ")).expect("an end");
        rest[..end].replace('"', "")
    };
    sql.split(" UNION ALL ").map(part).collect()
}

#[test]
fn a_page_goes_on_after_a_record_whatever_its_order() {
    let after = |order: &[(u32, bool)], nulls: &[bool]| after(&[], order, nulls);
    assert_eq!(after(&[(1, false), (2, false)], &[false; 2]), ["(customer, id) > (?1, ?2)"]);
    assert_eq!(after(&[(1, true), (2, true)], &[false; 2]), ["(customer, id) < (?1, ?2)"]);
    assert_eq!(
        after(&[(3, true), (4, false)], &[false; 2]),
        ["status = ?1 AND total > ?2", "status < ?1"]
    );
    assert_eq!(
        after(&[(5, false), (2, false)], &[false; 2]),
        ["note = ?1 AND id > ?2", "note > ?1"]
    );
    assert_eq!(
        after(&[(5, false), (2, false)], &[true, false]),
        ["note IS NULL AND id > ?1", "note IS NOT NULL"]
    );
    assert_eq!(
        after(&[(5, true), (2, true)], &[false; 2]),
        ["note = ?1 AND id < ?2", "note < ?1", "note IS NULL"]
    );
    assert_eq!(after(&[(5, true), (2, true)], &[true, false]), ["note IS NULL AND id < ?1"]);
    assert_eq!(after(&[], &[]), ["1 = 0"]);
}

/// A search begins at the last record, not where a condition on the same column does.
#[test]
fn a_page_goes_on_after_a_record_within_its_conditions() {
    let on_note = |comparison, values| Shape { field: 5, comparison, values };
    let from = on_note(Comparison::AtLeast, 1);
    let until = on_note(Comparison::LessThan, 1);
    let prefix = on_note(Comparison::Prefix, 2);
    let (up, down) = ([(5, false), (2, false)], [(5, true), (2, true)]);
    let after = |conditions: &[Shape], order: &[(u32, bool)]| after(conditions, order, &[false; 2]);
    assert_eq!(after(&[from, until], &up), ["note < ?1 AND (note, id) > (?2, ?3)"]);
    assert_eq!(after(&[from, until], &down), ["note >= ?1 AND (note, id) < (?2, ?3)"]);
    assert_eq!(after(&[prefix], &up), ["note < ?1 AND (note, id) > (?2, ?3)"]);
    assert_eq!(after(&[prefix], &down), ["note >= ?1 AND (note, id) < (?2, ?3)"]);
    assert_eq!(
        after(&[from], &[(5, false), (2, true)]),
        ["note >= ?1 AND note = ?2 AND id < ?3", "note > ?2"]
    );
}

#[test]
fn the_parts_of_a_page_are_read_in_turn_through_the_index() {
    let entity = orders();
    let shape = ListShape {
        index: Some(1),
        visibility: Visibility::Live,
        ..list(Vec::new(), vec![(5, false), (2, false)], Some(&[true, false]))
    };
    let now = r#""delete_time" IS NULL AND ("expire_time" IS NULL OR "expire_time" > "#;
    for (dialect, indexed, parameter) in
        [(Dialect::Sqlite, r#" INDEXED BY "by_note""#, "?"), (Dialect::Postgres, "", "$")]
    {
        let order = dialect.direction(false, true);
        let part = |condition: &str| {
            format!(
                r#"SELECT * FROM (SELECT {{columns}} FROM "orders"{indexed} WHERE {condition} AND {now}{parameter}2) ORDER BY "note"{order}, "id" LIMIT {parameter}3) AS part"#
            )
        };
        let same = part(&format!(r#""note" IS NULL AND "id" > {parameter}1"#));
        let sql = format!("{same} UNION ALL {} LIMIT {parameter}3", part(r#""note" IS NOT NULL"#));
        check(
            Statements::new(&entity, dialect).list(&shape),
            &sql,
            &[Parameter::After(1), Parameter::Now, Parameter::Limit],
        );
    }
}

#[test]
fn writes_name_the_columns_that_they_know() {
    let entity = logs();
    let statements = Statements::new(&entity, Dialect::Sqlite);
    let row = [Parameter::Column(1), Parameter::Column(2), Parameter::WrittenAt];
    let insert =
        r#"INSERT INTO "log ""lines""" ("id", "order", "_prism_written_at") VALUES (?1, ?2, ?3)"#;
    check(statements.insert(), insert, &row);
    let upsert = r#" ON CONFLICT ("id") DO UPDATE SET "order" = excluded."order", "_prism_written_at" = excluded."_prism_written_at""#;
    check(statements.replace(), &format!("{insert}{upsert}"), &row);
    check(
        statements.update(&[2]),
        r#"UPDATE "log ""lines""" SET "order" = ?1, "_prism_written_at" = ?2 WHERE "id" = ?3"#,
        &[Parameter::Column(2), Parameter::WrittenAt, Parameter::Column(1)],
    );
    check(
        statements.delete(),
        r#"DELETE FROM "log ""lines""" WHERE "id" = ?1"#,
        &[Parameter::Column(1)],
    );
    check(
        statements.sweep().expect("retention"),
        r#"DELETE FROM "log ""lines""" WHERE ("_prism_written_at" <= ?1) AND ("id") IN (SELECT "id" FROM "log ""lines""" WHERE "_prism_written_at" <= ?1 LIMIT ?2)"#,
        &[Parameter::RetentionCutoff, Parameter::Limit],
    );
    let mut forever = logs();
    forever.retention_days = 0;
    assert_eq!(Statements::new(&forever, Dialect::Sqlite).sweep(), None);
}

#[test]
fn a_unique_conflict_is_looked_for_among_records_that_are_not_deleted() {
    let entity = orders();
    check(
        Statements::new(&entity, Dialect::Sqlite).unique_conflict(&entity.indexes[2]),
        r#"SELECT {columns} FROM "orders" WHERE "code" = ?1 AND NOT ("customer" = ?2 AND "id" = ?3) AND "delete_time" IS NULL LIMIT 1"#,
        &[Parameter::Column(6), Parameter::Column(1), Parameter::Column(2)],
    );
}
