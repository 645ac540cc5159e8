//! What a proxy under test stores in. Nothing but its configuration says so.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::proxy::{self, Proxy};

/// What a proxy stores in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The file `prism.db` in its folder, which is the default.
    Sqlite,
    /// A database of its own on a throw-away server, by its URL.
    Postgres(String),
}

impl Backend {
    /// An empty Postgres database. `None` where there is no Postgres on this machine, which a test
    /// answers by returning.
    pub fn postgres() -> Option<Backend> {
        prism_postgres::for_test().map(|database| Backend::Postgres(database.url()))
    }

    /// Another empty one of the same kind.
    ///
    /// # Errors
    ///
    /// Where there is no Postgres any more.
    pub fn another(&self) -> io::Result<Backend> {
        match self {
            Backend::Sqlite => Ok(Backend::Sqlite),
            Backend::Postgres(_) => {
                Backend::postgres().ok_or_else(|| io::Error::other("Postgres has gone"))
            }
        }
    }

    /// Builds and starts a proxy in a temporary folder.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::start`].
    pub fn start(&self) -> io::Result<Proxy> {
        Proxy::start_on(self, proxy::executable()?)
    }

    /// Builds and starts a proxy in a folder, with these flags.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::start`].
    pub fn start_in(&self, folder: &Path, flags: &[&str]) -> io::Result<Proxy> {
        Proxy::spawn(self.command(folder, flags)?, folder)
    }

    /// The command that starts a proxy on a free loopback port in a folder.
    ///
    /// # Errors
    ///
    /// Where the proxy cannot be built.
    pub fn command(&self, folder: &Path, flags: &[&str]) -> io::Result<Command> {
        let mut command = proxy::command(folder, flags)?;
        self.configure(&mut command);
        Ok(command)
    }

    /// Says it to the proxy that a command starts.
    pub fn configure(&self, command: &mut Command) {
        match self {
            Backend::Sqlite => command.env_remove("DATABASE_URL"),
            Backend::Postgres(url) => command.env("DATABASE_URL", url).env("PRISM_MIGRATE", "true"),
        };
    }

    /// The value of `database` in the settings of a proxy with this folder.
    pub fn database(&self, folder: &Path) -> String {
        match self {
            Backend::Sqlite => folder.join("prism.db").display().to_string(),
            Backend::Postgres(url) => url.clone(),
        }
    }
}
