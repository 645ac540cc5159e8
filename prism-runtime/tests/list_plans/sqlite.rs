//! SQLite.

use prism_runtime::schema::Value;
use prism_runtime::schema::plan::{Access, Plan};
use prism_runtime::schema::sql::{Dialect, Statement, Statements, ddl};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::random::Case;

const SEEDS: u64 = 150;

/// Instructions of SQLite's machine that a page may take: some 50 a record for each part of the
/// statement, and a few for each deleted one. Reading a tenth of the table takes more.
const STEPS: i32 = 2_500;

fn sql(value: &Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Int(number) => Sql::Integer(*number),
        Value::Text(text) => Sql::Text(text.clone()),
        other => panic!("{other:?}"),
    }
}

fn fill(case: &Case) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for step in ddl::create(&case.entity) {
        connection.execute_batch(&step.render(Dialect::Sqlite)).unwrap();
    }
    connection.execute_batch("BEGIN").unwrap();
    let insert = Statements::new(&case.entity, Dialect::Sqlite).insert();
    let mut insert = connection.prepare(&insert.sql).unwrap();
    for row in &case.rows {
        insert.execute(params_from_iter(row.iter().map(sql))).unwrap();
    }
    drop(insert);
    connection.execute_batch("COMMIT").unwrap();
    connection
}

/// What the query plan does with the table, and what it sorts.
fn explained(connection: &Connection, statement: &Statement, values: &[Value]) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
    let rows = explain.query_map(params_from_iter(values.iter().map(sql)), |row| row.get(3));
    rows.unwrap().map(Result::unwrap).collect()
}

fn check_plan(case: &Case, plan: &Plan, steps: &[String]) {
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}: {steps:?}");
    let index = match plan.access {
        Access::Key => return,
        Access::Index(at) => &case.entity.indexes[at].name,
    };
    let reads = |step: &&String| step.contains(" rows");
    let named = format!("INDEX {index}");
    for step in steps.iter().filter(reads) {
        assert!(step.contains(&named), "{plan:?}: {steps:?}");
    }
}

#[test]
fn pages_follow_the_index() {
    let mut ordered = 0;
    for seed in 0..SEEDS {
        let case = Case::new(seed);
        let connection = fill(&case);
        let statements = Statements::new(&case.entity, Dialect::Sqlite);
        let statement =
            |plan: &Plan, after: Option<&[Value]>| statements.list(&case.shape(plan, after));
        super::check(seed, &case, statement, |plan, statement, values| {
            let mut read = connection.prepare(&statement.sql).unwrap();
            let rows = read.query_map(params_from_iter(values.iter().map(sql)), |row| row.get(1));
            let found: Vec<Sql> = rows.unwrap().map(Result::unwrap).collect();
            if plan.ordered {
                ordered += 1;
                check_plan(&case, plan, &explained(&connection, statement, &values));
                let steps = read.get_status(StatementStatus::VmStep);
                assert!(steps < STEPS, "seed {seed}: {steps} for {}", statement.sql);
            }
            found
                .into_iter()
                .map(|value| match value {
                    Sql::Integer(number) => Value::Int(number),
                    Sql::Text(text) => Value::Text(text),
                    other => panic!("{other:?}"),
                })
                .collect()
        });
    }
    assert!(ordered > 1_000, "{ordered}");
}
