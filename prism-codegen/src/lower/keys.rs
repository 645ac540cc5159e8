//! Request fields that identify records.

use prism_schema::{FieldType, RequestField, Role};
use prost_reflect::{Kind, MessageDescriptor};

use super::request::{Bound, Candidate};
use super::{operation, types};
use crate::diagnostics::catalog::role as catalog;

/// Number of the key field that a request field stands for.
pub(super) fn key(bound: &Bound, candidate: &Candidate) -> Option<u32> {
    let target = candidate.target();
    let Some(column) = bound.column(target).filter(|_| bound.is_key(target)) else {
        let (entity, names) = (bound.entity.message.name(), listed(&bound.key_names()));
        let span = candidate.target_span();
        bound.context.report(catalog::not_a_key_field(span, target, entity, &names));
        return None;
    };
    same_type(bound, candidate, column.number, false)?;
    Some(column.number)
}

/// Whether a field of a BatchGet is called as the key, as its plural, or `keys`.
pub(super) fn is_named(bound: &Bound, candidate: &Candidate) -> bool {
    if !candidate.field.is_list() {
        return false;
    }
    if !candidate.options.value.entity_field.is_empty() {
        return true;
    }
    let scalar = key_message(candidate).is_none();
    let name = candidate.name();
    let named = bound
        .key_names()
        .iter()
        .any(|key| key == name || operation::plurals(key).iter().any(|plural| plural == name));
    scalar && (named || name == "keys")
}

/// `field` and `parts` of a repeated key.
pub(super) fn keys(bound: &Bound, candidate: &Candidate) -> Option<(u32, Vec<(u32, u32)>)> {
    let entity = bound.entity.message.name();
    let names = bound.key_names();
    let schema = &bound.entity.model.schema;
    if let Some(message) = key_message(candidate) {
        return Some((0, parts(bound, &message)?));
    }
    let [number] = schema.key.as_slice() else {
        bound.context.report(catalog::composite_keys(&candidate.span, entity, &listed(&names)));
        return None;
    };
    let own = &candidate.options.value.entity_field;
    if !own.is_empty() && !names.contains(own) {
        let span = candidate.target_span();
        bound.context.report(catalog::not_a_key_field(span, own, entity, &listed(&names)));
        return None;
    }
    same_type(bound, candidate, *number, true)?;
    Some((*number, Vec::new()))
}

/// The message of a repeated field that holds the parts of a key. A time is one part, as a scalar.
fn key_message(candidate: &Candidate) -> Option<MessageDescriptor> {
    let Kind::Message(message) = candidate.field.kind() else { return None };
    let (ty, _) = types::field_type(&candidate.field);
    let parts = candidate.field.is_list() && matches!(ty, FieldType::Message(_));
    parts.then_some(message)
}

/// The fields of a ROLE_KEYS message: all of the key's, and nothing else.
fn parts(bound: &Bound, message: &MessageDescriptor) -> Option<Vec<(u32, u32)>> {
    let names = bound.key_names();
    let entity = bound.entity.message.name();
    let mut parts = Vec::new();
    let mut sound = true;
    for field in message.fields() {
        let candidate = bound.candidate(field);
        let column = bound.column(candidate.target()).filter(|_| bound.is_key(candidate.target()));
        match column {
            Some(column) => {
                sound &= same_type(bound, &candidate, column.number, false).is_some();
                parts.push((candidate.field.number(), column.number));
            }
            None => {
                let found = catalog::keys_part(
                    &candidate.span,
                    candidate.name(),
                    message.name(),
                    entity,
                    &listed(&names),
                );
                bound.context.report(found);
                sound = false;
            }
        }
    }
    for number in &bound.entity.model.schema.key {
        if sound && !parts.iter().any(|(_, key)| key == number) {
            bound.report_missing(message, "complete key", &declaration_of(bound, *number));
            sound = false;
        }
    }
    sound.then_some(parts)
}

/// Get, Delete and Undelete need every part of the key.
pub(super) fn check_complete(
    bound: &Bound,
    message: &MessageDescriptor,
    found: &[(RequestField, prism_options::Span)],
) {
    let schema = &bound.entity.model.schema;
    for number in &schema.key {
        let Some(column) = schema.column(*number) else { continue };
        let present =
            found.iter().any(|(field, _)| field.role == Role::Key && field.field == *number);
        let attempted = message.get_field_by_name(&column.field).is_some();
        if !present && !attempted {
            let what = format!("`{}`", column.field);
            bound.report_missing(message, &what, &declaration_of(bound, *number));
        }
    }
}

/// The declaration that a BatchGet request could have.
pub(super) fn declaration(bound: &Bound) -> String {
    match bound.entity.model.schema.key.as_slice() {
        [number] => {
            let name = bound.key_names().concat();
            let plural = operation::plurals(&name).swap_remove(0);
            let single = declaration_of(bound, *number);
            format!("repeated {}", single.replacen(&format!(" {name}"), &format!(" {plural}"), 1))
        }
        _ => format!("repeated {}Key keys", bound.entity.message.name()),
    }
}

fn declaration_of(bound: &Bound, number: u32) -> String {
    let field = bound.entity.message.get_field(number);
    field.map(|it| format!("{} {}", types::declared(&it), it.name())).unwrap_or_default()
}

/// Reports a request field whose type is not that of the entity's field.
pub(super) fn same_type(
    bound: &Bound,
    candidate: &Candidate,
    number: u32,
    repeated: bool,
) -> Option<()> {
    let field = bound.entity.message.get_field(number)?;
    let (wanted, _) = types::field_type(&field);
    let (actual, _) = types::field_type(&candidate.field);
    let list = candidate.field.is_list() || candidate.field.is_map();
    if wanted == actual && list == repeated {
        return Some(());
    }
    let role = format!("`{}` of `{}`", field.name(), bound.entity.message.name());
    let prefix = if repeated { "repeated " } else { "" };
    let wanted = format!("{prefix}{}", types::declared(&field));
    let actual = types::declared(&candidate.field);
    let span = bound.context.reader.name_span(&candidate.field);
    let found = catalog::role_type(&span, candidate.name(), &role, &wanted, &actual);
    let there = bound.context.reader.name_span(&field);
    bound.context.report(found.with(&there, "the field that it stands for"));
    None
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
