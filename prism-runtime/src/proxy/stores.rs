//! Opens what records and key-value items live in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prost_reflect::DescriptorPool;

use super::Schema;
use super::backends::Backends;
use super::bindings::Bindings;
use super::routes::Routes;
use crate::clock::Clock;
use crate::config::Config;
use crate::entity::{Collection, Shared, Stores};
use crate::keyvalue;
use crate::page_token::PageTokens;
use crate::server::StartError;
use crate::store::entity::EntityBackend;
use crate::store::keyvalue::KeyValueStore;

/// Everything that a proxy stores in.
pub(super) struct Opened {
    pub(super) backends: Backends,
    pub(super) stores: Arc<Stores>,
    pub(super) keyvalue: KeyValueStores,
    pub(super) tokens: Arc<PageTokens>,
    pub(super) clock: Clock,
    pub(super) pool: DescriptorPool,
}

/// What key-value records live in.
pub(super) struct KeyValueStores {
    /// Each store once.
    pub(super) all: Vec<Arc<dyn KeyValueStore>>,
    /// What the service calls.
    pub(super) front: Arc<dyn KeyValueStore>,
}

/// Opens the databases, applies their migrations, and opens every entity.
pub(super) fn open(
    schema: &Schema,
    config: &Config,
    bindings: &Bindings,
    clock: Clock,
) -> Result<Opened, StartError> {
    let pool = DescriptorPool::decode(schema.descriptor_set)
        .map_err(|error| StartError::new(format!("the schema's descriptors: {error}")))?;
    let backends = Backends::open(bindings, schema, config)?;
    let keys = config.token_keys()?;
    let tokens = if keys.is_empty() { PageTokens::random() } else { PageTokens::new(&keys) };
    let tokens = Arc::new(tokens.map_err(|error| StartError::new(error.to_string()))?);
    let shared = Shared { pool: pool.clone(), tokens: Arc::clone(&tokens), clock: clock.clone() };
    let mut opened: BTreeMap<&str, Box<dyn EntityBackend>> = BTreeMap::new();
    let mut collections = Vec::with_capacity(schema.entities.len());
    for (entity, name) in schema.entities.iter().zip(&bindings.entities) {
        let backend = opened.entry(name).or_insert_with(|| backends.entities(name));
        let (shared, limit) = (shared.clone(), config.server.max_message_bytes);
        let collection = Collection::open_limited((*entity).clone(), &**backend, shared, limit);
        collections.push(collection.map_err(|error| cannot("open", &entity.message, &error))?);
    }
    let keyvalue = keyvalue_stores(&backends, bindings);
    let stores = Arc::new(Stores::new(collections));
    Ok(Opened { backends, stores, keyvalue, tokens, clock, pool })
}

fn keyvalue_stores(backends: &Backends, bindings: &Bindings) -> KeyValueStores {
    let mut opened: BTreeMap<&str, Arc<dyn KeyValueStore>> = BTreeMap::new();
    let mut store = |name| {
        let store = opened.entry(name).or_insert_with(|| backends.keyvalue(name));
        Arc::clone(store)
    };
    let bound = bindings.keyvalue.iter();
    let bound = bound.map(|(namespace, name)| (namespace.clone(), store(name))).collect();
    let other = bindings.other_keyvalue.as_deref().map(store);
    let all: Vec<_> = opened.into_values().collect();
    let front = match all.as_slice() {
        [only] => Arc::clone(only),
        _ => Arc::new(Routes { bound, other, stores: all.clone() }),
    };
    KeyValueStores { all, front }
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
    options.declared = config.namespaces.keys().cloned().collect();
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

/// A text of several lines as one.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
