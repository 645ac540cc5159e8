//! What is known to have no JSON form before any is made.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

/// Levels of messages at most, those within an `Any` included: each of them has a limit of its own
/// for its bytes, so that a chain of them is as deep as a request is long.
const MAX_DEPTH: usize = 100;

/// A value without a JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoForm;

/// Whether a message holds a -0.0 in a field of type float or double.
///
/// # Errors
///
/// A `google.protobuf.Value` that is none of JSON's, a field that the schema does not know and has
/// not reserved, or too many levels.
pub(super) fn check(message: &DynamicMessage) -> Result<bool, NoForm> {
    message_at(message, 0)
}

/// Checks a message but for what is within its fields.
///
/// # Errors
///
/// Those of [`check`].
pub(super) fn check_alone(message: &DynamicMessage) -> Result<(), NoForm> {
    let descriptor = message.descriptor();
    let reserved = |number| descriptor.reserved_ranges().any(|range| range.contains(&number));
    if message.unknown_fields().any(|field| !reserved(field.number())) {
        return Err(NoForm);
    }
    if descriptor.full_name() != "google.protobuf.Value" {
        return Ok(());
    }
    match message.fields().next() {
        None => Err(NoForm),
        Some((_, Value::F64(number))) if !number.is_finite() => Err(NoForm),
        Some(_) => Ok(()),
    }
}

fn message_at(message: &DynamicMessage, depth: usize) -> Result<bool, NoForm> {
    let descriptor = message.descriptor();
    if depth > MAX_DEPTH {
        return Err(NoForm);
    }
    check_alone(message)?;
    match descriptor.full_name() {
        "google.protobuf.Value" => {
            if let Some((_, Value::F64(_))) = message.fields().next() {
                return Ok(false);
            }
        }
        super::names::ANY => {
            return match payload(message) {
                Some(payload) => message_at(&payload, depth + 1),
                None => Err(NoForm),
            };
        }
        _ => {}
    }
    let mut signed_zeros = false;
    for (_, value) in message.fields() {
        signed_zeros |= value_at(value, depth)?;
    }
    Ok(signed_zeros)
}

fn value_at(value: &Value, depth: usize) -> Result<bool, NoForm> {
    let mut signed_zeros = false;
    match value {
        Value::Message(message) => return message_at(message, depth + 1),
        Value::List(items) => {
            for item in items {
                signed_zeros |= value_at(item, depth)?;
            }
        }
        Value::Map(entries) => {
            for entry in entries.values() {
                signed_zeros |= value_at(entry, depth)?;
            }
        }
        Value::F32(number) => signed_zeros = number.to_bits() == (-0.0_f32).to_bits(),
        Value::F64(number) => signed_zeros = number.to_bits() == (-0.0_f64).to_bits(),
        _ => {}
    }
    Ok(signed_zeros)
}

/// What is in an `Any`. `None` if its type is not part of the schema, or its bytes are none of it.
pub(super) fn payload(any: &DynamicMessage) -> Option<DynamicMessage> {
    let url = any.get_field_by_number(1)?;
    let name = super::names::type_of(url.as_str()?);
    let message = any.descriptor().parent_pool().get_message_by_name(name)?;
    DynamicMessage::decode(message, any.get_field_by_number(2)?.as_bytes()?.clone()).ok()
}
