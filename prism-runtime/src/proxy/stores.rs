//! Opens what records and key-value items live in.

use std::sync::Arc;
use std::time::Duration;

use prost_reflect::DescriptorPool;

use super::Schema;
use crate::clock::Clock;
use crate::config::{Config, Switch};
use crate::entity::{Collection, Shared, Stores};
use crate::keyvalue;
use crate::page_token::PageTokens;
use crate::schema::{Backend, Entity};
use crate::server::StartError;
use crate::store::Readiness;
use crate::store::entity::EntityBackend;
use crate::store::keyvalue::KeyValueStore;
use crate::store::memory::MemoryEntities;
use crate::store::postgres::{self, PostgresEntities};
use crate::store::sqlite::{self, SqliteEntities};

/// Everything that a proxy stores in.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) stores: Arc<Stores>,
    pub(super) keyvalue: Arc<dyn KeyValueStore>,
    pub(super) tokens: Arc<PageTokens>,
    pub(super) clock: Clock,
    pub(super) pool: DescriptorPool,
}

/// The database that everything lives in which is not in memory.
pub(super) enum Database {
    /// A file.
    Sqlite(Arc<sqlite::Database>),
    /// A database on a server.
    Postgres(Arc<postgres::Database>),
}

impl Database {
    /// Opens the database that the settings name, and applies its migrations.
    fn open(schema: &Schema, config: &Config) -> Result<Self, StartError> {
        let cannot = |error: &dyn std::error::Error| StartError::new(one_line(&error.to_string()));
        if let Some(url) = config.postgres_url() {
            let mut options = postgres::Options::new(url);
            options.migrations = schema.migrations.postgres.to_vec();
            options.entities = schema.stored();
            options.migrate = config.migrate.unwrap_or(false);
            options.max_connections = config.postgres.max_connections;
            options.acquire_timeout = Duration::from_millis(config.postgres.acquire_timeout_ms);
            options.statement_timeout = Duration::from_millis(config.postgres.statement_timeout_ms);
            options.prepared_statements = config.postgres.prepared_statements == Switch::On;
            let database = postgres::Database::open(&options).map_err(|error| cannot(&error))?;
            return Ok(Database::Postgres(database));
        }
        let mut options = sqlite::Options::new(config.database_path());
        options.migrations = schema.migrations.sqlite.to_vec();
        options.entities = schema.stored();
        options.migrate = config.migrate.unwrap_or(true);
        let database = sqlite::Database::open(&options).map_err(|error| cannot(&error))?;
        Ok(Database::Sqlite(database))
    }

    fn entities(&self) -> Box<dyn EntityBackend> {
        match self {
            Database::Sqlite(database) => Box::new(SqliteEntities::new(Arc::clone(database))),
            Database::Postgres(database) => Box::new(PostgresEntities::new(Arc::clone(database))),
        }
    }

    fn keyvalue(&self) -> Arc<dyn KeyValueStore> {
        match self {
            Database::Sqlite(database) => Arc::new(sqlite::KeyValue::new(Arc::clone(database))),
            Database::Postgres(database) => Arc::new(postgres::KeyValue::new(Arc::clone(database))),
        }
    }

    /// Whether it can be reached; none where it always can.
    pub(super) fn readiness(&self) -> Option<Readiness> {
        match self {
            Database::Sqlite(_) => None,
            Database::Postgres(database) => Some(database.readiness()),
        }
    }

    /// Ends it once calls that are under way are answered. Blocks until then.
    pub(super) fn close(&self) {
        match self {
            Database::Sqlite(database) => database.close(),
            Database::Postgres(database) => database.close(),
        }
    }
}

/// The backend that serves an entity: memory where the schema says so, the one database else.
pub(super) fn serving(entity: &Entity, config: &Config) -> Backend {
    match entity.backend {
        Backend::Memory => Backend::Memory,
        Backend::Sqlite | Backend::Postgres if config.postgres_url().is_some() => Backend::Postgres,
        Backend::Sqlite | Backend::Postgres => Backend::Sqlite,
    }
}

/// Opens the database, applies its migrations, and opens every entity.
pub(super) fn open(schema: &Schema, config: &Config, clock: Clock) -> Result<Opened, StartError> {
    let pool = DescriptorPool::decode(schema.descriptor_set)
        .map_err(|error| StartError::new(format!("the schema's descriptors: {error}")))?;
    let database = Database::open(schema, config)?;
    let keys = config.token_keys()?;
    let tokens = if keys.is_empty() { PageTokens::random() } else { PageTokens::new(&keys) };
    let tokens = Arc::new(tokens.map_err(|error| StartError::new(error.to_string()))?);
    let shared = Shared { pool: pool.clone(), tokens: Arc::clone(&tokens), clock: clock.clone() };
    let (on_database, in_memory) = (database.entities(), MemoryEntities);
    let mut collections = Vec::with_capacity(schema.entities.len());
    for entity in &schema.entities {
        let backend: &dyn EntityBackend = match serving(entity, config) {
            Backend::Memory => &in_memory,
            _ => &*on_database,
        };
        let collection = Collection::open((*entity).clone(), backend, shared.clone());
        collections.push(collection.map_err(|error| cannot("open", &entity.message, &error))?);
    }
    let keyvalue = database.keyvalue();
    let stores = Arc::new(Stores::new(collections));
    Ok(Opened { database, stores, keyvalue, tokens, clock, pool })
}

/// The key-value service's share of the settings.
pub(super) fn keyvalue_options(
    config: &Config,
    schema: &Schema,
    opened: &Opened,
) -> keyvalue::Options {
    let settings = &config.keyvalue;
    let mut options = keyvalue::Options::new(Arc::clone(&opened.tokens));
    options.clock = opened.clock.clone();
    options.namespaces = settings.namespaces.as_ref().map(|names| names.iter().cloned().collect());
    options.max_namespaces = settings.max_namespaces as u64;
    options.entity_namespaces =
        schema.entities.iter().map(|entity| entity.namespace.clone()).collect();
    options.tombstones = Duration::from_secs(u64::from(settings.tombstone_hours) * 3600);
    options.max_clock_skew = Duration::from_secs(settings.max_clock_skew_seconds.into());
    options
}

/// An error of the schema that only the operator sees, with its cause.
pub(super) fn cannot(what: &str, name: &str, error: &crate::Error) -> StartError {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}"));
    let message = format!("cannot {what} {name}: {}{}", error.message(), cause.unwrap_or_default());
    StartError::new(one_line(&message))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
