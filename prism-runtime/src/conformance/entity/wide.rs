//! Random messages through JSON storage: what is taken reads back as it was written.

use bytes::Bytes;
use prism_migrate::json::same_messages;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

use super::harness::{Factory, Harness};
use crate::Code;

/// Puts random documents: each is refused for a field of it, or read back equal.
///
/// # Panics
///
/// A document reads back as another one, with the shortest such document.
pub fn json_random(factory: &Factory<'_>) {
    let harness = Harness::new(factory);
    let document = harness.message("Document");
    let fields = ["wide", "wides", "wide_by_name"];
    let fields = fields.map(|name| document.get_field_by_name(name).expect("a field of it"));
    let chosen = (0..fields.len()).prop_flat_map(move |at| {
        let field = fields[at].clone();
        value(&field, 2).prop_map(move |value| (field.clone(), value))
    });
    let config = Config { cases: 300, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&chosen, |(field, value)| {
        let mut sent = DynamicMessage::new(document.clone());
        sent.set_field_by_name("shop", Value::String("s".to_owned()));
        sent.set_field(&field, value);
        let bytes = sent.encode_to_vec();
        let sent = DynamicMessage::decode(document.clone(), &*bytes).expect("a message");
        match harness.block_on(harness.call_raw("PutDocument", delimited(&bytes))) {
            Err(error) => {
                prop_assert_eq!(error.code(), Code::InvalidArgument, "{}", error);
                // At the value or the text that is to blame, or at the field that holds it.
                let path = format!("document.{}", field.name());
                let found = &error.violations()[0].field;
                let below = found.strip_prefix(&path);
                let below = below.is_some_and(|it| it.is_empty() || it.starts_with(['.', '[']));
                prop_assert!(below, "{} is not below {}", found, path);
            }
            Ok(_) => {
                let got = harness.block_on(harness.call_raw("GetDocument", vec![0x0a, 1, b's']));
                let got = got.map_err(|error| TestCaseError::fail(error.to_string()))?;
                let read = DynamicMessage::decode(document.clone(), &*got).expect("a message");
                prop_assert!(same_messages(&sent, &read), "{bytes:x?} became {got:x?}");
            }
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn delimited(entity: &[u8]) -> Vec<u8> {
    let mut request = vec![0x0a];
    prost::encoding::encode_varint(entity.len() as u64, &mut request);
    request.extend(entity);
    request
}

fn message(of: MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    let some = proptest::sample::subsequence(fields.clone(), 0..=fields.len().min(4));
    some.prop_flat_map(move |fields| {
        let values: Vec<_> = fields.iter().map(|field| value(field, depth)).collect();
        let of = of.clone();
        values.prop_map(move |values| {
            let mut message = DynamicMessage::new(of.clone());
            for (field, value) in fields.iter().zip(values) {
                message.set_field(field, value);
            }
            message
        })
    })
    .boxed()
}

fn value(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Value> {
    if let (true, Kind::Message(entry)) = (field.is_map(), field.kind()) {
        let value = singular(&entry.map_entry_value_field().kind(), depth);
        let key = map_key(&entry.map_entry_key_field().kind());
        return hash_map(key, value, 0..3).prop_map(Value::Map).boxed();
    }
    let one = singular(&field.kind(), depth);
    if field.is_list() { vec(one, 0..4).prop_map(Value::List).boxed() } else { one }
}

fn map_key(kind: &Kind) -> BoxedStrategy<MapKey> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(MapKey::Bool).boxed(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => any::<i32>().prop_map(MapKey::I32).boxed(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => any::<i64>().prop_map(MapKey::I64).boxed(),
        Kind::Uint32 | Kind::Fixed32 => any::<u32>().prop_map(MapKey::U32).boxed(),
        Kind::Uint64 | Kind::Fixed64 => any::<u64>().prop_map(MapKey::U64).boxed(),
        _ => text().prop_map(MapKey::String).boxed(),
    }
}

fn text() -> BoxedStrategy<String> {
    let odd =
        proptest::sample::select(vec!["\0", "\\u0000", "\"", "@type", "null", "\u{2028}", ""]);
    prop_oneof![
        4 => "\\PC{0,6}".prop_map(String::from),
        1 => vec(any::<char>(), 0..4).prop_map(String::from_iter),
        1 => odd.prop_map(str::to_owned),
    ]
    .boxed()
}

fn double() -> BoxedStrategy<f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 5e-324, f64::MAX, 1e21, 9.3e18];
    prop_oneof![
        any::<f64>(),
        any::<i32>().prop_map(f64::from),
        proptest::sample::select(odd.to_vec())
    ]
    .boxed()
}

fn singular(kind: &Kind, depth: u32) -> BoxedStrategy<Value> {
    match kind {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => any::<i32>().prop_map(Value::I32).boxed(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => any::<i64>().prop_map(Value::I64).boxed(),
        Kind::Uint32 | Kind::Fixed32 => any::<u32>().prop_map(Value::U32).boxed(),
        Kind::Uint64 | Kind::Fixed64 => any::<u64>().prop_map(Value::U64).boxed(),
        Kind::Float => double().prop_map(|number| Value::F32(number as f32)).boxed(),
        Kind::Double => double().prop_map(Value::F64).boxed(),
        Kind::String => text().prop_map(Value::String).boxed(),
        Kind::Bytes => {
            vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Bytes(Bytes::from(bytes))).boxed()
        }
        Kind::Enum(_) => {
            prop_oneof![3 => -1..4, 1 => any::<i32>()].prop_map(Value::EnumNumber).boxed()
        }
        Kind::Message(of) => known(of, depth).prop_map(Value::Message).boxed(),
    }
}

/// Messages, those of protobuf's own among them with values inside of their ranges and outside.
fn known(of: &MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    match of.full_name() {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => time(of.clone()),
        "google.protobuf.Any" => packed(of, depth),
        "google.protobuf.FieldMask" => {
            let path = prop_oneof!["[a-z][a-z_.]{0,6}", "[a-zA-Z0-9_.,]{0,6}"];
            let of = of.clone();
            vec(path, 0..3)
                .prop_map(move |paths| {
                    let mut mask = DynamicMessage::new(of.clone());
                    let paths = paths.into_iter().map(Value::String).collect();
                    mask.set_field_by_name("paths", Value::List(paths));
                    mask
                })
                .boxed()
        }
        "google.protobuf.Value" => json_value(of.clone(), depth),
        _ if depth == 0 => Just(DynamicMessage::new(of.clone())).boxed(),
        _ => message(of.clone(), depth - 1),
    }
}

fn time(of: MessageDescriptor) -> BoxedStrategy<DynamicMessage> {
    let seconds = prop_oneof![-100..100_i64, -62_135_596_800..=253_402_300_799_i64, any::<i64>()];
    let nanos = prop_oneof![Just(0), -999_999_999..=999_999_999, any::<i32>()];
    (seconds, nanos)
        .prop_map(move |(seconds, nanos)| {
            let mut time = DynamicMessage::new(of.clone());
            time.set_field_by_number(1, Value::I64(seconds));
            time.set_field_by_number(2, Value::I32(nanos));
            time
        })
        .boxed()
}

/// An `Any`: of a type that the suite has, of one that it has not, with bytes that are it or not.
fn packed(of: &MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    let any = of.clone();
    let pack = move |(url, bytes): (String, Vec<u8>)| {
        let mut message = DynamicMessage::new(any.clone());
        message.set_field_by_number(1, Value::String(url));
        message.set_field_by_number(2, Value::Bytes(Bytes::from(bytes)));
        message
    };
    let wide = of.parent_pool().get_message_by_name("conformance.v1.Wide");
    let wide = wide.expect("a message of the suite");
    if depth > 0 {
        let url = "type.googleapis.com/conformance.v1.Wide".to_owned();
        let inner = message(wide, depth - 1);
        let inner = inner.prop_map(move |inner| (url.clone(), inner.encode_to_vec()));
        return prop_oneof![2 => inner, 1 => odd_packed()].prop_map(pack).boxed();
    }
    odd_packed().prop_map(pack).boxed()
}

/// A type URL and bytes that fit each other or not.
fn odd_packed() -> BoxedStrategy<(String, Vec<u8>)> {
    let urls = [
        "type.googleapis.com/conformance.v1.Wide",
        "example.com/a/conformance.v1.Settings",
        "conformance.v1.Settings",
        "type.googleapis.com/google.protobuf.DoubleValue",
        "type.googleapis.com/google.protobuf.Struct",
        "type.googleapis.com/no.Such",
        "",
    ];
    let bytes = prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..6),
        double().prop_map(|number| [&[9][..], &number.to_le_bytes()].concat()),
        "[a-z]{1,4}".prop_map(|text| [&[10, text.len() as u8][..], text.as_bytes()].concat()),
    ];
    (proptest::sample::select(urls.to_vec()).prop_map(str::to_owned), bytes).boxed()
}

/// A `google.protobuf.Value`, without -0.0: of that alone JSONB makes 0.
fn json_value(of: MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    let kinds: Vec<FieldDescriptor> = of.fields().collect();
    let chosen = proptest::option::weighted(0.9, proptest::sample::select(kinds));
    chosen
        .prop_flat_map(move |kind| {
            let of = of.clone();
            let Some(kind) = kind else { return Just(DynamicMessage::new(of)).boxed() };
            let nested = matches!(kind.kind(), Kind::Message(_));
            let value = match kind.kind() {
                Kind::Double => double().prop_map(|number| Value::F64(number + 0.0)).boxed(),
                Kind::Enum(_) => Just(Value::EnumNumber(0)).boxed(),
                kind => singular(&kind, depth.saturating_sub(u32::from(nested))),
            };
            value
                .prop_map(move |value| {
                    let mut message = DynamicMessage::new(of.clone());
                    message.set_field(&kind, value);
                    message
                })
                .boxed()
        })
        .boxed()
}
