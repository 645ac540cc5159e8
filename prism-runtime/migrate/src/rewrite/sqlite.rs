//! Rewriting copies in a SQLite database that nothing else writes to.

use std::sync::Arc;
use std::time::Instant;

use prism_schema::sql::quote;
use prism_schema::sql::rewrite::{Conversion, Rewrite, Value as Target};
use prism_schema::{Storage, Value};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value as Stored, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::convert::{Converter, conversions, row_text};
use super::pace::Pace;
use crate::sqlite::json;
use crate::{Cause, Migration};

/// The function that converts, while a copy runs.
const FUNCTION: &str = "prism_convert";

/// How often a copy starts over because the file was written to.
const TRIES: usize = 5;

/// Runs a copy, outside a transaction. `record` is called within the last one.
///
/// # Errors
///
/// Where a statement fails or a value cannot be converted, with a transaction that may be open;
/// what is in use is as it was.
pub fn run(
    connection: &Connection,
    migration: &Migration<'_>,
    record: &dyn Fn(&Connection) -> rusqlite::Result<()>,
) -> Result<(), Cause> {
    let rewrite = Rewrite::parse(&migration.text()).map_err(Cause::Refused)?;
    let Some(into) = &rewrite.into else {
        return Err(Cause::Refused("it does not say where the rows go".to_owned()));
    };
    if let Some(converter) = Converter::new(&rewrite).map_err(Cause::Refused)? {
        register(connection, converter, &rewrite)?;
    }
    let copy = Copy { connection, rewrite: &rewrite, into };
    for _ in 0..TRIES {
        if copy.run(record)? {
            connection.remove_function(FUNCTION, arity(&rewrite))?;
            return Ok(());
        }
    }
    Err(Cause::Refused("another process keeps writing to the file: stop it first".to_owned()))
}

struct Copy<'a> {
    connection: &'a Connection,
    rewrite: &'a Rewrite,
    into: &'a str,
}

impl Copy<'_> {
    /// The whole copy, from the beginning; `false` where something else wrote to the file.
    fn run(&self, record: &dyn Fn(&Connection) -> rusqlite::Result<()>) -> Result<bool, Cause> {
        let connection = self.connection;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let version = self.data_version()?;
        connection.execute_batch(&self.rewrite.prepare.join("\n"))?;
        connection.execute_batch("COMMIT")?;
        let (mut pace, mut above) = (Pace::new(), Vec::new());
        loop {
            let start = Instant::now();
            connection.execute_batch("BEGIN IMMEDIATE")?;
            if self.data_version()? != version {
                connection.execute_batch("ROLLBACK")?;
                return Ok(false);
            }
            let upto = self.batch(&above, pace.rows())?;
            if upto.is_empty() {
                connection.execute_batch(&self.rewrite.finish.join("\n"))?;
                record(connection)?;
                connection.execute_batch("COMMIT")?;
                return Ok(true);
            }
            connection.execute_batch("COMMIT")?;
            above = upto;
            pace.took(start.elapsed());
        }
    }

    /// Changes where another connection has written.
    fn data_version(&self) -> rusqlite::Result<i64> {
        self.connection.query_row("PRAGMA data_version", [], |row| row.get(0))
    }

    /// Copies the rows with the next keys; the last of these, empty where no rows are left.
    fn batch(&self, above: &[Stored], rows: usize) -> rusqlite::Result<Vec<Stored>> {
        let names: Vec<String> = self.rewrite.key.iter().map(|it| quote(&it.name)).collect();
        let keys = names.join(", ");
        let table = quote(&self.rewrite.table);
        let marks = vec!["?"; names.len()].join(", ");
        let after = if above.is_empty() { String::new() } else { format!(" ({keys}) > ({marks})") };
        let filter = if after.is_empty() { "" } else { " WHERE" };
        let sql = format!(
            "SELECT {keys} FROM {table}{filter}{after} ORDER BY {keys} LIMIT 1 OFFSET {}",
            rows - 1
        );
        let key = |row: &rusqlite::Row<'_>| {
            (0..names.len()).map(|position| row.get(position)).collect::<rusqlite::Result<Vec<_>>>()
        };
        let mut statement = self.connection.prepare(&sql)?;
        let found = statement.query_map(params_from_iter(above), key)?.next().transpose()?;
        let upto = found.unwrap_or_default();
        let mut conditions: Vec<String> = Vec::new();
        conditions.extend((!after.is_empty()).then_some(after));
        conditions.extend((!upto.is_empty()).then(|| format!("({keys}) <= ({marks})")));
        let filter = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let columns: Vec<String> =
            self.rewrite.columns.iter().map(|target| quote(&target.column)).collect();
        let values: Vec<String> =
            self.rewrite.columns.iter().map(|it| expression(&it.value, &keys)).collect();
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM {table}{filter}",
            quote(self.into),
            columns.join(", "),
            values.join(", ")
        );
        self.connection.execute(&sql, params_from_iter(above.iter().chain(&upto)))?;
        Ok(upto)
    }
}

