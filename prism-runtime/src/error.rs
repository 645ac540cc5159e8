//! The one error of the runtime, and what a caller may learn of it.
//!
//! Everything that fails on behalf of a call becomes an [`Error`]; [`crate::status`] is the one
//! place that turns it into a gRPC status. Its message, violations and metadata are shown to the
//! caller: they name fields, limits and lengths, never a stored value, SQL, a path or a host.
//! What only the operator may see goes into the source, which the log has.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use prost_types::Any;

pub use crate::proto::common::ErrorReason as Reason;
pub use crate::violations::Violation;
use crate::violations::{MAX_OMITTED, common_reason};

/// What a call, or a part of one, failed with.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    origin: Origin,
    message: Cow<'static, str>,
    violations: Vec<Violation>,
    /// Violations beside these, which were counted and not kept.
    omitted: usize,
    retry_after: Option<Duration>,
    metadata: Vec<(&'static str, String)>,
    details: Vec<Any>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Who says what an error means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Prism.
    Prism(Reason),
    /// The service, with a reason of its own.
    Service(Cow<'static, str>),
    /// Another server: its status is passed on as it is.
    Elsewhere,
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

impl From<i32> for Code {
    /// The code of a number; UNKNOWN for one that is none.
    fn from(number: i32) -> Self {
        match number {
            0 => Code::Ok,
            1 => Code::Cancelled,
            3 => Code::InvalidArgument,
            4 => Code::DeadlineExceeded,
            5 => Code::NotFound,
            6 => Code::AlreadyExists,
            7 => Code::PermissionDenied,
            8 => Code::ResourceExhausted,
            9 => Code::FailedPrecondition,
            10 => Code::Aborted,
            11 => Code::OutOfRange,
            12 => Code::Unimplemented,
            13 => Code::Internal,
            14 => Code::Unavailable,
            15 => Code::DataLoss,
            16 => Code::Unauthenticated,
            _ => Code::Unknown,
        }
    }
}

impl Error {
    /// An error whose code is the one that `prism/common/errors.proto` gives for the reason.
    pub fn new(reason: Reason, message: impl Into<Cow<'static, str>>) -> Self {
        Error::from_parts(code_of(reason), Origin::Prism(reason), message.into())
    }

    /// An error that the service defines: its `google.rpc.ErrorInfo` has the package of the service
    /// as its domain, and this reason: upper-case letters, digits and `_`, at most 63. The caller
    /// sees the text as it is.
    ///
    /// A code of OK becomes UNKNOWN: an error cannot report success.
    pub fn own(
        reason: impl Into<Cow<'static, str>>,
        code: Code,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Error::from_parts(no_success(code), Origin::Service(reason.into()), message.into())
    }

    /// A status that another server answered with, for a handler that passes it on as it is. It has
    /// the details that are given, and no other.
    ///
    /// A code of OK becomes UNKNOWN: an error cannot report success.
    pub fn relayed(code: Code, message: impl Into<Cow<'static, str>>, details: Vec<Any>) -> Self {
        let mut error = Error::from_parts(no_success(code), Origin::Elsewhere, message.into());
        error.0.details = details;
        error
    }

    fn from_parts(code: Code, origin: Origin, message: Cow<'static, str>) -> Self {
        Error(Box::new(Inner {
            code,
            origin,
            message,
            violations: Vec::new(),
            omitted: 0,
            retry_after: None,
            metadata: Vec::new(),
            details: Vec::new(),
            source: None,
        }))
    }

    /// INVALID_ARGUMENT with a violation for each broken rule. The reason is the one that all of
    /// them have, such as VALUE_TOO_LARGE if every one is a size, and INVALID_REQUEST otherwise.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Error::of_violations(common_reason(&violations), violations, 0)
    }

    /// INVALID_ARGUMENT with these violations, beside which so many others were found. The text is
    /// that of the first one.
    pub(crate) fn of_violations(
        reason: Reason,
        violations: Vec<Violation>,
        omitted: usize,
    ) -> Self {
        let message = match violations.as_slice() {
            [] => Cow::Borrowed("the request is invalid"),
            [first, ..] => {
                let more = and_more(violations.len() - 1 + omitted, omitted);
                let colon = if first.field.is_empty() { "" } else { ": " };
                Cow::Owned(format!("{}{colon}{}{more}", first.field, first.description))
            }
        };
        let mut error = Error::new(reason, message).with_code(Code::InvalidArgument);
        (error.0.violations, error.0.omitted) = (violations, omitted);
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

    /// Adds a message of any type to the details of the status. Details are 5 KiB at most: what
    /// does not fit is left out.
    #[must_use]
    pub fn with_detail(mut self, detail: Any) -> Self {
        self.0.details.push(detail);
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

    /// The reason in the `google.rpc.ErrorInfo`: UNSPECIFIED where it is none of Prism's.
    pub fn reason(&self) -> Reason {
        match self.0.origin {
            Origin::Prism(reason) => reason,
            Origin::Service(_) | Origin::Elsewhere => Reason::Unspecified,
        }
    }

    /// The reason in the `google.rpc.ErrorInfo`, by its name there; empty for a relayed status.
    pub fn reason_name(&self) -> &str {
        match &self.0.origin {
            Origin::Prism(reason) => crate::status::reason_name(*reason),
            Origin::Service(reason) => reason,
            Origin::Elsewhere => "",
        }
    }

    /// Who says what the error means.
    pub(crate) fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// What was added to the details of the status.
    pub fn details(&self) -> &[Any] {
        &self.0.details
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The broken rules.
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// How many violations were found beside [`Error::violations`].
    pub fn omitted(&self) -> usize {
        self.0.omitted
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
        let reason = match &self.0.origin {
            Origin::Prism(reason) => reason.as_str_name(),
            Origin::Service(reason) => reason,
            Origin::Elsewhere => "relayed",
        };
        write!(f, "{:?} ({reason}): {}", self.0.code, self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The end of the text of an error with so many violations beside the first one. The number ends
/// with `+` if the checks ended before all were found, which `omitted` tells.
pub(crate) fn and_more(others: usize, omitted: usize) -> String {
    match others {
        0 => String::new(),
        _ => format!(" (and {} more)", counted(others, omitted)),
    }
}

/// A number of violations, in an error that leaves out so many of them.
pub(crate) fn counted(number: usize, omitted: usize) -> String {
    if omitted > MAX_OMITTED { format!("{MAX_OMITTED}+") } else { number.to_string() }
}

fn no_success(code: Code) -> Code {
    if code == Code::Ok { Code::Unknown } else { code }
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
