//! Which method a path means, and what holds for it: resolved once, at start.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::foreign::Foreign;
use super::unknown::{MessageId, Tables};
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
    /// Whether the caller sends a stream of messages.
    pub(super) client_streaming: bool,
    /// Longest time that a call may take.
    pub(super) timeout: Option<Duration>,
    /// Whether a call changes nothing: it can be cancelled at any time, and retried once it was
    /// answered.
    pub(super) only_reads: bool,
    /// Whether the answers go on for ever, so that they may end anywhere.
    pub(super) watches: bool,
    /// The request's message, where the descriptors are known.
    pub(super) input: Option<MessageId>,
}

impl Router {
    /// Adds every method of a service. A later service replaces an earlier one of its name. The
    /// default is for its unary methods; whether the others are watched is for the service.
    pub(super) fn add(
        &mut self,
        service: Arc<dyn Service>,
        default_timeout: Duration,
        watched: bool,
        tables: &Tables,
    ) {
        let name = service.descriptor().name.clone();
        let prefix = format!("/{name}/");
        self.routes.retain(|path, _| !path.starts_with(&prefix));
        for (method, descriptor) in service.descriptor().methods.iter().enumerate() {
            let path = format!("{prefix}{}", descriptor.name);
            let unary = !descriptor.is_streaming();
            let route = Route {
                path: path.as_str().into(),
                service: Arc::clone(&service),
                method,
                client_streaming: descriptor.client_streaming,
                timeout: descriptor.timeout.or(unary.then_some(default_timeout)),
                only_reads: service.only_reads(method),
                watches: watched && descriptor.server_streaming,
                input: tables.message(&descriptor.input),
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
