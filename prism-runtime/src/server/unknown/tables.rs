//! What the check knows of the schema: for each message its fields, by number.

use std::collections::HashMap;

use super::sizes::Sizes;
use crate::entity::wire::Scalar;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// Where a message stands in the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) struct MessageId(pub(super) usize);

/// The messages of the descriptor sets that a server was given.
#[derive(Debug, Default)]
pub(in crate::server) struct Tables {
    messages: Vec<Message>,
    by_name: HashMap<String, MessageId>,
}

/// What an element takes that becomes a value of a store by itself: a key, one of several values
/// of a condition.
const VALUE_WEIGHT: usize = 192;

/// A message's fields.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// By number.
    fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) number: u32,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
    /// What an element takes once it is decoded, in bytes; 0 for a field that is a part of its
    /// message.
    pub(super) weight: usize,
    /// Whether it is stored as JSON.
    pub(super) json: bool,
    /// The type of its keys, if it is a map.
    pub(super) map_key: Option<Scalar>,
    /// What is shown in place of the keys of its map, and of those below it.
    pub(super) mask: Option<String>,
}

/// How a field's value is written.
#[derive(Debug)]
pub(super) enum Kind {
    Varint,
    Fixed32,
    Fixed64,
    /// UTF-8, which no Rust string can do without, whatever the file's syntax.
    Text,
    Bytes,
    Message(MessageId),
    Group(MessageId),
    /// A proto2 enum: its numbers, sorted. Another one counts as an unknown field.
    ClosedEnum(Vec<i32>),
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        // Most messages number their fields from 1 without gaps.
        let guess = (number as usize).wrapping_sub(1);
        if let Some(field) = self.fields.get(guess)
            && field.number == number
        {
            return Some(field);
        }
        let at = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        Some(&self.fields[at])
    }
}

impl Tables {
    /// Builds the tables of encoded `FileDescriptorSet`s. A message that is in several is taken
    /// from the first.
    ///
    /// # Errors
    ///
    /// Where a set cannot be decoded, or refers to a message that none of them has.
    pub(in crate::server) fn new(sets: &[&[u8]]) -> Result<Self, String> {
        let mut collected = Collected::default();
        for set in sets {
            let set = FileDescriptorSet::decode(*set)
                .map_err(|error| format!("a descriptor set cannot be decoded: {error}"))?;
            for file in set.file {
                let closed = file.syntax() != "proto3";
                let scope = prefix("", file.package());
                collected.add_enums(&scope, file.enum_type, closed);
                collected.add_messages(&scope, file.message_type, closed);
            }
        }
        collected.resolve()
    }

    /// Says that a field of a message is stored as JSON, which takes more to make.
    pub(in crate::server) fn set_json(&mut self, message: &str, number: u32) {
        if let Some(field) = self.field_mut(message, number) {
            field.json = true;
        }
    }

    /// Says that the elements of a field, if it is repeated, become values of a store.
    pub(in crate::server) fn set_value(&mut self, message: &str, number: u32) {
        if let Some(field) = self.field_mut(message, number)
            && field.repeated
        {
            field.weight = field.weight.max(VALUE_WEIGHT);
        }
    }

    /// Says what is shown in place of a field that is protected.
    pub(in crate::server) fn set_mask(&mut self, message: &str, number: u32, mask: String) {
        if let Some(field) = self.field_mut(message, number) {
            field.mask = Some(mask);
        }
    }

    fn field_mut(&mut self, message: &str, number: u32) -> Option<&mut Field> {
        let MessageId(at) = self.message(message)?;
        self.messages[at].fields.iter_mut().find(|field| field.number == number)
    }

    /// Looks a message up by its full name.
    pub(in crate::server) fn message(&self, name: &str) -> Option<MessageId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn fields(&self, message: MessageId) -> &Message {
        &self.messages[message.0]
    }
}

#[derive(Default)]
pub(super) struct Collected {
    pub(super) messages: Vec<DescriptorProto>,
    pub(super) by_name: HashMap<String, MessageId>,
    /// Numbers of an enum, where it is closed.
    enums: HashMap<String, Option<Vec<i32>>>,
}

impl Collected {
    fn add_enums(&mut self, scope: &str, enums: Vec<EnumDescriptorProto>, closed: bool) {
        for descriptor in enums {
            let mut numbers: Vec<i32> =
                descriptor.value.iter().map(|value| value.number()).collect();
            numbers.sort_unstable();
            let name = prefix(scope, descriptor.name());
            self.enums.entry(name).or_insert(closed.then_some(numbers));
        }
    }

