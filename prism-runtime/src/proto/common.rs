// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// Why one part of a batch failed.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct BatchError {
    #[prost(enumeration = "ErrorReason", tag = "1")]
    pub reason: i32,
    /// For people. Holds no value of a protected field.
    #[prost(string, tag = "2")]
    pub message: ::prost::alloc::string::String,
    /// Present where sending that part again can help.
    #[prost(message, optional, tag = "3")]
    pub retry_delay: ::core::option::Option<::prost_types::Duration>,
    /// Path of the field at fault within that part, as in google.rpc.BadRequest.
    #[prost(string, tag = "4")]
    pub field: ::prost::alloc::string::String,
}
/// Why a call failed. A failed call ends with a gRPC status whose details hold a
/// google.rpc.ErrorInfo: its domain is "prism", its reason one of these names
/// without the prefix. Invalid requests also carry a google.rpc.BadRequest with
/// one violation for each broken rule, and calls worth repeating a
/// google.rpc.RetryInfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum ErrorReason {
    Unspecified = 0,
    /// INVALID_ARGUMENT
    InvalidRequest = 1,
    UnknownField = 2,
    PageTokenInvalid = 3,
    /// A value, or with RESOURCE_EXHAUSTED a whole message or answer.
    ValueTooLarge = 15,
    /// An item_priority_token too far ahead, or older than deletes are remembered.
    PriorityTokenOutOfRange = 21,
    /// The request_id was used for another request.
    RequestIdReused = 22,
    /// NOT_FOUND
    NamespaceNotFound = 4,
    RecordNotFound = 5,
    /// ALREADY_EXISTS
    RecordExists = 6,
    UniqueViolation = 7,
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
    /// The backend's disk or quota.
    StorageFull = 23,
    /// DEADLINE_EXCEEDED: a write may have been made.
    DeadlineExceeded = 16,
    /// UNAVAILABLE: nothing was written.
    BackendUnavailable = 17,
    ShuttingDown = 18,
    /// UNKNOWN: the backend was lost while it committed.
    OutcomeUnknown = 24,
    /// UNIMPLEMENTED
    MethodUnimplemented = 25,
    /// INTERNAL
    Internal = 19,
    /// DATA_LOSS
    CorruptRecord = 20,
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
            Self::NamespaceNotFound => "ERROR_REASON_NAMESPACE_NOT_FOUND",
            Self::RecordNotFound => "ERROR_REASON_RECORD_NOT_FOUND",
            Self::RecordExists => "ERROR_REASON_RECORD_EXISTS",
            Self::UniqueViolation => "ERROR_REASON_UNIQUE_VIOLATION",
            Self::EtagMismatch => "ERROR_REASON_ETAG_MISMATCH",
            Self::Conflict => "ERROR_REASON_CONFLICT",
            Self::CredentialsMissing => "ERROR_REASON_CREDENTIALS_MISSING",
            Self::CredentialsInvalid => "ERROR_REASON_CREDENTIALS_INVALID",
            Self::PermissionMissing => "ERROR_REASON_PERMISSION_MISSING",
            Self::RateLimited => "ERROR_REASON_RATE_LIMITED",
            Self::Overloaded => "ERROR_REASON_OVERLOADED",
            Self::StorageFull => "ERROR_REASON_STORAGE_FULL",
            Self::DeadlineExceeded => "ERROR_REASON_DEADLINE_EXCEEDED",
            Self::BackendUnavailable => "ERROR_REASON_BACKEND_UNAVAILABLE",
            Self::ShuttingDown => "ERROR_REASON_SHUTTING_DOWN",
            Self::OutcomeUnknown => "ERROR_REASON_OUTCOME_UNKNOWN",
            Self::MethodUnimplemented => "ERROR_REASON_METHOD_UNIMPLEMENTED",
            Self::Internal => "ERROR_REASON_INTERNAL",
            Self::CorruptRecord => "ERROR_REASON_CORRUPT_RECORD",
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
            "ERROR_REASON_NAMESPACE_NOT_FOUND" => Some(Self::NamespaceNotFound),
            "ERROR_REASON_RECORD_NOT_FOUND" => Some(Self::RecordNotFound),
            "ERROR_REASON_RECORD_EXISTS" => Some(Self::RecordExists),
            "ERROR_REASON_UNIQUE_VIOLATION" => Some(Self::UniqueViolation),
            "ERROR_REASON_ETAG_MISMATCH" => Some(Self::EtagMismatch),
            "ERROR_REASON_CONFLICT" => Some(Self::Conflict),
            "ERROR_REASON_CREDENTIALS_MISSING" => Some(Self::CredentialsMissing),
            "ERROR_REASON_CREDENTIALS_INVALID" => Some(Self::CredentialsInvalid),
            "ERROR_REASON_PERMISSION_MISSING" => Some(Self::PermissionMissing),
            "ERROR_REASON_RATE_LIMITED" => Some(Self::RateLimited),
            "ERROR_REASON_OVERLOADED" => Some(Self::Overloaded),
            "ERROR_REASON_STORAGE_FULL" => Some(Self::StorageFull),
            "ERROR_REASON_DEADLINE_EXCEEDED" => Some(Self::DeadlineExceeded),
            "ERROR_REASON_BACKEND_UNAVAILABLE" => Some(Self::BackendUnavailable),
            "ERROR_REASON_SHUTTING_DOWN" => Some(Self::ShuttingDown),
            "ERROR_REASON_OUTCOME_UNKNOWN" => Some(Self::OutcomeUnknown),
            "ERROR_REASON_METHOD_UNIMPLEMENTED" => Some(Self::MethodUnimplemented),
            "ERROR_REASON_INTERNAL" => Some(Self::Internal),
            "ERROR_REASON_CORRUPT_RECORD" => Some(Self::CorruptRecord),
            _ => None,
        }
    }
}
/// A half-open range of time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct TimeRange {
    /// Inclusive.
    #[prost(int64, tag = "1")]
    pub start_millis: i64,
    /// Exclusive.
    #[prost(int64, tag = "2")]
    pub end_millis: i64,
}
/// How a stored value was compressed, by the client that wrote it.
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
/// What is known of a stored item beside its value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ItemMetadata {
    /// Of the value's bytes, which Prism stores as they come.
    #[prost(enumeration = "CompressionType", tag = "1")]
    pub compression: i32,
    /// Seconds until the item is gone, from the time of its priority token, or of
    /// the write where it has none. 0: kept. An expired item counts as deleted with
    /// its token.
    #[prost(int64, tag = "2")]
    pub ttl_seconds: i64,
    /// Set by the server; ignored on writes.
    #[prost(int64, tag = "3")]
    pub created_at_millis: i64,
    /// Set by the server; ignored on writes.
    #[prost(int64, tag = "4")]
    pub updated_at_millis: i64,
}
