//! What the tables of a Postgres database are.

use std::collections::BTreeMap;

use prism_schema::Entity;
use prism_schema::sql::{Dialect, quote};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::query::{self, literal};
use crate::Error;
use crate::verify::{self, Column, Difference, Index, Part, Table};

/// Compares the tables of entities, and Prism's own, with what is there.
///
/// # Errors
///
/// Where the database cannot be read.
pub async fn verify(
    connection: &mut PgConnection,
    entities: &[&Entity],
) -> Result<Vec<Difference>, Error> {
    let tables = tables(connection, &verify::tables(entities, Dialect::Postgres)).await?;
    Ok(verify::differences(entities, Dialect::Postgres, |name| tables.get(name).cloned()))
}

/// Those of the named tables that there are.
async fn tables(
    connection: &mut PgConnection,
    names: &[&str],
) -> sqlx::Result<BTreeMap<String, Table>> {
    let wanted: Vec<String> = names
        .iter()
        .map(|name| format!("({}, to_regclass({}))", literal(name), literal(&quote(name))))
        .collect();
    let wanted = format!("(VALUES {}) AS wanted (name, oid)", wanted.join(", "));
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in query::rows(connection, format!("{COLUMNS} {wanted} {COLUMNS_OF}")).await? {
        tables.entry(row.try_get(0)?).or_default().columns.push(column(&row)?);
    }
    for row in query::rows(connection, format!("{INDEXES} {wanted} {INDEXES_OF}")).await? {
        if let Some(table) = tables.get_mut(&row.try_get::<String, _>(0)?) {
            add_part(table, &row)?;
        }
    }
    Ok(tables)
}

const COLUMNS: &str = "
    SELECT wanted.name::text, a.attname::text, format_type(a.atttypid, a.atttypmod)::text,
           CASE WHEN l.collname = 'default'
                THEN (SELECT datcollate::text FROM pg_database WHERE datname = current_database())
                ELSE l.collname::text END,
           NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
           a.attidentity <> '' OR a.attgenerated <> ''
    FROM";

const COLUMNS_OF: &str = "
    JOIN pg_attribute a ON a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    ORDER BY wanted.name, a.attnum";

fn column(row: &PgRow) -> sqlx::Result<Column> {
    Ok(Column {
        name: row.try_get(1)?,
        ty: row.try_get(2)?,
        collation: row.try_get(3)?,
        nullable: row.try_get(4)?,
        default: row.try_get(5)?,
        generated: row.try_get(6)?,
    })
}

/// A row for each column of each index.
const INDEXES: &str = "
    SELECT wanted.name::text, i.relname::text, x.indisprimary, x.indisunique,
           x.indisvalid AND x.indisready, m.amname::text, pg_get_expr(x.indpred, x.indrelid),
           a.attname::text, x.indoption[part - 1]::int & 1 <> 0, x.indoption[part - 1]::int & 2 <> 0
    FROM";

const INDEXES_OF: &str = "
    JOIN pg_index x ON x.indrelid = wanted.oid
    JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_am m ON m.oid = i.relam
    CROSS JOIN LATERAL generate_series(1, x.indnkeyatts) AS part
    LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[part - 1]
    ORDER BY wanted.name, i.relname, part";

fn add_part(table: &mut Table, row: &PgRow) -> sqlx::Result<()> {
    let (name, column): (String, Option<String>) = (row.try_get(1)?, row.try_get(7)?);
    if row.try_get(2)? {
        table.key.extend(column);
        return Ok(());
    }
    let part = Part { column, descending: row.try_get(8)?, nulls_first: row.try_get(9)? };
    if let Some(last) = table.indexes.last_mut().filter(|last| last.name == name) {
        last.parts.push(part);
        return Ok(());
    }
    let method: String = row.try_get(5)?;
    let condition: Option<String> = row.try_get(6)?;
    table.indexes.push(Index {
        name,
        unique: row.try_get(3)?,
        valid: row.try_get(4)?,
        parts: vec![part],
        condition: condition.map(|text| bare(&text)),
        // CockroachDB's `prefix` is its tree.
        method: (!["btree", "prefix", "lsm"].contains(&method.as_str())).then_some(method),
    });
    Ok(())
}

/// An expression without quotes and outer parentheses.
fn bare(expression: &str) -> String {
    let text = expression.replace('"', "");
    text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).unwrap_or(&text).to_owned()
}
