//! One call: from the request's headers to the response's.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::GrpcBody;
use super::drain::Drain;
use super::executor::limit_current;
use super::foreign::FOREIGN_BYTES;
use super::framing::MessageReader;
use super::link::{Link, Stage, StreamEnd, cut};
use super::router::{Route, Router};
use super::streaming::Messages;
use super::unknown::{MessageId, Tables, UnknownFields};
use super::{deadline, framing, requests};
use crate::entity::Stores;
use crate::entity::layout::DEFAULT_MESSAGE_BYTES;
use crate::error::{Error, Reason, Result};
use crate::memory::{Budget, Share, within, within_future};
use crate::service::{Context, Encoded, MessageStream, Reply, RequestStream};
use crate::telemetry;
use crate::telemetry::access::Call;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// Longest request id that is taken over from a caller, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// After which time a call whose deadline has passed is worth another try, where it may be made
/// twice.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What every connection shares.
pub(super) struct Front {
    pub(super) router: Router,
    pub(super) tables: Tables,
    pub(super) unknown_fields: UnknownFields,
    pub(super) max_message_bytes: usize,
    pub(super) budget: Budget,
    /// How long the request of a call without a deadline may take to arrive.
    pub(super) default_timeout: Duration,
    pub(super) stores: Arc<Stores>,
    pub(super) drain: Arc<Drain>,
    pub(super) bare_statuses: bool,
}

impl Front {
    /// Checks a request's bytes against its message, where that is known, and returns how many
    /// bytes it takes once it is decoded.
    pub(super) fn check(&self, message: Option<MessageId>, request: &[u8]) -> Result<usize> {
        match message {
            Some(message) => self.tables.check(message, request, self.unknown_fields),
            // How it is decoded is the service's own affair.
            None => Ok(UNKNOWN_WEIGHT * request.len()),
        }
    }
}

enum Answer {
    Message(Encoded),
    Stream(MessageStream),
}

/// What a call takes beside its message, in bytes.
const CALL_BYTES: usize = 1024;
/// What each header takes beside its text.
const HEADER_BYTES: usize = 96;

/// What a message that no descriptor describes is taken to need once it is decoded, for each byte.
const UNKNOWN_WEIGHT: usize = 16;

/// Answers a request. Never fails: what goes wrong becomes a status.
pub(super) async fn handle(
    link: Arc<Link>,
    request: Request<Incoming>,
) -> Result<Response<GrpcBody>, Infallible> {
    let (front, peer) = (&*link.front, link.peer);
    if let Some(refusal) = refusal(&request) {
        return Ok(refusal);
    }
    let started = Instant::now();
    let id = request_id(request.headers());
    let Some(route) = front.router.find(request.uri().path()) else {
        return Ok(Box::pin(elsewhere(&link, id, started, request)).await);
    };
    let (parts, body) = request.into_parts();
    let timeout = deadline::requested(&parts.headers)
        .map(|requested| deadline::effective(requested, route.timeout));
    let compressed = is_compressed(&parts.headers);
    let mut context = Context::new(id)
        .with_metadata(parts.headers)
        .with_peer(peer)
        .with_stores(Arc::clone(&front.stores));
    let until =
        timeout.as_ref().ok().copied().flatten().and_then(|after| started.checked_add(after));
    if let Some(until) = until {
        context = context.with_deadline(until);
    }
    let call = Call::new(Arc::clone(&route.path), context.clone(), started)
        .with_bare_statuses(front.bare_statuses);

    let mut share = Some(link.share());
    let result = match timeout {
        Err(error) => Err(error),
        Ok(_) if compressed => Err(framing::compressed()),
        Ok(Some(after)) if after.is_zero() => Err(deadline_passed()),
        Ok(_) => {
            let reader = route.only_reads.then_some(&*link);
            let answer = pin!(answer(&link, route, &context, body, &mut share));
            in_time(until, reader, answer).await
        }
    };
    limit_current(started, until);
    let end = |watches| StreamEnd::new(Arc::clone(&link), watches);
    Ok(respond(result, until, &context, call, share, || end(route.watches)))
}

