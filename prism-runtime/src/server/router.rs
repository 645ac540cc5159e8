//! Which method a path means, and what holds for it: resolved once, at start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::foreign::Foreign;
use super::unknown::{MessageId, Tables};
use crate::schema::{Method, Operation};
use crate::service::Service;

/// The methods that a server answers, by path.
#[derive(Default)]
pub(super) struct Router {
    routes: HashMap<Box<str>, Route>,
    /// Services that bring their own framing, by `/package.Service/`.
    foreign: HashMap<Box<str>, Foreign>,
}

/// A method and its policies.
pub(super) struct Route {
    /// `/package.Service/Method`.
    pub(super) path: Arc<str>,
    pub(super) service: Arc<dyn Service>,
    /// Position in the service's methods.
    pub(super) method: usize,
    /// Longest time that a call may take.
    pub(super) timeout: Option<Duration>,
    /// The request's message, where the descriptors are known.
    pub(super) input: Option<MessageId>,
    /// Whether a call that was answered can be made again: it changes nothing.
    pub(super) reads: bool,
}

/// How long the methods of a service may take if they do not say it themselves.
#[derive(Clone, Copy, Debug)]
pub(super) enum DefaultTimeout {
    /// This long.
    All(Duration),
    /// This long, and those that stream their answers as long as the caller likes: watches.
    Unary(Duration),
}

impl Router {
    /// Adds every method of a service. A later service replaces an earlier one of its name.
    pub(super) fn add(
        &mut self,
        service: Arc<dyn Service>,
        default: DefaultTimeout,
        tables: &Tables,
    ) {
        let name = service.descriptor().name.clone();
        let prefix = format!("/{name}/");
        self.routes.retain(|path, _| !path.starts_with(&prefix));
        for (method, descriptor) in service.descriptor().methods.iter().enumerate() {
            let path = format!("{prefix}{}", descriptor.name);
            let timeout = descriptor.timeout.or(match default {
                DefaultTimeout::Unary(_) if descriptor.server_streaming => None,
                DefaultTimeout::All(timeout) | DefaultTimeout::Unary(timeout) => Some(timeout),
            });
            let route = Route {
                path: path.as_str().into(),
                service: Arc::clone(&service),
                method,
                timeout,
                input: tables.message(&descriptor.input),
                reads: reads(descriptor),
            };
            self.routes.insert(path.into(), route);
        }
    }

    /// Adds a service that brings its own framing.
    pub(super) fn add_foreign(&mut self, service: &str, foreign: Foreign) {
        self.foreign.insert(format!("/{service}/").into(), foreign);
    }

    pub(super) fn find(&self, path: &str) -> Option<&Route> {
        self.routes.get(path)
    }

    pub(super) fn find_foreign(&self, path: &str) -> Option<&Foreign> {
        let end = path.rfind('/')?;
        self.foreign.get(&path[..=end])
    }

    /// Whether any method of the path's service is served.
    pub(super) fn knows_service(&self, path: &str) -> bool {
        let Some(end) = path.rfind('/') else { return false };
        let prefix = &path[..=end];
        self.foreign.contains_key(prefix)
            || self.routes.keys().any(|route| route.starts_with(prefix))
    }
}

fn reads(method: &Method) -> bool {
    let operation = method.binding.as_ref().map(|binding| binding.operation);
    method.idempotent
        || matches!(operation, Some(Operation::Get | Operation::BatchGet | Operation::List))
}
