//! The one error of the runtime, and what a caller may learn of it.
//!
//! Everything that fails on behalf of a call becomes an [`Error`]; [`crate::status`] is the one
//! place that turns it into a gRPC status. Its message, violations and metadata are shown to the
//! caller: they name fields, limits and lengths, never a stored value, SQL, a path or a host.
//! What only the operator may see goes into the source, which the log has.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

pub use crate::proto::common::ErrorReason as Reason;

/// What a call, or a part of one, failed with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    reason: Reason,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    metadata: Vec<(&'static str, String)>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A broken rule of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, as in `google.rpc.BadRequest`: `items[3].key`.
    pub field: String,
    /// What is wrong with it, without the value.
    pub description: String,
    /// Whether the rule is a limit on size.
    pub size: bool,
}

impl Violation {
    /// A value that is not acceptable.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Violation { field: field.into(), description: description.into(), size: false }
    }

    /// A value that is too large.
    pub fn too_large(field: impl Into<String>, description: impl Into<String>) -> Self {
        Violation { field: field.into(), description: description.into(), size: true }
    }
}

/// gRPC status codes.
/// <https://grpc.github.io/grpc/core/md_doc_statuscodes.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the names are gRPC's own
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

impl Error {
    /// An error whose code is the one that `prism/common/errors.proto` gives for the reason.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Error(Box::new(Inner {
            code: code_of(reason),
            reason,
            message: message.into(),
            violations: Vec::new(),
            retry_after: None,
            metadata: Vec::new(),
            source: None,
        }))
    }

    /// INVALID_ARGUMENT with a violation for each broken rule. The reason is VALUE_TOO_LARGE
    /// where every one of them is a size, INVALID_REQUEST else.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let all_sizes = !violations.is_empty() && violations.iter().all(|violation| violation.size);
        let reason = if all_sizes { Reason::ValueTooLarge } else { Reason::InvalidRequest };
        let message = match violations.as_slice() {
            [] => Cow::Borrowed("the request is invalid"),
            [only] => Cow::Owned(format!("{}: {}", only.field, only.description)),
            [first, rest @ ..] => Cow::Owned(format!(
                "{}: {} (and {} more)",
                first.field,
                first.description,
                rest.len()
            )),
        };
        let mut error = Error::new(reason, message);
        error.0.code = Code::InvalidArgument;
        error.0.violations = violations;
        error
    }

    /// INVALID_ARGUMENT for one field.
    pub fn invalid_field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Error::invalid(vec![Violation::new(field, description)])
    }

    /// A fault of the server. The caller sees an id, the log has the source.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::new(Reason::Internal, "internal error").with_source(source)
    }

    /// Adds the cause that the operator sees.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds violations, for an error that is not [`Error::invalid`].
    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.0.violations = violations;
        self
    }

    /// Adds an entry to the metadata of the `google.rpc.ErrorInfo`.
    #[must_use]
    pub fn with_metadata(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.metadata.push((name, value.into()));
        self
    }

    /// Says when sending the call again can help.
    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    /// Replaces the code that belongs to the reason: VALUE_TOO_LARGE of a whole message or
    /// answer is RESOURCE_EXHAUSTED.
    #[must_use]
    pub fn with_code(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason in the `google.rpc.ErrorInfo`.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The broken rules.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// What the metadata of the `google.rpc.ErrorInfo` has beside what every status may have.
    pub fn metadata(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.metadata.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// After which time a retry can help.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}): {}", self.0.code, self.0.reason.as_str_name(), self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The code that `prism/common/errors.proto` gives for each reason.
fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::InvalidRequest
        | Reason::UnknownField
        | Reason::PageTokenInvalid
        | Reason::ValueTooLarge
        | Reason::PriorityTokenOutOfRange
        | Reason::RequestIdReused
        | Reason::EventTimeOutOfRange => Code::InvalidArgument,
        Reason::NamespaceNotFound | Reason::RecordNotFound => Code::NotFound,
        Reason::RecordExists | Reason::UniqueViolation => Code::AlreadyExists,
        Reason::ReferenceMissing | Reason::RecordReferenced | Reason::RecordNotDeleted => {
            Code::FailedPrecondition
        }
        Reason::EtagMismatch | Reason::Conflict => Code::Aborted,
        Reason::CredentialsMissing | Reason::CredentialsInvalid => Code::Unauthenticated,
        Reason::PermissionMissing => Code::PermissionDenied,
        Reason::RateLimited | Reason::Overloaded | Reason::StorageFull | Reason::BudgetExceeded => {
            Code::ResourceExhausted
        }
        Reason::DeadlineExceeded => Code::DeadlineExceeded,
        Reason::BackendUnavailable | Reason::ShuttingDown => Code::Unavailable,
        Reason::OutcomeUnknown => Code::Unknown,
        Reason::MethodUnimplemented => Code::Unimplemented,
        Reason::CorruptRecord => Code::DataLoss,
        Reason::CursorExpired => Code::OutOfRange,
        Reason::Internal | Reason::Unspecified => Code::Internal,
    }
}
