//! What every answer is made of: metadata, errors, and what the server has seen of the request.

use std::time::{Duration, Instant};

use prism_runtime::service::Context;
use prism_runtime::{Code, Error, Result};
use prost::Message;
use prost_types::Any;

use crate::connectrpc::conformance::v1::conformance_payload::RequestInfo;
use crate::connectrpc::conformance::v1::unary_response_definition::Response;
use crate::connectrpc::conformance::v1::{
    self as suite, ConformancePayload, Header, UnaryResponseDefinition,
};

/// A message of the suite as an Any.
pub(crate) fn any(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/connectrpc.conformance.v1.{name}"),
        value: message.encode_to_vec(),
    }
}

/// The one answer to a call that has sent these requests.
pub(crate) async fn one(
    context: &Context,
    definition: Option<UnaryResponseDefinition>,
    received: Vec<Any>,
) -> Result<ConformancePayload> {
    let definition = definition.unwrap_or_default();
    add_metadata(context, &definition.response_headers, &definition.response_trailers)?;
    wait(definition.response_delay_ms).await;
    let info = request_info(context, received);
    let data = match definition.response {
        Some(Response::ResponseData(data)) => data,
        Some(Response::Error(error)) => return Err(relayed(error, Some(info))),
        None => Vec::new(),
    };
    Ok(ConformancePayload { data, request_info: Some(info) })
}

/// Adds what a request asks for to the response's metadata.
pub(crate) fn add_metadata(
    context: &Context,
    headers: &[Header],
    trailers: &[Header],
) -> Result<()> {
    for header in headers {
        header.value.iter().try_for_each(|value| context.add_header(&header.name, value))?;
    }
    for trailer in trailers {
        trailer.value.iter().try_for_each(|value| context.add_trailer(&trailer.name, value))?;
    }
    Ok(())
}

/// The status that a request asks for, with what the server has seen of it where there was no
/// answer yet.
pub(crate) fn relayed(error: suite::Error, info: Option<RequestInfo>) -> Error {
    let mut details = error.details;
    details.extend(info.map(|info| any("ConformancePayload.RequestInfo", &info)));
    Error::relayed(Code::from(error.code), error.message.unwrap_or_default(), details)
}

/// What the server has seen of a call.
pub(crate) fn request_info(context: &Context, requests: Vec<Any>) -> RequestInfo {
    let metadata = context.metadata();
    let header = |name: &http::HeaderName| Header {
        name: name.as_str().to_owned(),
        value: metadata.get_all(name).iter().filter_map(text).collect(),
    };
    RequestInfo {
        request_headers: metadata.keys().map(header).collect(),
        timeout_ms: metadata.contains_key("grpc-timeout").then(|| left(context.deadline())),
        requests,
        connect_get_info: None,
    }
}

fn text(value: &http::HeaderValue) -> Option<String> {
    value.to_str().ok().map(str::to_owned)
}

/// Milliseconds until the deadline.
fn left(deadline: Option<Instant>) -> i64 {
    let left = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
    i64::try_from(left.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) async fn wait(milliseconds: u32) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
    }
}
