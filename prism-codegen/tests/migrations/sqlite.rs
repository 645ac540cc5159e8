//! Migrations in SQLite.

use std::collections::BTreeMap;

use prism_migrate::Migration;
use prism_migrate::verify::Difference;
use prism_schema::Entity;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::database::{Database, Rows};

pub struct Sqlite(Connection);

impl Sqlite {
    fn strings(&self, sql: &str) -> Vec<String> {
        let mut statement = self.0.prepare(sql).unwrap();
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            let values: Vec<String> = (0..columns)
                .map(|column| format!("{:?}", row.get_unwrap::<_, Value>(column)))
                .collect();
            Ok(values.join(" "))
        };
        statement.query_map([], text).unwrap().map(Result::unwrap).collect()
    }
}

impl Database for Sqlite {
    const FOLDER: &'static str = "sqlite";

    fn create() -> Option<Self> {
        Some(Sqlite(Connection::open_in_memory().unwrap()))
    }

    fn apply(&self, sql: &str) -> Result<(), String> {
        let migration = Migration { version: 1, description: "", sql };
        if migration.is_rewrite() {
            let copied = prism_migrate::rewrite::sqlite(&self.0, &migration, &|_| Ok(()));
            return copied.map_err(|error| error.to_string());
        }
        assert!(!sql.starts_with("-- no-transaction"), "SQLite needs none: {sql}");
        self.0.execute_batch("BEGIN IMMEDIATE").unwrap();
        let result = self.0.execute_batch(sql);
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.0.execute_batch(end).unwrap();
        result.map_err(|error| error.to_string())
    }

    fn describe(&self) -> Vec<String> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        let mut found = self.strings(&format!(
            "SELECT name, wr, strict FROM pragma_table_list WHERE name IN ({tables})"
        ));
        found.extend(self.strings(&format!(
            "SELECT m.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk \
             FROM ({tables}) m, pragma_table_info(m.name) c"
        )));
        found.extend(self.strings(&format!(
            "SELECT m.name, i.name, i.\"unique\", i.origin, i.partial, c.seqno, c.name, c.desc, c.coll, c.key \
             FROM ({tables}) m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) c WHERE c.key"
        )));
        found.extend(self.strings(
            "SELECT name, substr(sql, instr(sql, ' WHERE ')) FROM sqlite_schema \
             WHERE type = 'index' AND sql LIKE '% WHERE %'",
        ));
        found.sort();
        found
    }

    fn verify(&self, entities: &[&Entity]) -> Vec<Difference> {
        prism_migrate::sqlite::verify(&self.0, entities).unwrap()
    }

    fn insert(&self, table: &str, key: &str, values: &BTreeMap<String, Value>) {
        let columns: String = values.keys().map(|name| format!(", \"{name}\"")).collect();
        let marks = ", ?".repeat(values.len());
        let key = Value::Text(key.to_owned());
        let values = std::iter::once(&key).chain(values.values());
        self.0
            .execute(
                &format!("INSERT OR IGNORE INTO \"{table}\" (\"id\"{columns}) VALUES (?{marks})"),
                rusqlite::params_from_iter(values),
            )
            .unwrap();
    }

    fn rows(&self, table: &str) -> Rows {
        let mut statement = self.0.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let row = |row: &rusqlite::Row<'_>| {
            let values =
                names.iter().map(|name| (name.clone(), row.get_unwrap(name.as_str()))).collect();
            Ok((row.get_unwrap("id"), values))
        };
        statement.query_map([], row).unwrap().map(Result::unwrap).collect()
    }
}
