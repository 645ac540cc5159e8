//! What may be shown of values that are protected or could be: a keyed hash, which tells two
//! values apart and links the lines about one, but cannot be turned back by trying.

use std::fmt;
use std::sync::OnceLock;

/// Shows a key-value id or key, or any other value, as a keyed hash. The key is random and lives
/// as long as the process.
#[derive(Clone, Copy)]
pub struct Hashed<'a>(pub &'a [u8]);

/// What is shown of a masked value: that it is there.
pub const MASKED: &str = "[masked]";

impl fmt::Display for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(key) = key() else { return f.write_str(MASKED) };
        let hash = blake3::keyed_hash(key, self.0);
        write!(f, "#{}", &hash.to_hex()[..16])
    }
}

impl fmt::Debug for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn key() -> Option<&'static [u8; 32]> {
    static KEY: OnceLock<Option<[u8; 32]>> = OnceLock::new();
    let fill = || {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok().map(|()| key)
    };
    KEY.get_or_init(fill).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_stable_and_does_not_show_the_value() {
        let shown = Hashed(b"customer-17").to_string();
        assert_eq!(shown, Hashed(b"customer-17").to_string());
        assert_ne!(shown, Hashed(b"customer-18").to_string());
        assert!(!shown.contains("customer"));
        assert_ne!(shown, format!("#{}", &blake3::hash(b"customer-17").to_hex()[..16]));
    }
}
