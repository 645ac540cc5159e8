//! Services of tonic's, mounted beside ours: reflection. They do their own framing; what every
//! call has (details on errors, a line in the log, deadlines, the drain) is put around it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as Task, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::time::Sleep;
use tower_service::Service;

use super::body::Held;
use super::call::deadline_passed;
use super::drain::Drain;
use crate::error::{Code, Error, Reason};
use crate::memory::Share;
use crate::status;
use crate::telemetry::access::Call;

/// Longest message of a request, in bytes: these services are asked for names.
const MAX_MESSAGE: usize = 8 * 1024;
/// What a call takes while it is open, in bytes: what tonic receives into, and its task.
pub(super) const FOREIGN_BYTES: usize = 2 * MAX_MESSAGE;

type TonicResponse = Response<tonic::body::Body>;
type Answer = Pin<Box<dyn Future<Output = Result<TonicResponse, Infallible>> + Send>>;

/// A service that does its own framing.
pub(super) struct Foreign {
    /// Path of its one method.
    method: Arc<str>,
    service: Box<dyn Fn(Request<Requests>) -> Answer + Send + Sync>,
}

impl Foreign {
    pub(super) fn new<S>(method: impl Into<Arc<str>>, service: S) -> Self
    where
        S: Service<Request<Requests>, Response = TonicResponse, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        // A tonic server is always ready: it has no poll_ready of its own.
        let service = move |request| Box::pin(service.clone().call(request)) as Answer;
        Foreign { method: method.into(), service: Box::new(service) }
    }

    /// The method's path, for the log. Another path is the caller's own text.
    pub(super) fn label(&self, path: &str) -> Arc<str> {
        if *path == *self.method { Arc::clone(&self.method) } else { "unknown".into() }
    }

    /// Answers a call, until its deadline or the drain.
    pub(super) async fn call(
        &self,
        request: Request<Incoming>,
        drain: Arc<Drain>,
        until: Option<Instant>,
        call: Call,
        share: Share,
    ) -> Response<Answers> {
        let end = Arc::new(OnceLock::new());
        let requests = |body| Requests {
            body,
            place: Place::default(),
            drained: Box::pin(async move { drain.started().await }),
            deadline: until.map(|until| Box::pin(tokio::time::sleep_until(until.into()))),
            end: Arc::clone(&end),
        };
        let request = request.map(requests);
        let response = match (self.service)(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (mut parts, body) = response.into_parts();
        let mut answers = Answers { body, requests: end, call: Some(call), share };
        if status::has_ended(&parts.headers) {
            answers.end(&mut parts.headers);
        }
        Response::from_parts(parts, answers)
    }
}

/// How the messages of a request ended.
enum End {
    /// As the caller ended them, after a whole message.
    Whole,
    /// At the call's deadline.
    Deadline,
    /// By the drain.
    Drain,
    /// At a message that is longer than [`MAX_MESSAGE`].
    TooLarge,
}

/// The request's messages: until the caller's end, the deadline or the drain. tonic then ends
/// the answer with OK, as it does at a message that it cannot read.
pub(super) struct Requests {
    body: Incoming,
    place: Place,
    drained: Pin<Box<dyn Future<Output = ()> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Set at the end, unless it is within a message or tonic does not get there.
    end: Arc<OnceLock<End>>,
}

impl Requests {
    /// Why a call that waits for its caller must end.
    fn poll_cut(&mut self, cx: &mut Task<'_>) -> Poll<End> {
        if let Some(deadline) = &mut self.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(End::Deadline);
        }
        ready!(self.drained.as_mut().poll(cx));
        Poll::Ready(End::Drain)
    }
}

impl Body for Requests {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.end.get().is_some() {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let cut = ready!(self.poll_cut(cx));
            // Not set before: that is looked at above.
            let _ = self.end.set(cut);
            return Poll::Ready(None);
        };
        match &frame {
            Some(Ok(frame)) => {
                self.place.advance(frame.data_ref().map_or(&[], |data| data));
                if self.place.missing > MAX_MESSAGE {
                    let _ = self.end.set(End::TooLarge);
                    return Poll::Ready(None);
                }
            }
            None if self.place.is_boundary() => drop(self.end.set(End::Whole)),
            None | Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }
}

