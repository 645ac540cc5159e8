//! A schema, settings and stores make a running proxy: stand-alone with [`main`], or inside
//! another program or a test with [`Proxy::builder`].

mod bound;
mod command;
mod schema;
mod signals;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Config, ConfigError};
use crate::server::{Builder as ServerBuilder, Health, Server, StartError};
use crate::service::Service;

pub use command::main;
pub use schema::{Migrations, Schema};

/// A running proxy. Dropping it begins to stop it; [`Proxy::shutdown`] also waits.
pub struct Proxy {
    server: Server,
}

/// A proxy that is being set up.
pub struct Builder {
    schema: Schema,
    config: Config,
    services: Vec<Arc<dyn Service>>,
}

impl Proxy {
    /// A proxy for a schema, with every setting at its default.
    pub fn builder(schema: Schema) -> Builder {
        Builder { schema, config: Config::default(), services: Vec::new() }
    }

    /// Where the proxy listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// What the health service answers.
    pub fn health(&self) -> &Health {
        self.server.health()
    }

    /// Stops: calls in flight may end until `server.drain_seconds` have passed.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
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

    /// Opens the stores and serves, on threads of its own. Works with and without a tokio
    /// runtime around it.
    ///
    /// # Errors
    ///
    /// One line: a setting that is wrong, a database that cannot be opened, an address that is
    /// taken.
    pub fn start(self) -> Result<Proxy, StartError> {
        let address = self.config.validate()?;
        let descriptor_set = self.schema.descriptor_set;
        let bound = bound::services(self.schema, &self.config)?;
        let mut server = ServerBuilder::new(self.config.server.clone())
            .descriptor_set(crate::proto::FILE_DESCRIPTOR_SET)
            .descriptor_set(descriptor_set);
        for service in bound.into_iter().chain(self.services) {
            server = server.service(service);
        }
        Ok(Proxy { server: server.start(address)? })
    }
}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> Self {
        StartError::new(error.to_string())
    }
}
