//! Changes of tables that are there already: planned as data, rendered by one function.

use super::ddl::{self, ColumnType, TableColumn, Zero};
use super::ident::prefixed;
use super::rewrite::{Conversion, Value};
use super::{Dialect, quote};

/// Rows that a batch goes over, of a fill that the database itself makes in batches.
const BATCH: usize = 1000;

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
    /// New values in the rows that need one, in batches that are committed one by one, so that no
    /// row is locked for long. Stands alone, outside a transaction; may be executed again.
    FillInBatches {
        /// The table.
        table: String,
        /// The columns of its key.
        key: Vec<String>,
        /// The column that is filled.
        column: String,
        /// Its values.
        value: Source,
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
    /// What a row gets that does not say, and that it is never NULL: checked by a scan.
    Complete(TableColumn),
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
    /// A protobuf value in another form, or under other names: only a rewriting copy makes it.
    Converted(Conversion),
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
            // No database has it: a plan that is not a rewriting copy stops here.
            Source::Converted(Conversion { source, field, .. }) => {
                format!("prism_convert({field}, {})", quote(source))
            }
            Source::Now => match dialect {
                Dialect::Sqlite => {
                    "CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)".to_owned()
                }
                Dialect::Postgres => "now()".to_owned(),
            },
        }
    }

    /// The same over a column of another name.
    #[must_use]
    pub fn over(self, name: impl FnOnce(String) -> String) -> Self {
        match self {
            Source::Column(from) => Source::Column(name(from)),
            Source::OrZero(from, ty, zero) => Source::OrZero(name(from), ty, zero),
            Source::ZeroAsNull(from, ty, zero) => Source::ZeroAsNull(name(from), ty, zero),
            Source::Widened(from) => Source::Widened(name(from)),
            Source::Converted(mut conversion) => {
                conversion.source = name(conversion.source);
                Source::Converted(conversion)
            }
            Source::Now => Source::Now,
        }
    }

    /// The same for a rewriting copy.
    pub fn to_value(&self, dialect: Dialect) -> Value {
        match self {
            Source::Converted(conversion) => Value::Convert(conversion.clone()),
            source => Value::Sql(source.render(dialect)),
        }
    }

    /// Whether only a rewriting copy makes it: it takes a while, or is no SQL.
    pub fn is_rewritten(&self) -> bool {
        matches!(self, Source::Widened(_) | Source::Converted(_))
    }

    /// Which rows do not have the value in a column yet.
    fn missing(&self, column: &str, dialect: Dialect) -> String {
        match self {
            Source::OrZero(name, ..) => format!("{} IS NULL", quote(name)),
            Source::ZeroAsNull(name, ty, zero) => {
                format!("{} = {}", quote(name), zero.render(*ty, dialect))
            }
            other => format!("{} IS DISTINCT FROM {}", quote(column), other.render(dialect)),
        }
    }

    /// The value in the rows that miss it.
    fn filled(&self, dialect: Dialect) -> String {
        match self {
            Source::OrZero(_, ty, zero) => zero.render(*ty, dialect),
            Source::ZeroAsNull(..) => "NULL".to_owned(),
            other => other.render(dialect),
        }
    }
}

impl Change {
    /// Whether the statement has to stand alone, outside a transaction.
    pub fn stands_alone(&self) -> bool {
        matches!(
            self,
            Change::CreateIndexConcurrently(_)
                | Change::DropIndexConcurrently(_)
                | Change::FillInBatches { .. }
        )
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
            Change::FillInBatches { table, key, column, value } => {
                fill_in_batches(table, key, column, value, dialect)
            }
            Change::Pause => format!(
                "SELECT pg_sleep({NAME_PAUSE_SECONDS}) WHERE EXISTS (\n  \
                 SELECT 1 FROM pg_stat_activity\n  \
                 WHERE datname = current_database() AND application_name LIKE 'prism proxy%'\n    \
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
            ColumnChange::Fill { column, value } => format!(
                "UPDATE {} SET {} = {} WHERE {};",
                quote(table),
                quote(column),
                value.filled(dialect),
                value.missing(column, dialect)
            ),
            ColumnChange::Complete(column) => {
                let name = quote(&column.name);
                let default = column.default_clause(dialect);
                format!(
                    "{alter} ALTER COLUMN {name} SET{default}, ALTER COLUMN {name} SET NOT NULL;"
                )
            }
        }
    }
}

/// Goes along the primary key in ranges of so many rows: each is an index scan, however many rows
/// there are.
fn fill_in_batches(
    table: &str,
    key: &[String],
    column: &str,
    value: &Source,
    dialect: Dialect,
) -> String {
    let list = |prefix: &str| -> String {
        let names: Vec<String> = key.iter().map(|name| prefix.to_owned() + &quote(name)).collect();
        names.join(", ")
    };
    let (key_list, from, upto) = (list(""), list("\"_prism_from\"."), list("\"_prism_upto\"."));
    let first = key.first().map(|name| quote(name)).unwrap_or_default();
    let table = quote(table);
    let update = format!(
        "UPDATE {table} SET {} = {} WHERE {} AND ({key_list}) >= ({from})",
        quote(column),
        value.filled(dialect),
        value.missing(column, dialect)
    );
    format!(
        "DO $prism$\n\
         DECLARE\n  \"_prism_from\" record;\n  \"_prism_upto\" record;\n\
         BEGIN\n  \
           SELECT {key_list} INTO \"_prism_from\" FROM {table} ORDER BY {key_list} LIMIT 1;\n  \
           WHILE \"_prism_from\".{first} IS NOT NULL LOOP\n    \
             SET LOCAL lock_timeout = '5s';\n    \
             SELECT {key_list} INTO \"_prism_upto\" FROM {table}\n      \
               WHERE ({key_list}) > ({from}) ORDER BY {key_list} OFFSET {} LIMIT 1;\n    \
             IF \"_prism_upto\".{first} IS NULL THEN\n      \
               {update};\n    \
             ELSE\n      \
               {update} AND ({key_list}) < ({upto});\n    \
             END IF;\n    \
             COMMIT;\n    \
             \"_prism_from\" := \"_prism_upto\";\n  \
           END LOOP;\n\
         END $prism$;",
        BATCH - 1
    )
}

/// The constraint that stands for NOT NULL while it is introduced.
fn check_name(column: &str) -> String {
    prefixed("_prism_not_null_", column)
}
