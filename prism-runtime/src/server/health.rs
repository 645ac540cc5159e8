//! `grpc.health.v1`.
//! <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::future::select_all;
use futures_util::stream;
use prism_schema::{Method, Service as Descriptor};
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet, MessageOptions, MethodDescriptorProto,
};
use tokio::sync::watch;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::error::{Error, Reason, Result};
use crate::service::{Context, Encoded, Reply, Service};
use crate::store::Readiness;

/// The name of the service itself.
pub(super) const NAME: &str = "grpc.health.v1.Health";

const PACKAGE: &str = "grpc.health.v1";

/// Positions in the service's methods.
const CHECK: usize = 0;
const LIST: usize = 1;

/// The names that `List` returns at most.
const MAX_LISTED: usize = 100;

/// The name under which the process says that it lives, whatever it can serve.
const LIVENESS: &str = "liveness";

/// What the health service answers, for each service and, under the empty name, for the server.
///
/// They are SERVING while every store is ready. The name `liveness` is SERVING until the process
/// ends, whatever the stores say, and while the server drains, too.
#[derive(Clone, Debug)]
pub struct Health {
    state: Arc<watch::Sender<State>>,
    stores: Arc<[Readiness]>,
}

#[derive(Debug, Default)]
struct State {
    serving: HashMap<String, bool>,
    stopped: bool,
}

impl Health {
    /// The health of a server that needs these stores.
    pub(super) fn new(stores: Vec<Readiness>) -> Self {
        let mut state = State::default();
        state.serving.insert(String::new(), true);
        Health { state: Arc::new(watch::Sender::new(state)), stores: stores.into() }
    }

    /// Whether every store can serve.
    pub fn is_ready(&self) -> bool {
        self.stores.iter().all(Readiness::is_ready)
    }

    fn status(&self, state: &State, service: &str) -> Option<ServingStatus> {
        let serving = match service {
            LIVENESS => true,
            service => *state.serving.get(service)? && !state.stopped && self.is_ready(),
        };
        Some(if serving { ServingStatus::Serving } else { ServingStatus::NotServing })
    }

    /// Says that a service answers.
    pub fn set_serving(&self, service: &str) {
        self.set(service, true);
    }

    /// Says that a service does not answer for now.
    pub fn set_not_serving(&self, service: &str) {
        self.set(service, false);
    }

    fn set(&self, service: &str, serving: bool) {
        self.state.send_modify(|state| {
            state.serving.insert(service.to_owned(), serving);
        });
    }

    /// Turns everything to NOT_SERVING for good, and ends the watches after they have said so.
    pub(super) fn stop(&self) {
        self.state.send_modify(|state| state.stopped = true);
    }

    pub(super) fn service(&self) -> HealthService {
        HealthService { health: self.clone(), descriptor: descriptor() }
    }

    fn check(&self, service: &str) -> Result<Encoded> {
        match self.status(&self.state.borrow(), service) {
            Some(status) => Ok(answer(status)),
            None => Err(Error::new(Reason::RecordNotFound, "this server has no such service")),
        }
    }

    /// Every name with its status.
    fn list(&self) -> Result<Encoded> {
        let state = self.state.borrow();
        let names = state.serving.keys().map(String::as_str).chain([LIVENESS]);
        let status = |name: &str| {
            let status = self.status(&state, name).unwrap_or(ServingStatus::ServiceUnknown);
            (name.to_owned(), HealthCheckResponse { status: status as i32 })
        };
        let statuses: BTreeMap<_, _> = names.map(status).collect();
        if statuses.len() > MAX_LISTED {
            let message = format!("this server has more than {MAX_LISTED} services: check each");
            return Err(Error::new(Reason::ValueTooLarge, message)
                .with_code(crate::Code::ResourceExhausted));
        }
        Ok(Encoded::new(&HealthListResponse { statuses }))
    }

    fn watch(&self, service: String) -> Reply {
        let changes = self.state.subscribe();
        let stores = self.stores.to_vec();
        let watch = Watch { health: self.clone(), changes, stores, service, last: None };
        Reply::stream(stream::unfold(watch, |mut watch| async {
            let item = watch.next().await;
            Some((item, watch))
        }))
    }
}

struct Watch {
    health: Health,
    stores: Vec<Readiness>,
    changes: watch::Receiver<State>,
    service: String,
    last: Option<ServingStatus>,
}

