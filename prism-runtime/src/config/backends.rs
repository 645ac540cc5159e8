//! The databases: one that `database` names, or several by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use prism_migrate::Place;
use prism_schema::names::closest;
use prism_settings::shown;
use serde::Deserialize;

use super::validate::{LONGEST_MS, MOST_CONNECTIONS, within, wrong};
use super::{Config, ConfigError, Postgres, Secret, Switch};
use crate::schema;

/// The backend that holds everything in the proxy's memory: always there, under this name.
pub const MEMORY: &str = "memory";

/// The name of the backend that `database` stands for.
pub const MAIN: &str = "main";

/// The longest name of a backend.
const NAME_BYTES: usize = 63;

/// `backends.<name>`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backend {
    /// Path of a SQLite file, also as `sqlite:path`, or the URL of a Postgres database.
    pub url: Secret,
    /// In place of [`Postgres::max_connections`].
    pub max_connections: Option<u32>,
    /// In place of [`Postgres::acquire_timeout_ms`].
    pub acquire_timeout_ms: Option<u64>,
    /// In place of [`Postgres::statement_timeout_ms`].
    pub statement_timeout_ms: Option<u64>,
    /// In place of [`Postgres::prepared_statements`].
    pub prepared_statements: Option<Switch>,
}

/// A database that is configured, and how it is used.
#[derive(Clone, Debug, PartialEq)]
pub enum Database {
    /// A file.
    Sqlite {
        /// Where it is.
        path: PathBuf,
    },
    /// A database on a server.
    Postgres {
        /// Where it is, and who asks.
        url: Secret,
        /// The settings of `postgres`, with the backend's own in place of them.
        settings: Postgres,
    },
}

impl Database {
    /// What kind of backend it is.
    pub fn kind(&self) -> schema::Backend {
        match self {
            Database::Sqlite { .. } => schema::Backend::Sqlite,
            Database::Postgres { .. } => schema::Backend::Postgres,
        }
    }

    /// Reads where a database is. An error is what is wrong with the text, which it does not show.
    fn at(url: &str, settings: Postgres) -> Result<Self, String> {
        Ok(match Place::parse(url).map_err(|error| error.to_string())? {
            Place::Sqlite(path) => Database::Sqlite { path },
            Place::Postgres(_) => Database::Postgres { url: Secret::new(url), settings },
        })
    }
}

/// Where it is, as it may be shown: without user and password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::Sqlite { path } => write!(f, "{}", path.display()),
            Database::Postgres { url, .. } => match Place::parse(url.expose()) {
                Ok(Place::Postgres(servers)) => servers.fmt(f),
                // What is wrong with it is told when it is opened.
                _ => f.write_str("[unreadable]"),
            },
        }
    }
}

impl Backend {
    /// The settings of `postgres`, with the backend's own in place of them.
    fn postgres(&self, shared: &Postgres) -> Postgres {
        let mut settings = shared.clone();
        let replace = |slot: &mut u64, own: Option<u64>| *slot = own.unwrap_or(*slot);
        settings.max_connections = self.max_connections.unwrap_or(settings.max_connections);
        replace(&mut settings.acquire_timeout_ms, self.acquire_timeout_ms);
        replace(&mut settings.statement_timeout_ms, self.statement_timeout_ms);
        settings.prepared_statements =
            self.prepared_statements.unwrap_or(settings.prepared_statements);
        settings
    }

    /// A setting of its own that only Postgres has.
    fn of_postgres(&self) -> Option<&'static str> {
        let own = [
            ("max_connections", self.max_connections.is_some()),
            ("acquire_timeout_ms", self.acquire_timeout_ms.is_some()),
            ("statement_timeout_ms", self.statement_timeout_ms.is_some()),
            ("prepared_statements", self.prepared_statements.is_some()),
        ];
        own.into_iter().find(|(_, is_set)| *is_set).map(|(name, _)| name)
    }
}

impl Config {
    /// The databases by name: those of `backends`, or the one of `database` as [`MAIN`]. None if
    /// that is `memory`: then [`MEMORY`] serves everything.
    ///
    /// # Errors
    ///
    /// Names the setting that is wrong. It does not show it: it may hold a password.
    pub fn databases(&self) -> Result<BTreeMap<String, Database>, ConfigError> {
        if self.backends.is_empty() && prism_migrate::is_memory(&self.database) {
            return Ok(BTreeMap::new());
        }
        if self.backends.is_empty() {
            let database = Database::at(&self.database, self.postgres.clone());
            let database = database.map_err(|what| wrong("database", &what))?;
            return Ok(BTreeMap::from([(MAIN.to_owned(), database)]));
        }
        let mut databases = BTreeMap::new();
        for (name, backend) in &self.backends {
            check_name(name)?;
            let database = self.database_of(name, backend)?;
            if let Some((earlier, _)) =
                databases.iter().find(|(_, other)| is_same(other, &database))
            {
                let what = format!("is that of backends.{earlier}: a database has one name");
                return Err(wrong(&format!("backends.{name}.url"), &what));
            }
            databases.insert(name.clone(), database);
        }
        Ok(databases)
    }

