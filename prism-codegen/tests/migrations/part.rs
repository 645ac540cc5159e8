//! Values of the nested message, of lists of text and of what they are stored as.

use rusqlite::types::Value;
use serde_json::{Map, Value as Json};

use super::schema::{Field, Kind, Schema};

/// What a field of these kinds holds: a text, and the number of an enum value.
pub type Content = (Option<String>, u32);

/// The stored form of a value.
pub fn encode(schema: &Schema, field: &Field, (text, level): &Content) -> Value {
    let text = text.as_deref();
    match (field.kind, field.json) {
        (Kind::Tags, true) => Value::Text(Json::from_iter(text).to_string()),
        (Kind::Tags, false) => {
            Value::Blob(text.map(|text| tagged(field.number, text)).unwrap_or_default())
        }
        (_, true) => {
            let mut json = Map::new();
            if let Some(text) = text {
                let (_, name) = &schema.nested[0];
                json.insert(name.replace('_', ""), text.into());
            }
            if *level > 0 {
                let named = schema.values.iter().find(|(number, _)| number == level);
                let number = || Json::from(*level);
                let value = named.map_or_else(number, |(_, name)| name.as_str().into());
                json.insert("level".to_owned(), value);
            }
            Value::Text(Json::Object(json).to_string())
        }
        (_, false) => {
            let mut bytes = text.map(|text| tagged(1, text)).unwrap_or_default();
            if *level > 0 {
                bytes.extend([2 << 3, u8::try_from(*level).unwrap()]);
            }
            Value::Blob(bytes)
        }
    }
}

/// The value of a stored form.
pub fn decode(schema: &Schema, field: &Field, stored: &Value) -> Content {
    match stored {
        Value::Text(text) => match serde_json::from_str(text).unwrap() {
            Json::Array(items) => (items.first().map(|it| it.as_str().unwrap().to_owned()), 0),
            Json::Object(fields) => {
                let level = fields.get("level").map_or(0, |level| match level.as_str() {
                    Some(name) => schema.values.iter().find(|(_, other)| other == name).unwrap().0,
                    None => u32::try_from(level.as_u64().unwrap()).unwrap(),
                });
                let (_, name) = &schema.nested[0];
                let text = fields.get(&name.replace('_', ""));
                (text.map(|text| text.as_str().unwrap().to_owned()), level)
            }
            other => panic!("{}: {other}", field.name),
        },
        Value::Blob(bytes) if bytes.is_empty() => (None, 0),
        Value::Blob(bytes) => {
            let at = if bytes[0] & 0x80 == 0 { 1 } else { 2 };
            if bytes[0] == 2 << 3 {
                return (None, bytes[1].into());
            }
            let end = at + 1 + usize::from(bytes[at]);
            let text = String::from_utf8(bytes[at + 1..end].to_vec()).unwrap();
            (Some(text), bytes.get(end + 1).copied().unwrap_or_default().into())
        }
        other => panic!("{}: {other:?}", field.name),
    }
}

/// The wire record of a text.
fn tagged(number: u32, text: &str) -> Vec<u8> {
    let tag = (number << 3) | 2;
    let mut bytes = match tag {
        0..128 => vec![tag as u8],
        _ => vec![(tag & 0x7f) as u8 | 0x80, (tag >> 7) as u8],
    };
    bytes.push(u8::try_from(text.len()).unwrap());
    bytes.extend(text.as_bytes());
    bytes
}

/// JSON as it is compared: without what a database makes of its spaces.
pub fn canonical(json: &str) -> Value {
    Value::Text(serde_json::from_str::<Json>(json).unwrap().to_string())
}
