//! JSON in a column of SQLite.
//!
//! The affinity of such a column is NUMERIC: of a text that is a number alone, as that of a
//! `google.protobuf.Value` may be, SQLite would make a number, and not always the nearest one. So the
//! number itself is stored, and -0.0, of which SQLite may make 0, as its 8 bytes.
//! <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>

use prism_schema::Value;
use rusqlite::types::ValueRef;

/// What a column stores of a text.
pub fn stored(text: String) -> Value {
    match number(&text) {
        Some(number) => Value::Double(number),
        None => Value::Text(text),
    }
}

/// The number that a text is, if it is one alone. JSON numbers of protobuf are doubles.
pub fn number(text: &str) -> Option<f64> {
    let bare = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    bare.then(|| text.parse().ok()).flatten()
}

/// The text of a number that a column stores; none of anything else.
pub fn text(stored: ValueRef<'_>) -> Option<String> {
    let number = match stored {
        ValueRef::Integer(number) => number as f64,
        ValueRef::Real(number) => number,
        ValueRef::Blob(bytes) => f64::from_bits(u64::from_be_bytes(bytes.try_into().ok()?)),
        ValueRef::Null | ValueRef::Text(_) => return None,
    };
    Some(format!("{number:?}"))
}

/// The bytes that stand for a double that SQLite would not keep: it makes NULL of a NaN, and may make
/// 0 of -0.0.
pub fn bits(number: f64) -> Option<[u8; 8]> {
    (number.is_nan() || number.to_bits() == 1 << 63).then(|| number.to_bits().to_be_bytes())
}
