//! Columns that hold protobuf's JSON form: the one place that knows it, for the server and for
//! rewriting copies. <https://protobuf.dev/programming-guides/json/>

use prost::Message as _;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, MessageDescriptor, ReflectMessage as _, SerializeOptions,
    Value,
};

/// Why a value has no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What should be protobuf's binary form is not.
    #[error("is malformed")]
    Malformed,
    /// A value that JSON cannot stand for.
    #[error("has no JSON form")]
    NoForm,
}

/// The JSON of one field of a message, from the field's wire records.
///
/// # Errors
///
/// Where the records are malformed, or hold what JSON has no form for.
pub fn from_wire(message: &MessageDescriptor, number: u32, raw: &[u8]) -> Result<String, Error> {
    let decoded = DynamicMessage::decode(message.clone(), raw).map_err(|_| Error::Malformed)?;
    from_message(&decoded, number)
}

/// The JSON of one field of a message.
///
/// # Errors
///
/// Where it holds what JSON has no form for.
pub fn from_message(message: &DynamicMessage, number: u32) -> Result<String, Error> {
    if !has_json_form(message) {
        return Err(Error::NoForm);
    }
    let json = message
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .map_err(|_| Error::NoForm)?;
    let field = message.descriptor().get_field(number).ok_or(Error::Malformed)?;
    Ok(match json.get(field.json_name()) {
        Some(value) => value.to_string(),
        None if field.is_list() => "[]".to_owned(),
        None if field.is_map() => "{}".to_owned(),
        None => return Err(Error::NoForm),
    })
}

/// Whether every `google.protobuf.Value` in a message is one of JSON's: of some kind, and no NaN
/// or infinity. Others would come back as something else.
fn has_json_form(message: &DynamicMessage) -> bool {
    if message.descriptor().full_name() == "google.protobuf.Value" {
        match message.fields().next() {
            None => return false,
            Some((_, Value::F64(number))) if !number.is_finite() => return false,
            Some(_) => {}
        }
    }
    message.fields().all(|(_, value)| value_has_json_form(value))
}

fn value_has_json_form(value: &Value) -> bool {
    match value {
        Value::Message(message) => has_json_form(message),
        Value::List(items) => items.iter().all(value_has_json_form),
        Value::Map(entries) => entries.values().all(value_has_json_form),
        _ => true,
    }
}

/// The wire records of one field of a message, from its JSON. `None` where that is none.
pub fn to_wire(message: &MessageDescriptor, number: u32, json: &str) -> Option<Vec<u8>> {
    to_message(message, number, json).map(|decoded| decoded.encode_to_vec())
}

/// A message with one field, from the field's JSON. `None` where that is none.
pub fn to_message(message: &MessageDescriptor, number: u32, json: &str) -> Option<DynamicMessage> {
    let field = message.get_field(number)?;
    let mut text = String::with_capacity(json.len() + field.json_name().len() + 6);
    text.push('{');
    text.push_str(&serde_json::to_string(field.json_name()).ok()?);
    text.push(':');
    text.push_str(json);
    text.push('}');
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    // What an older schema wrote, and this one does not know, is left out.
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let decoded =
        DynamicMessage::deserialize_with_options(message.clone(), &mut deserializer, &options)
            .ok()?;
    deserializer.end().ok()?;
    Some(decoded)
}
