//! One field of an entity, prepared for transcoding.

use std::collections::BTreeSet;

use bytes::BufMut;
use prost::encoding::{WireType, encode_key, encode_varint, key_len};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Syntax};

use super::nested::NestedTypes;
use super::reader::{Malformed, Occurrence, Reader, Wire};
use super::scalar::{Scalar, delimited_len, put_delimited};
use super::time::{Finer, TimeFault, TimeKind};
use crate::schema::{Cardinality, Column, FieldType, Storage, Value};

/// How a field is laid out on the wire and in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A scalar.
    Scalar(Scalar),
    /// A scalar in a message of its own.
    Wrapper(Scalar),
    /// A timestamp or duration.
    Time(TimeKind),
    /// A message, stored as its encoding.
    Message,
    /// A group, stored as what stands between its tags.
    Group,
    /// Lists and maps, and everything stored as JSON: collected with their tags.
    Raw,
}

/// Why a value is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is no protobuf.
    Malformed,
    /// What is wrong with it.
    Invalid(String),
}

impl From<prism_migrate::json::Error> for Fault {
    fn from(error: prism_migrate::json::Error) -> Self {
        match error {
            prism_migrate::json::Error::Malformed => Fault::Malformed,
            error => Fault::Invalid(error.to_string()),
        }
    }
}

impl From<Malformed> for Fault {
    fn from(_: Malformed) -> Self {
        Fault::Malformed
    }
}

impl From<TimeFault> for Fault {
    fn from(fault: TimeFault) -> Self {
        match fault {
            TimeFault::Malformed => Fault::Malformed,
            TimeFault::Invalid(what) => Fault::Invalid(what.to_owned()),
        }
    }
}

/// A field, prepared.
#[derive(Debug)]
pub struct Field {
    pub number: u32,
    pub name: String,
    pub form: Form,
    pub cardinality: Cardinality,
    pub storage: Storage,
    /// What becomes of times finer than a microsecond.
    pub finer: Finer,
    /// The numbers of a closed enum.
    pub closed: Option<BTreeSet<i32>>,
    /// Checks of each occurrence of a nested message or element.
    pub check: Check,
}

/// What is checked of values that pass through.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    None,
    Scalar(Scalar),
    Message(usize),
    Group(usize),
}

impl Field {
    /// Of a column; `exact` where it is part of the key or a unique index.
    pub fn new(column: &Column, exact: bool, message: &MessageDescriptor) -> Self {
        Field {
            number: column.number,
            name: column.field.clone(),
            form: form(column),
            cardinality: column.cardinality,
            storage: column.storage,
            finer: if exact { Finer::Refuse } else { Finer::Cut },
            closed: closed(&column.ty, message.parent_pool()),
            check: Check::None,
        }
    }

