//! Changes of tables that are there already: planned as data, rendered by one function.

use std::fmt::Write as _;

use super::ddl::{self, ColumnType, TableColumn, Zero};
use super::{Dialect, quote};

/// How long a migration waits, where servers are connected, before a column gets a name that
/// another column had: by then every server has noticed that the name was taken away, and none
/// means the other column by it. Servers look names up that they have not used for a third of it.
pub const NAME_PAUSE_SECONDS: u32 = 10;

/// A statement that changes an existing table, or what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A table or an index from nothing.
    Create(ddl::Step),
    /// An index of a table that is in use. Stands alone, outside a transaction.
    CreateIndexConcurrently(ddl::Step),
    /// `DROP INDEX` of an index that is there.
    DropIndex(String),
    /// An index of this name, left over or not. Stands alone, outside a transaction.
    DropIndexConcurrently(String),
    /// Another name for an index.
    RenameIndex {
        /// Its name.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// `DROP TABLE`.
    DropTable(String),
    /// Another name for a table.
    RenameTable {
        /// Its name.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// Every row of a table into another one.
    Copy {
        /// Where the rows are.
        from: String,
        /// Where they go.
        to: String,
        /// The columns of `to` that are written, with what they hold.
        columns: Vec<(String, Source)>,
    },
    /// A change of one column of a table.
    Column {
        /// The table.
        table: String,
        /// What changes.
        change: ColumnChange,
    },
    /// Waits for [`NAME_PAUSE_SECONDS`] where servers are connected. Postgres only.
    Pause,
    /// Stops the migration where any row meets the condition.
    Refuse {
        /// The table.
        table: String,
        /// What is wrong with the rows, for the one who runs the migration.
        reason: String,
        /// Which rows.
        rows: Rows,
    },
}

/// A change of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnChange {
    /// A new column.
    Add(TableColumn),
    /// `DROP COLUMN`.
    Drop(String),
    /// Another name.
    Rename {
        /// Its name.
        from: String,
        /// Its name from now on.
        to: String,
    },
    /// It may be NULL from now on, and has no default.
    Loosen(String),
    /// What a row gets that does not say.
    SetDefault(TableColumn),
    /// A check that the column is not NULL, of rows written from now on.
    CheckNotNull(String),
    /// Applies the check to the rows that are there.
    ValidateNotNull(String),
    /// NOT NULL in place of the check, which proves it without a scan.
    SetNotNull(String),
    /// New values in the rows that need one.
    Fill {
        /// The column.
        column: String,
        /// Its values.
        value: Source,
    },
    /// New values in every row, the default along with them.
    Rewrite {
        /// The column as it is to be.
        column: TableColumn,
        /// Its values.
        value: Source,
    },
}

/// Which rows stop a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Those equal to another in all of these, none of which is NULL.
    Equal {
        /// What is compared.
        values: Vec<Source>,
        /// Only rows in which this column is NULL count.
        where_null: Option<String>,
    },
    /// Those in which more than one of these is not NULL.
    SeveralSet(Vec<Source>),
}

/// Where a column's new value comes from, in terms of the old row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A column as it is.
    Column(String),
    /// A column, or the zero where it is NULL.
    OrZero(String, ColumnType, Zero),
    /// A column, or NULL where it is the zero.
    ZeroAsNull(String, ColumnType, Zero),
    /// A `uint32` as the `uint64` that it is.
    Widened(String),
    /// The migration's time.
    Now,
}

impl Source {
    /// The expression.
    pub fn render(&self, dialect: Dialect) -> String {
        match self {
            Source::Column(name) => quote(name),
            Source::OrZero(name, ty, zero) => {
                format!("COALESCE({}, {})", quote(name), zero.render(*ty, dialect))
            }
            Source::ZeroAsNull(name, ty, zero) => {
                format!("NULLIF({}, {})", quote(name), zero.render(*ty, dialect))
            }
            Source::Widened(name) => match dialect {
                Dialect::Sqlite => format!("{} + (-9223372036854775807 - 1)", quote(name)),
                Dialect::Postgres => format!("{} + '-9223372036854775808'::bigint", quote(name)),
            },
            Source::Now => match dialect {
                Dialect::Sqlite => {
                    "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)".to_owned()
                }
                Dialect::Postgres => "now()".to_owned(),
            },
        }
    }

