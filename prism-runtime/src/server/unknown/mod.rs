//! The check of a request against the schema, over its wire bytes.
//!
//! Decoders drop fields that they do not know. A filter of a newer client that is dropped returns
//! or deletes too much, so a request with an unknown field is refused, at any depth. The same walk
//! finds what no decoder accepts: broken tags and lengths, text that is not UTF-8, a field with
//! another wire type than its own.

mod path;
mod sizes;
mod tables;
#[cfg(test)]
mod tests;
mod walk;

use serde::Deserialize;

pub(super) use tables::{MessageId, Tables};

use crate::error::{Error, Reason, Result, Violation};
use path::BadText;
use walk::Fault;

/// What happens to fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownFields {
    /// The request is refused: INVALID_ARGUMENT, UNKNOWN_FIELD.
    #[default]
    Refuse,
    /// They are ignored.
    Drop,
}

impl Tables {
    /// Checks a request. Answers with the bytes that its elements take once it is decoded.
    ///
    /// # Errors
    ///
    /// INVALID_REQUEST where the bytes are not a message of this type, UNKNOWN_FIELD where they
    /// hold fields that it does not have, VALUE_TOO_LARGE if it has so many elements that it would
    /// take much more memory than its own length once it is decoded.
    pub(super) fn check(
        &self,
        message: MessageId,
        bytes: &[u8],
        unknown: UnknownFields,
    ) -> Result<usize> {
        match walk::check(self, message, bytes) {
            Ok(walked) if walked.unknown && unknown == UnknownFields::Refuse => {
                Err(path::unknown_fields(self, message, bytes).into_error())
            }
            Ok(walked) => Ok(walked.weight),
            Err(Fault::TooMany) => Err(too_many(path::most_elements(self, message, bytes))),
            Err(Fault::Malformed(what)) => Err(Error::new(Reason::InvalidRequest, what)),
            Err(Fault::Utf8) => Err(not_utf8(path::first_bad_text(self, message, bytes))),
        }
    }
}

/// VALUE_TOO_LARGE that names the field of the request that has the most elements.
fn too_many(field: String) -> Error {
    let what = "has more elements than a message of this length may have";
    Error::invalid(vec![Violation::too_large(field, what)])
}

fn not_utf8(found: Option<BadText>) -> Error {
    match found {
        Some(BadText::Value(field)) => Error::invalid_field(field, "is not valid UTF-8"),
        Some(BadText::Key(field)) => {
            Error::invalid_field(field, "has a key that is not valid UTF-8")
        }
        None => Error::new(Reason::InvalidRequest, "a text is not valid UTF-8"),
    }
}
