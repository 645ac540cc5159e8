//! What a request must be like. Everything that is wrong with it is reported at once.

use std::collections::HashMap;

use super::Options;
use super::decide::{Stamp, Token};
use super::limits::{COUNT, ID_BYTES, KEY_BYTES, NAMESPACE_BYTES, VALUE_BYTES};
use super::options::micros;
use super::selection::Selection;
use crate::proto::common::ItemMetadata;
use crate::proto::keyvalue::v1::key_predicate::Predicate;
use crate::proto::keyvalue::v1::{Item, KeyPredicate};
use crate::violations::{Place, Violations};
use crate::{Error, Reason, Result, Violation};

/// Namespaces that begin with this are Prism's own.
const RESERVED: &str = "prism-";

/// Items and writes of which it is found out whether they repeat: more than a request may have.
const COMPARED: usize = 10 * COUNT;

/// A field of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field(pub(super) u32, pub(super) &'static str);

impl Field {
    fn place(self) -> Place {
        Place::field(self.0)
    }
}

/// What keeps a text from being the name of a key-value namespace.
pub(crate) fn fault_of_namespace(namespace: &str) -> Option<&'static str> {
    match (1..=NAMESPACE_BYTES).contains(&namespace.len()) {
        true => fault_of_name(namespace),
        false => Some("must be of 1 to 63 bytes"),
    }
}

/// Of one that is neither empty nor too long.
fn fault_of_name(namespace: &str) -> Option<&'static str> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    if !namespace.bytes().all(fits) {
        Some("must be of a to z, 0 to 9 and -")
    } else if namespace.starts_with(RESERVED) {
        Some("begins with prism-, which is kept for Prism itself")
    } else {
        None
    }
}

/// Checks requests, collecting what is wrong with one.
#[derive(Debug)]
pub(super) struct Checker<'a> {
    options: &'a Options,
    now: i64,
    violations: Violations,
}

impl<'a> Checker<'a> {
    pub(super) fn new(options: &'a Options, now: i64) -> Self {
        Checker { options, now, violations: Violations::default() }
    }

    /// The error of all that is wrong so far.
    pub(super) fn finish(&mut self) -> Result<()> {
        std::mem::take(&mut self.violations).finish()
    }

    /// The namespace's form. Whether it is served is [`served`]'s matter.
    pub(super) fn namespace(&mut self, namespace: &str) {
        let field = Field(1, "namespace");
        if self.text(field, namespace, NAMESPACE_BYTES)
            && let Some(fault) = fault_of_name(namespace)
        {
            self.add(field.place(), field.1, fault);
        }
    }

    pub(super) fn id(&mut self, field: Field, id: &str) {
        self.text(field, id, ID_BYTES);
    }

    pub(super) fn key(&mut self, field: Field, key: &[u8]) {
        self.length(field.place(), || field.1.to_owned(), key.len(), KEY_BYTES);
    }

    pub(super) fn value(&mut self, field: Field, value: Option<&[u8]>) {
        let length = value.map_or(0, <[u8]>::len);
        self.length(field.place(), || field.1.to_owned(), length, VALUE_BYTES);
    }

    pub(super) fn limit(&mut self, field: Field, limit: i64) {
        if limit < 0 {
            self.add(field.place(), field.1, "must not be negative");
        }
    }

    pub(super) fn metadata(&mut self, field: Field, metadata: Option<&ItemMetadata>) {
        self.ttl(field.place(), || field.1.to_owned(), metadata);
    }

    /// The items of a Put: each key once.
    pub(super) fn items(&mut self, field: Field, items: &[Item]) {
        self.count(field.place(), field.1, items.len());
        let mut first_with = HashMap::with_capacity(items.len().min(COMPARED));
        for (position, item) in items.iter().enumerate() {
            if self.violations.is_full() {
                break;
            }
            let place = field.place().element(position);
            // The names of fields are needed where one is wrong: seldom.
            let path = |part: &str| format!("{}[{position}].{part}", field.1);
            self.length(place.part(1), || path("key"), item.key.len(), KEY_BYTES);
            self.length(place.part(2), || path("value"), item.value.len(), VALUE_BYTES);
            self.ttl(place.part(3), || path("metadata"), item.metadata.as_ref());
            if position < COMPARED
                && let Some(first) = first_with.insert(item.key.as_slice(), position)
            {
                let what = format!("the same key as {}[{first}]", field.1);
                self.add(place.part(1), path("key"), what);
            }
        }
    }

