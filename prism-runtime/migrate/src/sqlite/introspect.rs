//! What the tables of a SQLite database are.

use prism_schema::Entity;
use prism_schema::sql::Dialect;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::Error;
use crate::verify::{self, Column, Difference, Index, Part, Table};

/// Compares the tables of entities, and Prism's own, with what is there.
///
/// # Errors
///
/// Where the database cannot be read.
pub fn verify(connection: &Connection, entities: &[&Entity]) -> Result<Vec<Difference>, Error> {
    let mut found = Vec::new();
    for name in verify::tables(entities, Dialect::Sqlite) {
        found.push((name, table(connection, name)?));
    }
    let of = |name: &str| found.iter().find(|(it, _)| *it == name)?.1.clone();
    Ok(verify::differences(entities, Dialect::Sqlite, of))
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Option<Table>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\" = 0, dflt_value, hidden <> 0, pk \
         FROM pragma_table_xinfo(?1) ORDER BY cid",
    )?;
    let column = |row: &Row<'_>| {
        let column = Column {
            name: row.get(0)?,
            ty: row.get(1)?,
            collation: None,
            nullable: row.get(2)?,
            default: row.get(3)?,
            generated: row.get(4)?,
        };
        Ok((row.get::<_, u32>(5)?, column))
    };
    let columns: Vec<(u32, Column)> =
        statement.query_map([name], column)?.collect::<Result<_, _>>()?;
    if columns.is_empty() {
        return Ok(None);
    }
    let mut key: Vec<(u32, String)> = columns
        .iter()
        .filter(|(position, _)| *position > 0)
        .map(|(position, column)| (*position, column.name.clone()))
        .collect();
    key.sort();
    let mut table = Table {
        columns: columns.into_iter().map(|(_, column)| column).collect(),
        key: key.into_iter().map(|(_, name)| name).collect(),
        indexes: Vec::new(),
    };
    add_indexes(connection, name, &mut table)?;
    Ok(Some(table))
}

fn add_indexes(connection: &Connection, name: &str, table: &mut Table) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT name, \"unique\", origin = 'pk', partial FROM pragma_index_list(?1) ORDER BY name",
    )?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let parts = parts(connection, &name)?;
        // The columns of keys and indexes are those whose order matters.
        for (part, collation) in &parts {
            let of_part = |column: &&mut Column| part.column.as_ref() == Some(&column.name);
            if let Some(column) = table.columns.iter_mut().find(of_part) {
                column.collation = Some(collation.clone());
            }
        }
        if row.get(2)? {
            continue;
        }
        let condition = if row.get(3)? { condition(connection, &name)? } else { None };
        table.indexes.push(Index {
            name,
            unique: row.get(1)?,
            valid: true,
            parts: parts.into_iter().map(|(part, _)| part).collect(),
            condition,
            method: None,
        });
    }
    Ok(())
}

/// The columns of an index, each with its collation.
fn parts(connection: &Connection, index: &str) -> rusqlite::Result<Vec<(Part, String)>> {
    let mut statement = connection.prepare(
        "SELECT name, \"desc\", coll FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno",
    )?;
    let part = |row: &Row<'_>| {
        let descending: bool = row.get(1)?;
        let part = Part { column: row.get(0)?, descending, nulls_first: !descending };
        Ok((part, row.get(2)?))
    };
    statement.query_map([index], part)?.collect()
}

/// What a partial index says of its rows, without quotes.
fn condition(connection: &Connection, index: &str) -> rusqlite::Result<Option<String>> {
    let sql: Option<String> = connection
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1",
            [index],
            |row| row.get(0),
        )
        .optional()?;
    let condition = |sql: String| Some(sql.rsplit_once(" WHERE ")?.1.replace('"', ""));
    Ok(sql.and_then(condition))
}
