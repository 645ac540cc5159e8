//! Entities: messages that are stored.

use serde::{Deserialize, Serialize};

/// A message annotated with `(prism.message)`, resolved.
///
/// Fields are identified by number, never by position or name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// Full protobuf name, without a leading dot.
    pub message: String,
    /// The logical dataset; unique in a schema.
    pub namespace: String,
    /// The kind of store that production uses.
    pub backend: Backend,
    /// Physical table name, not quoted.
    pub table: String,
    /// One for each field that is stored, members of oneofs included, by field number.
    pub columns: Vec<Column>,
    /// Field numbers of the primary key: partition keys, then clustering keys.
    pub key: Vec<u32>,
    /// How many of `key` are partition keys. All of them where the key is a single primary.
    pub partition: usize,
    /// Secondary indexes, in the order of the schema.
    pub indexes: Vec<Index>,
    /// A record is removed this many days after its last write; 0 keeps it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retention_days: u32,
}

fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Entity {
    /// The column of a field number.
    pub fn column(&self, number: u32) -> Option<&Column> {
        self.position(number).map(|position| &self.columns[position])
    }

    /// Where the column of a field number stands in `columns`.
    pub fn position(&self, number: u32) -> Option<usize> {
        self.columns.binary_search_by_key(&number, |column| column.number).ok()
    }

    /// The column of a protobuf field name.
    pub fn column_of_field(&self, field: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.field == field)
    }

    /// The column that the server manages in this way.
    pub fn managed(&self, managed: Managed) -> Option<&Column> {
        self.columns.iter().find(|column| column.managed == Some(managed))
    }

    /// Whether a field is part of the primary key.
    pub fn is_key(&self, number: u32) -> bool {
        self.key.contains(&number)
    }

    /// Name of the column of Prism's own that holds the time of the last write, where
    /// retention needs one: the entity has `retention_days` and no update time.
    pub fn last_write_column(&self) -> Option<&'static str> {
        (self.retention_days > 0 && self.managed(Managed::UpdateTime).is_none())
            .then_some("_prism_written_at")
    }
}

/// One stored field.
///
/// Stored forms, as [`Value`](crate::Value): booleans 0 and 1; signed integers of any width,
/// `uint32`, `fixed32` and enums as themselves; `uint64` and `fixed64` through
/// [`encode_u64`](crate::value::encode_u64); timestamps and durations as microseconds (cut
/// towards minus infinity); everything with [`Storage::Binary`] as the protobuf encoding of the
/// message (singular) or of a message that holds only this field (repeated and map).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Protobuf field number.
    pub number: u32,
    /// Protobuf field name.
    pub field: String,
    /// Physical column name, not quoted.
    pub name: String,
    /// Protobuf type of the field, of a list's element, or of what a wrapper wraps.
    #[serde(rename = "type")]
    pub ty: FieldType,
    /// Presence and repetition.
    pub cardinality: Cardinality,
    /// The field's type is the `google.protobuf` wrapper of `ty`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wrapper: bool,
    /// Name of the oneof that the field is a member of (not of a synthetic one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oneof: Option<String>,
    /// How the value is laid out in the column.
    pub storage: Storage,
    /// A value that the server sets or acts upon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<Managed>,
    /// Who may write and read the value.
    #[serde(default, skip_serializing_if = "Access::is_unrestricted")]
    pub access: Access,
    /// The value may not be shown in logs, traces and errors: `pii`, `mask_in_logs` or
    /// `debug_redact`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
}

impl Column {
    /// Whether the stored value may be NULL: the field has presence and is not required.
    pub fn nullable(&self) -> bool {
        matches!(self.cardinality, Cardinality::Optional)
    }
}

/// Presence and repetition of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cardinality {
    /// A proto3 scalar without presence: absent and zero are one.
    Implicit,
    /// `optional`, a member of a oneof, a message or a wrapper.
    Optional,
    /// proto2 `required`.
    Required,
    /// A list.
    Repeated,
    /// A map; the column's type is the entry message.
    Map,
}

/// Protobuf type of a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // the names are protobuf's own
pub enum FieldType {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
    /// The enum's full name.
    Enum(String),
    /// `google.protobuf.Timestamp`.
    Timestamp,
    /// `google.protobuf.Duration`.
    Duration,
    /// Any other message, by full name.
    Message(String),
    /// A proto2 group, by full name of its message.
    Group(String),
}

impl FieldType {
    /// Whether values have a total order that every backend agrees on, so that the type may be
    /// part of a key, an index, a condition or an order.
    pub fn is_ordered(&self) -> bool {
        !matches!(
            self,
            FieldType::Float | FieldType::Double | FieldType::Message(_) | FieldType::Group(_)
        )
    }
}

/// How a column holds its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// A scalar, timestamp or duration in a column type of its own.
    #[default]
    Native,
    /// Protobuf binary.
    Binary,
    /// Protobuf JSON.
    Json,
}

/// A secondary index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Physical name, not quoted.
    pub name: String,
    /// In index order.
    pub columns: Vec<IndexColumn>,
    /// Among live records; one in which a column is NULL takes no part.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
}

impl Index {
    /// The columns by which the physical index orders: those that are declared and, unless the
    /// index is unique, the parts of the key that are not among them, so that pages follow it
    /// without a sort.
    pub fn order(&self, entity: &Entity) -> Vec<IndexColumn> {
        let mut columns = self.columns.clone();
        if !self.unique {
            let declared = |number: &&u32| columns.iter().any(|column| column.number == **number);
            let rest: Vec<u32> = entity.key.iter().filter(|it| !declared(it)).copied().collect();
            let part = |number| IndexColumn { number, descending: false };
            columns.extend(rest.into_iter().map(part));
        }
        columns
    }
}

/// A column of an index, or of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    /// Protobuf field number.
    pub number: u32,
    /// Whether the order is reversed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
}

/// `prism.Managed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // documented in prism/options.proto
pub enum Managed {
    CreateTime,
    UpdateTime,
    DeleteTime,
    ExpireTime,
    Etag,
    Id,
}

/// `prism.Access`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // documented in prism/options.proto
pub enum Access {
    #[default]
    Unrestricted,
    Immutable,
    OutputOnly,
    InputOnly,
}

impl Access {
    fn is_unrestricted(&self) -> bool {
        *self == Access::Unrestricted
    }
}

/// The kinds of store that this version of Prism emits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// In the proxy's memory, lost with it.
    Memory,
    /// Embedded SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What the members of a oneof add to the entity that has it. Derived, on the oneof's enum.
pub trait Members {
    /// One for each member.
    fn columns() -> Vec<Column>;
}