    /// Of a request's field that stands for a column; each element of it where it is repeated.
    pub fn of_request(column: &Column, finer: Finer, field: &FieldDescriptor) -> Self {
        let form = match field.kind() {
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Timestamp" => Form::Time(TimeKind::Timestamp),
                "google.protobuf.Duration" => Form::Time(TimeKind::Duration),
                _ => match message.get_field(1) {
                    Some(value) => Form::Wrapper(super::nested::scalar(&value.kind())),
                    None => Form::Message,
                },
            },
            kind => Form::Scalar(super::nested::scalar(&kind)),
        };
        Field {
            number: field.number(),
            name: field.name().to_owned(),
            form,
            cardinality: Cardinality::Optional,
            storage: Storage::Native,
            finer,
            closed: closed(&column.ty, field.parent_message().parent_pool()),
            check: Check::None,
        }
    }

    /// The scalar that the field is.
    pub fn scalar(&self) -> Option<Scalar> {
        match self.form {
            Form::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Finds what is checked of values that pass through untouched.
    pub fn add_check(&mut self, message: &MessageDescriptor, types: &mut NestedTypes) {
        let Some(field) = message.get_field(self.number) else { return };
        self.check = match (field.kind(), self.form) {
            (Kind::Message(inner), Form::Message | Form::Group | Form::Raw) => {
                let position = types.add(&inner);
                if field.is_group() { Check::Group(position) } else { Check::Message(position) }
            }
            (kind, Form::Raw) => Check::Scalar(super::nested::scalar(&kind)),
            _ => Check::None,
        };
    }

    /// Whether occurrences are collected before they make a value.
    pub fn is_collected(&self) -> bool {
        matches!(self.form, Form::Wrapper(_) | Form::Time(_) | Form::Message | Form::Group)
    }

    /// The bytes of an occurrence that are collected, checked.
    pub fn collect<'a>(
        &self,
        occurrence: &Occurrence<'a>,
        types: &NestedTypes,
    ) -> Result<&'a [u8], Malformed> {
        match (self.check, occurrence.wire) {
            (Check::Message(at), Wire::Len(content)) | (Check::Group(at), Wire::Group(content)) => {
                types.check(at, content)?
            }
            (Check::Message(_) | Check::Group(_), _) => return Err(Malformed),
            (Check::Scalar(scalar), Wire::Len(content)) if scalar.is_packable() => {
                let mut values = Reader::new(content);
                while !values.is_empty() {
                    scalar.packed(&mut values)?;
                }
            }
            (Check::Scalar(scalar), wire) => super::nested::check_scalar(scalar, wire)?,
            (Check::None, _) => {}
        }
        match (self.form, occurrence.wire) {
            (Form::Raw, _) => Ok(occurrence.raw),
            (Form::Group, Wire::Group(content)) => Ok(content),
            (Form::Wrapper(_) | Form::Time(_) | Form::Message, Wire::Len(content)) => Ok(content),
            _ => Err(Malformed),
        }
    }

    /// The value of one occurrence of a scalar, or of all that was collected.
    pub fn value(&self, wire: Wire<'_>) -> Result<Value, Fault> {
        let value = match (self.form, wire) {
            (Form::Scalar(scalar), wire) => scalar.decode(wire)?,
            (Form::Wrapper(scalar), Wire::Len(message)) => unwrap(scalar, message)?,
            (Form::Time(kind), Wire::Len(message)) => {
                self.finer.value(kind.decode(message)?).map_err(TimeFault::Invalid)?
            }
            (Form::Message | Form::Group, Wire::Len(bytes) | Wire::Group(bytes)) => {
                Value::Blob(bytes.to_vec())
            }
            _ => return Err(Fault::Malformed),
        };
        self.check_enum(&value)?;
        Ok(value)
    }

    fn check_enum(&self, value: &Value) -> Result<(), Fault> {
        let (Some(closed), Value::Int(number)) = (&self.closed, value) else { return Ok(()) };
        let known = i32::try_from(*number).is_ok_and(|number| closed.contains(&number));
        if known {
            return Ok(());
        }
        Err(Fault::Invalid("is not a value of its enum, which is closed".to_owned()))
    }

    /// Whether a stored value can be encoded as this field. Without presence NULL is the zero: a
    /// newer schema that shares the database may have made the field `optional`.
    pub fn holds(&self, value: &Value) -> bool {
        match (self.form, value) {
            (_, Value::Null) => {
                matches!(self.cardinality, Cardinality::Optional | Cardinality::Implicit)
            }
            (Form::Scalar(scalar) | Form::Wrapper(scalar), value) => scalar.holds(value),
            (Form::Time(kind), Value::Int(micros)) => kind.holds(*micros),
            (Form::Message | Form::Group | Form::Raw, Value::Blob(_)) => true,
            _ => false,
        }
    }

    /// Length of what [`Field::encode`] appends.
    pub fn encoded_len(&self, value: &Value) -> usize {
        if self.is_left_out(value) {
            return 0;
        }
        let tag = key_len(self.number);
        match (self.form, value) {
            (Form::Raw, Value::Blob(raw)) => raw.len(),
            (Form::Group, Value::Blob(content)) => 2 * tag + content.len(),
            (Form::Message, Value::Blob(content)) => tag + delimited_len(content.len()),
            (Form::Time(kind), Value::Int(micros)) => {
                tag + delimited_len(kind.encoded_len(*micros))
            }
            (Form::Wrapper(scalar), value) => tag + delimited_len(wrapped_len(scalar, value)),
            (Form::Scalar(scalar), value) => tag + scalar.encoded_len(value),
            _ => 0,
        }
    }

    /// Appends a value that [`Field::holds`].
    pub fn encode(&self, value: &Value, out: &mut impl BufMut) {
        if self.is_left_out(value) {
            return;
        }
        match (self.form, value) {
            (Form::Raw, Value::Blob(raw)) => out.put_slice(raw),
            (Form::Group, Value::Blob(content)) => {
                encode_key(self.number, WireType::StartGroup, out);
                out.put_slice(content);
                encode_key(self.number, WireType::EndGroup, out);
            }
            (Form::Message, Value::Blob(content)) => {
                encode_key(self.number, WireType::LengthDelimited, out);
                put_delimited(content, out);
            }
            (Form::Time(kind), Value::Int(micros)) => {
                encode_key(self.number, WireType::LengthDelimited, out);
                encode_varint(kind.encoded_len(*micros) as u64, out);
                kind.encode(*micros, out);
            }
            (Form::Wrapper(scalar), value) => {
                encode_key(self.number, WireType::LengthDelimited, out);
                encode_varint(wrapped_len(scalar, value) as u64, out);
                if !scalar.is_zero(value) {
                    scalar.encode(1, value, out);
                }
            }
            (Form::Scalar(scalar), value) => scalar.encode(self.number, value, out),
            _ => {}
        }
    }

    fn is_left_out(&self, value: &Value) -> bool {
        match (self.cardinality, self.form) {
            _ if value.is_null() => true,
            (Cardinality::Implicit, Form::Scalar(scalar)) => scalar.is_zero(value),
            _ => false,
        }
    }
}

