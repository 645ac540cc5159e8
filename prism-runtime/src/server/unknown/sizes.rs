//! What messages take in memory: as prost decodes them, roughly.

use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::{Label, Type};

use super::tables::Collected;

/// A string, bytes or a list, beside what it points to.
const VECTOR: usize = 24;
/// A map, beside its entries.
const MAP: usize = 48;
/// What the allocator takes for a small piece at least.
const ALLOCATED: usize = 16;
/// A message is taken to be no larger. Only nesting makes larger ones.
const LARGEST: usize = 64 << 10;

/// The sizes of messages, each computed once.
pub(super) struct Sizes<'a> {
    collected: &'a Collected,
    /// By position; none where it is not known yet.
    known: Vec<Option<usize>>,
    /// Messages that are being computed: one within itself is behind a pointer.
    open: Vec<usize>,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(collected: &'a Collected) -> Self {
        Sizes { collected, known: vec![None; collected.messages.len()], open: Vec::new() }
    }

    /// Size of an element of a repeated field, with what it points to if it is small.
    pub(super) fn element(&mut self, field: &FieldDescriptorProto) -> usize {
        match field.r#type() {
            Type::String | Type::Bytes => VECTOR + ALLOCATED,
            Type::Message | Type::Group => self.message(field.type_name()).max(1),
            Type::Float | Type::Fixed32 | Type::Sfixed32 => 4,
            _ => 8,
        }
    }

    fn message(&mut self, name: &str) -> usize {
        let name = name.trim_start_matches('.');
        let Some(at) = self.collected.by_name.get(name).map(|id| id.0) else { return 0 };
        if let Some(size) = self.known[at] {
            return size;
        }
        if self.open.contains(&at) {
            return 8;
        }
        self.open.push(at);
        let collected = self.collected;
        let fields = &collected.messages[at].field;
        let size = fields.iter().fold(0, |sum: usize, field| sum + self.field(field)).min(LARGEST);
        self.open.pop();
        self.known[at] = Some(size);
        size
    }

    fn field(&mut self, field: &FieldDescriptorProto) -> usize {
        match (field.label(), field.r#type()) {
            (Label::Repeated, Type::Message) => MAP,
            (Label::Repeated, _) | (_, Type::String | Type::Bytes) => VECTOR,
            (_, Type::Message | Type::Group) => 8 + self.message(field.type_name()),
            _ => 16,
        }
    }
}
