//! Where the SQL of the databases differs.

use std::fmt;

/// A database's SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.35 or later.
    Sqlite,
    /// PostgreSQL 13 or later, and what speaks its dialect.
    Postgres,
}

impl Dialect {
    /// Both, in the order in which they are shown.
    pub const ALL: [Dialect; 2] = [Dialect::Sqlite, Dialect::Postgres];

    /// Lower-case name, as of a migration folder.
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
        }
    }

    /// The placeholder of a parameter, counted from 1.
    pub fn placeholder(self, number: usize) -> String {
        match self {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}"),
        }
    }

    /// What follows a column in ORDER BY so that NULL is the smallest value: nothing in SQLite,
    /// where it is.
    ///
    /// A column that is never NULL has nothing either: Postgres would not use its primary key for
    /// an order that says where NULL goes.
    pub const fn direction(self, descending: bool, nullable: bool) -> &'static str {
        match (self, descending) {
            (Dialect::Postgres, false) if nullable => " ASC NULLS FIRST",
            (Dialect::Postgres, true) if nullable => " DESC NULLS LAST",
            (_, false) => "",
            (_, true) => " DESC",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
