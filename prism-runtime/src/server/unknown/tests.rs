//! proto2 and the walk's limits; proto3 is tested over the wire in `tests/server_frames.rs`.
#![allow(clippy::unwrap_used)]

use prost::Message as _;
use prost::encoding::encode_varint;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MessageOptions,
};

use super::{Tables, UnknownFields};
use crate::{Code, Reason};

fn field(number: i32, name: &str, ty: Type, type_name: &str, label: Label) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(ty as i32),
        type_name: (!type_name.is_empty()).then(|| type_name.to_owned()),
        label: Some(label as i32),
        ..Default::default()
    }
}

/// `message Node { optional Node child = 1; repeated Colour colours = 2; repeated group Part = 3
/// { optional string name = 1; } repeated fixed32 numbers = 500; }`
fn tables(syntax: &str) -> Tables {
    let part = DescriptorProto {
        name: Some("Part".to_owned()),
        field: vec![field(1, "name", Type::String, "", Label::Optional)],
        ..Default::default()
    };
    let node = DescriptorProto {
        name: Some("Node".to_owned()),
        field: vec![
            field(500, "numbers", Type::Fixed32, "", Label::Repeated),
            field(1, "child", Type::Message, ".t.Node", Label::Optional),
            field(2, "colours", Type::Enum, ".t.Colour", Label::Repeated),
            field(3, "part", Type::Group, ".t.Node.Part", Label::Repeated),
        ],
        nested_type: vec![part],
        ..Default::default()
    };
    let value = |number| EnumValueDescriptorProto { number: Some(number), ..Default::default() };
    let colour = EnumDescriptorProto {
        name: Some("Colour".to_owned()),
        value: vec![value(7), value(-1)],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        package: Some("t".to_owned()),
        syntax: Some(syntax.to_owned()),
        message_type: vec![node],
        enum_type: vec![colour],
        ..Default::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    Tables::new(&[&set]).unwrap()
}

/// Reason and fields of the refusal; nothing where the message passes.
fn check(syntax: &str, bytes: &[u8]) -> Option<(Reason, Vec<String>)> {
    let tables = tables(syntax);
    let node = tables.message("t.Node").unwrap();
    let error = tables.check(node, bytes, UnknownFields::Refuse).err()?;
    assert_eq!(error.code(), Code::InvalidArgument);
    let fields = error.violations().iter().map(|violation| violation.field.clone()).collect();
    Some((error.reason(), fields))
}

/// A node within a node, this often.
fn nested(depth: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..depth {
        let mut outer = vec![0x0a];
        encode_varint(message.len() as u64, &mut outer);
        outer.extend_from_slice(&message);
        message = outer;
    }
    message
}

#[test]
fn values_outside_a_closed_enum_are_unknown_fields() {
    let minus_one = [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(check("proto2", &minus_one), None);
    assert_eq!(check("proto2", b"\x10\x07\x12\x02\x07\x07"), None);
    let unknown = check("proto2", b"\x10\x07\x10\x05\x12\x02\x07\x06").unwrap();
    // A packed list has many items.
    assert_eq!(unknown, (Reason::UnknownField, vec!["colours[1]".into(), "colours[3]".into()]));
    assert_eq!(check("proto3", b"\x10\x07\x10\x05\x12\x02\x07\x06"), None);
}

#[test]
fn groups_are_walked() {
    assert_eq!(check("proto2", b"\x1b\x0a\x01a\x1c\x1b\x1c"), None);
    let unknown = check("proto2", b"\x1b\x1c\x1b\x10\x01\x1c").unwrap();
    assert_eq!(unknown, (Reason::UnknownField, vec!["part[1].2".into()]));
    // Ends as another group, or not at all; and an unknown group with something in it.
    assert_eq!(check("proto2", b"\x1b\x14").unwrap().0, Reason::InvalidRequest);
    assert_eq!(check("proto2", b"\x1b").unwrap().0, Reason::InvalidRequest);
    let unknown = check("proto2", b"\xa3\x06\x0b\x08\x01\x0c\xa4\x06").unwrap();
    assert_eq!(unknown, (Reason::UnknownField, vec!["100".into()]));
    let text = check("proto2", b"\x1b\x0a\x01\xff\x1c").unwrap();
    assert_eq!(text, (Reason::InvalidRequest, vec!["part[0].name".into()]));
}

#[test]
fn packed_and_single_values_are_both_accepted() {
    assert_eq!(
        check("proto3", b"\xa5\x1f\x01\x02\x03\x04\xa2\x1f\x08\x01\x02\x03\x04\x01\x02\x03\x04"),
        None
    );
    assert_eq!(check("proto3", b"\xa2\x1f\x03\x01\x02\x03").unwrap().0, Reason::InvalidRequest);
    assert_eq!(check("proto3", b"\xa0\x1f\x01").unwrap().0, Reason::InvalidRequest);
}

#[test]
fn nesting_is_limited() {
    assert_eq!(check("proto3", &nested(99)), None);
    assert_eq!(check("proto3", &nested(100)).unwrap().0, Reason::InvalidRequest);
    let groups = [[0xa3, 0x06].repeat(200_000), [0xa4, 0x06].repeat(200_000)].concat();
    assert_eq!(check("proto3", &groups).unwrap().0, Reason::InvalidRequest);
}

#[test]
fn many_unknown_fields_do_not_cost_more_than_one_message() {
    let many = [0x28, 0x01].repeat(500_000);
    let (reason, fields) = check("proto3", &many).unwrap();
    assert_eq!((reason, fields.len()), (Reason::UnknownField, 50));
    let tables = tables("proto3");
    let node = tables.message("t.Node").unwrap();
    let error = tables.check(node, &many, UnknownFields::Refuse).unwrap_err();
    assert_eq!(error.message(), "5: field number 5 is not in the schema (and 10000+ more)");
}

/// `message Maps { map<string, Maps> labels = 1; map<sint32, Maps> numbers = 2; map<bool, Maps>
/// flags = 3; map<fixed64, string> texts = 4; map<string, Maps> hidden = 5; }`
fn maps() -> Tables {
    let entry = |name: &str, key: Type, value: Type| DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![
            field(1, "key", key, "", Label::Optional),
            field(
                2,
                "value",
                value,
                if value == Type::Message { ".t.Maps" } else { "" },
                Label::Optional,
            ),
        ],
        options: Some(MessageOptions { map_entry: Some(true), ..Default::default() }),
        ..Default::default()
    };
    let entries = [
        ("labels", "LabelsEntry", Type::String, Type::Message),
        ("numbers", "NumbersEntry", Type::Sint32, Type::Message),
        ("flags", "FlagsEntry", Type::Bool, Type::Message),
        ("texts", "TextsEntry", Type::Fixed64, Type::String),
        ("hidden", "HiddenEntry", Type::String, Type::Message),
    ];
    let fields = (1..).zip(entries).map(|(number, (name, entry, ..))| {
        field(number, name, Type::Message, &format!(".t.Maps.{entry}"), Label::Repeated)
    });
    let message = DescriptorProto {
        name: Some("Maps".to_owned()),
        field: fields.collect(),
        nested_type: entries.map(|(_, name, key, value)| entry(name, key, value)).into(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        package: Some("t".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![message],
        ..Default::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let mut tables = Tables::new(&[&set]).unwrap();
    tables.set_mask("t.Maps", 5, "[email]".to_owned());
    tables
}

#[test]
fn values_of_maps_are_at_the_paths_of_their_keys() {
    let tables = maps();
    let maps = tables.message("t.Maps").unwrap();
    let found = |bytes: &[u8]| {
        let error = tables.check(maps, bytes, UnknownFields::Refuse).unwrap_err();
        let fields = error.violations().iter().map(|violation| violation.field.clone());
        (error.reason(), fields.collect::<Vec<_>>().join(" "))
    };
    let unknown = |path: &str| (Reason::UnknownField, path.to_owned());
    // The value is {77: 1}; it may stand before the key, and the key may be left out.
    assert_eq!(found(b"\x0a\x08\x0a\x01a\x12\x03\xe8\x04\x01"), unknown("labels[\"a\"].77"));
    assert_eq!(found(b"\x0a\x08\x12\x03\xe8\x04\x01\x0a\x01\""), unknown("labels[\"\\\"\"].77"));
    assert_eq!(found(b"\x0a\x05\x12\x03\xe8\x04\x01"), unknown("labels[\"\"].77"));
    assert_eq!(found(b"\x12\x07\x08\x03\x12\x03\xe8\x04\x01"), unknown("numbers[-2].77"));
    assert_eq!(found(b"\x1a\x07\x08\x01\x12\x03\xe8\x04\x01"), unknown("flags[true].77"));
    // In the entry itself, and in a map within a map.
    assert_eq!(found(b"\x0a\x06\x0a\x01a\xe8\x04\x01"), unknown("labels[\"a\"].77"));
    let inner = b"\x0a\x0c\x0a\x01a\x12\x07\x1a\x05\x12\x03\xe8\x04\x01";
    assert_eq!(found(inner), unknown("labels[\"a\"].flags[false].77"));
    // Two of them: each with its path.
    let two = b"\x0a\x08\x0a\x01a\x12\x03\xe8\x04\x01\x0a\x08\x0a\x01b\x12\x03\xe8\x04\x01";
    assert_eq!(found(two), unknown("labels[\"a\"].77 labels[\"b\"].77"));
    // The keys of a protected map are replaced, and so are those below it.
    assert_eq!(found(b"\x2a\x08\x0a\x01a\x12\x03\xe8\x04\x01"), unknown("hidden[\"[email]\"].77"));
    let inner = b"\x2a\x0d\x12\x0b\x12\x09\x08\x03\x12\x05\x12\x03\xe8\x04\x01";
    assert!(found(inner).1.starts_with("hidden[\"[email]\"].numbers[\"[email]\"]"));
    let text = |path: &str| (Reason::InvalidRequest, path.to_owned());
    let bad = b"\x22\x0c\x09\x05\0\0\0\0\0\0\0\x12\x01\xff";
    assert_eq!(found(bad), text("texts[5]"));
    // A key that is not text cannot be shown.
    assert_eq!(found(b"\x0a\x03\x0a\x01\xff"), text("labels"));
}

proptest::proptest! {
    /// Whatever the bytes are, both walks end without a panic, and what is dropped is only what is
    /// unknown.
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        let tables = tables("proto3");
        let node = tables.message("t.Node").unwrap();
        let strict = tables.check(node, &bytes, UnknownFields::Refuse);
        let lax = tables.check(node, &bytes, UnknownFields::Drop);
        if strict.is_ok() {
            assert!(lax.is_ok());
        }
        if let Err(error) = strict {
            assert!(error.reason() != Reason::UnknownField || lax.is_ok());
        }
    }
}

#[test]
fn elements_are_counted_before_anything_is_decoded() {
    let mut tables = tables("proto3");
    let node = tables.message("t.Node").unwrap();
    // Two bytes each: an empty group.
    let parts = |count: usize| b"\x1b\x1c".repeat(count);
    let few = tables.check(node, &parts(1_000), UnknownFields::Refuse).unwrap();
    assert!((24_000..400_000).contains(&few), "{few}");
    let error = tables.check(node, &parts(1_000_000), UnknownFields::Drop).unwrap_err();
    assert_eq!((error.code(), error.reason()), (Code::InvalidArgument, Reason::ValueTooLarge));
    assert_eq!(error.violations()[0].field, "part");
    // The same within others.
    let mut nested = vec![0x0a];
    encode_varint(2_000_000, &mut nested);
    nested.extend(parts(1_000_000));
    let error = tables.check(node, &nested, UnknownFields::Refuse).unwrap_err();
    assert_eq!(error.violations()[0].field, "child.part");
    // Numbers take little more than they take in the message.
    let mut numbers = vec![0xa2, 0x1f];
    encode_varint(4_000_000, &mut numbers);
    numbers.resize(numbers.len() + 4_000_000, 1);
    assert_eq!(tables.check(node, &numbers, UnknownFields::Refuse).unwrap(), 8_000_008);
    // Made into JSON, they do not.
    tables.set_json("t.Node", 500);
    let error = tables.check(node, &numbers, UnknownFields::Refuse).unwrap_err();
    assert_eq!(error.violations()[0].field, "numbers");
    // What comes after the limit was not looked at: it may be nested without an end.
    tables.set_json("t.Node", 3);
    let deep = [parts(20_000), b"\x1b".repeat(1_000)].concat();
    let error = tables.check(node, &deep, UnknownFields::Refuse).unwrap_err();
    assert_eq!(error.violations()[0].field, "part");
}
