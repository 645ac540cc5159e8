// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// Where and how an entity is stored.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EntitySpec {
    /// The logical dataset: the unit of routing, access control and quota.
    /// 1 to 63 of \[a-z0-9-\], beginning with a letter and not ending with a dash.
    /// One entity has it in a descriptor set, and KeyValueService does not serve
    /// it. Names that begin with "prism-" are Prism's own.
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// The kind of store that production uses. Unspecified: chosen from
    /// `access_pattern` among those that can serve every bound method; the choice
    /// is recorded in schema.lock and never changes by itself. The server's
    /// configuration may bind the namespace to another backend of a kind that the
    /// generator emitted for.
    #[prost(enumeration = "Backend", tag = "2")]
    pub backend: i32,
    #[prost(enumeration = "AccessPattern", tag = "3")]
    pub access_pattern: i32,
    /// Capacity estimates: checked against policy, used to pick a backend and to
    /// size pools, caches and partitions. 0: unknown.
    #[prost(int64, tag = "4")]
    pub estimated_read_rps: i64,
    #[prost(int64, tag = "5")]
    pub estimated_write_rps: i64,
    #[prost(int64, tag = "6")]
    pub estimated_data_size_gb: i64,
    /// Unspecified: reads see every write that was acknowledged before them,
    /// except through a cache that the schema asks for.
    #[prost(enumeration = "Consistency", tag = "7")]
    pub consistency: i32,
    /// A record is removed this many days after its last write. 0: kept forever.
    #[prost(int32, tag = "8")]
    pub retention_days: i32,
    /// Read-through cache in the proxy.
    #[prost(message, optional, tag = "9")]
    pub cache: ::core::option::Option<Cache>,
    /// Physical table name; by default the namespace in snake_case.
    #[prost(string, tag = "10")]
    pub table: ::prost::alloc::string::String,
    /// Indexes beyond those that fields declare: over several columns, or over a
    /// column that is also part of the key.
    #[prost(message, repeated, tag = "11")]
    pub indexes: ::prost::alloc::vec::Vec<Index>,
    /// The team that answers for the data: in the inventory, metrics and alerts.
    #[prost(string, tag = "12")]
    pub owner: ::prost::alloc::string::String,
    /// The entity's plural in method names, where it is not formed with "s", "es"
    /// or "ies".
    #[prost(string, tag = "13")]
    pub plural: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Cache {
    /// 0: no cache.
    #[prost(int32, tag = "1")]
    pub ttl_seconds: i32,
    /// 0: the server's default.
    #[prost(int64, tag = "2")]
    pub max_entries: i64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Index {
    /// Names of top-level fields, in index order; " desc" after a name reverses
    /// that column, as in an order_by.
    #[prost(string, repeated, tag = "1")]
    pub fields: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Among the records of one tenant that are neither deleted nor expired. A
    /// record in which one of the fields is absent does not take part.
    #[prost(bool, tag = "2")]
    pub unique: bool,
    /// By default `idx_<table>_<fields>`.
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
}
/// How a field is keyed, protected and checked. Index, column, managed, access
/// and storage are read on an entity's own fields; protection and validation on
/// the fields of every message, nested ones too. A request field that stands for
/// an entity's field is protected as that one is.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FieldSpec {
    #[prost(enumeration = "IndexKind", tag = "1")]
    pub index: i32,
    /// The class of personal data in the field. A field with a class is masked
    /// in logs, traces and errors, and listed in the generated data inventory.
    #[prost(enumeration = "Pii", tag = "2")]
    pub pii: i32,
    /// Stored only as ciphertext. An index on such a field serves equality. Not
    /// for a part of the key.
    #[prost(bool, tag = "3")]
    pub encrypt_at_rest: bool,
    /// Masked in logs, traces and errors though it is not personal data. So is a
    /// field with the standard `debug_redact`.
    #[prost(bool, tag = "4")]
    pub mask_in_logs: bool,
    /// Every read and write of the field is written to the audit log.
    #[prost(bool, tag = "5")]
    pub access_audit: bool,
    #[prost(message, optional, tag = "6")]
    pub validation: ::core::option::Option<Validation>,
    /// Physical column name; by default the field's name.
    #[prost(string, tag = "7")]
    pub column: ::prost::alloc::string::String,
    /// A value that the server sets or acts upon.
    #[prost(enumeration = "Managed", tag = "8")]
    pub managed: i32,
    /// What a request field is for, where its name does not say so.
    #[prost(enumeration = "Role", tag = "9")]
    pub role: i32,
    /// The entity's field that a request field stands for, where it has another
    /// name: `user_id` of a request for `id` of a User.
    #[prost(string, tag = "10")]
    pub entity_field: ::prost::alloc::string::String,
    /// Who may write and read the value. The standard google.api.field_behavior
    /// says the same.
    #[prost(enumeration = "Access", tag = "11")]
    pub access: i32,
    /// How a message, list or map is stored.
    #[prost(enumeration = "Storage", tag = "12")]
    pub storage: i32,
}
/// Shorthand for the usual checks. The rules of buf/validate/validate.proto are
/// read too, and a field may carry both. Beside `required`, a check is made
/// where the field is present; a field without presence is present where it is
/// not its zero value. On a list or map, `format`, `pattern`, `min`, `max` and
/// `any_of` are for each item or map value.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Validation {
    /// Present and, for a field without presence, not its zero value.
    #[prost(bool, tag = "1")]
    pub required: bool,
    #[prost(enumeration = "Format", tag = "2")]
    pub format: i32,
    /// RE2 syntax; the value must contain a match.
    #[prost(string, tag = "3")]
    pub pattern: ::prost::alloc::string::String,
    /// Code points of a string, bytes of a bytes field, items of a list or map.
    #[prost(uint64, optional, tag = "4")]
    pub min_len: ::core::option::Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub max_len: ::core::option::Option<u64>,
    /// Bounds of a number, both inclusive; NaN is outside of any. The bound of an
    /// integer field is whole and within 2^53 either way: for larger ones see
    /// buf/validate/validate.proto.
    #[prost(double, optional, tag = "6")]
    pub min: ::core::option::Option<f64>,
    #[prost(double, optional, tag = "7")]
    pub max: ::core::option::Option<f64>,
    /// The only values that a string may have.
    #[prost(string, repeated, tag = "8")]
    pub any_of: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Present on a service that Prism serves.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ServiceSpec {
    /// The entity that the methods store: a message name, resolved as a type name
    /// in the service's scope. Empty: no method is bound to storage, unless it
    /// names an entity itself, and the service is written by hand.
    #[prost(string, tag = "1")]
    pub entity: ::prost::alloc::string::String,
    /// Absent: required. A server on which no authentication is configured listens
    /// on loopback alone and takes its callers for one that may do everything.
    #[prost(bool, optional, tag = "2")]
    pub require_auth: ::core::option::Option<bool>,
    /// Of all methods together, for each caller and proxy; callers without an
    /// identity are told apart by address. 0: no limit.
    #[prost(int32, tag = "3")]
    pub rate_limit_rps: i32,
    /// For methods without their own. 0: the server's default.
    #[prost(int32, tag = "4")]
    pub timeout_ms: i32,
}
/// How a method behaves, and what it does to an entity.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MethodSpec {
    /// The server gives up after this long, or at the caller's own deadline if
    /// that is sooner; a write may then have been made. 0: the service's.
    #[prost(int32, tag = "1")]
    pub timeout_ms: i32,
    /// Safe to send again, also after other calls. Also true where the standard
    /// `idempotency_level` says so. Of a Create that carries no request_id it is
    /// an error.
    #[prost(bool, tag = "2")]
    pub idempotent: bool,
    /// Overrides the service's.
    #[prost(bool, optional, tag = "3")]
    pub require_auth: ::core::option::Option<bool>,
    /// All are needed, and none contains another. Empty: from the operation, READ
    /// for Get, BatchGet and List, READ and WRITE for the rest; a custom method
    /// that requires authentication names them.
    #[prost(enumeration = "Permission", repeated, tag = "4")]
    pub required_permissions: ::prost::alloc::vec::Vec<i32>,
    /// 0: responses are not cached. Cached by the whole request, tenant and
    /// permissions; only for methods without side effects.
    #[prost(int32, tag = "5")]
    pub cache_ttl_seconds: i32,
    /// Unspecified: from the method's name, which is then one of the operations
    /// below followed by the entity's name. A method that is neither named so nor
    /// marked is an error, not a stub.
    #[prost(enumeration = "Operation", tag = "6")]
    pub operation: i32,
    /// Overrides the service's.
    #[prost(string, tag = "7")]
    pub entity: ::prost::alloc::string::String,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Backend {
    Unspecified = 0,
    Memory = 1,
    Sqlite = 2,
    Postgres = 3,
    Kafka = 4,
    Nats = 5,
    Neptune = 6,
    Redis = 7,
    Cassandra = 8,
}
impl Backend {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "BACKEND_UNSPECIFIED",
            Self::Memory => "BACKEND_MEMORY",
            Self::Sqlite => "BACKEND_SQLITE",
            Self::Postgres => "BACKEND_POSTGRES",
            Self::Kafka => "BACKEND_KAFKA",
            Self::Nats => "BACKEND_NATS",
            Self::Neptune => "BACKEND_NEPTUNE",
            Self::Redis => "BACKEND_REDIS",
            Self::Cassandra => "BACKEND_CASSANDRA",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "BACKEND_UNSPECIFIED" => Some(Self::Unspecified),
            "BACKEND_MEMORY" => Some(Self::Memory),
            "BACKEND_SQLITE" => Some(Self::Sqlite),
            "BACKEND_POSTGRES" => Some(Self::Postgres),
            "BACKEND_KAFKA" => Some(Self::Kafka),
            "BACKEND_NATS" => Some(Self::Nats),
            "BACKEND_NEPTUNE" => Some(Self::Neptune),
            "BACKEND_REDIS" => Some(Self::Redis),
            "BACKEND_CASSANDRA" => Some(Self::Cassandra),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum AccessPattern {
    Unspecified = 0,
    ReadHeavy = 1,
    WriteHeavy = 2,
    AppendHeavy = 3,
    Balanced = 4,
}
impl AccessPattern {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ACCESS_PATTERN_UNSPECIFIED",
            Self::ReadHeavy => "ACCESS_PATTERN_READ_HEAVY",
            Self::WriteHeavy => "ACCESS_PATTERN_WRITE_HEAVY",
            Self::AppendHeavy => "ACCESS_PATTERN_APPEND_HEAVY",
            Self::Balanced => "ACCESS_PATTERN_BALANCED",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ACCESS_PATTERN_UNSPECIFIED" => Some(Self::Unspecified),
            "ACCESS_PATTERN_READ_HEAVY" => Some(Self::ReadHeavy),
            "ACCESS_PATTERN_WRITE_HEAVY" => Some(Self::WriteHeavy),
            "ACCESS_PATTERN_APPEND_HEAVY" => Some(Self::AppendHeavy),
            "ACCESS_PATTERN_BALANCED" => Some(Self::Balanced),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Consistency {
    Unspecified = 0,
    Eventual = 1,
    /// A caller sees its own writes, and what it has seen it does not unsee. The
    /// position travels in the metadata entry `prism-consistency-token`.
    Causal = 2,
    Strong = 3,
}
impl Consistency {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "CONSISTENCY_UNSPECIFIED",
            Self::Eventual => "CONSISTENCY_EVENTUAL",
            Self::Causal => "CONSISTENCY_CAUSAL",
            Self::Strong => "CONSISTENCY_STRONG",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "CONSISTENCY_UNSPECIFIED" => Some(Self::Unspecified),
            "CONSISTENCY_EVENTUAL" => Some(Self::Eventual),
            "CONSISTENCY_CAUSAL" => Some(Self::Causal),
            "CONSISTENCY_STRONG" => Some(Self::Strong),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum IndexKind {
    Unspecified = 0,
    /// The whole primary key.
    Primary = 1,
    /// One part of a composite primary key: first the partition keys, then the
    /// clustering keys, each in the order of the field numbers.
    PartitionKey = 2,
    ClusteringKey = 3,
    Secondary = 4,
    /// As Index.unique.
    Unique = 5,
}
impl IndexKind {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "INDEX_KIND_UNSPECIFIED",
            Self::Primary => "INDEX_KIND_PRIMARY",
            Self::PartitionKey => "INDEX_KIND_PARTITION_KEY",
            Self::ClusteringKey => "INDEX_KIND_CLUSTERING_KEY",
            Self::Secondary => "INDEX_KIND_SECONDARY",
            Self::Unique => "INDEX_KIND_UNIQUE",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "INDEX_KIND_UNSPECIFIED" => Some(Self::Unspecified),
            "INDEX_KIND_PRIMARY" => Some(Self::Primary),
            "INDEX_KIND_PARTITION_KEY" => Some(Self::PartitionKey),
            "INDEX_KIND_CLUSTERING_KEY" => Some(Self::ClusteringKey),
            "INDEX_KIND_SECONDARY" => Some(Self::Secondary),
            "INDEX_KIND_UNIQUE" => Some(Self::Unique),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Pii {
    Unspecified = 0,
    Email = 1,
    Name = 2,
    Phone = 3,
    Ssn = 4,
    Address = 5,
    IpAddress = 6,
    CreditCard = 7,
    DateOfBirth = 8,
    Health = 9,
    Other = 15,
}
impl Pii {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "PII_UNSPECIFIED",
            Self::Email => "PII_EMAIL",
            Self::Name => "PII_NAME",
            Self::Phone => "PII_PHONE",
            Self::Ssn => "PII_SSN",
            Self::Address => "PII_ADDRESS",
            Self::IpAddress => "PII_IP_ADDRESS",
            Self::CreditCard => "PII_CREDIT_CARD",
            Self::DateOfBirth => "PII_DATE_OF_BIRTH",
            Self::Health => "PII_HEALTH",
            Self::Other => "PII_OTHER",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "PII_UNSPECIFIED" => Some(Self::Unspecified),
            "PII_EMAIL" => Some(Self::Email),
            "PII_NAME" => Some(Self::Name),
            "PII_PHONE" => Some(Self::Phone),
            "PII_SSN" => Some(Self::Ssn),
            "PII_ADDRESS" => Some(Self::Address),
            "PII_IP_ADDRESS" => Some(Self::IpAddress),
            "PII_CREDIT_CARD" => Some(Self::CreditCard),
            "PII_DATE_OF_BIRTH" => Some(Self::DateOfBirth),
            "PII_HEALTH" => Some(Self::Health),
            "PII_OTHER" => Some(Self::Other),
            _ => None,
        }
    }
}
/// Create, update and delete time and tenant are the server's alone: what a
/// client sends is ignored, in the entity and in an update mask. Each kind is
/// on at most one field of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Managed {
    Unspecified = 0,
    /// google.protobuf.Timestamp, set when the record is created.
    CreateTime = 1,
    /// google.protobuf.Timestamp, set at every write.
    UpdateTime = 2,
    /// google.protobuf.Timestamp, set by Delete, which then keeps the record.
    DeleteTime = 3,
    /// google.protobuf.Timestamp that the client sets; after it the record is
    /// gone. Absent: kept.
    ExpireTime = 4,
    /// string, changed by every write. A client sends back what it read: a write
    /// that carries another value is refused, one that carries none is not
    /// checked. Never stored from a request.
    Etag = 5,
    /// string, the caller's tenant. Every statement is limited to it, unique
    /// indexes hold within it, and it comes first in the key.
    Tenant = 6,
    /// string primary or clustering key: a UUIDv7 where Create leaves it empty.
    Id = 7,
}
impl Managed {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "MANAGED_UNSPECIFIED",
            Self::CreateTime => "MANAGED_CREATE_TIME",
            Self::UpdateTime => "MANAGED_UPDATE_TIME",
            Self::DeleteTime => "MANAGED_DELETE_TIME",
            Self::ExpireTime => "MANAGED_EXPIRE_TIME",
            Self::Etag => "MANAGED_ETAG",
            Self::Tenant => "MANAGED_TENANT",
            Self::Id => "MANAGED_ID",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "MANAGED_UNSPECIFIED" => Some(Self::Unspecified),
            "MANAGED_CREATE_TIME" => Some(Self::CreateTime),
            "MANAGED_UPDATE_TIME" => Some(Self::UpdateTime),
            "MANAGED_DELETE_TIME" => Some(Self::DeleteTime),
            "MANAGED_EXPIRE_TIME" => Some(Self::ExpireTime),
            "MANAGED_ETAG" => Some(Self::Etag),
            "MANAGED_TENANT" => Some(Self::Tenant),
            "MANAGED_ID" => Some(Self::Id),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Access {
    Unspecified = 0,
    /// Set by Create. A later write may carry the same value, not another.
    Immutable = 1,
    /// Set by the service's own code. What a client sends is ignored.
    OutputOnly = 2,
    /// Stored, and never in an answer.
    InputOnly = 3,
}
impl Access {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ACCESS_UNSPECIFIED",
            Self::Immutable => "ACCESS_IMMUTABLE",
            Self::OutputOnly => "ACCESS_OUTPUT_ONLY",
            Self::InputOnly => "ACCESS_INPUT_ONLY",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ACCESS_UNSPECIFIED" => Some(Self::Unspecified),
            "ACCESS_IMMUTABLE" => Some(Self::Immutable),
            "ACCESS_OUTPUT_ONLY" => Some(Self::OutputOnly),
            "ACCESS_INPUT_ONLY" => Some(Self::InputOnly),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Storage {
    /// Protobuf's binary form: every value survives, and so does a renamed field.
    Unspecified = 0,
    /// Protobuf's JSON form, for those who query the table with SQL. A renamed
    /// field or enum value inside the message is then a change of the schema.
    Json = 1,
}
impl Storage {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "STORAGE_UNSPECIFIED",
            Self::Json => "STORAGE_JSON",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "STORAGE_UNSPECIFIED" => Some(Self::Unspecified),
            "STORAGE_JSON" => Some(Self::Json),
            _ => None,
        }
    }
}
/// What a field of a request or a response is for. Unspecified: from its name
/// and type, as in the resource-oriented API conventions (AIP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Role {
    Unspecified = 0,
    Entity = 1,
    UpdateMask = 2,
    PageSize = 3,
    PageToken = 4,
    NextPageToken = 5,
    OrderBy = 6,
    Etag = 7,
    RequestId = 8,
    AllowMissing = 9,
    ShowDeleted = 10,
    /// The conditions compare with the entity's field of the same name, or with
    /// `entity_field`. One on a field with presence holds where the field is present;
    /// one on any other field always holds, also for zero and the empty string.
    Equals = 11,
    AtLeast = 12,
    LessThan = 13,
    /// A repeated field: equal to one of its values. Empty: nothing matches.
    AnyOf = 14,
    Prefix = 15,
    /// A repeated message with the key's fields, for BatchGet of a composite key.
    Keys = 16,
    /// Prism does nothing with it: for the service's own code.
    Custom = 17,
}
impl Role {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "ROLE_UNSPECIFIED",
            Self::Entity => "ROLE_ENTITY",
            Self::UpdateMask => "ROLE_UPDATE_MASK",
            Self::PageSize => "ROLE_PAGE_SIZE",
            Self::PageToken => "ROLE_PAGE_TOKEN",
            Self::NextPageToken => "ROLE_NEXT_PAGE_TOKEN",
            Self::OrderBy => "ROLE_ORDER_BY",
            Self::Etag => "ROLE_ETAG",
            Self::RequestId => "ROLE_REQUEST_ID",
            Self::AllowMissing => "ROLE_ALLOW_MISSING",
            Self::ShowDeleted => "ROLE_SHOW_DELETED",
            Self::Equals => "ROLE_EQUALS",
            Self::AtLeast => "ROLE_AT_LEAST",
            Self::LessThan => "ROLE_LESS_THAN",
            Self::AnyOf => "ROLE_ANY_OF",
            Self::Prefix => "ROLE_PREFIX",
            Self::Keys => "ROLE_KEYS",
            Self::Custom => "ROLE_CUSTOM",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "ROLE_UNSPECIFIED" => Some(Self::Unspecified),
            "ROLE_ENTITY" => Some(Self::Entity),
            "ROLE_UPDATE_MASK" => Some(Self::UpdateMask),
            "ROLE_PAGE_SIZE" => Some(Self::PageSize),
            "ROLE_PAGE_TOKEN" => Some(Self::PageToken),
            "ROLE_NEXT_PAGE_TOKEN" => Some(Self::NextPageToken),
            "ROLE_ORDER_BY" => Some(Self::OrderBy),
            "ROLE_ETAG" => Some(Self::Etag),
            "ROLE_REQUEST_ID" => Some(Self::RequestId),
            "ROLE_ALLOW_MISSING" => Some(Self::AllowMissing),
            "ROLE_SHOW_DELETED" => Some(Self::ShowDeleted),
            "ROLE_EQUALS" => Some(Self::Equals),
            "ROLE_AT_LEAST" => Some(Self::AtLeast),
            "ROLE_LESS_THAN" => Some(Self::LessThan),
            "ROLE_ANY_OF" => Some(Self::AnyOf),
            "ROLE_PREFIX" => Some(Self::Prefix),
            "ROLE_KEYS" => Some(Self::Keys),
            "ROLE_CUSTOM" => Some(Self::Custom),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Format {
    Unspecified = 0,
    Email = 1,
    Uuid = 2,
    Uri = 3,
    Hostname = 4,
    Ip = 5,
    E164 = 6,
}
impl Format {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "FORMAT_UNSPECIFIED",
            Self::Email => "FORMAT_EMAIL",
            Self::Uuid => "FORMAT_UUID",
            Self::Uri => "FORMAT_URI",
            Self::Hostname => "FORMAT_HOSTNAME",
            Self::Ip => "FORMAT_IP",
            Self::E164 => "FORMAT_E164",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "FORMAT_UNSPECIFIED" => Some(Self::Unspecified),
            "FORMAT_EMAIL" => Some(Self::Email),
            "FORMAT_UUID" => Some(Self::Uuid),
            "FORMAT_URI" => Some(Self::Uri),
            "FORMAT_HOSTNAME" => Some(Self::Hostname),
            "FORMAT_IP" => Some(Self::Ip),
            "FORMAT_E164" => Some(Self::E164),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Permission {
    Unspecified = 0,
    Read = 1,
    Write = 2,
    Admin = 3,
}
impl Permission {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "PERMISSION_UNSPECIFIED",
            Self::Read => "PERMISSION_READ",
            Self::Write => "PERMISSION_WRITE",
            Self::Admin => "PERMISSION_ADMIN",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "PERMISSION_UNSPECIFIED" => Some(Self::Unspecified),
            "PERMISSION_READ" => Some(Self::Read),
            "PERMISSION_WRITE" => Some(Self::Write),
            "PERMISSION_ADMIN" => Some(Self::Admin),
            _ => None,
        }
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Operation {
    Unspecified = 0,
    /// Written by hand: never bound to storage, whatever the method is called.
    Custom = 1,
    Get = 2,
    BatchGet = 3,
    List = 4,
    Create = 5,
    Put = 6,
    Update = 7,
    Delete = 8,
    /// Brings back what a Delete has kept.
    Undelete = 9,
}
impl Operation {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "OPERATION_UNSPECIFIED",
            Self::Custom => "OPERATION_CUSTOM",
            Self::Get => "OPERATION_GET",
            Self::BatchGet => "OPERATION_BATCH_GET",
            Self::List => "OPERATION_LIST",
            Self::Create => "OPERATION_CREATE",
            Self::Put => "OPERATION_PUT",
            Self::Update => "OPERATION_UPDATE",
            Self::Delete => "OPERATION_DELETE",
            Self::Undelete => "OPERATION_UNDELETE",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "OPERATION_UNSPECIFIED" => Some(Self::Unspecified),
            "OPERATION_CUSTOM" => Some(Self::Custom),
            "OPERATION_GET" => Some(Self::Get),
            "OPERATION_BATCH_GET" => Some(Self::BatchGet),
            "OPERATION_LIST" => Some(Self::List),
            "OPERATION_CREATE" => Some(Self::Create),
            "OPERATION_PUT" => Some(Self::Put),
            "OPERATION_UPDATE" => Some(Self::Update),
            "OPERATION_DELETE" => Some(Self::Delete),
            "OPERATION_UNDELETE" => Some(Self::Undelete),
            _ => None,
        }
    }
}
