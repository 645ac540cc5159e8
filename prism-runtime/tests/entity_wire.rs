//! Messages through the transcoder and back, with prost-reflect as the oracle.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use prism_runtime::conformance::entity::schema;
use prism_runtime::entity::layout::Layout;
use prism_runtime::entity::record::Record;
use prism_runtime::entity::wire::{Audience, Codec};
use prism_runtime::schema::{
    Backend, Cardinality, Column, Entity, FieldType, Storage, Value as Stored,
};
use prism_runtime::{Error, Reason, Result};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

struct Fixture {
    codec: Codec,
    message: MessageDescriptor,
}

impl Fixture {
    fn everything() -> Self {
        let pool = schema::pool();
        let layout = Arc::new(Layout::new(schema::everything(&pool)));
        Fixture {
            codec: Codec::new(layout, &pool).unwrap(),
            message: schema::message(&pool, "Everything"),
        }
    }

    /// Into a record and out again.
    fn round_trip(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.encode(self.codec.decode(bytes, "entity")?)
    }

    fn encode(&self, record: Record) -> Result<Vec<u8>> {
        let record = self.codec.prepare(record)?;
        let mut encoded = Vec::new();
        self.codec.encode(&record, Audience::Caller, &mut encoded);
        assert_eq!(encoded.len(), self.codec.encoded_len(&record, Audience::Caller));
        Ok(encoded)
    }

    /// What the two are as JSON: a descriptor of a recursive message has no `Debug` that ends.
    fn differ(&self, bytes: &[u8], out: &[u8]) -> String {
        let json = |bytes| serde_json::to_string(&self.oracle(bytes)).unwrap_or_default();
        format!("{}\nbecame\n{}", json(bytes), json(out))
    }

    /// Encoded messages at random.
    fn messages(&self, depth: u32) -> BoxedStrategy<Vec<u8>> {
        message(self.message.clone(), depth).prop_map(|message| message.encode_to_vec()).boxed()
    }

    fn oracle(&self, bytes: &[u8]) -> DynamicMessage {
        DynamicMessage::decode(self.message.clone(), bytes).unwrap()
    }
}

fn message(of: MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    let values: Vec<BoxedStrategy<Option<(FieldDescriptor, Value)>>> = fields
        .into_iter()
        .map(|field| {
            let value = value(&field, depth);
            let set = move |value: Option<Value>| value.map(|value| (field.clone(), value));
            proptest::option::weighted(0.5, value).prop_map(set).boxed()
        })
        .collect();
    let build = move |values: Vec<Option<(FieldDescriptor, Value)>>| {
        let mut message = DynamicMessage::new(of.clone());
        for (field, value) in values.into_iter().flatten() {
            message.set_field(&field, value);
        }
        message
    };
    values.prop_map(build).boxed()
}

fn value(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Value> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { unreachable!("a map has entries") };
        let value = singular(&entry.map_entry_value_field(), depth);
        return match entry.map_entry_key_field().kind() {
            Kind::Int32 => btree_map(any::<i32>(), value, 0..3)
                .prop_map(|map| {
                    Value::Map(map.into_iter().map(|(k, v)| (MapKey::I32(k), v)).collect())
                })
                .boxed(),
            _ => btree_map("[a-z]{0,3}", value, 0..3)
                .prop_map(|map| {
                    Value::Map(map.into_iter().map(|(k, v)| (MapKey::String(k), v)).collect())
                })
                .boxed(),
        };
    }
    if field.is_list() {
        return vec(singular(field, depth), 0..4).prop_map(Value::List).boxed();
    }
    singular(field, depth)
}

