//! All that a database holds, row by row, whatever its dialect.

use std::collections::BTreeMap;
use std::path::Path;

use prism_acceptance::backend::Backend;
use prism_acceptance::dynamic::Version;
use prism_runtime::schema::sql::ddl::{self, ColumnType, Step};
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};
use sqlx::postgres::PgRow;
use sqlx::{Connection as _, Row as _};

/// The rows of each table, in the order of their cells.
pub type Dump = BTreeMap<String, Vec<Vec<String>>>;

/// A table, and how each of its columns is read.
struct Table {
    name: String,
    columns: Vec<(String, Kind)>,
    /// What of it belongs to a backend alone.
    except: Option<&'static str>,
}

/// What a column means.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Int,
    Bool,
    /// In SQLite microseconds since the Unix epoch.
    Time,
    /// NaN and -0.0 are 8 bytes in SQLite.
    Double,
    Text,
    Blob,
    /// The order of members does not count.
    Json,
    /// UTF-8, which Postgres keeps as bytes.
    Utf8,
    /// Differs from server to server: whether there is one.
    Random,
}

pub async fn dump(version: &Version, backend: &Backend, folder: &Path) -> Dump {
    let mut dump = Dump::new();
    for table in tables(version) {
        let mut rows = match backend {
            Backend::Sqlite => table.of_sqlite(Path::new(&backend.database(folder))),
            Backend::Postgres(url) => table.of_postgres(url).await,
        };
        rows.sort();
        dump.insert(table.name, rows);
    }
    dump
}

fn tables(version: &Version) -> Vec<Table> {
    let own = |name: &str, columns: &[(&str, Kind)]| Table {
        name: name.to_owned(),
        columns: columns.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        except: None,
    };
    let int = |name| (name, Kind::Int);
    let text = |name| (name, Kind::Text);
    let mut tables = vec![
        own(
            "kv_items",
            &[
                text("namespace"),
                ("id", Kind::Utf8),
                ("key", Kind::Blob),
                int("token"),
                int("compression"),
                int("ttl_seconds"),
                int("created_at_millis"),
                int("updated_at_millis"),
                int("expires_at"),
                int("removable_at"),
                ("value", Kind::Blob),
            ],
        ),
        // Postgres has a row that is locked while namespaces are counted.
        Table { except: Some("namespace = ''"), ..own("kv_namespaces", &[text("namespace")]) },
        own(
            "prism_requests",
            &[
                text("caller"),
                text("method"),
                text("namespace"),
                text("request_id"),
                ("body_hash", Kind::Blob),
                ("record_key", Kind::Blob),
                int("created_at"),
            ],
        ),
    ];
    for step in version.entities().flat_map(ddl::create) {
        if let Step::CreateTable { table, columns, .. } = step {
            let columns = columns.iter().map(|column| (column.name.clone(), kind(column)));
            tables.push(Table { name: table, columns: columns.collect(), except: None });
        }
    }
    tables
}

fn kind(column: &ddl::TableColumn) -> Kind {
    match column.ty {
        _ if column.name == "etag" => Kind::Random,
        ColumnType::Boolean => Kind::Bool,
        ColumnType::Double => Kind::Double,
        ColumnType::Text => Kind::Text,
        ColumnType::Blob => Kind::Blob,
        ColumnType::Json => Kind::Json,
        ColumnType::Timestamp => Kind::Time,
        _ => Kind::Int,
    }
}

impl Table {
    fn select(&self, column: impl Fn(&str, Kind) -> String) -> String {
        let columns: Vec<String> =
            self.columns.iter().map(|(name, kind)| column(name, *kind)).collect();
        let except = self.except.map(|rows| format!(" WHERE NOT ({rows})")).unwrap_or_default();
        format!("SELECT {} FROM \"{}\"{except}", columns.join(", "), self.name)
    }

    fn of_sqlite(&self, file: &Path) -> Vec<Vec<String>> {
        let connection = rusqlite::Connection::open(file).unwrap();
        let sql = self.select(|name, _| format!("\"{name}\""));
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| {
            let cells = self.columns.iter().enumerate();
            cells.map(|(at, (_, kind))| Ok(of_cell(*kind, row.get(at)?))).collect()
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    async fn of_postgres(&self, url: &str) -> Vec<Vec<String>> {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        let sql = self.select(|name, kind| match kind {
            Kind::Int => format!("\"{name}\"::bigint"),
            Kind::Bool => format!("\"{name}\"::int::bigint"),
            Kind::Time => format!("(extract(epoch FROM \"{name}\") * 1000000)::bigint"),
            Kind::Json => format!("\"{name}\"::text"),
            _ => format!("\"{name}\""),
        });
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        let cells = |row: &PgRow| {
            let cells = self.columns.iter().enumerate();
            cells.map(|(at, (_, kind))| of_row(*kind, row, at)).collect()
        };
        rows.iter().map(cells).collect()
    }
}

fn of_cell(kind: Kind, cell: Cell) -> String {
    match (kind, cell) {
        (_, Cell::Null) => "NULL".to_owned(),
        (Kind::Int | Kind::Bool | Kind::Time, Cell::Integer(number)) => number.to_string(),
        (Kind::Double, Cell::Real(number)) => double(number),
        (Kind::Double, Cell::Blob(bits)) => {
            double(f64::from_bits(u64::from_be_bytes(bits.try_into().unwrap())))
        }
        (Kind::Text | Kind::Utf8, Cell::Text(text)) => text_of(&text),
        (Kind::Random, Cell::Text(text)) => random(&text),
        (Kind::Json, Cell::Text(text)) => json_of(&text),
        (Kind::Blob, Cell::Blob(bytes)) => blob(&bytes),
        (kind, cell) => panic!("{kind:?} is {cell:?}"),
    }
}

fn of_row(kind: Kind, row: &PgRow, at: usize) -> String {
    let text = |show: fn(&str) -> String| row.get::<Option<String>, _>(at).map(|text| show(&text));
    let shown = match kind {
        Kind::Int | Kind::Bool | Kind::Time => {
            row.get::<Option<i64>, _>(at).map(|number| number.to_string())
        }
        Kind::Double => row.get::<Option<f64>, _>(at).map(double),
        Kind::Text => text(text_of),
        Kind::Random => text(random),
        Kind::Json => text(json_of),
        Kind::Blob => row.get::<Option<Vec<u8>>, _>(at).map(|bytes| blob(&bytes)),
        Kind::Utf8 => row
            .get::<Option<Vec<u8>>, _>(at)
            .map(|bytes| text_of(std::str::from_utf8(&bytes).unwrap())),
    };
    shown.unwrap_or_else(|| "NULL".to_owned())
}

fn double(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

fn text_of(text: &str) -> String {
    format!("{text:?}")
}

fn random(text: &str) -> String {
    json!(!text.is_empty()).to_string()
}

fn json_of(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    value.to_string()
}

fn blob(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
