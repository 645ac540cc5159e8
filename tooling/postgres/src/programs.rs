//! Where the server's programs are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use super::Error;

/// The folder with `initdb`, `postgres`, `pg_isready` and `psql`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    folder: PathBuf,
}

/// Folders of versions, each of which has a `bin`, and what is before the version's number: of
/// Debian and Ubuntu, of the Postgres project's packages for Red Hat, and of Homebrew on macOS, on
/// Intel, and on Linux.
const VERSIONED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
];

impl Programs {
    /// Finds the newest ones.
    ///
    /// # Errors
    ///
    /// Where there are none: says how to install them.
    pub fn find() -> Result<Self, Error> {
        let complete = |folder: &PathBuf| {
            ["initdb", "postgres", "pg_isready", "psql"].iter().all(|p| folder.join(p).is_file())
        };
        candidates().into_iter().find(complete).map(|folder| Programs { folder }).ok_or_else(|| {
            Error::new(
                "no Postgres server is installed: `apt-get install postgresql` on Debian and \
                 Ubuntu, `brew install postgresql@17` on macOS",
            )
        })
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

fn candidates() -> Vec<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let folders = VERSIONED.iter().map(|(root, prefix)| (Path::new(root), *prefix));
    let mut found: Vec<PathBuf> =
        folders.flat_map(|(root, prefix)| versions(root, prefix)).collect();
    found.extend(env::split_paths(&on_path));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    found
}

/// The `bin` folders below a folder of versions, the newest version first.
fn versions(root: &Path, prefix: &str) -> Vec<PathBuf> {
    let number = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // What is older than 10 has two numbers.
        name.strip_prefix(prefix)?.parse::<f64>().ok()
    };
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<(f64, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    found.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    found.into_iter().map(|(_, path)| path.join("bin")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["postgresql@9.6", "postgresql@16", "postgresql", "postgresql@17", "python@3"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let expected = ["postgresql@17/bin", "postgresql@16/bin", "postgresql@9.6/bin"];
        let expected: Vec<PathBuf> = expected.iter().map(|name| root.path().join(name)).collect();
        assert_eq!(versions(root.path(), "postgresql@"), expected);
        assert!(versions(&root.path().join("none"), "").is_empty());
    }
}
