//! What a database has, as it says itself.

use std::fmt;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// In the order of the table.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub key: Vec<String>,
    /// Without that of the primary key.
    pub indexes: Vec<Index>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    /// Its type in the words of the database.
    pub ty: String,
    /// How its texts compare, where the database says so.
    pub collation: Option<String>,
    pub nullable: bool,
    /// The expression of its default.
    pub default: Option<String>,
    /// The database gives it a value: nobody can write it, or nobody has to.
    pub generated: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Index {
    pub name: String,
    pub unique: bool,
    /// Whether it was built to its end.
    pub valid: bool,
    pub parts: Vec<Part>,
    /// The rows that are in it: an expression without quotes and outer parentheses.
    pub condition: Option<String>,
    /// What it is where it is no tree: `gin`, `hash`.
    pub method: Option<String>,
}

/// A column of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The column; an expression is none.
    pub column: Option<String>,
    pub descending: bool,
    pub nulls_first: bool,
}

impl Index {
    /// Whether two indexes differ in their conditions at most.
    pub(super) fn same_but_condition(&self, other: &Index) -> bool {
        self.unique == other.unique && self.parts == other.parts && self.method == other.method
    }
}

/// What comes after the name: `unique (a, b desc) where c IS NULL`.
impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        f.write_str(if self.unique { "unique (" } else { "(" })?;
        for (position, part) in self.parts.iter().enumerate() {
            let separator = if position > 0 { ", " } else { "" };
            let direction = if part.descending { " desc" } else { "" };
            // The smallest value comes first, unless the order is reversed.
            let nulls = match (part.descending, part.nulls_first) {
                (false, false) => " nulls last",
                (true, true) => " nulls first",
                _ => "",
            };
            let column = part.column.as_deref().unwrap_or("an expression");
            write!(f, "{separator}{column}{direction}{nulls}")?;
        }
        f.write_str(")")?;
        match &self.condition {
            Some(condition) => write!(f, " where {condition}"),
            None => Ok(()),
        }
    }
}
