//! Fields that a request has to set: `(google.api.field_behavior) = REQUIRED`.
//! <https://google.aip.dev/203>
//!
//! The rules are read from the descriptors at start. A message in which nothing is required has
//! none, and costs nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use super::record::compare;
use super::wire::{Malformed, Occurrence, Reader, Scalar, Wire, entry, scalar_of, shown_key};
use crate::Violation;
use crate::path;
use crate::schema::Value;
use crate::violations::Violations;

/// Messages within messages that are followed, as the decoders do.
const MAX_DEPTH: usize = 100;

/// Name of the extension whose value REQUIRED makes a field required, and the value's number.
const FIELD_BEHAVIOR: &str = "google.api.field_behavior";
const REQUIRED: i32 = 2;

/// What is required in a message and below it.
#[derive(Debug)]
pub(crate) struct Required {
    types: Vec<Rules>,
}

/// Where the message itself stands.
const ROOT: usize = 0;

/// The fields of a message that matter, by number.
#[derive(Debug, Default)]
struct Rules {
    fields: Vec<Field>,
    /// The fields' positions, by their places in the file.
    in_file: Vec<usize>,
}

#[derive(Debug)]
struct Field {
    number: u32,
    /// Where it stands in its message.
    place: i32,
    name: String,
    required: bool,
    shape: Shape,
    /// The rules of the message that the field, its items or the values of its map are.
    inner: Option<usize>,
    /// Fields of one oneof have the same; setting one unsets the others.
    oneof: Option<usize>,
    /// What is shown in place of the keys of its map, and of those below it.
    mask: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Present if it occurs.
    Present,
    /// Present if the last occurrence is not zero.
    Zero(Zero),
    /// Present if there is an item; `true` if items may be packed.
    List(bool),
    /// Present if there is an entry. The type of its keys.
    Map(Scalar),
}

/// How the zero of a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    Narrow,
    Wide,
    /// -0.0 is zero too.
    Float,
    Bytes,
}

impl Required {
    /// What a message requires, but for what is within its field `without`; `None` if nothing.
    pub(crate) fn new(message: &MessageDescriptor, without: Option<u32>) -> Option<Self> {
        let mut reading = Reading::default();
        reading.types.push(Rules::default());
        let mut root = reading.rules(message);
        let outer = root.fields.iter_mut().filter(|field| Some(field.number) == without);
        outer.for_each(|field| field.inner = None);
        reading.types[ROOT] = root;
        reading.prune();
        let Reading { types, .. } = reading;
        (!types[ROOT].fields.is_empty()).then_some(Required { types })
    }

    /// Adds a violation for each field that is not set, of those at the top that count. They are
    /// in the order of the fields in the file, and of the keys of a map.
    ///
    /// # Errors
    ///
    /// Bytes that are not a message.
    pub(crate) fn check(
        &self,
        message: &[u8],
        path: &str,
        counts: impl Fn(u32) -> bool,
        violations: &mut Violations,
    ) -> Result<(), Malformed> {
        let mut check = Check { types: &self.types, violations };
        check.message(ROOT, message, Above { path, mask: None, depth: MAX_DEPTH }, &counts)
    }
}

#[derive(Default)]
struct Reading {
    types: Vec<Rules>,
    known: HashMap<String, usize>,
}

impl Reading {
    fn add(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(&known) = self.known.get(message.full_name()) {
            return known;
        }
        let position = self.types.len();
        self.types.push(Rules::default());
        self.known.insert(message.full_name().to_owned(), position);
        self.types[position] = self.rules(message);
        position
    }

    fn rules(&mut self, message: &MessageDescriptor) -> Rules {
        let oneofs: Vec<String> = message.oneofs().map(|it| it.full_name().to_owned()).collect();
        let mut fields: Vec<Field> = message
            .fields()
            .map(|field| {
                let oneof = field.containing_oneof();
                Field {
                    number: field.number(),
                    place: field.path().last().copied().unwrap_or_default(),
                    name: field.name().to_owned(),
                    required: is_required(&field),
                    shape: shape(&field),
                    inner: value_message(&field).map(|message| self.add(&message)),
                    oneof: oneof
                        .and_then(|own| oneofs.iter().position(|name| name == own.full_name())),
                    mask: path::mask_of(&field),
                }
            })
            .collect();
        fields.sort_by_key(|field| field.number);
        Rules { fields, in_file: Vec::new() }
    }

