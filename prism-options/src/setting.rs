//! What an annotation sets, one option at a time.

use prost_reflect::{DynamicMessage, EnumDescriptor, Kind, ReflectMessage, Value};

/// One option that an annotation sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it is, by field names from the annotation: `indexes[1].parent`.
    pub path: String,
    /// The option, by message and field of the contract: `Index.parent`.
    pub option: String,
    /// What it is set to.
    pub value: Set,
}

/// The value of an option, as far as it matters to whether the option is honoured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// A value of an enum that the contract names: `BACKEND_KAFKA`.
    Value(String),
    /// A bool.
    Flag(bool),
    /// Anything else.
    Other,
}

/// Every option that is set, those of a nested message after the message itself.
pub(crate) fn settings(message: &DynamicMessage) -> Vec<Setting> {
    let mut found = Vec::new();
    walk(message, "", &mut found);
    found
}

fn walk(message: &DynamicMessage, prefix: &str, found: &mut Vec<Setting>) {
    let descriptor = message.descriptor();
    for (field, value) in message.fields() {
        let option = format!("{}.{}", descriptor.name(), field.name());
        let path = format!("{prefix}{}", field.name());
        let values = match field.kind() {
            Kind::Enum(values) => Some(values),
            _ => None,
        };
        let mut add = |path: String, value: &Value| {
            let set = set(value, values.as_ref());
            found.push(Setting { path: path.clone(), option: option.clone(), value: set });
            if let Value::Message(inner) = value {
                walk(inner, &format!("{path}."), found);
            }
        };
        match value {
            Value::List(items) => {
                let items = items.iter().enumerate();
                items.for_each(|(index, item)| add(format!("{path}[{index}]"), item));
            }
            single => add(path, single),
        }
    }
}

fn set(value: &Value, values: Option<&EnumDescriptor>) -> Set {
    match (value, values) {
        (Value::Bool(flag), _) => Set::Flag(*flag),
        (Value::EnumNumber(number), Some(values)) => match values.get_value(*number) {
            Some(value) => Set::Value(value.name().to_owned()),
            None => Set::Other,
        },
        _ => Set::Other,
    }
}
