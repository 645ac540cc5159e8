//! Records as stores see them: values by column.

use std::cmp::Ordering;

use crate::schema::value::encode_u64;
use crate::schema::{Cardinality, Column, FieldType, Storage, Value};

/// A stored record: a value for each of [`Entity::columns`](crate::schema::Entity::columns), then
/// the time of the last write where
/// [`Entity::last_write_column`](crate::schema::Entity::last_write_column) says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(pub Vec<Value>);

/// The values of a primary key, in the order of [`Entity::key`](crate::schema::Entity::key).
#[derive(Clone, Debug, PartialEq)]
pub struct Key(pub Vec<Value>);

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        let unequal = pairs.map(|(one, two)| compare(one, two)).find(|order| order.is_ne());
        unequal.unwrap_or_else(|| self.0.len().cmp(&other.0.len()))
    }
}

/// The order that every backend has: NULL first, then numbers, text and blobs as bytes.
pub fn compare(one: &Value, two: &Value) -> Ordering {
    match (one, two) {
        (Value::Int(one), Value::Int(two)) => one.cmp(two),
        (Value::Text(one), Value::Text(two)) => one.as_bytes().cmp(two.as_bytes()),
        (Value::Blob(one), Value::Blob(two)) => one.cmp(two),
        (Value::Double(one), Value::Double(two)) => one.total_cmp(two),
        _ => class(one).cmp(&class(two)),
    }
}

fn class(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Int(_) | Value::Double(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    }
}

/// What a column holds where the field is absent.
pub fn absent(column: &Column) -> Value {
    match column.cardinality {
        Cardinality::Optional => Value::Null,
        Cardinality::Implicit | Cardinality::Required => zero(column),
        Cardinality::Repeated if column.storage == Storage::Json => Value::Text("[]".to_owned()),
        Cardinality::Map if column.storage == Storage::Json => Value::Text("{}".to_owned()),
        Cardinality::Repeated | Cardinality::Map => Value::Blob(Vec::new()),
    }
}

/// The stored zero of a singular field.
pub fn zero(column: &Column) -> Value {
    match (&column.ty, column.storage) {
        (_, Storage::Json) => Value::Text("{}".to_owned()),
        (FieldType::Uint64 | FieldType::Fixed64, _) => Value::Int(encode_u64(0)),
        (FieldType::Float | FieldType::Double, _) => Value::Double(0.0),
        (FieldType::String, _) => Value::Text(String::new()),
        (FieldType::Bytes | FieldType::Message(_) | FieldType::Group(_), _) => {
            Value::Blob(Vec::new())
        }
        _ => Value::Int(0),
    }
}

/// Appends values in a form that [`decode_values`] reads: for page tokens, stored keys and
/// hashes. No value is a prefix of another.
pub fn encode_values<'a>(values: impl IntoIterator<Item = &'a Value>, out: &mut Vec<u8>) {
    for value in values {
        match value {
            Value::Null => out.push(0),
            Value::Int(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Value::Double(number) => {
                out.push(2);
                out.extend_from_slice(&number.to_bits().to_be_bytes());
            }
            Value::Text(text) => encode_bytes(3, text.as_bytes(), out),
            Value::Blob(bytes) => encode_bytes(4, bytes, out),
        }
    }
}

fn encode_bytes(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The values that [`encode_values`] wrote; `None` where the bytes are not its.
pub fn decode_values(mut bytes: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while let Some((&tag, rest)) = bytes.split_first() {
        if tag == 0 {
            values.push(Value::Null);
            bytes = rest;
            continue;
        }
        let (word, rest) = rest.split_first_chunk::<8>()?;
        let number = u64::from_be_bytes(*word);
        bytes = rest;
        if tag == 1 || tag == 2 {
            values.push(match tag {
                1 => Value::Int(number as i64),
                _ => Value::Double(f64::from_bits(number)),
            });
            continue;
        }
        let (content, rest) = bytes.split_at_checked(usize::try_from(number).ok()?)?;
        bytes = rest;
        values.push(match tag {
            3 => Value::Text(std::str::from_utf8(content).ok()?.to_owned()),
            4 => Value::Blob(content.to_vec()),
            _ => return None,
        });
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn values_survive_encoding_and_nothing_else_decodes() {
        let values = vec![
            Value::Null,
            Value::Int(i64::MIN),
            Value::Double(-0.0),
            Value::Text("é".to_owned()),
            Value::Blob(vec![0, 255]),
        ];
        let mut bytes = Vec::new();
        encode_values(&values, &mut bytes);
        assert_eq!(decode_values(&bytes).unwrap(), values);
        assert!(decode_values(&bytes[..bytes.len() - 1]).is_none());
        assert!(decode_values(&[9, 0, 0, 0, 0, 0, 0, 0, 0]).is_none());
    }
}