impl Watch {
    async fn next(&mut self) -> Result<Encoded> {
        loop {
            let (status, stopped) = {
                let state = self.changes.borrow_and_update();
                let status = self.health.status(&state, &self.service);
                (status.unwrap_or(ServingStatus::ServiceUnknown), state.stopped)
            };
            if self.last != Some(status) {
                self.last = Some(status);
                return Ok(answer(status));
            }
            if stopped || !self.changed().await {
                return Err(Error::new(Reason::ShuttingDown, "the server is shutting down"));
            }
        }
    }
}

impl Watch {
    /// Waits until something may be otherwise. Answers false where nothing will be any more.
    async fn changed(&mut self) -> bool {
        let stores = self.stores.iter_mut().map(|store| Box::pin(store.changed()));
        let stores = async {
            match stores.len() {
                0 => std::future::pending().await,
                _ => select_all(stores).await.0,
            }
        };
        tokio::select! {
            changed = self.changes.changed() => changed.is_ok(),
            () = stores => true,
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
        if method == LIST {
            return Reply::Ready(self.health.list());
        }
        let service = match HealthCheckRequest::decode(request) {
            Ok(request) => request.service,
            Err(error) => {
                let error = Error::new(Reason::InvalidRequest, "the request cannot be decoded")
                    .with_source(error);
                return Reply::Ready(Err(error));
            }
        };
        match method {
            CHECK => Reply::Ready(self.health.check(&service)),
            _ => self.health.watch(service),
        }
    }
}

fn descriptor() -> Descriptor {
    let method = |name: &str, messages: &str, server_streaming| Method {
        name: name.to_owned(),
        input: format!("{PACKAGE}.{messages}Request"),
        output: format!("{PACKAGE}.{messages}Response"),
        client_streaming: false,
        server_streaming,
        binding: None,
        timeout: None,
        idempotent: true,
        require_auth: false,
        permissions: Vec::new(),
    };
    Descriptor {
        name: NAME.to_owned(),
        methods: vec![
            method("Check", "HealthCheck", false),
            method("List", "HealthList", false),
            method("Watch", "HealthCheck", true),
        ],
    }
}

/// Answer of `List`, which tonic's types do not have yet: the status of each name.
#[derive(Clone, PartialEq, Message)]
struct HealthListResponse {
    #[prost(btree_map = "string, message", tag = "1")]
    statuses: BTreeMap<String, HealthCheckResponse>,
}

/// The service's descriptors: tonic's, and `List`.
pub(super) fn descriptors() -> &'static [u8] {
    static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let tonics = tonic_health::pb::FILE_DESCRIPTOR_SET;
        let Ok(mut set) = FileDescriptorSet::decode(tonics) else { return tonics.to_vec() };
        for file in set.file.iter_mut().filter(|file| file.package() == PACKAGE) {
            let services = file.service.iter_mut();
            for service in services.filter(|it| it.method.iter().all(|it| it.name() != "List")) {
                service.method.insert(LIST, list_method());
                file.message_type.extend(list_messages());
            }
            // The places in it are no longer right.
            file.source_code_info = None;
        }
        set.encode_to_vec()
    });
    &DESCRIPTORS
}

fn list_method() -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some("List".to_owned()),
        input_type: Some(format!(".{PACKAGE}.HealthListRequest")),
        output_type: Some(format!(".{PACKAGE}.HealthListResponse")),
        ..MethodDescriptorProto::default()
    }
}

fn list_messages() -> [DescriptorProto; 2] {
    let field =
        |name: &str, number, label: Label, kind, message: Option<String>| FieldDescriptorProto {
            name: Some(name.to_owned()),
            json_name: Some(name.to_owned()),
            number: Some(number),
            label: Some(label as i32),
            r#type: Some(kind as i32),
            type_name: message,
            ..FieldDescriptorProto::default()
        };
    let of = |name: &str| Some(format!(".{PACKAGE}.{name}"));
    let entry = DescriptorProto {
        name: Some("StatusesEntry".to_owned()),
        field: vec![
            field("key", 1, Label::Optional, Type::String, None),
            field("value", 2, Label::Optional, Type::Message, of("HealthCheckResponse")),
        ],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    };
    let entries = of("HealthListResponse.StatusesEntry");
    let response = DescriptorProto {
        name: Some("HealthListResponse".to_owned()),
        field: vec![field("statuses", 1, Label::Repeated, Type::Message, entries)],
        nested_type: vec![entry],
        ..DescriptorProto::default()
    };
    let request =
        DescriptorProto { name: Some("HealthListRequest".to_owned()), ..Default::default() };
    [request, response]
}
