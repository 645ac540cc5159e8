//! Turns an [`Error`] into a gRPC status with google.rpc details. The one place that does.
//!
//! Every status carries a `google.rpc.ErrorInfo`; broken rules become a `google.rpc.BadRequest`,
//! cut at [`MAX_VIOLATIONS`] and [`MAX_VIOLATION_BYTES`], and calls worth repeating get a
//! `google.rpc.RetryInfo`. A status that a handler relays has the details that it came with.
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_types::Any;
use tonic_types::pb;

use crate::error::{self, Code, Error, Origin, Reason};
use crate::path;

/// Domain of the `google.rpc.ErrorInfo` of every error that is Prism's own.
pub const DOMAIN: &str = "prism";
/// Violations that a status names at most. How many more there are is in the error info's
/// metadata, as `violations_omitted`.
pub use crate::violations::MAX_VIOLATIONS;
/// Bytes that the violations of a status take at most.
pub const MAX_VIOLATION_BYTES: usize = 4096;

/// Bytes of a violation's path at most.
const MAX_PATH_BYTES: usize = 1024;
/// Bytes of a violation's description at most.
const MAX_DESCRIPTION_BYTES: usize = 1024;

/// Longest text that a status carries, in bytes of the percent-encoding of `grpc-message`. Clients
/// accept trailers of 8 KiB.
pub const MAX_MESSAGE_BYTES: usize = 384;
/// Bytes that the encoded details of a status take at most together.
pub const MAX_DETAIL_BYTES: usize = 5 * 1024;
/// What is left for the details of 8 KiB, before base64, where the status has the longest text.
const ROOM_FOR_DETAILS: usize = 5300;

const ERROR_INFO: &str = "google.rpc.ErrorInfo";
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
    /// The encoded `google.rpc.Status`; empty where the status is sent without one.
    pub details: Vec<u8>,
    /// Of a fault of the server: the id that the log has too.
    pub error_id: Option<String>,
}

impl Status {
    /// The status of an error. A fault of the server gets an id, which the caller sees in place
    /// of what went wrong; in an error of the service's own, only the details have it.
    ///
    /// `package` is that of the service, and `trailers` the bytes that the handler's own trailers
    /// take.
    pub fn of(error: &Error, package: &str, trailers: usize) -> Self {
        let error_id = is_fault(error).then(crate::telemetry::new_id);
        let message = match (&error_id, error.origin()) {
            (Some(id), Origin::Prism(_)) => fitted(error.message(), &format!(" (error id {id})")),
            _ => {
                let others = error.violations().len().saturating_sub(1) + error.omitted();
                let more = error::and_more(others, error.omitted());
                fitted(error.message().strip_suffix(&*more).unwrap_or(error.message()), &more)
            }
        };
        let room = MAX_DETAIL_BYTES.min(ROOM_FOR_DETAILS.saturating_sub(trailers * 3 / 4));
        let mut details = match error.origin() {
            Origin::Prism(_) => own_details(error, DOMAIN, error_id.as_ref()),
            Origin::Service(_) => own_details(error, package, error_id.as_ref()),
            Origin::Elsewhere => Vec::new(),
        };
        add_fitting(&mut details, error, room);
        let status = pb::Status { code: error.code() as i32, message: message.clone(), details };
        Status { code: error.code(), message, details: status.encode_to_vec(), error_id }
    }

    /// Adds the status to a response's trailers.
    pub fn write(&self, trailers: &mut HeaderMap) {
        trailers.insert(GRPC_STATUS, HeaderValue::from(self.code as u16));
        if let Ok(message) = HeaderValue::try_from(percent_encode(&self.message)) {
            trailers.insert(GRPC_MESSAGE, message);
        }
        if self.details.is_empty() {
            return;
        }
        if let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(&self.details)) {
            trailers.insert(GRPC_DETAILS, details);
        }
    }
}

/// ErrorInfo, and what else belongs to the error.
fn own_details(error: &Error, domain: &str, error_id: Option<&String>) -> Vec<Any> {
    let own = error.metadata().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut metadata: HashMap<String, String> = own.collect();
    if let Some(id) = error_id {
        metadata.insert("error_id".to_owned(), id.clone());
    }
    let (violations, omitted) = field_violations(error);
    if omitted > 0 {
        metadata.insert("violations_omitted".to_owned(), error::counted(omitted, omitted));
    }
    let (reason, domain) = (error.reason_name().to_owned(), domain.to_owned());
    let mut details = vec![any(ERROR_INFO, &pb::ErrorInfo { reason, domain, metadata })];
    if !violations.is_empty() {
        let request = pb::BadRequest { field_violations: violations };
        details.push(any("google.rpc.BadRequest", &request));
    }
    if let Some(after) = error.retry_after() {
        let retry_delay = prost_types::Duration::try_from(after).ok();
        details.push(any("google.rpc.RetryInfo", &pb::RetryInfo { retry_delay }));
    }
    details
}

