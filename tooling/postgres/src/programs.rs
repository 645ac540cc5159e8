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

/// Folders of versions, each of which has a `bin`.
const VERSIONED: [&str; 2] = ["/usr/lib/postgresql", "/usr/pgsql"];

/// Folders of Homebrew, whose Postgres is named `postgresql@16`.
const HOMEBREW: [&str; 2] = ["/opt/homebrew/opt", "/usr/local/opt"];

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

    /// A program.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }
}

fn candidates() -> Vec<PathBuf> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = VERSIONED.iter().flat_map(|root| versions(root, "")).collect();
    found.extend(HOMEBREW.iter().flat_map(|root| versions(root, "postgresql")));
    found.extend(env::split_paths(&on_path));
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    found
}

/// The `bin` folders below a folder of versions, the newest version first.
fn versions(root: &str, prefix: &str) -> Vec<PathBuf> {
    let number = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digits = name.strip_prefix(prefix)?.trim_start_matches('@').to_owned();
        digits.parse::<f64>().ok()
    };
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<(f64, PathBuf)> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    found.sort_by(|(one, _), (two, _)| two.total_cmp(one));
    found.into_iter().map(|(_, path)| path.join("bin")).collect()
}
