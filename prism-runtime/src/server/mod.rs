//! The gRPC server: sockets, event loops, HTTP/2, framing, routing and policies.
//!
//! One thread accepts connections and hands them out in turn to event loops, one for each core,
//! each with a runtime of its own. A connection stays on its loop, and a call that can be
//! answered at once is answered where it was read.

mod body;
mod call;
mod connection;
mod deadline;
mod drain;
mod executor;
mod foreign;
mod frames;
mod framing;
mod health;
mod io;
mod lifetime;
mod link;
mod listener;
mod places;
mod reflection;
mod refusal;
mod requests;
mod router;
mod streaming;
mod unknown;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use health::Health;
pub use listener::{Listener, StartError};
pub use unknown::UnknownFields;

pub(crate) use call::{answer_too_large, panicked};

use prost_reflect::DescriptorPool;

use crate::config;
use crate::entity::Stores;
use crate::memory::Budget;
use crate::path::mask_of;
use crate::schema::Storage;
use crate::service::Service;
use crate::store::Readiness;
use call::Front;
use drain::Drain;
use foreign::Foreign;
use lifetime::Limits;
use router::Router;
use unknown::Tables;

/// What a server is to serve.
pub struct Builder {
    config: config::Server,
    services: Vec<Arc<dyn Service>>,
    descriptor_sets: Vec<&'static [u8]>,
    stores: Arc<Stores>,
    readiness: Vec<Readiness>,
    bare_statuses: bool,
}

/// A server that accepts calls. Dropping it begins to stop it, without waiting for the calls in
/// flight; see [`Server::shutdown`].
pub struct Server {
    address: SocketAddr,
    health: Health,
    drain: Arc<Drain>,
    stopped: tokio::sync::watch::Receiver<bool>,
}

impl Builder {
    /// A server with these settings and nothing to serve yet.
    pub fn new(config: config::Server) -> Self {
        Builder {
            config,
            services: Vec::new(),
            descriptor_sets: Vec::new(),
            stores: Arc::default(),
            readiness: Vec::new(),
            bare_statuses: false,
        }
    }

    /// Adds a service; it replaces an earlier one of the same name.
    #[must_use]
    pub fn service(mut self, service: Arc<dyn Service>) -> Self {
        let name = &service.descriptor().name;
        self.services.retain(|earlier| earlier.descriptor().name != *name);
        self.services.push(service);
        self
    }

    /// Adds an encoded `FileDescriptorSet`: what reflection shows, and what requests are checked
    /// against. A request whose message is in none of them is not checked.
    #[must_use]
    pub fn descriptor_set(mut self, set: &'static [u8]) -> Self {
        self.descriptor_sets.push(set);
        self
    }

    /// Sets the entities that handlers reach through their context.
    #[must_use]
    pub fn stores(mut self, stores: Arc<Stores>) -> Self {
        self.stores = stores;
        self
    }

    /// Sends the errors that Prism itself answers with as a code and a text alone, as a plain gRPC
    /// server does: without the details that tell callers the reason. For callers that expect that,
    /// such as a conformance suite. Errors of the service's own keep their details.
    #[must_use]
    pub fn bare_statuses(mut self) -> Self {
        self.bare_statuses = true;
        self
    }

    /// Adds a store that has to be ready for the server to be: its health says NOT_SERVING else.
    #[must_use]
    pub fn readiness(mut self, store: Readiness) -> Self {
        self.readiness.push(store);
        self
    }

    /// Listens on `address` and serves, on threads of its own.
    ///
    /// # Errors
    ///
    /// Where the address cannot be listened on, or a descriptor set is broken.
    pub fn start(self, address: SocketAddr) -> Result<Server, StartError> {
        self.start_on(Listener::bind(address)?)
    }

