//! The fields of an entity as columns.

use std::collections::HashSet;

use prism_options::spec::{self, FieldSpec, IndexKind};
use prism_options::{Behaviors, OptionSet, Span};
use prism_schema::{Access, Cardinality, Column, FieldType, Managed, Storage};
use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::context::Context;
use super::{behavior, entity, names, protection, types};
use crate::diagnostics::catalog::{field as catalog, role};
use crate::model;

/// A field and what its annotation says.
pub(super) struct Part {
    pub field: FieldDescriptor,
    pub options: OptionSet<FieldSpec>,
    pub index: IndexKind,
    pub managed: Option<Managed>,
    pub masked: Option<model::Mask>,
    /// `google.api.field_behavior`.
    pub behaviors: Behaviors,
    /// The field's name.
    pub span: Span,
}

impl Part {
    pub fn name(&self) -> &str {
        self.field.name()
    }

    pub fn number(&self) -> u32 {
        self.field.number()
    }

    /// Whether the field is annotated as a part of the key.
    pub fn is_key(&self) -> bool {
        matches!(
            self.index,
            IndexKind::Primary | IndexKind::PartitionKey | IndexKind::ClusteringKey
        )
    }

    pub fn model(&self) -> model::Field {
        let pii = match &self.masked {
            Some(model::Mask::Pii(class)) => Some(class.clone()),
            _ => None,
        };
        model::Field { number: self.number(), span: self.span.clone(), pii }
    }
}

/// The fields of an entity, by number.
pub(super) fn parts(context: &Context, message: &MessageDescriptor) -> Vec<Part> {
    let mut parts: Vec<Part> = message.fields().map(|field| part(context, field)).collect();
    parts.sort_by_key(Part::number);
    parts
}

fn part(context: &Context, field: FieldDescriptor) -> Part {
    let options = context.field(&field);
    let value = &options.value;
    let index = context.choice(value.index, options.span("index"), "prism.field");
    let span = options.span("managed");
    let managed: spec::Managed = context.choice(value.managed, span, "prism.field");
    let masked = protection::mask(context, &field, &options);
    let behaviors = context.reader.behaviors(&field);
    let span = context.reader.name_span(&field);
    Part { index, managed: entity::managed(managed), masked, behaviors, span, field, options }
}

/// The columns by field number, and everything that is wrong with a field but its indexes.
pub(super) fn columns(
    context: &Context,
    message: &MessageDescriptor,
    parts: &[Part],
    key: &[u32],
) -> Vec<Column> {
    check_managed(context, message, parts, key);
    let names = column_names(context, parts);
    parts.iter().zip(names).map(|(part, name)| column(context, part, name, key)).collect()
}

fn column(context: &Context, part: &Part, name: String, key: &[u32]) -> Column {
    let (ty, wrapper) = types::field_type(&part.field);
    let cardinality = cardinality(&part.field, key);
    check_role(context, part);
    let access = access(context, part, key.contains(&part.number()));
    check_returned(context, part, access);
    Column {
        number: part.number(),
        field: part.name().to_owned(),
        name,
        storage: storage(context, part, &ty, cardinality),
        ty,
        cardinality,
        wrapper,
        oneof: types::oneof(&part.field),
        managed: part.managed,
        access,
        masked: part.masked.is_some(),
    }
}

/// What proto2 calls `required` is in every record that callers read.
fn check_returned(context: &Context, part: &Part, access: Access) {
    let why = match (access, part.managed) {
        (Access::InputOnly, _) => "INPUT_ONLY: no caller reads it",
        (_, Some(Managed::DeleteTime)) => "only a deleted record has it",
        _ => return,
    };
    if part.field.is_required() {
        let (message, declaration) = (part.field.parent_message(), types::declaration(&part.field));
        let (name, message) = (part.name(), message.name());
        context.report(role::left_out(&part.span, name, message, why, &declaration));
    }
}

/// Every record has its key: a Timestamp or Duration in it must be sent, as a `required` field.
fn cardinality(field: &FieldDescriptor, key: &[u32]) -> Cardinality {
    match types::cardinality(field) {
        Cardinality::Optional if key.contains(&field.number()) => Cardinality::Required,
        other => other,
    }
}

fn storage(context: &Context, part: &Part, ty: &FieldType, cardinality: Cardinality) -> Storage {
    let native = types::is_native(ty, cardinality);
    let span = part.options.span("storage");
    let wanted = context.choice(part.options.value.storage, span, "prism.field");
    match (native, wanted) {
        (true, spec::Storage::Unspecified) => Storage::Native,
        (true, spec::Storage::Json) => {
            let declared = types::declared(&part.field);
            context.report(catalog::storage_of_scalar(span, part.name(), &declared));
            Storage::Native
        }
        (false, spec::Storage::Unspecified) => Storage::Binary,
        (false, spec::Storage::Json) => Storage::Json,
    }
}