    /// Leaves out what leads to no required field.
    fn prune(&mut self) {
        let mut needed = vec![false; self.types.len()];
        loop {
            let leads = |field: &Field| field.required || field.inner.is_some_and(|it| needed[it]);
            let next: Vec<bool> =
                self.types.iter().map(|rules| rules.fields.iter().any(leads)).collect();
            if next == needed {
                break;
            }
            needed = next;
        }
        for rules in &mut self.types {
            for field in &mut rules.fields {
                field.inner = field.inner.filter(|it| needed[*it]);
            }
            let matters = |field: &Field| field.required || field.inner.is_some();
            let mattering = rules.fields.iter().filter(|it| matters(it));
            let oneofs: Vec<usize> = mattering.filter_map(|field| field.oneof).collect();
            rules
                .fields
                .retain(|it| matters(it) || it.oneof.is_some_and(|own| oneofs.contains(&own)));
            rules.in_file = (0..rules.fields.len()).collect();
            rules.in_file.sort_by_key(|&at| rules.fields[at].place);
        }
    }
}

fn is_required(field: &FieldDescriptor) -> bool {
    let options = options(field);
    let values = options.iter().flat_map(DynamicMessage::extensions);
    let mut values = values.filter(|(extension, _)| extension.full_name() == FIELD_BEHAVIOR);
    values.any(|(_, value)| {
        let values = value.as_list().unwrap_or_default();
        values.iter().any(|value| value.as_enum_number() == Some(REQUIRED))
    })
}

fn options(field: &FieldDescriptor) -> Option<DynamicMessage> {
    field.field_descriptor_proto().options.as_ref().map(|_| field.options())
}

/// The message that a field, an item of it or a value of its map is.
fn value_message(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    let Kind::Message(message) = field.kind() else { return None };
    if !field.is_map() {
        return Some(message);
    }
    match message.map_entry_value_field().kind() {
        Kind::Message(value) => Some(value),
        _ => None,
    }
}

fn shape(field: &FieldDescriptor) -> Shape {
    let message = matches!(field.kind(), Kind::Message(_));
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        Shape::Map(scalar_of(&entry.map_entry_key_field().kind()))
    } else if field.is_list() {
        Shape::List(!message && !matches!(field.kind(), Kind::String | Kind::Bytes))
    } else if field.supports_presence() {
        Shape::Present
    } else {
        Shape::Zero(match field.kind() {
            Kind::Float | Kind::Double => Zero::Float,
            Kind::String | Kind::Bytes | Kind::Message(_) => Zero::Bytes,
            Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Bool => Zero::Wide,
            _ => Zero::Narrow,
        })
    }
}

impl Zero {
    fn is(self, wire: Wire<'_>) -> bool {
        match (self, wire) {
            (Zero::Narrow, Wire::Varint(value)) => value as u32 == 0,
            (_, Wire::Varint(value)) => value == 0,
            (Zero::Float, Wire::Fixed64(word)) => f64::from_le_bytes(word) == 0.0,
            (Zero::Float, Wire::Fixed32(word)) => f32::from_le_bytes(word) == 0.0,
            (_, Wire::Fixed64(word)) => word == [0; 8],
            (_, Wire::Fixed32(word)) => word == [0; 4],
            (_, Wire::Len(bytes) | Wire::Group(bytes)) => bytes.is_empty(),
        }
    }
}

struct Check<'a> {
    types: &'a [Rules],
    violations: &'a mut Violations,
}

/// What is above a message.
#[derive(Clone, Copy)]
struct Above<'a> {
    path: &'a str,
    /// What is shown in place of the keys of maps.
    mask: Option<&'a str>,
    /// How many messages may be nested in it.
    depth: usize,
}

/// What was read of a field.
#[derive(Clone, Default)]
struct Seen<'a> {
    set: bool,
    /// Singular messages merge, items and entries do not.
    contents: Vec<Cow<'a, [u8]>>,
}