    /// Serves on an address that was bound before, on threads of its own.
    ///
    /// # Errors
    ///
    /// Where a descriptor set is broken.
    pub fn start_on(mut self, listener: Listener) -> Result<Server, StartError> {
        self.descriptor_sets.push(health::descriptors());
        let health = Health::new(std::mem::take(&mut self.readiness));
        let drain = Arc::new(Drain::default());
        let front = Arc::new(self.front(&health, Arc::clone(&drain))?);
        let address = listener.address();
        let plan = listener::Plan {
            threads: self.threads(),
            max_connections: self.config.max_connections,
            max_connections_per_peer: self.config.max_connections_per_peer,
            max_concurrent_streams: self.config.max_concurrent_streams,
            limits: Limits::of(&self.config),
            front,
            drain: Arc::clone(&drain),
        };
        let stopped = plan.start(listener)?;
        Ok(Server { address, health, drain, stopped })
    }

    fn threads(&self) -> usize {
        match self.config.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// What requests are checked against. What is stored as JSON, and what the request of a bound
    /// method repeats, counts for more than prost makes of it.
    fn tables(&self) -> Result<Tables, StartError> {
        let mut tables = Tables::new(&self.descriptor_sets).map_err(StartError::new)?;
        for set in &self.descriptor_sets {
            mask_keys(&mut tables, set)?;
        }
        for entity in self.stores.collections().map(|collection| collection.entity()) {
            let json = entity.columns.iter().filter(|column| column.storage == Storage::Json);
            json.for_each(|column| tables.set_json(&entity.message, column.number));
        }
        let methods = self.services.iter().flat_map(|service| &service.descriptor().methods);
        for method in methods {
            let fields = method.binding.iter().flat_map(|binding| &binding.request);
            fields.for_each(|field| tables.set_value(&method.input, field.number));
        }
        Ok(tables)
    }

    fn front(&self, health: &Health, drain: Arc<Drain>) -> Result<Front, StartError> {
        let tables = self.tables()?;
        let mut router = Router::default();
        let default_timeout = Duration::from_millis(self.config.default_timeout_ms);
        for service in &self.services {
            health.set_serving(&service.descriptor().name);
            router.add(Arc::clone(service), default_timeout, false, &tables);
        }
        router.add(Arc::new(health.service()), default_timeout, true, &tables);
        let mut served = vec![health::NAME];
        served.extend(self.services.iter().map(|service| service.descriptor().name.as_str()));
        let reflection = reflection::services(&self.descriptor_sets, &served)?;
        for (name, service) in reflection::NAMES.into_iter().zip(reflection) {
            health.set_serving(name);
            router.add_foreign(name, service);
        }
        Ok(Front {
            router,
            tables,
            unknown_fields: self.config.unknown_fields,
            max_message_bytes: self.config.max_message_bytes,
            budget: Budget::new(self.config.max_buffered_bytes, self.config.max_message_bytes),
            default_timeout,
            stores: Arc::clone(&self.stores),
            drain,
            bare_statuses: self.bare_statuses,
        })
    }
}

/// Says which keys of maps are not shown in paths.
fn mask_keys(tables: &mut Tables, set: &[u8]) -> Result<(), StartError> {
    let pool = DescriptorPool::decode(set)
        .map_err(|error| StartError::new(format!("a descriptor set cannot be decoded: {error}")))?;
    for message in pool.all_messages() {
        for field in message.fields() {
            if let Some(mask) = mask_of(&field) {
                tables.set_mask(message.full_name(), field.number(), mask);
            }
        }
    }
    Ok(())
}

impl Server {
    /// Where the server listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What the health service answers.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Stops: health turns to NOT_SERVING, no connection is accepted any more, and those that are
    /// open are told to go away. Done when the last call has ended, or `server.drain_seconds`
    /// have passed and the rest was cut off.
    pub async fn shutdown(&self) {
        self.begin_shutdown();
        let mut stopped = self.stopped.clone();
        // The sender is only dropped without a word where the acceptor panicked: stopped, too.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    fn begin_shutdown(&self) {
        self.health.stop();
        self.drain.start();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_shutdown();
    }
}
