//! Descriptor sets that other compilers wrote of `schemas/orders.proto`:
//! `buf build --exclude-imports -o orders.buf.binpb`, which holds the file alone, with places;
//! `protoc --include_imports -o orders.protoc.binpb orders.proto`, all files, without places.
#![allow(clippy::unwrap_used)]

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Format, render};
use prism_codegen::lower::lower;
use prism_codegen::model::Schema;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    OneofDescriptorProto,
};

fn schema(inputs: &Inputs) -> Schema {
    let loaded = load(inputs).unwrap();
    let (schema, mut found) = lower(&loaded);
    found.extend(check(&schema));
    assert!(!found.has_errors(), "{}", render(&found, Format::Plain));
    schema
}

fn assert_same(set: &str) -> Schema {
    let from_source = schema(&Inputs {
        includes: vec!["tests/schemas".into()],
        files: vec!["orders.proto".into()],
        descriptor_set: None,
    });
    let from_set = schema(&Inputs {
        files: vec!["orders.proto".into()],
        descriptor_set: Some(set.into()),
        ..Inputs::default()
    });
    assert_eq!(from_source.entities[0].schema, from_set.entities[0].schema);
    assert_eq!(from_source.services[0].schema, from_set.services[0].schema);
    assert_eq!(from_source.masked, from_set.masked);
    from_set
}

#[test]
fn of_buf() {
    let schema = assert_same("tests/schemas/orders.buf.binpb");
    let span = &schema.entities[0].namespace_span;
    // buf records the places of entries inside of aggregates too.
    assert_eq!((span.file.as_ref(), span.line, span.column), ("orders.proto", 12, 5));
    assert_eq!(schema.services[0].comment, " Orders of a shop.\n");
}

#[test]
fn of_protoc() {
    assert_same("tests/schemas/orders.protoc.binpb");
}

/// What is said about inputs that load.
fn refused(inputs: &Inputs) -> String {
    let loaded = load(inputs).unwrap();
    let (_, found) = lower(&loaded);
    assert!(found.has_errors());
    render(&found, Format::Plain)
}

/// A length-delimited field on the wire.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::bytes::encode(number, &content.to_vec(), &mut bytes);
    bytes
}

#[test]
fn an_annotation_that_the_set_does_not_define() {
    const EXTENSION: u32 = 77_476;
    let options = field(EXTENSION, &field(1, b"things"));
    let message = [field(1, b"Thing"), field(7, &options)].concat();
    let file = [field(1, b"a.proto"), field(2, b"a"), field(4, &message), field(12, b"proto3")];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    std::fs::write(&path, field(1, &file.concat())).unwrap();
    let said = refused(&Inputs { descriptor_set: Some(path), ..Inputs::default() });
    assert!(said.contains("error[P0010]") && said.contains("--include_imports"), "{said}");
}

#[test]
fn an_annotation_of_the_same_name_that_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let own = r#"
        syntax = "proto3";
        package prism;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.MessageOptions {
          string message = 60000;
        }
    "#;
    let user = r#"
        syntax = "proto3";
        package a;
        import "own.proto";
        message Thing {
          option (prism.message) = "things";
        }
    "#;
    std::fs::write(folder.path().join("own.proto"), own).unwrap();
    std::fs::write(folder.path().join("a.proto"), user).unwrap();
    let said = refused(&Inputs {
        includes: vec![folder.path().to_owned()],
        files: vec![folder.path().join("a.proto")],
        descriptor_set: None,
    });
    assert!(said.contains("a.proto:5:17: error[P0011]"), "{said}");
    assert!(said.contains("`(prism.message)`"), "{said}");
}

