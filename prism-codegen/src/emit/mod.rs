//! Emitting: a model in, files in memory out. Pure, ordered and infallible; what could be wrong
//! with a schema was found before.

pub mod deploy;
pub mod rust;
pub mod sql;
pub mod text;

use crate::evolve::MigrationFile;
use crate::output::File;

/// What the emitters are told beside the model.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the code ends up.
    pub layout: Layout,
    /// The command that makes the files again, and from what: for their headers.
    pub origin: String,
}

/// The two ways in which generated code is used.
#[derive(Clone, Debug)]
pub enum Layout {
    /// A whole crate: library, proxy binary, migrations.
    Crate {
        /// Name of the package.
        name: String,
        /// Path of prism-runtime, as Cargo takes it; its published version where there is none.
        runtime_path: Option<String>,
        /// Where an image of it is built; none where `deploy/` is not wanted.
        deploy: Option<deploy::BuildContext>,
    },
    /// `OUT_DIR` of a build script: an entry file and what it includes.
    BuildScript,
}

/// What the emitters read.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The schema.
    pub schema: &'a crate::model::Schema,
    /// The migrations that the generated crate embeds, by number.
    pub migrations: &'a [MigrationFile],
    /// How to emit.
    pub options: &'a Options,
}

/// The `.proto` files that a header names.
pub fn origin<'a>(files: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 4;
    let files: Vec<&str> = files.into_iter().collect();
    let mut origin = files[..files.len().min(SHOWN)].join(", ");
    if files.len() > SHOWN {
        origin.push_str(&format!(" and {} more", files.len() - SHOWN));
    }
    origin
}

/// All files but the history's.
pub fn files(input: Input<'_>) -> Vec<File> {
    let mut files = rust::emit(input);
    files.extend(text::emit(input));
    files.extend(deploy::emit(input));
    files
}