/// What a field type and its column's storage make of it.
pub fn form(column: &Column) -> Form {
    if column.storage == Storage::Json
        || matches!(column.cardinality, Cardinality::Repeated | Cardinality::Map)
    {
        return Form::Raw;
    }
    singular_form(&column.ty, column.wrapper)
}

/// The form of one value.
pub fn singular_form(ty: &FieldType, wrapper: bool) -> Form {
    match ty {
        FieldType::Timestamp => Form::Time(TimeKind::Timestamp),
        FieldType::Duration => Form::Time(TimeKind::Duration),
        FieldType::Message(_) => Form::Message,
        FieldType::Group(_) => Form::Group,
        ty => match Scalar::of(ty) {
            Some(scalar) if wrapper => Form::Wrapper(scalar),
            Some(scalar) => Form::Scalar(scalar),
            None => Form::Message,
        },
    }
}

/// The numbers of an enum that takes no others: of proto2.
pub fn closed(ty: &FieldType, pool: &DescriptorPool) -> Option<BTreeSet<i32>> {
    let FieldType::Enum(name) = ty else { return None };
    let descriptor = pool.get_enum_by_name(name)?;
    (descriptor.parent_file().syntax() == Syntax::Proto2)
        .then(|| descriptor.values().map(|value| value.number()).collect())
}

/// The scalar in a wrapper message.
fn unwrap(scalar: Scalar, message: &[u8]) -> Result<Value, Malformed> {
    let mut value = scalar.zero();
    let mut reader = Reader::new(message);
    while let Some(field) = reader.next()? {
        if field.number == 1 {
            value = scalar.decode(field.wire)?;
        }
    }
    Ok(value)
}

fn wrapped_len(scalar: Scalar, value: &Value) -> usize {
    if scalar.is_zero(value) { 0 } else { 1 + scalar.encoded_len(value) }
}
