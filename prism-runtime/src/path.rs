//! Paths of fields in violations, as protovalidate writes them: `order.line_items[2].sku`,
//! `labels["a"]`.

use prism_migrate::json::Step;
use prost_reflect::{DynamicMessage, FieldDescriptor};

/// Bytes of a map's key that a path shows.
const MAX_KEY_BYTES: usize = 64;

/// What a cut text ends with.
const CUT: &str = "…";

/// The path of a field below another.
pub(crate) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// The path of an item of a list.
pub(crate) fn item(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

/// A map's key, as it stands in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MapKey {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Text(String),
}

/// The path of a map's value. `mask` is shown in place of a key that is protected.
pub(crate) fn entry(path: &str, key: &MapKey, mask: Option<&str>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let key = match (mask, key) {
        (Some(mask), _) => quoted(mask),
        (None, MapKey::Bool(key)) => key.to_string(),
        (None, MapKey::Signed(key)) => key.to_string(),
        (None, MapKey::Unsigned(key)) => key.to_string(),
        (None, MapKey::Text(key)) => quoted(&shortened(key, MAX_KEY_BYTES)),
    };
    format!("{path}[{key}]")
}

impl From<prost_reflect::MapKey> for MapKey {
    fn from(key: prost_reflect::MapKey) -> Self {
        use prost_reflect::MapKey as Key;
        match key {
            Key::Bool(key) => MapKey::Bool(key),
            Key::I32(key) => MapKey::Signed(key.into()),
            Key::I64(key) => MapKey::Signed(key),
            Key::U32(key) => MapKey::Unsigned(key.into()),
            Key::U64(key) => MapKey::Unsigned(key),
            Key::String(key) => MapKey::Text(key),
        }
    }
}

/// The path at the end of a way that begins at a message.
pub(crate) fn of_way(way: Vec<Step>) -> String {
    let (mut path, mut mask) = (String::new(), None);
    for step in way {
        path = match step {
            Step::Field(field) => {
                mask = mask_of(&field).or(mask);
                join(&path, field.name())
            }
            Step::Item(index) => item(&path, index),
            Step::Entry(key) => entry(&path, &key.into(), mask.as_deref()),
        };
    }
    path
}

/// A text of at most so many bytes: a longer one is cut and ends with `…`.
pub(crate) fn shortened(text: &str, max_bytes: usize) -> std::borrow::Cow<'_, str> {
    if text.len() <= max_bytes {
        return text.into();
    }
    let mut end = max_bytes.saturating_sub(CUT.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{CUT}", &text[..end]).into()
}

/// What is shown in place of a protected field: one with a class, or that is encrypted or masked.
pub(crate) fn mask_of(field: &FieldDescriptor) -> Option<String> {
    field.field_descriptor_proto().options.as_ref()?;
    let options = field.options();
    let own = options.extensions().find(|(extension, _)| extension.full_name() == "prism.field");
    let own = own.and_then(|(_, value)| value.as_message());
    if let Some(own) = own.filter(|own| own.has_field_by_name("pii")) {
        return Some(class_of(own));
    }
    let set = |message: &DynamicMessage, name| {
        message.get_field_by_name(name).is_some_and(|value| value.as_bool() == Some(true))
    };
    let has = |name| own.is_some_and(|own| set(own, name));
    if has("encrypt_at_rest") {
        return Some("[encrypted]".to_owned());
    }
    (has("mask_in_logs") || set(&options, "debug_redact")).then(|| "[masked]".to_owned())
}

/// A class by its name: `PII_IP_ADDRESS` is `[ip-address]`.
fn class_of(options: &DynamicMessage) -> String {
    let number = options.get_field_by_name("pii").and_then(|value| value.as_enum_number());
    let field = options.fields().map(|(field, _)| field).find(|field| field.name() == "pii");
    let kind = field.map(|field| field.kind());
    let value = kind.as_ref().and_then(|kind| kind.as_enum()?.get_value(number?));
    match value.as_ref().and_then(|value| value.name().strip_prefix("PII_")) {
        None | Some("OTHER") => "[personal]".to_owned(),
        Some(class) => format!("[{}]", class.to_ascii_lowercase().replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_protovalidate_does() {
        let path = |key: MapKey| entry("m", &key, None);
        let text = |text: &str| path(MapKey::Text(text.to_owned()));
        assert_eq!(text("a\"b\\\n"), r#"m["a\"b\\\n"]"#);
        assert_eq!(text("Грüße"), r#"m["Грüße"]"#);
        assert_eq!(path(MapKey::Bool(true)), "m[true]");
        assert_eq!(path(MapKey::Signed(-3)), "m[-3]");
        assert_eq!(path(MapKey::Unsigned(u64::MAX)), "m[18446744073709551615]");
        assert_eq!(text(&"k".repeat(64)), format!("m[\"{}\"]", "k".repeat(64)));
        assert_eq!(text(&"k".repeat(65)), format!("m[\"{}…\"]", "k".repeat(61)));
        // A character is never cut in two.
        assert_eq!(text(&"é".repeat(33)), format!("m[\"{}…\"]", "é".repeat(30)));
        assert_eq!(entry("m", &MapKey::Bool(true), Some("[email]")), r#"m["[email]"]"#);
    }
}
