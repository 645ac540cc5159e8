//! Binds the methods of services to what answers them.

use std::sync::Arc;

use bytes::Bytes;

use super::stores::{Opened, cannot};
use crate::codegen::Handlers;
use crate::entity::{Engine, Required};
use crate::schema::Method;
use crate::server::StartError;
use crate::service::{Context, Reply, Service};
use crate::{Error, Result};

/// Binds the schema's services. One whose entity or messages are missing is refused.
pub(super) fn services(
    handlers: Vec<Box<dyn Handlers>>,
    opened: &Opened,
) -> Result<Vec<Arc<dyn Service>>, StartError> {
    let bind = |handlers| BoundService::new(handlers, opened).map(|service| Arc::new(service) as _);
    handlers.into_iter().map(bind).collect()
}

/// A service of the schema: bound methods go to the engine, the rest to the user's handlers.
struct BoundService {
    handlers: Box<dyn Handlers>,
    /// One for each method; none where the user answers it.
    engines: Vec<Option<Engine>>,
    /// What the request of a method that the user answers has to hold; none where that is nothing.
    required: Vec<Option<Required>>,
}

impl BoundService {
    fn new(handlers: Box<dyn Handlers>, opened: &Opened) -> Result<Self, StartError> {
        let service = handlers.descriptor();
        let engines = service
            .methods
            .iter()
            .map(|method| engine(&service.name, method, opened))
            .collect::<Result<_, _>>()?;
        let required = |method: &Method| {
            let input = opened.pool.get_message_by_name(&method.input)?;
            Required::new(&input, None).filter(|_| method.binding.is_none())
        };
        let required = service.methods.iter().map(required).collect();
        Ok(BoundService { handlers, engines, required })
    }
}

impl BoundService {
    /// Checks the request of a method that the user answers.
    fn check(&self, method: usize, request: &Bytes) -> Result<()> {
        let Some(Some(required)) = self.required.get(method) else { return Ok(()) };
        let mut violations = Vec::new();
        required.check(request, "", |_| true, &mut violations)?;
        if violations.is_empty() { Ok(()) } else { Err(Error::invalid(violations)) }
    }
}

impl Service for BoundService {
    fn descriptor(&self) -> &prism_schema::Service {
        self.handlers.descriptor()
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        match self.engines.get(method) {
            Some(Some(engine)) => engine.call(&context, &request),
            _ => match self.check(method, &request) {
                Ok(()) => self.handlers.call(method, context, request),
                Err(error) => Reply::Ready(Err(error)),
            },
        }
    }
}

fn engine(service: &str, method: &Method, opened: &Opened) -> Result<Option<Engine>, StartError> {
    let Some(binding) = &method.binding else { return Ok(None) };
    let name = format!("{service}/{}", method.name);
    let lacks = |what: &str| StartError::new(format!("{name}: the schema has no {what}"));
    let collection =
        opened.stores.collection(&binding.entity).ok_or_else(|| lacks(&binding.entity))?;
    let input =
        opened.pool.get_message_by_name(&method.input).ok_or_else(|| lacks(&method.input))?;
    Engine::new(Arc::clone(collection), name.as_str(), binding.clone(), &input)
        .map(Some)
        .map_err(|error| cannot("bind", &name, &error))
}
