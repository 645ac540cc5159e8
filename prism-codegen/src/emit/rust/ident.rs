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

/// Types that generated code names without a path, which a module of the same name would hide.
pub(super) const PRIMITIVES: [&str; 9] =
    ["bool", "f32", "f64", "i32", "i64", "str", "u32", "u64", "u8"];

/// The name to form Rust's from: without a letter in front, as in `__` or `_1`, there is no type
/// or function of it, or both have the same name; `word` then stands before it.
pub(super) fn lettered(name: &str, word: &str) -> String {
    match name.trim_start_matches('_') {
        "" => word.to_owned(),
        rest if rest.starts_with(|first: char| first.is_numeric()) => format!("{word}_{rest}"),
        _ => name.to_owned(),
    }
}

/// The part of a package's name that its module is named after.
pub(super) fn package_part(part: &str) -> String {
    let part = lettered(part, "package");
    let hides = PRIMITIVES.contains(&snake(&part).as_str());
    if hides { format!("{part}_package") } else { part }
}

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

/// Whether a word cannot be the name of a crate.
pub(super) fn is_keyword(word: &str) -> bool {
    RAW.contains(&word) || matches!(word, "_" | "super" | "self" | "Self" | "extern" | "crate")
}

fn sanitize(name: String) -> String {
    match name.as_str() {
        "_" | "super" | "self" | "Self" | "extern" | "crate" => format!("{name}_"),
        word if RAW.contains(&word) => format!("r#{name}"),
        word if word.starts_with(|first: char| first.is_numeric()) => format!("_{name}"),
        _ => name,
    }
}
