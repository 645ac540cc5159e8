//! What a handler adds to the metadata of a response.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{Error, Result};

/// Bytes that a handler's entries take at most in the headers of a response, as HTTP/2 counts
/// them: name, value and 32 for each.
pub const MAX_HEADER_BYTES: usize = 4096;
/// Bytes that a handler's entries take at most in its trailers, counted in the same way. Clients
/// accept 8 KiB, most of which are for the details of an error.
pub const MAX_TRAILER_BYTES: usize = 1024;

/// Names that are gRPC's, HTTP's or Prism's own, beside those that begin with `grpc-`.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Entries of a response's metadata.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponseMetadata {
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    /// Whether the headers are sent: nothing can be added to them.
    pub(crate) begun: bool,
}

impl ResponseMetadata {
    pub(super) fn add_header(&mut self, name: &str, value: &[u8]) -> Result<()> {
        if self.begun {
            return Err(wrong(name, "the headers of the response have been sent"));
        }
        add(&mut self.headers, name, value, MAX_HEADER_BYTES)
    }

    pub(super) fn add_trailer(&mut self, name: &str, value: &[u8]) -> Result<()> {
        add(&mut self.trailers, name, value, MAX_TRAILER_BYTES)
    }
}

/// Bytes of a list of headers as HTTP/2 counts them.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-10.5.1>
pub(crate) fn list_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

fn add(entries: &mut HeaderMap, name: &str, value: &[u8], limit: usize) -> Result<()> {
    let Ok(key) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err(wrong(name, "the name is none of HTTP/2"));
    };
    if key.as_str().starts_with("grpc-") || RESERVED.contains(&key.as_str()) {
        return Err(wrong(name, "the name is reserved"));
    }
    let encoded = match key.as_str().ends_with("-bin") {
        true => HeaderValue::try_from(STANDARD_NO_PAD.encode(value)).ok(),
        // gRPC's ASCII-Value.
        false if value.iter().all(|byte| matches!(byte, b' '..=b'~')) => {
            HeaderValue::from_bytes(value).ok()
        }
        false => None,
    };
    let Some(encoded) = encoded else {
        return Err(wrong(
            name,
            "the value is not printable ASCII; a name in -bin takes any bytes",
        ));
    };
    if list_bytes(entries) + key.as_str().len() + encoded.len() + 32 > limit {
        return Err(wrong(name, "the response has no room for it"));
    }
    entries.append(key, encoded);
    Ok(())
}

/// A fault of the handler's: the log has the name.
fn wrong(name: &str, what: &str) -> Error {
    Error::internal(format!("metadata {name:?} cannot be added to the response: {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_gathered_by_name_and_binary_ones_are_encoded() {
        let mut metadata = ResponseMetadata::default();
        metadata.add_header("x-Kind", b"one").unwrap();
        metadata.add_header("x-kind", b"two").unwrap();
        metadata.add_trailer("x-hash-bin", b"\xff\x00").unwrap();
        let kinds: Vec<_> = metadata.headers.get_all("x-kind").iter().collect();
        assert_eq!(kinds, ["one", "two"]);
        assert_eq!(metadata.trailers["x-hash-bin"], "/wA");
    }

    #[test]
    fn what_is_not_metadata_is_refused() {
        let mut metadata = ResponseMetadata::default();
        for (name, value) in [
            ("grpc-status", &b"0"[..]),
            ("Content-Type", b"text/plain"),
            ("x-request-id", b"1"),
            (":path", b"/"),
            ("", b"empty"),
            ("x y", b"blank"),
            ("x-text", b"\xff"),
            ("x-text", b"line\nbreak"),
        ] {
            metadata.add_header(name, value).unwrap_err();
            metadata.add_trailer(name, value).unwrap_err();
        }
        assert!(metadata.headers.is_empty() && metadata.trailers.is_empty());
    }

    #[test]
    fn a_response_has_room_for_so_much() {
        let mut metadata = ResponseMetadata::default();
        let value = vec![b'v'; 1024 - 32 - 1];
        metadata.add_trailer("a", &value).unwrap();
        metadata.add_trailer("b", b"").unwrap_err();
        for _ in 0..4 {
            metadata.add_header("a", &value).unwrap();
        }
        metadata.add_header("b", b"").unwrap_err();
    }

    #[test]
    fn headers_that_were_sent_are_closed() {
        let mut metadata = ResponseMetadata { begun: true, ..ResponseMetadata::default() };
        metadata.add_header("x-late", b"1").unwrap_err();
        metadata.add_trailer("x-late", b"1").unwrap();
    }
}
