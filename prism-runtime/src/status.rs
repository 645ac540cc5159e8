//! Turns an [`Error`] into a gRPC status with google.rpc details. The one place that does.
//!
//! Every status carries a `google.rpc.ErrorInfo`; broken rules become a `google.rpc.BadRequest`,
//! cut at [`MAX_VIOLATIONS`] and [`MAX_VIOLATION_BYTES`], and calls worth repeating get a
//! `google.rpc.RetryInfo`.
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_types::Any;
use tonic_types::pb;

use crate::error::{Code, Error, Reason};

/// Domain of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "prism";
/// Violations that a status names at most. How many more there are is in the error info's
/// metadata, as `violations_omitted`.
pub const MAX_VIOLATIONS: usize = 50;
/// Bytes that the violations of a status take at most.
pub const MAX_VIOLATION_BYTES: usize = 4096;

/// Longest message that a status carries, in bytes before percent-encoding: peers refuse large
/// header lists.
const MAX_MESSAGE_BYTES: usize = 1024;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// What a caller sees of an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The gRPC code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The encoded `google.rpc.Status`.
    pub details: Vec<u8>,
    /// Of a fault of the server: the id that the log has too.
    pub error_id: Option<String>,
}

impl Status {
    /// The status of an error. A fault of the server gets an id, which the caller sees in place
    /// of what went wrong.
    pub fn of(error: &Error) -> Self {
        let own = error.metadata().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut metadata: HashMap<String, String> = own.collect();
        let mut message = clipped(error.message());
        let error_id = is_fault(error).then(crate::telemetry::new_id);
        if let Some(id) = &error_id {
            message = format!("{message} (error id {id})");
            metadata.insert("error_id".to_owned(), id.clone());
        }
        let (violations, omitted) = field_violations(error);
        if omitted > 0 {
            metadata.insert("violations_omitted".to_owned(), omitted.to_string());
        }
        let mut details = vec![any(
            "google.rpc.ErrorInfo",
            &pb::ErrorInfo {
                reason: reason_name(error.reason()).to_owned(),
                domain: DOMAIN.to_owned(),
                metadata,
            },
        )];
        if !violations.is_empty() {
            let request = pb::BadRequest { field_violations: violations };
            details.push(any("google.rpc.BadRequest", &request));
        }
        if let Some(after) = error.retry_after() {
            let retry_delay = prost_types::Duration::try_from(after).ok();
            details.push(any("google.rpc.RetryInfo", &pb::RetryInfo { retry_delay }));
        }
        let status = pb::Status { code: error.code() as i32, message: message.clone(), details };
        Status { code: error.code(), message, details: status.encode_to_vec(), error_id }
    }

    /// Adds the status to a response's trailers.
    pub fn write(&self, trailers: &mut HeaderMap) {
        trailers.insert(GRPC_STATUS, HeaderValue::from(self.code as u16));
        if let Ok(message) = HeaderValue::try_from(percent_encode(&self.message)) {
            trailers.insert(GRPC_MESSAGE, message);
        }
        if let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(&self.details)) {
            trailers.insert(GRPC_DETAILS, details);
        }
    }
}

/// Trailers of a call that succeeded.
pub(crate) fn ok_trailers() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    trailers
}

/// Whether a status is among the headers of a response: the call has no messages.
pub(crate) fn has_ended(headers: &HeaderMap) -> bool {
    headers.contains_key(GRPC_STATUS)
}

/// The error in the trailers of a service that is not ours, with the code that the contract has
/// for what went wrong: tonic calls a frame that it cannot read INTERNAL.
pub(crate) fn foreign_error(trailers: &HeaderMap) -> Option<Error> {
    let code = trailers.get(GRPC_STATUS).and_then(|code| code.to_str().ok()?.parse::<u16>().ok());
    Some(match code? {
        0 => return None,
        3 | 13 => Error::new(Reason::InvalidRequest, "the request cannot be decoded"),
        5 => Error::new(Reason::RecordNotFound, "there is no such thing"),
        8 | 11 => Error::new(Reason::ValueTooLarge, "the message is too large")
            .with_code(Code::ResourceExhausted),
        12 => Error::new(Reason::MethodUnimplemented, "the call is not implemented"),
        14 => Error::new(Reason::ShuttingDown, "the call was given up"),
        _ => Error::new(Reason::Internal, "the call failed"),
    })
}

