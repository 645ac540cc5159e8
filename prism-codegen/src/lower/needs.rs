//! What the request of an operation must have, and what a field without a role was meant to be.

use prism_schema::{Operation, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::proposal::{Declaration, entity_field};
use super::request::{Bound, Candidate, PLAIN, by_name};
use super::{condition, keys, operation, types};
use crate::diagnostics::suggest;

/// A field that an operation cannot do without.
pub(super) struct Need {
    pub role: Role,
    /// Number of the part of the key that a field of the role `Key` stands for.
    pub field: u32,
    /// The role as findings name it.
    pub what: String,
    pub declaration: Declaration,
}

/// What the request needs.
pub(super) fn of(bound: &Bound) -> Vec<Need> {
    let need = |role, declaration| {
        let what = operation::role_name(role).to_owned();
        Need { role, field: 0, what, declaration }
    };
    let entity = || {
        let message = &bound.entity.message;
        need(Role::Entity, Declaration::new(message.full_name(), entity_field(message)))
    };
    let plain = |role| need(role, of_role(role, bound.type_of(role)));
    match bound.operation {
        Operation::Get | Operation::Delete | Operation::Undelete => {
            keys::declarations(bound).map(|(field, declaration)| part(field, declaration)).collect()
        }
        Operation::BatchGet => {
            vec![Need { what: "keys".to_owned(), ..need(Role::Keys, keys::declaration(bound)) }]
        }
        Operation::List => vec![plain(Role::PageToken)],
        Operation::Create | Operation::Put => vec![entity()],
        Operation::Update => vec![entity(), plain(Role::UpdateMask)],
    }
}

/// A field with a role that does not stand for a field of the entity.
pub(super) fn of_role(role: Role, ty: &str) -> Declaration {
    let mark = format!("(prism.field).role = {}", role_option(role));
    Declaration::new(ty, operation::role_name(role)).or_marked(mark)
}

fn part(field: u32, declaration: Declaration) -> Need {
    Need { role: Role::Key, field, what: format!("`{}`", declaration.name), declaration }
}

/// What must be written first, and a whole request message of the operation.
fn declaration(bound: &Bound) -> (String, String) {
    let mut fields: Vec<Declaration> = Vec::new();
    if bound.operation == Operation::List {
        fields.push(of_role(Role::PageSize, bound.type_of(Role::PageSize)));
    }
    fields.extend(of(bound).into_iter().map(|need| need.declaration));
    if bound.operation == Operation::Create && bound.idempotent {
        fields.push(of_role(Role::RequestId, bound.type_of(Role::RequestId)));
    }
    let first = |field: &Declaration| {
        let first = field.first(&bound.file);
        first.strip_suffix("and ").map(str::to_owned).unwrap_or(first)
    };
    let first: String = fields.iter().map(first).collect();
    let body: String = (1..)
        .zip(&fields)
        .map(|(number, field)| field.numbered(&bound.file, number) + " ")
        .collect();
    (first, format!("message {}Request {{ {body}}}", bound.method))
}

/// Help for a method whose request is a message that it cannot change.
pub(super) fn own_request(bound: &Bound, message: &MessageDescriptor) -> String {
    let name = format!("{}Request", bound.method);
    match bound.sibling(&name) {
        Some(own) if own == *message && bound.is_entity_message(message) => {
            format!("remove (prism.message) from `{name}`")
        }
        Some(own) if own != *message && bound.takes(&own) => {
            let import = types::import(&bound.file, own.full_name());
            format!("{import}use `{name}` here")
        }
        other => {
            let (first, message) = declaration(bound);
            let verb = if other.is_some() { "declare it anew as" } else { "declare" };
            format!("{first}{verb} `{message}`, and use `{name}` here")
        }
    }
}

/// Whether a field without a role was probably meant to be what is needed.
pub(super) fn takes(bound: &Bound, need: &Need, candidate: &Candidate) -> bool {
    let field = &candidate.field;
    let declared = types::declared(field);
    let message = match field.kind() {
        Kind::Message(message) if !field.is_map() => Some(message),
        _ => None,
    };
    match need.role {
        _ if by_name(candidate.name()).is_some() => false,
        Role::Key => declared == need.declaration.ty,
        Role::Keys => field.is_list() || need.declaration.ty == format!("repeated {declared}"),
        Role::PageToken => {
            let named = ["token", "cursor", "page"].iter().any(|it| field.name().contains(it));
            named && message.is_none() && !field.is_list()
        }
        Role::UpdateMask => {
            declared == need.declaration.ty
                || (field.name().contains("mask") && message.is_none())
                || declared == "repeated string"
        }
        Role::Entity => message.is_some_and(|message| {
            message == bound.entity.message || !message.full_name().starts_with("google.")
        }),
        _ => declared == need.declaration.ty,
    }
}

/// Whether a field of another type, the only one without a role, stands for all that is missing.
pub(super) fn may_become(need: &Need, candidate: &Candidate) -> bool {
    let plain = !candidate.field.is_list() && !matches!(candidate.field.kind(), Kind::Message(_));
    matches!(need.role, Role::Key | Role::Keys) && plain && by_name(candidate.name()).is_none()
}

/// How much a name looks like what is needed.
pub(super) fn likeness(need: &Need, name: &str) -> u8 {
    let wanted = need.declaration.name.as_str();
    match name {
        _ if suggest::closest(name, [wanted]).is_some() => 2,
        _ if name.ends_with(wanted) => 1,
        _ => 0,
    }
}

/// What to write so that a field without a role is what is needed.
pub(super) fn fill(bound: &Bound, candidate: &Candidate, need: &Need) -> String {
    let Declaration { ty, name, .. } = &need.declaration;
    match need.role {
        Role::Keys => keys::help(bound, candidate),
        Role::Entity => {
            let first = need.declaration.first(&candidate.field.parent_file());
            format!("{first}declare it as `{ty}`: {:?} writes one record", bound.operation)
        }
        _ if types::declared(&candidate.field) != *ty => {
            let message = candidate.field.parent_message();
            let first = need.declaration.first(&message.parent_file());
            let field = need.declaration.placed(message, candidate.field.number());
            format!("{first}write `{field}`")
        }
        Role::Key => {
            format!("call it `{name}`, or mark it `[(prism.field).entity_field = \"{name}\"]`")
        }
        role => {
            let role = role_option(role);
            format!("call it `{name}`, or mark it `[(prism.field).role = {role}]`")
        }
    }
}

/// What to write instead of a field without a role, if nothing is missing that it could be.
pub(super) fn help(bound: &Bound, candidate: &Candidate) -> String {
    let name = candidate.name();
    let message = candidate.field.parent_message();
    let is_free = |name: &str| !message.fields().any(|it| bound.candidate(it).target() == name);
    let is_column = bound.column(name).is_some();
    if is_any_of(bound, candidate) {
        return "mark it `[(prism.field).role = ROLE_ANY_OF]` to match any of its values"
            .to_owned();
    }
    if let Some(help) = synonym(bound, candidate).or_else(|| plural(bound, candidate)) {
        return help;
    }
    // A name that has a role of its own is not a misspelling of another one.
    let known = match by_name(name) {
        Some(_) => Vec::new(),
        None => names(bound, candidate),
    };
    let known = known.iter().map(String::as_str).filter(|known| is_free(known));
    if let Some(close) = suggest::closest(name, known.collect::<Vec<_>>()) {
        return format!("call it `{close}`");
    }
    let operation = bound.operation;
    let entity = bound.entity.message.name();
    let remove = format!("remove it: {operation:?} takes {}", operation::takes(operation));
    let plain = by_name(name).is_some();
    match operation {
        Operation::List if !plain => match example(bound, candidate) {
            Some(example) => format!(
                "name the field of `{entity}` that it is compared with, as in \
                 `[(prism.field).entity_field = \"{example}\"]`, or remove it"
            ),
            None => remove,
        },
        Operation::Create | Operation::Put | Operation::Update if is_column && !plain => {
            format!("remove it: {operation:?} takes `{name}` from the `{entity}` in the request")
        }
        _ => remove,
    }
}

/// Whether a list is called as a field of the entity that can have any of its values.
fn is_any_of(bound: &Bound, candidate: &Candidate) -> bool {
    let field = bound.entity.message.get_field_by_name(candidate.name());
    let is_list = bound.operation == Operation::List && candidate.field.is_list();
    field.filter(|_| is_list).is_some_and(|field| {
        types::unordered(&field).is_none()
            && types::field_type(&field).0 == types::field_type(&candidate.field).0
            && condition::is_served(bound, candidate, Role::AnyOf, field.number())
    })
}

/// Help for a field of a List that other APIs call so.
fn synonym(bound: &Bound, candidate: &Candidate) -> Option<String> {
    const NAMES: &[(&str, &str, &str)] = &[
        ("limit", "int32", "page_size"),
        ("max_results", "int32", "page_size"),
        ("per_page", "int32", "page_size"),
        ("sort", "string", "order_by"),
        ("sort_by", "string", "order_by"),
    ];
    let declared = types::declared(&candidate.field);
    let message = candidate.field.parent_message();
    let known = NAMES.iter().find(|(name, ty, plain)| {
        *name == candidate.name() && *ty == declared && message.get_field_by_name(plain).is_none()
    });
    let (_, _, plain) = known.filter(|_| bound.operation == Operation::List)?;
    let role = plain.to_uppercase();
    Some(format!("call it `{plain}`, or mark it `[(prism.field).role = ROLE_{role}]`"))
}

/// Help for a list that is called as the plural of a field that it can be compared with.
fn plural(bound: &Bound, candidate: &Candidate) -> Option<String> {
    let is_list = bound.operation == Operation::List && candidate.field.is_list();
    let (ty, _) = types::field_type(&candidate.field);
    let mut fields = bound.entity.message.fields().filter(|field| {
        let named = operation::plurals(field.name()).iter().any(|it| it == candidate.name());
        is_list
            && named
            && types::field_type(field).0 == ty
            && condition::is_served(bound, candidate, Role::AnyOf, field.number())
    });
    let name = fields.next()?.name().to_owned();
    Some(format!(
        "mark it `[(prism.field).role = ROLE_ANY_OF, (prism.field).entity_field = \"{name}\"]` to \
         match any of its values"
    ))
}

/// A field of the entity that the List can compare this one with, beside its other conditions.
fn example(bound: &Bound, candidate: &Candidate) -> Option<String> {
    let others = bound.conditions_beside(candidate);
    let fits = |field: &FieldDescriptor| {
        let same = types::field_type(field).0 == types::field_type(&candidate.field).0;
        let taken = others.iter().any(|other| other.field == field.number());
        let served = || condition::is_served(bound, candidate, Role::Equals, field.number());
        types::unordered(field).is_none() && same && !taken && served()
    };
    let mut fields = bound.entity.message.fields().filter(|_| !candidate.field.is_list());
    fields.find(fits).map(|field| field.name().to_owned())
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
