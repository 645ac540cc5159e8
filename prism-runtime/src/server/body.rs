//! Bodies of responses: messages, then trailers.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::foreign::Answers;
use super::streaming::Messages;
use crate::service::Encoded;
use crate::status;

/// The body of a response. One message is held without a box.
pub(super) enum GrpcBody {
    /// Nothing: the status is in the headers.
    Empty,
    /// One message, then the trailers of success.
    Message(Option<Bytes>),
    /// The trailers of success.
    Trailers,
    /// Any number of messages.
    Stream(Box<Messages>),
    /// The answer of a service that brings its own framing.
    Foreign(Box<Answers>),
}

impl GrpcBody {
    pub(super) fn message(message: Encoded) -> Self {
        GrpcBody::Message(Some(message.into_frame()))
    }
}

impl Body for GrpcBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
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
                        return Poll::Ready(Some(Ok(Frame::data(data))));
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
