//! Fields that a request has to set: `(google.api.field_behavior) = REQUIRED`.
//! <https://google.aip.dev/203>
//!
//! The rules are read from the descriptors at start. A message in which nothing is required has
//! none, and costs nothing.

use std::borrow::Cow;
use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use super::decide::join;
use super::wire::{Malformed, Occurrence, Reader, Scalar, Wire, scalar_of};
use crate::Violation;
use crate::schema::Value;
use crate::schema::value::decode_u64;

/// Violations that are collected; what lies beyond is not looked for.
const MAX_VIOLATIONS: usize = 1_000;

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
type Rules = Vec<Field>;

#[derive(Debug)]
struct Field {
    number: u32,
    name: String,
    required: bool,
    shape: Shape,
    /// The rules of the message that the field, its items or the values of its map are.
    inner: Option<usize>,
    /// Fields of one oneof have the same; setting one unsets the others.
    oneof: Option<usize>,
    /// The keys of its map are not shown.
    masked: bool,
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
        reading.types.push(Vec::new());
        let mut root = reading.rules(message);
        let outer = root.iter_mut().filter(|field| Some(field.number) == without);
        outer.for_each(|field| field.inner = None);
        reading.types[ROOT] = root;
        reading.prune();
        let Reading { types, .. } = reading;
        (!types[ROOT].is_empty()).then_some(Required { types })
    }

    /// Adds a violation for each field that is not set, of those at the top that count.
    ///
    /// # Errors
    ///
    /// Bytes that are not a message.
    pub(crate) fn check(
        &self,
        message: &[u8],
        path: &str,
        counts: impl Fn(u32) -> bool,
        violations: &mut Vec<Violation>,
    ) -> Result<(), Malformed> {
        let mut check = Check { types: &self.types, violations };
        check.message(ROOT, message, path, false, MAX_DEPTH, &counts)
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
        self.types.push(Vec::new());
        self.known.insert(message.full_name().to_owned(), position);
        self.types[position] = self.rules(message);
        position
    }

    fn rules(&mut self, message: &MessageDescriptor) -> Rules {
        let oneofs: Vec<String> = message.oneofs().map(|it| it.full_name().to_owned()).collect();
        let mut rules: Rules = message
            .fields()
            .map(|field| {
                let oneof = field.containing_oneof();
                Field {
                    number: field.number(),
                    name: field.name().to_owned(),
                    required: is_required(&field),
                    shape: shape(&field),
                    inner: value_message(&field).map(|message| self.add(&message)),
                    oneof: oneof
                        .and_then(|own| oneofs.iter().position(|name| name == own.full_name())),
                    masked: is_masked(&field),
                }
            })
            .collect();
        rules.sort_by_key(|field| field.number);
        rules
    }

    /// Leaves out what leads to no required field.
    fn prune(&mut self) {
        let mut needed = vec![false; self.types.len()];
        loop {
            let leads = |field: &Field| field.required || field.inner.is_some_and(|it| needed[it]);
            let next: Vec<bool> = self.types.iter().map(|rules| rules.iter().any(leads)).collect();
            if next == needed {
                break;
            }
            needed = next;
        }
        for rules in &mut self.types {
            for field in rules.iter_mut() {
                field.inner = field.inner.filter(|it| needed[*it]);
            }
            let matters = |field: &Field| field.required || field.inner.is_some();
            let oneofs: Vec<usize> =
                rules.iter().filter(|it| matters(it)).filter_map(|field| field.oneof).collect();
            rules.retain(|it| matters(it) || it.oneof.is_some_and(|own| oneofs.contains(&own)));
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

/// Whether the field has `debug_redact`, or a class or mask of Prism.
fn is_masked(field: &FieldDescriptor) -> bool {
    let Some(options) = options(field) else { return false };
    let redacted = options.get_field_by_name("debug_redact");
    let redacted = redacted.is_some_and(|value| value.as_bool() == Some(true));
    redacted
        || options.extensions().any(|(extension, value)| {
            let set = |name| {
                let value = value.as_message()?;
                Some(value.has_field_by_name(name))
            };
            extension.full_name() == "prism.field"
                && ["pii", "mask_in_logs", "encrypt_at_rest"].iter().any(|it| set(it) == Some(true))
        })
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
    violations: &'a mut Vec<Violation>,
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
        path: &str,
        masked: bool,
        depth: usize,
        counts: &dyn Fn(u32) -> bool,
    ) -> Result<(), Malformed> {
        let rules = &self.types[rules];
        let seen = read(rules, bytes)?;
        for (field, seen) in rules.iter().zip(seen) {
            if !counts(field.number) || self.violations.len() >= MAX_VIOLATIONS {
                continue;
            }
            let path = join(path, &field.name);
            if field.required && !seen.set {
                self.violations.push(Violation::new(path, "value is required"));
                continue;
            }
            let (Some(inner), Some(depth)) = (field.inner, depth.checked_sub(1)) else { continue };
            let masked = masked || field.masked;
            for (index, content) in seen.contents.iter().enumerate() {
                match field.shape {
                    Shape::Map(scalar) => {
                        let (key, value) = entry(content)?;
                        let key = if masked { MASKED.to_owned() } else { shown(scalar, key)? };
                        let path = format!("{path}[{key}]");
                        self.message(inner, value, &path, masked, depth, &|_| true)?;
                    }
                    Shape::List(_) => {
                        let path = format!("{path}[{index}]");
                        self.message(inner, content, &path, masked, depth, &|_| true)?;
                    }
                    _ => self.message(inner, content, &path, masked, depth, &|_| true)?,
                }
            }
        }
        Ok(())
    }
}

fn read<'a>(rules: &Rules, bytes: &'a [u8]) -> Result<Vec<Seen<'a>>, Malformed> {
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

/// Key and value of a map's entry.
fn entry(bytes: &[u8]) -> Result<(Option<Wire<'_>>, &[u8]), Malformed> {
    let (mut key, mut value) = (None, &[][..]);
    let mut reader = Reader::new(bytes);
    while let Some(occurrence) = reader.next()? {
        match (occurrence.number, occurrence.wire) {
            (1, wire) => key = Some(wire),
            (2, Wire::Len(content)) => value = content,
            _ => {}
        }
    }
    Ok((key, value))
}

/// What stands for the key of a map that is not shown.
const MASKED: &str = "\"[masked]\"";

/// Bytes of a map's key that a path shows.
const MAX_KEY_BYTES: usize = 64;

/// A map's key in a path.
fn shown(scalar: Scalar, key: Option<Wire<'_>>) -> Result<String, Malformed> {
    let key = key.map(|wire| scalar.decode(wire)).transpose()?.unwrap_or(scalar.zero());
    Ok(match (scalar, key) {
        (_, Value::Text(text)) => serde_json::Value::from(shortened(text)).to_string(),
        (Scalar::Bool, Value::Int(number)) => (number != 0).to_string(),
        (Scalar::Uint64 | Scalar::Fixed64, Value::Int(number)) => decode_u64(number).to_string(),
        (_, Value::Int(number)) => number.to_string(),
        _ => String::new(),
    })
}

fn shortened(mut text: String) -> String {
    const END: &str = "…";
    if text.len() > MAX_KEY_BYTES {
        let mut end = MAX_KEY_BYTES - END.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(END);
    }
    text
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
        let mut violations = Vec::new();
        rules.check(message, "", |_| true, &mut violations).unwrap();
        violations.into_iter().map(|violation| violation.field).collect()
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
