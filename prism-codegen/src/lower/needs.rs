//! What the request of an operation must have, and what a field without a role was meant to be.

use prism_schema::{Operation, Role};
use prost_reflect::{Kind, MessageDescriptor};

use super::request::{Bound, Candidate, PLAIN, by_name};
use super::{keys, operation, types};
use crate::diagnostics::suggest;

/// A field as a help line proposes it.
pub(super) struct Declaration {
    /// Type and name: `repeated OrderKey keys`.
    pub field: String,
    /// The role that the field must be annotated with, if its name does not say it.
    pub role: Option<&'static str>,
    /// What must be done first: `declare …` or `import …`.
    pub first: Option<String>,
}

impl Declaration {
    pub fn plain(field: impl Into<String>) -> Self {
        Declaration { field: field.into(), role: None, first: None }
    }

    /// The declaration with its field number.
    pub fn numbered(&self, number: u32) -> String {
        let field = &self.field;
        match self.role {
            None => format!("{field} = {number};"),
            Some(role) => format!("{field} = {number} [(prism.field).role = {role}];"),
        }
    }
}

/// A field that an operation cannot do without.
pub(super) struct Need {
    pub role: Role,
    /// The role as findings name it.
    pub what: &'static str,
    pub declaration: Declaration,
}

/// What the request needs besides a key.
pub(super) fn of(bound: &Bound) -> Vec<Need> {
    let need = |role, declaration| Need { role, what: operation::role_name(role), declaration };
    let entity = || {
        let name = heck::ToSnakeCase::to_snake_case(bound.entity.message.name());
        let full = bound.entity.message.full_name();
        need(Role::Entity, Declaration::plain(format!("{full} {name}")))
    };
    let mask = || {
        let import = "google/protobuf/field_mask.proto";
        let mut imported = bound.file.dependencies();
        let first =
            (!imported.any(|file| file.name() == import)).then(|| format!("import `{import}`"));
        Declaration { first, ..Declaration::plain("google.protobuf.FieldMask update_mask") }
    };
    match bound.operation {
        Operation::Get | Operation::Delete | Operation::Undelete => Vec::new(),
        Operation::BatchGet => {
            vec![Need { what: "keys", ..need(Role::Keys, keys::declaration(bound)) }]
        }
        Operation::List => vec![need(Role::PageToken, Declaration::plain("string page_token"))],
        Operation::Create | Operation::Put => vec![entity()],
        Operation::Update => vec![entity(), need(Role::UpdateMask, mask())],
    }
}

/// A whole request message of the operation.
pub(super) fn declaration(bound: &Bound) -> String {
    let mut fields: Vec<String> = match bound.operation {
        Operation::Get | Operation::Delete | Operation::Undelete => keys::declarations(bound),
        Operation::List => vec!["int32 page_size".to_owned()],
        _ => Vec::new(),
    };
    let needs = of(bound);
    let first = needs.iter().filter_map(|need| need.declaration.first.clone());
    let first: String = first.map(|first| format!("{first}, ")).collect();
    fields.extend(needs.iter().map(|need| need.declaration.field.clone()));
    let role = needs.iter().find_map(|need| need.declaration.role);
    let body: String = (1..)
        .zip(fields)
        .map(|(number, field)| Declaration { field, role, first: None }.numbered(number) + " ")
        .collect();
    format!("{first}declare `message {}Request {{ {body}}}`", bound.method)
}

/// The role that a field without one was probably meant to have: its absence is not reported
/// beside the field itself.
pub(super) fn meant(bound: &Bound, candidate: &Candidate) -> Option<Role> {
    let field = &candidate.field;
    let declared = types::declared(field);
    let of_entity = matches!(field.kind(), Kind::Message(it) if it == bound.entity.message);
    match bound.operation {
        Operation::BatchGet => field.is_list().then_some(Role::Keys),
        Operation::List => {
            let named = ["token", "cursor", "page"].iter().any(|it| field.name().contains(it));
            (named && declared == "string").then_some(Role::PageToken)
        }
        Operation::Update if declared == "google.protobuf.FieldMask" => Some(Role::UpdateMask),
        Operation::Create | Operation::Put | Operation::Update => of_entity.then_some(Role::Entity),
        _ => None,
    }
}

