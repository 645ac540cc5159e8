//! Entries of maps.

use super::reader::{Malformed, Reader, Wire};
use super::scalar::Scalar;
use crate::path::MapKey;
use crate::schema::Value;
use crate::schema::value::decode_u64;

/// Key and encoded value of a map's entry. What it leaves out is zero.
pub fn entry(key: Scalar, bytes: &[u8]) -> Result<(Value, &[u8]), Malformed> {
    let (mut found, mut value) = (key.zero(), &[][..]);
    let mut reader = Reader::new(bytes);
    while let Some(occurrence) = reader.next()? {
        match (occurrence.number, occurrence.wire) {
            (1, wire) => found = key.decode(wire)?,
            (2, Wire::Len(content)) => value = content,
            _ => {}
        }
    }
    Ok((found, value))
}

/// A map's key, to be shown in a path.
pub fn shown_key(scalar: Scalar, key: Value) -> MapKey {
    match (scalar, key) {
        (_, Value::Text(text)) => MapKey::Text(text),
        (Scalar::Bool, Value::Int(number)) => MapKey::Bool(number != 0),
        (Scalar::Uint64 | Scalar::Fixed64, Value::Int(number)) => {
            MapKey::Unsigned(decode_u64(number))
        }
        (_, Value::Int(number)) => MapKey::Signed(number),
        _ => MapKey::Text(String::new()),
    }
}
