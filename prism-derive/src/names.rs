//! Protobuf names that follow from Rust ones.

use syn::Ident;

/// The protobuf field name that a Rust field stands for, where no attribute gives it.
pub(crate) fn field_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

/// `LineItem` as `line_item`.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (position, character) in name.char_indices() {
        if character.is_uppercase() && position > 0 {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// Name of the entry message of a map field, as protoc forms it: `line_items` has
/// `LineItemsEntry`.
pub(crate) fn map_entry(field: &str) -> String {
    let mut name: String = field.split('_').map(capitalized).collect();
    name.push_str("Entry");
    name
}

fn capitalized(word: &str) -> String {
    let mut characters = word.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// Guesses the full protobuf name of a Rust type from the path that a field of `message` names
/// it by: types of `prost_types` are Google's, a module named as the message holds its nested
/// types, and everything else lives in the message's package.
pub(crate) fn message_of_path(path: &syn::Path, message: &str) -> String {
    let segments: Vec<String> = path.segments.iter().map(|part| field_name(&part.ident)).collect();
    let name = segments.last().map(String::as_str).unwrap_or_default();
    if segments.iter().any(|part| part == "prost_types") {
        return format!("google.protobuf.{name}");
    }
    let (package, own) = message.rsplit_once('.').unwrap_or(("", message));
    let parent = segments.len().checked_sub(2).map(|position| segments[position].as_str());
    match parent {
        Some(module) if module == snake_case(own) => format!("{message}.{name}"),
        _ if package.is_empty() => name.to_owned(),
        _ => format!("{package}.{name}"),
    }
}
