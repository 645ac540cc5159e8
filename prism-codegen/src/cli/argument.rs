//! What arguments may be: neither empty nor a URL, which may have a password and is not shown.

use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PathBufValueParser, TypedValueParser};
use prism_settings::is_place;

/// A path.
pub(super) fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match is_url(&path.to_string_lossy()) {
        true => Err("a path is expected, not a URL"),
        false => Ok(path),
    })
}

/// A name, or a path as it stands in a file.
pub(super) fn text() -> impl TypedValueParser<Value = String> {
    NonEmptyStringValueParser::new().try_map(|text| match is_url(&text) {
        true => Err("a URL is not expected here"),
        false => Ok(text),
    })
}

/// Whether a text has a scheme, or user, password and host. An at sign alone is part of many paths, and
/// so is the colon behind a drive of Windows.
fn is_url(text: &str) -> bool {
    let rest = match text.get(1..2) {
        Some(":") if cfg!(windows) => &text[2..],
        _ => text,
    };
    rest.contains("://") || (rest.contains(':') && is_place(rest))
}
