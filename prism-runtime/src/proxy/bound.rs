//! Binds the methods of services to what answers them.

use std::sync::Arc;

use bytes::Bytes;

use super::Schema;
use crate::codegen::Handlers;
use crate::config::Config;
use crate::server::StartError;
use crate::service::{Context, Reply, Service};

/// The services of a schema.
pub(super) fn services(schema: Schema, _: &Config) -> Result<Vec<Arc<dyn Service>>, StartError> {
    let services = schema.services.into_iter();
    Ok(services.map(|handlers| Arc::new(HandlerService { handlers }) as _).collect())
}

/// A service of the schema: bound methods go to the engine, the rest to the user's handlers.
struct HandlerService {
    handlers: Box<dyn Handlers>,
}

impl Service for HandlerService {
    fn descriptor(&self) -> &prism_schema::Service {
        self.handlers.descriptor()
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        self.handlers.call(method, context, request)
    }
}
