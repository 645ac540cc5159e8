//! What the generator knows once descriptors and options have been lowered: plain data, without
//! descriptors and without tokens.
//!
//! Most of it is [`prism_schema`], the vocabulary that the runtime shares; this module adds what
//! only the generator needs: places in the source and what the emitters carry over.

use std::collections::BTreeMap;

use prism_options::Span;

/// Everything that is generated from.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The files named by the user, in the order given: those that code is emitted for.
    pub files: Vec<String>,
    /// Entities of those files, by full message name.
    pub entities: Vec<Entity>,
    /// Services of those files that carry `(prism.service)`, in source order.
    pub services: Vec<Service>,
    /// Full names of messages and fields that must be masked in logs, also outside of entities
    /// (nested messages, requests whose fields stand for an entity's).
    pub masked: BTreeMap<FieldPath, Mask>,
    /// The encoded `FileDescriptorSet` of `files` and all they import, with comments: input to
    /// the message types.
    pub descriptor_set: Vec<u8>,
}

/// A field by its message's full name and its number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath {
    /// Full name of the message.
    pub message: String,
    /// Field number.
    pub number: u32,
}

/// Why a field is masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// `pii`, by the lower-case name of its class: `email`.
    Pii(String),
    /// `mask_in_logs` or the standard `debug_redact`.
    Masked,
}

/// A stored message.
#[derive(Clone, Debug)]
pub struct Entity {
    /// What storage and runtime see of it.
    pub schema: prism_schema::Entity,
    /// The message's name in its file.
    pub span: Span,
    /// Whether the annotation names the backend. Otherwise the one that the lock records stays.
    pub backend_named: bool,
    /// The annotation's `namespace`.
    pub namespace_span: Span,
    /// The annotation's `table`, or its `namespace` where the table is named after it.
    pub table_span: Span,
    /// Where each of `schema.indexes` is declared.
    pub index_spans: Vec<Span>,
    /// What the generator alone knows of each of `schema.columns`.
    pub fields: Vec<Field>,
    /// The `.proto` file.
    pub file: String,
    /// The team that answers for the data; empty where not given.
    pub owner: String,
    /// Field names that the message has `reserved`, and numbers as inclusive ranges.
    pub reserved: Reserved,
}

/// A stored field, beside its column.
#[derive(Clone, Debug)]
pub struct Field {
    /// Field number.
    pub number: u32,
    /// The field's name in its file.
    pub span: Span,
    /// The class of personal data, in lower case: `email`.
    pub pii: Option<String>,
}

/// `reserved` lines of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// Names.
    pub names: Vec<String>,
    /// Inclusive ranges of numbers.
    pub numbers: Vec<(u32, u32)>,
}

/// A service that Prism serves.
#[derive(Clone, Debug)]
pub struct Service {
    /// What the runtime sees of it. `binding` is `None` for methods that the user writes.
    pub schema: prism_schema::Service,
    /// Protobuf package.
    pub package: String,
    /// Name without the package.
    pub name: String,
    /// The service's name in its file.
    pub span: Span,
    /// The `.proto` file.
    pub file: String,
    /// Comment lines before the service, as protoc gives them.
    pub comment: String,
    /// Comment of each method, in the order of `schema.methods`.
    pub method_comments: Vec<String>,
    /// Whether each method is marked `deprecated`, in the order of `schema.methods`.
    pub deprecated: Vec<bool>,
    /// Places of each method, in the order of `schema.methods`.
    pub method_spans: Vec<MethodSpans>,
}

/// Places of an RPC.
#[derive(Clone, Debug, Default)]
pub struct MethodSpans {
    /// Its name.
    pub name: Span,
    /// Each of the binding's request fields, in their order.
    pub request: Vec<Span>,
}
