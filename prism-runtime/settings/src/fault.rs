//! What is wrong with a text of settings, in the terms of the settings.

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Location};

use crate::names::{elsewhere, shown_path, unknown};
use crate::tree::{self, About, Tree};

/// What is wrong with a text of settings. One line; it shows no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line and column, from 1. Absent if the text as a whole is at fault.
    pub place: Option<(u64, u64)>,
    /// The setting, and what it expects.
    pub what: String,
}

/// `line:column: what`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// The fault of a file.
    pub fn in_file(&self, path: &Path) -> String {
        let space = if self.place.is_some() { "" } else { " " };
        format!("{}:{space}{self}", path.display())
    }
}

/// Reads settings in YAML. A text of blanks and comments is an empty map.
///
/// # Errors
///
/// The first setting that is wrong, with its place, or what keeps the text from being YAML.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let text = if text.lines().all(is_blank) { "{}" } else { text };
    let tree = tree::parse(text).map_err(|error| no_yaml(error.without_snippet()))?;
    let describe = |error: Error| describe::<T>(error.without_snippet(), &tree.value);
    serde_saphyr::from_str(text).map_err(describe)
}

fn no_yaml(error: &Error) -> Fault {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line).trim_start_matches("error: ");
    Fault { place: error.location().map(place), what: format!("not readable as YAML: {line}") }
}

fn place(at: Location) -> (u64, u64) {
    (at.line(), at.column())
}

fn describe<T: DeserializeOwned>(error: &Error, tree: &Tree) -> Fault {
    let about = match error {
        Error::SerdeUnknownField { .. } | Error::DuplicateMappingKey { .. } => About::Name,
        _ => About::Value,
    };
    let path = error.location().and_then(|at| tree.path_to(at, about)).unwrap_or_default();
    let setting = match path.is_empty() {
        true => "the text".to_owned(),
        false => shown_path(&path),
    };
    let what = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            unknown("setting", field, expected, &elsewhere::<T>(field))
        }
        Error::DuplicateMappingKey { .. } => {
            format!("{setting} is there twice; remove one of the two")
        }
        Error::SerdeUnknownVariant { variant, expected, .. } if variant.is_empty() => {
            format!("{setting} has no value; known are {}", expected.join(", "))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            format!("{setting} has an {}", unknown("value", variant, expected, &[]))
        }
        Error::NullIntoString { .. } => format!("{setting} has no value"),
        Error::SerdeMissingField { field, .. } => format!("{setting} lacks `{field}`"),
        other => match expected(other, path.last().map(String::as_str)) {
            Some(expected) => format!("{setting} expects {expected}"),
            None => return no_yaml(other),
        },
    };
    Fault { place: error.location().map(place), what }
}

/// What a setting of this name expects.
fn expected(error: &Error, name: Option<&str>) -> Option<String> {
    let expected = match error {
        Error::Unexpected { expected, .. } => match *expected {
            "mapping start" => "further settings, each as `name: value`".to_owned(),
            "sequence start" => "a list, such as [one, two]".to_owned(),
            "string scalar" | "scalar" => {
                "a single value, which needs quotation marks if it begins with [ or {".to_owned()
            }

            _ => return None,
        },
        Error::InvalidScalar { ty, .. } => scalar(ty, name.unwrap_or_default()),
        Error::InvalidBooleanStrict { .. } => scalar("bool", ""),
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => "a single word".to_owned(),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            scalar(expected, name.unwrap_or_default())
        }
        _ => return None,
    };
    Some(expected)
}

