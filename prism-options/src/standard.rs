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

/// The extension with the behaviors of a field. <https://google.aip.dev/203>
const FIELD_BEHAVIOR: &str = "google.api.field_behavior";

/// A value of `google.api.FieldBehavior`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are google.api's own
pub enum Behavior {
    Optional,
    Required,
    OutputOnly,
    InputOnly,
    Immutable,
    UnorderedList,
    NonEmptyDefault,
    Identifier,
}

impl Behavior {
    /// The name of the value.
    pub fn name(self) -> &'static str {
        match self {
            Behavior::Optional => "OPTIONAL",
            Behavior::Required => "REQUIRED",
            Behavior::OutputOnly => "OUTPUT_ONLY",
            Behavior::InputOnly => "INPUT_ONLY",
            Behavior::Immutable => "IMMUTABLE",
            Behavior::UnorderedList => "UNORDERED_LIST",
            Behavior::NonEmptyDefault => "NON_EMPTY_DEFAULT",
            Behavior::Identifier => "IDENTIFIER",
        }
    }

    fn of(number: i32) -> Option<Self> {
        Some(match number {
            1 => Behavior::Optional,
            2 => Behavior::Required,
            3 => Behavior::OutputOnly,
            4 => Behavior::InputOnly,
            5 => Behavior::Immutable,
            6 => Behavior::UnorderedList,
            7 => Behavior::NonEmptyDefault,
            8 => Behavior::Identifier,
            _ => return None,
        })
    }
}

/// What `google.api.field_behavior` says of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviors {
    /// The values that Prism knows, in the order of the annotation.
    pub known: Vec<Behavior>,
    /// The others: their names, or their numbers if the descriptors name none.
    pub others: Vec<String>,
    /// The place of the annotation.
    pub span: Span,
}

impl Behaviors {
    /// Whether the field is annotated with a behavior.
    pub fn contains(&self, behavior: Behavior) -> bool {
        self.known.contains(&behavior)
    }
}

/// The values of `google.api.field_behavior` of a field, and the extension's number.
pub(crate) fn behaviors(options: &DynamicMessage) -> Option<(Behaviors, u32)> {
    let mut extensions = options.extensions();
    let (extension, value) = extensions.find(|(it, _)| it.full_name() == FIELD_BEHAVIOR)?;
    let kind = extension.kind();
    let mut found = Behaviors::default();
    for number in value.as_list()?.iter().filter_map(Value::as_enum_number) {
        match Behavior::of(number) {
            Some(behavior) => found.known.push(behavior),
            None => {
                let named = kind.as_enum().and_then(|it| it.get_value(number));
                let name = named.map(|value| value.name().to_owned());
                found.others.push(name.unwrap_or_else(|| number.to_string()));
            }
        }
    }
    Some((found, extension.number()))
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

/// Whether an extension belongs to the annotations that a later version honours.
pub(crate) fn is_foreign(extension: &str) -> bool {
    extension.starts_with("buf.validate.")
        || matches!(
            extension,
            "google.api.http" | "google.api.resource" | "google.longrunning.operation_info"
        )
}
