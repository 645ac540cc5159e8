//! Column values, in the five classes that every store has.

/// A stored value. The meaning of an integer, text or blob depends on the column's
/// [`FieldType`](crate::FieldType): see [`crate::Column`] for the encoding of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Absent.
    #[default]
    Null,
    /// Booleans, integers, enums, timestamps and durations.
    Int(i64),
    /// `float` and `double`. A `float` is widened, its NaN payload shifted, so that it comes
    /// back bit for bit.
    Double(f64),
    /// `string`, and JSON text where the column has JSON storage.
    Text(String),
    /// `bytes`, and protobuf binary where the column has binary storage.
    Blob(Vec<u8>),
}

impl Value {
    /// Whether the value is absent.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Size in bytes as the limits on keys and pages count it: eight for numbers, the length of
    /// text and blobs, nothing for an absent value.
    pub fn size(&self) -> usize {
        match self {
            Value::Null => 0,
            Value::Int(_) | Value::Double(_) => 8,
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
        }
    }
}

/// Maps a `uint64` or `fixed64` onto `i64` so that signed order is the unsigned order.
/// Zero becomes [`i64::MIN`].
pub const fn encode_u64(value: u64) -> i64 {
    (value ^ (1 << 63)) as i64
}

/// The inverse of [`encode_u64`].
pub const fn decode_u64(stored: i64) -> u64 {
    (stored as u64) ^ (1 << 63)
}
