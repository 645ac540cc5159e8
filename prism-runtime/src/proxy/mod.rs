//! A schema, settings and stores make a running proxy: stand-alone with [`main`], or inside
//! another program or a test with [`Proxy::builder`].

mod apart;
mod backends;
mod bindings;
mod bound;
mod command;
mod probe;
mod routes;
mod schema;
mod signals;
mod stores;
mod sweeper;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::keyvalue;
use crate::server::{Builder as ServerBuilder, Health, Listener, Server, StartError};
use crate::service::Service;
use apart::Threads;
use backends::Backends;
use bindings::Bindings;
use sweeper::Sweeper;

pub use command::main;
pub use schema::{Migrations, Schema};
pub use table::{BackendRow, KeyValueRow, NamespaceRow, ServiceRow, Table};

/// A running proxy. Dropping it stops it, without the time for calls in flight that
/// [`Proxy::shutdown`] gives; what was acknowledged is stored either way.
pub struct Proxy {
    server: Server,
    sweeper: Sweeper,
    /// Of methods that the user wrote.
    handlers: Option<Arc<Threads>>,
    backends: Backends,
    table: Table,
}

/// A proxy that is being set up.
pub struct Builder {
    schema: Schema,
    config: Config,
    services: Vec<Arc<dyn Service>>,
    clock: Clock,
    sweep_interval: Duration,
    bare_statuses: bool,
}

impl Proxy {
    /// A proxy for a schema, with every setting at its default.
    pub fn builder(schema: Schema) -> Builder {
        Builder {
            schema,
            config: Config::default(),
            services: Vec::new(),
            clock: Clock::system(),
            sweep_interval: sweeper::INTERVAL,
            bare_statuses: false,
        }
    }

    /// Where the proxy listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What the health service answers.
    pub fn health(&self) -> &Health {
        self.server.health()
    }

    /// Which backend serves which namespace, and who answers which method.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Stops: calls in flight may end until `server.drain_seconds` have passed, then the stores
    /// are closed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
        let Proxy { sweeper, handlers, backends, .. } = self;
        // All of them wait for threads.
        let closing = tokio::task::spawn_blocking(move || {
            drop(sweeper);
            if let Some(handlers) = handlers {
                handlers.stop();
            }
            backends.close();
        });
        if closing.await.is_err() {
            tracing::error!("the stores were not closed as they should be");
        }
    }
}

impl Builder {
    /// Replaces the settings.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Adds a service below the layer of generated code: encoded messages in and out.
    #[must_use]
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Sends Prism's own errors without details; see [`ServerBuilder::bare_statuses`].
    #[must_use]
    pub fn bare_statuses(mut self) -> Self {
        self.bare_statuses = true;
        self
    }

    /// Replaces the machine's clock, so that a test need not wait for what expires.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the time between two sweeps of what has expired, a minute, so that a test need not
    /// wait for one.
    #[must_use]
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Applies outstanding migrations, whatever the setting `migrate` says, and ends: a deployment
    /// does this once before its servers start. Blocks meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Builder::start`], without the address.
    pub fn migrate(mut self) -> Result<(), StartError> {
        self.config.migrate = Some(true);
        self.config.validate()?;
        let bindings = Bindings::resolve(&self.schema, &self.config)?;
        Backends::open(&bindings, &self.schema, &self.config)?.close();
        tracing::info!("the databases are as the schema says");
        Ok(())
    }

    /// Opens the stores and serves, on threads of its own. Works with and without a tokio
    /// runtime around it.
    ///
    /// # Errors
    ///
    /// One line: a setting that is wrong, a database that cannot be opened, an address that is
    /// taken.
    pub fn start(self) -> Result<Proxy, StartError> {
        let address = self.config.validate()?;
        // First of all: a second server must not touch the database before it finds out.
        let listener = Listener::bind(address)?;
        let bindings = Bindings::resolve(&self.schema, &self.config)?;
        for warning in &bindings.warnings {
            tracing::warn!("{warning}");
        }
        let opened = stores::open(&self.schema, &self.config, &bindings, self.clock)?;
        let table = Table::of(&self.schema, &self.config, &bindings);
        let options = stores::keyvalue_options(&self.config, &self.schema, &opened);
        let keyvalue = keyvalue::KeyValue::new(Arc::clone(&opened.keyvalue.front), options);
        let longest = self.config.server.max_message_bytes;
        let mut server = ServerBuilder::new(self.config.server)
            .descriptor_set(crate::proto::FILE_DESCRIPTOR_SET)
            .descriptor_set(self.schema.descriptor_set)
            .stores(Arc::clone(&opened.stores))
            .service(Arc::new(keyvalue));
        if self.bare_statuses {
            server = server.bare_statuses();
        }
        let handlers = bound::threads(&self.schema.services, longest)?;
        for service in bound::services(self.schema.services, &opened, handlers.as_ref())? {
            server = server.service(service);
        }
        for service in self.services {
            server = server.service(service);
        }
        for store in opened.backends.readiness() {
            server = server.readiness(store);
        }
        let server = server.start_on(listener)?;
        let sweeper = Sweeper::start(&opened, self.sweep_interval)?;
        Ok(Proxy { server, sweeper, handlers, backends: opened.backends, table })
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        StartError::new(error.to_string())
    }
}
