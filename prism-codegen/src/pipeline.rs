//! The stages, in their order.

use std::io;
use std::path::PathBuf;

use prism_options::{Diagnostics, Span};

use crate::descriptors::{self, Inputs, Loaded};
use crate::diagnostics::catalog::evolve as catalog;
use crate::emit::{self, Input, Layout, Options};
use crate::evolve::{self, Diff, Evolved, History};
use crate::model::Schema;
use crate::output::{Changes, File};
use crate::{check, lower};

/// Where the outputs go.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Folder of the generated files.
    pub out: PathBuf,
    /// Folder of `schema.lock` and `migrations/`; the same in a generated crate.
    pub history: PathBuf,
    /// The arguments after `prism migrate diff` that name the same inputs and the same history,
    /// for messages.
    pub arguments: String,
    /// How to emit.
    pub options: Options,
}

/// What a run came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Warnings.
    pub diagnostics: Diagnostics,
    /// Paths that were read: what a build script watches.
    pub read: Vec<PathBuf>,
    /// Paths of files that were written or removed, or that `check` found to differ.
    pub changed: Vec<PathBuf>,
}

/// Whether files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bring the disk up to date.
    Write,
    /// Only say what differs.
    Check,
}

/// A schema that was found to be right.
#[derive(Debug)]
pub struct Checked {
    /// The schema.
    pub schema: Schema,
    /// Warnings.
    pub diagnostics: Diagnostics,
    /// Paths that were read.
    pub read: Vec<PathBuf>,
}

/// Loads, lowers and checks.
///
/// # Errors
///
/// Everything that a stage found wrong; with `deny_warnings`, warnings too.
pub fn check(inputs: &Inputs, deny_warnings: bool) -> Result<Checked, Diagnostics> {
    let loaded = descriptors::load(inputs)?;
    let (schema, found) = lower::lower(&loaded);
    let Loaded { read, warnings, .. } = loaded;
    let mut diagnostics = warnings;
    diagnostics.extend(found);
    if !diagnostics.has_errors() {
        diagnostics.extend(check::check(&schema));
    }
    diagnostics.sort();
    let stop = diagnostics.has_errors() || (deny_warnings && !diagnostics.is_empty());
    if stop { Err(diagnostics) } else { Ok(Checked { schema, diagnostics, read }) }
}

/// Generates from a checked schema: emit, then write.
///
/// # Errors
///
/// Where the schema does not follow from its history, or the disk is not as it has to be.
pub fn generate(checked: Checked, targets: &Targets, mode: Mode) -> Result<Outcome, Diagnostics> {
    let Checked { mut schema, diagnostics, read } = checked;
    let fail = |error: io::Error| Diagnostics::from_one(catalog::disk(&Span::default(), error));
    let mut history = History::read(&targets.history).map_err(fail)?;
    history.diff_command.push_str(&targets.arguments);
    evolve::keep_backends(&mut schema, &history);
    let evolved = evolve::evolve(&schema, history)?;

    let migrations = &evolved.migrations;
    let input = Input { schema: &schema, migrations, options: &targets.options };
    let mut code = emit::files(input);
    let history = files(&evolved);

    let mut changed = Vec::new();
    if matches!(targets.options.layout, Layout::Crate { .. }) {
        code.extend(history);
    } else {
        changed.extend(write(&targets.history, history, mode)?);
    }
    changed.extend(write(&targets.out, code, mode)?);
    Ok(Outcome { diagnostics, read, changed })
}

/// What `prism migrate diff` came to.
#[derive(Debug, Default)]
pub struct Migrated {
    /// Warnings.
    pub diagnostics: Diagnostics,
    /// What changed, and what has to be accepted before anything is written.
    pub diff: Diff,
    /// Paths of files that were written.
    pub changed: Vec<PathBuf>,
}

/// Writes the migrations from the lock to a checked schema, and the lock. Changes that have to be
/// accepted and are not leave the disk as it is.
///
/// # Errors
///
/// Where no migration can lead to the schema, or the disk is not as it has to be.
pub fn migrate(
    checked: Checked,
    targets: &Targets,
    accepted: &[String],
) -> Result<Migrated, Diagnostics> {
    let Checked { mut schema, diagnostics, .. } = checked;
    let fail = |error: io::Error| Diagnostics::from_one(catalog::disk(&Span::default(), error));
    let history = History::read(&targets.history).map_err(fail)?;
    evolve::keep_backends(&mut schema, &history);
    let diff = evolve::diff(&schema, history, accepted, &diagnostics.sources)?;
    let mut changed = Vec::new();
    if diff.pending.is_empty() {
        changed = write(&targets.history, files(&diff.evolved), Mode::Write)?;
    }
    Ok(Migrated { diagnostics, diff, changed })
}

/// The files of a history; the lock last, so that it never says more than the migrations.
fn files(evolved: &Evolved) -> Vec<File> {
    let sql = evolved.migrations.iter().map(|file| File::text(file.path(), file.sql.clone()));
    let lock = evolved.lock.iter().map(|text| File::text("schema.lock".to_owned(), text.clone()));
    sql.chain(lock).collect()
}

fn write(
    root: &std::path::Path,
    files: Vec<File>,
    mode: Mode,
) -> Result<Vec<PathBuf>, Diagnostics> {
    let at = Span::default();
    let fail = |error: io::Error| Diagnostics::from_one(catalog::disk(&at, error));
    let changes = Changes::find(root, files).map_err(fail)?;
    if mode == Mode::Write {
        let mut foreign = Diagnostics::default();
        for path in &changes.foreign {
            foreign.push(catalog::not_ours(&at, path.display()));
        }
        if foreign.has_errors() {
            return Err(foreign);
        }
        changes.apply(root).map_err(fail)?;
    }
    Ok(changes.paths(root))
}
