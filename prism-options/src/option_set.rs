//! An annotation and the place of everything that is set in it.

use std::collections::BTreeMap;

use crate::aggregate::Entry;
use crate::{Setting, Span};

/// An annotation as it was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionSet<T> {
    /// The values.
    pub value: T,
    /// The annotation as a whole; the annotated element where its own place is not known.
    pub span: Span,
    /// What is set, option by option.
    pub settings: Vec<Setting>,
    places: BTreeMap<String, Place>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Place {
    span: Span,
    unspecified: bool,
}

impl<T> OptionSet<T> {
    /// An annotation of which only the place is known: that of the element where there is none.
    pub fn new(value: T, span: Span) -> Self {
        OptionSet { value, span, settings: Vec::new(), places: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, entry: Entry, span: Span) {
        self.places.insert(entry.path, Place { span, unspecified: entry.unspecified });
    }

    /// The place of a value, by field names from the annotation: `backend`,
    /// `indexes[1].fields[0]`. Where that is not known the place of its first part that is set,
    /// else of what holds it.
    pub fn span(&self, path: &str) -> &Span {
        let mut path = path;
        loop {
            let below = self.places.range(path.to_owned()..).next();
            if let Some((_, place)) = below.filter(|(found, _)| is_within(found, path)) {
                return &place.span;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return &self.span,
            }
        }
    }

    /// Whether the source sets the value, be it to its zero.
    pub fn is_written(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Enum values that are set to the zero by name, with the path of the field.
    pub fn unspecified(&self) -> impl Iterator<Item = (&str, &Span)> {
        self.places
            .iter()
            .filter(|(_, place)| place.unspecified)
            .map(|(path, place)| (path.as_str(), &place.span))
    }
}

/// Whether a path is another one, or leads into it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
