// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// Why one part of a batch failed.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchError {
    #[prost(enumeration = "ErrorReason", tag = "1")]
    pub reason: i32,
    /// Intended for people. Contains no value of a protected field.
    #[prost(string, tag = "2")]
    pub message: ::prost::alloc::string::String,
    /// Present if a retry of this part can help.
    #[prost(message, optional, tag = "3")]
    pub retry_delay: ::core::option::Option<::prost_types::Duration>,
    /// The path of the invalid field within this part, as in
    /// google.rpc.BadRequest.
    #[prost(string, tag = "4")]
    pub field: ::prost::alloc::string::String,
}
/// Why a call failed.
///
/// A failed call returns a gRPC status whose details contain a
/// google.rpc.ErrorInfo. Its domain is "prism". Its reason is one of these names
/// without the prefix. An error that the service's own code defines has the
/// package of the service as its domain and a reason of its own.
///
/// For an invalid request, the details also contain a google.rpc.BadRequest with
/// one violation per broken rule. For a call that is worth retrying, they contain
/// a google.rpc.RetryInfo.
///
/// A comment that begins with a gRPC code applies to all reasons up to the next
/// such comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ErrorReason {
    Unspecified = 0,
    /// INVALID_ARGUMENT
    InvalidRequest = 1,
    UnknownField = 2,
    PageTokenInvalid = 3,
    /// A value is too large. With RESOURCE_EXHAUSTED, a whole message or response
    /// is too large.
    ValueTooLarge = 15,
    /// The item_priority_token is too far ahead, or older than deletes are
    /// remembered.
    PriorityTokenOutOfRange = 21,
    /// The request_id has already been used for another request.
    RequestIdReused = 22,
    /// The time of an event is too far behind or ahead of the server's clock.
    EventTimeOutOfRange = 26,
    /// NOT_FOUND
    NamespaceNotFound = 4,
    RecordNotFound = 5,
    /// ALREADY_EXISTS
    RecordExists = 6,
    UniqueViolation = 7,
    /// FAILED_PRECONDITION
    ///
    /// A record that is referred to does not exist.
    ReferenceMissing = 40,
    /// Other records refer to the record, or more of them than one delete may
    /// change.
    RecordReferenced = 41,
    /// Only a deleted record can be purged.
    RecordNotDeleted = 50,
    /// ABORTED
    EtagMismatch = 8,
    Conflict = 9,
    /// UNAUTHENTICATED
    CredentialsMissing = 10,
    CredentialsInvalid = 11,
    /// PERMISSION_DENIED
    PermissionMissing = 12,
    /// RESOURCE_EXHAUSTED
    RateLimited = 13,
    Overloaded = 14,
    /// The backend's disk is full or its quota is used up.
    StorageFull = 23,
    /// The call would read more than it may. The same call fails again, so the
    /// client must ask for less.
    BudgetExceeded = 42,
    /// DEADLINE_EXCEEDED. A write may have been made.
    DeadlineExceeded = 16,
    /// UNAVAILABLE. Nothing was written.
    BackendUnavailable = 17,
    ShuttingDown = 18,
    /// UNKNOWN. The backend was lost during the commit.
    OutcomeUnknown = 24,
    /// UNIMPLEMENTED
    MethodUnimplemented = 25,
    /// INTERNAL
    Internal = 19,
    /// DATA_LOSS
    CorruptRecord = 20,
    /// OUT_OF_RANGE. Events or changes after the cursor have been dropped.
    CursorExpired = 27,
}
impl ErrorReason {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ERROR_REASON_UNSPECIFIED",
            Self::InvalidRequest => "ERROR_REASON_INVALID_REQUEST",
            Self::UnknownField => "ERROR_REASON_UNKNOWN_FIELD",
            Self::PageTokenInvalid => "ERROR_REASON_PAGE_TOKEN_INVALID",
            Self::ValueTooLarge => "ERROR_REASON_VALUE_TOO_LARGE",
            Self::PriorityTokenOutOfRange => "ERROR_REASON_PRIORITY_TOKEN_OUT_OF_RANGE",
            Self::RequestIdReused => "ERROR_REASON_REQUEST_ID_REUSED",
            Self::EventTimeOutOfRange => "ERROR_REASON_EVENT_TIME_OUT_OF_RANGE",
            Self::NamespaceNotFound => "ERROR_REASON_NAMESPACE_NOT_FOUND",
            Self::RecordNotFound => "ERROR_REASON_RECORD_NOT_FOUND",
            Self::RecordExists => "ERROR_REASON_RECORD_EXISTS",
            Self::UniqueViolation => "ERROR_REASON_UNIQUE_VIOLATION",
            Self::ReferenceMissing => "ERROR_REASON_REFERENCE_MISSING",
            Self::RecordReferenced => "ERROR_REASON_RECORD_REFERENCED",
            Self::RecordNotDeleted => "ERROR_REASON_RECORD_NOT_DELETED",
            Self::EtagMismatch => "ERROR_REASON_ETAG_MISMATCH",
            Self::Conflict => "ERROR_REASON_CONFLICT",
            Self::CredentialsMissing => "ERROR_REASON_CREDENTIALS_MISSING",
            Self::CredentialsInvalid => "ERROR_REASON_CREDENTIALS_INVALID",
            Self::PermissionMissing => "ERROR_REASON_PERMISSION_MISSING",
            Self::RateLimited => "ERROR_REASON_RATE_LIMITED",
            Self::Overloaded => "ERROR_REASON_OVERLOADED",
            Self::StorageFull => "ERROR_REASON_STORAGE_FULL",
            Self::BudgetExceeded => "ERROR_REASON_BUDGET_EXCEEDED",
            Self::DeadlineExceeded => "ERROR_REASON_DEADLINE_EXCEEDED",
            Self::BackendUnavailable => "ERROR_REASON_BACKEND_UNAVAILABLE",
            Self::ShuttingDown => "ERROR_REASON_SHUTTING_DOWN",
            Self::OutcomeUnknown => "ERROR_REASON_OUTCOME_UNKNOWN",
            Self::MethodUnimplemented => "ERROR_REASON_METHOD_UNIMPLEMENTED",
            Self::Internal => "ERROR_REASON_INTERNAL",
            Self::CorruptRecord => "ERROR_REASON_CORRUPT_RECORD",
            Self::CursorExpired => "ERROR_REASON_CURSOR_EXPIRED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ERROR_REASON_UNSPECIFIED" => Some(Self::Unspecified),
            "ERROR_REASON_INVALID_REQUEST" => Some(Self::InvalidRequest),
            "ERROR_REASON_UNKNOWN_FIELD" => Some(Self::UnknownField),
            "ERROR_REASON_PAGE_TOKEN_INVALID" => Some(Self::PageTokenInvalid),
            "ERROR_REASON_VALUE_TOO_LARGE" => Some(Self::ValueTooLarge),
            "ERROR_REASON_PRIORITY_TOKEN_OUT_OF_RANGE" => {
                Some(Self::PriorityTokenOutOfRange)
            }
            "ERROR_REASON_REQUEST_ID_REUSED" => Some(Self::RequestIdReused),
            "ERROR_REASON_EVENT_TIME_OUT_OF_RANGE" => Some(Self::EventTimeOutOfRange),
            "ERROR_REASON_NAMESPACE_NOT_FOUND" => Some(Self::NamespaceNotFound),
            "ERROR_REASON_RECORD_NOT_FOUND" => Some(Self::RecordNotFound),
            "ERROR_REASON_RECORD_EXISTS" => Some(Self::RecordExists),
            "ERROR_REASON_UNIQUE_VIOLATION" => Some(Self::UniqueViolation),
            "ERROR_REASON_REFERENCE_MISSING" => Some(Self::ReferenceMissing),
            "ERROR_REASON_RECORD_REFERENCED" => Some(Self::RecordReferenced),
            "ERROR_REASON_RECORD_NOT_DELETED" => Some(Self::RecordNotDeleted),
            "ERROR_REASON_ETAG_MISMATCH" => Some(Self::EtagMismatch),
            "ERROR_REASON_CONFLICT" => Some(Self::Conflict),
            "ERROR_REASON_CREDENTIALS_MISSING" => Some(Self::CredentialsMissing),
            "ERROR_REASON_CREDENTIALS_INVALID" => Some(Self::CredentialsInvalid),
            "ERROR_REASON_PERMISSION_MISSING" => Some(Self::PermissionMissing),
            "ERROR_REASON_RATE_LIMITED" => Some(Self::RateLimited),
            "ERROR_REASON_OVERLOADED" => Some(Self::Overloaded),
            "ERROR_REASON_STORAGE_FULL" => Some(Self::StorageFull),
            "ERROR_REASON_BUDGET_EXCEEDED" => Some(Self::BudgetExceeded),
            "ERROR_REASON_DEADLINE_EXCEEDED" => Some(Self::DeadlineExceeded),
            "ERROR_REASON_BACKEND_UNAVAILABLE" => Some(Self::BackendUnavailable),
            "ERROR_REASON_SHUTTING_DOWN" => Some(Self::ShuttingDown),
            "ERROR_REASON_OUTCOME_UNKNOWN" => Some(Self::OutcomeUnknown),
            "ERROR_REASON_METHOD_UNIMPLEMENTED" => Some(Self::MethodUnimplemented),
            "ERROR_REASON_INTERNAL" => Some(Self::Internal),
            "ERROR_REASON_CORRUPT_RECORD" => Some(Self::CorruptRecord),
            "ERROR_REASON_CURSOR_EXPIRED" => Some(Self::CursorExpired),
            _ => None,
        }
    }
}
/// A half-open time range, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TimeRange {
    /// Inclusive.
    #[prost(int64, tag = "1")]
    pub start_millis: i64,
    /// Exclusive.
    #[prost(int64, tag = "2")]
    pub end_millis: i64,
}
/// The compression that the client applied to a value before it wrote the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum CompressionType {
    Unspecified = 0,
    None = 1,
    Lz4 = 2,
    Zstd = 3,
    Gzip = 4,
}
impl CompressionType {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "COMPRESSION_TYPE_UNSPECIFIED",
            Self::None => "COMPRESSION_TYPE_NONE",
            Self::Lz4 => "COMPRESSION_TYPE_LZ4",
            Self::Zstd => "COMPRESSION_TYPE_ZSTD",
            Self::Gzip => "COMPRESSION_TYPE_GZIP",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "COMPRESSION_TYPE_UNSPECIFIED" => Some(Self::Unspecified),
            "COMPRESSION_TYPE_NONE" => Some(Self::None),
            "COMPRESSION_TYPE_LZ4" => Some(Self::Lz4),
            "COMPRESSION_TYPE_ZSTD" => Some(Self::Zstd),
            "COMPRESSION_TYPE_GZIP" => Some(Self::Gzip),
            _ => None,
        }
    }
}
/// Metadata of a stored item.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ItemMetadata {
    /// The compression of the value's bytes. Prism stores the bytes unchanged.
    #[prost(enumeration = "CompressionType", tag = "1")]
    pub compression: i32,
    /// The number of seconds after which the item expires. They count from the
    /// time of its priority token, or from the time of the write if it has no
    /// token. If 0, the item does not expire. An expired item counts as deleted
    /// with its token.
    #[prost(int64, tag = "2")]
    pub ttl_seconds: i64,
    /// Set by the server. Ignored on writes.
    #[prost(int64, tag = "3")]
    pub created_at_millis: i64,
    /// Set by the server. Ignored on writes.
    #[prost(int64, tag = "4")]
    pub updated_at_millis: i64,
}
