//! Scalars between the wire and their stored form.

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::reader::{Malformed, Reader, Wire};
use crate::schema::value::{decode_u64, encode_u64};
use crate::schema::{FieldType, Value};

/// A scalar type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    String,
    Bytes,
    Enum,
}

impl Scalar {
    /// The scalar that a field type is; `None` for messages and groups.
    pub fn of(ty: &FieldType) -> Option<Scalar> {
        Some(match ty {
            FieldType::Bool => Scalar::Bool,
            FieldType::Int32 => Scalar::Int32,
            FieldType::Int64 => Scalar::Int64,
            FieldType::Uint32 => Scalar::Uint32,
            FieldType::Uint64 => Scalar::Uint64,
            FieldType::Sint32 => Scalar::Sint32,
            FieldType::Sint64 => Scalar::Sint64,
            FieldType::Fixed32 => Scalar::Fixed32,
            FieldType::Fixed64 => Scalar::Fixed64,
            FieldType::Sfixed32 => Scalar::Sfixed32,
            FieldType::Sfixed64 => Scalar::Sfixed64,
            FieldType::Float => Scalar::Float,
            FieldType::Double => Scalar::Double,
            FieldType::String => Scalar::String,
            FieldType::Bytes => Scalar::Bytes,
            FieldType::Enum(_) => Scalar::Enum,
            FieldType::Timestamp
            | FieldType::Duration
            | FieldType::Message(_)
            | FieldType::Group(_) => return None,
        })
    }

    /// How a value of it is laid out on the wire.
    pub fn wire_type(self) -> WireType {
        match self {
            Scalar::Fixed64 | Scalar::Sfixed64 | Scalar::Double => WireType::SixtyFourBit,
            Scalar::Fixed32 | Scalar::Sfixed32 | Scalar::Float => WireType::ThirtyTwoBit,
            Scalar::String | Scalar::Bytes => WireType::LengthDelimited,
            _ => WireType::Varint,
        }
    }

    /// Whether lists of it may be packed.
    pub fn is_packable(self) -> bool {
        self.wire_type() != WireType::LengthDelimited
    }

