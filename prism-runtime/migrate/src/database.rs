//! A database of either kind, for a program that does nothing else meanwhile.

use std::path::Path;
use std::time::Duration;

use prism_schema::Entity;
use prism_schema::sql::Dialect;
use rusqlite::OpenFlags;
use sqlx::{PgConnection, raw_sql};
use tokio::runtime::Runtime;

use crate::check::History;
use crate::postgres::Settings;
use crate::sqlite::{FileLock, LockError, canonical};
use crate::verify::Difference;
use crate::{Cause, Error, Migration, Place, Servers, is_memory, postgres, sqlite};

/// How long a connection to a server may take.
const CONNECT: Duration = Duration::from_secs(30);

/// A database, open. Its methods block.
pub struct Database {
    name: String,
    connection: Connection,
}

enum Connection {
    Sqlite {
        connection: rusqlite::Connection,
        /// Where it is written to.
        lock: Option<FileLock>,
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
    /// Opens the database of a `postgres://` URL, or the SQLite file of a path or `sqlite:path`.
    ///
    /// # Errors
    ///
    /// Where the text is neither, which is not shown, where there is no database, where it cannot be reached, and where a server has the file that is to
    /// be migrated.
    pub fn open(place: &str, access: Access) -> Result<Self, Error> {
        if is_memory(place) {
            let why = "it is made anew with each server, and has nothing to migrate";
            let source = Cause::Refused(why.to_owned());
            return Err(Error::Open { database: "memory".to_owned(), source });
        }
        match Place::parse(place) {
            Ok(Place::Postgres(servers)) => open_postgres(servers, access),
            Ok(Place::Sqlite(path)) => open_sqlite(&path, access),
            Err(error) => Err(Error::Place(error)),
        }
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
            Connection::Sqlite { connection, lock } => {
                let plans = sqlite::Migrator { database, migrations }.apply(connection)?;
                lock.iter_mut().for_each(FileLock::keep);
                plans
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

fn open_postgres(mut servers: Servers, access: Access) -> Result<Database, Error> {
    // To look at a standby is fine where it is the one that was named.
    servers.writable &= access == Access::Migrate || servers.hosts.len() > 1;
    let name = format!("`{}` at {}", servers.database(), servers.addresses());
    let refused =
        |source: sqlx::Error| Error::Open { database: name.clone(), source: source.into() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| refused(sqlx::Error::Io(error)))?;
    let servers = servers.map(|options| options.application_name("prism migrate"));
    let connecting = async {
        let mut connection = servers.connect(CONNECT).await?;
        raw_sql(SESSION).execute(&mut connection).await?;
        Ok(connection)
    };
    let connection = runtime.block_on(connecting).map_err(refused)?;
    Ok(Database { name, connection: Connection::Postgres { connection, runtime } })
}

fn open_sqlite(path: &Path, access: Access) -> Result<Database, Error> {
    let path = canonical(path).unwrap_or_else(|_| path.to_owned());
    let name = path.display().to_string();
    let open = |source| Error::Open { database: name.clone(), source };
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if let Some(why) = obstacle(&path, access) {
        return Err(open(Cause::Refused(why.to_owned())));
    }
    let mut lock = None;
    if access == Access::Migrate {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
        lock = Some(FileLock::acquire(&path).map_err(|error| match error {
            LockError::InUse { .. } => Error::InUse { database: name.clone() },
            error => open(Cause::Refused(error.to_string())),
        })?);
    }
    let connection = match (path.exists(), access) {
        (false, Access::Look) => rusqlite::Connection::open_in_memory(),
        _ => rusqlite::Connection::open_with_flags(&path, flags),
    };
    let connection = connection.map_err(|error| open(error.into()))?;
    // SQLite looks at a file with the first statement.
    let looked = connection.query_row("PRAGMA schema_version", [], |_| Ok(()));
    looked.map_err(|error| open(error.into()))?;
    Ok(Database { name, connection: Connection::Sqlite { connection, lock } })
}

/// What keeps a path from being the file of a database.
fn obstacle(path: &Path, access: Access) -> Option<&'static str> {
    let is_there = |folder: &Path| folder.as_os_str().is_empty() || folder.is_dir();
    if path.is_dir() {
        Some("it is a folder")
    } else if path.exists() {
        None
    } else if access == Access::Read {
        Some("the file does not exist")
    } else if !path.parent().is_none_or(is_there) {
        Some("its folder does not exist")
    } else {
        None
    }
}
