//! PostgreSQL.

use prism_runtime::schema::plan::{Access, Plan};
use prism_runtime::schema::sql::{Dialect, Statement, Statements, ddl};
use prism_runtime::schema::{FieldType, Value};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::random::Case;

const SEEDS: u64 = 40;

/// Records that a part of a page may visit beside those that it returns: deleted ones.
const BESIDE: u64 = 20;

fn literal(value: &Value, ty: Option<&FieldType>) -> String {
    match (value, ty) {
        (Value::Null, _) => "NULL".to_owned(),
        (Value::Int(micros), Some(FieldType::Timestamp)) => {
            format!("('epoch'::timestamptz + {micros} * interval '1 microsecond')")
        }
        (Value::Int(number), _) => format!("{number}::bigint"),
        (Value::Text(text), _) => format!("'{text}'::text"),
        (other, _) => panic!("{other:?}"),
    }
}

async fn fill(connection: &mut PgConnection, case: &Case) {
    let mut script = "DROP TABLE IF EXISTS rows;".to_owned();
    for step in ddl::create(&case.entity) {
        script += &step.render(Dialect::Postgres);
    }
    let row = |row: &Vec<Value>| {
        let columns = row.iter().zip(&case.entity.columns);
        let values: Vec<String> =
            columns.map(|(it, column)| literal(it, Some(&column.ty))).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = case.rows.iter().map(row).collect();
    script += &format!("INSERT INTO rows VALUES {}; ANALYZE rows", rows.join(", "));
    sqlx::raw_sql(AssertSqlSafe(script)).execute(connection).await.unwrap();
}

/// The statement with its values in the place of parameters.
fn spelled(statement: &Statement, values: &[Value]) -> String {
    let mut sql = statement.sql.clone();
    for (position, value) in values.iter().enumerate().rev() {
        let time = statement.parameters[position] == prism_runtime::schema::sql::Parameter::Now;
        let literal = literal(value, time.then_some(&FieldType::Timestamp));
        sql = sql.replace(&format!("${}", position + 1), &literal);
    }
    sql
}

/// What is done with the planned index alone. Among several, the planner takes the one that it
/// estimates to be cheapest, and its estimates for so few records differ by little.
async fn explained(connection: &mut PgConnection, case: &Case, plan: &Plan, sql: &str) -> Json {
    let mut script = "BEGIN;".to_owned();
    if plan.access != Access::Key {
        script += "ALTER TABLE rows DROP CONSTRAINT rows_pkey;";
    }
    for (position, index) in case.entity.indexes.iter().enumerate() {
        if plan.access != Access::Index(position) {
            script += &format!("DROP INDEX {};", prism_runtime::schema::sql::quote(&index.name));
        }
    }
    sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut *connection).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}");
    let row = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *connection).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
    serde_json::from_str(row.get_unchecked(0)).unwrap()
}

/// The nodes of a plan, all below each other.
fn nodes(plan: &Json) -> Vec<&Json> {
    let below = plan["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(plan).chain(below.iter().flat_map(nodes)).collect()
}

fn check_plan(plan: &Plan, explained: &Json, sql: &str) {
    for node in nodes(&explained[0]["Plan"]) {
        let kind = node["Node Type"].as_str().unwrap();
        assert!(!kind.contains("Sort"), "{plan:?}: {sql}\n{explained:#}");
        if !kind.contains("Scan") || kind == "Subquery Scan" {
            continue;
        }
        let rows = |name: &str| node[name].as_f64().unwrap_or(0.0) as u64;
        let visited = rows("Actual Rows") + rows("Rows Removed by Filter");
        assert!(visited <= super::LIMIT as u64 + BESIDE, "{plan:?}: {sql}\n{explained:#}");
    }
}

#[test]
fn pages_follow_the_index() {
    let Some(database) = prism_postgres::for_test() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut connection = runtime.block_on(PgConnection::connect(&database.url())).unwrap();
    // What the planner can do, whatever it takes to be cheapest for so few records.
    let settings = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off";
    runtime.block_on(sqlx::raw_sql(settings).execute(&mut connection)).unwrap();
    let mut ordered = 0;
    for seed in 0..SEEDS {
        let case = Case::new(seed);
        runtime.block_on(fill(&mut connection, &case));
        let statements = Statements::new(&case.entity, Dialect::Postgres);
        let statement =
            |plan: &Plan, after: Option<&[Value]>| statements.list(&case.shape(plan, after));
        let text = case.entity.columns[1].ty == FieldType::String;
        super::check(seed, &case, statement, |plan, statement, values| {
            let sql = spelled(statement, &values);
            runtime.block_on(async {
                if plan.ordered {
                    ordered += 1;
                    let explained = explained(&mut connection, &case, plan, &sql).await;
                    check_plan(plan, &explained, &sql);
                }
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
                let value = |row: &sqlx::postgres::PgRow| match text {
                    true => Value::Text(row.get(1)),
                    false => Value::Int(row.get(1)),
                };
                rows.unwrap().iter().map(value).collect()
            })
        });
    }
    assert!(ordered > 500, "{ordered}");
}
