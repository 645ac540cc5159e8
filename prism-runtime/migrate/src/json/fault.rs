//! Where in a field the value is that JSON, or the database, does not hold. Looked for only if
//! there is one.

use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _, SerializeOptions, Value,
};

use super::form;

/// Messages within messages that are followed.
const MAX_DEPTH: usize = 100;

/// A step from a message to a value below it.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// To a field.
    Field(FieldDescriptor),
    /// To an item of a list.
    Item(usize),
    /// To the value of a map's entry.
    Entry(MapKey),
}

/// The way from a message to the first message within it that has no JSON form by itself. It is
/// empty if there is none: what is to blame is not a message.
pub fn way_to_fault(message: &DynamicMessage) -> Vec<Step> {
    let is_faulty = |value: Part<'_>| matches!(value, Part::Message(message) if is_faulty(message));
    way(message, &is_faulty)
}

/// The way from a message to the first text within it that holds a NUL, which JSONB does not. It
/// is empty if the text is in an `Any`.
pub fn way_to_nul(message: &DynamicMessage) -> Vec<Step> {
    way(message, &|value| matches!(value, Part::Text(text) if text.contains('\0')))
}

/// What is looked at.
enum Part<'a> {
    Message(&'a DynamicMessage),
    Text(&'a str),
}

type Blame<'a> = dyn Fn(Part<'_>) -> bool + 'a;

fn way(message: &DynamicMessage, blame: &Blame<'_>) -> Vec<Step> {
    let mut search = Search { way: Vec::new(), blame };
    search.message(message, 0);
    search.way
}

struct Search<'a> {
    way: Vec<Step>,
    blame: &'a Blame<'a>,
}

impl Search<'_> {
    /// Whether the message or a part of it is to blame; the way leads there if so, and is as before
    /// if not.
    fn message(&mut self, message: &DynamicMessage, depth: usize) -> bool {
        depth > MAX_DEPTH
            || (self.blame)(Part::Message(message))
            || message.fields().any(|(field, value)| {
                self.step(Step::Field(field), |search| search.value(value, depth))
            })
    }

    fn value(&mut self, value: &Value, depth: usize) -> bool {
        match value {
            Value::Message(message) => self.message(message, depth + 1),
            Value::String(text) => (self.blame)(Part::Text(text)),
            Value::List(items) => items
                .iter()
                .enumerate()
                .any(|(at, item)| self.step(Step::Item(at), |search| search.value(item, depth))),
            Value::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                entries.into_iter().any(|(key, entry)| {
                    let is_key =
                        matches!(key, MapKey::String(key) if (self.blame)(Part::Text(key)));
                    let entry = |search: &mut Self| is_key || search.value(entry, depth);
                    self.step(Step::Entry(key.clone()), entry)
                })
            }
            _ => false,
        }
    }

    fn step(&mut self, step: Step, search: impl FnOnce(&mut Self) -> bool) -> bool {
        self.way.push(step);
        let found = search(self);
        if !found {
            self.way.pop();
        }
        found
    }
}

/// Whether a message is to blame whatever is below it. Those with a form of their own are small.
fn is_faulty(message: &DynamicMessage) -> bool {
    if form::check_alone(message).is_err() {
        return true;
    }
    let descriptor = message.descriptor();
    let name = descriptor.full_name();
    let holds_others = ["Struct", "ListValue", "Value"];
    match name.strip_prefix("google.protobuf.") {
        None => return false,
        Some(name) if holds_others.contains(&name) => return false,
        // An `Any` may be too deep to be serialized.
        Some(_) if form::check(message).is_err() => return true,
        Some(_) => {}
    }
    let json =
        message.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new());
    let read = json.ok().and_then(|json| DynamicMessage::deserialize(descriptor, json).ok());
    !read.is_some_and(|read| super::same::messages(message, &read))
}