/// A value of the new row. A conversion gets the key, so that its error can name the row.
fn expression(value: &Target, keys: &str) -> String {
    match value {
        Target::Sql(sql) => sql.clone(),
        Target::Convert(Conversion { source, field, .. }) => {
            format!("{FUNCTION}({field}, {}, {keys})", quote(source))
        }
    }
}

/// How many arguments the function has: the field's number, its value, the row's key.
fn arity(rewrite: &Rewrite) -> i32 {
    2 + i32::try_from(rewrite.key.len()).unwrap_or(i32::MAX - 2)
}

/// A value of a key, for a message.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => crate::migration::hex(bytes),
    }
}

/// Adds the function that converts a stored value of a field.
fn register(
    connection: &Connection,
    converter: Converter,
    rewrite: &Rewrite,
) -> rusqlite::Result<()> {
    let known: Arc<[Conversion]> =
        conversions(rewrite).map(|(_, conversion)| conversion.clone()).collect();
    let rows = Rewrite::new(&rewrite.table, rewrite.key.clone());
    let convert = move |context: &Context<'_>| {
        let field: u32 = context.get(0)?;
        let fail = |reason: String| rusqlite::Error::UserFunctionError(reason.into());
        let conversion = known.iter().find(|it| it.field == field);
        let conversion = conversion.ok_or_else(|| fail(format!("no conversion of {field}")))?;
        let raw = context.get_raw(1);
        let number = (conversion.from == Storage::Json).then(|| json::text(raw)).flatten();
        let stored = match (number, raw) {
            (Some(number), _) => Value::Text(number),
            (None, ValueRef::Null) => Value::Null,
            (None, ValueRef::Integer(number)) => Value::Int(number),
            (None, ValueRef::Real(number)) => Value::Double(number),
            (None, ValueRef::Text(text)) => Value::Text(String::from_utf8_lossy(text).into_owned()),
            (None, ValueRef::Blob(bytes)) => Value::Blob(bytes.to_vec()),
        };
        let converted = converter.convert(conversion, &stored);
        let refused = |reason: String| {
            let key = (2..context.len()).map(|position| shown(context.get_raw(position)));
            fail(format!("{}: {reason}", row_text(&rows, key)))
        };
        let converted = match converted.map_err(refused)? {
            Value::Text(text) if conversion.to == Storage::Json => json::stored(text),
            converted => converted,
        };
        Ok(match converted {
            Value::Text(text) => Stored::Text(text),
            Value::Blob(bytes) => Stored::Blob(bytes),
            Value::Double(number) => match json::bits(number) {
                Some(bits) => Stored::Blob(bits.to_vec()),
                None => Stored::Real(number),
            },
            Value::Int(number) => Stored::Integer(number),
            Value::Null => Stored::Null,
        })
    };
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(FUNCTION, arity(rewrite), flags, convert)
}
