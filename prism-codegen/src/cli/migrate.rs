//! `prism migrate`: the files that lead databases from one schema to the next, and databases on
//! that way.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use prism_codegen::Builder;
use prism_codegen::evolve::{History, Lock, MigrationFile};
use prism_migrate::check::State;
use prism_migrate::verify::Severity;
use prism_migrate::{Access, Database, Migration, Place, check, is_memory};
use prism_schema::sql::Dialect;

use super::project::Project;
use super::report::Reporter;
use super::{Inputs, argument, finish};

#[derive(Subcommand)]
pub(super) enum MigrateCommand {
    /// Write the migrations from schema.lock to the schema, and the lock. Exit code 2 and nothing
    /// written where a change has to be accepted, 1 where no migration can make it.
    Diff {
        #[command(flatten)]
        inputs: Inputs,
        /// Folder that has schema.lock and migrations/ [default: generated].
        #[arg(long, value_name = "DIR", value_parser = argument::path())]
        out: Option<PathBuf>,
        /// Code of a change that loses or reinterprets data; may be given more than once.
        #[arg(long, value_name = "CODE", value_parser = argument::text())]
        accept: Vec<String>,
    },
    /// Show how every migration stands in a database. Exit code 0 where it has them all, 2 where
    /// some are to be applied, 1 where its history is another one or it cannot be read.
    Status {
        #[command(flatten)]
        target: Target,
    },
    /// Apply what is outstanding in a database, Prism's own tables first. Exit code 0 where it has
    /// everything then, 1 where a migration fails or the database's history is another one.
    Apply {
        #[command(flatten)]
        target: Target,
        /// Print what would run, and run nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare the tables of a database with schema.lock. Exit code 0 where calls work as the
    /// schema says, 1 where a difference breaks or slows them or the database cannot be read.
    Verify {
        #[command(flatten)]
        target: Target,
    },
}

/// A database, and what it is on the way to.
#[derive(Args)]
pub(super) struct Target {
    /// The URL of a Postgres database, or the path of a SQLite file [default: DATABASE_URL of the
    /// environment].
    #[arg(long, value_name = "URL|PATH")]
    database: Option<String>,
    /// Folder that has schema.lock and migrations/ [default: generated].
    #[arg(long, value_name = "DIR", value_parser = argument::path())]
    out: Option<PathBuf>,
}

/// Exit code where a change has to be accepted.
const UNACCEPTED: u8 = 2;

/// Exit code where migrations are to be applied.
const PENDING: u8 = 2;

pub(super) fn diff(
    reporter: &Reporter,
    builder: Builder,
    files: &[PathBuf],
    out: Option<PathBuf>,
    accept: &[String],
) -> ExitCode {
    let mut builder = builder.whole_crate();
    if let Some(out) = out {
        builder = builder.out_dir(out);
    }
    let migrated = match builder.migrate(files, accept) {
        Ok(migrated) => migrated,
        Err(error) => return finish(reporter, Err(error)),
    };
    reporter.warnings(&migrated.diagnostics);
    if !migrated.diff.pending.is_empty() {
        reporter.failed(&migrated.diff.pending);
        return ExitCode::from(UNACCEPTED);
    }
    for code in &migrated.diff.unused {
        reporter.note(&format!("nothing asks for --accept {code}"));
    }
    for change in &migrated.diff.changes {
        reporter.note(&change.cause);
    }
    for path in &migrated.changed {
        reporter.note(&format!("wrote {}", path.display()));
    }
    ExitCode::SUCCESS
}

pub(super) fn status(reporter: &Reporter, project: &Project, target: Target) -> ExitCode {
    let run = |database: &mut Database, files: &History| {
        let migrations = known(files, database.dialect());
        let history = database.history(&migrations).map_err(|error| error.to_string())?;
        let of = |whose, all: &[check::Status<'_>]| {
            let row = |status: &check::Status<'_>| reporter.migration(whose, status);
            all.iter().map(row).collect::<String>()
        };
        reporter.answer(&(of("prism", &history.own) + &of("schema", &history.users)));
        let plans = history.plan(database.name()).map_err(|error| error.to_string())?;
        let pending = plans.outstanding().count();
        if pending == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        reporter.note(&format!("{pending} to be applied: run `prism migrate apply`"));
        Ok(ExitCode::from(PENDING))
    };
    with(reporter, project, target, Access::Read, run)
}

pub(super) fn apply(
    reporter: &Reporter,
    project: &Project,
    target: Target,
    dry_run: bool,
) -> ExitCode {
    let show = |database: &mut Database, files: &History| {
        let migrations = known(files, database.dialect());
        let history = database.history(&migrations).map_err(|error| error.to_string())?;
        let plans = history.plan(database.name()).map_err(|error| error.to_string())?;
        for migration in plans.outstanding() {
            reporter.answer(&format!("-- {}\n{}\n", migration.title(), migration.sql.trim_end()));
        }
        reporter.note(&format!("{} would be applied", plans.outstanding().count()));
        Ok(ExitCode::SUCCESS)
    };
    let run = |database: &mut Database, files: &History| {
        reporter.show_progress();
        let migrations = known(files, database.dialect());
        let applied = database.apply(&migrations).map_err(|error| error.to_string())?;
        reporter.note(&format!("{} applied to {}", applied.len(), database.name()));
        Ok(ExitCode::SUCCESS)
    };
    match dry_run {
        true => with(reporter, project, target, Access::Look, show),
        false => with(reporter, project, target, Access::Migrate, run),
    }
}

pub(super) fn verify(reporter: &Reporter, project: &Project, target: Target) -> ExitCode {
    let run = |database: &mut Database, files: &History| {
        let lock = files.lock.as_deref().ok_or_else(|| {
            format!("{} does not exist: run `prism generate`", files.lock_path.display())
        })?;
        let lock =
            Lock::parse(lock).map_err(|error| format!("{}: {error}", files.lock_path.display()))?;
        let entities: Vec<_> = lock.entities.values().map(|entity| &entity.schema).collect();
        let differences = database.verify(&entities).map_err(|error| error.to_string())?;
        let rows: String = differences.iter().map(|it| reporter.difference(it)).collect();
        reporter.answer(&rows);
        let worst = differences.iter().map(|difference| difference.severity()).max();
        if worst < Some(Severity::Warning) {
            let name = database.name();
            reporter.note(&format!("the database {name} is as the schema says"));
            return Ok(ExitCode::SUCCESS);
        }
        let migrations = known(files, database.dialect());
        let history = database.history(&migrations).map_err(|error| error.to_string())?;
        if history.users.iter().any(|status| status.state == State::Pending) {
            reporter.note("migrations are to be applied: run `prism migrate apply`");
        }
        Ok(ExitCode::FAILURE)
    };
    with(reporter, project, target, Access::Read, run)
}

/// The migrations of a database's kind.
fn known(files: &History, dialect: Dialect) -> Vec<Migration<'_>> {
    let of_dialect = files.migrations.iter().filter(|file| file.dialect == dialect);
    of_dialect.map(as_migration).collect()
}

