//! Options that are not Prism's: the standard ones that are honoured, and foreign annotations.

use prost_reflect::{DynamicMessage, Value};

use crate::Span;

/// The standard `idempotency_level`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Implies idempotent.
    NoSideEffects,
    /// Safe to send again, and it may have side effects.
    Idempotent,
}

/// An annotation of somebody else that Prism knows and does not honour yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Full name of the extension: `buf.validate.field`.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// A standard boolean option, by name.
pub(crate) fn flag(options: &DynamicMessage, name: &str) -> bool {
    options.get_field_by_name(name).is_some_and(|value| *value == Value::Bool(true))
}

pub(crate) fn idempotency(options: &DynamicMessage) -> Idempotency {
    let level = options.get_field_by_name("idempotency_level");
    match level.and_then(|value| value.as_enum_number()) {
        Some(1) => Idempotency::NoSideEffects,
        Some(2) => Idempotency::Idempotent,
        _ => Idempotency::Unknown,
    }
}

/// Whether an extension belongs to the annotations that will be read one day.
pub(crate) fn is_foreign(extension: &str) -> bool {
    extension.starts_with("buf.validate.")
        || matches!(extension, "google.api.field_behavior" | "google.api.http")
}
