//! Defaults of proto2 as descriptors spell them.

use prost_types::field_descriptor_proto::Type;

/// Whether a text is a default of a type that is no enum.
/// <https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto>
pub(super) fn is_value(ty: Type, text: &str) -> bool {
    match ty {
        Type::Bool => matches!(text, "true" | "false"),
        Type::Int32 | Type::Sint32 | Type::Sfixed32 => text.parse::<i32>().is_ok(),
        Type::Int64 | Type::Sint64 | Type::Sfixed64 => text.parse::<i64>().is_ok(),
        Type::Uint32 | Type::Fixed32 => text.parse::<u32>().is_ok(),
        Type::Uint64 | Type::Fixed64 => text.parse::<u64>().is_ok(),
        Type::Float | Type::Double => is_float(text),
        Type::String => true,
        Type::Bytes => is_escaped(text),
        Type::Enum | Type::Message | Type::Group => false,
    }
}

fn is_float(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    matches!(digits, "inf" | "nan")
        || (digits.starts_with(|first: char| first.is_ascii_digit()) && text.parse::<f64>().is_ok())
}

/// Bytes are escaped as in C: printable ASCII, and escapes that are complete.
fn is_escaped(text: &str) -> bool {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let sound = match byte {
            b'\\' => match rest.next() {
                Some(
                    b'a' | b'b' | b'f' | b'n' | b'r' | b't' | b'v' | b'\\' | b'?' | b'\'' | b'"',
                ) => true,
                Some(first @ b'0'..=b'3') => {
                    let (second, third) = (rest.next(), rest.next());
                    let octal = |byte: Option<u8>| matches!(byte, Some(b'0'..=b'7'));
                    first <= b'3' && octal(second) && octal(third)
                }
                Some(b'x' | b'X') => {
                    let hex = |byte: Option<u8>| byte.is_some_and(|it| it.is_ascii_hexdigit());
                    hex(rest.next()) && hex(rest.next())
                }
                _ => false,
            },
            byte => byte.is_ascii_graphic() || byte == b' ',
        };
        if !sound {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_what_protoc_writes() {
        for (ty, sound, unsound) in [
            (Type::Bool, "true", "1"),
            (Type::Int32, "-2147483648", "2147483648"),
            (Type::Uint64, "18446744073709551615", "-1"),
            (Type::Double, "-inf", "infinity"),
            (Type::Float, "1e+20", "x"),
            (Type::Bytes, "\\000\\377\\\"x \\n", "\\400"),
            (Type::Bytes, "", "\\"),
            (Type::Bytes, "?", "é"),
        ] {
            assert!(is_value(ty, sound) && !is_value(ty, unsound), "{ty:?}");
        }
    }
}
