//! Folders in the place of files: the `.proto` files below them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::Inputs;

/// Inputs whose folders are replaced.
pub(super) struct Expanded {
    /// Files and include folders.
    pub inputs: Inputs,
    /// The folders that were named: a new file in one of them is an input.
    pub folders: Vec<PathBuf>,
    /// Folders without any file.
    pub empty: Vec<PathBuf>,
}

/// Replaces each folder by the files below it, in the order of their paths. If no include folder is
/// given, imports are looked up where those of the files are found: below the folder, in it, or above
/// it.
pub(super) fn expand(inputs: &Inputs) -> Expanded {
    let mut expanded = Expanded { inputs: inputs.clone(), folders: Vec::new(), empty: Vec::new() };
    expanded.inputs.files.clear();
    for path in &inputs.files {
        if !path.is_dir() {
            expanded.inputs.files.push(path.clone());
            continue;
        }
        let mut files = Vec::new();
        collect(path, &mut files, &mut expanded.folders);
        if files.is_empty() {
            expanded.empty.push(path.clone());
        }
        if inputs.includes.is_empty() {
            for root in roots(path, &files) {
                if !expanded.inputs.includes.contains(&root) {
                    expanded.inputs.includes.push(root);
                }
            }
        }
        expanded.inputs.files.extend(files);
    }
    let here = PathBuf::from(".");
    let names_files = expanded.inputs.files.iter().any(|file| inputs.files.contains(file));
    if !expanded.inputs.includes.contains(&here)
        && (expanded.inputs.includes.is_empty() || inputs.includes.is_empty() && names_files)
    {
        expanded.inputs.includes.push(here);
    }
    expanded
}

/// The `.proto` files below a folder. Hidden folders, and links to folders, are not looked into.
fn collect(folder: &Path, files: &mut Vec<PathBuf>, folders: &mut Vec<PathBuf>) {
    folders.push(folder.to_owned());
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !is_hidden {
                collect(&path, files, folders);
            }
        } else if path.extension().is_some_and(|extension| extension == "proto") && path.is_file() {
            files.push(path);
        }
    }
}

/// The folders that the imports of these files start from, below `folder` or above it, those of most
/// imports first. `folder` itself is the last one: every file is below it.
fn roots(folder: &Path, files: &[PathBuf]) -> Vec<PathBuf> {
    let texts: Vec<String> =
        files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    let mut open: BTreeSet<&Path> =
        texts.iter().flat_map(|text| text.lines().filter_map(import)).map(Path::new).collect();
    let mut by_name: HashMap<&OsStr, Vec<&Path>> = HashMap::new();
    for file in files {
        by_name.entry(file.file_name().unwrap_or_default()).or_default().push(file);
    }
    let mut found: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for &import in &open {
        let below = by_name.get(import.file_name().unwrap_or_default()).into_iter().flatten();
        let below = below.filter(|file| file.ends_with(import));
        let below = below.filter_map(|file| file.ancestors().nth(import.components().count()));
        let above = folder.ancestors().skip(1).filter(|above| above.join(import).is_file());
        for root in below.chain(above) {
            found.entry(root).or_default().insert(import);
        }
    }
    let mut roots = Vec::new();
    let gain =
        |imports: &BTreeSet<&Path>, open: &BTreeSet<&Path>| imports.intersection(open).count();
    while let Some((root, imports)) = found
        .iter()
        .filter(|(_, imports)| gain(imports, &open) > 0)
        .max_by_key(|(_, imports)| gain(imports, &open))
    {
        roots.push(if root.as_os_str().is_empty() { Path::new(".") } else { root }.to_owned());
        open.retain(|import| !imports.contains(import));
    }
    roots.push(folder.to_owned());
    roots
}

/// What a line imports.
fn import(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix("import")?.trim_start();
    let rest = rest.strip_prefix("public").unwrap_or(rest).trim_start();
    let quote = rest.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    rest[1..].split(quote).next()
}