impl Check<'_> {
    fn message(
        &mut self,
        rules: usize,
        bytes: &[u8],
        above: Above<'_>,
        counts: &dyn Fn(u32) -> bool,
    ) -> Result<(), Malformed> {
        let rules = &self.types[rules];
        let seen = read(&rules.fields, bytes)?;
        for &at in &rules.in_file {
            let (field, seen) = (&rules.fields[at], &seen[at]);
            if !counts(field.number) || self.violations.is_full() {
                continue;
            }
            if !field.required && seen.contents.is_empty() {
                continue;
            }
            let path = path::join(above.path, &field.name);
            if field.required && !seen.set {
                self.violations.push_rule(Violation::new(path, "value is required"));
                continue;
            }
            let (Some(inner), Some(depth)) = (field.inner, above.depth.checked_sub(1)) else {
                continue;
            };
            let mask = field.mask.as_deref().or(above.mask);
            self.contents(field.shape, inner, seen, Above { path: &path, mask, depth })?;
        }
        Ok(())
    }

    /// The messages that a field holds.
    fn contents(
        &mut self,
        shape: Shape,
        inner: usize,
        seen: &Seen<'_>,
        above: Above<'_>,
    ) -> Result<(), Malformed> {
        if let Shape::Map(scalar) = shape {
            for (key, value) in entries(scalar, &seen.contents)? {
                let path = path::entry(above.path, &shown_key(scalar, key), above.mask);
                self.message(inner, value, Above { path: &path, ..above }, &|_| true)?;
            }
            return Ok(());
        }
        for (index, content) in seen.contents.iter().enumerate() {
            let path = match shape {
                Shape::List(_) => Cow::Owned(path::item(above.path, index)),
                _ => Cow::Borrowed(above.path),
            };
            self.message(inner, content, Above { path: &path, ..above }, &|_| true)?;
        }
        Ok(())
    }
}

fn read<'a>(rules: &[Field], bytes: &'a [u8]) -> Result<Vec<Seen<'a>>, Malformed> {
    let mut seen = vec![Seen::default(); rules.len()];
    let mut reader = Reader::new(bytes);
    while let Some(occurrence) = reader.next()? {
        let Ok(at) = rules.binary_search_by_key(&occurrence.number, |field| field.number) else {
            continue;
        };
        if rules[at].oneof.is_some() {
            for (other, field) in rules.iter().enumerate() {
                if other != at && field.oneof == rules[at].oneof {
                    seen[other] = Seen::default();
                }
            }
        }
        note(&rules[at], &occurrence, &mut seen[at]);
    }
    Ok(seen)
}

fn note<'a>(field: &Field, occurrence: &Occurrence<'a>, seen: &mut Seen<'a>) {
    seen.set = match field.shape {
        Shape::Present | Shape::Map(_) | Shape::List(false) => true,
        Shape::Zero(zero) => !zero.is(occurrence.wire),
        // A packed list may be empty.
        Shape::List(true) => seen.set || occurrence.wire != Wire::Len(&[]),
    };
    let (Some(_), Wire::Len(content) | Wire::Group(content)) = (field.inner, occurrence.wire)
    else {
        return;
    };
    match (seen.contents.last_mut(), field.shape) {
        (Some(merged), Shape::Present | Shape::Zero(_)) => {
            merged.to_mut().extend_from_slice(content)
        }
        _ => seen.contents.push(Cow::Borrowed(content)),
    }
}