/// Adds what the handler adds to the details, as far as there is room. ErrorInfo is there once.
fn add_fitting(details: &mut Vec<Any>, error: &Error, room: usize) {
    // A tag and a length stand before each.
    let size = |detail: &Any| detail.encoded_len() + 4;
    let mut taken: usize = details.iter().map(size).sum();
    let has_info = !details.is_empty();
    for detail in error.details() {
        let another_info = has_info && detail.type_url.ends_with(&format!("/{ERROR_INFO}"));
        if !another_info && taken + size(detail) <= room {
            taken += size(detail);
            details.push(detail.clone());
        }
    }
}

/// Trailers of a call that succeeded, with what its handler added to them.
pub(crate) fn ok_trailers(own: Option<HeaderMap>) -> HeaderMap {
    let mut trailers = own.unwrap_or_else(|| HeaderMap::with_capacity(1));
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
        5 => Error::new(Reason::RecordNotFound, "what the call asks for does not exist"),
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

/// Whether the server is at fault, so that the log has more than the caller may see. Bytes that are
/// no frames of gRPC are INTERNAL, and the fault of the caller.
fn is_fault(error: &Error) -> bool {
    let of_caller = error.reason() == Reason::InvalidRequest;
    !of_caller && matches!(error.code(), Code::Internal | Code::DataLoss)
}

/// The violations that fit, and how many do not. An invalid request that no field is to blame for
/// has one of the request itself, whose path is empty.
fn field_violations(error: &Error) -> (Vec<pb::bad_request::FieldViolation>, usize) {
    let mut kept = Vec::new();
    if error.code() == Code::InvalidArgument && error.violations().is_empty() {
        kept.push(pb::bad_request::FieldViolation {
            description: fitted(error.message(), ""),
            ..Default::default()
        });
        return (kept, 0);
    }
    let mut bytes = 0;
    for violation in error.violations().iter().take(MAX_VIOLATIONS) {
        let field = path::shortened(&violation.field, MAX_PATH_BYTES);
        let description = path::shortened(&violation.description, MAX_DESCRIPTION_BYTES);
        bytes += field.len() + description.len();
        if bytes > MAX_VIOLATION_BYTES {
            break;
        }
        kept.push(pb::bad_request::FieldViolation {
            field: field.into_owned(),
            description: description.into_owned(),
            ..Default::default()
        });
    }
    let omitted = error.violations().len() - kept.len() + error.omitted();
    (kept, omitted)
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// A text and its suffix, where the text is cut so that both fit into [`MAX_MESSAGE_BYTES`].
fn fitted(text: &str, suffix: &str) -> String {
    const CUT: &str = "…";
    let room = MAX_MESSAGE_BYTES.saturating_sub(encoded_len(suffix));
    if encoded_len(text) <= room {
        return format!("{text}{suffix}");
    }
    let room = room.saturating_sub(encoded_len(CUT));
    let mut taken = 0;
    let kept = text.chars().take_while(|char| {
        taken += encoded_len(char.encode_utf8(&mut [0; 4]));
        taken <= room
    });
    let mut message: String = kept.collect();
    message.push_str(CUT);
    message.push_str(suffix);
    message
}

/// Bytes of a text in percent-encoding.
fn encoded_len(text: &str) -> usize {
    text.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum()
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'%'
}

/// Encodes a `grpc-message`: every byte but printable ASCII, and `%` itself, as `%XX`.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses>
fn percent_encode(message: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if is_plain(byte) {
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
        pb::Status::decode(Status::of(error, "acme.v1", 0).details.as_slice()).unwrap()
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

        let wide = vec![Violation::new("f".repeat(2000), "x".repeat(2000))];
        let status = decoded(&Error::invalid(wide));
        let request = pb::BadRequest::decode(status.details[1].value.as_slice()).unwrap();
        let violation = &request.field_violations[0];
        assert_eq!((violation.field.len(), violation.description.len()), (1024, 1024));
        assert!(violation.field.ends_with("f…") && violation.description.ends_with("x…"));
    }

    #[test]
    fn violations_that_are_only_counted_are_omitted_too() {
        for (found, omitted, more) in
            [(50, None, "49"), (51, Some("1"), "50"), (10_050, Some("10000"), "10049")]
        {
            let status = decoded(&gathered(found));
            let metadata = info(&status).metadata;
            assert_eq!(metadata.get("violations_omitted").map(String::as_str), omitted);
            assert_eq!(status.message, format!("f: bad (and {more} more)"));
        }
        let status = decoded(&gathered(20_000));
        assert_eq!(info(&status).metadata["violations_omitted"], "10000+");
        assert_eq!(status.message, "f: bad (and 10000+ more)");
    }

    /// The error of so many violations of one field, as far as the checks go.
    fn gathered(found: usize) -> Error {
        let mut violations = crate::violations::Violations::default();
        for n in 0..found {
            if !violations.is_full() {
                let place = crate::violations::Place::field(1).element(n);
                violations.push(place, Violation::new("f", "bad"));
            }
        }
        violations.finish().unwrap_err()
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
        let status = Status::of(&Error::internal("disk on fire at /var/lib"), "acme.v1", 0);
        let id = status.error_id.unwrap();
        assert!(status.message.contains(&id));
        assert!(!status.message.contains("fire"));
    }

    #[test]
    fn an_own_error_has_the_package_as_its_domain_and_its_text_as_it_is() {
        let detail = any("acme.v1.Hint", &"look there".to_owned());
        let error = Error::own("ISSUE_CLOSED", Code::Internal, "the issue is closed")
            .with_detail(detail.clone())
            .with_detail(any(ERROR_INFO, &pb::ErrorInfo::default()));
        let status = Status::of(&error, "acme.v1", 0);
        assert_eq!(status.message, "the issue is closed");
        let decoded = decoded(&error);
        let info = info(&decoded);
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("ISSUE_CLOSED", "acme.v1"));
        assert!(info.metadata.contains_key("error_id"), "a fault is found in the log");
        assert_eq!(decoded.details[1..], [detail]);
        assert_eq!(Error::own("A", Code::Ok, "").code(), Code::Unknown);
    }

    #[test]
    fn a_relayed_status_has_its_own_details_alone() {
        let details = vec![any("acme.v1.Hint", &"look there".to_owned())];
        let error = Error::relayed(Code::from(13), "elsewhere", details.clone());
        assert_eq!((decoded(&error).message.as_str(), decoded(&error).code), ("elsewhere", 13));
        assert_eq!(decoded(&error).details, details);
    }

    #[test]
    fn texts_and_details_fit_into_the_trailers_that_clients_accept() {
        let large = any("acme.v1.Large", &"x".repeat(4000));
        let small = any("acme.v1.Small", &"x".repeat(100));
        for trailers in [0, crate::service::MAX_TRAILER_BYTES] {
            let error = Error::own("TOO_MUCH", Code::Aborted, "ä%".repeat(200))
                .with_detail(large.clone())
                .with_detail(large.clone())
                .with_detail(small.clone());
            let status = Status::of(&error, "acme.v1", trailers);
            assert!(status.message.ends_with("ä…") || status.message.ends_with("%…"));
            assert!(encoded_len(&status.message) <= MAX_MESSAGE_BYTES);
            let mut headers = HeaderMap::new();
            status.write(&mut headers);
            assert!(crate::service::list_bytes(&headers) + trailers <= 8192);
            let decoded = pb::Status::decode(status.details.as_slice()).unwrap();
            let kinds: Vec<_> = decoded.details.iter().map(|any| any.value.len()).collect();
            assert_eq!(kinds[1..], [large.value.len(), small.value.len()], "{trailers}");
        }
        let fault = Error::internal("cause");
        assert!(Status::of(&fault, "", 0).message.ends_with(')'), "the id is never cut");
    }

    #[test]
    fn bytes_that_are_no_frames_are_no_fault_of_the_server() {
        let error = Error::new(Reason::InvalidRequest, "no frame").with_code(Code::Internal);
        let status = Status::of(&error, "", 0);
        assert_eq!((status.code, status.error_id), (Code::Internal, None));
    }

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encode("50% ä\n"), "50%25 %C3%A4%0A");
    }
}
