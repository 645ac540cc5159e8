//! Columns that hold protobuf's JSON form: the one place that knows it, for the server and for
//! rewriting copies. <https://protobuf.dev/programming-guides/json/>
//!
//! What is made of a message is read back and compared before it is handed out, so that nothing is
//! stored that reads as something else. A name that the schema does not know is never passed over:
//! a newer schema wrote it, unless the schema says that it is `reserved`.

mod fault;
mod form;
mod names;
mod same;
mod tree;

use prost::Message as _;
use prost_reflect::{
    DeserializeOptions, DynamicMessage, MessageDescriptor, ReflectMessage as _, SerializeOptions,
};
use serde_json::{Number, Value as Json};

pub use fault::{Step, way_to_fault, way_to_nul};
pub use same::messages as same_messages;
pub use tree::{normal_form, same_text};

/// Why a value has no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What should be protobuf's binary form is not.
    #[error("is malformed")]
    Malformed,
    /// A value that JSON cannot stand for, or that would read back as another one.
    #[error("has no JSON form")]
    NoForm,
}

/// Why JSON is not a value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is not what any version of Prism wrote for the field.
    #[error("cannot be read")]
    Damaged,
    /// It has a name that the schema neither knows nor has reserved.
    #[error("was written by a newer schema")]
    Newer,
}

/// The JSON of a field, and what it reads back as.
#[derive(Debug)]
pub struct Converted {
    /// The text to be stored.
    pub text: String,
    read: DynamicMessage,
}

impl Converted {
    /// Length of what [`to_wire`] makes of the text, in bytes.
    pub fn wire_bytes(&self) -> usize {
        self.read.encoded_len()
    }
}

/// The JSON of one field of a message, from the field's wire records.
///
/// # Errors
///
/// The records are malformed, or hold what JSON has no form for.
pub fn from_wire(message: &MessageDescriptor, number: u32, raw: &[u8]) -> Result<Converted, Error> {
    let decoded = DynamicMessage::decode(message.clone(), raw).map_err(|_| Error::Malformed)?;
    convert(&decoded, number)
}

/// The JSON of the only field that a message has.
///
/// # Errors
///
/// The field holds what JSON has no form for.
pub fn from_message(message: &DynamicMessage, number: u32) -> Result<String, Error> {
    convert(message, number).map(|converted| converted.text)
}

fn convert(message: &DynamicMessage, number: u32) -> Result<Converted, Error> {
    let signed_zeros = form::check(message).map_err(|form::NoForm| Error::NoForm)?;
    let mut json = message
        .serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new())
        .map_err(|_| Error::NoForm)?;
    if signed_zeros {
        spell_signed_zeros(&mut json);
    }
    let field = message.descriptor().get_field(number).ok_or(Error::Malformed)?;
    let text = match json.get(field.json_name()) {
        Some(value) => value.to_string(),
        None if field.is_list() => "[]".to_owned(),
        None if field.is_map() => "{}".to_owned(),
        None => return Err(Error::NoForm),
    };
    match to_message(&message.descriptor(), number, &text) {
        Ok(read) if same::messages(message, &read) => Ok(Converted { text, read }),
        _ => Err(Error::NoForm),
    }
}

/// Writes -0.0 as a text, which protobuf's JSON takes for a number: JSONB makes 0 of the number.
fn spell_signed_zeros(json: &mut Json) {
    match json {
        Json::Number(number) if is_signed_zero(number) => *json = Json::String("-0.0".to_owned()),
        Json::Array(items) => items.iter_mut().for_each(spell_signed_zeros),
        Json::Object(members) => members.values_mut().for_each(spell_signed_zeros),
        _ => {}
    }
}

fn is_signed_zero(number: &Number) -> bool {
    number.as_f64().is_some_and(|number| number == 0.0 && number.is_sign_negative())
}

/// The wire records of one field of a message, from its JSON.
///
/// # Errors
///
/// The text is not a value of the field.
pub fn to_wire(
    message: &MessageDescriptor,
    number: u32,
    json: &str,
) -> Result<Vec<u8>, Unreadable> {
    to_message(message, number, json).map(|decoded| decoded.encode_to_vec())
}

/// A message with one field, from the field's JSON.
///
/// # Errors
///
/// The text is not a value of the field.
pub fn to_message(
    message: &MessageDescriptor,
    number: u32,
    json: &str,
) -> Result<DynamicMessage, Unreadable> {
    let field = message.get_field(number).ok_or(Unreadable::Damaged)?;
    let name = serde_json::to_string(field.json_name()).map_err(|_| Unreadable::Damaged)?;
    let text = format!("{{{name}:{json}}}");
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let options = DeserializeOptions::new();
    let read =
        DynamicMessage::deserialize_with_options(message.clone(), &mut deserializer, &options);
    match read {
        Ok(read) if deserializer.end().is_ok() => Ok(read),
        _ => reread(message, &text),
    }
}

/// Reads what the direct way does not: names that are reserved, and nesting deeper than serde_json
/// follows. A message of 100 levels, which is as deep as protobuf goes, may have 200 in JSON.
fn reread(message: &MessageDescriptor, text: &str) -> Result<DynamicMessage, Unreadable> {
    let mut tree = tree::parse(text).ok_or(Unreadable::Damaged)?;
    names::resolve(message, &mut tree)?;
    DynamicMessage::deserialize_with_options(message.clone(), tree, &DeserializeOptions::new())
        .map_err(|_| Unreadable::Damaged)
}
