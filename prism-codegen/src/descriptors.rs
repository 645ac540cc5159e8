//! Stage 1: files in, descriptors and source texts out. No protoc is needed.

mod compile;
mod defaults;
mod explain;
mod folders;
mod imports;
mod names;
mod resolver;
mod set;
mod structure;
mod syntax;
mod unresolved;

use std::path::PathBuf;

use prism_options::{Diagnostics, Sources, builtin};
use prost_reflect::DescriptorPool;

/// What the user names.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Folders that imports are looked up in, in this order; the current folder where there is
    /// none. Prism's own protos, those of `google/protobuf` and the annotations of `google/api` are
    /// built in.
    pub includes: Vec<PathBuf>,
    /// Files to generate for: paths below an include folder, or names as imports spell them; a folder
    /// stands for the `.proto` files below it, and without an include folder for one. With
    /// a descriptor set names only, and none means every file that is not built in.
    pub files: Vec<PathBuf>,
    /// A `FileDescriptorSet` that buf or protoc wrote, read instead of sources.
    pub descriptor_set: Option<PathBuf>,
}

/// Files as they were read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Every file and what it imports, options included.
    pub pool: DescriptorPool,
    /// Names of the files to generate for, in the order given.
    pub files: Vec<String>,
    /// Texts of the files that were read from source.
    pub sources: Sources,
    /// The encoded `FileDescriptorSet` of the whole pool, with comments where they are known.
    pub descriptor_set: Vec<u8>,
    /// Paths that were read: what a build script watches.
    pub read: Vec<PathBuf>,
    /// What was found on the way that does not stop anything.
    pub warnings: Diagnostics,
}

/// Reads the inputs.
///
/// # Errors
///
/// Every syntax error, missing import or unknown name, with its place.
pub fn load(inputs: &Inputs) -> Result<Loaded, Diagnostics> {
    match &inputs.descriptor_set {
        Some(path) => set::load(path, &inputs.files),
        None => compile::load(inputs),
    }
}

/// The files of `google/protobuf` that are built in.
const GOOGLE: [&str; 12] = [
    "google/protobuf/any.proto",
    "google/protobuf/api.proto",
    "google/protobuf/compiler/plugin.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
    "google/protobuf/empty.proto",
    "google/protobuf/field_mask.proto",
    "google/protobuf/source_context.proto",
    "google/protobuf/struct.proto",
    "google/protobuf/timestamp.proto",
    "google/protobuf/type.proto",
    "google/protobuf/wrappers.proto",
];

/// Whether a file comes with Prism or is one of those of Google that do.
pub fn is_builtin(name: &str) -> bool {
    GOOGLE.contains(&name) || builtin::text(name).is_some() || builtin::google_api(name).is_some()
}

/// The built-in file that declares a message or an enum; `None` if there is none.
pub fn builtin_file_of(type_name: &str) -> Option<String> {
    let own = ["google.", "prism."].iter().any(|package| type_name.starts_with(package));
    if own { set::builtin_file_of(type_name) } else { None }
}

/// Names of the files that come with Prism, as imports spell them.
pub fn builtin_files() -> impl Iterator<Item = &'static str> {
    builtin::FILES.iter().map(|(name, _)| *name)
}