    /// The ids of a PutBatch: each once.
    pub(super) fn writes<'w>(&mut self, field: Field, ids: impl ExactSizeIterator<Item = &'w str>) {
        self.count(field.place(), field.1, ids.len());
        let mut first_with = HashMap::with_capacity(ids.len().min(COMPARED));
        for (position, id) in ids.enumerate().take(COMPARED) {
            if let Some(first) = first_with.insert(id, position) {
                let place = field.place().element(position).part(1);
                let what = format!("the same id as {}[{first}]", field.1);
                self.add(place, format!("{}[{position}].id", field.1), what);
            }
        }
    }

    /// An optional predicate; all items where it is absent. Of one that is refused, it does not
    /// matter what it selects.
    pub(super) fn predicate(&mut self, field: Field, predicate: Option<KeyPredicate>) -> Selection {
        let Some(predicate) = predicate else { return Selection::All };
        let (place, name) = (field.place(), field.1);
        match &predicate.predicate {
            None => self.add(place, name, "sets nothing: match_all, match_keys or match_range"),
            Some(Predicate::MatchAll(_)) => {}
            Some(Predicate::MatchKeys(keys)) => {
                self.keys(place, &format!("{name}.match_keys.keys"), &keys.keys);
            }
            Some(Predicate::MatchRange(range)) => {
                let path = |end: &str| format!("{name}.match_range.{end}");
                let start = range.start_key.as_ref().map_or(0, Vec::len);
                self.length(place.part(1), || path("start_key"), start, KEY_BYTES);
                let end = range.end_key.as_ref().map_or(0, Vec::len);
                self.length(place.part(2), || path("end_key"), end, KEY_BYTES + 1);
            }
        }
        // What is refused is not worth being sorted.
        let valid = predicate.predicate.filter(|_| self.violations.is_empty());
        valid.map_or(Selection::Keys(Vec::new()), Selection::of)
    }

    /// What a Delete deletes: either keys or a predicate.
    pub(super) fn deleted(
        &mut self,
        keys: (Field, Vec<Vec<u8>>),
        predicate: (Field, Option<KeyPredicate>),
    ) -> Selection {
        let ((keys_field, keys), (predicate_field, predicate)) = (keys, predicate);
        if keys.is_empty() {
            if predicate.is_none() {
                let what = "either keys or predicate must be set";
                self.add(keys_field.place(), keys_field.1, what);
            }
            return self.predicate(predicate_field, predicate);
        }
        self.keys(keys_field.place(), keys_field.1, &keys);
        if predicate.is_some() {
            let what = "must not be set together with keys";
            self.add(predicate_field.place(), predicate_field.1, what);
            return self.predicate(predicate_field, predicate);
        }
        match self.violations.is_empty() {
            true => Selection::keys(keys),
            false => Selection::Keys(Vec::new()),
        }
    }

    /// Where a write with this token stands. 0 is the server's own.
    pub(super) fn stamp(&mut self, field: Field, token: i64) -> Stamp {
        let remembered = micros(self.options.tombstones);
        let oldest = self.now.saturating_sub(remembered);
        let newest = self.now.saturating_add(micros(self.options.max_clock_skew));
        if token != 0 && !(oldest..=newest).contains(&token) {
            let description = if token > newest {
                format!(
                    "is ahead of the server's clock by more than {} s",
                    self.options.max_clock_skew.as_secs()
                )
            } else {
                format!("is older than the {} s in which deletes are remembered", {
                    self.options.tombstones.as_secs()
                })
            };
            let violation = Violation::of(Reason::PriorityTokenOutOfRange, field.1, description);
            self.violations.push(field.place(), violation);
        }
        let token = if token == 0 { Token::Server } else { Token::Client(token) };
        Stamp { token, now: self.now, remembered }
    }

    /// 1 to [`COUNT`] keys.
    fn keys(&mut self, place: Place, path: &str, keys: &[Vec<u8>]) {
        self.count(place, path, keys.len());
        for (position, key) in keys.iter().enumerate() {
            if self.violations.is_full() {
                break;
            }
            let place = place.element(position);
            self.length(place, || format!("{path}[{position}]"), key.len(), KEY_BYTES);
        }
    }

    fn ttl(
        &mut self,
        place: Place,
        path: impl FnOnce() -> String,
        metadata: Option<&ItemMetadata>,
    ) {
        if metadata.is_some_and(|metadata| metadata.ttl_seconds < 0) {
            self.add(place, format!("{}.ttl_seconds", path()), "must not be negative");
        }
    }

    /// Too many entries are a size, too few are not.
    fn count(&mut self, place: Place, path: &str, count: usize) {
        if (1..=COUNT).contains(&count) {
            return;
        }
        let what = format!("must have 1 to {COUNT} entries, has {count}");
        let reason = if count > COUNT { Reason::ValueTooLarge } else { Reason::InvalidRequest };
        self.violations.push(place, Violation::of(reason, path, what));
    }

    /// A text that is not empty. Whether it may be used.
    fn text(&mut self, field: Field, text: &str, most: usize) -> bool {
        if text.is_empty() {
            self.add(field.place(), field.1, "must not be empty");
            return false;
        }
        self.length(field.place(), || field.1.to_owned(), text.len(), most)
    }

    fn length(
        &mut self,
        place: Place,
        path: impl FnOnce() -> String,
        length: usize,
        most: usize,
    ) -> bool {
        if length > most {
            let what = format!("is {length} bytes long, the limit is {most}");
            self.violations.push(place, Violation::too_large(path(), what));
        }
        length <= most
    }

    fn add(&mut self, place: Place, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(place, Violation::new(field, description));
    }
}

/// Whether a well-formed namespace is served here. Answers how many undeclared ones there may be,
/// where it is one of them.
pub(super) fn served(options: &Options, namespace: &str) -> Result<Option<u64>> {
    let listed = options.namespaces.as_ref().map(|names| names.contains(namespace));
    if options.entity_namespaces.contains(namespace) || listed == Some(false) {
        let text = format!("the key-value service has no namespace {namespace}");
        return Err(Error::new(Reason::NamespaceNotFound, text));
    }
    let declared = listed == Some(true) || options.declared.contains(namespace);
    Ok((!declared).then_some(options.max_namespaces))
}
