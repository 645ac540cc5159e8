//! How a call is answered.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;

use super::Encoded;
use crate::Result;

/// The messages of a streaming answer. An error ends it.
pub type MessageStream = Pin<Box<dyn Stream<Item = Result<Encoded>> + Send>>;

/// The messages that a handler answers a call with. An error ends it.
pub type Responses<Response> = Pin<Box<dyn Stream<Item = Result<Response>> + Send>>;

/// The answer to a call.
pub enum Reply {
    /// One message, at once: nothing is allocated for it.
    Ready(Result<Encoded>),
    /// One message, later.
    Future(Pin<Box<dyn Future<Output = Result<Encoded>> + Send>>),
    /// Any number of messages. The next one is asked for when the last one was taken by the
    /// transport, so a caller that does not read stops the stream.
    Stream(MessageStream),
    /// Any number of messages, later. The response begins when the future is done, with the
    /// headers that were added to the context by then.
    Opening(Pin<Box<dyn Future<Output = Result<MessageStream>> + Send>>),
}

impl Reply {
    /// An answer that a future computes.
    pub fn future(future: impl Future<Output = Result<Encoded>> + Send + 'static) -> Self {
        Reply::Future(Box::pin(future))
    }

    /// An answer of many messages.
    pub fn stream(stream: impl Stream<Item = Result<Encoded>> + Send + 'static) -> Self {
        Reply::Stream(Box::pin(stream))
    }

    /// An answer of many messages that a future opens.
    pub fn opening(stream: impl Future<Output = Result<MessageStream>> + Send + 'static) -> Self {
        Reply::Opening(Box::pin(stream))
    }
}
