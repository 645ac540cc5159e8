//! Descriptor sets that other compilers wrote of `schemas/orders.proto`:
//! `buf build --exclude-imports -o orders.buf.binpb`, which holds the file alone, with places;
//! `protoc --include_imports -o orders.protoc.binpb orders.proto`, all files, without places.
#![allow(clippy::unwrap_used)]

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Format, render};
use prism_codegen::lower::lower;
use prism_codegen::model::Schema;

fn schema(inputs: &Inputs) -> Schema {
    let loaded = load(inputs).unwrap();
    let (schema, mut found) = lower(&loaded);
    found.extend(check(&schema));
    assert!(found.is_empty(), "{}", render(&found, Format::Plain));
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
