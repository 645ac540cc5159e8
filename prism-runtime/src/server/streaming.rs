//! A streaming answer: its deadline, its panics and its end in the log.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use tokio::time::Sleep;

use super::call::{deadline_passed, panicked};
use super::link::StreamEnd;
use crate::error::{Error, Result};
use crate::memory::{Share, within};
use crate::service::{Encoded, MessageStream};
use crate::status::Status;
use crate::telemetry::access::Call;

/// The messages of a call. The transport asks for more when it has taken the last ones, so a
/// caller that does not read stops the stream; its deadline then ends it.
pub(super) struct Messages {
    stream: MessageStream,
    deadline: Option<Pin<Box<Sleep>>>,
    /// The end, where it was met while small messages were gathered.
    end: Option<Option<Error>>,
    /// For the log; taken at the end.
    call: Option<Call>,
    /// What the handler has added to the trailers, once the call has ended.
    trailers: Option<HeaderMap>,
    /// The connection's.
    cut: StreamEnd,
    /// What is held for the next message.
    share: Option<Share>,
    /// What the call itself holds: its headers and its request.
    _held: Option<Share>,
}

/// Messages that are ready are gathered into one frame up to this many bytes: peers count small
/// frames that are not read, and end a connection that has too many.
const GATHER: usize = 16 * 1024;

impl Messages {
    pub(super) fn new(
        stream: MessageStream,
        deadline: Option<Instant>,
        call: Call,
        cut: StreamEnd,
        share: Option<Share>,
    ) -> Self {
        let deadline = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline.into())));
        let call = Some(call);
        let mut share = share;
        let held = share.as_mut().map(Share::split);
        Messages { stream, deadline, end: None, call, trailers: None, cut, share, _held: held }
    }

    /// Adds the messages that are ready to a small one.
    pub(super) fn gather(&mut self, first: Bytes, cx: &mut Context<'_>) -> Bytes {
        if first.len() >= GATHER || self.call.is_none() {
            return first;
        }
        let mut all = BytesMut::new();
        while all.len() < GATHER && self.end.is_none() {
            match self.poll_message(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    if all.is_empty() {
                        all.extend_from_slice(&first);
                    }
                    all.extend_from_slice(&message.into_frame());
                }
                Poll::Ready(Some(Err(error))) => self.end = Some(Some(error)),
                Poll::Ready(None) => self.end = Some(None),
                Poll::Pending => break,
            }
        }
        if all.is_empty() { first } else { all.freeze() }
    }

    /// The share of messages that are handed to the transport, and take so many bytes.
    pub(super) fn settle(&mut self, bytes: usize) -> Option<Share> {
        let mut share = self.share.as_mut()?.split();
        share.settle(bytes);
        Some(share)
    }

    fn end(&mut self, result: &Result<()>) -> Option<Status> {
        let call = self.call.take()?;
        let status = match result {
            Ok(()) => {
                call.succeeded();
                None
            }
            Err(error) => Some(call.failed(error)),
        };
        self.trailers = call.take_trailers();
        status
    }

    /// What the handler has added to the trailers, after the end.
    pub(super) fn take_trailers(&mut self) -> Option<HeaderMap> {
        self.trailers.take()
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Encoded>>> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Some(Err(deadline_passed())));
        }
        if let Some(end) = self.cut.now() {
            return Poll::Ready(end.err().map(Err));
        }
        let stream = &mut self.stream;
        let next = || within(&mut self.share, || stream.as_mut().poll_next(cx));
        match std::panic::catch_unwind(AssertUnwindSafe(next)) {
            Ok(Poll::Pending) => self.cut.poll(cx).map(|end| end.err().map(Err)),
            Ok(polled) => polled,
            Err(_) => Poll::Ready(Some(Err(panicked()))),
        }
    }
}

impl Stream for Messages {
    type Item = Result<Encoded, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.call.is_none() {
            return Poll::Ready(None);
        }
        let next = match self.end.take() {
            Some(end) => end.map(Err),
            None => ready!(self.poll_message(cx)),
        };
        match next {
            Some(Ok(message)) => Poll::Ready(Some(Ok(message))),
            Some(Err(error)) => Poll::Ready(self.end(&Err(error)).map(Err)),
            None => {
                self.end(&Ok(()));
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.abandoned();
        }
    }
}
