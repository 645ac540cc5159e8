//! Rust identifiers from protobuf names, as prost forms them.

use heck::{ToSnakeCase, ToUpperCamelCase};
use proc_macro2::{Ident, Span};

/// Keywords that can be raw identifiers, of every edition.
/// <https://doc.rust-lang.org/reference/keywords.html>
const RAW: [&str; 47] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop",
    "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static",
    "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual",
    "where", "while", "yield",
];

/// The name of a field, function or module.
pub(super) fn snake(name: &str) -> String {
    sanitize(name.to_snake_case())
}

/// The name of a type or variant.
pub(super) fn camel(name: &str) -> String {
    sanitize(name.to_upper_camel_case())
}

/// The variant of an enum's value: without the enum's own name before it.
pub(super) fn variant(enum_name: &str, value: &str) -> String {
    let (prefix, value) = (camel(enum_name), camel(value));
    let stripped = value.strip_prefix(&prefix).unwrap_or(&value);
    // `Foo` is no prefix of `Foobar`.
    let whole_word = stripped.chars().next().is_some_and(char::is_uppercase);
    sanitize(if whole_word { stripped.to_owned() } else { value })
}

/// An identifier of text that one of the functions above made.
pub(super) fn ident(name: &str) -> Ident {
    match name.strip_prefix("r#") {
        Some(raw) => Ident::new_raw(raw, Span::call_site()),
        None => Ident::new(name, Span::call_site()),
    }
}

fn sanitize(name: String) -> String {
    match name.as_str() {
        "_" | "super" | "self" | "Self" | "extern" | "crate" => format!("{name}_"),
        word if RAW.contains(&word) => format!("r#{name}"),
        word if word.starts_with(|first: char| first.is_numeric()) => format!("_{name}"),
        _ => name,
    }
}
