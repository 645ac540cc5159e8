//! The names in stored JSON against those that the schema knows.

use prism_schema::names::json_name;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value as Json;

use super::Unreadable;

/// The type whose messages are of any other.
pub(super) const ANY: &str = "google.protobuf.Any";

/// Types whose JSON has no names of fields.
const WITHOUT_NAMES: &[&str] = &[
    "google.protobuf.Timestamp",
    "google.protobuf.Duration",
    "google.protobuf.Struct",
    "google.protobuf.FloatValue",
    "google.protobuf.DoubleValue",
    "google.protobuf.Int32Value",
    "google.protobuf.Int64Value",
    "google.protobuf.UInt32Value",
    "google.protobuf.UInt64Value",
    "google.protobuf.BoolValue",
    "google.protobuf.StringValue",
    "google.protobuf.BytesValue",
    "google.protobuf.FieldMask",
    "google.protobuf.ListValue",
    "google.protobuf.Value",
];

/// Takes the names out that the schema has reserved: an older schema wrote them.
///
/// # Errors
///
/// [`Unreadable::Newer`]: a field, an enum value or a type that the schema does not know.
pub(super) fn resolve(message: &MessageDescriptor, json: &mut Json) -> Result<(), Unreadable> {
    match message.full_name() {
        ANY => any(&message.parent_pool().clone(), json),
        name if WITHOUT_NAMES.contains(&name) => Ok(()),
        _ => members(message, json),
    }
}

fn members(message: &MessageDescriptor, json: &mut Json) -> Result<(), Unreadable> {
    let Json::Object(members) = json else { return Ok(()) };
    let mut retired = Vec::new();
    for (name, value) in members.iter_mut() {
        let field =
            message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name));
        match field {
            Some(field) => resolve_field(&field, value)?,
            None if message.get_extension_by_json_name(name).is_some() => {}
            None if is_reserved(message, name) => retired.push(name.clone()),
            None => return Err(Unreadable::Newer),
        }
    }
    for name in retired {
        members.remove(&name);
    }
    Ok(())
}

fn resolve_field(field: &FieldDescriptor, json: &mut Json) -> Result<(), Unreadable> {
    match (field.kind(), json) {
        (Kind::Message(entry), Json::Object(entries)) if field.is_map() => {
            let value = entry.map_entry_value_field();
            entries.values_mut().try_for_each(|entry| resolve_value(&value.kind(), entry))
        }
        (kind, Json::Array(items)) if field.is_list() => {
            items.iter_mut().try_for_each(|item| resolve_value(&kind, item))
        }
        (kind, json) => resolve_value(&kind, json),
    }
}

fn resolve_value(kind: &Kind, json: &mut Json) -> Result<(), Unreadable> {
    match (kind, json) {
        (Kind::Message(message), json) => resolve(message, json),
        (Kind::Enum(ty), Json::String(name)) if ty.get_value_by_name(name).is_none() => {
            Err(Unreadable::Newer)
        }
        _ => Ok(()),
    }
}

fn any(pool: &DescriptorPool, json: &mut Json) -> Result<(), Unreadable> {
    let Json::Object(members) = json else { return Ok(()) };
    let Some(url) = members.remove("@type") else { return Ok(()) };
    let name = type_of(url.as_str().unwrap_or_default());
    let message = pool.get_message_by_name(name).ok_or(Unreadable::Newer)?;
    if name == ANY || WITHOUT_NAMES.contains(&name) {
        members.get_mut("value").map_or(Ok(()), |value| resolve(&message, value))?;
    } else {
        self::members(&message, json)?;
    }
    if let Json::Object(members) = json {
        members.insert("@type".to_owned(), url);
    }
    Ok(())
}

/// The full name of the type that a type URL ends with.
pub(super) fn type_of(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(_, name)| name)
}

/// Whether a name is one that the message has `reserved`, as it stands there or as the JSON name
/// that follows from it.
fn is_reserved(message: &MessageDescriptor, name: &str) -> bool {
    message.reserved_names().any(|reserved| reserved == name || json_name(reserved) == name)
}
