//! Bodies of responses: messages, then trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::foreign::Answers;
use super::streaming::Messages;
use crate::memory::Share;
use crate::service::Encoded;
use crate::status;

/// The body of a response. One message is held without a box.
pub(super) enum GrpcBody {
    /// Nothing: the status is in the headers.
    Empty,
    /// One message, then the trailers of success.
    Message(Option<Held>),
    /// The trailers of success.
    Trailers,
    /// Any number of messages.
    Stream(Box<Messages>),
    /// The answer of a service that brings its own framing.
    Foreign(Box<Answers>),
}

impl GrpcBody {
    /// An answer of one message, and what it is counted on until the peer has taken it.
    pub(super) fn message(message: Encoded, share: Option<Share>) -> Self {
        GrpcBody::Message(Some(Held::new(message.into_frame(), share)))
    }
}

/// A part of an answer. Its share is given back when the connection has written the last byte, or
/// has given the answer up.
pub(super) struct Held {
    bytes: Bytes,
    _share: Option<Share>,
}

impl Held {
    pub(super) fn new(bytes: Bytes, share: Option<Share>) -> Self {
        Held { bytes, _share: share }
    }
}

impl Buf for Held {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

impl Body for GrpcBody {
    type Data = Held;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Held>, tonic::Status>>> {
        match &mut *self {
            GrpcBody::Empty => Poll::Ready(None),
            GrpcBody::Message(message) => {
                let message = message.take();
                *self = GrpcBody::Trailers;
                Poll::Ready(message.map(|message| Ok(Frame::data(message))))
            }
            GrpcBody::Trailers => {
                *self = GrpcBody::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(status::ok_trailers()))))
            }
            GrpcBody::Stream(messages) => {
                let trailers = match ready!(Pin::new(&mut **messages).poll_next(cx)) {
                    Some(Ok(message)) => {
                        let data = messages.gather(message.into_frame(), cx);
                        let share = messages.settle(data.len());
                        return Poll::Ready(Some(Ok(Frame::data(Held::new(data, share)))));
                    }
                    Some(Err(status)) => {
                        let mut trailers = HeaderMap::with_capacity(3);
                        status.write(&mut trailers);
                        trailers
                    }
                    None => status::ok_trailers(),
                };
                *self = GrpcBody::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            GrpcBody::Foreign(answers) => Pin::new(&mut **answers).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            GrpcBody::Empty => true,
            GrpcBody::Foreign(answers) => answers.is_end_stream(),
            _ => false,
        }
    }
}