fn singular(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Value> {
    use proptest::num::{f32, f64};
    match field.kind() {
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => any::<i32>().prop_map(Value::I32).boxed(),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => any::<i64>().prop_map(Value::I64).boxed(),
        Kind::Uint32 | Kind::Fixed32 => any::<u32>().prop_map(Value::U32).boxed(),
        Kind::Uint64 | Kind::Fixed64 => any::<u64>().prop_map(Value::U64).boxed(),
        // NaN is equal to nothing; the conformance suite compares its bits.
        Kind::Float => (f32::POSITIVE | f32::NEGATIVE | f32::NORMAL | f32::ZERO | f32::INFINITE)
            .prop_map(Value::F32)
            .boxed(),
        Kind::Double => (f64::POSITIVE | f64::NEGATIVE | f64::NORMAL | f64::ZERO | f64::INFINITE)
            .prop_map(Value::F64)
            .boxed(),
        Kind::String => "\\PC{0,8}".prop_map(Value::String).boxed(),
        Kind::Bytes => vec(any::<u8>(), 0..8).prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        Kind::Enum(_) => any::<i32>().prop_map(Value::EnumNumber).boxed(),
        Kind::Message(of) => match of.full_name() {
            "google.protobuf.Timestamp" => time(-62_135_596_800..=253_402_300_799, 0, of),
            "google.protobuf.Duration" => time(0..=315_575_999_999, 0, of),
            "google.protobuf.Value" => json_value(of, depth),
            _ if depth == 0 => Just(Value::Message(DynamicMessage::new(of))).boxed(),
            _ => message(of, depth - 1).prop_map(Value::Message).boxed(),
        },
    }
}

/// Values that JSON has: others are refused where they are stored as JSON.
fn json_value(of: MessageDescriptor, depth: u32) -> BoxedStrategy<Value> {
    use proptest::num::f64;
    let kind = |name: &'static str, value: BoxedStrategy<Value>| {
        let of = of.clone();
        let build = move |value| {
            let mut message = DynamicMessage::new(of.clone());
            message.set_field_by_name(name, value);
            Value::Message(message)
        };
        value.prop_map(build).boxed()
    };
    let number = f64::POSITIVE | f64::NEGATIVE | f64::NORMAL | f64::ZERO;
    let scalar = prop_oneof![
        kind("null_value", Just(Value::EnumNumber(0)).boxed()),
        kind("bool_value", any::<bool>().prop_map(Value::Bool).boxed()),
        kind("number_value", number.prop_map(Value::F64).boxed()),
        kind("string_value", "\\PC{0,8}".prop_map(Value::String).boxed()),
    ];
    if depth == 0 {
        return scalar.boxed();
    }
    let Some(Kind::Message(list)) = of.get_field_by_name("list_value").map(|field| field.kind())
    else {
        unreachable!("a value may be a list")
    };
    let items = vec(json_value(of.clone(), depth - 1), 0..3).prop_map(move |items| {
        let mut message = DynamicMessage::new(list.clone());
        message.set_field_by_name("values", Value::List(items));
        Value::Message(message)
    });
    prop_oneof![4 => scalar, 1 => kind("list_value", items.boxed())].boxed()
}

#[test]
fn what_json_has_no_form_for_is_refused_where_it_is_stored_as_json() {
    let fixture = Fixture::everything();
    let value = fixture.message.get_field_by_name("value_json").unwrap();
    let Kind::Message(of) = value.kind() else { unreachable!("it is a message") };
    let mut nan = DynamicMessage::new(of.clone());
    nan.set_field_by_name("number_value", Value::F64(f64::NAN));
    for none in [DynamicMessage::new(of), nan] {
        let mut message = DynamicMessage::new(fixture.message.clone());
        message.set_field(&value, Value::Message(none));
        let error = fixture.round_trip(&message.encode_to_vec()).unwrap_err();
        assert_eq!(error.reason(), Reason::InvalidRequest);
        assert_eq!(error.violations()[0].field, "entity.value_json");
    }
}

/// Times of whole microseconds: finer ones are cut, which has a test of its own.
fn time(
    seconds: std::ops::RangeInclusive<i64>,
    least: i32,
    of: MessageDescriptor,
) -> BoxedStrategy<Value> {
    let build = move |(seconds, micros): (i64, i32)| {
        let mut time = DynamicMessage::new(of.clone());
        time.set_field_by_number(1, Value::I64(seconds));
        time.set_field_by_number(2, Value::I32(micros * 1_000));
        Value::Message(time)
    };
    (seconds, least..1_000_000).prop_map(build).boxed()
}

