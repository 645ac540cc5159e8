//! Stored protobuf values in another form, or under other names.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prism_schema::sql::rewrite::{Conversion, KeyColumn, Rewrite, Types, Value as Target};
use prism_schema::{Storage, Value};
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value as Field,
};

use crate::json;

/// The conversions of a copy.
#[derive(Clone, Debug)]
pub(super) struct Converter {
    before: MessageDescriptor,
    after: MessageDescriptor,
}

impl Converter {
    /// `None` where the copy needs none.
    ///
    /// # Errors
    ///
    /// Descriptors that are damaged.
    pub fn new(rewrite: &Rewrite) -> Result<Option<Self>, String> {
        match &rewrite.types {
            None if conversions(rewrite).next().is_none() => Ok(None),
            None => Err("it converts values, and says nothing of their types".to_owned()),
            Some(Types { message, before, after }) => Ok(Some(Converter {
                before: descriptor(message, before)?,
                after: descriptor(message, after)?,
            })),
        }
    }

    /// The value that takes the place of a stored one.
    ///
    /// # Errors
    ///
    /// A value that cannot be read, or that the other form cannot hold. The message does not say
    /// what it is.
    pub fn convert(&self, conversion: &Conversion, stored: &Value) -> Result<Value, String> {
        let Conversion { source, field: number, from, to } = conversion;
        let (number, unreadable) = (*number, || format!("a stored {source} cannot be read"));
        let field = |message: &MessageDescriptor| message.get_field(number).ok_or_else(unreadable);
        let decoded = match (from, stored) {
            (_, Value::Null) => return Ok(Value::Null),
            (Storage::Json, Value::Text(text)) => json::to_message(&self.before, number, text)
                .map_err(|why| format!("a stored {source} {why}"))?,
            (Storage::Binary, Value::Blob(bytes)) => {
                read(&self.before, &field(&self.before)?, bytes).ok_or_else(unreadable)?
            }
            _ => return Err(unreadable()),
        };
        let wire = decoded.encode_to_vec();
        let decoded = DynamicMessage::decode(self.after.clone(), wire.as_slice())
            .map_err(|_| unreadable())?;
        match to {
            Storage::Json => json::from_message(&decoded, number)
                .map(Value::Text)
                .map_err(|error| format!("a stored {source} {error}")),
            _ => Ok(Value::Blob(write(&decoded, &field(&self.after)?))),
        }
    }
}

/// Bytes of one part of a key that a message shows at most.
const MAX_PART_BYTES: usize = 256;

/// A row of a copy, for a message: its table and its key as JSON, without what is masked.
pub(super) fn row_text(rewrite: &Rewrite, key: impl IntoIterator<Item = String>) -> String {
    let part = |(mut text, column): (String, &KeyColumn)| {
        if column.masked {
            return serde_json::Value::from("[masked]");
        }
        if let Some(end) = (0..=MAX_PART_BYTES).rev().find(|end| text.is_char_boundary(*end))
            && end < text.len()
        {
            text.truncate(end);
            text.push('…');
        }
        serde_json::Value::from(text)
    };
    let mut parts: Vec<serde_json::Value> = key.into_iter().zip(&rewrite.key).map(part).collect();
    let key = match parts.len() {
        1 => parts.swap_remove(0),
        _ => parts.into(),
    };
    format!("{}, the row with key {key}", rewrite.table)
}

/// The conversions of a copy, with the columns that they are for.
pub(super) fn conversions(rewrite: &Rewrite) -> impl Iterator<Item = (&str, &Conversion)> {
    rewrite.columns.iter().filter_map(|target| match &target.value {
        Target::Convert(conversion) => Some((target.column.as_str(), conversion)),
        Target::Sql(_) => None,
    })
}

fn descriptor(message: &str, encoded: &str) -> Result<MessageDescriptor, String> {
    let damaged = || "its descriptors are damaged".to_owned();
    let bytes = STANDARD.decode(encoded).map_err(|_| damaged())?;
    let pool = DescriptorPool::decode(bytes.as_slice()).map_err(|_| damaged())?;
    pool.get_message_by_name(message).ok_or_else(damaged)
}

/// A message with one field, from what a binary column has: the encoding of a singular message, or
/// of a message that holds only the field.
fn read(
    message: &MessageDescriptor,
    field: &FieldDescriptor,
    bytes: &[u8],
) -> Option<DynamicMessage> {
    if field.is_list() || field.is_map() {
        return DynamicMessage::decode(message.clone(), bytes).ok();
    }
    let Kind::Message(ty) = field.kind() else { return None };
    let inner = DynamicMessage::decode(ty, bytes).ok()?;
    let mut outer = DynamicMessage::new(message.clone());
    outer.set_field(field, Field::Message(inner));
    Some(outer)
}

/// What a binary column has of one field of a message.
fn write(message: &DynamicMessage, field: &FieldDescriptor) -> Vec<u8> {
    match message.get_field(field).as_ref() {
        Field::Message(inner) => inner.encode_to_vec(),
        _ => message.encode_to_vec(),
    }
}
