//! The backends of a running proxy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Schema;
use super::bindings::Bindings;
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
    /// Opens databases, and applies their migrations. Blocks meanwhile.
    pub(super) fn open(
        bindings: &Bindings,
        schema: &Schema,
        config: &Config,
    ) -> Result<Self, StartError> {
        let mut open = BTreeMap::new();
        for (name, settings) in &bindings.databases {
            let bound = schema.entities.iter().zip(&bindings.entities);
            let entities = bound.filter(|(_, of)| *of == name).map(|(entity, _)| *entity).collect();
            let database =
                Database::open(settings, schema, entities, config).map_err(|cause| match config
                    .backends
                    .is_empty()
                {
                    true => StartError::new(cause),
                    false => StartError::new(format!("backends.{name}: {cause}")),
                })?;
            open.insert(name.clone(), database);
        }
        Ok(Backends(open))
    }

    /// What opens entities on a backend; a name that is no database's is the memory's.
    pub(super) fn entities(&self, name: &str) -> Box<dyn EntityBackend> {
        match self.0.get(name) {
            Some(Database::Sqlite(database)) => Box::new(SqliteEntities::new(Arc::clone(database))),
            Some(Database::Postgres(database)) => {
                Box::new(PostgresEntities::new(Arc::clone(database)))
            }
            None => Box::new(MemoryEntities),
        }
    }

    /// Key-value records on a backend; a name that is no database's is the memory's.
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
        self.0.values().filter_map(|database| match database {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(database.readiness()),
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

impl Database {
    /// An error is one line.
    fn open(
        settings: &config::Database,
        schema: &Schema,
        entities: Vec<&'static Entity>,
        config: &Config,
    ) -> Result<Self, String> {
        let cannot = |error: &dyn std::error::Error| super::stores::one_line(&error.to_string());
        match settings {
            config::Database::Sqlite { path } => {
                let mut options = sqlite::Options::new(path);
                options.migrations = schema.migrations.sqlite.to_vec();
                options.entities = entities;
                options.migrate = config.migrate.unwrap_or(true);
                let database = sqlite::Database::open(&options).map_err(|error| cannot(&error))?;
                Ok(Database::Sqlite(database))
            }
            config::Database::Postgres { url, settings } => {
                let mut options = postgres::Options::new(url.expose());
                options.migrations = schema.migrations.postgres.to_vec();
                options.entities = entities;
                options.migrate = config.migrate.unwrap_or(false);
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
