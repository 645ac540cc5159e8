//! Names of settings, as errors show them.

use prism_schema::names::closest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_saphyr::Error;

/// A name as an error may show it, in backticks with a blank before. Empty if it is not one that a
/// setting could have: what stands in its place by mistake may be a secret.
pub fn shown(name: &str) -> String {
    if is_name(name) { format!(" `{name}`") } else { String::new() }
}

/// Names with dots between them, without those that may be a secret.
pub fn shown_path(path: &[String]) -> String {
    let part = |name: &String| if is_name(name) { name.clone() } else { "…".to_owned() };
    let text = path.iter().map(part).collect::<Vec<_>>().join(".");
    text.replace(".[", "[")
}

fn is_name(name: &str) -> bool {
    const LONGEST: usize = 63;
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.[]".contains(c);
    name.len() <= LONGEST && name.chars().all(fits)
}

/// What is wrong with a name that is none of those that are known: `kind` is what it is the name of.
pub(crate) fn unknown(kind: &str, name: &str, known: &[&str], elsewhere: &[String]) -> String {
    let near = closest(&name.to_lowercase(), known.iter().copied());
    let shown = shown(name);
    match (near, elsewhere) {
        (Some(near), _) => format!("unknown {kind}{shown}; did you mean `{near}`?"),
        (None, []) => format!("unknown {kind}{shown}; known are {}", known.join(", ")),
        (None, names) => {
            format!("unknown {kind}{shown}; did you mean `{}`?", names.join("` or `"))
        }
    }
}

/// Every setting that `T` reads, as the names that lead to it; `*` is a name that the user chooses.
pub fn settings<T: DeserializeOwned>() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    collect::<T>(&mut Vec::new(), &mut all);
    all
}

fn collect<T: DeserializeOwned>(path: &mut Vec<String>, all: &mut Vec<Vec<String>>) {
    const DEEPEST: usize = 4;
    let names = if path.len() < DEEPEST { names_below::<T>(path) } else { Vec::new() };
    if names.is_empty() {
        all.push(path.clone());
    }
    for name in names {
        path.push(name);
        collect::<T>(path, all);
        path.pop();
    }
}

/// The names that `T` takes there. It tells them when it refuses another one.
fn names_below<T: DeserializeOwned>(path: &[String]) -> Vec<String> {
    let known = |value: Value| match probe::<T>(path, value) {
        Err(error) => match error.without_snippet() {
            Error::SerdeUnknownField { expected, .. } => {
                expected.iter().map(|name| (*name).to_owned()).collect()
            }
            _ => Vec::new(),
        },
        Ok(()) => Vec::new(),
    };
    let names = known(json!({"": null}));
    if !names.is_empty() {
        return names;
    }
    let takes_any =
        !known(json!({"*": {"": null}})).is_empty() || probe::<T>(path, json!({"*": ""})).is_ok();
    if takes_any { vec!["*".to_owned()] } else { Vec::new() }
}

fn probe<T: DeserializeOwned>(path: &[String], value: Value) -> Result<(), Error> {
    let nest = |value: Value, name: &String| json!({name.as_str(): value});
    let text = path.iter().rev().fold(value, nest).to_string();
    serde_saphyr::from_str::<T>(&text).map(|_| ())
}

/// The settings of this name, whatever section they are in.
pub(crate) fn elsewhere<T: DeserializeOwned>(name: &str) -> Vec<String> {
    let settings = settings::<T>();
    let named = settings.iter().filter(|path| path.last().is_some_and(|last| last == name));
    named.filter(|path| !path.iter().any(|name| name == "*")).map(|path| path.join(".")).collect()
}
