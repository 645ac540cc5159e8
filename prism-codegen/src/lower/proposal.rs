//! What help lines propose to write: declarations that compile in the file that they are for, with
//! names and numbers that are free.

use std::iter;
use std::ops::Range;

use heck::ToSnakeCase as _;
use prost_reflect::{FileDescriptor, MessageDescriptor, Syntax};

use super::context::Context;
use super::{names, operation, types};

/// The numbers that a field may have.
const NUMBERS: Range<u32> = 1..1 << 29;

/// Numbers that protobuf keeps for itself.
const KEPT: Range<u32> = 19_000..20_000;

/// A field as a help line proposes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Declaration {
    /// As it is spelled, without a label: `repeated OrderKey`.
    pub ty: String,
    pub name: String,
    /// What must be written first, as help says it: `declare `message …``.
    before: Option<String>,
    /// Options that the field needs whatever its name is.
    options: Vec<String>,
    /// The option that the field needs if its own name does not say what it is.
    mark: Option<String>,
    /// Whether proto2 must call it `required`, as it does a part of a key.
    required: bool,
}

impl Declaration {
    pub fn new(ty: impl Into<String>, name: impl Into<String>) -> Self {
        Declaration { ty: ty.into(), name: name.into(), ..Declaration::default() }
    }

    /// A part of the key of an entity.
    pub fn key(ty: impl Into<String>, name: impl Into<String>) -> Self {
        Declaration { required: true, ..Declaration::new(ty, name) }
    }

    /// With an option, as it is spelled: `(prism.field).role = ROLE_KEYS`.
    pub fn with(mut self, option: impl Into<String>) -> Self {
        self.options.push(option.into());
        self
    }

    /// After something else that must be written, as help says it.
    pub fn after(mut self, before: Option<String>) -> Self {
        self.before = before;
        self
    }