fn access(context: &Context, part: &Part, key: bool) -> Access {
    let span = part.options.span("access");
    let wanted: spec::Access = context.choice(part.options.value.access, span, "prism.field");
    let hidden = matches!(wanted, spec::Access::OutputOnly | spec::Access::InputOnly);
    if hidden && key {
        context.report(catalog::key_access(span, part.name(), wanted.as_str_name()));
    } else if let (true, Some(_)) = (wanted != spec::Access::Unspecified, part.managed) {
        check_managed_access(context, part, wanted);
    }
    match behavior::access(context, part, wanted, key) {
        spec::Access::Unspecified => Access::Unrestricted,
        spec::Access::Immutable => Access::Immutable,
        spec::Access::OutputOnly => Access::OutputOnly,
        spec::Access::InputOnly => Access::InputOnly,
    }
}

/// What only the server writes may say so; nothing else may contradict.
fn check_managed_access(context: &Context, part: &Part, access: spec::Access) {
    let servers = matches!(
        part.managed,
        Some(Managed::CreateTime | Managed::UpdateTime | Managed::DeleteTime)
    );
    let agrees = (servers && access == spec::Access::OutputOnly)
        || (part.managed == Some(Managed::Id) && access == spec::Access::Immutable)
        || (part.managed == Some(Managed::ExpireTime));
    if !agrees {
        let managed = managed_name(part);
        let span = part.options.span("access");
        context.report(catalog::managed_access(span, managed, access.as_str_name()));
    }
}

fn managed_name(part: &Part) -> &'static str {
    part.options.value.managed().as_str_name()
}

fn check_managed(context: &Context, message: &MessageDescriptor, parts: &[Part], key: &[u32]) {
    let mut seen: Vec<&Part> = Vec::new();
    for part in parts.iter().filter(|part| part.managed.is_some()) {
        let span = part.options.span("managed");
        let name = managed_name(part);
        if let Some(first) = seen.iter().find(|other| other.managed == part.managed) {
            let found = catalog::managed_twice(span, name, message.name());
            context.report(found.with(first.options.span("managed"), "the first is here"));
        }
        seen.push(part);
        check_managed_type(context, part);
        let in_key = key.contains(&part.number());
        if part.managed == Some(Managed::Id) {
            let fits = matches!(part.index, IndexKind::Primary | IndexKind::ClusteringKey);
            if !fits {
                context.report(catalog::managed_id(span, part.name()));
            }
        } else if in_key {
            context.report(catalog::managed_key(span, name, part.name()));
        }
    }
}

fn check_managed_type(context: &Context, part: &Part) {
    let wanted = match part.managed {
        Some(Managed::Etag | Managed::Id) => FieldType::String,
        _ => FieldType::Timestamp,
    };
    let (ty, wrapper) = types::field_type(&part.field);
    let singular = types::is_native(&ty, types::cardinality(&part.field));
    let oneof = types::oneof(&part.field);
    if ty == wanted && singular && !wrapper && oneof.is_none() {
        return;
    }
    let wanted = match wanted {
        FieldType::String => "string",
        _ => "google.protobuf.Timestamp",
    };
    let actual = match oneof {
        Some(oneof) => format!("`{}` is a member of the oneof `{oneof}`", part.name()),
        None => format!("`{}` is of type {}", part.name(), types::declared(&part.field)),
    };
    let span = part.options.span("managed");
    let import = types::import(&part.field.parent_file(), wanted);
    context.report(catalog::managed_type(span, managed_name(part), wanted, &actual, &import));
}

/// Names that the schema gives come first: a default name makes way for them.
fn column_names(context: &Context, parts: &[Part]) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    for (position, part) in parts.iter().enumerate() {
        let column = &part.options.value.column;
        let span = part.options.span("column");
        if column.is_empty() {
            continue;
        }
        if !names::is_identifier(column) {
            context.report(catalog::bad_column(span, column));
        } else if names::is_reserved_column(column) {
            context.report(catalog::reserved_column(span, column));
        } else if !taken.insert(column.to_ascii_lowercase()) {
            let first = parts[..position]
                .iter()
                .find(|other| other.options.value.column.eq_ignore_ascii_case(column));
            let found = catalog::duplicate_column(span, column);
            context.report(match first {
                Some(first) => found.with(first.options.span("column"), "taken here"),
                None => found,
            });
        }
    }
    let mut name = |part: &Part| {
        let own = &part.options.value.column;
        if !own.is_empty() {
            return own.clone();
        }
        let name = names::column(part.name(), part.number(), &taken);
        taken.insert(name.to_ascii_lowercase());
        name
    };
    parts.iter().map(&mut name).collect()
}

fn check_role(context: &Context, part: &Part) {
    let message = part.field.parent_message().name();
    for (option, is_set) in [
        ("role", part.options.value.role != 0),
        ("entity_field", !part.options.value.entity_field.is_empty()),
    ] {
        if is_set {
            context.report(catalog::stray_role(part.options.span(option), option, message));
        }
    }
}
