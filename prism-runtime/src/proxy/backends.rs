//! The backends of a running proxy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::bindings::Bindings;
use super::{Migrations, Schema};
use crate::config::{self, Config, Switch};
use crate::schema::Entity;
use crate::server::StartError;
use crate::store::Readiness;
use crate::store::entity::EntityBackend;
use crate::store::keyvalue::KeyValueStore;
use crate::store::memory::{self, MemoryEntities};
use crate::store::postgres::{self, PostgresEntities};
use crate::store::sqlite::{self, SqliteEntities};

/// The databases of a proxy, open, by name.
pub(super) struct Backends(BTreeMap<String, Database>);

/// A database, open.
enum Database {
    /// A file.
    Sqlite(Arc<sqlite::Database>),
    /// A database on a server.
    Postgres(Arc<postgres::Database>),
}

impl Backends {
    /// Opens the databases that anything is bound to, and applies their migrations. Blocks
    /// meanwhile.
    pub(super) fn open(
        bindings: &Bindings,
        schema: &Schema,
        config: &Config,
    ) -> Result<Self, StartError> {
        let mut open = BTreeMap::new();
        for (name, settings) in &bindings.databases {
            let content = Content {
                name: name.clone(),
                migrations: schema.migrations,
                entities: bindings.entities_on(name, schema),
                migrate: config.migrate,
            };
            let database = Database::open(settings, content).map_err(|cause| {
                match config.backends.is_empty() {
                    true => StartError::new(cause),
                    false => StartError::new(format!("backends.{name}: {cause}")),
                }
            })?;
            open.insert(name.clone(), database);
        }
        Ok(Backends(open))
    }

    /// What opens entities on a backend; a name that no database has stands for memory.
    pub(super) fn entities(&self, name: &str) -> Box<dyn EntityBackend> {
        match self.0.get(name) {
            Some(Database::Sqlite(database)) => Box::new(SqliteEntities::new(Arc::clone(database))),
            Some(Database::Postgres(database)) => {
                Box::new(PostgresEntities::new(Arc::clone(database)))
            }
            None => Box::new(MemoryEntities),
        }
    }

    /// Key-value records on a backend; a name that no database has stands for memory.
    pub(super) fn keyvalue(&self, name: &str) -> Arc<dyn KeyValueStore> {
        match self.0.get(name) {
            Some(Database::Sqlite(database)) => {
                Arc::new(sqlite::KeyValue::new(Arc::clone(database)))
            }
            Some(Database::Postgres(database)) => {
                Arc::new(postgres::KeyValue::new(Arc::clone(database)))
            }
            None => Arc::new(memory::KeyValue::new()),
        }
    }

    /// Whether each that may be out of reach can be reached.
    pub(super) fn readiness(&self) -> impl Iterator<Item = Readiness> {
        self.0.values().map(|database| match database {
            Database::Sqlite(database) => database.readiness(),
            Database::Postgres(database) => database.readiness(),
        })
    }

    /// Ends them once calls that are under way are answered. Blocks until then.
    pub(super) fn close(&self) {
        for database in self.0.values() {
            match database {
                Database::Sqlite(database) => database.close(),
                Database::Postgres(database) => database.close(),
            }
        }
    }
}

/// What a database is to hold.
struct Content {
    /// Of the backend.
    name: String,
    migrations: Migrations,
    /// Those that it serves.
    entities: Vec<&'static Entity>,
    /// The setting.
    migrate: Option<bool>,
}

impl Database {
    /// An error is one line.
    fn open(settings: &config::Database, content: Content) -> Result<Self, String> {
        let cannot = |error: &dyn std::error::Error| super::stores::one_line(&error.to_string());
        match settings {
            config::Database::Sqlite { path } => {
                let mut options = sqlite::Options::new(path);
                options.name = content.name;
                options.migrations = content.migrations.sqlite.to_vec();
                options.entities = content.entities;
                options.migrate = content.migrate.unwrap_or(true);
                let database = sqlite::Database::open(&options).map_err(|error| cannot(&error))?;
                Ok(Database::Sqlite(database))
            }
            config::Database::Postgres { url, settings } => {
                let mut options = postgres::Options::new(url.expose());
                options.name = content.name;
                options.migrations = content.migrations.postgres.to_vec();
                options.entities = content.entities;
                options.migrate = content.migrate.unwrap_or(false);
                options.max_connections = settings.max_connections;
                options.acquire_timeout = Duration::from_millis(settings.acquire_timeout_ms);
                options.statement_timeout = Duration::from_millis(settings.statement_timeout_ms);
                options.prepared_statements = settings.prepared_statements == Switch::On;
                let database =
                    postgres::Database::open(&options).map_err(|error| cannot(&error))?;
                Ok(Database::Postgres(database))
            }
        }
    }
}