/// The name of a reason as `google.rpc.ErrorInfo` has it: without the enum's prefix.
pub fn reason_name(reason: Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

/// Whether the server is at fault, so that the log has more than the caller may see.
fn is_fault(error: &Error) -> bool {
    matches!(error.code(), Code::Internal | Code::DataLoss)
}

/// The violations that fit, and how many do not. An invalid request that no field is to blame for
/// has one of the request itself, whose path is empty.
fn field_violations(error: &Error) -> (Vec<pb::bad_request::FieldViolation>, usize) {
    let mut kept = Vec::new();
    if error.code() == Code::InvalidArgument && error.violations().is_empty() {
        kept.push(pb::bad_request::FieldViolation {
            description: clipped(error.message()),
            ..Default::default()
        });
        return (kept, 0);
    }
    let mut bytes = 0;
    for violation in error.violations().iter().take(MAX_VIOLATIONS) {
        bytes += violation.field.len() + violation.description.len();
        if bytes > MAX_VIOLATION_BYTES {
            break;
        }
        kept.push(pb::bad_request::FieldViolation {
            field: violation.field.clone(),
            description: violation.description.clone(),
            ..Default::default()
        });
    }
    let omitted = error.violations().len() - kept.len();
    (kept, omitted)
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

fn clipped(message: &str) -> String {
    if message.len() <= MAX_MESSAGE_BYTES {
        return message.to_owned();
    }
    let end = (0..=MAX_MESSAGE_BYTES).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &message[..end])
}

/// Encodes a `grpc-message`: every byte but printable ASCII, and `%` itself, as `%XX`.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
fn percent_encode(message: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Violation;

    fn decoded(error: &Error) -> pb::Status {
        pb::Status::decode(Status::of(error).details.as_slice()).unwrap()
    }

    fn info(status: &pb::Status) -> pb::ErrorInfo {
        assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.ErrorInfo");
        pb::ErrorInfo::decode(status.details[0].value.as_slice()).unwrap()
    }

    #[test]
    fn every_status_has_an_error_info() {
        let status = decoded(&Error::new(Reason::RecordNotFound, "no such record"));
        assert_eq!(status.code, 5);
        assert_eq!(info(&status).reason, "RECORD_NOT_FOUND");
        assert_eq!(info(&status).domain, "prism");
    }

    #[test]
    fn violations_are_cut_and_the_rest_is_counted() {
        let many = (0..60).map(|i| Violation::new(format!("f{i}"), "bad")).collect();
        let status = decoded(&Error::invalid(many));
        let request = pb::BadRequest::decode(status.details[1].value.as_slice()).unwrap();
        assert_eq!(request.field_violations.len(), 50);
        assert_eq!(info(&status).metadata["violations_omitted"], "10");

        let long = (0..10).map(|i| Violation::new(format!("f{i}"), "x".repeat(1000))).collect();
        let status = decoded(&Error::invalid(long));
        let request = pb::BadRequest::decode(status.details[1].value.as_slice()).unwrap();
        assert_eq!(request.field_violations.len(), 4);
        assert_eq!(info(&status).metadata["violations_omitted"], "6");
    }

    #[test]
    fn every_invalid_request_has_a_violation() {
        let status = decoded(&Error::new(Reason::InvalidRequest, "the request cannot be decoded"));
        let request = pb::BadRequest::decode(status.details[1].value.as_slice()).unwrap();
        let violation = &request.field_violations[0];
        assert_eq!((violation.field.as_str(), request.field_violations.len()), ("", 1));
        assert_eq!(violation.description, "the request cannot be decoded");
        let large =
            Error::new(Reason::ValueTooLarge, "too large").with_code(Code::ResourceExhausted);
        assert_eq!(decoded(&large).details.len(), 1);
    }

    #[test]
    fn metadata_is_part_of_the_error_info() {
        let error = Error::new(Reason::CorruptRecord, "unreadable").with_metadata("key", "\"a\"");
        assert_eq!(info(&decoded(&error)).metadata["key"], "\"a\"");
    }

    #[test]
    fn a_fault_shows_an_id_and_hides_its_cause() {
        let status = Status::of(&Error::internal("disk on fire at /var/lib"));
        let id = status.error_id.unwrap();
        assert!(status.message.contains(&id));
        assert!(!status.message.contains("fire"));
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encode("50% ä\n"), "50%25 %C3%A4%0A");
    }
}
