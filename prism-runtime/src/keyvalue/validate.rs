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
use crate::{Error, Reason, Result, Violation};

/// Namespaces that begin with this are Prism's own.
const RESERVED: &str = "prism-";

const TOKEN: &str = "item_priority_token";

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
    violations: Vec<Violation>,
    /// Whether the token alone is at fault.
    token_at_fault: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn new(options: &'a Options, now: i64) -> Self {
        Checker { options, now, violations: Vec::new(), token_at_fault: false }
    }

    /// The error of all that is wrong so far.
    pub(super) fn finish(&mut self) -> Result<()> {
        let violations = std::mem::take(&mut self.violations);
        if violations.is_empty() {
            return Ok(());
        }
        if self.token_at_fault && violations.len() == 1 {
            let message = format!("{}: {}", violations[0].field, violations[0].description);
            return Err(
                Error::new(Reason::PriorityTokenOutOfRange, message).with_violations(violations)
            );
        }
        Err(Error::invalid(violations))
    }

    /// The namespace's form. Whether it is served is [`served`]'s matter.
    pub(super) fn namespace(&mut self, namespace: &str) {
        if self.length("namespace", namespace.len(), 1..=NAMESPACE_BYTES)
            && let Some(fault) = fault_of_name(namespace)
        {
            self.add("namespace", fault);
        }
    }

    pub(super) fn id(&mut self, id: &str) {
        self.length("id", id.len(), 1..=ID_BYTES);
    }

    pub(super) fn key(&mut self, field: &str, key: &[u8]) {
        self.length(field, key.len(), 0..=KEY_BYTES);
    }

    pub(super) fn value(&mut self, field: &str, value: Option<&[u8]>) {
        self.length(field, value.map_or(0, <[u8]>::len), 0..=VALUE_BYTES);
    }

    pub(super) fn limit(&mut self, limit: i64) {
        if limit < 0 {
            self.add("limit", "must not be negative");
        }
    }

    pub(super) fn metadata(&mut self, field: &str, metadata: Option<&ItemMetadata>) {
        if metadata.is_some_and(|metadata| metadata.ttl_seconds < 0) {
            self.add(format!("{field}.ttl_seconds"), "must not be negative");
        }
    }

    /// The items of a Put: each key once.
    pub(super) fn items(&mut self, items: &[Item]) {
        if !self.count("items", items.len(), 1) {
            return;
        }
        let mut first_with = HashMap::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            // The names of fields are needed where one is wrong: seldom.
            if item.key.len() > KEY_BYTES {
                self.key(&format!("items[{position}].key"), &item.key);
            }
            if item.value.len() > VALUE_BYTES {
                self.value(&format!("items[{position}].value"), Some(&item.value));
            }
            if item.metadata.is_some_and(|metadata| metadata.ttl_seconds < 0) {
                self.metadata(&format!("items[{position}].metadata"), item.metadata.as_ref());
            }
            if let Some(first) = first_with.insert(item.key.as_slice(), position) {
                let description = format!("the same key as items[{first}]");
                self.add(format!("items[{position}].key"), description);
            }
        }
    }

    /// The ids of a PutBatch: each once.
    pub(super) fn writes<'w>(&mut self, ids: impl ExactSizeIterator<Item = &'w str>) {
        if !self.count("writes", ids.len(), 1) {
            return;
        }
        let mut first_with = HashMap::with_capacity(ids.len());
        for (position, id) in ids.enumerate() {
            if let Some(first) = first_with.insert(id, position) {
                let description = format!("the same id as writes[{first}]");
                self.add(format!("writes[{position}].id"), description);
            }
        }
    }

    /// An optional predicate; all items where it is absent.
    pub(super) fn predicate(&mut self, predicate: Option<KeyPredicate>) -> Selection {
        let Some(predicate) = predicate else { return Selection::All };
        // What is refused is not worth being sorted.
        let before = self.violations.len();
        match &predicate.predicate {
            None => self.add("predicate", "sets nothing: match_all, match_keys or match_range"),
            Some(Predicate::MatchAll(_)) => {}
            Some(Predicate::MatchKeys(keys)) => {
                self.keys("predicate.match_keys.keys", &keys.keys, 1);
            }
            Some(Predicate::MatchRange(range)) => {
                let start = range.start_key.as_deref().unwrap_or_default();
                self.key("predicate.match_range.start_key", start);
                let end = range.end_key.as_ref().map_or(0, Vec::len);
                self.length("predicate.match_range.end_key", end, 0..=KEY_BYTES + 1);
            }
        }
        let valid = predicate.predicate.filter(|_| self.violations.len() == before);
        valid.map_or(Selection::Keys(Vec::new()), Selection::of)
    }

    /// What a Delete deletes: either keys or a predicate.
    pub(super) fn deleted(
        &mut self,
        keys: Vec<Vec<u8>>,
        predicate: Option<KeyPredicate>,
    ) -> Selection {
        match (keys.is_empty(), predicate) {
            (true, None) => self.add("keys", "either keys or predicate must be set"),
            (false, Some(_)) => self.add("predicate", "must not be set together with keys"),
            (true, predicate) => return self.predicate(predicate),
            (false, None) => {
                let before = self.violations.len();
                self.keys("keys", &keys, 1);
                if self.violations.len() == before {
                    return Selection::keys(keys);
                }
            }
        }
        Selection::Keys(Vec::new())
    }

    /// Where a write with this token stands. 0 is the server's own.
    pub(super) fn stamp(&mut self, token: i64) -> Stamp {
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
            self.add(TOKEN, description);
            self.token_at_fault = true;
        }
        let token = if token == 0 { Token::Server } else { Token::Client(token) };
        Stamp { token, now: self.now, remembered }
    }

    fn keys(&mut self, field: &str, keys: &[Vec<u8>], at_least: usize) {
        if self.count(field, keys.len(), at_least) {
            for (position, key) in keys.iter().enumerate() {
                if key.len() > KEY_BYTES {
                    self.key(&format!("{field}[{position}]"), key);
                }
            }
        }
    }

    fn count(&mut self, field: &str, count: usize, at_least: usize) -> bool {
        let fits = (at_least..=COUNT).contains(&count);
        if !fits {
            self.add(field, format!("must have {at_least} to {COUNT} entries, has {count}"));
        }
        fits
    }

    fn length(
        &mut self,
        field: &str,
        length: usize,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> bool {
        if length > *allowed.end() {
            let text = format!("is {length} bytes long, the limit is {}", allowed.end());
            self.violations.push(Violation::too_large(field, text));
        } else if length < *allowed.start() {
            self.add(field, "must not be empty");
        }
        allowed.contains(&length)
    }

    fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.violations.push(Violation::new(field, description));
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