    /// Which rows do not have the value yet; `None` where all may need it.
    fn missing(&self, dialect: Dialect) -> Option<String> {
        match self {
            Source::OrZero(name, ..) => Some(format!("{} IS NULL", quote(name))),
            Source::ZeroAsNull(name, ty, zero) => {
                Some(format!("{} = {}", quote(name), zero.render(*ty, dialect)))
            }
            _ => None,
        }
    }
}

impl Change {
    /// Whether the statement has to stand alone, outside a transaction.
    pub fn stands_alone(&self) -> bool {
        matches!(self, Change::CreateIndexConcurrently(_) | Change::DropIndexConcurrently(_))
    }

    /// The statement's text, with its semicolon.
    pub fn render(&self, dialect: Dialect) -> String {
        match self {
            Change::Create(step) => step.render(dialect),
            Change::CreateIndexConcurrently(step) => {
                step.render(dialect).replacen("INDEX ", "INDEX CONCURRENTLY ", 1)
            }
            Change::DropIndex(name) => format!("DROP INDEX {};", quote(name)),
            Change::DropIndexConcurrently(name) => {
                format!("DROP INDEX CONCURRENTLY IF EXISTS {};", quote(name))
            }
            Change::RenameIndex { from, to } => {
                format!("ALTER INDEX {} RENAME TO {};", quote(from), quote(to))
            }
            Change::DropTable(name) => format!("DROP TABLE {};", quote(name)),
            Change::RenameTable { from, to } => {
                format!("ALTER TABLE {} RENAME TO {};", quote(from), quote(to))
            }
            Change::Copy { from, to, columns } => copy(from, to, columns, dialect),
            Change::Column { table, change } => change.render(table, dialect),
            Change::Pause => format!(
                "SELECT pg_sleep({NAME_PAUSE_SECONDS}) WHERE EXISTS (\n  \
                 SELECT 1 FROM pg_stat_activity\n  \
                 WHERE datname = current_database() AND application_name LIKE 'prism%'\n    \
                 AND pid <> pg_backend_pid());"
            ),
            Change::Refuse { table, reason, rows } => {
                refuse(&rows.render(table, dialect), reason, dialect)
            }
        }
    }
}

fn copy(from: &str, to: &str, columns: &[(String, Source)], dialect: Dialect) -> String {
    let names: Vec<String> = columns.iter().map(|(name, _)| quote(name)).collect();
    let values: Vec<String> = columns.iter().map(|(_, source)| source.render(dialect)).collect();
    format!(
        "INSERT INTO {} ({})\nSELECT {}\nFROM {};",
        quote(to),
        names.join(", "),
        values.join(", "),
        quote(from)
    )
}

/// SQLite raises errors only in triggers: there a failing check, named by the reason, stops it.
fn refuse(rows: &str, reason: &str, dialect: Dialect) -> String {
    match dialect {
        Dialect::Sqlite => format!(
            "CREATE TEMP TABLE \"_prism_refuse\" (\"found\" INTEGER, CONSTRAINT {} CHECK (\"found\" = 0));\n\
             INSERT INTO \"_prism_refuse\" SELECT EXISTS ({rows});\n\
             DROP TABLE temp.\"_prism_refuse\";",
            quote(reason)
        ),
        Dialect::Postgres => format!(
            "DO $prism$ BEGIN\n  IF EXISTS ({rows}) THEN\n    RAISE EXCEPTION '%', '{}';\n  END IF;\n\
             END $prism$;",
            reason.replace('\'', "''")
        ),
    }
}

