//! How a schema changes over time: what was generated last, and the migrations so far.
//!
//! [`compare`] finds the [`change`]s between the lock and the schema; [`diff`] turns them into
//! migrations: a `Table` says what a change means for a table, and one file a dialect how its
//! database gets there.

pub mod change;
pub mod compare;
mod indexes;
pub mod lock;
mod nested;
mod postgres;
mod renames;
mod rewrites;
mod sqlite;
pub(crate) mod squawk;
mod steps;
mod table;
mod types;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prism_options::{Diagnostics, Sources, Span};
use prism_schema::lines::with_lf;
use prism_schema::sql::Dialect;

use crate::diagnostics::catalog::evolve as catalog;
use crate::emit;
use crate::model::Schema;
use crate::output::naming;

pub use change::{Change, Level};
pub use lock::Lock;

use change::Place;

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

/// The command that moves a history on.
pub(crate) const DIFF_COMMAND: &str = "prism migrate diff";

/// What a schema's history has on disk.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The text of `schema.lock`.
    pub lock: Option<String>,
    /// Migrations of both dialects, by number.
    pub migrations: Vec<MigrationFile>,
    /// Path of the lock, for messages.
    pub lock_path: PathBuf,
    /// The command that leads it to another schema, for messages: `prism migrate diff` with the
    /// arguments of this run.
    pub diff_command: String,
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
            Ok(text) => Some(with_lf(&text).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(naming(&lock_path, error)),
        };
        let mut migrations = Vec::new();
        for dialect in Dialect::ALL {
            let folder = root.join("migrations").join(dialect.name());
            let mut of_dialect =
                read_migrations(dialect, &folder).map_err(|error| naming(&folder, error))?;
            of_dialect.sort_by_key(|migration| migration.version);
            migrations.extend(of_dialect);
        }
        Ok(History { lock, migrations, lock_path, diff_command: DIFF_COMMAND.to_owned() })
    }
}

/// Gives entities that name no backend the one that the lock records: a choice never changes by
/// itself. A lock that cannot be read is reported when the schema is compared with it.
pub(crate) fn keep_backends(schema: &mut Schema, history: &History) {
    let lock = history.lock.as_deref().and_then(|text| Lock::parse(text).ok());
    let Some(lock) = lock else { return };
    for entity in schema.entities.iter_mut().filter(|entity| !entity.backend_named) {
        if let Some(locked) = lock.entities.get(&entity.schema.namespace) {
            entity.schema.backend = locked.schema.backend;
        }
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
            let sql = with_lf(&fs::read_to_string(&path)?).into_owned();
            migrations.extend(MigrationFile::parse(dialect, name, sql));
        }
    }
    Ok(migrations)
}

impl MigrationFile {
    /// Whether it was written by `prism migrate diff`, not by hand.
    fn is_planned(&self) -> bool {
        self.sql.contains(steps::HEADER)
    }
}

/// A schema beside its history.
struct Compared {
    /// The text of the lock.
    text: String,
    old: Lock,
    new: Lock,
    changes: Vec<Change>,
}

/// Adds a schema to its history: begins it, or finds that nothing has changed.
///
/// # Errors
///
/// Where the schema differs from the lock: [`diff`] is what moves it on.
pub fn evolve(schema: &Schema, history: History) -> Result<Evolved, Diagnostics> {
    let Some(Compared { text, old, changes, .. }) = compared(schema, &history)? else {
        return Ok(begin(schema));
    };
    if let Some(file) = left_over(&old, &history).first() {
        return Err(Diagnostics::from_one(catalog::left_over(&Span::default(), file.path())));
    }
    if !changes.is_empty() {
        let list: String = changes.iter().map(|change| format!("\n  {}", change.cause)).collect();
        let count = match changes.len() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let found = catalog::changed(&Span::default(), &count, &history.diff_command, &list);
        return Err(Diagnostics::from_one(found));
    }
    Ok(Evolved { lock: Some(text), migrations: history.migrations })
}

/// What the next migrations are.
#[derive(Clone, Debug, Default)]
pub struct Diff {
    /// Everything that changed.
    pub changes: Vec<Change>,
    /// The history with the new migrations. Nothing to write where `pending` holds anything.
    pub evolved: Evolved,
    /// Changes that have to be accepted first.
    pub pending: Diagnostics,
    /// Accepted codes that no change has.
    pub unused: Vec<String>,
}

