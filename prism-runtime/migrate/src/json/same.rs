//! Whether two messages hold the same.

use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use super::form::payload;

/// Compares two messages of one type, within the limits of what has a JSON form. A NaN equals any
/// other; of an `Any` the message counts, not its bytes; fields that are unknown do not.
pub fn messages(one: &DynamicMessage, other: &DynamicMessage) -> bool {
    if one.descriptor().full_name() == super::names::ANY {
        let same_type = one.get_field_by_number(1) == other.get_field_by_number(1);
        return match (payload(one), payload(other)) {
            (Some(one), Some(other)) => same_type && messages(&one, &other),
            _ => false,
        };
    }
    let mut others = other.fields();
    let fields = one.fields().all(|(field, value)| {
        others
            .next()
            .is_some_and(|(other, found)| field.number() == other.number() && values(value, found))
    });
    fields && others.next().is_none() && one.extensions().eq(other.extensions())
}

fn values(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::F32(one), Value::F32(other)) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        (Value::F64(one), Value::F64(other)) => {
            one.to_bits() == other.to_bits() || one.is_nan() && other.is_nan()
        }
        (Value::Message(one), Value::Message(other)) => messages(one, other),
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| values(one, other))
        }
        (Value::Map(one), Value::Map(other)) => {
            let same = |(key, value)| other.get(key).is_some_and(|other| values(value, other));
            one.len() == other.len() && one.iter().all(same)
        }
        (one, other) => one == other,
    }
}
