//! A database of either kind, for a program that does nothing else meanwhile.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use prism_schema::Entity;
use prism_schema::sql::Dialect;
use rusqlite::OpenFlags;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, raw_sql};
use tokio::runtime::Runtime;

use crate::check::History;
use crate::postgres::Settings;
use crate::sqlite::FileLock;
use crate::verify::Difference;
use crate::{Cause, Error, Migration, postgres, sqlite};

/// A database, open. Its methods block.
pub struct Database {
    name: String,
    connection: Connection,
}

enum Connection {
    Sqlite {
        connection: rusqlite::Connection,
        /// Where it is written to.
        _lock: Option<FileLock>,
    },
    Postgres {
        connection: PgConnection,
        runtime: Runtime,
    },
}

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is looked at, beside the server. It has to exist.
    Read,
    /// It is looked at, and empty where there is none.
    Look,
    /// It is migrated. A SQLite file is made where there is none.
    Migrate,
}

impl Database {
    /// Opens the database of a `postgres://` URL, or else the SQLite file of a path, which may
    /// have `sqlite:` in front.
    ///
    /// # Errors
    ///
    /// Where there is none, where it cannot be reached, and where a server has the file that is to
    /// be migrated.
    pub fn open(place: &str, access: Access) -> Result<Self, Error> {
        if ["postgres://", "postgresql://"].iter().any(|scheme| place.starts_with(scheme)) {
            return open_postgres(place);
        }
        if is_memory(place) {
            let why = "it is made anew with each server, and has nothing to migrate";
            let source = Cause::Refused(why.to_owned());
            return Err(Error::Open { database: "memory".to_owned(), source });
        }
        let path = place.strip_prefix("sqlite:").unwrap_or(place);
        open_sqlite(Path::new(path.strip_prefix("//").unwrap_or(path)), access)
    }

    /// Its name for people, without a password.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite { .. } => Dialect::Sqlite,
            Connection::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// How every migration stands.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn history<'a>(&mut self, migrations: &'a [Migration<'a>]) -> Result<History<'a>, Error> {
        match &mut self.connection {
            Connection::Sqlite { connection, .. } => sqlite::history(connection, migrations),
            Connection::Postgres { connection, runtime } => {
                runtime.block_on(postgres::history(connection, migrations))
            }
        }
    }

    /// Applies what is outstanding, Prism's own tables first, and answers the titles of what that
    /// was.
    ///
    /// # Errors
    ///
    /// Those of the migrators.
    pub fn apply(&mut self, migrations: &[Migration<'_>]) -> Result<Vec<String>, Error> {
        let database = self.name.as_str();
        let plans = match &mut self.connection {
            Connection::Sqlite { connection, .. } => {
                sqlite::Migrator { database, migrations }.apply(connection)?
            }
            Connection::Postgres { connection, runtime } => {
                let settings = Settings::default();
                let migrator = postgres::Migrator { database, migrations, settings };
                runtime.block_on(migrator.apply(connection))?
            }
        };
        Ok(plans.outstanding().map(Migration::title).collect())
    }

    /// Compares the tables of entities, and Prism's own, with what is there.
    ///
    /// # Errors
    ///
    /// Where the database cannot be read.
    pub fn verify(&mut self, entities: &[&Entity]) -> Result<Vec<Difference>, Error> {
        match &mut self.connection {
            Connection::Sqlite { connection, .. } => sqlite::verify(connection, entities),
            Connection::Postgres { connection, runtime } => {
                runtime.block_on(postgres::verify(connection, entities))
            }
        }
    }
}

/// What the meaning of statements and values depends on, whatever the database's settings say.
const SESSION: &str = "SET bytea_output = hex; SET standard_conforming_strings = on";

fn open_postgres(url: &str) -> Result<Database, Error> {
    let refused = |database: &str, source: sqlx::Error| Error::Open {
        database: database.to_owned(),
        source: source.into(),
    };
    let options = PgConnectOptions::from_str(url).map_err(|error| refused("of the URL", error))?;
    let database = options.get_database().unwrap_or(options.get_username());
    let name = format!("`{database}` at {}:{}", options.get_host(), options.get_port());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(&name, sqlx::Error::Io(error)))?;
    let options = options.application_name("prism migrate");
    let connecting = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        raw_sql(SESSION).execute(&mut connection).await?;
        Ok(connection)
    };
    let connection = runtime.block_on(connecting).map_err(|error| refused(&name, error))?;
    Ok(Database { name, connection: Connection::Postgres { connection, runtime } })
}

fn open_sqlite(path: &Path, access: Access) -> Result<Database, Error> {
    let path = canonical(path);
    let name = path.display().to_string();
    let open = |source| Error::Open { database: name.clone(), source };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut lock = None;
    if access == Access::Migrate {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
        lock = Some(FileLock::acquire(&path).map_err(|error| match error {
            TryLockError::WouldBlock => Error::InUse { database: name.clone() },
            TryLockError::Error(error) => open(Cause::Refused(error.to_string())),
        })?);
    }
    let connection = match (path.exists(), access) {
        (false, Access::Read) => {
            return Err(open(Cause::Refused("there is no such file".to_owned())));
        }
        (false, Access::Look) => rusqlite::Connection::open_in_memory(),
        _ => rusqlite::Connection::open_with_flags(&path, flags),
    };
    let connection = connection.map_err(|error| open(error.into()))?;
    Ok(Database { name, connection: Connection::Sqlite { connection, _lock: lock } })
}

/// Whether a place stands for the memory of the server: `memory`, or SQLite's `:memory:`, also
/// behind `sqlite:`.
pub fn is_memory(place: &str) -> bool {
    let place = place.strip_prefix("sqlite:").unwrap_or(place);
    let place = place.strip_prefix("//").unwrap_or(place);
    let place = place.strip_prefix("file:").unwrap_or(place);
    matches!(place, "memory" | "memory:" | "memory://") || place.starts_with(":memory:")
}

/// The path as the operating system knows it, so that two names of one file have one lock.
fn canonical(path: &Path) -> PathBuf {
    let whole = || {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(whole).unwrap_or_else(|| path.to_owned())
}
