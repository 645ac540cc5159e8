//! Keys and compared values as the service's own code writes them.

use super::wire::{Finer, TimeKind};
use crate::schema::value::encode_u64;
use crate::schema::{Column, FieldType, Value};
use crate::{Error, Result};

/// A part of a key, or a value that a list compares with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// `bool`.
    Bool(bool),
    /// An integer of any width, or the number of an enum's value.
    Integer(i128),
    /// `string`.
    Text(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `google.protobuf.Timestamp`.
    Timestamp(prost_types::Timestamp),
    /// `google.protobuf.Duration`.
    Duration(prost_types::Duration),
}

impl Part {
    /// The stored form of the part for a column; `finer` is for the digits of a time.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT where it is of another type, or out of range.
    pub(crate) fn value(self, column: &Column, finer: Finer) -> Result<Value> {
        let invalid = |what: &str| Error::invalid_field(&column.field, what);
        let other = || invalid("is of another type");
        match (self, &column.ty) {
            (Part::Bool(flag), FieldType::Bool) => Ok(Value::Int(i64::from(flag))),
            (Part::Text(text), FieldType::String) => Ok(Value::Text(text)),
            (Part::Bytes(bytes), FieldType::Bytes) => Ok(Value::Blob(bytes)),
            (Part::Timestamp(time), FieldType::Timestamp) => {
                let micros = TimeKind::Timestamp.micros(time.seconds, time.nanos);
                micros.and_then(|micros| finer.value(micros)).map_err(invalid)
            }
            (Part::Duration(time), FieldType::Duration) => {
                let micros = TimeKind::Duration.micros(time.seconds, time.nanos);
                micros.and_then(|micros| finer.value(micros)).map_err(invalid)
            }
            (Part::Integer(number), ty) => {
                integer(number, ty).ok_or_else(other)?.ok_or_else(|| invalid("is out of range"))
            }
            _ => Err(other()),
        }
    }
}

/// The stored form of an integer: none where the type is no integer, none within where it does
/// not hold it.
fn integer(number: i128, ty: &FieldType) -> Option<Option<Value>> {
    let signed = |number: Option<i64>| number.map(Value::Int);
    Some(match ty {
        FieldType::Int32 | FieldType::Sint32 | FieldType::Sfixed32 | FieldType::Enum(_) => {
            signed(i32::try_from(number).ok().map(i64::from))
        }
        FieldType::Uint32 | FieldType::Fixed32 => signed(u32::try_from(number).ok().map(i64::from)),
        FieldType::Int64 | FieldType::Sint64 | FieldType::Sfixed64 => {
            signed(i64::try_from(number).ok())
        }
        FieldType::Uint64 | FieldType::Fixed64 => {
            signed(u64::try_from(number).ok().map(encode_u64))
        }
        _ => return None,
    })
}

macro_rules! part_from {
    ($($from:ty => $value:ident => $part:expr;)*) => {$(
        impl From<$from> for Part {
            fn from($value: $from) -> Self {
                $part
            }
        }
    )*};
}

part_from! {
    bool => value => Part::Bool(value);
    i32 => value => Part::Integer(value.into());
    i64 => value => Part::Integer(value.into());
    u32 => value => Part::Integer(value.into());
    u64 => value => Part::Integer(value.into());
    &str => value => Part::Text(value.to_owned());
    String => value => Part::Text(value);
    &String => value => Part::Text(value.clone());
    &[u8] => value => Part::Bytes(value.to_vec());
    Vec<u8> => value => Part::Bytes(value);
    prost_types::Timestamp => value => Part::Timestamp(value);
    prost_types::Duration => value => Part::Duration(value);
}

/// What names a record: the one part of its key, or a tuple of them in key order.
pub trait IntoKey {
    /// The parts, in key order.
    fn into_parts(self) -> Vec<Part>;
}

impl<P: Into<Part>> IntoKey for P {
    fn into_parts(self) -> Vec<Part> {
        vec![self.into()]
    }
}

macro_rules! tuple_key {
    ($($name:ident)*) => {
        impl<$($name: Into<Part>),*> IntoKey for ($($name,)*) {
            #[allow(non_snake_case)]
            fn into_parts(self) -> Vec<Part> {
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        }
    };
}

tuple_key!(A B);
tuple_key!(A B C);
tuple_key!(A B C D);
