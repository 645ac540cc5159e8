//! Filters of the log: `info`, `info,prism=debug`.

use std::env::VarError;

use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;

/// What a filter is, after what is wrong with one.
const EXPECTED: &str = "a filter is one of the levels off, error, warn, info, debug and trace, or \
                        several with targets, such as info,prism=debug";

/// The filter of `RUST_LOG`, if that is set and not empty, and of `log.level` otherwise.
///
/// # Errors
///
/// The one that is used is not a filter.
pub(super) fn chosen(level: &str) -> Result<EnvFilter, ConfigError> {
    match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => parse("RUST_LOG", &text),
        Err(VarError::NotUnicode(_)) => Err(wrong("RUST_LOG", "is not text in UTF-8")),
        _ => parse("log.level", level),
    }
}

/// Checks that a setting is a filter.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn check(setting: &str, text: &str) -> Result<(), ConfigError> {
    parse(setting, text).map(|_| ())
}

/// Reads a filter. tracing takes a word that is not a level for a target of which everything is
/// logged, and so a mistyped level for one of which there is nothing: here, a target needs a level.
fn parse(setting: &str, text: &str) -> Result<EnvFilter, ConfigError> {
    let parts = split(text, ',').into_iter().filter(|part| !part.is_empty());
    let parts: Vec<String> =
        parts.map(|part| directive(setting, part)).collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err(wrong(setting, "is empty"));
    }
    EnvFilter::try_new(parts.join(","))
        .map_err(|_| wrong(setting, "selects spans in a way that is not known"))
}

/// One part of a filter, without blanks: a level, a target with its level, or a selection of spans.
fn directive(setting: &str, part: &str) -> Result<String, ConfigError> {
    let pieces = split(part, '=');
    let (level, target) = match pieces.as_slice() {
        [level] => (*level, None),
        [target, level] => (*level, Some(*target)),
        _ => return Err(wrong(setting, "has more than one = in a part")),
    };
    let selects_spans = target.unwrap_or(level).contains('[');
    let needs_level = target.is_some() || !selects_spans;
    if needs_level && !is_level(level) {
        // The text is not shown: it may be meant for another setting, and hold a password.
        return Err(wrong(setting, "has a level that is not known"));
    }
    if target.is_some_and(|target| !selects_spans && !is_target(target)) {
        return Err(wrong(setting, "has a target that is not a path of names, as in a::b"));
    }
    Ok(pieces.join("="))
}

fn wrong(setting: &str, what: &str) -> ConfigError {
    ConfigError::new(format!("{setting} {what}; {EXPECTED}"))
}

fn is_level(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_number = matches!(text.as_bytes(), [b'0'..=b'5']);
    is_number || LEVELS.iter().any(|level| level.eq_ignore_ascii_case(text))
}

fn is_target(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

/// The parts between separators, without blanks around them. Brackets, which select spans by their
/// fields, are not looked into.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|c| {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == separator && depth == 0
    })
    .map(str::trim)
    .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::check;

    #[test]
    fn a_level_is_one_that_there_is() {
        for text in [
            "info",
            "WARN",
            "off",
            "3",
            "info,prism=debug",
            " info , prism_runtime::server=trace,",
            "hyper=off,info",
            "prism[call]=debug",
            "info,[call{method=Get}]=trace",
            "[call]",
        ] {
            assert!(check("log.level", text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("verbose", "has a level that is not known"),
            ("warning", "has a level that is not known"),
            ("info,prism", "has a level that is not known"),
            ("info,prism=verbose", "has a level that is not known"),
            ("prism=", "has a level that is not known"),
            ("6", "has a level that is not known"),
            ("=debug", "has a target that is not a path of names, as in a::b"),
            ("a b=debug", "has a target that is not a path of names, as in a::b"),
            ("a=b=c", "has more than one = in a part"),
            ("", "is empty"),
            (" ,", "is empty"),
            ("!!", "has a level that is not known"),
            ("postgres://u:s3cret@h/d", "has a level that is not known"),
            ("info,[", "selects spans in a way that is not known"),
        ] {
            let error = check("log.level", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("log.level {expected}; a filter is")), "{error}");
            assert!(error.contains("off, error, warn, info, debug and trace"), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
