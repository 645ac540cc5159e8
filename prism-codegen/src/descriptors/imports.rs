//! What an import that is not found was probably meant to be.

use std::fs;
use std::path::{Path, PathBuf};

use prism_options::builtin;

use super::GOOGLE;
use super::compile::slashes;
use super::resolver::find;
use crate::diagnostics::suggest;
use crate::printable::shown;

/// What to write, or which folder to name, so that `import` in `file` is found.
pub(super) fn advice(import: &str, file: &str, includes: &[PathBuf]) -> String {
    if let Some(name) = built_in(import) {
        return format!("write `import \"{name}\";`: the file is built in");
    }
    if let Some(name) = beside(import, file, includes) {
        return format!(
            "write `import \"{name}\";`: imports start from an include folder, not from this file"
        );
    }
    if let Some(name) = neighbour(import, includes) {
        return format!("write `import \"{}\";`", shown(&name));
    }
    if let Some(folder) = folder(import, file, includes) {
        return format!("add `-I {}`: that folder holds it", folder.display());
    }
    "add the folder that holds it with -I, or correct the path; it is looked up from the include \
     folders, not from this file"
        .to_owned()
}

fn built_in(import: &str) -> Option<&'static str> {
    let own = builtin::FILES.iter().chain(builtin::GOOGLE_API).map(|(name, _)| *name);
    let names: Vec<&'static str> = own.chain(GOOGLE.iter().copied()).collect();
    let below = format!("/{import}");
    let (top, last) = (import.split('/').next(), import.rsplit('/').next());
    let same =
        |name: &&&'static str| name.split('/').next() == top && name.rsplit('/').next() == last;
    let found = names.iter().find(|name| name.ends_with(&below)).or_else(|| {
        // Two files of one name are told apart by their folders.
        let mut twins = names.iter().filter(same);
        twins.next().filter(|_| twins.next().is_none())
    });
    found.copied().or_else(|| suggest::misspelt(import, names.iter().copied()))
}

/// The import's name if it was spelled from the folder of the importing file.
fn beside(import: &str, file: &str, includes: &[PathBuf]) -> Option<String> {
    let folders = Path::new(file).ancestors().skip(1);
    let mut names = folders.map(|folder| folder.join(import));
    let name = names.find(|name| find(includes, name).is_some())?;
    Some(slashes(&name))
}

/// A file in the folder of the import whose name is almost the import's.
fn neighbour(import: &str, includes: &[PathBuf]) -> Option<String> {
    let path = Path::new(import);
    let (parent, name) = (path.parent()?, path.file_name()?.to_str()?);
    includes.iter().find_map(|include| {
        let entries = fs::read_dir(include.join(parent)).ok()?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".proto")).collect();
        names.sort();
        let close = suggest::misspelt(name, names.iter().map(String::as_str))?;
        Some(slashes(&parent.join(close)))
    })
}

/// A folder below or above the include folders, or above the file, from which the import is found.
fn folder(import: &str, file: &str, includes: &[PathBuf]) -> Option<PathBuf> {
    let below = includes.iter().flat_map(|include| {
        let entries = fs::read_dir(include).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    });
    let own = find(includes, Path::new(file)).and_then(|path| path.canonicalize().ok());
    let above: Vec<PathBuf> =
        own.iter().flat_map(|path| path.ancestors().skip(1)).map(PathBuf::from).collect();
    let mut all = below.chain(above);
    all.find(|folder| folder.join(import).is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn built_in_files_are_found_by_what_is_close() {
        assert_eq!(built_in("prism/option.proto"), Some("prism/options.proto"));
        assert_eq!(built_in("options.proto"), Some("prism/options.proto"));
        assert_eq!(built_in("prism/v1/options.proto"), Some("prism/options.proto"));
        assert_eq!(
            built_in("google/protobuf/timestmp.proto"),
            Some("google/protobuf/timestamp.proto")
        );
        assert_eq!(built_in("google/protobuf/Empty.proto"), Some("google/protobuf/empty.proto"));
        assert_eq!(built_in("google/timestamp.proto"), Some("google/protobuf/timestamp.proto"));
        assert_eq!(built_in("acme/common/money.proto"), None);
    }

    #[test]
    fn files_of_the_user_are_found_beside_below_and_by_what_is_close() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("api/acme/v1");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("money.proto"), "").unwrap();
        fs::write(folder.join("orders.proto"), "").unwrap();
        let api = [root.path().join("api")];
        let advice =
            |import, includes: &[PathBuf]| advice(import, "acme/v1/orders.proto", includes);
        assert!(advice("money.proto", &api).starts_with("write `import \"acme/v1/money.proto\";`"));
        assert!(advice("v1/money.proto", &api).contains("\"acme/v1/money.proto\""));
        assert_eq!(advice("acme/v1/mony.proto", &api), "write `import \"acme/v1/money.proto\";`");
        let outer = [root.path().to_owned()];
        assert!(advice("acme/v1/money.proto", &outer).starts_with("add `-I "));
        assert!(advice("acme/v2/money.proto", &api).starts_with("add the folder"));
    }
}
