//! Columns that are filled beside those in use and then take their places: how Postgres gets
//! other values in a column while it is read and written.

use super::ddl::TableColumn;
use super::ident::prefixed;
use super::{Dialect, alter, quote};

const TRIGGER: &str = "_prism_stale";

/// The columns of a table that are replaced.
#[derive(Clone, Debug)]
pub struct Shadows {
    table: String,
    /// What each column is to be, and the name that it has until then.
    columns: Vec<(TableColumn, String)>,
}

impl Shadows {
    /// Of columns as they are to be; each has its name already.
    pub fn new(table: &str, columns: impl IntoIterator<Item = TableColumn>) -> Self {
        let named = |(position, column)| (column, format!("_prism_new_{}", position + 1));
        let columns = columns.into_iter().enumerate().map(named).collect();
        Shadows { table: table.to_owned(), columns }
    }

    /// The name that a column's replacement has before the swap; the column's own where it is not
    /// replaced.
    pub fn name<'a>(&'a self, column: &'a str) -> &'a str {
        let found = self.columns.iter().find(|(it, _)| it.name == column);
        found.map_or(column, |(_, shadow)| shadow)
    }

    /// Adds them, and a trigger by which a value that is written from now on is copied again. May
    /// be executed again.
    pub fn prepare(&self) -> Vec<String> {
        let table = quote(&self.table);
        let mut statements: Vec<String> = self
            .columns
            .iter()
            .map(|(column, shadow)| {
                let ty = column.ty.render(Dialect::Postgres);
                format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {} {ty};", quote(shadow))
            })
            .collect();
        let stale: String = self
            .columns
            .iter()
            .map(|(column, shadow)| {
                let (name, shadow) = (quote(&column.name), quote(shadow));
                format!(
                    "IF NEW.{name} IS DISTINCT FROM OLD.{name} THEN NEW.{shadow} := NULL; END IF; "
                )
            })
            .collect();
        let names: Vec<String> = self.columns.iter().map(|(it, _)| quote(&it.name)).collect();
        statements.push(format!(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS $prism$ \
             BEGIN {stale}RETURN NEW; END $prism$;",
            self.function()
        ));
        statements.push(format!("DROP TRIGGER IF EXISTS \"{TRIGGER}\" ON {table};"));
        statements.push(format!(
            "CREATE TRIGGER \"{TRIGGER}\" BEFORE UPDATE OF {} ON {table} FOR EACH ROW \
             EXECUTE FUNCTION {}();",
            names.join(", "),
            self.function()
        ));
        statements
    }

    /// Which rows still have to be copied.
    pub fn outstanding(&self) -> String {
        let of = |(column, shadow): &(TableColumn, String)| {
            format!("{} IS NOT NULL AND {} IS NULL", quote(&column.name), quote(shadow))
        };
        self.columns.iter().map(of).collect::<Vec<_>>().join(" OR ")
    }

    /// Puts them in the places of the columns that they replace, which takes the indexes of those
    /// away.
    pub fn swap(&self) -> Vec<String> {
        let table = quote(&self.table);
        let mut statements = vec![
            format!("DROP TRIGGER \"{TRIGGER}\" ON {table};"),
            format!("DROP FUNCTION {}();", self.function()),
        ];
        for (column, shadow) in &self.columns {
            let mut push = |change| {
                let change = alter::Change::Column { table: self.table.clone(), change };
                statements.push(change.render(Dialect::Postgres));
            };
            push(alter::ColumnChange::Drop(column.name.clone()));
            let (from, to) = (shadow.clone(), column.name.clone());
            push(alter::ColumnChange::Rename { from, to });
            if !column.nullable {
                push(alter::ColumnChange::Complete(column.clone()));
            }
        }
        statements
    }

    fn function(&self) -> String {
        quote(&prefixed("_prism_stale_", &self.table))
    }
}

/// The primary key of a table over an index that was built for it; the name is the one that a
/// table is created with.
pub fn key_from_index(table: &str, index: &str) -> String {
    const SUFFIX: &str = "_pkey";
    let end = (0..=63 - SUFFIX.len()).rev().find(|&end| table.is_char_boundary(end));
    let name = table.get(..end.unwrap_or_default()).unwrap_or(table);
    format!(
        "ALTER TABLE {} ADD CONSTRAINT {} PRIMARY KEY USING INDEX {};",
        quote(table),
        quote(&format!("{name}{SUFFIX}")),
        quote(index)
    )
}
