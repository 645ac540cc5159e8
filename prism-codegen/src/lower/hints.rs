//! Warnings of what is right and probably not meant.

use std::collections::BTreeSet;

use heck::ToSnakeCase as _;
use prism_options::Behavior;
use prism_options::spec::IndexKind;
use prism_schema::Operation;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, ServiceDescriptor};

use super::context::Context;
use super::entity::Lowered;
use super::proposal::{Declaration, entity_field};
use super::{operation, service, types};
use crate::diagnostics::catalog::warning as catalog;

/// Warns of a service without `(prism.service)` that stands beside entities or speaks of them.
pub(super) fn unserved(context: &Context, service: &ServiceDescriptor, entities: &[Lowered]) {
    let file = service.parent_file();
    let beside = entities.iter().any(|entity| entity.message.parent_file() == file);
    let speaks = || {
        let messages = service.methods().flat_map(|method| [method.input(), method.output()]);
        messages.into_iter().any(|message| {
            is_entity(context, &message)
                || message.fields().any(|field| entity_of(context, &field).is_some())
        })
    };
    if !beside && !speaks() {
        return;
    }
    let name = service.name();
    let serve = serve_help(service, entities);
    let help = format!("{serve}; a service that Prism does not serve belongs in a file of its own");
    let span = context.reader.name_span(service);
    context.report(catalog::unserved(&span, name, &help));
}

/// What to write so that Prism serves a service.
pub(super) fn serve_help(service: &ServiceDescriptor, entities: &[Lowered]) -> String {
    let name = service.name();
    let bound = |entity: &&Lowered| {
        let (message, plural) = (entity.message.name(), entity.plural.as_deref());
        let named = |method: &str| operation::by_name(method, message, plural).is_some();
        service.methods().filter(|method| named(method.name())).count()
    };
    let best = entities.iter().max_by_key(bound).filter(|entity| bound(entity) > 0);
    match best {
        Some(entity) => format!(
            "write `option (prism.service).entity = \"{}\";` in `{name}` to bind its methods to \
             storage",
            entity.message.name()
        ),
        None => format!(
            "write `option (prism.service).require_auth = false;` in `{name}` to serve it with code \
             of your own"
        ),
    }
}

fn is_entity(context: &Context, message: &MessageDescriptor) -> bool {
    matches!(context.reader.entity(message), Ok(Some(_)))
}

/// The entity that a field, an item of it or a value of its map is.
fn entity_of(context: &Context, field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let Kind::Message(message) = field.kind() else { return None };
    if field.is_map() {
        return entity_of(context, &message.map_entry_value_field());
    }
    is_entity(context, &message).then_some(message)
}

/// Warns of fields within an entity whose type is an entity.
pub(super) fn copies(context: &Context, entity: &MessageDescriptor) {
    let mut seen = BTreeSet::from([entity.full_name().to_owned()]);
    let mut open = vec![entity.clone()];
    while let Some(message) = open.pop() {
        for field in message.fields() {
            if let Some(other) = entity_of(context, &field) {
                let help = reference_help(context, &field, &other);
                let span = context.reader.name_span(&field);
                context.report(catalog::copied(&span, field.name(), other.name(), &help));
            } else if let Kind::Message(inner) = field.kind()
                && seen.insert(inner.full_name().to_owned())
            {
                open.push(inner);
            }
        }
    }
}

fn reference_help(
    context: &Context,
    field: &FieldDescriptor,
    entity: &MessageDescriptor,
) -> String {
    const COPY: &str = "to store a copy, declare a message without (prism.message) for it";
    let key: Vec<FieldDescriptor> =
        entity.fields().filter(|field| is_key(context, field)).collect();
    let refer = match key.as_slice() {
        [key] if !field.is_map() => {
            let stem = match field.is_list() {
                true => entity_field(entity),
                false => field.name().to_owned(),
            };
            let (prefix, end) = if field.is_list() { ("repeated ", "s") } else { ("", "") };
            let name = format!("{stem}_{}{end}", key.name());
            let parent = field.parent_message();
            let own = Declaration::new(format!("{prefix}{}", types::declared(key)), name.as_str());
            match parent.get_field_by_name(&name) {
                Some(_) => format!("remove the field: `{name}` refers to the record already"),
                None => format!(
                    "to refer to the record, {}store its key: `{}`",
                    own.first(&parent.parent_file()),
                    own.placed(parent, field.number())
                ),
            }
        }
        [] => "to refer to the record, store its key".to_owned(),
        parts => {
            let names: Vec<String> = parts.iter().map(|it| format!("`{}`", it.name())).collect();
            format!("to refer to the record, store its key: {}", names.join(" and "))
        }
    };
    format!("{refer}; {COPY}")
}

fn is_key(context: &Context, field: &FieldDescriptor) -> bool {
    let Ok(Some(options)) = context.reader.field(field) else { return false };
    let kind = options.value.index();
    matches!(kind, IndexKind::Primary | IndexKind::PartitionKey | IndexKind::ClusteringKey)
}

/// Warns of a numeric id that a Create does not fill in.
pub(super) fn zero_keys(context: &Context, entities: &[Lowered], services: &[service::Lowered]) {
    let methods = services.iter().flat_map(|service| &service.model.schema.methods);
    let mut seen = BTreeSet::new();
    for method in methods {
        let Some(binding) = &method.binding else { continue };
        let Some(entity) = entities.iter().find(|it| it.message.full_name() == binding.entity)
        else {
            continue;
        };
        if binding.operation != Operation::Create || !seen.insert(&binding.entity) {
            continue;
        }
        let Some(field) = numeric_id(entity) else { continue };
        if context.reader.behaviors(&field).contains(Behavior::Required) {
            continue;
        }
        let span = context.reader.name_span(&field);
        let help = zero_help(context, &field);
        context.report(catalog::zero_key(&span, &method.name, field.name(), &help));
    }
}

/// Help for a numeric id: what the server chooses is never alone in a partition.
fn zero_help(context: &Context, field: &FieldDescriptor) -> String {
    let file = field.parent_file();
    let import = types::import(&file, "google.api.field_behavior");
    let required =
        format!("{import}mark it `(google.api.field_behavior) = REQUIRED`, so that 0 is refused");
    let index = context.reader.field(field).ok().flatten().map(|own| own.value.index());
    if index == Some(IndexKind::PartitionKey) {
        return required;
    }
    let own = Declaration::key("string", field.name()).head(&file, field.number());
    format!(
        "declare it as `{own}` with `(prism.field).managed = MANAGED_ID`, so that the server \
         chooses it; or {required}"
    )
}

/// The integer that alone tells the records of an entity, or of a partition, apart: a primary key
/// of any name, a clustering key that is called an id.
fn numeric_id(entity: &Lowered) -> Option<FieldDescriptor> {
    let schema = &entity.model.schema;
    let column = schema.column(*schema.key.last()?)?;
    let integer = types::is_integer(&column.ty);
    let own = format!("{}_id", entity.message.name().to_snake_case());
    let named = column.field == "id" || column.field == own;
    let sole = schema.key.len() == 1;
    let clustering = schema.key.len() > schema.partition;
    (integer && (sole || (clustering && named)))
        .then(|| entity.message.get_field(column.number))
        .flatten()
}