/// Reads the request and asks the service.
async fn answer(
    link: &Arc<Link>,
    route: &Route,
    context: &Context,
    mut body: Incoming,
    share: &mut Option<Share>,
) -> Result<Answer> {
    let (front, service, method) = (&link.front, &route.service, route.method);
    let reply = if route.client_streaming {
        let requests = requests(link, route, context, body, share)?;
        let call = || service.call_streaming(method, context.clone(), requests);
        std::panic::catch_unwind(AssertUnwindSafe(|| within(share, call)))
    } else {
        let request = receive(front, route, context, &mut body, share).await?;
        let call = || service.call(method, context.clone(), request);
        std::panic::catch_unwind(AssertUnwindSafe(|| within(share, call)))
    };
    let message = match reply.map_err(|_| panicked())? {
        Reply::Ready(message) => message?,
        Reply::Future(future) => waited(context, share, future).await?,
        Reply::Stream(stream) => {
            if let Some(share) = share {
                share.add(waiting_bytes(context.metadata()))?;
            }
            return Ok(Answer::Stream(stream));
        }
        Reply::Opening(future) => return waited(context, share, future).await.map(Answer::Stream),
    };
    let longest = front.max_message_bytes.max(DEFAULT_MESSAGE_BYTES);
    if message.len() > longest {
        return Err(answer_too_large(message.len(), longest));
    }
    if let Some(share) = share {
        let held = message.capacity();
        // What was written is said, whatever it takes; what was only read can be read again.
        if route.only_reads { share.set(held)? } else { share.settle(held) }
    }
    Ok(Answer::Message(message))
}

/// Reads the request, checks it and counts what it takes, also once it is decoded.
async fn receive(
    front: &Front,
    route: &Route,
    context: &Context,
    body: &mut Incoming,
    share: &mut Option<Share>,
) -> Result<Bytes> {
    let Some(share) = share else { return Err(Error::internal("a call has no share")) };
    let limit = front.max_message_bytes;
    let request = {
        let reading =
            pin!(framing::read_message(body, limit, share, || waiting_bytes(context.metadata())));
        match route.timeout {
            // In time, or the whole call is not.
            Some(_) => reading.await?,
            None => {
                let until = Instant::now().checked_add(front.default_timeout);
                in_time(until, None, reading).await?
            }
        }
    };
    let decoded = front.check(route.input, &request)?;
    share.set(CALL_BYTES + request.len() + decoded)?;
    Ok(request)
}

/// The requests of a call that streams them, each counted as long as it is the last one.
fn requests(
    link: &Arc<Link>,
    route: &Route,
    context: &Context,
    body: Incoming,
    share: &mut Option<Share>,
) -> Result<RequestStream> {
    let Some(share) = share else { return Err(Error::internal("a call has no share")) };
    let front = &link.front;
    share.set(waiting_bytes(context.metadata()))?;
    let open = link.stream_requests()?;
    // In time, or the whole call is not.
    let patience = route.timeout.is_none().then_some(front.default_timeout);
    let messages = MessageReader::new(body, front.max_message_bytes, patience);
    Ok(requests::stream(Arc::clone(front), route.input, messages, share.sibling(), open))
}

/// Waits for what a service answers; a panic in it is INTERNAL.
async fn waited<T>(
    context: &Context,
    share: &mut Option<Share>,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    if let Some(share) = share {
        share.settle(share.bytes() + waiting_bytes(context.metadata()));
    }
    let answered = within_future(share, AssertUnwindSafe(future).catch_unwind()).await;
    answered.unwrap_or_else(|_| Err(panicked()))
}

/// What a call that waits takes beside its message.
fn waiting_bytes(headers: &HeaderMap) -> usize {
    let texts = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    CALL_BYTES + texts.map(|text| HEADER_BYTES + text).sum::<usize>()
}

/// Gives an answer up at its deadline, and one that only reads with its connection. The timer is
/// only made for one that is not there at once.
async fn in_time<T>(
    until: Option<Instant>,
    link: Option<&Link>,
    mut answer: Pin<&mut impl Future<Output = Result<T>>>,
) -> Result<T> {
    if let Poll::Ready(answer) =
        std::future::poll_fn(|cx| Poll::Ready(answer.as_mut().poll(cx))).await
    {
        return answer;
    }
    let whole = async {
        let Some(link) = link else { return answer.await };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = link.reached(Stage::Cut) => Err(cut()),
        }
    };
    // Calls that need not wait are not to carry the room for it.
    Box::pin(async {
        let Some(until) = until else {
            return whole.await;
        };
        match tokio::time::timeout_at(until.into(), whole).await {
            Ok(answer) => answer,
            Err(_) => Err(deadline_passed()),
        }
    })
    .await
}

