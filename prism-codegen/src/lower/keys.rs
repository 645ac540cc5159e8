//! Request fields that identify records.

use std::collections::BTreeSet;

use prism_options::spec;
use prism_schema::FieldType;
use prost_reflect::{Kind, MessageDescriptor};

use super::proposal::Declaration;
use super::request::{Bound, Candidate};
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
    let mut complete = true;
    for (number, declaration) in declarations(bound) {
        if !parts.iter().any(|(_, key)| *key == number) {
            let help = declaration.added(bound.context, message);
            bound.report_missing(message, "complete key", &help);
            complete = false;
        }
    }
    complete
}

/// The declaration that a BatchGet request could have.
pub(super) fn declaration(bound: &Bound) -> Declaration {
    match bound.entity.model.schema.key.as_slice() {
        [number] => {
            let field = bound.entity.message.get_field(*number);
            let ty = field.map(|it| types::declared(&it)).unwrap_or_default();
            let plural = operation::plurals(&bound.key_names().concat()).swap_remove(0);
            let key = bound.key_names().concat();
            Declaration::new(format!("repeated {ty}"), plural)
                .or_marked(format!("(prism.field).entity_field = \"{key}\""))
        }
        _ => {
            let (name, declare) = key_message(bound);
            let keys = Declaration::new(format!("repeated {name}"), "keys");
            keys.with("(prism.field).role = ROLE_KEYS").after(declare)
        }
    }
}

/// The name of a message with the parts of the key, and help to declare it if there is none yet.
fn key_message(bound: &Bound) -> (String, Option<String>) {
    let entity = bound.entity.message.name();
    let names = [format!("{entity}Key"), format!("{}Key", bound.method)];
    let fits = |name: &&String| match bound.sibling(name) {
        Some(message) => is_key_message(bound, &message),
        None => true,
    };
    let [usual, _] = &names;
    let name = names.iter().find(fits).unwrap_or(usual);
    if bound.sibling(name).is_some() {
        return (name.clone(), None);
    }
    let imports: BTreeSet<String> =
        declarations(bound).map(|(_, field)| field.first(&bound.file)).collect();
    let imports: String = imports.into_iter().collect();
    let fields: String = (1..)
        .zip(declarations(bound))
        .map(|(number, (_, field))| field.numbered(&bound.file, number) + " ")
        .collect();
    (name.clone(), Some(format!("{imports}declare `message {name} {{ {fields}}}`")))
}

/// Help for a BatchGet field that cannot hold the key of a record: the key has several parts.
fn composite(bound: &Bound, candidate: &Candidate) -> String {
    let declaration = declaration(bound).called(candidate.name());
    let message = candidate.field.parent_message();
    let field = declaration.placed(message, candidate.field.number());
    format!("{}write `{field}`", declaration.first(&message.parent_file()))
}

/// Help for a BatchGet field without a role that was meant to hold the keys.
pub(super) fn help(bound: &Bound, candidate: &Candidate) -> String {
    let mark = "mark it `[(prism.field).role = ROLE_KEYS]`";
    let single = bound.entity.model.schema.key.len() == 1;
    match candidate.field.kind() {
        Kind::Message(message) if candidate.field.is_list() && is_key_message(bound, &message) => {
            mark.to_owned()
        }
        _ if single => {
            let message = candidate.field.parent_message();
            format!("write `{}`", declaration(bound).placed(message, candidate.field.number()))
        }
        _ => composite(bound, candidate),
    }
}

/// Whether a message has the parts of the key, and nothing else.
fn is_key_message(bound: &Bound, message: &MessageDescriptor) -> bool {
    let names = bound.key_names();
    message.fields().len() == names.len()
        && message.fields().all(|field| names.contains(&bound.candidate(field).target().to_owned()))
}

/// Number and declaration of each part of the key.
pub(super) fn declarations(bound: &Bound) -> impl Iterator<Item = (u32, Declaration)> {
    let key = bound.entity.model.schema.key.iter();
    key.map(|number| (*number, declaration_of(bound, *number)))
}

fn declaration_of(bound: &Bound, number: u32) -> Declaration {
    let field = bound.entity.message.get_field(number);
    let declared = field.map(|it| (types::declared(&it), it.name().to_owned()));
    let (ty, name) = declared.unwrap_or_default();
    let mark = format!("(prism.field).entity_field = \"{name}\"");
    Declaration::new(ty, name).or_marked(mark)
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
    let import = types::import(&candidate.field.parent_file(), &wanted);
    let found = catalog::role_type(&span, candidate.name(), &role, &wanted, &actual, &import);
    let there = bound.context.reader.name_span(&field);
    bound.context.report(found.with(&there, "the field that it stands for"));
    None
}

fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
