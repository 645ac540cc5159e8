//! How a schema changes over time: what was generated last, and the migrations so far.

pub mod lock;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prism_options::{Diagnostics, Span};
use prism_schema::sql::Dialect;

use crate::diagnostics::catalog::evolve as catalog;
use crate::emit;
use crate::model::Schema;

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

/// What a schema's history has on disk.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The text of `schema.lock`.
    pub lock: Option<String>,
    /// Migrations of both dialects, by number.
    pub migrations: Vec<MigrationFile>,
    /// Path of the lock, for messages.
    pub lock_path: PathBuf,
}

/// What a schema's history is once the schema is part of it.
#[derive(Clone, Debug, Default)]
pub struct Evolved {
    /// The text of `schema.lock`; none where nothing is stored.
    pub lock: Option<String>,
    /// Migrations of both dialects, by number.
    pub migrations: Vec<MigrationFile>,
}

impl History {
    /// Reads `schema.lock` and `migrations/` of a folder.
    ///
    /// # Errors
    ///
    /// Where a file is there and cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let lock_path = root.join("schema.lock");
        let lock = match fs::read_to_string(&lock_path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mut migrations = Vec::new();
        for dialect in Dialect::ALL {
            let folder = root.join("migrations").join(dialect.name());
            let mut of_dialect = read_migrations(dialect, &folder)?;
            of_dialect.sort_by_key(|migration| migration.version);
            migrations.extend(of_dialect);
        }
        Ok(History { lock, migrations, lock_path })
    }
}

fn read_migrations(dialect: Dialect, folder: &Path) -> io::Result<Vec<MigrationFile>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut migrations = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".sql") {
            migrations.extend(MigrationFile::parse(dialect, name, fs::read_to_string(&path)?));
        }
    }
    Ok(migrations)
}

/// Adds a schema to its history: begins it, or finds that nothing has changed.
///
/// # Errors
///
/// Where the schema differs from the lock: this version writes the first migration only.
pub fn evolve(schema: &Schema, history: History) -> Result<Evolved, Diagnostics> {
    let new = Lock::new(schema);
    let path = history.lock_path.display();
    let at = Span::default();
    let refuse = |diagnostic| Err(Diagnostics::from_one(diagnostic));
    let Some(text) = history.lock else {
        if !history.migrations.is_empty() {
            let folder = history.lock_path.with_file_name("migrations");
            return refuse(catalog::lock_missing(&at, path, folder.display()));
        }
        return Ok(match schema.entities.is_empty() {
            true => Evolved::default(),
            false => Evolved { lock: Some(new.render()), migrations: emit::sql::initial(schema) },
        });
    };
    let old = match Lock::parse(&text) {
        Ok(old) => old,
        Err(reason) => return refuse(catalog::lock_unreadable(&at, path, &reason)),
    };
    let differences = old.differences(&new);
    if !differences.is_empty() {
        let list: String = differences.iter().map(|line| format!("\n  {line}")).collect();
        return refuse(catalog::changed(&at, differences.len(), &list));
    }
    for dialect in Dialect::ALL {
        if !history.migrations.iter().any(|migration| migration.dialect == dialect) {
            let missing = format!("migrations/{}/0001_initial.sql", dialect.name());
            return refuse(catalog::migration_missing(&at, missing));
        }
    }
    Ok(Evolved { lock: Some(text), migrations: history.migrations })
}