    fn add_messages(&mut self, scope: &str, messages: Vec<DescriptorProto>, closed: bool) {
        for mut descriptor in messages {
            let name = prefix(scope, descriptor.name());
            if self.by_name.contains_key(&name) {
                continue;
            }
            self.add_enums(&name, std::mem::take(&mut descriptor.enum_type), closed);
            self.add_messages(&name, std::mem::take(&mut descriptor.nested_type), closed);
            self.by_name.insert(name, MessageId(self.messages.len()));
            self.messages.push(descriptor);
        }
    }

    fn resolve(self) -> Result<Tables, String> {
        let mut sizes = Sizes::new(&self);
        let mut messages = Vec::with_capacity(self.messages.len());
        for descriptor in &self.messages {
            let mut fields = Vec::with_capacity(descriptor.field.len());
            for field in &descriptor.field {
                fields.push(self.field(field, &mut sizes)?);
            }
            fields.sort_unstable_by_key(|field| field.number);
            messages.push(Message { fields });
        }
        Ok(Tables { messages, by_name: self.by_name })
    }

    fn field(
        &self,
        descriptor: &FieldDescriptorProto,
        sizes: &mut Sizes<'_>,
    ) -> Result<Field, String> {
        let target = descriptor.type_name().trim_start_matches('.');
        let kind = match descriptor.r#type() {
            Type::Double | Type::Fixed64 | Type::Sfixed64 => Kind::Fixed64,
            Type::Float | Type::Fixed32 | Type::Sfixed32 => Kind::Fixed32,
            Type::String => Kind::Text,
            Type::Bytes => Kind::Bytes,
            Type::Message => Kind::Message(self.target(target)?),
            Type::Group => Kind::Group(self.target(target)?),
            Type::Enum => match self.enums.get(target) {
                Some(Some(numbers)) => Kind::ClosedEnum(numbers.clone()),
                Some(None) => Kind::Varint,
                None => return Err(format!("no descriptor set has the enum {target}")),
            },
            _ => Kind::Varint,
        };
        let number = u32::try_from(descriptor.number())
            .map_err(|_| format!("field {} has a negative number", descriptor.name()))?;
        let repeated = descriptor.label() == Label::Repeated;
        let weight = if repeated { self.weight(descriptor, sizes) } else { 0 };
        let name = descriptor.name().to_owned();
        let map_key = self.entry(descriptor).map(key_of);
        Ok(Field { number, name, kind, repeated, weight, json: false, map_key, mask: None })
    }

    /// The entries of a field, if it is a map.
    fn entry(&self, descriptor: &FieldDescriptorProto) -> Option<&DescriptorProto> {
        let target = self.by_name.get(descriptor.type_name().trim_start_matches('.'))?;
        let message = &self.messages[target.0];
        message.options.as_ref().is_some_and(|options| options.map_entry()).then_some(message)
    }

    /// What an element takes: lists grow by doubling, and a map has room for more than its entries.
    fn weight(&self, descriptor: &FieldDescriptorProto, sizes: &mut Sizes<'_>) -> usize {
        let element = sizes.element(descriptor);
        if self.entry(descriptor).is_some() { 4 * element } else { 2 * element }
    }

    fn target(&self, name: &str) -> Result<MessageId, String> {
        self.by_name.get(name).copied().ok_or_else(|| format!("no descriptor set has {name}"))
    }
}

/// The type of the keys of a map with such entries.
fn key_of(entry: &DescriptorProto) -> Scalar {
    let key = entry.field.iter().find(|field| field.number() == 1);
    match key.map(FieldDescriptorProto::r#type) {
        Some(Type::Bool) => Scalar::Bool,
        Some(Type::Int32) => Scalar::Int32,
        Some(Type::Int64) => Scalar::Int64,
        Some(Type::Uint32) => Scalar::Uint32,
        Some(Type::Uint64) => Scalar::Uint64,
        Some(Type::Sint32) => Scalar::Sint32,
        Some(Type::Sint64) => Scalar::Sint64,
        Some(Type::Fixed32) => Scalar::Fixed32,
        Some(Type::Fixed64) => Scalar::Fixed64,
        Some(Type::Sfixed32) => Scalar::Sfixed32,
        Some(Type::Sfixed64) => Scalar::Sfixed64,
        _ => Scalar::String,
    }
}

fn prefix(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