impl Rows {
    fn render(&self, table: &str, dialect: Dialect) -> String {
        match self {
            Rows::Equal { values, where_null } => {
                let values: Vec<String> =
                    values.iter().map(|source| source.render(dialect)).collect();
                let mut conditions: Vec<String> =
                    values.iter().map(|value| format!("{value} IS NOT NULL")).collect();
                conditions
                    .extend(where_null.iter().map(|column| format!("{} IS NULL", quote(column))));
                format!(
                    "SELECT 1 FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1",
                    quote(table),
                    conditions.join(" AND "),
                    values.join(", ")
                )
            }
            Rows::SeveralSet(members) => {
                let set: Vec<String> = members
                    .iter()
                    .map(|source| {
                        let value = source.render(dialect);
                        format!("CASE WHEN {value} IS NULL THEN 0 ELSE 1 END")
                    })
                    .collect();
                format!("SELECT 1 FROM {} WHERE {} > 1", quote(table), set.join(" + "))
            }
        }
    }
}

impl ColumnChange {
    fn render(&self, table: &str, dialect: Dialect) -> String {
        let alter = format!("ALTER TABLE {}", quote(table));
        match self {
            ColumnChange::Add(column) => format!("{alter} ADD COLUMN {};", column.render(dialect)),
            ColumnChange::Drop(name) => format!("{alter} DROP COLUMN {};", quote(name)),
            ColumnChange::Rename { from, to } => {
                format!("{alter} RENAME COLUMN {} TO {};", quote(from), quote(to))
            }
            ColumnChange::Loosen(name) => {
                let column = quote(name);
                format!(
                    "{alter} ALTER COLUMN {column} DROP NOT NULL, ALTER COLUMN {column} DROP DEFAULT;"
                )
            }
            ColumnChange::SetDefault(column) => {
                format!(
                    "{alter} ALTER COLUMN {} SET{};",
                    quote(&column.name),
                    column.default_clause(dialect)
                )
            }
            ColumnChange::CheckNotNull(name) => format!(
                "{alter} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID;",
                quote(&check_name(name)),
                quote(name)
            ),
            ColumnChange::ValidateNotNull(name) => {
                format!("{alter} VALIDATE CONSTRAINT {};", quote(&check_name(name)))
            }
            ColumnChange::SetNotNull(name) => format!(
                "{alter} ALTER COLUMN {} SET NOT NULL;\n{alter} DROP CONSTRAINT {};",
                quote(name),
                quote(&check_name(name))
            ),
            ColumnChange::Fill { column, value } => {
                let mut sql = format!(
                    "UPDATE {} SET {} = {}",
                    quote(table),
                    quote(column),
                    match value {
                        Source::OrZero(_, ty, zero) => zero.render(*ty, dialect),
                        Source::ZeroAsNull(..) => "NULL".to_owned(),
                        other => other.render(dialect),
                    }
                );
                if let Some(condition) = value.missing(dialect) {
                    let _ = write!(sql, " WHERE {condition}");
                }
                sql + ";"
            }
            ColumnChange::Rewrite { column, value } => {
                let name = quote(&column.name);
                format!(
                    "{alter} ALTER COLUMN {name} DROP DEFAULT, ALTER COLUMN {name} TYPE {} USING {};\n\
                     {alter} ALTER COLUMN {name} SET{};",
                    column.ty.render(dialect),
                    value.render(dialect),
                    column.default_clause(dialect)
                )
            }
        }
    }
}

/// The constraint that stands for NOT NULL while it is introduced. A long column name is told
/// from others by a hash (FNV-1a), so that the whole stays within 63 bytes.
fn check_name(column: &str) -> String {
    const PREFIX: &str = "_prism_not_null_";
    if PREFIX.len() + column.len() <= 63 {
        return format!("{PREFIX}{column}");
    }
    let hash = column
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{PREFIX}{hash:08x}")
}
