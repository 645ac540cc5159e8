//! The structure of what comes in with a descriptor set. Compilers write oneofs, maps and labels in
//! one way only, and code that is generated of another one would not match the descriptors.

use std::collections::BTreeMap;

use prism_options::{Diagnostics, Span};
use prost_reflect::{
    Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Syntax,
};
use prost_types::field_descriptor_proto::Type;

use crate::diagnostics::catalog::load as catalog;
use crate::printable::shown;

/// Files whose messages are stored and generated in ways of their own.
const WELL_KNOWN: [&str; 7] =
    ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"];

/// Reports every message that no compiler would have written so. Names have been checked before.
pub(super) fn check(pool: &DescriptorPool, found: &mut Diagnostics) {
    let mut check = Check { found, maps: BTreeMap::new() };
    for message in pool.all_messages() {
        message.oneofs().for_each(|oneof| check.oneof(&oneof));
        message.fields().for_each(|field| check.field(&field));
    }
    for extension in pool.all_extensions() {
        if let Kind::Message(message) = extension.kind()
            && message.is_map_entry()
        {
            let file = extension.parent_file();
            check.report(file.name(), extension.name(), "is an extension and a map");
        }
    }
    for message in pool.all_messages().filter(MessageDescriptor::is_map_entry) {
        check.entry(&message);
    }
    for name in WELL_KNOWN {
        check.well_known(pool, &format!("google/protobuf/{name}.proto"));
    }
}

struct Check<'a> {
    found: &'a mut Diagnostics,
    /// How many fields each entry of a map is named by.
    maps: BTreeMap<String, usize>,
}

impl Check<'_> {
    fn report(&mut self, file: &str, name: &str, what: &str) {
        let text = format!("`{}` {what}", shown(name));
        self.found.push(catalog::malformed(&Span::file(file), &text));
    }

    fn report_field(&mut self, field: &FieldDescriptor, what: &str) {
        self.report(field.parent_file().name(), field.full_name(), what);
    }

    fn oneof(&mut self, oneof: &OneofDescriptor) {
        let fields: Vec<FieldDescriptor> = oneof.fields().collect();
        let file = oneof.parent_message().parent_file();
        if fields.is_empty() {
            self.report(file.name(), oneof.full_name(), "is a oneof without fields");
        }
        let optional = |field: &FieldDescriptor| field.field_descriptor_proto().proto3_optional();
        if fields.len() > 1 && fields.iter().any(optional) {
            self.report(
                file.name(),
                oneof.full_name(),
                "is a oneof of an optional field and others",
            );
        }
        for field in fields.iter().filter(|it| it.cardinality() != Cardinality::Optional) {
            self.report_field(field, "has a label and is in a oneof");
        }
    }

    fn field(&mut self, field: &FieldDescriptor) {
        let proto = field.field_descriptor_proto();
        let kind = field.kind();
        let typed = match &kind {
            Kind::Message(_) => matches!(proto.r#type(), Type::Message | Type::Group),
            Kind::Enum(_) => proto.r#type() == Type::Enum,
            _ => !matches!(proto.r#type(), Type::Message | Type::Group | Type::Enum),
        };
        if !typed {
            self.report_field(field, "has a type that is not of its kind");
        }
        if proto.proto3_optional() && field.containing_oneof().is_none() {
            self.report_field(field, "is optional and has no oneof of its own");
        }
        if field.parent_file().syntax() == Syntax::Proto3 {
            let said = if field.cardinality() == Cardinality::Required {
                "required"
            } else if field.is_group() {
                "a group"
            } else if proto.default_value.is_some() {
                "a field with a default"
            } else {
                ""
            };
            if !said.is_empty() {
                self.report_field(field, &format!("is {said}, which proto3 does not have"));
            }
        }
        if let Kind::Message(entry) = &kind
            && entry.is_map_entry()
        {
            let within = entry.parent_message().as_ref() == Some(field.parent_message());
            if field.cardinality() != Cardinality::Repeated || !within || field.is_group() {
                self.report_field(field, "is not a map, and its type is the entry of a map");
            }
            *self.maps.entry(entry.full_name().to_owned()).or_default() += 1;
        }
    }

    fn entry(&mut self, entry: &MessageDescriptor) {
        let file = entry.parent_file();
        if self.maps.get(entry.full_name()) != Some(&1) || entry.parent_message().is_none() {
            self.report(file.name(), entry.full_name(), "is the entry of no map, or of several");
        }
        let key = entry.map_entry_key_field();
        if matches!(
            key.kind(),
            Kind::Float | Kind::Double | Kind::Bytes | Kind::Message(_) | Kind::Enum(_)
        ) {
            self.report_field(&key, "is not a type that the key of a map may have");
        }
        for field in entry.fields() {
            let labelled = field.cardinality() != Cardinality::Optional;
            if labelled || field.containing_oneof().is_some() || field.is_group() {
                self.report_field(&field, "is not a field of the entry of a map");
            }
        }
    }

    /// That a file of Google which the set holds has the messages that Prism knows.
    fn well_known(&mut self, pool: &DescriptorPool, file: &str) {
        if pool.get_file_by_name(file).is_none() {
            return;
        }
        let known = DescriptorPool::global();
        for message in known.get_file_by_name(file).iter().flat_map(|file| file.messages()) {
            let own = pool.get_message_by_name(message.full_name());
            let own = own.filter(|own| own.parent_file().name() == file);
            if own.map(|own| fields(&own)) != Some(fields(&message)) {
                self.report(file, message.full_name(), "is not what Google's file declares");
            }
        }
    }
}

/// What the encoding of a message follows from, by field number.
fn fields(message: &MessageDescriptor) -> Vec<(u32, String, Cardinality, String)> {
    let kind = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(declared) => declared.full_name().to_owned(),
        scalar => format!("{scalar:?}"),
    };
    let mut fields: Vec<_> = message
        .fields()
        .map(|field| (field.number(), field.name().to_owned(), field.cardinality(), kind(&field)))
        .collect();
    fields.sort_by_key(|field| field.0);
    fields
}
