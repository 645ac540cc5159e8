//! Checks nested messages that pass through untouched: a string that is no UTF-8, or a field of
//! the wrong wire type, would make the whole record unreadable for its callers.

use std::collections::HashMap;

use prost_reflect::{Kind, MessageDescriptor};

use super::reader::{MAX_DEPTH, Malformed, Reader, Wire};
use super::scalar::Scalar;

/// The message types below some messages.
#[derive(Debug, Default)]
pub struct NestedTypes {
    types: Vec<Vec<(u32, Shape)>>,
    known: HashMap<String, usize>,
}

/// What a field may look like on the wire.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Scalar { scalar: Scalar, packable: bool },
    Message(usize),
    Group(usize),
}

impl NestedTypes {
    /// Adds a message and everything below it.
    pub fn add(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(&known) = self.known.get(message.full_name()) {
            return known;
        }
        let position = self.types.len();
        self.types.push(Vec::new());
        self.known.insert(message.full_name().to_owned(), position);
        let mut fields: Vec<(u32, Shape)> = message
            .fields()
            .map(|field| {
                let shape = match field.kind() {
                    Kind::Message(inner) if field.is_group() => Shape::Group(self.add(&inner)),
                    Kind::Message(inner) => Shape::Message(self.add(&inner)),
                    kind => {
                        let scalar = scalar(&kind);
                        let packable = field.is_list() && scalar.is_packable();
                        Shape::Scalar { scalar, packable }
                    }
                };
                (field.number(), shape)
            })
            .collect();
        fields.sort_by_key(|(number, _)| *number);
        self.types[position] = fields;
        position
    }

    /// Checks an encoded message of a type that was added.
    pub fn check(&self, position: usize, message: &[u8]) -> Result<(), Malformed> {
        self.check_at(position, message, 1)
    }

    fn check_at(&self, position: usize, message: &[u8], depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        let fields = &self.types[position];
        let mut reader = Reader::new(message);
        while let Some(field) = reader.next()? {
            let Ok(found) = fields.binary_search_by_key(&field.number, |(number, _)| *number)
            else {
                continue;
            };
            match (fields[found].1, field.wire) {
                (Shape::Message(inner), Wire::Len(content))
                | (Shape::Group(inner), Wire::Group(content)) => {
                    self.check_at(inner, content, depth + 1)?;
                }
                (Shape::Scalar { scalar, packable: true }, Wire::Len(content)) => {
                    let mut values = Reader::new(content);
                    while !values.is_empty() {
                        scalar.packed(&mut values)?;
                    }
                }
                (Shape::Scalar { scalar, .. }, wire) => check_scalar(scalar, wire)?,
                (Shape::Message(_) | Shape::Group(_), _) => return Err(Malformed),
            }
        }
        Ok(())
    }
}

/// Checks one value without copying it.
pub fn check_scalar(scalar: Scalar, wire: Wire<'_>) -> Result<(), Malformed> {
    match (scalar, wire) {
        (Scalar::String, Wire::Len(bytes)) => {
            std::str::from_utf8(bytes).map(|_| ()).map_err(|_| Malformed)
        }
        (Scalar::Bytes, Wire::Len(_)) => Ok(()),
        _ => scalar.decode(wire).map(|_| ()),
    }
}

/// The scalar of a kind; bytes for a message.
pub fn scalar(kind: &Kind) -> Scalar {
    match kind {
        Kind::Double => Scalar::Double,
        Kind::Float => Scalar::Float,
        Kind::Int32 => Scalar::Int32,
        Kind::Int64 => Scalar::Int64,
        Kind::Uint32 => Scalar::Uint32,
        Kind::Uint64 => Scalar::Uint64,
        Kind::Sint32 => Scalar::Sint32,
        Kind::Sint64 => Scalar::Sint64,
        Kind::Fixed32 => Scalar::Fixed32,
        Kind::Fixed64 => Scalar::Fixed64,
        Kind::Sfixed32 => Scalar::Sfixed32,
        Kind::Sfixed64 => Scalar::Sfixed64,
        Kind::Bool => Scalar::Bool,
        Kind::String => Scalar::String,
        Kind::Bytes | Kind::Message(_) => Scalar::Bytes,
        Kind::Enum(_) => Scalar::Enum,
    }
}
