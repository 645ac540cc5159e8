//! What differs between two states of a schema: data, without SQL.

/// What a change asks of the one who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Harmless and quick: written at once.
    Safe,
    /// Harmless, and done without locking a table that is in use: written at once.
    Online,
    /// Loses or reinterprets data: written when its code is accepted.
    Confirm,
    /// Never written.
    Error,
}

/// The part of the new schema that a finding points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing of it is left.
    Nowhere,
    /// The message of the change's namespace.
    Entity,
    /// One of its fields, by number.
    Field(u32),
    /// One of its indexes, by name.
    Index(String),
}

/// What happens to stored data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is a row of the table in docs/schema.md
pub enum Kind {
    EntityAdded,
    EntityRemoved,
    EntityRenamed,
    KeyChanged,
    BackendChanged,
    RetentionChanged,
    FieldAdded,
    FieldRemoved,
    FieldNotReserved,
    FieldRenamed,
    FieldReused,
    TypeChanged,
    TypeWidened,
    EncodingChanged,
    PresenceAdded,
    PresenceRemoved,
    OneofChanged,
    StorageChanged,
    ManagementChanged,
    IndexAdded,
    IndexChanged,
    IndexRenamed,
    IndexRemoved,
    UniqueAdded,
    UniqueOfZeros,
    ValueAdded,
    ValueRemoved,
    ValueNotReserved,
    ValueRenamed,
    ValueReused,
}

impl Kind {
    /// The first part of the code that accepts it. Scripts and migrations hold it: it never
    /// changes.
    pub const fn code(self) -> &'static str {
        match self {
            Kind::EntityAdded => "add-entity",
            Kind::EntityRemoved => "remove-entity",
            Kind::EntityRenamed => "rename-entity",
            Kind::KeyChanged => "change-key",
            Kind::BackendChanged => "change-backend",
            Kind::RetentionChanged => "change-retention",
            Kind::FieldAdded => "add-field",
            Kind::FieldRemoved | Kind::FieldNotReserved => "remove-field",
            Kind::FieldRenamed => "rename-field",
            Kind::FieldReused => "reuse-field",
            Kind::TypeChanged => "change-type",
            Kind::TypeWidened => "widen-type",
            Kind::EncodingChanged => "change-encoding",
            Kind::PresenceAdded => "add-optional",
            Kind::PresenceRemoved => "remove-optional",
            Kind::OneofChanged => "change-oneof",
            Kind::StorageChanged => "change-storage",
            Kind::ManagementChanged => "change-managed",
            Kind::IndexAdded => "add-index",
            Kind::IndexChanged => "change-index",
            Kind::IndexRenamed => "rename-index",
            Kind::IndexRemoved => "remove-index",
            Kind::UniqueAdded | Kind::UniqueOfZeros => "add-unique",
            Kind::ValueAdded => "add-value",
            Kind::ValueRemoved | Kind::ValueNotReserved => "remove-value",
            Kind::ValueRenamed => "rename-value",
            Kind::ValueReused => "reuse-value",
        }
    }
}

/// What accepting a rewriting copy means.
pub(super) const REWRITTEN: &str = "every record is written anew, in batches, by Prism's migrator alone; what proxies of the old \
     schema write meanwhile is copied too, but from the end of the copy on they misread the values: \
     stop them before";

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entity that stores what it is about.
    pub namespace: String,
    /// What it is about, by numbers below the namespace: `3`, or `3.1` for a nested field. Empty
    /// for the entity itself.
    pub path: String,
    /// What happens.
    pub kind: Kind,
    /// What it asks for.
    pub level: Level,
    /// The element of the schema and what happened to it.
    pub cause: String,
    /// What to write instead, or what accepting it means.
    pub help: String,
    /// Where a finding points.
    pub place: Place,
}

impl Change {
    /// What `--accept` takes: `remove-field:things.2`.
    pub fn code(&self) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}:{}{dot}{}", self.kind.code(), self.namespace, self.path)
    }
}