/// A file with a message, and what is said of a set that holds it alone.
fn codes(name: &str, package: &str, message: &str, more: &[u8]) -> Vec<&'static str> {
    let message = [field(1, message.as_bytes()), more.to_vec()].concat();
    let file = [
        field(1, name.as_bytes()),
        field(2, package.as_bytes()),
        field(4, &message),
        field(12, b"proto3"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    std::fs::write(&path, field(1, &file.concat())).unwrap();
    match load(&Inputs { descriptor_set: Some(path), ..Inputs::default() }) {
        Ok(_) => Vec::new(),
        Err(found) => {
            assert!(!render(&found, Format::Plain).contains("evil\n"));
            found.iter().map(|finding| finding.code).collect()
        }
    }
}

#[test]
fn names_that_no_compiler_writes() {
    assert_eq!(codes("a/b c.proto", "a.b_1", "Thing", &[]), Vec::<&str>::new());
    assert_eq!(codes("a.proto", "", "_", &[]), Vec::<&str>::new());
    for name in ["", "a.proto\nevil\n", "../a.proto", "/a.proto", "a//b.proto", "a\\b.proto"] {
        assert_eq!(codes(name, "a", "Thing", &[]), ["P0018"], "{name:?}");
    }
    for name in ["a--><img src=x>.proto", "a>.proto", "<a.proto", "a`b`.proto", "\"a\".proto"] {
        assert_eq!(codes(name, "a", "Thing", &[]), ["P0018"], "{name:?}");
    }
    assert_eq!(codes("a--b, c's (d).proto", "a", "Thing", &[]), Vec::<&str>::new());
    for package in ["a..b", ".a", "a.", "a b", "a;\nevil\n", "é", "1a"] {
        assert_eq!(codes("a.proto", package, "Thing", &[]), ["P0017"], "{package:?}");
    }
    for message in ["", "a b", "a\nevil\n", "a.b", "é", "1a", "a\u{202e}"] {
        assert_eq!(codes("a.proto", "a", message, &[]), ["P0017"], "{message:?}");
    }
    let value = |name: &[u8]| field(4, &[field(1, b"E"), field(2, &field(1, name))].concat());
    assert_eq!(codes("a.proto", "a", "Thing", &value(b"X\nevil\n")), ["P0017"]);
    let member = |name: &[u8], json: &[u8]| field(2, &[field(1, name), field(10, json)].concat());
    assert_eq!(codes("a.proto", "a", "Thing", &member(b"x\nevil\n", b"x")), ["P0017"]);
    assert_eq!(codes("a.proto", "a", "Thing", &member(b"x", b"x\nevil\n")), ["P0019"]);
    let enumeration = field(4, &field(1, b"E"));
    assert_eq!(codes("a.proto", "a", "Thing", &enumeration), ["P0021"]);
}

#[test]
fn only_the_entry_of_a_map_may_begin_with_a_digit() {
    let nested = |options: &[u8]| {
        let string = |name: &[u8], number: u8| {
            let head = [field(1, name), vec![0x18, number, 0x20, 1, 0x28, 9]];
            field(2, &head.concat())
        };
        let entry = [field(1, b"1Entry"), string(b"key", 1), string(b"value", 2)].concat();
        field(3, &[entry, options.to_vec()].concat())
    };
    let map_entry = field(7, &[0x38, 1]);
    let labelled = |label: u8| {
        let head = [field(1, b"_1"), vec![0x18, 1, 0x20, label, 0x28, 11]].concat();
        field(2, &[head, field(6, b".a.Thing.1Entry")].concat())
    };
    let (optional, repeated) = (labelled(1), labelled(3));
    let said = |parts: &[&[u8]]| codes("a.proto", "a", "Thing", &parts.concat());
    assert_eq!(said(&[&nested(&map_entry), &repeated]), Vec::<&str>::new());
    assert_eq!(said(&[&nested(&[]), &repeated]), ["P0017"]);
    assert_eq!(said(&[&nested(&map_entry), &optional]), ["P0017"]);
}

#[test]
fn names_that_differ_in_letter_case_alone() {
    let member = |name: &[u8], number: u8| {
        field(2, &[field(1, name), vec![0x18, number, 0x20, 1, 0x28, 9]].concat())
    };
    let message = [field(1, b"Book"), member(b"title", 1), member(b"TITLE", 2)].concat();
    let file = |syntax: &[u8]| {
        let file = [field(1, b"a.proto"), field(2, b"a"), field(4, &message), field(12, syntax)];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.binpb");
        std::fs::write(&path, field(1, &file.concat())).unwrap();
        (Inputs { descriptor_set: Some(path), ..Inputs::default() }, folder)
    };
    let (inputs, _folder) = file(b"proto2");
    assert!(load(&inputs).is_ok());
    let (inputs, _folder) = file(b"proto3");
    let said = render(&load(&inputs).unwrap_err(), Format::Plain);
    assert!(said.contains("call it `TITLE_2` and add `json_name = \"TITLE\"`"), "{said}");
}

/// The codes of what is found in a set after a change of its files.
fn changed(change: impl Fn(&mut FileDescriptorSet)) -> Vec<&'static str> {
    let bytes = std::fs::read("tests/schemas/orders.protoc.binpb").unwrap();
    let mut set = FileDescriptorSet::decode(&*bytes).unwrap();
    change(&mut set);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.binpb");
    std::fs::write(&path, set.encode_to_vec()).unwrap();
    match load(&Inputs { descriptor_set: Some(path), ..Inputs::default() }) {
        Ok(_) => Vec::new(),
        Err(found) => found.iter().map(|finding| finding.code).collect(),
    }
}