/// What a single value is, by the type that reads it. The unit of a number stands in its name.
fn scalar(ty: &str, name: &str) -> String {
    let range = match ty {
        "u8" => "from 0 to 255",
        "u16" => "from 0 to 65535",
        "u32" => "from 0 to 4294967295",
        "u64" | "usize" => "from 0 on, of at most 19 digits",
        ty if ty.contains("bool") => return "true or false".to_owned(),
        ty => return ty.to_owned(),
    };
    const UNITS: [(&str, &str); 4] = [
        ("_ms", "of milliseconds "),
        ("_seconds", "of seconds "),
        ("_hours", "of hours "),
        ("_bytes", "of bytes "),
    ];
    match UNITS.iter().find(|(end, _)| name.ends_with(end)) {
        Some((_, unit)) => format!("a whole number {unit}{range}, without a unit"),
        None => format!("a whole number {range}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Settings {
        count: u32,
        idle_seconds: u64,
        name: String,
        on: bool,
        list: Option<Vec<String>>,
        mode: Mode,
        parts: BTreeMap<String, Settings>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        #[default]
        Quick,
        Thorough,
    }

    fn refused(text: &str) -> String {
        read::<Settings>(text).map_or_else(|fault| fault.to_string(), |_| String::new())
    }

    #[test]
    fn a_wrong_setting_says_what_it_expects() {
        let count = "count expects a whole number from 0 to 4294967295";
        let seconds = "idle_seconds expects a whole number of seconds from 0 on, of at most 19 \
 digits, without a unit";
        let text = "expects a single value, which needs quotation marks if it begins with [ or {";
        for (wrong, place, expected) in [
            ("count: many", "1:8", count),
            ("count: -1", "1:8", count),
            ("count: 4294967296", "1:8", count),
            ("count: 1.5", "1:8", count),
            ("count:", "1:6", count),
            ("count: [1]", "1:8", &format!("count {text}")),
            ("idle_seconds: 30s", "1:15", seconds),
            ("name: [a]", "1:7", &format!("name {text}")),
            ("name: null", "1:7", "name has no value"),
            ("on: maybe", "1:5", "on expects true or false"),
            ("list: all", "1:7", "list expects a list, such as [one, two]"),
            ("list: [a, [b]]", "1:11", &format!("list[1] {text}")),
            (
                "mode: thoruogh",
                "1:7",
                "mode has an unknown value `thoruogh`; did you mean `thorough`?",
            ),
            ("mode: [quick]", "1:7", "mode expects a single word"),
            ("parts: 5", "1:8", "parts expects further settings, each as `name: value`"),
            ("parts:\n  a: 5", "2:6", "parts.a expects further settings, each as `name: value`"),
            ("parts:\n  a:\n    count: x", "3:12", &count.replace("count", "parts.a.count")[..]),
            ("count: 1\ncount: 2", "2:1", "count is there twice; remove one of the two"),
            ("parts:\n  a: {}\n  a: {}", "3:3", "parts.a is there twice; remove one of the two"),
            ("cuont: 1", "1:1", "unknown setting `cuont`; did you mean `count`?"),
            ("parts: {a: {cuont: 1}}", "1:13", "unknown setting `cuont`; did you mean `count`?"),
            ("mode: ''", "1:7", "mode has no value; known are quick, thorough"),
            ("COUNT: 1", "1:1", "unknown setting `COUNT`; did you mean `count`?"),
            ("[a]", "1:1", "the text expects further settings, each as `name: value`"),
        ] {
            assert_eq!(refused(wrong), format!("{place}: {expected}"), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_yaml_says_where() {
        for text in ["list: [", "name: {", "count:\n\tx", "name: \"a", "a: b: c", "*x"] {
            let refused = refused(text);
            assert!(refused.contains(": not readable as YAML: "), "{text}: {refused}");
            assert_eq!(refused.lines().count(), 1, "{refused}");
        }
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sections {
        inner: Settings,
        names: BTreeMap<String, String>,
    }

    #[test]
    fn a_setting_is_found_in_another_section() {
        let refused = read::<Sections>("idle_seconds: 1").unwrap_err().to_string();
        assert_eq!(
            refused,
            "1:1: unknown setting `idle_seconds`; did you mean `inner.idle_seconds`?"
        );
        let refused = read::<Sections>("colour: 1").unwrap_err().to_string();
        assert_eq!(refused, "1:1: unknown setting `colour`; known are inner, names");
        let all: Vec<String> =
            crate::settings::<Sections>().iter().map(|it| it.join(".")).collect();
        for name in ["inner.count", "inner.parts.*.mode", "names.*"] {
            assert!(all.iter().any(|setting| setting == name), "{name}: {all:?}");
        }
    }

    #[test]
    fn a_text_of_comments_is_empty() {
        for text in ["", "# nothing\n", "\n  # nothing\n"] {
            assert_eq!(read::<Settings>(text), Ok(Settings::default()), "{text:?}");
        }
    }

    #[test]
    fn a_name_that_may_be_a_secret_is_not_shown() {
        let text = "parts:\n  'u:s3cret@host': {count: x}";
        let expected = "2:28: parts.….count expects a whole number from 0 to 4294967295";
        assert_eq!(refused(text), expected);
    }
}
