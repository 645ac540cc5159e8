//! Settings from a file, from variables and from flags.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::PathBuf;

use prism_runtime::config::{Config, Database, Sources};

pub struct File {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn file(text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prism.yaml");
    std::fs::write(&path, text).unwrap();
    File { _folder: folder, path }
}

pub fn load(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Config, String> {
    let file = file(text);
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let sources = Sources {
        file: Some(file.path.clone()),
        environment: environment.iter().map(owned).collect(),
        flags: flags
            .iter()
            .map(|(path, value)| (format!("--{path}"), (*path).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let folder = file.path.parent().unwrap().to_str().unwrap().to_owned() + "/";
    sources.load().map_err(|error| error.to_string().replace(&folder, ""))
}

/// A file's settings, checked.
pub fn valid(text: &str) -> Result<Config, String> {
    let config = load(text, &[], &[])?;
    config.validate().map_err(|error| error.to_string())?;
    Ok(config)
}

/// The one database, which `database` names.
pub fn only(config: &Config) -> Database {
    let mut databases = config.databases().unwrap();
    assert_eq!(databases.len(), 1);
    databases.remove("main").unwrap()
}

pub fn sqlite(path: &str) -> Database {
    Database::Sqlite { path: path.into() }
}
