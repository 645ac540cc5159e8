//! One call: from the request's headers to the response's.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::GrpcBody;
use super::budget::Budget;
use super::drain::Drain;
use super::executor::limit_current;
use super::link::{Link, Stage, StreamEnd, cut};
use super::router::{Route, Router};
use super::streaming::Messages;
use super::unknown::{Tables, UnknownFields};
use super::{deadline, framing};
use crate::entity::Stores;
use crate::error::{Error, Reason, Result};
use crate::service::{Context, Encoded, MessageStream, Reply};
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
    pub(super) stores: Arc<Stores>,
    pub(super) drain: Arc<Drain>,
}

enum Answer {
    Message(Encoded),
    Stream(MessageStream),
}

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
        return Ok(elsewhere(&link, id, started, request).await);
    };
    let (parts, mut body) = request.into_parts();
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
    let call = Call::new(Arc::clone(&route.path), context.clone(), started);

    let result = match timeout {
        Err(error) => Err(error),
        Ok(_) if compressed => Err(framing::compressed()),
        Ok(Some(after)) if after.is_zero() => Err(deadline_passed()),
        Ok(_) => {
            let link = route.reads.then_some(&*link);
            in_time(until, link, answer(front, route, context.clone(), &mut body)).await
        }
    };
    limit_current(started, until);
    let end = |watches| StreamEnd::new(Arc::clone(&link), watches);
    Ok(respond(result, until, &context, call, || end(route.watches)))
}

/// Reads the request and asks the service.
async fn answer(
    front: &Front,
    route: &Route,
    context: Context,
    body: &mut Incoming,
) -> Result<Answer> {
    let limit = front.max_message_bytes;
    // The share is held until the call is answered.
    let (request, _share) = framing::read_message(body, limit, &front.budget).await?;
    if let Some(input) = route.input {
        front.tables.check(input, &request, front.unknown_fields)?;
    }
    let call = || route.service.call(route.method, context, request);
    let reply = std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(|_| panicked())?;
    match reply {
        Reply::Ready(message) => message.map(Answer::Message),
        Reply::Future(future) => match AssertUnwindSafe(future).catch_unwind().await {
            Ok(message) => message.map(Answer::Message),
            Err(_) => Err(panicked()),
        },
        Reply::Stream(stream) => Ok(Answer::Stream(stream)),
    }
}

/// Gives an answer up at its deadline, and one that only reads with its connection. The timer is
/// only made for one that is not there at once.
async fn in_time(
    until: Option<Instant>,
    link: Option<&Link>,
    answer: impl Future<Output = Result<Answer>>,
) -> Result<Answer> {
    let mut answer = pin!(answer);
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
    let Some(until) = until else {
        return whole.await;
    };
    match tokio::time::timeout_at(until.into(), whole).await {
        Ok(answer) => answer,
        Err(_) => Err(deadline_passed()),
    }
}

fn respond(
    result: Result<Answer>,
    until: Option<Instant>,
    context: &Context,
    call: Call,
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
            GrpcBody::message(message)
        }
        Ok(Answer::Stream(stream)) => {
            GrpcBody::Stream(Box::new(Messages::new(stream, until, call, end())))
        }
        Err(error) => {
            call.failed(&error).write(&mut headers);
            if error.code() == crate::Code::Unimplemented {
                headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
            }
            GrpcBody::Empty
        }
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
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
        let call = Call::new(foreign.label(path), context.clone(), started);
        let until = match deadline::requested(request.headers()) {
            Ok(after) => after.and_then(|after| started.checked_add(after)),
            Err(error) => return respond(Err(error), None, &context, call, end),
        };
        let response = foreign.call(request, Arc::clone(link), until, call).await;
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
    let call = Call::new("unknown".into(), context.clone(), started);
    respond(Err(error), None, &context, call, end)
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

pub(crate) fn panicked() -> Error {
    Error::internal("the method's code panicked")
}