#[test]
fn what_goes_in_comes_out() {
    let fixture = Fixture::everything();
    let messages = fixture.messages(2);
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let result = runner.run(&messages, |bytes| {
        let out = fixture.round_trip(&bytes).map_err(fail)?;
        prop_assert!(
            fixture.oracle(&out) == fixture.oracle(&bytes),
            "{}",
            fixture.differ(&bytes, &out)
        );
        let again = fixture.round_trip(&out).map_err(fail)?;
        prop_assert!(
            fixture.oracle(&again) == fixture.oracle(&out),
            "{}",
            fixture.differ(&out, &again)
        );
        Ok(())
    });
    result.unwrap();
}

#[test]
fn messages_one_after_another_merge() {
    let fixture = Fixture::everything();
    let one = || fixture.messages(1);
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let result = runner.run(&(one(), one(), one()), |(one, two, three)| {
        let bytes = [one, two, three].concat();
        let out = fixture.round_trip(&bytes).map_err(fail)?;
        prop_assert!(
            fixture.oracle(&out) == fixture.oracle(&bytes),
            "{}",
            fixture.differ(&bytes, &out)
        );
        Ok(())
    });
    result.unwrap();
}

#[test]
fn what_is_accepted_can_be_read_by_others() {
    let fixture = Fixture::everything();
    let damage = (any::<prop::sample::Index>(), any::<u8>());
    let messages = (fixture.messages(2), vec(damage, 1..4), any::<bool>());
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let result = runner.run(&messages, |(mut bytes, damages, cut)| {
        prop_assume!(!bytes.is_empty());
        for (at, byte) in &damages {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
        if cut {
            bytes.truncate(damages[0].0.index(bytes.len()));
        }
        if let Ok(out) = fixture.round_trip(&bytes) {
            let read = DynamicMessage::decode(fixture.message.clone(), &*out);
            prop_assert!(read.is_ok(), "{:?} became {:?}: {:?}", bytes, out, read.err());
        }
        Ok(())
    });
    result.unwrap();
}

#[test]
fn lists_are_read_packed_and_not() {
    let fixture = Fixture::everything();
    let head = [0x0a, 1, b'e'];
    // 61, sint64: 1 and -1.
    let packed = [&head[..], &[0xea, 0x03, 2, 2, 1]].concat();
    let unpacked = [&head[..], &[0xe8, 0x03, 2, 0xe8, 0x03, 1]].concat();
    let mixed = [&head[..], &[0xea, 0x03, 1, 2, 0xe8, 0x03, 1]].concat();
    for bytes in [packed, unpacked, mixed] {
        let out = fixture.round_trip(&bytes).unwrap();
        let list = fixture.oracle(&out).get_field_by_number(61).unwrap().into_owned();
        assert_eq!(list, Value::List(vec![Value::I64(1), Value::I64(-1)]));
    }
}

#[test]
fn a_stored_value_of_another_type_is_a_corrupt_record() {
    let fixture = Fixture::everything();
    let record = fixture.codec.decode(&[0x0a, 1, b'e'], "").unwrap();
    for (position, value) in [
        (0, Stored::Int(1)),
        (1, Stored::Int(2)),
        (2, Stored::Int(i64::MAX)),
        (12, Stored::Text("x".to_owned())),
        (17, Stored::Int(i64::MAX)),
        (0, Stored::Null),
    ] {
        let mut record = record.clone();
        record.0[position] = value;
        let error = fixture.encode(record).unwrap_err();
        assert_eq!(error.reason(), Reason::CorruptRecord, "{position}");
    }
}

#[test]
fn null_is_the_zero_where_a_newer_schema_has_presence() {
    let fixture = Fixture::everything();
    let mut record = fixture.codec.decode(&[0x0a, 1, b'e'], "").unwrap();
    let zeros = fixture.encode(record.clone()).unwrap();
    record.0[1] = Stored::Null;
    assert_eq!(fixture.encode(record).unwrap(), zeros);
}

const PROTO2: &str = r#"
    syntax = "proto2";
    message Legacy {
      required string id = 1;
      optional int32 count = 2 [default = 7];
      optional group Part = 3 { optional string name = 1; repeated group Deep = 2 { optional int32 n = 1; } }
      repeated group Item = 4 { optional int32 n = 1; }
      optional Color color = 5 [default = BLUE];
      required Color kind = 6;
    }
    enum Color { RED = 1; BLUE = 2; }
"#;

fn legacy() -> Fixture {
    let file = protox::file::File::from_source("legacy.proto", PROTO2).unwrap();
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_proto(file.file_descriptor_proto().clone()).unwrap();
    let column = |number, field: &str, ty, cardinality, storage| Column {
        number,
        field: field.to_owned(),
        name: field.to_owned(),
        ty,
        cardinality,
        wrapper: false,
        oneof: None,
        storage,
        managed: None,
        access: Default::default(),
        masked: false,
    };
    let color = || FieldType::Enum("Color".to_owned());
    let group = |name: &str| FieldType::Group(format!("Legacy.{name}"));
    use Cardinality::{Optional, Repeated, Required};
    use Storage::{Binary, Native};
    let entity = Entity {
        message: "Legacy".to_owned(),
        namespace: "legacy".to_owned(),
        backend: Backend::Memory,
        table: "legacy".to_owned(),
        columns: vec![
            column(1, "id", FieldType::String, Required, Native),
            column(2, "count", FieldType::Int32, Optional, Native),
            column(3, "part", group("Part"), Optional, Binary),
            column(4, "item", group("Item"), Repeated, Binary),
            column(5, "color", color(), Optional, Native),
            column(6, "kind", color(), Required, Native),
        ],
        key: vec![1],
        partition: 1,
        indexes: Vec::new(),
        retention_days: 0,
    };
    let layout = Arc::new(Layout::new(entity));
    Fixture {
        codec: Codec::new(layout, &pool).unwrap(),
        message: pool.get_message_by_name("Legacy").unwrap(),
    }
}

#[test]
fn proto2_groups_and_defaults_survive() {
    let fixture = legacy();
    let head = [0x0a, 1, b'e', 0x30, 1];
    let group = [0x1b, 0x0a, 1, b'x', 0x13, 0x08, 5, 0x14, 0x1c];
    let more = [0x1b, 0x13, 0x14, 0x1c];
    let items = [0x23, 0x08, 1, 0x24, 0x23, 0x24];
    let bytes = [&head[..], &group, &items, &more].concat();
    let out = fixture.round_trip(&bytes).unwrap();
    assert!(fixture.oracle(&out) == fixture.oracle(&bytes));
    assert!(!fixture.oracle(&out).has_field_by_number(2), "a default is not stored");
    let absent = fixture.codec.decode(&head, "").unwrap();
    assert_eq!(absent.0[1], Stored::Null);
    assert_eq!(absent.0[4], Stored::Null);
    let zero = [&head[..], &[0x10, 0]].concat();
    assert_eq!(fixture.codec.decode(&zero, "").unwrap().0[1], Stored::Int(0));
    for broken in [&group[..8], &[0x1b, 0x24], &[0x1c], &[0x1b, 0x0a, 1, 0xff, 0x1c]] {
        let bytes = [&head[..], broken].concat();
        assert!(fixture.round_trip(&bytes).is_err(), "{broken:x?}");
    }
}

#[test]
fn proto2_required_and_closed_enums_are_checked() {
    let fixture = legacy();
    let refused = |bytes: &[u8]| -> Vec<String> {
        let error = fixture.codec.decode(bytes, "legacy").unwrap_err();
        error.violations().iter().map(|violation| violation.field.clone()).collect()
    };
    assert_eq!(refused(&[]), ["legacy.id", "legacy.kind"]);
    assert_eq!(refused(&[0x0a, 1, b'e']), ["legacy.kind"]);
    assert_eq!(refused(&[0x0a, 1, b'e', 0x30, 1, 0x28, 3]), ["legacy.color"]);
    assert_eq!(refused(&[0x0a, 1, b'e', 0x30, 0]), ["legacy.kind"]);
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() }
}

fn fail(error: Error) -> TestCaseError {
    TestCaseError::fail(format!("{error} {:?}", error.violations()))
}
