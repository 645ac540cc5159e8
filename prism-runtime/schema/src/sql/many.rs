//! Statements on many rows of a Postgres table. Every parameter is an array that has a value for
//! each row, so that the text is the same for any number of rows.

use super::ddl::{ColumnType, column_type};
use super::statement::{Parameter, Statement, Statements};
use super::text::Text;
use super::{Dialect, quote};

/// The rows of the arrays. What a schema calls its own does not begin like this.
const ROWS: &str = "_prism_rows";

/// A column of the arrays: what it stands for, and its type.
type Array = (Parameter, ColumnType);

impl Statements<'_> {
    /// The records with any of the keys, whatever their state: as [`Statements::get`] has them, in
    /// no order.
    pub fn find_many(&self) -> Statement {
        let mut text = self.select();
        text.push(", ");
        self.rows(&mut text, &self.keys());
        text.push(" WHERE ");
        self.same_key(&mut text);
        text.finish()
    }

    /// The same, and nobody else writes them until the transaction ends. They are locked in the
    /// order of their keys.
    pub fn lock_many(&self) -> Statement {
        let mut statement = self.find_many();
        let mut text = Text::new(self.entity, Dialect::Postgres);
        text.push(" ORDER BY ");
        text.columns(&self.entity.key);
        text.push(" FOR UPDATE OF ");
        text.table();
        statement.sql.push_str(&text.finish().sql);
        statement
    }

    /// The keys of those of the records that another transaction has locked. It waits for none.
    pub fn locked_many(&self) -> Statement {
        let mut text = self.keys_of();
        text.push(" AND (");
        text.columns(&self.entity.key);
        text.push(") NOT IN (");
        let free = self.keys_of().finish();
        text.push(&free.sql);
        text.push(" FOR UPDATE OF ");
        text.table();
        text.push(" SKIP LOCKED)");
        text.finish()
    }

    /// The keys of the records that are there. Its parameters are the keys, whatever is before it.
    fn keys_of(&self) -> Text<'_> {
        let mut text = Text::new(self.entity, Dialect::Postgres);
        text.push("SELECT ");
        text.columns(&self.entity.key);
        text.push(" FROM ");
        text.table();
        text.push(", ");
        self.rows(&mut text, &self.keys());
        text.push(" WHERE ");
        self.same_key(&mut text);
        text
    }

    /// New records, and the keys of those that no other one was in the way of; the rest are not
    /// written.
    pub fn insert_many(&self) -> Statement {
        let mut text = self.insert_all();
        text.push(" ON CONFLICT DO NOTHING RETURNING ");
        text.columns(&self.entity.key);
        text.finish()
    }

    /// New records, or every known column of those with their keys.
    pub fn replace_many(&self) -> Statement {
        let mut text = self.insert_all();
        self.or_overwrite(&mut text);
        text.finish()
    }

    /// These fields, and Prism's own column, of the records with the keys. Needs one or the other.
    pub fn update_many(&self, numbers: &[u32]) -> Statement {
        let mut arrays = self.keys();
        let keys = arrays.len();
        arrays.extend(self.arrays(numbers));
        arrays.extend(self.written_at());
        let mut text = Text::new(self.entity, Dialect::Postgres);
        text.push("UPDATE ");
        text.table();
        text.push(" SET ");
        for position in keys..arrays.len() {
            text.push(if position > keys { ", " } else { "" });
            match numbers.get(position - keys) {
                Some(number) => text.column(*number),
                None => text.push(&self.entity.last_write_column().map_or(String::new(), quote)),
            }
            text.push(&format!(" = {}", name(position)));
        }
        text.push(" FROM ");
        self.rows(&mut text, &arrays);
        text.push(" WHERE ");
        self.same_key(&mut text);
        text.finish()
    }

    /// Removes the records with the keys.
    pub fn delete_many(&self) -> Statement {
        let mut text = Text::new(self.entity, Dialect::Postgres);
        text.push("DELETE FROM ");
        text.table();
        text.push(" USING ");
        self.rows(&mut text, &self.keys());
        text.push(" WHERE ");
        self.same_key(&mut text);
        text.finish()
    }

    fn insert_all(&self) -> Text<'_> {
        let numbers: Vec<u32> = self.entity.columns.iter().map(|column| column.number).collect();
        let mut arrays = self.arrays(&numbers);
        arrays.extend(self.written_at());
        let mut text = Text::new(self.entity, Dialect::Postgres);
        text.push("INSERT INTO ");
        text.table();
        text.push(" (");
        text.all_columns();
        text.push(") SELECT * FROM ");
        self.rows(&mut text, &arrays);
        text
    }

    fn keys(&self) -> Vec<Array> {
        self.arrays(&self.entity.key)
    }

    fn arrays(&self, numbers: &[u32]) -> Vec<Array> {
        let columns = numbers.iter().filter_map(|number| self.entity.column(*number));
        columns.map(|column| (Parameter::Column(column.number), column_type(column))).collect()
    }

    fn written_at(&self) -> Option<Array> {
        self.entity.last_write_column()?;
        Some((Parameter::WrittenAt, ColumnType::Timestamp))
    }

    fn rows(&self, text: &mut Text<'_>, arrays: &[Array]) {
        text.push("unnest(");
        for (position, (parameter, ty)) in arrays.iter().enumerate() {
            text.push(if position > 0 { ", " } else { "" });
            text.bind(*parameter);
            // The column that the values are compared with or stored in has the collation.
            let ty = ty.render(Dialect::Postgres);
            let ty = ty.split_once(" COLLATE").map_or(ty, |(ty, _)| ty);
            text.push(&format!("::{ty}[]"));
        }
        let names: Vec<String> = (0..arrays.len()).map(name).collect();
        text.push(&format!(") AS {} ({})", quote(ROWS), names.join(", ")));
    }

    fn same_key(&self, text: &mut Text<'_>) {
        for (position, number) in self.entity.key.iter().enumerate() {
            text.push(if position > 0 { " AND " } else { "" });
            text.column(*number);
            text.push(&format!(" = {}", name(position)));
        }
    }
}

/// Name of a column of the arrays.
fn name(position: usize) -> String {
    quote(&format!("_prism_{position}"))
}