    /// The next value of a packed list.
    pub fn packed<'a>(self, reader: &mut Reader<'a>) -> Result<Wire<'a>, Malformed> {
        match self.wire_type() {
            WireType::SixtyFourBit => reader.fixed64().map(Wire::Fixed64),
            WireType::ThirtyTwoBit => reader.fixed32().map(Wire::Fixed32),
            _ => reader.varint().map(Wire::Varint),
        }
    }

    /// The stored form of what stands on the wire.
    pub fn decode(self, wire: Wire<'_>) -> Result<Value, Malformed> {
        Ok(match (self, wire) {
            (Scalar::Bool, Wire::Varint(bits)) => Value::Int(i64::from(bits != 0)),
            (Scalar::Int32 | Scalar::Enum, Wire::Varint(bits)) => {
                Value::Int(i64::from(bits as i32))
            }
            (Scalar::Int64, Wire::Varint(bits)) => Value::Int(bits as i64),
            (Scalar::Uint32, Wire::Varint(bits)) => Value::Int(i64::from(bits as u32)),
            (Scalar::Uint64, Wire::Varint(bits)) => Value::Int(encode_u64(bits)),
            (Scalar::Sint32, Wire::Varint(bits)) => {
                let bits = bits as u32;
                Value::Int(i64::from((bits >> 1) as i32 ^ -((bits & 1) as i32)))
            }
            (Scalar::Sint64, Wire::Varint(bits)) => {
                Value::Int((bits >> 1) as i64 ^ -((bits & 1) as i64))
            }
            (Scalar::Fixed32, Wire::Fixed32(word)) => {
                Value::Int(i64::from(u32::from_le_bytes(word)))
            }
            (Scalar::Sfixed32, Wire::Fixed32(word)) => {
                Value::Int(i64::from(i32::from_le_bytes(word)))
            }
            (Scalar::Fixed64, Wire::Fixed64(word)) => {
                Value::Int(encode_u64(u64::from_le_bytes(word)))
            }
            (Scalar::Sfixed64, Wire::Fixed64(word)) => Value::Int(i64::from_le_bytes(word)),
            (Scalar::Float, Wire::Fixed32(word)) => {
                Value::Double(widen(f32::from_bits(u32::from_le_bytes(word))))
            }
            (Scalar::Double, Wire::Fixed64(word)) => {
                Value::Double(f64::from_bits(u64::from_le_bytes(word)))
            }
            (Scalar::String, Wire::Len(bytes)) => {
                Value::Text(std::str::from_utf8(bytes).map_err(|_| Malformed)?.to_owned())
            }
            (Scalar::Bytes, Wire::Len(bytes)) => Value::Blob(bytes.to_vec()),
            _ => return Err(Malformed),
        })
    }

    /// Length of [`Scalar::encode`]'s output without the tag.
    pub fn encoded_len(self, value: &Value) -> usize {
        match (self.wire_type(), value) {
            (WireType::SixtyFourBit, _) => 8,
            (WireType::ThirtyTwoBit, _) => 4,
            (_, Value::Int(number)) => encoded_len_varint(self.varint(*number)),
            (_, Value::Text(text)) => delimited_len(text.len()),
            (_, Value::Blob(bytes)) => delimited_len(bytes.len()),
            (_, Value::Null | Value::Double(_)) => 0,
        }
    }

    /// Appends tag and value. The value is of the class that [`Scalar::holds`] says.
    pub fn encode(self, number: u32, value: &Value, out: &mut impl BufMut) {
        encode_key(number, self.wire_type(), out);
        match (self, value) {
            (Scalar::Fixed32, Value::Int(stored)) => out.put_u32_le(*stored as u32),
            (Scalar::Sfixed32, Value::Int(stored)) => out.put_i32_le(*stored as i32),
            (Scalar::Fixed64, Value::Int(stored)) => out.put_u64_le(decode_u64(*stored)),
            (Scalar::Sfixed64, Value::Int(stored)) => out.put_i64_le(*stored),
            (Scalar::Float, Value::Double(stored)) => {
                out.put_u32_le(narrow(*stored).to_bits());
            }
            (Scalar::Double, Value::Double(stored)) => out.put_u64_le(stored.to_bits()),
            (_, Value::Int(stored)) => encode_varint(self.varint(*stored), out),
            (_, Value::Text(text)) => put_delimited(text.as_bytes(), out),
            (_, Value::Blob(bytes)) => put_delimited(bytes, out),
            (_, Value::Null | Value::Double(_)) => {}
        }
    }

    /// Whether a stored value is one of this type: of the right class and in range.
    pub fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Float | Scalar::Double, Value::Double(_))
            | (Scalar::String, Value::Text(_))
            | (Scalar::Bytes, Value::Blob(_))
            | (
                Scalar::Int64
                | Scalar::Uint64
                | Scalar::Sint64
                | Scalar::Fixed64
                | Scalar::Sfixed64,
                Value::Int(_),
            ) => true,
            (Scalar::Bool, Value::Int(stored)) => (0..=1).contains(stored),
            (
                Scalar::Int32 | Scalar::Sint32 | Scalar::Sfixed32 | Scalar::Enum,
                Value::Int(stored),
            ) => i32::try_from(*stored).is_ok(),
            (Scalar::Uint32 | Scalar::Fixed32, Value::Int(stored)) => {
                u32::try_from(*stored).is_ok()
            }
            _ => false,
        }
    }

    /// Whether a stored value is the type's zero, bit for bit.
    pub fn is_zero(self, value: &Value) -> bool {
        match (self, value) {
            (Scalar::Uint64 | Scalar::Fixed64, Value::Int(stored)) => *stored == encode_u64(0),
            (_, Value::Int(stored)) => *stored == 0,
            (_, Value::Double(stored)) => stored.to_bits() == 0,
            (_, Value::Text(text)) => text.is_empty(),
            (_, Value::Blob(bytes)) => bytes.is_empty(),
            (_, Value::Null) => true,
        }
    }

    /// The stored zero.
    pub fn zero(self) -> Value {
        match self {
            Scalar::Uint64 | Scalar::Fixed64 => Value::Int(encode_u64(0)),
            Scalar::Float | Scalar::Double => Value::Double(0.0),
            Scalar::String => Value::Text(String::new()),
            Scalar::Bytes => Value::Blob(Vec::new()),
            _ => Value::Int(0),
        }
    }

    fn varint(self, stored: i64) -> u64 {
        match self {
            Scalar::Uint64 => decode_u64(stored),
            Scalar::Sint32 => {
                let number = stored as i32;
                u64::from(((number << 1) ^ (number >> 31)) as u32)
            }
            Scalar::Sint64 => ((stored << 1) ^ (stored >> 63)) as u64,
            _ => stored as u64,
        }
    }
}

/// Length of a length and that many bytes.
pub fn delimited_len(length: usize) -> usize {
    encoded_len_varint(length as u64) + length
}

/// Appends a length and bytes.
pub fn put_delimited(bytes: &[u8], out: &mut impl BufMut) {
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

/// A `float` as a double from which [`narrow`] makes the same bits again. A cast may change a
/// NaN's payload, so that is moved by hand.
fn widen(number: f32) -> f64 {
    if !number.is_nan() {
        return f64::from(number);
    }
    let bits = u64::from(number.to_bits());
    f64::from_bits((bits >> 31) << 63 | 0x7ff << 52 | (bits & 0x007f_ffff) << 29)
}

fn narrow(number: f64) -> f32 {
    if !number.is_nan() {
        return number as f32;
    }
    let bits = number.to_bits();
    let payload = ((bits >> 29) & 0x007f_ffff) as u32;
    // A payload of nothing would be an infinity: a NaN that no `float` was, made the usual one.
    let payload = if payload == 0 { 0x0040_0000 } else { payload };
    f32::from_bits((((bits >> 63) as u32) << 31) | 0x7f80_0000 | payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_survives_widening() {
        let nans = [0x7f80_0001, 0xff80_0001, 0x7fc0_0000, 0xffff_ffff, 0x7fbf_ffff];
        let numbers = [0.0f32, -0.0, f32::MIN, f32::MAX, f32::MIN_POSITIVE, f32::INFINITY];
        for bits in nans.into_iter().chain(numbers.map(f32::to_bits)) {
            assert_eq!(narrow(widen(f32::from_bits(bits))).to_bits(), bits, "{bits:x}");
        }
    }
}