    fn database_of(&self, name: &str, backend: &Backend) -> Result<Database, ConfigError> {
        let url = format!("backends.{name}.url");
        if backend.url.expose().is_empty() {
            let what = "is not set: the path of a SQLite file, or a postgres:// URL";
            return Err(wrong(&url, what));
        }
        if prism_migrate::is_memory(backend.url.expose()) {
            let what = "is not the path of a file: the backend `memory` is always there, under that \
                        name";
            return Err(wrong(&url, what));
        }
        let database = Database::at(backend.url.expose(), backend.postgres(&self.postgres))
            .map_err(|what| wrong(&url, &what))?;
        match (&database, backend.of_postgres()) {
            (Database::Sqlite { .. }, Some(setting)) => {
                let setting = format!("backends.{name}.{setting}");
                Err(wrong(&setting, &format!("is for Postgres, and {name} is a SQLite file")))
            }
            _ => Ok(database),
        }
    }

    /// Checks the databases, and that what is bound to one is bound to one that there is.
    pub(super) fn check_backends(&self) -> Result<(), ConfigError> {
        if !self.backends.is_empty() && self.database != Config::default().database {
            return Err(ConfigError::new(both("config.database")));
        }
        let databases = self.databases()?;
        for (name, database) in &databases {
            if let Database::Postgres { settings, .. } = database {
                settings.check(&format!("backends.{name}"))?;
            }
        }
        let bound = self
            .namespaces
            .iter()
            .map(|(namespace, backend)| (format!("namespaces.{namespace}"), backend.as_str()));
        let keyvalue = self.keyvalue.backend.iter();
        let keyvalue = keyvalue.map(|backend| ("keyvalue.backend".to_owned(), backend.as_str()));
        for (setting, backend) in bound.chain(keyvalue) {
            if backend != MEMORY && !databases.contains_key(backend) {
                return Err(no_backend(&setting, backend, &databases));
            }
        }
        Ok(())
    }
}

impl Postgres {
    /// Checks the numbers; `section` is where they stand.
    pub(super) fn check(&self, section: &str) -> Result<(), ConfigError> {
        let numbers = [
            ("max_connections", u64::from(self.max_connections), MOST_CONNECTIONS),
            ("acquire_timeout_ms", self.acquire_timeout_ms, LONGEST_MS),
            ("statement_timeout_ms", self.statement_timeout_ms, LONGEST_MS),
        ];
        numbers.into_iter().try_for_each(|(name, value, most)| {
            within(&format!("{section}.{name}"), value, 1, most)
        })
    }
}

/// What is wrong where `database` and `backends` are both set, by what sets the former.
pub(super) fn both(source: &str) -> String {
    let instead = match source {
        "DATABASE_URL" => "set PRISM_BACKENDS__MAIN__URL, with the backend's name, in its place",
        _ => "write it as one of them, `backends: {main: {url: …}}`",
    };
    format!("{source}: database is for one backend alone, and backends are set; {instead}")
}

fn is_same(one: &Database, other: &Database) -> bool {
    match (one, other) {
        (Database::Sqlite { path: one }, Database::Sqlite { path: other }) => one == other,
        (Database::Postgres { url: one, .. }, Database::Postgres { url: other, .. }) => {
            one == other
        }
        _ => false,
    }
}

fn check_name(name: &str) -> Result<(), ConfigError> {
    let setting = match shown(name).trim_matches([' ', '`']) {
        "" => "backends: what stands as a name".to_owned(),
        name => format!("backends.{name}"),
    };
    if name == MEMORY {
        return Err(wrong(&setting, "has the name of the memory backend, which is always there"));
    }
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(fits) {
        return Err(wrong(&setting, "is not a valid name: 1 to 63 of a to z, 0 to 9 and -"));
    }
    Ok(())
}

fn shown_or(name: &str, other: &str) -> String {
    Some(shown(name)).filter(|shown| !shown.is_empty()).unwrap_or_else(|| other.to_owned())
}

fn no_backend(setting: &str, name: &str, databases: &BTreeMap<String, Database>) -> ConfigError {
    let known = || databases.keys().map(String::as_str).chain([MEMORY]);
    let help = match closest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
    };
    ConfigError::new(format!("{setting}: no backend is named{}; {help}", shown_or(name, " so")))
}
