//! Rewriting copies in a Postgres database that serves meanwhile.

use std::time::{Duration, Instant};

use prism_schema::Storage;
use prism_schema::Value;
use prism_schema::sql::quote;
use prism_schema::sql::rewrite::{Conversion, Rewrite, Value as Target};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use super::convert::{Converter, conversions, row_text};
use super::pace::Pace;
use crate::postgres::query::{self, is_locked, literal};
use crate::{Cause, Migration};

/// So many rows are left for the last transaction, at most, unless writers are faster than the
/// copy over so many passes.
const LEFT: u64 = 1000;
const PASSES: usize = 10;

/// How often a transaction is tried that others keep from what it locks.
const TRIES: u32 = 30;

/// How long a build may wait for the transactions that are open when it begins.
const BUILD_LOCK_TIMEOUT: &str = "60s";

/// A key, as texts.
type Key = Vec<String>;

/// Runs a copy, outside a transaction and under the migrator's lock. `record` is executed with the
/// end of the copy.
///
/// # Errors
///
/// Where a statement fails or a value cannot be converted; what was done by then stays, and the
/// values in use are as they were.
pub async fn run(
    connection: &mut PgConnection,
    migration: &Migration<'_>,
    record: &str,
) -> Result<(), Cause> {
    let rewrite = Rewrite::parse(&migration.text()).map_err(Cause::Refused)?;
    let converter = Converter::new(&rewrite).map_err(Cause::Refused)?;
    let copy = Copy { rewrite: &rewrite, converter };
    copy.transaction(connection, &rewrite.prepare.join("\n")).await?;
    copy.pass(connection).await?;
    copy.build_all(connection).await?;
    for _ in 0..PASSES {
        if copy.pass(connection).await? <= LEFT {
            break;
        }
    }
    copy.finish(connection, record).await
}

struct Copy<'a> {
    rewrite: &'a Rewrite,
    converter: Option<Converter>,
}

/// Rows with a key above one and up to another.
#[derive(Clone, Debug, Default)]
struct Range {
    above: Option<Key>,
    upto: Option<Key>,
}

