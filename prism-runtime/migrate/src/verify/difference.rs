//! What differs, and how bad that is.

use std::fmt;

/// Something about a table that is not as the model says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table's name.
    pub table: String,
    /// What differs.
    pub kind: Kind,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// There is no such table.
    MissingTable,
    /// The table has no such column.
    MissingColumn {
        /// The column.
        column: String,
    },
    /// A column has another type.
    Type {
        /// The column.
        column: String,
        /// The model's.
        expected: String,
        /// The database's.
        found: String,
    },
    /// A text compares in another way.
    Collation {
        /// The column.
        column: String,
        /// The model's.
        expected: String,
        /// The database's.
        found: String,
    },
    /// A column refuses NULL, which the server writes where a field is absent.
    NotNull {
        /// The column.
        column: String,
    },
    /// A column takes NULL, which the server never writes.
    Nullable {
        /// The column.
        column: String,
    },
    /// A row that does not say has another value.
    Default {
        /// The column.
        column: String,
        /// The model's.
        expected: Option<String>,
        /// The database's.
        found: Option<String>,
        /// It is the zero of another encoding.
        encoding: bool,
    },
    /// The model does not have the column.
    UnknownColumn {
        /// The column.
        column: String,
        /// Rows without a value for it are refused.
        required: bool,
    },
    /// The primary key is another one.
    Key {
        /// The model's columns.
        expected: String,
        /// The database's.
        found: String,
    },
    /// There is no such index.
    MissingIndex {
        /// The index.
        index: String,
        /// Whether it is to keep records apart.
        unique: bool,
    },
    /// An index was not built to its end.
    InvalidIndex {
        /// The index.
        index: String,
        /// Whether it is to keep records apart.
        unique: bool,
    },
    /// An index is another one than its name says.
    Index {
        /// The index.
        index: String,
        /// Whether it is to keep records apart.
        unique: bool,
        /// The model's.
        expected: String,
        /// The database's.
        found: String,
        /// Only its condition is another one: it keeps other records apart.
        condition: bool,
    },
    /// The model does not have the index.
    UnknownIndex {
        /// The index.
        index: String,
    },
}

/// How bad a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nobody minds it.
    Notice,
    /// Calls are slower, or rows written by other programs are not what the model says.
    Warning,
    /// Calls fail, or read and write something else than what they say.
    Fatal,
}

impl Severity {
    /// In lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Fatal => "error",
        }
    }
}

impl Difference {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}

impl Kind {
    fn severity(&self) -> Severity {
        match self {
            Kind::MissingTable
            | Kind::MissingColumn { .. }
            | Kind::Type { .. }
            | Kind::Collation { .. }
            | Kind::NotNull { .. }
            | Kind::Key { .. }
            | Kind::Default { encoding: true, .. }
            | Kind::UnknownColumn { required: true, .. }
            | Kind::MissingIndex { unique: true, .. }
            | Kind::InvalidIndex { unique: true, .. }
            | Kind::Index { unique: true, .. } => Severity::Fatal,
            Kind::Nullable { .. }
            | Kind::Default { .. }
            | Kind::MissingIndex { .. }
            | Kind::InvalidIndex { .. }
            | Kind::Index { .. } => Severity::Warning,
            Kind::UnknownColumn { .. } | Kind::UnknownIndex { .. } => Severity::Notice,
        }
    }

    /// Whether a server can live with it where a newer one has migrated the database: unique
    /// holds among other records, as the newer schema says.
    pub(super) fn is_bearable_ahead(&self) -> bool {
        matches!(self, Kind::Index { condition: true, .. })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { table, kind } = self;
        match kind {
            Kind::MissingTable => write!(f, "table {table} is missing"),
            other => write!(f, "table {table}: {other}"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::MissingTable => f.write_str("missing"),
            Kind::MissingColumn { column } => write!(f, "column {column} is missing"),
            Kind::Type { column, expected, found } => {
                write!(f, "column {column} is {found} and should be {expected}")
            }
            Kind::Collation { column, expected, found } => {
                write!(f, "column {column} has collation {found} and should have {expected}")
            }
            Kind::NotNull { column } => {
                write!(f, "column {column} is NOT NULL and should take NULL")
            }
            Kind::Nullable { column } => {
                write!(f, "column {column} takes NULL and should be NOT NULL")
            }
            Kind::Default { column, expected, found, .. } => {
                let text = |value: &Option<String>| value.clone().unwrap_or("no default".into());
                write!(f, "column {column} defaults to {}", text(found))?;
                write!(f, " and should have {}", text(expected))
            }
            Kind::UnknownColumn { column, required: false } => {
                write!(f, "column {column} is not in the schema")
            }
            Kind::UnknownColumn { column, required: true } => write!(
                f,
                "column {column} is not in the schema, and refuses rows without a value for it"
            ),
            Kind::Key { expected, found } => {
                write!(f, "its key is ({found}) and should be ({expected})")
            }
            Kind::MissingIndex { index, unique } => {
                write!(f, "{} {index} is missing", kind_of_index(*unique))
            }
            Kind::InvalidIndex { index, unique } => {
                let kind = kind_of_index(*unique);
                write!(f, "{kind} {index} is invalid, as its build did not end")
            }
            Kind::Index { index, unique, expected, found, .. } => {
                let kind = kind_of_index(*unique);
                write!(f, "{kind} {index} is {found} and should be {expected}")
            }
            Kind::UnknownIndex { index } => write!(f, "index {index} is not in the schema"),
        }
    }
}

fn kind_of_index(unique: bool) -> &'static str {
    if unique { "unique index" } else { "index" }
}
