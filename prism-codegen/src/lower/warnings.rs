//! Warnings that a file gets once, however often it gives cause.

use std::collections::BTreeMap;
use std::sync::Arc;

use prism_options::{Diagnostics, Span};

use super::context::VERSION;
use crate::diagnostics::catalog::index as catalog;

/// What has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ineffective {
    /// An option of Prism, by its name.
    Option,
    /// Annotations of others, by the name that they have in common.
    Foreign,
}

/// The places of one name in a file, by line and column. Where these are not known, as in some
/// descriptor sets, the annotated elements differ by their full names.
type Places = BTreeMap<(u32, u32, String), Span>;

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    found: BTreeMap<(Arc<str>, Ineffective), BTreeMap<String, Places>>,
}

impl Warnings {
    /// What is on the same element at the same place counts once.
    pub fn add(&mut self, kind: Ineffective, name: &str, element: &str, span: &Span) {
        let names = self.found.entry((span.file.clone(), kind)).or_default();
        let places = names.entry(name.to_owned()).or_default();
        places.insert((span.line, span.column, element.to_owned()), span.clone());
    }

    pub fn report(self, found: &mut Diagnostics) {
        for ((_, kind), names) in self.found {
            match kind {
                Ineffective::Option => report_options(&names, found),
                Ineffective::Foreign => names.iter().for_each(|(name, places)| {
                    if let Some(span) = places.values().next() {
                        found.push(catalog::foreign(span, name, &annotations(places.len())));
                    }
                }),
            }
        }
    }
}

fn annotations(count: usize) -> String {
    match count {
        1 => "one annotation".to_owned(),
        _ => format!("{count} annotations"),
    }
}

fn report_options(names: &BTreeMap<String, Places>, found: &mut Diagnostics) {
    let places = names.values().flatten();
    let Some((_, first)) = places.min_by_key(|(place, _)| (*place).clone()) else { return };
    let counted = names.iter().map(|(name, places)| match places.len() {
        1 => format!("`{name}`"),
        count => format!("`{name}` ({count} times)"),
    });
    let list = counted.collect::<Vec<_>>().join(", ");
    let help: Vec<&str> = MEANINGS
        .iter()
        .filter(|(options, _)| options.iter().any(|option| names.contains_key(*option)))
        .map(|(_, meaning)| *meaning)
        .collect();
    found.push(catalog::ineffective(first, &list, VERSION, &help.join("; ")));
}

/// What it means for the user that an option has no effect.
const MEANINGS: &[(&[&str], &str)] = &[
    (
        &["require_auth", "required_permissions"],
        "callers are not authenticated and may call every method, so let only trusted callers reach the proxy",
    ),
    (
        &["access_pattern"],
        "an entity without `backend` is stored in Postgres whatever its access pattern is, so write `backend` to choose another",
    ),
    (
        &["estimated_read_rps", "estimated_write_rps", "estimated_data_size_gb", "owner"],
        "estimates and owners are kept for a later version",
    ),
];
