//! The primary key.

use prism_options::spec::{Access, IndexKind};
use prism_schema::{FieldType, Managed};
use prost_reflect::{Kind, MessageDescriptor, Syntax};

use super::context::Context;
use super::field::Part;
use super::proposal::{Declaration, entity_field};
use super::{names, types};
use crate::diagnostics::catalog::{entity, field as catalog};

/// Field numbers of the key, and how many of them are partition keys.
pub(super) fn lower(
    context: &Context,
    message: &MessageDescriptor,
    parts: &[Part],
) -> (Vec<u32>, usize) {
    let of = |kind: IndexKind| -> Vec<&Part> {
        parts.iter().filter(|part| part.index == kind).collect()
    };
    let primary = of(IndexKind::Primary);
    let partition = of(IndexKind::PartitionKey);
    let clustering = of(IndexKind::ClusteringKey);
    let name = message.name();
    if let [first, others @ ..] = primary.as_slice() {
        for other in others {
            let found = entity::two_primaries(other.options.span("index"), name, other.name());
            context.report(found.with(first.options.span("index"), "the first is here"));
        }
        for other in partition.iter().chain(&clustering) {
            let found = entity::mixed_key(other.options.span("index"), name);
            context.report(found.with(first.options.span("index"), "the primary key is here"));
        }
    } else if let (true, Some(first)) = (partition.is_empty(), clustering.first()) {
        let span = first.options.span("index");
        context.report(entity::clustering_without_partition(span, name));
    } else if partition.is_empty() {
        let span = context.reader.name_span(message);
        context.report(entity::no_key(&span, name, &no_key_help(context, message, parts)));
    }
    let chosen: Vec<&Part> = match primary.first() {
        Some(first) => vec![first],
        None => partition.iter().chain(&clustering).copied().collect(),
    };
    chosen.iter().for_each(|part| check_type(context, part));
    if let Some(part) = chosen.get(names::MAX_INDEX_COLUMNS) {
        context.report(entity::wide_key(part.options.span("index"), name, chosen.len()));
    }
    let count = if primary.is_empty() { partition.len() } else { 1 };
    (chosen.iter().map(|part| part.number()).collect(), count)
}

/// Help that marks a field that looks like a key, or adds one.
fn no_key_help(context: &Context, message: &MessageDescriptor, parts: &[Part]) -> String {
    const PRIMARY: &str = "(prism.field).index = INDEX_KIND_PRIMARY";
    let file = message.parent_file();
    let Some(part) = candidate(parts) else {
        let taken = message.get_field_by_name("id").is_some()
            || message.reserved_names().any(|name| name == "id");
        let name = match taken {
            true => format!("{}_id", entity_field(message)),
            false => "id".to_owned(),
        };
        let id = Declaration::key("string", name).with(PRIMARY);
        return format!("{}, which identifies a record", id.added(context, message));
    };
    let mut declaration = declaration(part).with(PRIMARY);
    let mut import = String::new();
    // A Create that leaves an integer out would store 0, which is warned about.
    if types::is_integer(&types::field_type(&part.field).0) {
        declaration = declaration.with("(google.api.field_behavior) = REQUIRED");
        import = types::import(&file, "google.api.field_behavior");
    }
    let marked = declaration.head(&file, part.number());
    format!("{import}mark the field that identifies a record: `{marked}`")
}

/// A field that looks like a key.
fn candidate(parts: &[Part]) -> Option<&Part> {
    let is_free = |part: &Part| {
        let (ty, wrapper) = types::field_type(&part.field);
        let hidden = [Access::OutputOnly, Access::InputOnly].contains(&part.options.value.access());
        let sent = !matches!(ty, FieldType::Timestamp | FieldType::Duration);
        let own = part.managed.is_none_or(|managed| managed == Managed::Id);
        let ordered = types::unordered(&part.field).is_none();
        ordered && !wrapper && sent && own && !hidden && types::oneof(&part.field).is_none()
    };
    let named = |part: &Part| {
        let name = part.name();
        name == "id" || name == "name" || name.ends_with("_id")
    };
    let free: Vec<&Part> = parts.iter().filter(|part| is_free(part)).collect();
    let plain = |part: &&Part| !types::is_declared_optional(&part.field);
    let (plain, optional): (Vec<&Part>, Vec<&Part>) = free.into_iter().partition(plain);
    let find = |parts: &[&'_ Part]| parts.iter().position(|part| named(part));
    match (find(&plain), find(&optional)) {
        (Some(position), _) => plain.get(position).copied(),
        (None, Some(position)) => optional.get(position).copied(),
        (None, None) => plain.first().copied(),
    }
}

/// The field as a part of the key.
fn declaration(part: &Part) -> Declaration {
    let scalar = scalar(part);
    Declaration::key(scalar.trim_start_matches("repeated "), part.name())
}

fn check_type(context: &Context, part: &Part) {
    let field = &part.field;
    let span = part.options.span("index");
    if let Some(why) = types::unordered(field) {
        let help = match field.kind() {
            Kind::Message(_) | Kind::Float | Kind::Double => {
                "use a string, bytes, an integer, a bool, an enum, a Timestamp or a Duration"
                    .to_owned()
            }
            _ => {
                let own = declaration(part).head(&field.parent_file(), part.number());
                format!("declare it as `{own}`")
            }
        };
        context.report(catalog::key_type(span, part.name(), &why, &help));
        return;
    }
    let (_, wrapper) = types::field_type(field);
    let proto2 = field.parent_file().syntax() == Syntax::Proto2;
    let declared = declaration(part).head(&field.parent_file(), part.number());
    let (what, help) = if types::oneof(field).is_some() {
        ("a member of a oneof may be absent", format!("move `{declared}` out of the oneof"))
    } else if wrapper {
        ("a wrapper may be absent", format!("declare it as `{declared}`"))
    } else if proto2 && !field.is_required() {
        ("in proto2 a key must be `required`", format!("declare it as `{declared}`"))
    } else if types::is_declared_optional(field) {
        ("an `optional` field may be absent", format!("declare it as `{declared}`"))
    } else {
        return;
    };
    context.report(catalog::key_presence(span, part.name(), what, &help));
}

/// The type that the field would have as a plain scalar.
fn scalar(part: &Part) -> String {
    let (ty, wrapper) = types::field_type(&part.field);
    match (wrapper, part.field.kind()) {
        (true, Kind::Message(_)) => format!("{ty:?}").to_lowercase(),
        _ => types::declared(&part.field),
    }
}