/// The codes of what is found after a change of `orders.proto`.
fn changed_file(change: impl Fn(&mut FileDescriptorProto)) -> Vec<&'static str> {
    changed(|set| change(set.file.iter_mut().find(|file| file.name() == "orders.proto").unwrap()))
}

fn member(name: &str, number: i32, ty: Type, label: Label) -> FieldDescriptorProto {
    let mut field = FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..FieldDescriptorProto::default()
    };
    field.set_type(ty);
    field.set_label(label);
    field
}

fn of_type(mut field: FieldDescriptorProto, name: &str) -> FieldDescriptorProto {
    field.type_name = Some(name.to_owned());
    field
}

/// The entry of a map, with its key and value.
fn entry(key: FieldDescriptorProto, value: FieldDescriptorProto) -> DescriptorProto {
    DescriptorProto {
        name: Some("NamesEntry".to_owned()),
        field: vec![key, value],
        options: Some(MessageOptions { map_entry: Some(true), ..MessageOptions::default() }),
        ..DescriptorProto::default()
    }
}

const INVOICE: usize = 1;
const ENTRY: &str = ".acme.orders.v1.Invoice.NamesEntry";

/// A map in `Invoice` whose field and entry are as they are given.
fn with_map(field: &FieldDescriptorProto, entry: &DescriptorProto) -> Vec<&'static str> {
    changed_file(|file| {
        let message = &mut file.message_type[INVOICE];
        assert_eq!(message.name(), "Invoice");
        message.field.push(field.clone());
        message.nested_type.push(entry.clone());
    })
}

fn only_malformed(codes: &[&str]) -> bool {
    !codes.is_empty() && codes.iter().all(|code| *code == "P0021")
}

#[test]
fn maps_that_no_compiler_writes() {
    use {Label::*, Type::*};
    let field = |label| of_type(member("names", 90, Message, label), ENTRY);
    let key = |ty| member("key", 1, ty, Optional);
    let value = |label| member("value", 2, String, label);
    let own = entry(key(String), value(Optional));
    assert_eq!(with_map(&field(Repeated), &own), Vec::<&str>::new());
    assert!(only_malformed(&with_map(&field(Optional), &own)), "one entry");
    for ty in [Double, Float, Bytes] {
        let entry = entry(key(ty), value(Optional));
        assert!(only_malformed(&with_map(&field(Repeated), &entry)), "{ty:?}");
    }
    let by_message = of_type(key(Message), ".acme.orders.v1.Invoice");
    let by_enum = of_type(key(Enum), ".acme.orders.v1.Order.Status");
    for key in [by_message, by_enum] {
        assert!(only_malformed(&with_map(&field(Repeated), &entry(key, value(Optional)))));
    }
    let listed = entry(key(String), value(Repeated));
    assert!(only_malformed(&with_map(&field(Repeated), &listed)), "a list of values");
    let top = of_type(member("names", 90, Message, Repeated), ".acme.orders.v1.NamesEntry");
    let found = changed_file(|file| {
        file.message_type[INVOICE].field.push(top.clone());
        file.message_type.push(own.clone());
    });
    assert!(only_malformed(&found), "beside the message: {found:?}");
    let found = changed_file(|file| {
        file.message_type[INVOICE].nested_type.push(own.clone());
        file.message_type[INVOICE + 1].field.push(field(Repeated));
    });
    assert!(only_malformed(&found), "of another message: {found:?}");
    let found = changed_file(|file| file.message_type[INVOICE].nested_type.push(own.clone()));
    assert!(only_malformed(&found), "of no field: {found:?}");
}

