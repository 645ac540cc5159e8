//! What generated code uses, and nothing else should: it may change in any version.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use ::bytes::Bytes;
use ::prost::Message;
use futures_util::StreamExt;

pub use crate::client::{Client, ServiceClient};
pub use crate::entity::Entity;
pub use crate::proto;
pub use crate::proxy::{Migrations, Schema, main};
pub use crate::service::{Context, Encoded, Reply, RequestStream, Requests, Responses};
pub use crate::store::Migration;
pub use crate::{Error, Result};
pub use bytes;
pub use futures_core;
pub use mimalloc::MiMalloc;
pub use prism_derive::{Entity, Redact};
pub use prism_schema as schema;
pub use prost;
pub use prost_types;
pub use tonic;
pub use tonic::IntoRequest;
use tonic::IntoStreamingRequest;

/// What a generated client's method answers.
pub type Answer<Response> = std::result::Result<tonic::Response<Response>, tonic::Status>;

/// What a generated client's method with streamed answers answers.
pub type StreamAnswer<Response> = Answer<tonic::Streaming<Response>>;

/// What a generated client's method with streamed requests takes: a stream of them, alone or in a
/// [`tonic::Request`].
pub trait IntoRequests<Request>: IntoStreamingRequest<Message = Request> {}

impl<T, Request> IntoRequests<Request> for T where T: IntoStreamingRequest<Message = Request> {}

/// Where generated code keeps what a service is.
pub type Descriptor = LazyLock<schema::Service>;

use crate::service::{self, MessageStream, decode};

/// The methods of a service that the schema does not bind to storage.
///
/// Generated for each service, over the trait that the user implements.
///
/// ```ignore
/// impl<T: OrderService> Handlers for OrderServiceServer<T> {
///     fn descriptor(&self) -> &'static schema::Service {
///         order_service()
///     }
///
///     fn call(&self, method: usize, context: Context, request: Bytes) -> Reply {
///         let call = Call::new(&self.0, context, request);
///         match method {
///             6 => call.unary(T::archive_order),
///             _ => codegen::unimplemented(self.descriptor(), method),
///         }
///     }
/// }
/// ```
pub trait Handlers: Send + Sync + 'static {
    /// The service as the schema has it, bound methods included.
    fn descriptor(&self) -> &'static schema::Service;

    /// Answers a method that has no binding; see [`Call`]. `method` is
    /// its position in the descriptor's methods.
    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply;

    /// Answers a method that has no binding and streams requests, in the same way.
    fn call_streaming(&self, method: usize, context: Context, requests: RequestStream) -> Reply {
        let _ = (context, requests);
        unimplemented(self.descriptor(), method)
    }

    /// Whether somebody wrote the methods. The start-up table says where nobody did.
    fn is_implemented(&self) -> bool {
        true
    }
}

/// Stands for a service whose custom methods nobody has written: each answers UNIMPLEMENTED, and
/// the start-up table says so. Holds the function that returns the service.
#[derive(Clone, Copy, Debug)]
pub struct Unimplemented(pub fn() -> &'static schema::Service);

impl Handlers for Unimplemented {
    fn descriptor(&self) -> &'static schema::Service {
        (self.0)()
    }

    fn call(&self, method: usize, _: Context, _: Bytes) -> Reply {
        unimplemented(self.descriptor(), method)
    }

    fn is_implemented(&self) -> bool {
        false
    }
}

/// The answer of a method that nobody has written.
pub fn unimplemented(service: &schema::Service, method: usize) -> Reply {
    service::unimplemented(service, method)
}

/// What a handler of a method with streamed answers returns.
pub type StreamResult<Response> = Result<Responses<Response>>;

/// A call of a method that the user wrote, for the handlers of its service. What the caller sends
/// is one encoded message, or a stream of them.
pub struct Call<T, Sent = Bytes> {
    handlers: Arc<T>,
    context: Context,
    sent: Sent,
}

