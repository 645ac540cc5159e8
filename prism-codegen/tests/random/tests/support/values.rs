//! Random values of messages that are known by their descriptors alone.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};
use random_schemas::Random;

/// A field's value: lists of one to three, maps of one entry. `None` where it cannot have one that
/// every storage keeps.
pub fn of_field(random: &mut Random, field: &FieldDescriptor, depth: usize) -> Option<Value> {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let key = map_key(random, &entry.map_entry_key_field().kind());
        let value = of_kind(random, &entry.map_entry_value_field().kind(), depth)?;
        return Some(Value::Map(HashMap::from([(key, value)])));
    }
    if field.is_list() {
        let count = random.between(1, 3);
        let items: Option<Vec<Value>> =
            (0..count).map(|_| of_kind(random, &field.kind(), depth)).collect();
        return items.map(Value::List);
    }
    of_kind(random, &field.kind(), depth)
}

fn map_key(random: &mut Random, kind: &Kind) -> MapKey {
    match of_kind(random, kind, 0) {
        Some(Value::Bool(key)) => MapKey::Bool(key),
        Some(Value::I32(key)) => MapKey::I32(key),
        Some(Value::I64(key)) => MapKey::I64(key),
        Some(Value::U32(key)) => MapKey::U32(key),
        Some(Value::U64(key)) => MapKey::U64(key),
        Some(Value::String(key)) => MapKey::String(key),
        other => panic!("{other:?} is no key of a map"),
    }
}

fn of_kind(random: &mut Random, kind: &Kind, depth: usize) -> Option<Value> {
    let bits = random.bits();
    Some(match kind {
        Kind::Bool => Value::Bool(true),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32 | 1),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64 | 1),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32 | 1),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits | 1),
        Kind::Float => Value::F32(f32::from(bits as i16) + 0.5),
        Kind::Double => Value::F64(f64::from(bits as i32) + 0.25),
        Kind::String => Value::String(format!("é\"{}", bits % 100_000)),
        Kind::Bytes => Value::Bytes(vec![0xff, 0, bits as u8].into()),
        Kind::Enum(of) => {
            let values: Vec<i32> = of.values().map(|value| value.number()).collect();
            Value::EnumNumber(random.pick(&values))
        }
        Kind::Message(message) => Value::Message(of_message(random, message, depth)?),
    })
}

fn of_message(
    random: &mut Random,
    message: &MessageDescriptor,
    depth: usize,
) -> Option<DynamicMessage> {
    let mut made = DynamicMessage::new(message.clone());
    match message.full_name() {
        // Of a type that has to be known where it is stored as JSON.
        "google.protobuf.Any" => return None,
        // What has a column of its own keeps microseconds.
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            made.set_field_by_number(1, Value::I64(random.below(1 << 30) as i64 + 1));
            made.set_field_by_number(2, Value::I32(random.below(1_000_000) as i32 * 1_000));
        }
        "google.protobuf.FieldMask" => {
            made.set_field_by_number(1, Value::List(vec![Value::String("a".to_owned())]));
        }
        "google.protobuf.Value" => made.set_field_by_number(2, Value::F64(0.5)),
        _ => {
            for field in message.fields() {
                let deep = depth > 2 && matches!(field.kind(), Kind::Message(_));
                if (random.chance(60) && !deep)
                    && let Some(value) = of_field(random, &field, depth + 1)
                {
                    made.set_field(&field, value);
                }
            }
        }
    }
    Some(made)
}
