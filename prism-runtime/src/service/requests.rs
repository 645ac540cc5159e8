//! The requests of a call that streams them.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use prost::Message;

use crate::{Error, Reason, Result};

/// The encoded requests of a call, each checked as the request of a unary method is. An error
/// ends it.
pub type RequestStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// The requests of a call, for its handler.
///
/// They are read one at a time: nothing beyond the next request is read before the handler asks
/// for it, so a handler that is slow slows its caller down. It may answer before it has read all.
pub struct Requests<Request> {
    encoded: RequestStream,
    request: PhantomData<fn() -> Request>,
}

impl<Request: Message + Default> Requests<Request> {
    /// The requests that a transport, or a test of a handler, has encoded.
    pub fn new(encoded: RequestStream) -> Self {
        Requests { encoded, request: PhantomData }
    }

    /// Waits for the next request; `None` when the caller has sent all.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, for the handler to return: too large, an unknown field, not
    /// decodable. CANCELLED where the caller broke the call off. No request follows an error.
    pub async fn message(&mut self) -> Result<Option<Request>> {
        self.next().await.transpose()
    }
}

impl<Request: Message + Default> Stream for Requests<Request> {
    type Item = Result<Request>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let decoded = match ready!(self.encoded.as_mut().poll_next(cx)) {
            Some(encoded) => encoded.and_then(decode),
            None => return Poll::Ready(None),
        };
        if decoded.is_err() {
            self.encoded = Box::pin(stream::empty());
        }
        Poll::Ready(Some(decoded))
    }
}

/// Decodes a request.
///
/// # Errors
///
/// INVALID_REQUEST where the bytes are not such a message.
pub(crate) fn decode<Request: Message + Default>(request: Bytes) -> Result<Request> {
    Request::decode(request).map_err(|error| {
        Error::new(Reason::InvalidRequest, "the request cannot be decoded").with_source(error)
    })
}
