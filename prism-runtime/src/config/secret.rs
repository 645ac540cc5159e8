//! Settings that no log may show.

use std::fmt;

use serde::Deserialize;

/// A name as an error may show it, in backticks with a blank before. Nothing where it is not one that
/// a setting or a backend could have: what stands in its place by mistake may be a secret.
pub(crate) fn shown(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    let is_name = name.len() <= 63 && name.chars().all(fits);
    if is_name { format!(" `{name}`") } else { String::new() }
}

/// A setting that is not shown when it is printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