/// A place in a stream of gRPC's frames: a flag, a 32-bit length, and the message.
#[derive(Debug, Default)]
struct Place {
    prefix: [u8; 5],
    /// Bytes of the prefix that are there.
    filled: usize,
    /// Bytes of the message that are not.
    missing: usize,
}

impl Place {
    fn advance(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            if self.missing > 0 {
                let taken = self.missing.min(data.len());
                self.missing -= taken;
                data = &data[taken..];
                continue;
            }
            self.prefix[self.filled] = data[0];
            self.filled += 1;
            data = &data[1..];
            if self.filled == self.prefix.len() {
                let [_, length @ ..] = self.prefix;
                self.missing = u32::from_be_bytes(length) as usize;
                self.filled = 0;
            }
        }
    }

    fn is_boundary(&self) -> bool {
        self.filled == 0 && self.missing == 0
    }
}

/// The answer's messages and its end.
pub(super) struct Answers {
    body: tonic::body::Body,
    /// How the request ended.
    requests: Arc<OnceLock<End>>,
    /// For the log; taken at the end.
    call: Option<Call>,
    /// What the call holds.
    share: Share,
}

impl Answers {
    /// Logs the end that tonic gave the call, and turns an error into one of ours.
    fn end(&mut self, trailers: &mut HeaderMap) {
        let Some(call) = self.call.take() else { return };
        let too_large = matches!(self.requests.get(), Some(End::TooLarge)).then(too_large);
        let error = too_large.or_else(|| status::foreign_error(trailers));
        let error = error.or_else(|| match self.requests.get() {
            Some(End::Whole | End::TooLarge) => None,
            Some(End::Deadline) => Some(deadline_passed()),
            Some(End::Drain) => Some(Error::new(Reason::ShuttingDown, "the server stops")),
            None => {
                let what = "a message of the request cannot be decoded";
                Some(Error::new(Reason::InvalidRequest, what))
            }
        });
        match error {
            Some(error) => call.failed(&error).write(trailers),
            None => call.succeeded(),
        }
    }
}

impl Answers {
    /// Counts a message of the answer until the peer has taken it.
    fn hold(&mut self, frame: Frame<Bytes>) -> Result<Frame<Held>, tonic::Status> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let mut share = self.share.sibling();
        if let Err(error) = share.set(length)
            && let Some(call) = self.call.take()
        {
            let mut trailers = HeaderMap::with_capacity(3);
            call.failed(&error).write(&mut trailers);
            return Ok(Frame::trailers(trailers));
        }
        Ok(frame.map_data(|data| Held::new(data, Some(share))))
    }
}

fn too_large() -> Error {
    let what = format!("a message of the request is longer than {MAX_MESSAGE} bytes");
    Error::new(Reason::ValueTooLarge, what).with_code(Code::ResourceExhausted)
}

impl Body for Answers {
    type Data = Held;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Held>, tonic::Status>>> {
        if self.call.is_none() {
            return Poll::Ready(None);
        }
        let mut frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            self.end(trailers);
        }
        Poll::Ready(frame.map(|frame| self.hold(frame?)))
    }

    fn is_end_stream(&self) -> bool {
        self.call.is_none()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            call.abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_place_is_a_boundary_after_whole_messages_only() {
        let frames = b"\0\0\0\0\x02ab\0\0\0\0\0\0\0\0\0\x01c";
        for size in 1..=frames.len() {
            let mut place = Place::default();
            let mut read = 0;
            for chunk in frames.chunks(size) {
                place.advance(chunk);
                read += chunk.len();
                assert_eq!(place.is_boundary(), [7, 12, 18].contains(&read), "{read}");
            }
        }
    }
}
