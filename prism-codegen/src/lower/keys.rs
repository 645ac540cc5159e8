//! Request fields that identify records.

use prism_options::spec;
use prism_schema::{FieldType, RequestField, Role};
use prost_reflect::{Kind, MessageDescriptor};

use super::needs::Declaration;
use super::request::{Bound, Candidate, free_numbers};
use super::{oneofs, operation, support, types};
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
    let scalar = parts_message(candidate).is_none();
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
    if let Some(message) = parts_message(candidate) {
        return Some((0, parts(bound, &message)?));
    }
    let [number] = schema.key.as_slice() else {
        let help = composite(bound, candidate);
        bound.context.report(catalog::composite_keys(&candidate.span, entity, &help));
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
fn parts_message(candidate: &Candidate) -> Option<MessageDescriptor> {
    let Kind::Message(message) = candidate.field.kind() else { return None };
    let (ty, _) = types::field_type(&candidate.field);
    let parts = candidate.field.is_list() && matches!(ty, FieldType::Message(_));
    parts.then_some(message)
}

/// The fields of a ROLE_KEYS message: all of the key's, and nothing else.
fn parts(bound: &Bound, message: &MessageDescriptor) -> Option<Vec<(u32, u32)>> {
    let names = bound.key_names();
    let entity = bound.entity.message.name();
    let mut parts: Vec<(u32, u32)> = Vec::new();
    let mut members: Vec<oneofs::Member> = Vec::new();
    let mut sound = true;
    for field in message.fields() {
        let candidate = bound.candidate(field);
        let role = candidate.options.value.role();
        let honoured = !support::is_refused(role.as_str_name());
        if honoured && !matches!(role, spec::Role::Unspecified | spec::Role::Equals) {
            let found = catalog::key_role(&candidate.span, role.as_str_name(), message.name());
            bound.context.report(found);
            sound = false;
        }
        let column = bound.column(candidate.target()).filter(|_| bound.is_key(candidate.target()));
        match column {
            Some(column) => {
                sound &= same_type(bound, &candidate, column.number, false).is_some();
                let number = candidate.field.number();
                let (field, span) = (candidate.field.clone(), candidate.span.clone());
                if let Some(twin) = parts.iter().position(|(_, key)| *key == column.number) {
                    let role = format!("field for `{}`", column.field);
                    let found = catalog::duplicate_role(&span, candidate.name(), &role);
                    bound.context.report(found.with(&members[twin].span, "the first is here"));
                    sound = false;
                    continue;
                }
                parts.push((number, column.number));
                members.push(oneofs::Member { field, span, needed: true });
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
    oneofs::check(bound.context, &members);
    (sound && has_all(bound, message, &parts)).then_some(parts)
}

/// Whether the fields of a ROLE_KEYS message are the whole key; what is missing is reported.
fn has_all(bound: &Bound, message: &MessageDescriptor, parts: &[(u32, u32)]) -> bool {
    let mut numbers = free_numbers(message);
    let mut complete = true;
    for number in &bound.entity.model.schema.key {
        if !parts.iter().any(|(_, key)| key == number) {
            let declaration = Declaration::plain(declaration_of(bound, *number));
            bound.report_missing(message, "complete key", &declaration, &mut numbers);
            complete = false;
        }
    }
    complete
}

/// Get, Delete and Undelete need every part of the key.
pub(super) fn check_complete(
    bound: &Bound,
    message: &MessageDescriptor,
    found: &[(RequestField, prism_options::Span)],
    numbers: &mut impl Iterator<Item = u32>,
) {
    let schema = &bound.entity.model.schema;
    for number in &schema.key {
        let Some(column) = schema.column(*number) else { continue };
        let present =
            found.iter().any(|(field, _)| field.role == Role::Key && field.field == *number);
        let attempted = message.get_field_by_name(&column.field).is_some();
        if !present && !attempted {
            let what = format!("`{}`", column.field);
            let declaration = Declaration::plain(declaration_of(bound, *number));
            bound.report_missing(message, &what, &declaration, numbers);
        }
    }
}

/// The declaration that a BatchGet request could have.
pub(super) fn declaration(bound: &Bound) -> Declaration {
    match bound.entity.model.schema.key.as_slice() {
        [number] => {
            let field = bound.entity.message.get_field(*number);
            let ty = field.map(|it| types::declared(&it)).unwrap_or_default();
            let plural = operation::plurals(&bound.key_names().concat()).swap_remove(0);
            Declaration::plain(format!("repeated {ty} {plural}"))
        }
        _ => Declaration {
            field: format!("repeated {}Key keys", bound.entity.message.name()),
            role: Some("ROLE_KEYS"),
            first: Some(format!("declare `{}`", key_message(bound))),
        },
    }
}

/// A message with the parts of the key.
fn key_message(bound: &Bound) -> String {
    let fields: String = (1..)
        .zip(declarations(bound))
        .map(|(number, field)| Declaration::plain(field).numbered(number) + " ")
        .collect();
    format!("message {}Key {{ {fields}}}", bound.entity.message.name())
}

/// Help for a BatchGet field that cannot hold the key of a record: the key has several parts.
fn composite(bound: &Bound, candidate: &Candidate) -> String {
    let declaration = Declaration {
        field: format!("repeated {}Key {}", bound.entity.message.name(), candidate.name()),
        ..declaration(bound)
    };
    let field = declaration.numbered(candidate.field.number());
    format!("declare `{}`, and write `{field}`", key_message(bound))
}

/// Help for a repeated BatchGet field without a role.
pub(super) fn help(bound: &Bound, candidate: &Candidate) -> String {
    let mark = "mark it `[(prism.field).role = ROLE_KEYS]`";
    let single = bound.entity.model.schema.key.len() == 1;
    match candidate.field.kind() {
        Kind::Message(message) if is_key_message(bound, &message) => mark.to_owned(),
        _ if single => format!("write `{}`", declaration(bound).numbered(candidate.field.number())),
        _ => composite(bound, candidate),
    }
}

/// Whether a message has the parts of the key, and nothing else.
fn is_key_message(bound: &Bound, message: &MessageDescriptor) -> bool {
    let names = bound.key_names();
    message.fields().len() == names.len()
        && message.fields().all(|field| names.contains(&bound.candidate(field).target().to_owned()))
}

/// Type and name of each part of the key.
pub(super) fn declarations(bound: &Bound) -> Vec<String> {
    bound.entity.model.schema.key.iter().map(|number| declaration_of(bound, *number)).collect()
}

/// Type and name of the parts of the key that a request has no field for.
pub(super) fn missing(bound: &Bound, message: &MessageDescriptor) -> Vec<(String, String)> {
    let given: Vec<String> =
        message.fields().map(|field| bound.candidate(field).target().to_owned()).collect();
    let parts = bound.entity.model.schema.key.iter();
    parts
        .filter_map(|number| bound.entity.message.get_field(*number))
        .filter(|field| !given.iter().any(|name| name == field.name()))
        .map(|field| (types::declared(&field), field.name().to_owned()))
        .collect()
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