fn as_migration(file: &MigrationFile) -> Migration<'_> {
    Migration { version: file.version, description: &file.description, sql: &file.sql }
}

/// Opens what a command is about, and says why it failed where it did.
fn with(
    reporter: &Reporter,
    project: &Project,
    target: Target,
    access: Access,
    run: impl FnOnce(&mut Database, &History) -> Result<ExitCode, String>,
) -> ExitCode {
    let is_variable = target.database.is_none();
    let variable = || Some(env::var_os("DATABASE_URL")?.to_string_lossy().into_owned());
    let place = target.database.or_else(variable);
    let Some(place) = place.filter(|place| !place.is_empty()) else {
        return reporter
            .usage("no database: name it with --database URL|PATH, or set DATABASE_URL");
    };
    let out = target.out.or(project.out.clone()).unwrap_or("generated".into());
    let open = || {
        if let Some(what) = no_folder(&out) {
            return Err(format!("{} {what}: name the folder with --out", out.display()));
        }
        let files = History::read(&out).map_err(|error| error.to_string())?;
        if files.lock.is_none() && files.migrations.is_empty() {
            let out = out.display();
            return Err(format!(
                "{out} has neither schema.lock nor migrations: name the folder with --out"
            ));
        }
        if is_variable
            && !is_memory(&place)
            && let Err(error) = Place::parse_url(&place)
        {
            return Err(format!("DATABASE_URL {error}"));
        }
        let mut database = Database::open(&place, access).map_err(|error| error.to_string())?;
        run(&mut database, &files)
    };
    open().unwrap_or_else(|error| reporter.stopped(&error))
}

/// What a path is instead of a folder.
fn no_folder(path: &Path) -> Option<&'static str> {
    match (path.exists(), path.is_dir()) {
        (_, true) => None,
        (true, false) => Some("is not a folder"),
        (false, false) => Some("does not exist"),
    }
}
