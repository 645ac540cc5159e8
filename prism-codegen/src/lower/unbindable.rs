//! What a method whose name binds it to nothing was probably meant to be.

use prism_schema::Operation;
use prost_reflect::{Kind, MethodDescriptor};

use super::entity::Lowered as Entity;
use super::operation;
use crate::diagnostics::suggest;

/// Verbs that other APIs use, with the operation that they mostly mean.
const VERBS: &[(&str, Operation)] = &[
    ("BatchGet", Operation::BatchGet),
    ("MultiGet", Operation::BatchGet),
    ("GetAll", Operation::List),
    ("Get", Operation::Get),
    ("Fetch", Operation::Get),
    ("Read", Operation::Get),
    ("Retrieve", Operation::Get),
    ("Find", Operation::Get),
    ("Load", Operation::Get),
    ("Lookup", Operation::Get),
    ("Describe", Operation::Get),
    ("List", Operation::List),
    ("Query", Operation::List),
    ("Browse", Operation::List),
    ("Create", Operation::Create),
    ("Add", Operation::Create),
    ("Insert", Operation::Create),
    ("Register", Operation::Create),
    ("Put", Operation::Put),
    ("Upsert", Operation::Put),
    ("Save", Operation::Put),
    ("Set", Operation::Put),
    ("Store", Operation::Put),
    ("Replace", Operation::Put),
    ("Update", Operation::Update),
    ("Edit", Operation::Update),
    ("Modify", Operation::Update),
    ("Patch", Operation::Update),
    ("Delete", Operation::Delete),
    ("Remove", Operation::Delete),
    ("Undelete", Operation::Undelete),
    ("Restore", Operation::Undelete),
];

pub(super) const BY_HAND: &str = "write `option (prism.method) = {operation: OPERATION_CUSTOM, \
                       required_permissions: PERMISSION_WRITE};` to implement it in Rust";

/// What to write instead. Each form passes the check of the method's name.
pub(super) fn help(method: &MethodDescriptor, entity: &Entity, entities: &[Entity]) -> String {
    let name = method.name();
    let verb = VERBS
        .iter()
        .find_map(|(verb, operation)| Some((*verb, *operation, name.strip_prefix(verb)?)));
    let Some((verb, operation, rest)) = verb else { return misspelt(name, entity) };
    let own =
        |other: &&Entity| operation::names(rest, other.message.name(), other.plural.as_deref());
    if let Some(other) = entities.iter().find(own).filter(|it| it.message != entity.message) {
        let other = other.message.full_name();
        return format!("name the entity: `option (prism.method).entity = \".{other}\";`");
    }
    let singular = entity.message.name();
    let about = operation::names(rest, singular, entity.plural.as_deref());
    let many = returns_many(method, entity);
    let (operation, option) = match operation {
        Operation::Get | Operation::List if many => (Operation::List, "OPERATION_LIST"),
        Operation::Get => (Operation::Get, "OPERATION_GET"),
        Operation::List => (Operation::List, "OPERATION_LIST"),
        Operation::BatchGet => (Operation::BatchGet, "OPERATION_BATCH_GET"),
        Operation::Create => (Operation::Create, "OPERATION_CREATE"),
        Operation::Put => (Operation::Put, "OPERATION_PUT"),
        Operation::Update => (Operation::Update, "OPERATION_UPDATE"),
        Operation::Delete => (Operation::Delete, "OPERATION_DELETE"),
        Operation::Undelete => (Operation::Undelete, "OPERATION_UNDELETE"),
    };
    let option = format!("write `option (prism.method).operation = {option};`");
    let plural = matches!(operation, Operation::List | Operation::BatchGet);
    if about {
        let name = operation::standard_name(operation, singular, entity.plural.as_deref());
        return format!("call it `{name}`, or {option}");
    }
    let spelt = plural && matches!(verb, "List" | "BatchGet") && is_word(rest);
    if spelt && entity.plural.is_none() && many && !rest.contains("By") {
        return format!(
            "write `plural: \"{rest}\"` in the (prism.message) of `{singular}`, or {option}"
        );
    }
    if rest.starts_with(singular) || many {
        return format!("{option}, or {BY_HAND}");
    }
    misspelt(name, entity)
}

/// Help for a method whose name begins with no verb of an operation.
fn misspelt(name: &str, entity: &Entity) -> String {
    // A batch of writes resembles the batch that reads, and is something else.
    if name.starts_with("Batch") && !name.starts_with("BatchGet") {
        return BY_HAND.to_owned();
    }
    let (singular, plural) = (entity.message.name(), entity.plural.as_deref());
    let names: Vec<String> = operation::ALL
        .iter()
        .map(|operation| operation::standard_name(*operation, singular, plural))
        .collect();
    match suggest::misspelt(name, names.iter().map(String::as_str)) {
        Some(close) => format!("call it `{close}`, or {BY_HAND}"),
        None => BY_HAND.to_owned(),
    }
}

/// Whether the response has a list of the entity.
fn returns_many(method: &MethodDescriptor, entity: &Entity) -> bool {
    let of_entity =
        |kind: Kind| matches!(kind, Kind::Message(message) if message == entity.message);
    method.output().fields().any(|field| field.is_list() && of_entity(field.kind()))
}

/// Whether a text can be a plural: letters and digits, the first one a capital.
fn is_word(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_uppercase())
        && text.chars().all(|it| it.is_ascii_alphanumeric())
}
