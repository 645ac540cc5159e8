//! How a schema changes over time: what was generated last, and the migrations so far.

pub mod lock;

use prism_schema::sql::Dialect;

pub use lock::Lock;

/// One SQL migration of one dialect, in sqlx's format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationFile {
    /// Whose SQL it is.
    pub dialect: Dialect,
    /// Number, from 1.
    pub version: i64,
    /// What follows the number in the file's name, with spaces for underscores.
    pub description: String,
    /// The text.
    pub sql: String,
}

impl MigrationFile {
    /// Path within the crate: `migrations/sqlite/0001_initial.sql`.
    pub fn path(&self) -> String {
        let description = self.description.replace(' ', "_");
        format!("migrations/{}/{:04}_{description}.sql", self.dialect.name(), self.version)
    }

    /// Reads a file's name: `0001_initial.sql`. `None` where it is no migration.
    pub fn parse(dialect: Dialect, file_name: &str, sql: String) -> Option<Self> {
        let (version, description) = file_name.strip_suffix(".sql")?.split_once('_')?;
        let version = version.parse().ok()?;
        Some(MigrationFile { dialect, version, description: description.replace('_', " "), sql })
    }
}
