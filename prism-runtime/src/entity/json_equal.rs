//! JSON texts that stand for the same value.

use serde_json::Value;

/// Whether two texts hold the same value: Postgres reorders the members of objects, and writes
/// `1e16` as `10000000000000000`.
pub fn texts(one: &str, two: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    matches!((parse(one), parse(two)), (Some(one), Some(two)) if values(&one, &two))
}

fn values(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => one == two || one.as_f64() == two.as_f64(),
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| values(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            let same = |(name, value)| two.get(name).is_some_and(|other| values(value, other));
            one.len() == two.len() && one.iter().all(same)
        }
        _ => one == two,
    }
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn spelling_does_not_count() {
        assert!(texts(r#"{"a":1e16,"b":[{}]}"#, r#"{"b": [{}], "a": 10000000000000000}"#));
        assert!(!texts("[1,2]", "[2,1]"));
        assert!(!texts(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
        assert!(!texts("1", "\"1\""));
    }
}