/// The entries of a map, in the order of their keys. Of two with the same key the last one counts.
fn entries<'a>(
    scalar: Scalar,
    contents: &'a [Cow<'_, [u8]>],
) -> Result<Vec<(Value, &'a [u8])>, Malformed> {
    let mut entries = Vec::with_capacity(contents.len());
    for content in contents.iter().rev() {
        entries.push(entry(scalar, content)?);
    }
    entries.sort_by(|(one, _), (other, _)| compare(one, other));
    entries.dedup_by(|(later, _), (first, _)| compare(later, first).is_eq());
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

    use super::*;

    const FILE: &str = r#"
        syntax = "proto3";
        package google.api;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.FieldOptions { repeated int32 field_behavior = 1052; }
    "#;

    struct Text(String);

    impl FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            match name {
                "a.proto" => File::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }

    /// The rules of message `A`, in a file with an enum in the place of `google.api`'s.
    fn required(messages: &str) -> Option<Required> {
        let behavior = FILE.replace("int32", "Behavior");
        let values = "enum Behavior { NONE = 0; REQUIRED = 2; }";
        let mut resolver = ChainFileResolver::new();
        resolver.add(Text(format!("{behavior}{values}{messages}")));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true).open_file("a.proto").unwrap();
        let message = compiler.descriptor_pool().get_message_by_name("google.api.A").unwrap();
        Required::new(&message, None)
    }

    fn missing(rules: &Required, message: &[u8]) -> Vec<String> {
        let mut violations = Violations::default();
        rules.check(message, "", |_| true, &mut violations).unwrap();
        let Err(error) = violations.finish() else { return Vec::new() };
        error.violations().iter().map(|violation| violation.field.clone()).collect()
    }

    #[test]
    fn a_message_without_rules_has_no_table() {
        assert!(required("message A { A a = 1; map<int32, B> b = 2; } message B {}").is_none());
    }

    #[test]
    fn the_last_occurrence_counts_and_messages_merge() {
        let rules = required(
            "message A { int32 n = 1 [(field_behavior) = REQUIRED]; B b = 2; }
             message B { string x = 1 [(field_behavior) = REQUIRED]; bool y = 2; }",
        );
        let rules = rules.unwrap();
        assert_eq!(missing(&rules, &[8, 1]), Vec::<String>::new());
        assert_eq!(missing(&rules, &[8, 1, 8, 0]), ["n"]);
        assert_eq!(missing(&rules, &[8, 1, 18, 2, 16, 1]), ["b.x"]);
        assert_eq!(missing(&rules, &[8, 1, 18, 2, 16, 1, 18, 3, 10, 1, 65]), Vec::<String>::new());
    }

    #[test]
    fn setting_a_member_of_a_oneof_unsets_the_others() {
        let rules = required(
            "message A { oneof of { string x = 1 [(field_behavior) = REQUIRED]; bool y = 2; B b = 3; } }
             message B { string z = 1 [(field_behavior) = REQUIRED]; }",
        );
        let rules = rules.unwrap();
        assert_eq!(missing(&rules, &[10, 0]), Vec::<String>::new());
        assert_eq!(missing(&rules, &[10, 0, 16, 0]), ["x"]);
        assert_eq!(missing(&rules, &[26, 0, 10, 0]), Vec::<String>::new());
    }

    #[test]
    fn an_empty_list_is_none_however_it_is_written() {
        let rules = required("message A { repeated sint32 n = 1 [(field_behavior) = REQUIRED]; }");
        let rules = rules.unwrap();
        assert_eq!(missing(&rules, &[]), ["n"]);
        assert_eq!(missing(&rules, &[10, 0]), ["n"]);
        assert_eq!(missing(&rules, &[10, 1, 0]), Vec::<String>::new());
        assert_eq!(missing(&rules, &[8, 0]), Vec::<String>::new());
    }

    #[test]
    fn keys_of_maps_are_shown_unless_they_are_masked() {
        let rules = required(
            "message A { map<sint32, B> m = 1; map<string, B> s = 2 [debug_redact = true]; }
             message B { string z = 1 [(field_behavior) = REQUIRED]; }",
        );
        let rules = rules.unwrap();
        assert_eq!(missing(&rules, &[10, 4, 8, 3, 18, 0]), ["m[-2].z"]);
        assert_eq!(missing(&rules, &[18, 5, 10, 1, 65, 18, 0]), ["s[\"[masked]\"].z"]);
    }

    #[test]
    fn fields_are_in_the_order_of_the_file_and_entries_in_that_of_their_keys() {
        let rules = required(
            "message A { B b = 3; int32 n = 2 [(field_behavior) = REQUIRED]; map<int32, B> m = 1; }
             message B { bool y = 2 [(field_behavior) = REQUIRED]; string x = 1 [(field_behavior) = REQUIRED]; }",
        );
        let rules = rules.unwrap();
        // m: {7: {}, 3: {}, 7: {y: true}}, b: {}.
        let entries =
            [&[10, 4, 8, 7, 18, 0][..], &[10, 4, 8, 3, 18, 0], &[10, 6, 8, 7, 18, 2, 16, 1]];
        let message = [&entries.concat()[..], &[26, 0]].concat();
        let expected = ["b.y", "b.x", "n", "m[3].y", "m[3].x", "m[7].x"];
        assert_eq!(missing(&rules, &message), expected);
    }

    #[test]
    fn a_message_that_holds_itself_is_followed_to_a_depth() {
        let rules = required("message A { A a = 1; int32 n = 2 [(field_behavior) = REQUIRED]; }");
        let mut message = vec![16, 1];
        for _ in 0..60 {
            let mut outer = vec![16, 1, 10, u8::try_from(message.len()).unwrap_or(0)];
            if message.len() > 120 {
                break;
            }
            outer.extend(&message);
            message = outer;
        }
        let rules = rules.unwrap();
        assert_eq!(missing(&rules, &message), Vec::<String>::new());
        message.truncate(2);
        assert_eq!(missing(&rules, &[10, 0]), ["a.n", "n"]);
    }
}
