//! What generated code uses, and nothing else should: it may change in any version.

use std::future::Future;
use std::pin::Pin;

use ::bytes::Bytes;
use ::prost::Message;
use futures_core::Stream;
use futures_util::{StreamExt, TryFutureExt};

pub use crate::client::Client;
pub use crate::entity::Entity;
pub use crate::proxy::{Migrations, Schema, main};
pub use crate::service::{Context, Encoded, Reply};
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

/// What a generated client's method answers.
pub type Answer<Response> = std::result::Result<tonic::Response<Response>, tonic::Status>;

use crate::Reason;

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
///         let service = Arc::clone(&self.0);
///         match method {
///             6 => codegen::unary(request, async move |request| {
///                 service.archive_order(context, request).await
///             }),
///             _ => codegen::unimplemented(self.descriptor(), method),
///         }
///     }
/// }
/// ```
pub trait Handlers: Send + Sync + 'static {
    /// The service as the schema has it, bound methods included.
    fn descriptor(&self) -> &'static schema::Service;

    /// Answers a method that has no binding; see [`unary`] and [`server_streaming`]. `method` is
    /// its position in the descriptor's methods.
    fn call(&self, method: usize, context: Context, request: Bytes) -> Reply;

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
    let name = service.methods.get(method).map_or("the method", |method| method.name.as_str());
    let message = format!("{}/{name} is not implemented by this server", service.name);
    Reply::Ready(Err(Error::new(Reason::MethodUnimplemented, message)))
}

/// Decodes a request, and encodes what the handler answers.
pub fn unary<Request, Response, Answer>(
    request: Bytes,
    handler: impl FnOnce(Request) -> Answer,
) -> Reply
where
    Request: Message + Default,
    Response: Message,
    Answer: Future<Output = Result<Response>> + Send + 'static,
{
    match decode(request) {
        Ok(request) => {
            let answer = handler(request);
            Reply::future(async move { Ok(Encoded::new(&answer.await?)) })
        }
        Err(error) => Reply::Ready(Err(error)),
    }
}

/// The messages that a handler answers with.
pub type MessageStream<Response> = Pin<Box<dyn Stream<Item = Result<Response>> + Send>>;

/// Decodes a request, and encodes each message that the handler answers.
pub fn server_streaming<Request, Response, Answer>(
    request: Bytes,
    handler: impl FnOnce(Request) -> Answer,
) -> Reply
where
    Request: Message + Default,
    Response: Message + 'static,
    Answer: Future<Output = Result<MessageStream<Response>>> + Send + 'static,
{
    match decode(request) {
        Ok(request) => {
            let messages = handler(request).try_flatten_stream();
            Reply::stream(messages.map(|message| Ok(Encoded::new(&message?))))
        }
        Err(error) => Reply::Ready(Err(error)),
    }
}

fn decode<Request: Message + Default>(request: Bytes) -> Result<Request> {
    Request::decode(request).map_err(|error| {
        Error::new(Reason::InvalidRequest, "the request cannot be decoded").with_source(error)
    })
}
