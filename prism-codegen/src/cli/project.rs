//! `prism.gen.yaml`: what a project does not want to type each time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use prism_codegen::Builder;
use serde::Deserialize;

use super::Inputs;

const FILE: &str = "prism.gen.yaml";

/// The file's keys. Paths are relative to the folder that it is in, which is the current one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Project {
    /// The .proto files.
    files: Vec<PathBuf>,
    /// Folders that imports are looked up in.
    includes: Vec<PathBuf>,
    /// A FileDescriptorSet, read instead of sources.
    descriptor_set: Option<PathBuf>,
    /// Folder to write to.
    pub out: Option<PathBuf>,
    /// Name of the generated package.
    pub crate_name: Option<String>,
    /// Path of prism-runtime from the generated crate.
    pub runtime_path: Option<String>,
    /// Add `deploy/` to the generated crate.
    pub deploy: bool,
    /// Take warnings for errors.
    pub deny_warnings: bool,
}

impl Project {
    /// Reads the file of the current folder; everything at its default where there is none.
    pub(super) fn read() -> Result<Self, String> {
        match fs::read_to_string(Path::new(FILE)) {
            Ok(text) => prism_settings::read(&text).map_err(|fault| fault.in_file(Path::new(FILE))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Project::default()),
            Err(error) => Err(format!("{FILE}: {error}")),
        }
    }

    /// The builder and the files: of the command line, where it names any, else of the file.
    pub(super) fn builder(&self, inputs: Inputs) -> Result<(Builder, Vec<PathBuf>), String> {
        let named = !inputs.files.is_empty() || inputs.descriptor_set.is_some();
        let (files, set) = match named {
            true => (inputs.files, inputs.descriptor_set),
            false => (self.files.clone(), self.descriptor_set.clone()),
        };
        if files.is_empty() && set.is_none() {
            return Err(format!("no .proto files: name them, or write `files: [...]` into {FILE}"));
        }
        let includes = match inputs.includes.is_empty() {
            true if !named => self.includes.clone(),
            _ => inputs.includes,
        };
        let mut builder = prism_codegen::configure();
        for folder in includes {
            builder = builder.include(folder);
        }
        if let Some(set) = set {
            builder = builder.descriptor_set(set);
        }
        Ok((builder, files))
    }
}
