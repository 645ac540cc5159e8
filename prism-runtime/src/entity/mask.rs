//! Update masks.

use std::collections::HashSet;

use super::collection::Collection;
use super::decide::Mask;
use crate::{Error, Result, Violation};

/// Paths of a mask at most, before those that repeat are left out.
pub(super) const MAX_PATHS: usize = 10_000;

/// The fields that a mask names: a set, of at most as many as the entity has.
///
/// # Errors
///
/// INVALID_ARGUMENT: no mask or too many paths, an unknown field, a part of the key, a path below a
/// field, or `*` beside others.
pub(crate) fn parse_mask(
    collection: &Collection,
    paths: Option<&[String]>,
    name: &str,
) -> Result<Mask> {
    let paths = paths.unwrap_or_default();
    if paths.is_empty() {
        return Err(Error::invalid_field(name, "is required and names no field"));
    }
    if paths.len() > MAX_PATHS {
        let what = format!("has more than {MAX_PATHS} paths");
        return Err(Error::invalid(vec![Violation::too_large(name, what)]));
    }
    if paths.iter().all(|path| path == "*") {
        return Ok(Mask::All);
    }
    let mut seen = HashSet::new();
    let mut fields = Vec::new();
    let mut violations = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        if !seen.insert(path.as_str()) {
            continue;
        }
        let what = match collection.layout.field(path) {
            Some(position) if collection.layout.is_key(position) => {
                "names a part of the key, which cannot change"
            }
            Some(position) => {
                fields.push((position, at));
                continue;
            }
            None if path == "*" => "is for all fields, and stands beside others",
            None if path.contains('.') => "names something below a field: only whole fields change",
            None => "names no field of the entity",
        };
        violations.push(Violation::new(format!("{name}.paths[{at}]"), what));
    }
    if !violations.is_empty() {
        return Err(Error::invalid(violations));
    }
    fields.sort_unstable();
    Ok(Mask::Fields(fields))
}