/// Compares a schema with its history, and writes the migrations that lead to it.
///
/// # Errors
///
/// Changes that no migration can make, and a damaged history.
pub fn diff(
    schema: &Schema,
    history: History,
    accepted: &[String],
    sources: &Sources,
) -> Result<Diff, Diagnostics> {
    let Some(Compared { old, new, changes, .. }) = compared(schema, &history)? else {
        return Ok(Diff { evolved: begin(schema), ..Diff::default() });
    };
    let of_level = |level| changes.iter().filter(move |change| change.level == level);
    let mut refused = Diagnostics::new(sources.clone());
    for change in of_level(Level::Error) {
        refused.push(catalog::refused(&place(schema, change), &change.cause, &change.help));
    }
    let mut pending = Diagnostics::new(sources.clone());
    for change in of_level(Level::Confirm).filter(|change| !accepted.contains(&change.code())) {
        let at = place(schema, change);
        pending.push(catalog::unaccepted(&at, &change.cause, &change.help, &change.code()));
    }
    if !refused.is_empty() {
        refused.extend(pending);
        refused.sort();
        return Err(refused);
    }
    let known = |code: &String| of_level(Level::Confirm).any(|change| change.code() == *code);
    let unused = accepted.iter().filter(|code| !known(code)).cloned().collect();
    let mut lock = new.following(&old);
    let left = left_over(&old, &history);
    let mut migrations = history.migrations;
    migrations.retain(|file| !left.contains(file));
    let last = newest(&migrations);
    match steps::migrations(&old, &lock, &changes, last, &schema.descriptor_set) {
        Ok(next) => migrations.extend(next),
        Err(reason) => {
            let cause = format!("stored values cannot be converted: {reason}");
            let help = "make the changes of names in one migration and the others in the next";
            return Err(Diagnostics::from_one(catalog::refused(&Span::default(), &cause, help)));
        }
    }
    // A run that broke off has written some of them, and not the lock.
    if let Some(file) = left.iter().find(|file| !migrations.contains(file)) {
        return Err(Diagnostics::from_one(catalog::left_over(&Span::default(), file.path())));
    }
    lock.migration = Some(newest(&migrations));
    let evolved = Evolved { lock: Some(lock.render()), migrations };
    pending.sort();
    Ok(Diff { changes, evolved, pending, unused })
}

/// Migrations that Prism wrote after those that lead to the lock.
fn left_over(lock: &Lock, history: &History) -> Vec<MigrationFile> {
    let Some(last) = lock.migration else { return Vec::new() };
    let files = history.migrations.iter();
    files.filter(|file| file.version > last && file.is_planned()).cloned().collect()
}

fn newest(migrations: &[MigrationFile]) -> i64 {
    migrations.iter().map(|file| file.version).max().unwrap_or(0)
}

/// The history of a schema that has none.
fn begin(schema: &Schema) -> Evolved {
    match schema.entities.is_empty() {
        true => Evolved::default(),
        false => {
            let migrations = emit::sql::initial(schema);
            let mut lock = Lock::new(schema);
            lock.migration = Some(newest(&migrations));
            Evolved { lock: Some(lock.render()), migrations }
        }
    }
}

/// Reads the history and compares; `None` where there is none yet.
fn compared(schema: &Schema, history: &History) -> Result<Option<Compared>, Diagnostics> {
    let at = Span::default();
    let path = history.lock_path.display();
    let refuse = |diagnostic| Err(Diagnostics::from_one(diagnostic));
    let Some(text) = history.lock.clone() else {
        if !history.migrations.is_empty() {
            let folder = history.lock_path.with_file_name("migrations");
            return refuse(catalog::lock_missing(&at, path, folder.display()));
        }
        return Ok(None);
    };
    let old = match Lock::parse(&text) {
        Ok(old) => old,
        Err(reason) => return refuse(catalog::lock_unreadable(&at, path, &reason)),
    };
    for dialect in Dialect::ALL {
        if !history.migrations.iter().any(|migration| migration.dialect == dialect) {
            let missing = format!("migrations/{}/0001_initial.sql", dialect.name());
            return refuse(catalog::migration_missing(&at, missing));
        }
    }
    let last = old.migration.unwrap_or(0);
    if newest(&history.migrations) < last {
        let missing = format!("migrations/{{sqlite,postgres}}/{last:04}_….sql");
        return refuse(catalog::migration_missing(&at, missing));
    }
    let new = Lock::new(schema);
    let changes = compare::changes(&old, &new);
    Ok(Some(Compared { text, old, new, changes }))
}

fn place(schema: &Schema, change: &Change) -> Span {
    let entity = schema.entities.iter().find(|it| it.schema.namespace == change.namespace);
    let Some(entity) = entity else { return Span::default() };
    let found = match &change.place {
        Place::Nowhere => return Span::default(),
        Place::Entity => None,
        Place::Field(number) => {
            entity.fields.iter().find(|field| field.number == *number).map(|field| &field.span)
        }
        Place::Index(name) => {
            let position = entity.schema.indexes.iter().position(|index| index.name == *name);
            position.and_then(|position| entity.index_spans.get(position))
        }
    };
    found.unwrap_or(&entity.span).clone()
}
