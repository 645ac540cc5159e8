//! `grpc.health.v1`.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use prism_schema::{Method, Service as Descriptor};
use prost::Message;
use tokio::sync::watch;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::error::{Error, Reason, Result};
use crate::service::{Context, Encoded, Reply, Service};

/// The name of the service itself.
pub(super) const NAME: &str = "grpc.health.v1.Health";

/// What the health service answers, for each service and, under the empty name, for the server.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    serving: HashMap<String, bool>,
    stopped: bool,
}

impl Default for Health {
    fn default() -> Self {
        let mut state = State::default();
        state.serving.insert(String::new(), true);
        Health(Arc::new(watch::Sender::new(state)))
    }
}

impl State {
    fn status(&self, service: &str) -> Option<ServingStatus> {
        let serving = *self.serving.get(service)? && !self.stopped;
        Some(if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
    }
}

impl Health {
    /// Says that a service answers.
    pub fn set_serving(&self, service: &str) {
        self.set(service, true);
    }

    /// Says that a service does not answer for now.
    pub fn set_not_serving(&self, service: &str) {
        self.set(service, false);
    }

    fn set(&self, service: &str, serving: bool) {
        self.0.send_modify(|state| {
            state.serving.insert(service.to_owned(), serving);
        });
    }

    /// Turns everything to NOT_SERVING for good, and ends the watches after they have said so.
    pub(super) fn stop(&self) {
        self.0.send_modify(|state| state.stopped = true);
    }

    pub(super) fn service(&self) -> HealthService {
        HealthService { health: self.clone(), descriptor: descriptor() }
    }

    fn check(&self, service: &str) -> Result<Encoded> {
        match self.0.borrow().status(service) {
            Some(status) => Ok(answer(status)),
            None => Err(Error::new(Reason::RecordNotFound, "this server has no such service")),
        }
    }

    fn watch(&self, service: String) -> Reply {
        let watch = Watch { changes: self.0.subscribe(), service, last: None };
        Reply::stream(stream::unfold(watch, |mut watch| async {
            let item = watch.next().await;
            Some((item, watch))
        }))
    }
}

struct Watch {
    changes: watch::Receiver<State>,
    service: String,
    last: Option<ServingStatus>,
}

impl Watch {
    async fn next(&mut self) -> Result<Encoded> {
        loop {
            let (status, stopped) = {
                let state = self.changes.borrow_and_update();
                let status = state.status(&self.service).unwrap_or(ServingStatus::ServiceUnknown);
                (status, state.stopped)
            };
            if self.last != Some(status) {
                self.last = Some(status);
                return Ok(answer(status));
            }
            if stopped || self.changes.changed().await.is_err() {
                return Err(Error::new(Reason::ShuttingDown, "the server is shutting down"));
            }
        }
    }
}

fn answer(status: ServingStatus) -> Encoded {
    Encoded::new(&HealthCheckResponse { status: status as i32 })
}

/// The service itself.
pub(super) struct HealthService {
    health: Health,
    descriptor: Descriptor,
}

impl Service for HealthService {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn call(&self, method: usize, _: Context, request: Bytes) -> Reply {
        let service = match HealthCheckRequest::decode(request) {
            Ok(request) => request.service,
            Err(error) => {
                let error = Error::new(Reason::InvalidRequest, "the request cannot be decoded")
                    .with_source(error);
                return Reply::Ready(Err(error));
            }
        };
        match method {
            0 => Reply::Ready(self.health.check(&service)),
            _ => self.health.watch(service),
        }
    }
}

fn descriptor() -> Descriptor {
    let method = |name: &str, server_streaming| Method {
        name: name.to_owned(),
        input: "grpc.health.v1.HealthCheckRequest".to_owned(),
        output: "grpc.health.v1.HealthCheckResponse".to_owned(),
        server_streaming,
        binding: None,
        timeout: None,
        idempotent: true,
        require_auth: false,
        permissions: Vec::new(),
    };
    Descriptor {
        name: NAME.to_owned(),
        methods: vec![method("Check", false), method("Watch", true)],
    }
}
