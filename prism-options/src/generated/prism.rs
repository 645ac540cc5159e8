// @generated from proto/ by `cargo xtask protos`. Do not edit.
/// Defines where and how an entity is stored.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct EntitySpec {
    /// The logical dataset. It is the unit of routing, access control and quota.
    ///
    /// The name has 1 to 63 characters of \[a-z0-9-\]. It must begin with a letter
    /// and must not end with a dash. Names that begin with "prism-" are reserved
    /// for Prism.
    ///
    /// Only one entity in a descriptor set may have a given namespace.
    /// KeyValueService does not serve the namespace of an entity.
    #[prost(string, tag = "1")]
    pub namespace: ::prost::alloc::string::String,
    /// The kind of store that production uses.
    ///
    /// If unspecified, Prism chooses a backend by `access_pattern` from the
    /// backends that can serve every bound method. The choice is recorded in
    /// schema.lock and never changes by itself.
    ///
    /// The server's configuration may bind the namespace to another backend, if
    /// the generator has emitted output for that kind of backend.
    #[prost(enumeration = "Backend", tag = "2")]
    pub backend: i32,
    #[prost(enumeration = "AccessPattern", tag = "3")]
    pub access_pattern: i32,
    /// Capacity estimates. The rates size the shards of events and are compared
    /// with rate limits and with what is observed. All of them are the basis of
    /// provisioning. 0 means unknown.
    #[prost(int64, tag = "4")]
    pub estimated_read_rps: i64,
    #[prost(int64, tag = "5")]
    pub estimated_write_rps: i64,
    #[prost(int64, tag = "6")]
    pub estimated_data_size_gb: i64,
    /// If unspecified, a read sees every write that was acknowledged before it,
    /// except through a cache that the schema requests.
    #[prost(enumeration = "Consistency", tag = "7")]
    pub consistency: i32,
    /// A record is removed this many days after its last write, and an event this
    /// many days after its time. If 0, they are kept forever.
    #[prost(int32, tag = "8")]
    pub retention_days: i32,
    /// A read-through cache in the proxy.
    #[prost(message, optional, tag = "9")]
    pub cache: ::core::option::Option<Cache>,
    /// The physical table name. The default is the namespace in snake_case.
    #[prost(string, tag = "10")]
    pub table: ::prost::alloc::string::String,
    /// Indexes in addition to those that fields declare: indexes over several
    /// columns, or over a column that is also part of the key.
    #[prost(message, repeated, tag = "11")]
    pub indexes: ::prost::alloc::vec::Vec<Index>,
    /// The team that is responsible for the data. Shown in the inventory, metrics
    /// and alerts.
    #[prost(string, tag = "12")]
    pub owner: ::prost::alloc::string::String,
    /// The plural of the entity in method names, if it is not formed with "s",
    /// "es" or "ies". If empty, the plural of the standard google.api.resource is
    /// used.
    #[prost(string, tag = "13")]
    pub plural: ::prost::alloc::string::String,
    /// Makes the message an event. An event is appended and never changed. It is
    /// read by series and time, or as it arrives. It is removed by retention.
    #[prost(message, optional, tag = "14")]
    pub event: ::core::option::Option<EventSpec>,
    /// Which records a caller may read and write, in addition to the grants on the
    /// namespace. If absent, all of them.
    #[prost(message, optional, tag = "20")]
    pub rows: ::core::option::Option<RowRules>,
    /// Another name of the entity in method names, in addition to the name of the
    /// message. For example, `Lesson` for a message LessonRecord. If empty, the
    /// singular of the standard google.api.resource is used.
    #[prost(string, tag = "30")]
    pub singular: ::prost::alloc::string::String,
    /// A deleted record that is kept is removed this many days after its deletion.
    /// If 0, it is kept until a Purge. Requires MANAGED_DELETE_TIME.
    #[prost(int32, tag = "31")]
    pub purge_after_days: i32,
    /// The entity to which the parent in a resource name belongs. The parent of a
    /// record must then exist. If absent, the parent is not checked.
    #[prost(message, optional, tag = "32")]
    pub parent: ::core::option::Option<Reference>,
    /// Each write also records a change, in the same transaction. If absent, no
    /// changes are recorded.
    #[prost(message, optional, tag = "33")]
    pub changes: ::core::option::Option<Changes>,
    /// Code of the service that runs in each write, in the same transaction. It
    /// implements a generated trait. A server without the implementation does not
    /// start. If absent, no such code runs.
    #[prost(message, optional, tag = "34")]
    pub hook: ::core::option::Option<Hook>,
}
/// Conditions in a subset of CEL over `this`, the fields of the record, and
/// `auth`, the caller: `this.owner == auth.subject || "auditor" in auth.roles`.
///
/// A comparison with an absent value is false. In a List, the condition is part
/// of the statement, so an index can serve it.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct RowRules {
    /// For a caller that does not meet the condition, the record does not exist,
    /// except that its key and its unique values remain taken. If empty, every
    /// record may be read.
    #[prost(string, tag = "1")]
    pub read: ::prost::alloc::string::String,
    /// The record before a write and the record after it must meet this condition
    /// and `read`. If empty, only `read` applies.
    #[prost(string, tag = "2")]
    pub write: ::prost::alloc::string::String,
}
/// A field, or the fields of one end of an edge, that contain the key of another
/// entity. An edge is a record that connects two records of a graph.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Reference {
    /// The entity. This is a message name, which is resolved as a type name in the
    /// scope of the message. It must not be an edge.
    ///
    /// If a field or a parent has the reference, the entity's key must consist of
    /// one field, in addition to its tenant.
    #[prost(string, tag = "1")]
    pub entity: ::prost::alloc::string::String,
    /// The fields of an end of an edge, in the order of the entity's key without
    /// its tenant. Each field must have the same type as its key field. The default
    /// is the fields with the names of the key fields after `source_` or `target_`.
    /// The reference of a field or a parent must not have this option.
    #[prost(string, repeated, tag = "2")]
    pub fields: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    #[prost(enumeration = "Integrity", tag = "3")]
    pub integrity: i32,
}
/// Defines which changes are recorded, for Watch and for the service's own code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Changes {
    /// How long a reader may be away and still continue. If 0, 72 hours.
    #[prost(int32, tag = "1")]
    pub retention_hours: i32,
    /// Whether a change contains the record as it was stored, or as it was before
    /// it was removed. If false, a change contains only the key. A reader then
    /// receives the record as it is when it is read, and several changes of one
    /// record may be returned as one.
    #[prost(bool, tag = "2")]
    pub record: bool,
}
/// Code of the service that runs in each write of an entity.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Hook {
    /// The other entities that the code reads or writes in the same transaction.
    /// These are message names, which are resolved as type names in the scope of
    /// the message.
    #[prost(string, repeated, tag = "1")]
    pub entities: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Defines how an event is kept. Leave it empty to use the defaults.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct EventSpec {
    /// How far the time of an event may be behind the server's clock when the
    /// event is appended. At most the retention. If 0, one day, or the retention
    /// if that is shorter.
    #[prost(int64, tag = "1")]
    pub max_late_seconds: i64,
    /// How far the time of an event may be ahead of the server's clock. At most
    /// one day. If 0, one minute.
    #[prost(int32, tag = "2")]
    pub max_ahead_seconds: i32,
    /// The length of the time slices in which events are stored and dropped.
    /// Neither the retention nor `max_late_seconds` may be longer than 1000 slices,
    /// where a month counts as 30 days.
    /// If events are kept forever, it must be a week or a month.
    ///
    /// If unspecified, it is a day if the retention is at most 92 days, a week if
    /// it is at most 732 days, and a month otherwise.
    #[prost(enumeration = "TimeSlice", tag = "3")]
    pub slice: i32,
    /// The number of independent logs over which the series are distributed by a
    /// hash. They are partitions of a Kafka topic, or counters in Postgres. The
    /// other backends have one. 1 to 256. It cannot be changed later.
    ///
    /// If 0, there is one per 500 of `estimated_write_rps`, but at least 8 and at
    /// most 64.
    #[prost(int32, tag = "4")]
    pub shards: i32,
    /// Only allowed with BACKEND_KAFKA and BACKEND_NATS.
    #[prost(message, optional, tag = "5")]
    pub log: ::core::option::Option<EventLog>,
}
/// The log that events pass through on their way to the store.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct EventLog {
    /// The name of the topic or stream. The default is `prism.<namespace>` in Kafka
    /// and `prism-<namespace>` in NATS.
    #[prost(string, tag = "1")]
    pub name: ::prost::alloc::string::String,
    /// How long the log itself keeps an event. At least 24. If 0, one week.
    #[prost(int32, tag = "2")]
    pub retention_hours: i32,
}
#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Cache {
    /// How long an entry is used, from 1 to 86400. If 0, there is no cache, and
    /// `max_entries` must not be set.
    #[prost(int32, tag = "1")]
    pub ttl_seconds: i32,
    /// If 0, only the size of the server's cache limits the number of entries. Must
    /// not be negative.
    #[prost(int64, tag = "2")]
    pub max_entries: i64,
}
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Index {
    /// The names of top-level fields, in index order. " desc" after a name
    /// reverses the order of that column, as in an order_by.
    #[prost(string, repeated, tag = "1")]
    pub fields: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    /// Whether values must be unique among the records of one tenant that are
    /// neither deleted nor expired. A record in which one of the fields is absent
    /// is exempt.
    #[prost(bool, tag = "2")]
    pub unique: bool,
    /// The default is `idx_<table>_<fields>`, or `idx_<table>_parent_<fields>` if
    /// `parent` is true.
    #[prost(string, tag = "3")]
    pub name: ::prost::alloc::string::String,
    /// Whether the index begins with the parent in the resource name. `fields`
    /// follow it. A unique index then applies among the records of one parent.
    #[prost(bool, tag = "4")]
    pub parent: bool,
}
/// Defines how a field is keyed, protected and checked.
///
/// `index`, `column`, `managed`, `access` and `storage` apply to the entity's
/// own fields. Protection and validation apply to the fields of every message,
/// including nested messages. A field that stands for an entity field is
/// protected in the same way as the entity field. In the request of a custom
/// method, no field stands for an entity field.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct FieldSpec {
    #[prost(enumeration = "IndexKind", tag = "1")]
    pub index: i32,
    /// The class of personal data in the field. A field with a class is masked in
    /// logs, traces and errors. It is listed in the generated data inventory.
    #[prost(enumeration = "Pii", tag = "2")]
    pub pii: i32,
    /// The field is stored only as ciphertext. An index on such a field serves
    /// equality. A part of the key must not have this option.
    #[prost(bool, tag = "3")]
    pub encrypt_at_rest: bool,
    /// The field is masked in logs, traces and errors although it is not personal
    /// data. A field with the standard `debug_redact` is masked in the same way.
    #[prost(bool, tag = "4")]
    pub mask_in_logs: bool,
    /// Every read and write of the field is recorded in the audit log.
    #[prost(bool, tag = "5")]
    pub access_audit: bool,
    #[prost(message, optional, tag = "6")]
    pub validation: ::core::option::Option<Validation>,
    /// The physical column name. The default is the field's name.
    #[prost(string, tag = "7")]
    pub column: ::prost::alloc::string::String,
    /// Marks a value that the server sets or acts on.
    #[prost(enumeration = "Managed", tag = "8")]
    pub managed: i32,
    /// The purpose of a field of a request or a response, if its name does not
    /// express it.
    #[prost(enumeration = "Role", tag = "9")]
    pub role: i32,
    /// The entity field that a field of a request, a response or a mirror stands
    /// for, if the names differ. For example, `user_id` of a request stands for
    /// `id` of a User.
    #[prost(string, tag = "10")]
    pub entity_field: ::prost::alloc::string::String,
    /// Who may write and read the value. The values of the same name in the
    /// standard google.api.field_behavior have the same meaning.
    #[prost(enumeration = "Access", tag = "11")]
    pub access: i32,
    /// How a message, a list or a map is stored.
    #[prost(enumeration = "Storage", tag = "12")]
    pub storage: i32,
    /// The field contains the key of another entity. The other record must exist
    /// for as long as this record refers to it.
    #[prost(message, optional, tag = "28")]
    pub reference: ::core::option::Option<Reference>,
}
/// Shorthand for common checks. Prism also reads the rules of
/// buf/validate/validate.proto. A field may have both.
///
/// Every check except `required` is made only if the field is present. A field
/// without presence counts as present if it does not have its zero value. The
/// zero of a float is also -0.0, and the zero of a list or a map is the empty
/// one.
///
/// On a list or a map, `format`, `pattern`, `min`, `max` and `any_of` apply to
/// each item or map value, also to one that is empty or zero.
///
/// A scalar wrapper is checked as its scalar. A check on a type that its comment
/// does not name is an error.
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Validation {
    /// The field must be present. A field without presence must not have its zero
    /// value.
    #[prost(bool, tag = "1")]
    pub required: bool,
    /// Only for strings.
    #[prost(enumeration = "Format", tag = "2")]
    pub format: i32,
    /// A regular expression in RE2 syntax, for strings and bytes. The value must
    /// contain a match.
    #[prost(string, tag = "3")]
    pub pattern: ::prost::alloc::string::String,
    /// Bounds of the length. They count the code points of a string, the bytes of
    /// a bytes field, and the items of a list or a map. To refuse an empty value
    /// of a field without presence, use `required`.
    #[prost(uint64, optional, tag = "4")]
    pub min_len: ::core::option::Option<u64>,
    #[prost(uint64, optional, tag = "5")]
    pub max_len: ::core::option::Option<u64>,
    /// Bounds of a number. Both are inclusive. NaN is outside all bounds.
    ///
    /// The bound of an integer field must be a value of the field's type and a
    /// whole number from -2^53 to 2^53. For larger bounds, use
    /// buf/validate/validate.proto. The bound of a float field is rounded to the
    /// nearest float.
    #[prost(double, optional, tag = "6")]
    pub min: ::core::option::Option<f64>,
    #[prost(double, optional, tag = "7")]
    pub max: ::core::option::Option<f64>,
    /// The values that a string may have. No other value is valid.
    #[prost(string, repeated, tag = "8")]
    pub any_of: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// Present on each service that Prism serves.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct ServiceSpec {
    /// The entity that the methods store. This is a message name, which is
    /// resolved as a type name in the scope of the service.
    ///
    /// If empty, the service is written by hand, and only a method that itself
    /// names an entity is bound to storage.
    #[prost(string, tag = "1")]
    pub entity: ::prost::alloc::string::String,
    /// Whether callers must be authenticated. If absent, authentication is
    /// required.
    ///
    /// A server without configured authentication listens only on loopback. It
    /// treats all callers as one caller with all permissions.
    #[prost(bool, optional, tag = "2")]
    pub require_auth: ::core::option::Option<bool>,
    /// The limit for all methods together, per caller and per proxy. Callers
    /// without an identity are distinguished by address. If 0, there is no limit.
    /// Must not be negative.
    #[prost(int32, tag = "3")]
    pub rate_limit_rps: i32,
    /// The timeout of unary methods that have none of their own. If 0, the server's
    /// default applies.
    #[prost(int32, tag = "4")]
    pub timeout_ms: i32,
}
/// Defines how a method behaves and what it does to an entity.
#[derive(Clone, PartialEq, Eq, Hash, ::prost::Message)]
pub struct MethodSpec {
    /// The server cancels the call after this time, or at the caller's own
    /// deadline if that is earlier. A write may have been made by then. If 0, the
    /// timeout of the service applies to a unary method, and only the caller's own
    /// deadline to a stream.
    ///
    /// A Tail or a Watch ends without an error after this time. If 0, after one
    /// hour, whatever the timeout of the service is.
    #[prost(int32, tag = "1")]
    pub timeout_ms: i32,
    /// Whether a call is safe to retry, even after other calls. Also true if the
    /// standard `idempotency_level` says so. It is an error if this is true for a
    /// Create or a BatchCreate without a request_id field. If it is true for an
    /// Append or a BatchAppend, an event without a time or an id is refused.
    #[prost(bool, tag = "2")]
    pub idempotent: bool,
    /// Overrides the value of the service.
    #[prost(bool, optional, tag = "3")]
    pub require_auth: ::core::option::Option<bool>,
    /// The caller must have all of these permissions. No permission includes
    /// another one.
    ///
    /// If empty, the permissions follow from the operation: READ for Get, BatchGet,
    /// List, Count, Watch, Tail and Aggregate, WRITE for Append and BatchAppend,
    /// ADMIN for Erase, READ and WRITE for all others. A custom method that requires
    /// authentication must name its permissions.
    #[prost(enumeration = "Permission", repeated, tag = "4")]
    pub required_permissions: ::prost::alloc::vec::Vec<i32>,
    /// How long a response is cached, from 1 to 86400. If 0, responses are not
    /// cached. A write does not remove a cached response.
    ///
    /// The cache key is the whole request, the tenant and the grants by which the
    /// call is allowed. The caller is also part of it if the response can depend on
    /// who calls: for a custom method, and for an entity with row rules.
    ///
    /// Only a unary method without side effects may have this option. A custom
    /// method must say so with the standard `idempotency_level`.
    #[prost(int32, tag = "5")]
    pub cache_ttl_seconds: i32,
    /// If unspecified, the operation follows from the method's name, which must
    /// then be one of the operations below followed by the entity's name. A method
    /// that has neither such a name nor an operation is an error, not a stub.
    #[prost(enumeration = "Operation", tag = "6")]
    pub operation: i32,
    /// Overrides the entity of the service.
    #[prost(string, tag = "7")]
    pub entity: ::prost::alloc::string::String,
    /// What an unset field means in an Update whose request has no mask or an empty
    /// mask. A field is unset if it is absent. A field without presence is unset if
    /// it has its zero value.
    #[prost(enumeration = "Unset", tag = "30")]
    pub unset: i32,
    /// The maximum number of records, from 1 to 1000, that a List returns if its
    /// request has no field for a page. The List returns all records that meet the
    /// conditions. If there are more, the call is refused.
    #[prost(int32, tag = "31")]
    pub max_results: i32,
    /// The maximum number of index entries, from 1 to 100000, that are read for
    /// ROLE_TOTAL. If more are needed, the value of ROLE_TOTAL is this limit, and
    /// the count is not exact. If 0, the limit is 10000.
    #[prost(int32, tag = "32")]
    pub count_limit: i32,
    /// Allows conditions that no index serves, in a List with page tokens. It is
    /// the maximum number of records, from 1 to 10000, that one call reads. A page
    /// may then contain fewer records than requested, or none, and still have a
    /// next page. If 0, such conditions are refused.
    #[prost(int32, tag = "33")]
    pub scan_limit: i32,
    /// The entities that a custom method reads or writes in one transaction. These
    /// are message names, which are resolved as type names in the scope of the
    /// service.
    #[prost(string, repeated, tag = "34")]
    pub transaction: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
}
/// What Prism guarantees about a reference and the record that it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Integrity {
    /// The same as CASCADE for an end of an edge, and as RESTRICT otherwise.
    Unspecified = 0,
    /// A record cannot be deleted while a live record refers to it.
    Restrict = 1,
    /// Deleting a record also deletes what refers to it: edges in any number, and
    /// other records in the same transaction and at most 1000 of them.
    Cascade = 2,
    /// Deleting a record clears the fields that refer to it, in at most 1000
    /// records. The field must have presence. Not for a parent or an end of an
    /// edge.
    SetNull = 3,
    /// Nothing is guaranteed. The record may be absent or in another backend. Only
    /// for an end of an edge.
    None = 4,
}
impl Integrity {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "INTEGRITY_UNSPECIFIED",
            Self::Restrict => "INTEGRITY_RESTRICT",
            Self::Cascade => "INTEGRITY_CASCADE",
            Self::SetNull => "INTEGRITY_SET_NULL",
            Self::None => "INTEGRITY_NONE",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "INTEGRITY_UNSPECIFIED" => Some(Self::Unspecified),
            "INTEGRITY_RESTRICT" => Some(Self::Restrict),
            "INTEGRITY_CASCADE" => Some(Self::Cascade),
            "INTEGRITY_SET_NULL" => Some(Self::SetNull),
            "INTEGRITY_NONE" => Some(Self::None),
            _ => None,
        }
    }
}
/// Slices begin and end in UTC. Weeks begin on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum TimeSlice {
    Unspecified = 0,
    Hour = 1,
    Day = 2,
    Week = 3,
    Month = 4,
}
impl TimeSlice {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "TIME_SLICE_UNSPECIFIED",
            Self::Hour => "TIME_SLICE_HOUR",
            Self::Day => "TIME_SLICE_DAY",
            Self::Week => "TIME_SLICE_WEEK",
            Self::Month => "TIME_SLICE_MONTH",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "TIME_SLICE_UNSPECIFIED" => Some(Self::Unspecified),
            "TIME_SLICE_HOUR" => Some(Self::Hour),
            "TIME_SLICE_DAY" => Some(Self::Day),
            "TIME_SLICE_WEEK" => Some(Self::Week),
            "TIME_SLICE_MONTH" => Some(Self::Month),
            _ => None,
        }
    }
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
    /// A caller sees its own writes, and its reads never go back to an older state
    /// than it has already seen. If the backend needs it, the metadata entry
    /// `prism-consistency-token` carries the position.
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
    /// One part of a composite primary key. The partition keys come first,
    /// followed by the clustering keys. Each group is in the order of the field
    /// numbers.
    PartitionKey = 2,
    ClusteringKey = 3,
    Secondary = 4,
    /// Unique, as defined by Index.unique.
    Unique = 5,
    /// The kinds below are for events. The key of an event consists of its
    /// partition keys, which identify the series, its time and its id.
    ///
    /// The time of the event, a google.protobuf.Timestamp.
    EventTime = 6,
    /// A string that distinguishes the events of one series and time.
    EventId = 7,
    /// A field with a column of its own. Conditions may use it, unless it is a
    /// float or a double. Aggregates may use it if it is a number.
    Tag = 8,
    /// The kind below is for entities.
    ///
    /// An index of the values in a repeated field of scalars or enums, but not of
    /// floats or doubles. It serves ROLE_CONTAINS. A record may have at most 128
    /// different values.
    Member = 30,
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
            Self::EventTime => "INDEX_KIND_EVENT_TIME",
            Self::EventId => "INDEX_KIND_EVENT_ID",
            Self::Tag => "INDEX_KIND_TAG",
            Self::Member => "INDEX_KIND_MEMBER",
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
            "INDEX_KIND_EVENT_TIME" => Some(Self::EventTime),
            "INDEX_KIND_EVENT_ID" => Some(Self::EventId),
            "INDEX_KIND_TAG" => Some(Self::Tag),
            "INDEX_KIND_MEMBER" => Some(Self::Member),
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
/// Values that the server sets or acts on.
///
/// Only the server sets create time, update time, delete time and tenant. What a
/// client sends for them is ignored, both in the entity and in an update mask.
/// Each kind may be on at most one field of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Managed {
    Unspecified = 0,
    /// A google.protobuf.Timestamp that is set when the record is created. It may
    /// also be a string, which then contains the time in UTC in the form
    /// `2026-01-31T09:30:00.000000Z`.
    CreateTime = 1,
    /// A google.protobuf.Timestamp, or a string as above, that is set at every
    /// write.
    UpdateTime = 2,
    /// A google.protobuf.Timestamp that Delete sets. Delete then keeps the record.
    DeleteTime = 3,
    /// A google.protobuf.Timestamp that the client sets. After this time, the
    /// record is gone. If absent, the record does not expire.
    ExpireTime = 4,
    /// A string that every write changes. A client sends back the value that it
    /// read. A write with another value is refused. A write without a value is not
    /// checked. The value in a request is never stored.
    ///
    /// It may also be an integer. It is then 1 after a Create, and every later
    /// write adds 1. A 0 in a request counts as no value.
    Etag = 5,
    /// A string that contains the caller's tenant. Every statement is limited to
    /// the tenant, unique indexes apply within the tenant, and the tenant is the
    /// first part of the key.
    Tenant = 6,
    /// A string that is a primary or clustering key. If it is empty in a Create,
    /// the server sets it to a UUIDv7. In a resource name, this applies to the last
    /// segment.
    ///
    /// It may also be an integer that is the primary key. The server then chooses
    /// the number, and a Create that contains a number is refused.
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
    /// Set by Create. A later write may contain the same value, but not another
    /// value.
    Immutable = 1,
    /// Set by the service's own code. A value that a client sends is ignored.
    OutputOnly = 2,
    /// Stored, but never returned in a response.
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
    /// The binary form of protobuf. Every value is preserved, and a renamed field
    /// stays readable.
    Unspecified = 0,
    /// The JSON form of protobuf, for users who query the table with SQL. With
    /// this form, renaming a field or an enum value inside the message is a schema
    /// change.
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
/// The purpose of a field of a request or a response. If unspecified, the role
/// follows from the field's name and type, as in the resource-oriented API
/// conventions (AIP).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Role {
    Unspecified = 0,
    /// The entity, or a mirror of it. A mirror is a message in which every field
    /// has the name and type of a field of the entity, or has the type of the field
    /// that it names with `entity_field`.
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
    /// ROLE_EQUALS to ROLE_PREFIX are conditions. A condition compares the request
    /// field with the entity field of the same name, or with `entity_field`. If
    /// the request field has presence, the condition applies only if the field is
    /// present. Otherwise, the condition always applies, also for zero and the
    /// empty string.
    ///
    /// ROLE_EQUALS may also stand beside the key in a Get, Update, Delete, Undelete
    /// or Purge. A record that does not meet the condition then counts as absent.
    Equals = 11,
    AtLeast = 12,
    LessThan = 13,
    /// A repeated field. The entity field must equal one of its values. If the
    /// request field is empty, nothing matches.
    AnyOf = 14,
    Prefix = 15,
    /// A repeated message with the fields of the key, for a BatchGet with a
    /// composite key.
    Keys = 16,
    /// Prism does not use the field. It is for the service's own code.
    ///
    /// In the request of a bound method, this role is an error. Use
    /// ROLE_UNSUPPORTED instead. In the response of a bound method, the field stays
    /// unset.
    Custom = 17,
    /// A string or bytes field in the request and the response of a Tail or a
    /// Watch. In a response, it is the position of the reader. In a request, it is
    /// the position at which the stream continues.
    Cursor = 18,
    StopAtEnd = 19,
    CaughtUp = 20,
    /// The repeated prism.timeseries.v1.AppendResult of a BatchAppend.
    Results = 21,
    /// The google.protobuf.Duration in an Aggregate that is the length of a bucket.
    Bucket = 22,
    /// The repeated message in the response of an Aggregate. The roles below are
    /// for the fields of this message.
    Buckets = 23,
    BucketStart = 24,
    Count = 25,
    /// ROLE_SUM to ROLE_AVG are aggregates of a tag. The tag is named in
    /// `entity_field`, or in the field's own name after `sum_`, `min_`, `max_` or
    /// `avg_`.
    Sum = 26,
    Min = 27,
    Max = 28,
    Avg = 29,
    /// The roles below are for entities.
    ///
    /// A value of the entity field of the same name, or of `entity_field`, in a
    /// Create, Put or Update. If the request does not contain the entity, this role
    /// follows from the name and type.
    Value = 30,
    /// A resource name. A List, Count or Watch covers what is directly below it. A
    /// Create or a batch writes below it. Requires google.api.resource on the
    /// entity.
    Parent = 31,
    /// The last segment of the resource name, in a Create.
    Id = 32,
    /// The number of a page of a List, counted from 1. In a request, 0 is the same
    /// as 1. In a response, it is the number of the page that was returned.
    Page = 33,
    /// How many records a List omits before the page. In a response, it is the
    /// number that was used.
    Offset = 34,
    /// A string with conditions of a List or Count, in a subset of AIP-160.
    Filter = 35,
    /// A condition of a List or Count: the repeated field of the entity contains
    /// the value.
    Contains = 36,
    /// A repeated message in the request of a batch. Each item is a request of the
    /// single operation.
    Requests = 37,
    /// A bool in a response. It is always true, because a call that fails ends with
    /// an error status.
    Success = 38,
    /// A bool in the response of a Watch. If true, the record has been removed, and
    /// the entity in the response contains only its key.
    Deleted = 39,
    /// An integer in the response of a List or Count: how many records meet the
    /// conditions. See `count_limit`.
    Total = 40,
    /// A bool in the response of a List or Count. It is false if the count ended at
    /// its limit.
    Exact = 41,
    /// A bool in the response of a List: whether records follow after the page.
    More = 42,
    /// A part of the API that Prism does not serve. A request in which the field is
    /// set is refused.
    Unsupported = 50,
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
            Self::Cursor => "ROLE_CURSOR",
            Self::StopAtEnd => "ROLE_STOP_AT_END",
            Self::CaughtUp => "ROLE_CAUGHT_UP",
            Self::Results => "ROLE_RESULTS",
            Self::Bucket => "ROLE_BUCKET",
            Self::Buckets => "ROLE_BUCKETS",
            Self::BucketStart => "ROLE_BUCKET_START",
            Self::Count => "ROLE_COUNT",
            Self::Sum => "ROLE_SUM",
            Self::Min => "ROLE_MIN",
            Self::Max => "ROLE_MAX",
            Self::Avg => "ROLE_AVG",
            Self::Value => "ROLE_VALUE",
            Self::Parent => "ROLE_PARENT",
            Self::Id => "ROLE_ID",
            Self::Page => "ROLE_PAGE",
            Self::Offset => "ROLE_OFFSET",
            Self::Filter => "ROLE_FILTER",
            Self::Contains => "ROLE_CONTAINS",
            Self::Requests => "ROLE_REQUESTS",
            Self::Success => "ROLE_SUCCESS",
            Self::Deleted => "ROLE_DELETED",
            Self::Total => "ROLE_TOTAL",
            Self::Exact => "ROLE_EXACT",
            Self::More => "ROLE_MORE",
            Self::Unsupported => "ROLE_UNSUPPORTED",
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
            "ROLE_CURSOR" => Some(Self::Cursor),
            "ROLE_STOP_AT_END" => Some(Self::StopAtEnd),
            "ROLE_CAUGHT_UP" => Some(Self::CaughtUp),
            "ROLE_RESULTS" => Some(Self::Results),
            "ROLE_BUCKET" => Some(Self::Bucket),
            "ROLE_BUCKETS" => Some(Self::Buckets),
            "ROLE_BUCKET_START" => Some(Self::BucketStart),
            "ROLE_COUNT" => Some(Self::Count),
            "ROLE_SUM" => Some(Self::Sum),
            "ROLE_MIN" => Some(Self::Min),
            "ROLE_MAX" => Some(Self::Max),
            "ROLE_AVG" => Some(Self::Avg),
            "ROLE_VALUE" => Some(Self::Value),
            "ROLE_PARENT" => Some(Self::Parent),
            "ROLE_ID" => Some(Self::Id),
            "ROLE_PAGE" => Some(Self::Page),
            "ROLE_OFFSET" => Some(Self::Offset),
            "ROLE_FILTER" => Some(Self::Filter),
            "ROLE_CONTAINS" => Some(Self::Contains),
            "ROLE_REQUESTS" => Some(Self::Requests),
            "ROLE_SUCCESS" => Some(Self::Success),
            "ROLE_DELETED" => Some(Self::Deleted),
            "ROLE_TOTAL" => Some(Self::Total),
            "ROLE_EXACT" => Some(Self::Exact),
            "ROLE_MORE" => Some(Self::More),
            "ROLE_UNSUPPORTED" => Some(Self::Unsupported),
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
    /// A phone number: a plus sign and 2 to 15 digits, of which the first is not 0.
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
/// What an unset field means in an Update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
#[repr(i32)]
pub enum Unset {
    /// If the request has a field for a mask, the mask is required. Otherwise, the
    /// meaning is UNSET_KEEPS if every field that the request can write has
    /// presence. If one of them does not, this value is an error.
    Unspecified = 0,
    /// The field keeps its value, as in AIP-134. A field without presence can be
    /// set to zero only by a mask.
    Keeps = 1,
    /// The field becomes absent or zero.
    Clears = 2,
}
impl Unset {
    /// String value of the enum field names used in the ProtoBuf definition.
    ///
    /// The values are not transformed in any way and thus are considered stable
    /// (if the ProtoBuf definition does not change) and safe for programmatic use.
    pub fn as_str_name(&self) -> &'static str {
        match self {
            Self::Unspecified => "UNSET_UNSPECIFIED",
            Self::Keeps => "UNSET_KEEPS",
            Self::Clears => "UNSET_CLEARS",
        }
    }
    /// Creates an enum from field names used in the ProtoBuf definition.
    pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
        match value {
            "UNSET_UNSPECIFIED" => Some(Self::Unspecified),
            "UNSET_KEEPS" => Some(Self::Keeps),
            "UNSET_CLEARS" => Some(Self::Clears),
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
    /// Written by hand. Never bound to storage, whatever the name of the method
    /// is.
    Custom = 1,
    Get = 2,
    BatchGet = 3,
    List = 4,
    Create = 5,
    Put = 6,
    Update = 7,
    Delete = 8,
    /// Restores a record that a Delete has kept.
    Undelete = 9,
    /// The operations from here to ERASE are for events. Of the operations above,
    /// events have only Get, BatchGet and List. In the names of their methods, Query
    /// also means List, and Watch also means Tail.
    Append = 10,
    BatchAppend = 11,
    Tail = 12,
    Aggregate = 13,
    /// Removes the events of one series up to a given time.
    Erase = 14,
    /// The operations below are for entities.
    ///
    /// The name is `Count` and the entity's plural. Like Get and List, it may
    /// continue with `By...`.
    Count = 20,
    /// A batch has 1 to 1000 records. Either all of them are written, or none is.
    BatchCreate = 30,
    BatchUpdate = 31,
    BatchDelete = 32,
    /// Removes a record that a Delete has kept.
    Purge = 33,
    /// Streams the changes of records. Requires the `changes` of the entity.
    Watch = 34,
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
            Self::Append => "OPERATION_APPEND",
            Self::BatchAppend => "OPERATION_BATCH_APPEND",
            Self::Tail => "OPERATION_TAIL",
            Self::Aggregate => "OPERATION_AGGREGATE",
            Self::Erase => "OPERATION_ERASE",
            Self::Count => "OPERATION_COUNT",
            Self::BatchCreate => "OPERATION_BATCH_CREATE",
            Self::BatchUpdate => "OPERATION_BATCH_UPDATE",
            Self::BatchDelete => "OPERATION_BATCH_DELETE",
            Self::Purge => "OPERATION_PURGE",
            Self::Watch => "OPERATION_WATCH",
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
            "OPERATION_APPEND" => Some(Self::Append),
            "OPERATION_BATCH_APPEND" => Some(Self::BatchAppend),
            "OPERATION_TAIL" => Some(Self::Tail),
            "OPERATION_AGGREGATE" => Some(Self::Aggregate),
            "OPERATION_ERASE" => Some(Self::Erase),
            "OPERATION_COUNT" => Some(Self::Count),
            "OPERATION_BATCH_CREATE" => Some(Self::BatchCreate),
            "OPERATION_BATCH_UPDATE" => Some(Self::BatchUpdate),
            "OPERATION_BATCH_DELETE" => Some(Self::BatchDelete),
            "OPERATION_PURGE" => Some(Self::Purge),
            "OPERATION_WATCH" => Some(Self::Watch),
            _ => None,
        }
    }
}