    /// With another name.
    pub fn called(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// With an option for the case that the name has to be another one.
    pub fn or_marked(mut self, option: impl Into<String>) -> Self {
        self.mark = Some(option.into());
        self
    }

    /// What must be written before it, as the beginning of a help line: `import `…`, and `.
    pub fn first(&self, file: &FileDescriptor) -> String {
        let import = types::import(file, &self.ty);
        match &self.before {
            Some(before) => format!("{import}{before}, and "),
            None => import,
        }
    }

    /// The declaration in a file, or in a message that the file does not have yet.
    pub fn numbered(&self, file: &FileDescriptor, number: u32) -> String {
        let many = self.ty.starts_with("repeated ") || self.ty.starts_with("map<");
        let label = match file.syntax() {
            Syntax::Proto2 if many => "",
            Syntax::Proto2 if self.required => "required ",
            Syntax::Proto2 => "optional ",
            _ => "",
        };
        let options = match self.options.as_slice() {
            [] => String::new(),
            options => format!(" [{}]", options.join(", ")),
        };
        format!("{label}{} {} = {number}{options};", self.ty, self.name)
    }

    /// The declaration of a field that keeps the options that it has.
    pub fn head(&self, file: &FileDescriptor, number: u32) -> String {
        self.numbered(file, number).trim_end_matches(';').to_owned()
    }

    /// The declaration in a message that is there, with a name that the message can have.
    pub fn placed(&self, message: &MessageDescriptor, number: u32) -> String {
        let name = free_name(message, &self.name, number);
        let mark = self.mark.iter().filter(|_| name != self.name);
        let options = self.options.iter().chain(mark).cloned().collect();
        let own = Declaration { name, options, ..self.clone() };
        own.numbered(&message.parent_file(), number)
    }

    /// Help that adds the field to a message that is there.
    pub fn added(&self, context: &Context, message: &MessageDescriptor) -> String {
        let number = context.free_number(message, &self.name);
        let first = self.first(&message.parent_file());
        format!("{first}add `{}` to `{}`", self.placed(message, number), message.name())
    }
}

/// The name, or one like it, that the message neither reserves nor gives to another field.
fn free_name(message: &MessageDescriptor, name: &str, number: u32) -> String {
    let camel = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let is_free = |name: &String| {
        !message.reserved_names().any(|it| it == name)
            && !message.fields().any(|it| it.number() != number && camel(it.name()) == camel(name))
            && !message.oneofs().any(|it| it.name() == name)
    };
    let others = (2..).map(|count| format!("{name}_value_{count}"));
    let mut all = [name.to_owned(), format!("{name}_value")].into_iter().chain(others);
    all.find(is_free).unwrap_or_default()
}

/// Field numbers that the message can still give to a field: those behind all that it has used, then
/// those between.
pub(super) fn free_numbers(message: &MessageDescriptor) -> impl Iterator<Item = u32> + use<> {
    let fields = message.fields().map(|field| field.number()..field.number() + 1);
    let ranges = message.reserved_ranges().chain(message.extension_ranges());
    let mut taken: Vec<Range<u32>> = fields.chain(ranges).chain([KEPT]).collect();
    taken.sort_by_key(|range| range.start);
    let is_last = |range: &&Range<u32>| **range != KEPT && range.end < NUMBERS.end;
    let last = taken.iter().filter(is_last).map(|range| range.end).max().unwrap_or(1);
    let mut gaps: Vec<Range<u32>> = Vec::new();
    let mut next = NUMBERS.start;
    for range in taken.into_iter().chain(iter::once(NUMBERS.end..NUMBERS.end)) {
        if next < range.start {
            gaps.push(next..range.start);
        }
        next = next.max(range.end);
    }
    let behind = gaps.clone().into_iter().flat_map(move |gap| gap.start.max(last)..gap.end);
    behind.chain(gaps.into_iter().flat_map(move |gap| gap.start..gap.end.min(last)))
}

/// The name of a field that holds an entity.
pub(super) fn entity_field(entity: &MessageDescriptor) -> String {
    let name = entity.name().to_snake_case();
    match name.starts_with(|it: char| it.is_ascii_lowercase()) {
        true => name,
        false => "record".to_owned(),
    }
}

/// A namespace for an entity that has none: the plural of its name.
pub(super) fn default_namespace(message: &str) -> String {
    namespace(&operation::plurals(message).swap_remove(0))
}

/// A namespace that can be written instead of a bad one, with the table that it gives.
pub(super) fn namespace(text: &str) -> String {
    let mut name = names::namespace(text);
    while let Some(rest) = name.strip_prefix("prism-") {
        name = names::namespace(rest);
    }
    match names::is_reserved(&name.replace('-', "_")) {
        true => names::namespace(&format!("app-{name}")),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use prost_reflect::DescriptorPool;
    use prost_reflect::prost_types::descriptor_proto::ReservedRange;
    use prost_reflect::prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

    use super::*;

    fn message(reserved: &[Range<i32>]) -> MessageDescriptor {
        let ranges = reserved.iter();
        let reserved_range = ranges
            .map(|range| ReservedRange { start: Some(range.start), end: Some(range.end) })
            .collect();
        let message = DescriptorProto {
            name: Some("M".to_owned()),
            reserved_range,
            reserved_name: vec!["note".to_owned()],
            ..DescriptorProto::default()
        };
        let file = FileDescriptorProto {
            name: Some("m.proto".to_owned()),
            message_type: vec![message],
            ..FileDescriptorProto::default()
        };
        let set = FileDescriptorSet { file: vec![file] };
        let pool = DescriptorPool::from_file_descriptor_set(set).unwrap();
        pool.get_message_by_name("M").unwrap()
    }

    #[test]
    fn numbers_are_free() {
        let first = |reserved: &[Range<i32>]| free_numbers(&message(reserved)).next();
        assert_eq!(first(&[]), Some(1));
        assert_eq!(first(&[1..3, 100..1 << 29]), Some(3));
        assert_eq!(first(&[1..3, 5..19_000]), Some(20_000));
        assert_eq!(first(&[1..3, 5..(1 << 29) - 1]), Some((1 << 29) - 1));
        assert_eq!(first(&[1..3, 4..1 << 29]), Some(3));
        let mut two = free_numbers(&message(&[2..3, 4..1 << 29]));
        assert_eq!((two.next(), two.next(), two.next()), (Some(3), Some(1), None));
    }

    #[test]
    fn declarations_are_for_their_file() {
        let message = message(&[]);
        let note = Declaration::new("Note", "note").or_marked("(prism.field).role = ROLE_ENTITY");
        assert_eq!(
            note.placed(&message, 1),
            "optional Note note_value = 1 [(prism.field).role = ROLE_ENTITY];"
        );
        let file = message.parent_file();
        assert_eq!(
            Declaration::new("repeated Note", "notes").numbered(&file, 2),
            "repeated Note notes = 2;"
        );
        assert_eq!(Declaration::key("string", "id").numbered(&file, 1), "required string id = 1;");
    }

    #[test]
    fn namespaces_are_not_reserved() {
        for text in ["PrismUser", "prism-prism-x", "Prism_Kv_x", "prism", "prism-", "kv-entries"] {
            let name = namespace(text);
            let reserved = names::is_reserved(&name.replace('-', "_"));
            assert!(names::is_namespace(&name) && !reserved, "{text}: {name}");
            assert!(!name.starts_with("prism-"), "{text}: {name}");
        }
        assert_eq!(default_namespace("PrismUser"), "users");
        assert_eq!(default_namespace("KvEntry"), "app-kv-entries");
    }
}