impl<T, Sent> Call<T, Sent> {
    /// A call that has arrived.
    pub fn new(handlers: &Arc<T>, context: Context, sent: Sent) -> Self {
        Call { handlers: Arc::clone(handlers), context, sent }
    }
}

impl<T: Send + Sync + 'static> Call<T> {
    /// Decodes the request, and encodes what the method answers.
    pub fn unary<Request, Response, F>(self, method: F) -> Reply
    where
        Request: Message + Default + 'static,
        Response: Message,
        F: for<'a> Handler<'a, T, Request, Answer = Response>,
    {
        let Call { handlers, context, sent } = self;
        match decode(sent) {
            Ok(request) => one(handlers, context, request, method),
            Err(error) => Reply::Ready(Err(error)),
        }
    }

    /// Decodes the request, and encodes each message that the method answers.
    pub fn server_streaming<Request, Response, F>(self, method: F) -> Reply
    where
        Request: Message + Default + 'static,
        Response: Message + 'static,
        F: for<'a> Handler<'a, T, Request, Answer = Responses<Response>>,
    {
        let Call { handlers, context, sent } = self;
        match decode(sent) {
            Ok(request) => many(handlers, context, request, method),
            Err(error) => Reply::Ready(Err(error)),
        }
    }
}

impl<T: Send + Sync + 'static> Call<T, RequestStream> {
    /// Decodes each request as the method asks for it, and encodes what it answers.
    pub fn client_streaming<Request, Response, F>(self, method: F) -> Reply
    where
        Request: Message + Default + 'static,
        Response: Message,
        F: for<'a> Handler<'a, T, Requests<Request>, Answer = Response>,
    {
        one(self.handlers, self.context, Requests::new(self.sent), method)
    }

    /// Decodes each request as the method asks for it, and encodes each message that it answers.
    pub fn bidirectional<Request, Response, F>(self, method: F) -> Reply
    where
        Request: Message + Default + 'static,
        Response: Message + 'static,
        F: for<'a> Handler<'a, T, Requests<Request>, Answer = Responses<Response>>,
    {
        many(self.handlers, self.context, Requests::new(self.sent), method)
    }
}

/// Calls a method that answers with one message.
fn one<T, Request, Response, F>(
    handlers: Arc<T>,
    context: Context,
    request: Request,
    method: F,
) -> Reply
where
    T: Send + Sync + 'static,
    Request: Send + 'static,
    Response: Message,
    F: for<'a> Handler<'a, T, Request, Answer = Response>,
{
    Reply::future(
        async move { Ok(Encoded::new(&method.handle(&handlers, context, request).await?)) },
    )
}

/// Calls a method that answers with a stream.
fn many<T, Request, Response, F>(
    handlers: Arc<T>,
    context: Context,
    request: Request,
    method: F,
) -> Reply
where
    T: Send + Sync + 'static,
    Request: Send + 'static,
    Response: Message + 'static,
    F: for<'a> Handler<'a, T, Request, Answer = Responses<Response>>,
{
    Reply::opening(async move {
        let messages = method.handle(&handlers, context, request).await?;
        let encoded = messages.map(|message| Ok(Encoded::new(&message?)));
        Ok(Box::pin(encoded) as MessageStream)
    })
}

/// A method of a trait of handlers, such as `T::archive_order`.
pub trait Handler<'a, T, Request>: Send + 'static {
    /// What it answers with.
    type Answer;

    /// Calls it.
    fn handle(
        self,
        handlers: &'a T,
        context: Context,
        request: Request,
    ) -> impl Future<Output = Result<Self::Answer>> + Send + 'a;
}

impl<'a, T, Request, Answer, F, Pending> Handler<'a, T, Request> for F
where
    T: 'a,
    F: FnOnce(&'a T, Context, Request) -> Pending + Send + 'static,
    Pending: Future<Output = Result<Answer>> + Send + 'a,
{
    type Answer = Answer;

    fn handle(
        self,
        handlers: &'a T,
        context: Context,
        request: Request,
    ) -> impl Future<Output = Result<Answer>> + Send + 'a {
        self(handlers, context, request)
    }
}
