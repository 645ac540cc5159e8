//! Where a generated crate finds prism-runtime.

use std::fs;
use std::path::{Component, Path, PathBuf, absolute};

/// Checks that a path leads from the output folder to prism-runtime: Cargo would refuse the crate
/// otherwise.
///
/// # Errors
///
/// What is there instead.
pub(crate) fn check(out: &Path, path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("it is empty".to_owned());
    }
    let folder = resolve(out, Path::new(path));
    let manifest = folder.join("Cargo.toml");
    if !folder.is_dir() {
        return Err(format!("the folder '{}' does not exist", folder.display()));
    }
    let text = fs::read_to_string(&manifest)
        .map_err(|_| format!("the file '{}' does not exist", manifest.display()))?;
    let is_name = |line: &str| line.replace([' ', '\''], "").starts_with("name=\"prism-runtime\"");
    match text.lines().any(is_name) {
        true => Ok(()),
        false => Err(format!("'{}' belongs to another package", manifest.display())),
    }
}

/// The folder that a path leads to from one that need not exist yet.
fn resolve(out: &Path, path: &Path) -> PathBuf {
    let out = out.canonicalize().or_else(|_| absolute(out)).unwrap_or_else(|_| out.to_owned());
    let mut folder = PathBuf::new();
    for part in out.join(path).components() {
        match part {
            Component::ParentDir => _ = folder.pop(),
            Component::CurDir => {}
            part => folder.push(part),
        }
    }
    folder
}