impl Copy<'_> {
    async fn transaction(&self, connection: &mut PgConnection, sql: &str) -> Result<(), Cause> {
        let mut tries = Tries::default();
        loop {
            match query::execute(connection, format!("BEGIN;\n{sql}\nCOMMIT;")).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    query::execute(connection, "ROLLBACK").await?;
                    tries.again(error.into()).await?;
                }
            }
        }
    }

    /// Goes over the table once; how many rows were written.
    async fn pass(&self, connection: &mut PgConnection) -> Result<u64, Cause> {
        let (mut pace, mut written, mut above) = (Pace::new(), 0, None);
        let mut tries = Tries::default();
        loop {
            let start = Instant::now();
            match self.batch(connection, above.clone(), pace.rows()).await {
                Ok((count, upto)) => {
                    written += count;
                    match upto {
                        Some(key) => above = Some(key),
                        None => return Ok(written),
                    }
                    tries = Tries::default();
                }
                Err(cause) => tries.again(cause).await?,
            }
            pace.took(start.elapsed());
        }
    }

    /// One batch, in a transaction: how many rows were written, and up to which key it went unless
    /// that was the last.
    async fn batch(
        &self,
        connection: &mut PgConnection,
        above: Option<Key>,
        rows: usize,
    ) -> Result<(u64, Option<Key>), Cause> {
        let mut transaction = connection.begin().await?;
        let mut range = Range { above, upto: None };
        let (keys, list) = (self.keys("::text"), self.keys(""));
        let (table, condition) = (quote(&self.rewrite.table), self.condition(&range, false));
        let sql = format!(
            "SELECT {keys} FROM {table}{condition} ORDER BY {list} OFFSET {} LIMIT 1",
            rows - 1
        );
        let found = query::rows(&mut transaction, sql).await?;
        range.upto = found.first().map(|row| self.key(row)).transpose()?;
        let written = self.write(&mut transaction, &range).await?;
        transaction.commit().await?;
        Ok((written, range.upto))
    }

    /// Writes the rows of a range that still have to be written; how many those were.
    async fn write(&self, connection: &mut PgConnection, range: &Range) -> Result<u64, Cause> {
        let table = quote(&self.rewrite.table);
        let condition = self.condition(range, true);
        let mut set: Vec<String> = Vec::new();
        for target in &self.rewrite.columns {
            let column = quote(&target.column);
            match &target.value {
                Target::Sql(value) => set.push(format!("{column} = {value}")),
                Target::Convert(_) => set.push(format!("{column} = \"_prism_values\".{column}")),
            }
        }
        let update = format!("UPDATE {table} SET {}", set.join(", "));
        let Some(converter) = &self.converter else {
            return count(connection, format!("{update}{condition}")).await;
        };
        let keys = self.keys("::text");
        let sources: String = conversions(self.rewrite)
            .map(|(_, conversion)| match conversion.from {
                Storage::Json => format!(", {}::text", quote(&conversion.source)),
                _ => format!(", {}", quote(&conversion.source)),
            })
            .collect();
        let sql = format!(
            "SELECT {keys}{sources} FROM {table}{condition} ORDER BY {} FOR NO KEY UPDATE",
            self.keys("")
        );
        let rows = query::rows(connection, sql).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let mut values = Vec::with_capacity(rows.len());
        for row in &rows {
            values.push(self.converted(converter, row)?);
        }
        let names: Vec<String> = (1..=self.rewrite.key.len())
            .map(|position| format!("\"_prism_key_{position}\""))
            .chain(conversions(self.rewrite).map(|(column, _)| quote(column)))
            .collect();
        let same: Vec<String> = self
            .rewrite
            .key
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let name = quote(&column.name);
                format!("{table}.{name} = \"_prism_values\".\"_prism_key_{}\"", position + 1)
            })
            .collect();
        let sql = format!(
            "{update} FROM (VALUES {}) AS \"_prism_values\" ({}) WHERE {}",
            values.join(", "),
            names.join(", "),
            same.join(" AND ")
        );
        count(connection, sql).await
    }

    /// A row of values: its key, and what the conversions make of it.
    fn converted(&self, converter: &Converter, row: &PgRow) -> Result<String, Cause> {
        let mut values = Vec::new();
        let key = self.key(row)?;
        for (text, column) in key.iter().zip(&self.rewrite.key) {
            values.push(format!("{}::{}", literal(text), column.ty));
        }
        for (position, (_, conversion)) in conversions(self.rewrite).enumerate() {
            let stored = stored(row, self.rewrite.key.len() + position, conversion)?;
            let value = converter.convert(conversion, &stored).map_err(|reason| {
                let row = row_text(self.rewrite, key.iter().cloned());
                Cause::Refused(format!("{row}: {reason}"))
            })?;
            values.push(match (value, conversion.to) {
                (Value::Text(text), _) => format!("{}::jsonb", literal(&text)),
                (Value::Blob(bytes), _) => {
                    format!("'\\x{}'::bytea", crate::migration::hex(&bytes))
                }
                (_, Storage::Json) => "NULL::jsonb".to_owned(),
                _ => "NULL::bytea".to_owned(),
            });
        }
        Ok(format!("({})", values.join(", ")))
    }

    /// ` WHERE` the key is in a range and, where that is asked, the row has to be written.
    fn condition(&self, range: &Range, outstanding: bool) -> String {
        let compare = |key: &Key, operator: &str| {
            let values: Vec<String> = key
                .iter()
                .zip(&self.rewrite.key)
                .map(|(text, column)| format!("{}::{}", literal(text), column.ty))
                .collect();
            format!("({}) {operator} ({})", self.keys(""), values.join(", "))
        };
        let mut conditions: Vec<String> = Vec::new();
        conditions.extend(range.above.as_ref().map(|key| compare(key, ">")));
        conditions.extend(range.upto.as_ref().map(|key| compare(key, "<=")));
        let outstanding = self.rewrite.outstanding.as_ref().filter(|_| outstanding);
        conditions.extend(outstanding.map(|condition| format!("({condition})")));
        match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        }
    }

    fn keys(&self, cast: &str) -> String {
        let columns = self.rewrite.key.iter();
        columns.map(|it| quote(&it.name) + cast).collect::<Vec<_>>().join(", ")
    }

    fn key(&self, row: &PgRow) -> Result<Key, Cause> {
        (0..self.rewrite.key.len()).map(|position| Ok(row.try_get(position)?)).collect()
    }

    /// Builds the indexes. Nobody queues behind a build that waits for transactions to end.
    async fn build_all(&self, connection: &mut PgConnection) -> Result<(), Cause> {
        if self.rewrite.indexes.is_empty() {
            return Ok(());
        }
        let sql = "SELECT current_setting('lock_timeout')";
        let before: String = query::one(connection, sql).await?.try_get(0)?;
        query::execute(connection, format!("SET lock_timeout = '{BUILD_LOCK_TIMEOUT}'")).await?;
        for index in &self.rewrite.indexes {
            self.build(connection, &index.name, &index.create).await?;
        }
        Ok(query::execute(connection, format!("SET lock_timeout = '{before}'")).await?)
    }

    /// Builds an index, unless an earlier run has.
    async fn build(
        &self,
        connection: &mut PgConnection,
        name: &str,
        create: &str,
    ) -> Result<(), Cause> {
        let mut tries = Tries::default();
        loop {
            let sql = format!(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass({})",
                literal(&quote(name))
            );
            let found = query::rows(connection, sql).await?;
            match found.first().map(|row| row.try_get(0)).transpose()? {
                Some(true) => return Ok(()),
                Some(false) => {
                    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {}", quote(name));
                    if let Err(error) = query::execute(connection, drop).await {
                        tries.again(error.into()).await?;
                    }
                }
                None => {
                    if let Err(error) = query::execute(connection, create).await {
                        tries.again(error.into()).await?;
                    }
                }
            }
        }
    }

    /// Copies what is left and swaps, while nobody else reads or writes.
    async fn finish(&self, connection: &mut PgConnection, record: &str) -> Result<(), Cause> {
        let mut tries = Tries::default();
        loop {
            match self.swap(connection, record).await {
                Ok(()) => return Ok(()),
                Err(cause) => tries.again(cause).await?,
            }
        }
    }

    async fn swap(&self, connection: &mut PgConnection, record: &str) -> Result<(), Cause> {
        let mut transaction = connection.begin().await?;
        let table = quote(&self.rewrite.table);
        let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        query::execute(&mut transaction, lock).await?;
        self.write(&mut transaction, &Range::default()).await?;
        query::execute(&mut transaction, self.rewrite.finish.join("\n")).await?;
        query::execute(&mut transaction, record).await?;
        Ok(transaction.commit().await?)
    }
}

fn stored(row: &PgRow, position: usize, conversion: &Conversion) -> Result<Value, Cause> {
    Ok(match conversion.from {
        Storage::Json => {
            row.try_get::<Option<String>, _>(position)?.map_or(Value::Null, Value::Text)
        }
        _ => row.try_get::<Option<Vec<u8>>, _>(position)?.map_or(Value::Null, Value::Blob),
    })
}

async fn count(connection: &mut PgConnection, sql: String) -> Result<u64, Cause> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?.rows_affected())
}

/// What is tried again where other sessions were in the way.
#[derive(Debug, Default)]
struct Tries(u32);

impl Tries {
    /// Waits before the next one.
    ///
    /// # Errors
    ///
    /// The error, where another try would be of no use, or too many were made.
    async fn again(&mut self, cause: Cause) -> Result<(), Cause> {
        self.0 += 1;
        if !is_locked(&cause) || self.0 > TRIES {
            return Err(cause);
        }
        tokio::time::sleep(Duration::from_millis(50 << self.0.min(6))).await;
        Ok(())
    }
}
