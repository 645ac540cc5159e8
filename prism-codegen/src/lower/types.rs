//! Protobuf types as the model knows them, and as findings name them.

use prism_schema::{Cardinality, FieldType};
use prost_reflect::{Cardinality as Label, FieldDescriptor, FileDescriptor, Kind};

/// A field's type as a column has it, and whether the field is a scalar's wrapper.
pub(super) fn field_type(field: &FieldDescriptor) -> (FieldType, bool) {
    let ty = match field.kind() {
        Kind::Bool => FieldType::Bool,
        Kind::Int32 => FieldType::Int32,
        Kind::Int64 => FieldType::Int64,
        Kind::Uint32 => FieldType::Uint32,
        Kind::Uint64 => FieldType::Uint64,
        Kind::Sint32 => FieldType::Sint32,
        Kind::Sint64 => FieldType::Sint64,
        Kind::Fixed32 => FieldType::Fixed32,
        Kind::Fixed64 => FieldType::Fixed64,
        Kind::Sfixed32 => FieldType::Sfixed32,
        Kind::Sfixed64 => FieldType::Sfixed64,
        Kind::Float => FieldType::Float,
        Kind::Double => FieldType::Double,
        Kind::String => FieldType::String,
        Kind::Bytes => FieldType::Bytes,
        Kind::Enum(kind) => FieldType::Enum(kind.full_name().to_owned()),
        Kind::Message(message) => {
            let name = message.full_name();
            let singular = !field.is_list() && !field.is_map();
            match name {
                "google.protobuf.Timestamp" => FieldType::Timestamp,
                "google.protobuf.Duration" => FieldType::Duration,
                _ if field.is_group() => FieldType::Group(name.to_owned()),
                _ => match wrapped(name).filter(|_| singular) {
                    Some(scalar) => return (scalar, true),
                    None => FieldType::Message(name.to_owned()),
                },
            }
        }
    };
    (ty, false)
}

fn wrapped(message: &str) -> Option<FieldType> {
    Some(match message.strip_prefix("google.protobuf.")? {
        "BoolValue" => FieldType::Bool,
        "Int32Value" => FieldType::Int32,
        "Int64Value" => FieldType::Int64,
        "UInt32Value" => FieldType::Uint32,
        "UInt64Value" => FieldType::Uint64,
        "FloatValue" => FieldType::Float,
        "DoubleValue" => FieldType::Double,
        "StringValue" => FieldType::String,
        "BytesValue" => FieldType::Bytes,
        _ => return None,
    })
}

pub(super) fn is_integer(ty: &FieldType) -> bool {
    let other = matches!(
        ty,
        FieldType::Bool
            | FieldType::String
            | FieldType::Bytes
            | FieldType::Enum(_)
            | FieldType::Timestamp
            | FieldType::Duration
    );
    !other && ty.is_ordered()
}

pub(super) fn cardinality(field: &FieldDescriptor) -> Cardinality {
    if field.is_map() {
        return Cardinality::Map;
    }
    match field.cardinality() {
        Label::Repeated => Cardinality::Repeated,
        Label::Required => Cardinality::Required,
        Label::Optional if field.supports_presence() => Cardinality::Optional,
        Label::Optional => Cardinality::Implicit,
    }
}

/// Whether the value has a column type of its own.
pub(super) fn is_native(ty: &FieldType, cardinality: Cardinality) -> bool {
    !matches!(cardinality, Cardinality::Repeated | Cardinality::Map)
        && !matches!(ty, FieldType::Message(_) | FieldType::Group(_))
}

/// The oneof that a field is a member of, synthetic ones aside.
pub(super) fn oneof(field: &FieldDescriptor) -> Option<String> {
    let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic())?;
    Some(oneof.name().to_owned())
}

/// Whether proto3's `optional` stands before the field, whatever its type.
pub(super) fn is_declared_optional(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().proto3_optional()
}

/// A field's type as its declaration spells it: `repeated string`, `map<string, int32>`.
pub(super) fn declared(field: &FieldDescriptor) -> String {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let key = declared(&entry.map_entry_key_field());
        return format!("map<{key}, {}>", declared(&entry.map_entry_value_field()));
    }
    let name = match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(kind) => kind.full_name().to_owned(),
        kind => format!("{kind:?}"),
    };
    if field.is_list() { format!("repeated {name}") } else { name }
}

/// The import that the use of a type or an annotation needs before it, unless the file has it:
/// `import `…`, and `.
pub(super) fn import(file: &FileDescriptor, name: &str) -> String {
    let name = name.trim_start_matches("repeated ");
    let imported = match name {
        "google.protobuf.Timestamp" => "google/protobuf/timestamp.proto".to_owned(),
        "google.protobuf.Duration" => "google/protobuf/duration.proto".to_owned(),
        "google.protobuf.FieldMask" => "google/protobuf/field_mask.proto".to_owned(),
        "google.api.field_behavior" => "google/api/field_behavior.proto".to_owned(),
        _ => match declaring(file, name) {
            Some(declaring) => declaring.name().to_owned(),
            None => return String::new(),
        },
    };
    match imported == file.name() || sees(file, &imported) {
        true => String::new(),
        false => format!("import `{imported}`, and "),
    }
}

/// The file that declares a message or an enum.
fn declaring(file: &FileDescriptor, name: &str) -> Option<FileDescriptor> {
    let pool = file.parent_pool();
    let message = pool.get_message_by_name(name).map(|it| it.parent_file());
    message.or_else(|| pool.get_enum_by_name(name).map(|it| it.parent_file()))
}

/// Whether a file imports another one, itself or through public imports of what it imports.
fn sees(file: &FileDescriptor, other: &str) -> bool {
    let mut open: Vec<FileDescriptor> = file.dependencies().collect();
    let mut seen: Vec<String> = Vec::new();
    while let Some(next) = open.pop() {
        if next.name() == other {
            return true;
        }
        if !seen.iter().any(|name| name == next.name()) {
            seen.push(next.name().to_owned());
            open.extend(next.public_dependencies());
        }
    }
    false
}

/// Type, name and number of a singular field, as its declaration spells them.
pub(super) fn declaration(field: &FieldDescriptor) -> String {
    format!("{} {} = {}", declared(field), field.name(), field.number())
}

/// Why a type is neither a key, an index, a condition nor an order; `None` where it can be.
pub(super) fn unordered(field: &FieldDescriptor) -> Option<String> {
    let (ty, _) = field_type(field);
    let why = if field.is_map() {
        "a map has no order"
    } else if field.is_list() {
        "a list has no order"
    } else {
        match ty {
            FieldType::Float | FieldType::Double => {
                "floating point numbers have no order that every database agrees on"
            }
            FieldType::Message(_) | FieldType::Group(_) => "a message has no order",
            _ => return None,
        }
    };
    Some(why.to_owned())
}
