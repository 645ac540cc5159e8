//! Descriptor sets that buf or protoc wrote.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use prism_options::{Diagnostics, Sources, Span, builtin};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::{Loaded, compile, explain, is_builtin, names, structure};
use crate::diagnostics::catalog::load as catalog;

pub(super) fn load(path: &Path, wanted: &[PathBuf]) -> Result<Loaded, Diagnostics> {
    let mut found = Diagnostics::default();
    let Some((bytes, set)) = read(path, &mut found) else { return Err(found) };
    set.file.iter().for_each(|file| names::check(file, &mut found));
    if found.has_errors() {
        return Err(found);
    }
    refuse_editions(&set, &mut found);
    let files = files(path, &set, wanted, &mut found);
    if found.has_errors() {
        return Err(found);
    }
    match pool(&bytes, &set) {
        Ok(pool) => {
            structure::check(&pool, &mut found);
            if found.has_errors() {
                return Err(found);
            }
            Ok(Loaded {
                descriptor_set: pool.encode_to_vec(),
                pool,
                files,
                sources: Sources::default(),
                read: vec![path.to_owned()],
                warnings: found,
            })
        }
        Err(error) => {
            found.push(explain::pool_error(&error));
            Err(found)
        }
    }
}

fn read(path: &Path, found: &mut Diagnostics) -> Option<(Vec<u8>, FileDescriptorSet)> {
    let mut refuse = |reason: &str| {
        found.push(catalog::not_a_descriptor_set(&Span::default(), path.display(), reason));
        None
    };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return refuse(&unreadable(&error)),
    };
    match FileDescriptorSet::decode(bytes.as_slice()) {
        Ok(set) if set.file.is_empty() => refuse("it holds no file"),
        Ok(set) => Some((bytes, set)),
        Err(_) => refuse(instead(&bytes)),
    }
}

/// Why a file was not read, for the end of a sentence.
fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "the file does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// What a file is that is not a descriptor set.
fn instead(bytes: &[u8]) -> &'static str {
    let is_text = |text: &str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
    match std::str::from_utf8(bytes) {
        Ok(text) if text.trim_start().starts_with('{') => "it is JSON, and not the binary form",
        Ok(text) if is_text(text) => {
            "it is a text; .proto files are named without --descriptor-set"
        }
        _ => "it is not an encoded google.protobuf.FileDescriptorSet",
    }
}

fn refuse_editions(set: &FileDescriptorSet, found: &mut Diagnostics) {
    for file in set.file.iter().filter(|file| file.syntax() == "editions") {
        found.push(catalog::editions(&Span::file(file.name()), "a file with editions"));
    }
}

/// Files of protovalidate, which annotate others.
const VALIDATE: [&str; 3] = [
    "buf/validate/expression.proto",
    "buf/validate/priv/private.proto",
    "buf/validate/validate.proto",
];

fn files(
    path: &Path,
    set: &FileDescriptorSet,
    wanted: &[PathBuf],
    found: &mut Diagnostics,
) -> Vec<String> {
    let held = |name: &str| set.file.iter().any(|file| file.name() == name);
    if wanted.is_empty() {
        let own = set.file.iter().map(FileDescriptorProto::name);
        let own = own.filter(|name| !is_builtin(name) && !VALIDATE.contains(name));
        let own: Vec<String> = own.map(str::to_owned).collect();
        if own.is_empty() {
            found.push(catalog::only_builtin(&Span::default(), path.display()));
        }
        return own;
    }
    let names: Vec<String> = wanted.iter().map(|path| compile::slashes(path)).collect();
    for name in names.iter().filter(|name| !held(name)) {
        found.push(catalog::not_in_descriptor_set(&Span::default(), name));
    }
    names
}

/// The set, and the built-in files that it imports and does not hold.
fn pool(
    bytes: &[u8],
    set: &FileDescriptorSet,
) -> Result<DescriptorPool, prost_reflect::DescriptorError> {
    let mut pool = DescriptorPool::new();
    for file in missing_builtins(set) {
        pool.decode_file_descriptor_proto(file.as_slice())?;
    }
    pool.decode_file_descriptor_set(bytes)?;
    Ok(pool)
}

/// Encoded built-in files that the set needs and does not hold, imported ones first.
fn missing_builtins(set: &FileDescriptorSet) -> Vec<Vec<u8>> {
    let mut needed: BTreeSet<String> =
        set.file.iter().flat_map(|file| file.dependency.iter().cloned()).collect();
    let mut missing = Vec::new();
    let builtins = builtins();
    // Importing files stand behind imported ones, so one pass backwards finds all.
    for file in builtins.files().collect::<Vec<_>>().into_iter().rev() {
        let held = set.file.iter().any(|own| own.name() == file.name());
        if held || !needed.contains(file.name()) {
            continue;
        }
        needed.extend(file.dependencies().map(|it| it.name().to_owned()));
        missing.push(file.encode_to_vec());
    }
    missing.reverse();
    missing
}

struct Builtin;

impl FileResolver for Builtin {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = builtin::text(name).or_else(|| builtin::google_api(name));
        let text = text.ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}

/// Every built-in file, imported ones first.
fn builtins() -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Builtin);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    let google =
        ["any", "api", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"];
    let google = google.iter().map(|name| format!("google/protobuf/{name}.proto"));
    let own = builtin::GOOGLE_API.iter().chain(builtin::FILES);
    let own = own.map(|(name, _)| (*name).to_owned());
    for name in google.chain(own) {
        // The built-in files compile: a test of this crate opens each of them.
        let _ = compiler.open_file(name);
    }
    compiler.descriptor_pool()
}

/// The built-in file that declares a type.
pub(super) fn builtin_file_of(type_name: &str) -> Option<String> {
    static BUILTINS: LazyLock<DescriptorPool> = LazyLock::new(builtins);
    let message = BUILTINS.get_message_by_name(type_name).map(|it| it.parent_file());
    let declared = BUILTINS.get_enum_by_name(type_name).map(|it| it.parent_file());
    Some(message.or(declared)?.name().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_builtin_file_compiles() {
        let pool = super::builtins();
        let files = [prism_options::builtin::FILES, prism_options::builtin::GOOGLE_API].concat();
        for (name, _) in files {
            assert!(pool.get_file_by_name(name).is_some(), "{name}");
        }
        assert!(pool.get_file_by_name("google/protobuf/descriptor.proto").is_some());
    }
}
