//! The primary key.

use prism_options::spec::IndexKind;
use prost_reflect::{Kind, MessageDescriptor, Syntax};

use super::context::Context;
use super::field::Part;
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
        context.report(entity::no_key(&span, name, &candidate(parts)));
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

/// The declaration of a field that looks like a key, for the help.
fn candidate(parts: &[Part]) -> String {
    let plain =
        |part: &&Part| types::unordered(&part.field).is_none() && !part.field.supports_presence();
    let named = parts.iter().filter(plain).find(|part| {
        let name = part.name();
        name == "id" || name == "name" || name.ends_with("_id")
    });
    match named.or_else(|| parts.iter().find(plain)) {
        Some(part) => {
            format!("{} {} = {}", types::declared(&part.field), part.name(), part.number())
        }
        None => "string id = 1".to_owned(),
    }
}

fn check_type(context: &Context, part: &Part) {
    let field = &part.field;
    let span = part.options.span("index");
    if let Some(why) = types::unordered(field) {
        context.report(catalog::key_type(span, part.name(), &why));
        return;
    }
    let (_, wrapper) = types::field_type(field);
    let proto2 = field.parent_file().syntax() == Syntax::Proto2;
    let declared = format!("{} {} = {}", scalar(part), part.name(), part.number());
    let (what, help) = if types::oneof(field).is_some() {
        ("a member of a oneof may be absent", format!("move `{declared}` out of the oneof"))
    } else if wrapper {
        ("a wrapper may be absent", format!("declare it as `{declared}`"))
    } else if proto2 && !field.is_required() {
        ("in proto2 a key must be `required`", format!("declare it as `required {declared}`"))
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