fn respond(
    result: Result<Answer>,
    until: Option<Instant>,
    context: &Context,
    call: Call,
    share: Option<Share>,
    end: impl FnOnce() -> StreamEnd,
) -> Response<GrpcBody> {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(CONTENT_TYPE, GRPC);
    if let Ok(mut id) = HeaderValue::from_str(context.request_id()) {
        // Every id is another one: kept out of the peer's header compression table.
        id.set_sensitive(true);
        headers.insert(REQUEST_ID, id);
    }
    let body = match result {
        Ok(Answer::Message(message)) => {
            call.succeeded();
            let own = context.take_response().map(|own| {
                headers.extend(own.headers);
                own.trailers
            });
            GrpcBody::message(message, share, own)
        }
        Ok(Answer::Stream(stream)) => {
            headers.extend(context.begin_response());
            GrpcBody::Stream(Box::new(Messages::new(stream, until, call, end(), share)))
        }
        Err(error) => refuse(&error, context, &call, &mut headers),
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// The status of an error: in the headers, unless the handler has added metadata, which clients
/// expect in headers and trailers of their own.
fn refuse(error: &Error, context: &Context, call: &Call, headers: &mut HeaderMap) -> GrpcBody {
    let status = call.failed(error);
    if error.code() == crate::Code::Unimplemented {
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    }
    let Some(own) = context.take_response() else {
        status.write(headers);
        return GrpcBody::Empty;
    };
    headers.extend(own.headers);
    let mut trailers = own.trailers;
    status.write(&mut trailers);
    GrpcBody::trailers(trailers)
}

/// A path that none of our services has: tonic's services, or UNIMPLEMENTED.
async fn elsewhere(
    link: &Arc<Link>,
    id: String,
    started: Instant,
    request: Request<Incoming>,
) -> Response<GrpcBody> {
    let (front, peer) = (&*link.front, link.peer);
    let end = || StreamEnd::new(Arc::clone(link), false);
    let path = request.uri().path();
    let context = Context::new(id).with_peer(peer);
    if let Some(foreign) = front.router.find_foreign(path) {
        let call = Call::new(foreign.label(path), context.clone(), started)
            .with_bare_statuses(front.bare_statuses);
        let until = match deadline::requested(request.headers()) {
            // A stream, but one that asks and is answered: it has a deadline like unary methods.
            Ok(after) => deadline::effective(after, Some(front.default_timeout))
                .and_then(|after| started.checked_add(after)),
            Err(error) => return respond(Err(error), None, &context, call, None, end),
        };
        let mut share = link.share();
        let open = FOREIGN_BYTES + waiting_bytes(request.headers());
        if let Err(error) = share.set(open) {
            return respond(Err(error), until, &context, call, None, end);
        }
        let response = foreign.call(request, Arc::clone(link), until, call, share).await;
        limit_current(started, until);
        let mut response = response.map(|answers| GrpcBody::Foreign(Box::new(answers)));
        if let Ok(id) = HeaderValue::from_str(context.request_id()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        return response;
    }
    let message = if front.router.knows_service(path) {
        "the service has no such method"
    } else {
        "this server has no such service"
    };
    let error = Error::new(Reason::MethodUnimplemented, message);
    // The path is the caller's own text: it stays out of the log.
    let call = Call::new("unknown".into(), context.clone(), started)
        .with_bare_statuses(front.bare_statuses);
    respond(Err(error), None, &context, call, None, end)
}

/// Refuses what is not gRPC at all, in HTTP's own terms.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>
fn refusal(request: &Request<Incoming>) -> Option<Response<GrpcBody>> {
    let mut response = Response::new(GrpcBody::Empty);
    if request.method() != Method::POST {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Some(response);
    }
    if !is_grpc(request.headers()) {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(response);
    }
    None
}

/// `application/grpc`, `application/grpc+proto`, or either with parameters.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else {
        return false;
    };
    let Some(rest) = kind.strip_prefix(b"application/grpc") else {
        return false;
    };
    let rest = rest.strip_prefix(b"+proto").unwrap_or(rest);
    matches!(rest.first(), None | Some(b';'))
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers.get("grpc-encoding").is_some_and(|encoding| encoding != "identity")
}

/// The caller's id where it is printable and not too long, a new one else.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= MAX_REQUEST_ID)
        .map_or_else(telemetry::new_id, str::to_owned)
}

pub(super) fn deadline_passed() -> Error {
    Error::new(Reason::DeadlineExceeded, "the deadline passed before the call was done")
        .with_retry_after(RETRY_AFTER)
}

/// An answer that clients do not take. Said in our terms, for theirs say nothing of the server.
pub(crate) fn answer_too_large(length: usize, limit: usize) -> Error {
    let message = format!("the answer would have {length} bytes; {limit} are the most");
    Error::new(Reason::ValueTooLarge, message).with_code(crate::Code::ResourceExhausted)
}

pub(crate) fn panicked() -> Error {
    Error::internal("the method's code panicked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_small() {
        fn size<F>(_: impl Fn(Arc<Link>, Request<Incoming>) -> F) -> usize {
            size_of::<F>()
        }
        // It is moved several times before it is polled.
        assert!(size(handle) <= 1800, "{} bytes", size(handle));
    }
}
