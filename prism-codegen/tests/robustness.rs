//! Schemas that were damaged in any line end in findings, never in a panic.
#![allow(clippy::unwrap_used)]

use std::fs;

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Diagnostics, Format, render};
use prism_codegen::lower::lower;

const ORDERS: &str = include_str!("schemas/orders.proto");

fn report(text: &str) -> Diagnostics {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("orders.proto"), text).unwrap();
    let inputs = Inputs {
        includes: vec![folder.path().to_owned()],
        files: vec!["orders.proto".into()],
        descriptor_set: None,
    };
    let loaded = match load(&inputs) {
        Ok(loaded) => loaded,
        Err(found) => return found,
    };
    let (schema, mut found) = lower(&loaded);
    // What is checked of a broken schema is not asked for, and must not panic either.
    found.extend(check(&schema));
    found
}

/// The schema with one line changed, for each line that the change makes a difference to.
fn variants(change: impl Fn(&str) -> String) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = ORDERS.lines().collect();
    (0..lines.len()).filter_map(move |damaged| {
        let line = change(lines[damaged]);
        let whole = |(number, text): (usize, &&str)| match number == damaged {
            true => line.clone(),
            false => (*text).to_owned(),
        };
        let text: Vec<String> = lines.iter().enumerate().map(whole).collect();
        (line != lines[damaged]).then(|| text.join("\n"))
    })
}

fn survive(change: impl Fn(&str) -> String) {
    for text in variants(change) {
        let found = report(&text);
        let drawn = [Format::Plain, Format::Fancy, Format::Json].map(|it| render(&found, it));
        assert_eq!(drawn[0].is_empty(), found.is_empty());
    }
}

#[test]
fn lines_may_be_missing() {
    survive(|_| String::new());
}

#[test]
fn lines_may_break_off() {
    survive(|line| line.chars().take(line.chars().count() / 2).collect());
}

#[test]
fn fields_may_have_another_type() {
    survive(|line| line.replace("string ", "repeated double "));
    survive(|line| line.replace("string ", "map<string, Order> "));
    survive(|line| line.replace("google.protobuf.Timestamp ", "Order "));
}

#[test]
fn values_may_be_of_another_script() {
    survive(|line| line.replace('"', "\"\u{1F980}é"));
    survive(|line| line.replace("Order", "Ördér"));
}

/// Each type holds the next one twice, so that there are more ways down than can be followed.
#[test]
fn types_of_many_levels_are_generated() {
    const LEVELS: usize = 90;
    let mut text = "syntax = \"proto3\";\npackage deep.v1;\n".to_owned();
    for (name, leaf) in [("Number", "int32"), ("Text", "string"), ("Real", "double")] {
        for level in 0..LEVELS {
            let next = level + 1;
            text.push_str(&format!(
                "message {name}{level} {{ {name}{next} a = 1; oneof of {{ {name}{next} b = 2; }} }}\n"
            ));
        }
        text.push_str(&format!("message {name}{LEVELS} {{ {leaf} leaf = 1; }}\n"));
    }
    text.push_str("message Ring { Other other = 1; }\nmessage Other { Ring ring = 1; }\n");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep.proto");
    fs::write(&file, text).unwrap();
    let out = folder.path().join("out");
    let builder = prism_codegen::configure().whole_crate().include(folder.path()).out_dir(&out);
    builder.generate(&[file]).unwrap();
    let code = fs::read_to_string(out.join("src/deep.v1.rs")).unwrap();
    let derived = |item: &str| {
        let before = code.split(&format!("pub {item} {{")).next().unwrap();
        let start = before.rfind("#[derive(").unwrap();
        before[start..].lines().next().unwrap().to_owned()
    };
    let message =
        |rest: &str| format!("#[derive(Clone{rest}, ::prism_runtime::codegen::prost::Message)]");
    assert_eq!(derived("struct Number0"), message(", Copy, PartialEq, Eq, Hash"));
    assert_eq!(derived("struct Text0"), message(", PartialEq, Eq, Hash"));
    assert_eq!(derived("struct Real0"), message(", Copy, PartialEq"));
    assert_eq!(derived("struct Ring"), message(", PartialEq"));
    assert!(!code.contains("prism_mark"));
}
