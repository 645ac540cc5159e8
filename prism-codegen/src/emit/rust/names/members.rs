//! Fields, oneofs and the methods that prost derives from them.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use super::super::ident::{camel, lettered, snake};
use super::{Message, Oneof, Source, free_name, position};

/// Renames fields and oneofs that would clash, and describes them. Nested types have their names
/// by now.
pub(super) fn resolve(
    message: &mut DescriptorProto,
    proto3: bool,
    described: &mut Message,
    at: &Source<'_>,
) {
    let mut taken = Taken::default();
    let mut variants: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
    let accessors: Vec<Accessors> =
        message.field.iter().map(|field| Accessors::of(field, message, proto3)).collect();
    for (index, (field, accessors)) in message.field.iter_mut().zip(accessors).enumerate() {
        let number = u32::try_from(field.number()).unwrap_or_default();
        let name = field.name().to_owned();
        let new = match oneof_of(field) {
            // A oneof's members are variants of its enum, not fields.
            Some(oneof) => {
                let name = lettered(&name, "Member");
                free_name(&name, |name| vec![camel(name)], variants.entry(oneof).or_default())
            }
            None => taken.field(&name, number, accessors),
        };
        field.name = Some(new);
        let comment = at.child(2, index).comment();
        described.fields.insert(number, comment);
    }
    oneofs(message, taken.fields, described, at);
}

fn oneofs(
    message: &mut DescriptorProto,
    mut fields: BTreeSet<String>,
    described: &mut Message,
    at: &Source<'_>,
) {
    let real: BTreeSet<i32> = message.field.iter().filter_map(oneof_of).collect();
    let nested = message.nested_type.iter().map(DescriptorProto::name);
    let enums = message.enum_type.iter().map(|declared| declared.name());
    let nested: BTreeSet<String> = nested.chain(enums).map(camel).collect();
    // Where a nested type has the oneof's name, prost names the oneof's enum otherwise.
    let type_name = |name: &str| match camel(name) {
        name if nested.contains(&name) => format!("{name}OneOf"),
        name => name,
    };
    let mut types = nested.clone();
    for (index, oneof) in message.oneof_decl.iter_mut().enumerate() {
        if !real.contains(&position(index)) {
            continue;
        }
        let name = oneof.name().to_owned();
        let mut both: BTreeSet<String> = fields.union(&types).cloned().collect();
        let forms = |name: &str| vec![snake(name), type_name(name)];
        let new = free_name(&lettered(&name, "oneof"), forms, &mut both);
        fields.insert(snake(&new));
        types.insert(type_name(&new));
        let comment = at.child(8, index).comment();
        let type_name = type_name(&new);
        described.oneofs.insert(snake(&new), Oneof { name, comment, type_name });
        oneof.name = Some(new);
    }
}

fn oneof_of(field: &FieldDescriptorProto) -> Option<i32> {
    if field.proto3_optional() { None } else { field.oneof_index }
}

/// The methods that prost derives from a field.
#[derive(Clone, Copy)]
enum Accessors {
    None,
    /// Of an optional scalar.
    Get,
    /// Of an enum.
    GetAndSet,
    /// Of a list of enums.
    IterateAndPush,
    /// Of a map to enums.
    OfMap,
}

impl Accessors {
    fn of(field: &FieldDescriptorProto, message: &DescriptorProto, proto3: bool) -> Self {
        let repeated = field.label() == Label::Repeated;
        let entry = message.nested_type.iter().find(|nested| {
            let name = field.type_name().rsplit('.').next();
            nested.options.as_ref().is_some_and(|options| options.map_entry())
                && name == Some(nested.name())
        });
        let is_enum = |field: &FieldDescriptorProto| field.r#type() == Type::Enum;
        let optional = field.proto3_optional() || (!proto3 && field.label() == Label::Optional);
        match (field.r#type(), entry) {
            (Type::Message, Some(entry)) if entry.field.get(1).is_some_and(is_enum) => {
                Accessors::OfMap
            }
            (Type::Enum, _) if repeated => Accessors::IterateAndPush,
            (Type::Enum, _) => Accessors::GetAndSet,
            (Type::Message | Type::Group, _) => Accessors::None,
            _ if optional => Accessors::Get,
            _ => Accessors::None,
        }
    }

    /// Their names, for a field of this Rust name.
    fn names(self, field: &str) -> Vec<String> {
        let prefixes: &[&str] = match self {
            Accessors::None => &[],
            Accessors::Get => &[""],
            Accessors::GetAndSet => &["", "set_"],
            Accessors::IterateAndPush => &["", "push_"],
            Accessors::OfMap => &["get_", "insert_"],
        };
        let field = field.strip_prefix("r#").unwrap_or(field);
        prefixes.iter().map(|prefix| format!("{prefix}{field}")).collect()
    }
}

/// Names that the fields so far, and their methods, have.
#[derive(Default)]
struct Taken {
    fields: BTreeSet<String>,
    methods: BTreeSet<String>,
}

impl Taken {
    /// The name of a field: its own, or with its number, where it or a method of it is taken.
    fn field(&mut self, name: &str, number: u32, accessors: Accessors) -> String {
        let own = lettered(name, "field");
        let numbered = (1..).map(|count| {
            let suffix = if count == 1 { String::new() } else { count.to_string() };
            format!("{own}_{number}{suffix}")
        });
        let mut candidates = std::iter::once(own.clone()).chain(numbered);
        let chosen = candidates.find(|name| self.is_free(&snake(name), accessors));
        let chosen = chosen.unwrap_or_default();
        self.methods.extend(accessors.names(&snake(&chosen)));
        self.fields.insert(snake(&chosen));
        chosen
    }

    fn is_free(&self, field: &str, accessors: Accessors) -> bool {
        // prost joins `get_` with the raw identifier.
        let raw_in_a_name = matches!(accessors, Accessors::OfMap) && field.starts_with("r#");
        let methods = accessors.names(field);
        !raw_in_a_name
            && !self.fields.contains(field)
            && !methods.iter().any(|method| self.methods.contains(method))
    }
}
