//! Rewriting copies: changes of stored values that take as long as a table is large, and so are
//! made in bounded batches. The planner writes one as a migration, Prism's migrator executes it.

use serde::{Deserialize, Serialize};

use crate::Storage;

/// The first line of a migration that is a rewriting copy.
pub const MARKER: &str = "-- prism:rewrite";

/// Version of the form.
const FORMAT: u32 = 1;

/// What stands around the text of a [`Rewrite`]. No database has the function: any other tool
/// stops at it.
const CALL: (&str, &str) = ("SELECT prism_rewrite('", "');");

/// Copies values to where they belong, beside those that are in use, and then swaps the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Version of this form.
    pub format: u32,
    /// The table, not quoted.
    pub table: String,
    /// Its primary key, along which the batches go.
    pub key: Vec<KeyColumn>,
    /// Statements that come first, in one transaction. They may be executed again.
    pub prepare: Vec<String>,
    /// Another table that the rows are inserted into, not quoted. Without one, columns of the
    /// table itself are updated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The columns that are written.
    pub columns: Vec<Target>,
    /// Which rows still have to be written. Without one, all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outstanding: Option<String>,
    /// Indexes that are built once the rows are written, while the table is in use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<IndexBuild>,
    /// Statements that end it, in the transaction that records the migration.
    pub finish: Vec<String>,
    /// What converted values are made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Types>,
}

/// A column of the primary key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyColumn {
    /// Name, not quoted.
    pub name: String,
    /// Its type in SQL.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether no message may show its values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

/// A column that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name, not quoted.
    pub column: String,
    /// What it gets.
    pub value: Value,
}

/// Where a new value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Value {
    /// An expression over the row.
    Sql(String),
    /// Another form of the same protobuf value.
    Convert(Conversion),
}

/// A stored protobuf value in another form, or under other names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The column that has it, not quoted.
    pub source: String,
    /// Number of the entity's field.
    pub field: u32,
    /// Its form before.
    pub from: Storage,
    /// Its form afterwards.
    pub to: Storage,
}

/// An index, built by one statement outside of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexBuild {
    /// Name, not quoted.
    pub name: String,
    /// The statement.
    pub create: String,
}

/// Encoded `FileDescriptorSet`s in base64, reduced to what conversions need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Types {
    /// Full name of the entity's message, in both.
    pub message: String,
    /// With the names of before.
    pub before: String,
    /// With the names of afterwards.
    pub after: String,
}

impl Rewrite {
    /// A copy within or out of a table, with nothing in it yet.
    pub fn new(table: &str, key: Vec<KeyColumn>) -> Self {
        Rewrite {
            format: FORMAT,
            table: table.to_owned(),
            key,
            prepare: Vec::new(),
            into: None,
            columns: Vec::new(),
            outstanding: None,
            indexes: Vec::new(),
            finish: Vec::new(),
            types: None,
        }
    }

    /// Whether a migration is one.
    pub fn is_one(sql: &str) -> bool {
        sql.lines().next().is_some_and(|line| line.trim_end() == MARKER)
    }

    /// A migration's text: the marker, comments, and the call.
    pub fn render(&self, comments: &str) -> String {
        let json = match serde_json::to_string_pretty(self) {
            Ok(json) => json,
            Err(error) => unreachable!("a rewriting copy is plain data: {error}"),
        };
        format!("{MARKER}\n{comments}{}{}{}\n", CALL.0, json.replace('\'', "''"), CALL.1)
    }

    /// Reads a migration's text.
    ///
    /// # Errors
    ///
    /// Text that is none, or of a later version of Prism.
    pub fn parse(sql: &str) -> Result<Self, String> {
        let call = |text: &str| -> Option<String> {
            let (_, rest) = text.split_once(CALL.0)?;
            Some(rest.trim_end().strip_suffix(CALL.1)?.replace("''", "'"))
        };
        let json = call(sql).ok_or_else(|| "it holds no rewriting copy".to_owned())?;
        let rewrite: Rewrite = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        if rewrite.format > FORMAT {
            let format = rewrite.format;
            return Err(format!("its format is {format}, this version of Prism reads {FORMAT}"));
        }
        Ok(rewrite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let key = KeyColumn { name: "it's".to_owned(), ty: "TEXT".to_owned(), masked: false };
        let mut rewrite = Rewrite::new("things", vec![key]);
        rewrite.finish = vec!["SELECT '');';".to_owned()];
        let sql = rewrite.render("-- one\n");
        assert!(Rewrite::is_one(&sql) && sql.starts_with("-- prism:rewrite\n-- one\nSELECT"));
        assert_eq!(Rewrite::parse(&sql), Ok(rewrite.clone()));
        rewrite.format = FORMAT + 1;
        assert!(Rewrite::parse(&rewrite.render("")).is_err());
        assert!(!Rewrite::is_one("SELECT 1;") && Rewrite::parse("SELECT 1;").is_err());
    }
}
