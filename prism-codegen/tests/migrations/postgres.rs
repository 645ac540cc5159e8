//! Migrations in Postgres: a schema of a shared database is an empty database.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use prism_migrate::Migration;
use prism_migrate::verify::Difference;
use prism_schema::Entity;
use rusqlite::types::Value;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _, TypeInfo as _};
use tokio::runtime::Runtime;

use super::database::{Database, Rows};
use super::part::canonical;

thread_local! {
    /// A test has a thread, and a database, of its own: an index that is built waits for the
    /// transactions of the others.
    static DATABASE: OnceCell<Option<prism_postgres::Database>> = const { OnceCell::new() };
}

pub struct Postgres {
    runtime: Runtime,
    connection: RefCell<PgConnection>,
}

impl Postgres {
    fn execute(&self, sql: &str) -> Result<(), String> {
        let mut connection = self.connection.borrow_mut();
        let sql = AssertSqlSafe(sql.to_owned());
        let done = self.runtime.block_on(async { connection.execute(sqlx::raw_sql(sql)).await });
        done.map(drop).map_err(|error| error.to_string())
    }

    fn query(&self, sql: &str) -> Vec<PgRow> {
        let mut connection = self.connection.borrow_mut();
        // The tables change: no plan is kept.
        let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
        self.runtime.block_on(query.fetch_all(&mut *connection)).unwrap()
    }

    fn strings(&self, sql: &str) -> Vec<String> {
        self.query(sql).iter().map(|row| row.get::<String, _>(0)).collect()
    }
}

impl Database for Postgres {
    const FOLDER: &'static str = "postgres";

    fn create() -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let url = DATABASE.with(|it| it.get_or_init(prism_postgres::for_test).clone())?.url();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(&url)).unwrap();
        let database = Postgres { runtime, connection: RefCell::new(connection) };
        // What a test leaves behind is nothing: it need not reach the disk.
        database.execute("ALTER SYSTEM SET fsync = off").unwrap();
        database.execute("SELECT pg_reload_conf()").unwrap();
        let schema = format!("case_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        database
            .execute(&format!(
                "SET synchronous_commit = off; SET timezone = 'Asia/Tokyo'; \
                 CREATE SCHEMA {schema}; SET search_path = {schema};"
            ))
            .unwrap();
        Some(database)
    }

    fn apply(&self, sql: &str) -> Result<(), String> {
        let migration = Migration { version: 1, description: "", sql };
        if migration.is_rewrite() {
            let mut connection = self.connection.borrow_mut();
            let copy = prism_migrate::rewrite::postgres(&mut connection, &migration, "SELECT 1");
            return self.runtime.block_on(copy).map_err(|error| error.to_string());
        }
        if sql.starts_with("-- no-transaction") {
            return self.execute(sql);
        }
        let result = self.execute(&format!("BEGIN;\n{sql}\nCOMMIT;"));
        if result.is_err() {
            self.execute("ROLLBACK").unwrap();
        }
        result
    }

    fn describe(&self) -> Vec<String> {
        let here = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())";
        let mut found = self.strings(&format!(
            "SELECT format('%s.%s %s %s %s %s', c.relname, a.attname, \
                 format_type(a.atttypid, a.atttypmod), \
                 (SELECT collname FROM pg_collation WHERE oid = a.attcollation), a.attnotnull, \
                 pg_get_expr(d.adbin, d.adrelid)) \
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum) \
             WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped \
             AND c.relnamespace = {here}"
        ));
        found.extend(self.strings(&format!(
            "SELECT format('%s %s %s', replace(pg_get_indexdef(i.indexrelid), \
                 current_schema() || '.', ''), i.indisvalid, i.indisprimary) \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = {here}"
        )));
        found.extend(self.strings(&format!(
            "SELECT format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) \
             FROM pg_constraint WHERE connamespace = {here}"
        )));
        found.extend(self.strings(&format!(
            "SELECT format('trigger %s', tgname) FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = {here} \
             UNION ALL SELECT format('function %s', proname) FROM pg_proc \
             WHERE pronamespace = {here}"
        )));
        found.sort();
        found
    }

    fn verify(&self, entities: &[&Entity]) -> Vec<Difference> {
        let mut connection = self.connection.borrow_mut();
        let verified = prism_migrate::postgres::verify(&mut connection, entities);
        self.runtime.block_on(verified).unwrap()
    }

    fn insert(&self, table: &str, key: &str, values: &BTreeMap<String, Value>) {
        let types: BTreeMap<String, String> = self
            .query(&format!(
                "SELECT column_name::text, data_type::text FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = '{table}'"
            ))
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let columns: String = values.keys().map(|name| format!(", \"{name}\"")).collect();
        let literals: String = values
            .iter()
            .map(|(name, value)| format!(", {}", literal(value, &types[name])))
            .collect();
        self.execute(&format!(
            "INSERT INTO \"{table}\" (\"id\"{columns}) VALUES ('{key}'{literals}) \
             ON CONFLICT DO NOTHING"
        ))
        .unwrap();
    }

    fn rows(&self, table: &str) -> Rows {
        let rows = self.query(&format!("SELECT * FROM \"{table}\""));
        rows.iter()
            .map(|row| {
                let names = row.columns().iter().map(|column| column.name());
                let values = names.map(|name| (name.to_owned(), value(row, name))).collect();
                (row.get("id"), values)
            })
            .collect()
    }
}

fn literal(value: &Value, ty: &str) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(micros) if ty == "timestamp with time zone" => {
            format!("'epoch'::timestamptz + '{micros} microseconds'::interval")
        }
        Value::Integer(number) => format!("'{number}'"),
        Value::Real(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("'\\x{hex}'")
        }
    }
}

/// A value as SQLite would have it.
fn value(row: &PgRow, name: &str) -> Value {
    let column = row.column(name);
    let found = match column.type_info().name() {
        "BOOL" => row.get::<Option<bool>, _>(name).map(|it| Value::Integer(it.into())),
        "INT4" => row.get::<Option<i32>, _>(name).map(|it| Value::Integer(it.into())),
        "INT8" => row.get::<Option<i64>, _>(name).map(Value::Integer),
        "FLOAT8" => row.get::<Option<f64>, _>(name).map(Value::Real),
        "TEXT" => row.get::<Option<String>, _>(name).map(Value::Text),
        "JSONB" => row
            .try_get_raw(name)
            .ok()
            .and_then(|raw| raw.as_str().ok().map(str::to_owned))
            // Its binary form begins with a version.
            .map(|json| canonical(json.trim_start_matches('\u{1}'))),
        "BYTEA" => row.get::<Option<Vec<u8>>, _>(name).map(Value::Blob),
        "TIMESTAMPTZ" => {
            // Its binary form: microseconds since 2000.
            const EPOCH: i64 = 946_684_800_000_000;
            let micros = row.try_get_raw(name).ok().and_then(|raw| {
                raw.as_bytes().ok().map(|bytes| i64::from_be_bytes(bytes.try_into().unwrap()))
            });
            micros.map(|micros| Value::Integer(micros + EPOCH))
        }
        other => panic!("{name}: {other}"),
    };
    found.unwrap_or(Value::Null)
}