/// What to write instead of a field without a role.
pub(super) fn help(bound: &Bound, candidate: &Candidate) -> String {
    let name = candidate.name();
    let role = meant(bound, candidate);
    match role {
        Some(Role::Keys) => return keys::help(bound, candidate),
        Some(Role::Entity) => {
            return format!(
                "declare it as `{}`: {:?} writes one record",
                bound.entity.message.full_name(),
                bound.operation
            );
        }
        _ => {}
    }
    let message = candidate.field.parent_message();
    let free = |name: &str| message.get_field_by_name(name).is_none();
    let plain = role.and_then(|role| PLAIN.iter().find(|(_, it)| *it == role));
    if let Some((close, role)) = plain.filter(|(name, _)| free(name)) {
        let role = role_option(*role);
        return format!("call it `{close}`, or mark it `[(prism.field).role = {role}]`");
    }
    let is_column = bound.column(name).is_some();
    if bound.operation == Operation::List && candidate.field.is_list() && is_column {
        return "mark it `[(prism.field).role = ROLE_ANY_OF]` to match any of its values"
            .to_owned();
    }
    // A name that has a role of its own is not a misspelling of another one.
    let known = match by_name(name) {
        Some(_) => Vec::new(),
        None => names(bound, candidate),
    };
    let known = known.iter().map(String::as_str).filter(|known| free(known));
    if let Some(close) = suggest::closest(name, known.collect::<Vec<_>>()) {
        return format!("call it `{close}`");
    }
    unrelated(bound, candidate, message)
}

/// Help for a field that resembles nothing.
fn unrelated(bound: &Bound, candidate: &Candidate, message: &MessageDescriptor) -> String {
    let name = candidate.name();
    let operation = bound.operation;
    let entity = bound.entity.message.name();
    let remove = format!("remove it: {operation:?} takes {}", operation::takes(operation));
    match operation {
        _ if by_name(name).is_some() => remove,
        Operation::List => format!(
            "name the field of `{entity}` that it is compared with, as in \
             `[(prism.field).entity_field = \"{}\"]`, or remove it",
            example(bound, candidate)
        ),
        Operation::Get | Operation::Delete | Operation::Undelete => {
            let declared = types::declared(&candidate.field);
            let part = keys::missing(bound, message).into_iter().find(|(ty, _)| *ty == declared);
            match part {
                Some((_, part)) => format!(
                    "call it `{part}`, or mark it `[(prism.field).entity_field = \"{part}\"]`"
                ),
                None => remove,
            }
        }
        _ if bound.column(name).is_some() => {
            format!("remove it: {operation:?} takes `{name}` from the `{entity}` in the request")
        }
        _ => remove,
    }
}

/// A field of the entity that a condition of this type can compare with.
fn example(bound: &Bound, candidate: &Candidate) -> String {
    let declared = types::declared(&candidate.field);
    let schema = &bound.entity.model.schema;
    let indexed = schema.indexes.iter().filter_map(|index| index.columns.first());
    let leading = schema.key.first().copied().into_iter().chain(indexed.map(|it| it.number));
    let fields = leading.filter_map(|number| bound.entity.message.get_field(number));
    let same = fields.filter(|field| types::declared(field) == declared);
    let name = same.map(|field| field.name().to_owned()).next();
    name.or_else(|| bound.key_names().into_iter().next()).unwrap_or_default()
}

/// Names that would give the field a role, with its type.
fn names(bound: &Bound, candidate: &Candidate) -> Vec<String> {
    let declared = types::declared(&candidate.field);
    let allowed = operation::roles(bound.operation);
    let plain = PLAIN
        .iter()
        .filter(|(_, role)| allowed.contains(role) && bound.type_of(*role) == declared)
        .map(|(name, _)| (*name).to_owned());
    let fields = bound.entity.message.fields().filter(|field| match bound.operation {
        Operation::List => true,
        Operation::Get | Operation::Delete | Operation::Undelete => bound.is_key(field.name()),
        _ => false,
    });
    let fields = fields.filter(|field| types::declared(field) == declared);
    plain.chain(fields.map(|field| field.name().to_owned())).collect()
}

/// The option's value for a role that has a name of its own.
fn role_option(role: Role) -> String {
    format!("ROLE_{}", operation::role_name(role).to_uppercase())
}
