//! Calls engines with JSON, on any backend.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value as Json;

use super::schema;
use super::typed::Order;
use crate::clock::Clock;
use crate::entity::layout::DEFAULT_MESSAGE_BYTES;
use crate::entity::{Collection, Engine, Shared, Store, Stores};
use crate::page_token::PageTokens;
use crate::schema::Entity;
use crate::service::{Context, Reply};
use crate::store::entity::EntityBackend;
use crate::{Error, Result};

/// Opens an empty backend with the tables of some entities.
pub type Factory<'a> = dyn Fn(&[Entity]) -> Opened + 'a;

/// A backend, and what must live as long as it.
pub struct Opened {
    /// The backend.
    pub backend: Box<dyn EntityBackend>,
    /// A temporary folder, a server: dropped after the backend.
    pub guard: Box<dyn Any>,
}

/// The suite's methods on one backend, at a time of their own.
pub struct Harness {
    methods: HashMap<&'static str, Method>,
    stores: Arc<Stores>,
    /// The time that the methods see.
    pub clock: Clock,
    pool: DescriptorPool,
    runtime: tokio::runtime::Runtime,
    _guard: Box<dyn Any>,
}

struct Method {
    engine: Engine,
    input: MessageDescriptor,
    output: MessageDescriptor,
}

/// 2026-01-01T00:00:00Z.
pub(super) const START_MICROS: i64 = 1_767_225_600_000_000;

impl Harness {
    /// Opens the suite's entities on a backend.
    ///
    /// # Panics
    ///
    /// Where the backend cannot be opened.
    pub fn new(factory: &Factory<'_>) -> Self {
        Harness::limited(factory, DEFAULT_MESSAGE_BYTES)
    }

    /// Opens the suite's entities on a backend, for messages of so many bytes.
    ///
    /// # Panics
    ///
    /// If the backend cannot be opened.
    pub fn limited(factory: &Factory<'_>, max_message_bytes: usize) -> Self {
        let pool = schema::pool();
        let entities = schema::entities(&pool);
        let opened = factory(&entities);
        let clock = Clock::manual(START_MICROS);
        let tokens = Arc::new(PageTokens::random().expect("randomness"));
        let shared = Shared { pool: pool.clone(), tokens, clock: clock.clone() };
        let open = |entity: Entity| {
            Collection::open_limited(entity, &*opened.backend, shared.clone(), max_message_bytes)
                .expect("an open collection")
        };
        let stores = Arc::new(Stores::new(entities.into_iter().map(open)));
        let method = |spec: schema::MethodSpec| {
            let input = schema::message(&pool, spec.input);
            let output = schema::message(&pool, spec.output);
            let collection = stores.collection(&spec.binding.entity).expect("a known entity");
            let name = format!("conformance.v1.Suite/{}", spec.name);
            let engine = Engine::new(Arc::clone(collection), name, spec.binding, &input);
            (spec.name, Method { engine: engine.expect("an engine"), input, output })
        };
        let methods = schema::methods(&pool).into_iter().map(method).collect();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Harness { methods, stores, clock, pool, runtime, _guard: opened.guard }
    }

    /// Runs a scenario.
    pub fn block_on<T>(&self, scenario: impl Future<Output = T>) -> T {
        self.runtime.block_on(scenario)
    }

    /// Calls a method with protobuf JSON.
    pub async fn call(&self, method: &str, request: Json) -> Result<Json> {
        self.call_bytes(method, self.request(method, request)).await
    }

    /// Calls a method with an encoded request.
    pub async fn call_bytes(&self, method: &str, request: Vec<u8>) -> Result<Json> {
        let answer = self.call_raw(method, request).await?;
        let output = &self.methods[method].output;
        let answer = DynamicMessage::decode(output.clone(), &*answer).expect("an answer");
        Ok(serde_json::to_value(&answer).expect("an answer has JSON"))
    }

    /// Calls a method with an encoded request; the answer is encoded too.
    pub async fn call_raw(&self, method: &str, request: Vec<u8>) -> Result<Vec<u8>> {
        let answer = match self.reply(method, request) {
            Reply::Ready(answer) => answer?,
            Reply::Future(answer) => answer.await?,
            Reply::Stream(_) | Reply::Opening(_) => {
                return Err(Error::internal("a bound method does not stream"));
            }
        };
        Ok(answer.message().to_vec())
    }

    /// What an engine makes of an encoded request at once.
    pub fn reply(&self, method: &str, request: Vec<u8>) -> Reply {
        let context = Context::new("conformance").with_stores(Arc::clone(&self.stores));
        self.methods[method].engine.call(&context, &Bytes::from(request))
    }

    /// A request of a method, encoded.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn request(&self, method: &str, request: Json) -> Vec<u8> {
        let input = self.methods[method].input.clone();
        DynamicMessage::deserialize(input, request).expect("a request").encode_to_vec()
    }

    /// A message of the suite.
    pub fn message(&self, name: &str) -> MessageDescriptor {
        schema::message(&self.pool, name)
    }

    /// An entity of the suite.
    ///
    /// # Panics
    ///
    /// Where there is no such entity.
    pub fn collection(&self, name: &str) -> &Collection {
        self.stores.collection(&format!("conformance.v1.{name}")).expect("a known entity")
    }

    /// Orders as a handler uses them.
    ///
    /// # Panics
    ///
    /// Never: the suite serves orders.
    pub fn orders(&self) -> Store<Order> {
        let context = Context::new("conformance").with_stores(Arc::clone(&self.stores));
        context.store().expect("orders are served")
    }

    /// Lets time pass.
    pub fn pass_seconds(&self, seconds: i64) {
        self.clock.advance(seconds * 1_000_000);
    }
}
