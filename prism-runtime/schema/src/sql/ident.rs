//! Identifiers.

/// An identifier in double quotes, which both dialects take for any name: keywords, spaces and
/// quotes included.
pub fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for character in name.chars() {
        if character == '"' {
            quoted.push('"');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// `<prefix><name>`; a name that would make it longer than the 63 bytes that PostgreSQL takes is
/// told from others by a hash (FNV-1a: the same on every machine and in every version).
pub fn prefixed(prefix: &str, name: &str) -> String {
    if prefix.len() + name.len() <= 63 {
        return format!("{prefix}{name}");
    }
    let hash = name
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{prefix}{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn any_name_is_one_identifier() {
        assert_eq!(quote("order"), "\"order\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote("x; DROP TABLE y"), "\"x; DROP TABLE y\"");
    }
}