#[test]
fn oneofs_that_no_compiler_writes() {
    use {Label::*, Type::*};
    let with = |fields: &[FieldDescriptorProto]| {
        changed_file(|file| {
            let message = &mut file.message_type[INVOICE];
            let place = i32::try_from(message.oneof_decl.len()).unwrap();
            let name = Some("_own".to_owned());
            message.oneof_decl.push(OneofDescriptorProto { name, ..Default::default() });
            for field in fields {
                let oneof_index = Some(place);
                message.field.push(FieldDescriptorProto { oneof_index, ..field.clone() });
            }
        })
    };
    let plain = |number, label| member(&format!("own{number}"), number, String, label);
    let optional = |number| {
        let proto3_optional = Some(true);
        FieldDescriptorProto { proto3_optional, ..plain(number, Optional) }
    };
    assert_eq!(with(&[plain(90, Optional), plain(91, Optional)]), Vec::<&str>::new());
    assert_eq!(with(&[optional(90)]), Vec::<&str>::new());
    assert!(only_malformed(&with(&[])), "no field");
    assert!(only_malformed(&with(&[plain(90, Repeated)])), "a list");
    assert!(only_malformed(&with(&[optional(90), plain(91, Optional)])), "two fields");
    assert!(only_malformed(&with(&[optional(90), optional(91)])), "two optional fields");
}

#[test]
fn fields_that_no_compiler_writes() {
    use {Label::*, Type::*};
    let with = |field: &FieldDescriptorProto| {
        changed_file(|file| file.message_type[INVOICE].field.push(field.clone()))
    };
    let plain = |ty, label| member("own", 90, ty, label);
    assert_eq!(with(&plain(String, Optional)), Vec::<&str>::new());
    let default_value = Some("x".to_owned());
    let default = FieldDescriptorProto { default_value, ..plain(String, Optional) };
    let proto3_optional = Some(true);
    let alone = FieldDescriptorProto { proto3_optional, ..plain(String, Optional) };
    let group = of_type(plain(Group, Optional), ".acme.orders.v1.Invoice");
    for field in [plain(String, Required), default, alone, group] {
        assert!(only_malformed(&with(&field)), "{field:?}: {:?}", with(&field));
    }
}

#[test]
fn files_of_google_that_are_not_googles() {
    let google = |set: &mut FileDescriptorSet, change: &dyn Fn(&mut FileDescriptorProto)| {
        let name = "google/protobuf/timestamp.proto";
        change(set.file.iter_mut().find(|file| file.name() == name).unwrap());
    };
    let retyped = |file: &mut FileDescriptorProto| {
        file.message_type[0].field[0].set_type(Type::String);
    };
    let found = changed(|set| google(set, &retyped));
    assert!(only_malformed(&found), "{found:?}");
    let empty = |file: &mut FileDescriptorProto| {
        file.message_type[0].name = Some("Other".to_owned());
        file.message_type.push(DescriptorProto {
            name: Some("Timestamp".to_owned()),
            ..DescriptorProto::default()
        });
    };
    let found = changed(|set| google(set, &empty));
    assert!(only_malformed(&found), "{found:?}");
}

#[test]
fn only_the_files_that_are_built_in_are_left_out() {
    let renamed = |name: &'static str| {
        changed(move |set| {
            let file = set.file.iter_mut().find(|file| file.name() == "orders.proto").unwrap();
            file.name = Some(name.to_owned());
        })
    };
    for name in ["google/protobuf/mine.proto", "buf/validate/mine.proto", "prism/mine.proto"] {
        assert_eq!(renamed(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(renamed("prism/common/errors.proto"), ["P0027"]);
    let alone = |set: &mut FileDescriptorSet| set.file.retain(|it| it.name() != "orders.proto");
    assert_eq!(changed(alone), ["P0027"]);
}
