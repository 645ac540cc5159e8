//! Binds the methods of services to what answers them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;

use super::apart::{Apart, Threads};
use super::stores::{Opened, cannot};
use crate::Result;
use crate::codegen::Handlers;
use crate::entity::{Engine, Required};
use crate::schema::Method;
use crate::server::StartError;
use crate::service::{Context, Reply, RequestStream, Service};
use crate::violations::Violations;

/// The threads of the methods that the user wrote, if there are any.
pub(super) fn threads(
    handlers: &[Box<dyn Handlers>],
    max_message_bytes: usize,
) -> Result<Option<Arc<Threads>>, StartError> {
    match handlers.iter().any(|handlers| is_custom(&**handlers)) {
        true => Threads::start(max_message_bytes).map(Some),
        false => Ok(None),
    }
}

/// Binds the schema's services. One whose entity or messages are missing is refused. Methods that
/// the user wrote run on `threads`.
pub(super) fn services(
    handlers: Vec<Box<dyn Handlers>>,
    opened: &Opened,
    threads: Option<&Arc<Threads>>,
) -> Result<Vec<Arc<dyn Service>>, StartError> {
    let bind = |handlers| {
        BoundService::new(handlers, opened, threads).map(|service| Arc::new(service) as _)
    };
    handlers.into_iter().map(bind).collect()
}

/// Whether the user wrote a method of the service.
fn is_custom(handlers: &dyn Handlers) -> bool {
    let methods = &handlers.descriptor().methods;
    handlers.is_implemented() && methods.iter().any(|method| method.binding.is_none())
}

/// A service of the schema: bound methods go to the engine, the rest to the user's handlers.
struct BoundService {
    handlers: Arc<dyn Handlers>,
    /// The same, if the user wrote any of its methods.
    apart: Option<Apart>,
    /// One for each method; none where the user answers it.
    engines: Vec<Option<Engine>>,
    /// What the request of a method that the user answers has to hold; none where that is nothing.
    required: Vec<Option<Arc<Required>>>,
}

impl BoundService {
    fn new(
        handlers: Box<dyn Handlers>,
        opened: &Opened,
        threads: Option<&Arc<Threads>>,
    ) -> Result<Self, StartError> {
        let service = handlers.descriptor();
        let engines = service
            .methods
            .iter()
            .map(|method| engine(&service.name, method, opened))
            .collect::<Result<_, _>>()?;
        let required = |method: &Method| {
            let input = opened.pool.get_message_by_name(&method.input)?;
            Required::new(&input, None).filter(|_| method.binding.is_none()).map(Arc::new)
        };
        let required = service.methods.iter().map(required).collect();
        let handlers: Arc<dyn Handlers> = handlers.into();
        let threads = threads.filter(|_| is_custom(&*handlers));
        let apart = threads.map(|threads| Apart::new(Arc::clone(&handlers), Arc::clone(threads)));
        Ok(BoundService { handlers, apart, engines, required })
    }

    /// What the requests of a method that the user answers have to hold.
    fn required(&self, method: usize) -> Option<Arc<Required>> {
        self.required.get(method).cloned().flatten()
    }
}

/// Checks the request of a method that the user answers.
fn check(required: Option<Arc<Required>>, request: &Bytes) -> Result<()> {
    let Some(required) = required else { return Ok(()) };
    let mut violations = Violations::default();
    required.check(request, "", |_| true, &mut violations)?;
    violations.finish()
}

impl Service for BoundService {
    fn descriptor(&self) -> &prism_schema::Service {
        self.handlers.descriptor()
    }

    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
        if let Some(Some(engine)) = self.engines.get(method) {
            return engine.call(&context, &request);
        }
        if let Err(error) = check(self.required(method), &request) {
            return Reply::Ready(Err(error));
        }
        match &self.apart {
            Some(apart) => {
                apart.run(method, move |handlers| handlers.call(method, context, request))
            }
            None => self.handlers.call(method, context, request),
        }
    }

    fn call_streaming(&self, method: usize, context: Context, requests: RequestStream) -> Reply {
        let requests = match self.required(method) {
            None => requests,
            // No request follows one that is refused.
            required => Box::pin(requests.and_then(move |request| {
                let checked = check(required.clone(), &request).map(|()| request);
                std::future::ready(checked)
            })),
        };
        match &self.apart {
            Some(apart) => apart
                .run(method, move |handlers| handlers.call_streaming(method, context, requests)),
            None => self.handlers.call_streaming(method, context, requests),
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
