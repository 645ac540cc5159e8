//! What key-value means, written a second time and another way: each item is the list of the
//! writes that were made to it, and every answer is worked out from the list.

use std::collections::BTreeMap;

use super::harness::{HOUR, SECOND};

/// Ids and keys of what was ever written.
type Name = (String, Vec<u8>);

#[derive(Clone, Debug)]
struct Event {
    token: i64,
    /// None: a delete.
    put: Option<Put>,
}

#[derive(Clone, Debug)]
struct Put {
    value: Vec<u8>,
    ttl_seconds: i64,
    end: Option<i64>,
    created_millis: i64,
    updated_millis: i64,
}

/// A visible item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) ttl_seconds: i64,
    pub(super) created_millis: i64,
    pub(super) updated_millis: i64,
}

/// A namespace.
#[derive(Debug)]
pub(super) struct Model {
    events: BTreeMap<Name, Vec<Event>>,
    pub(super) now: i64,
}

impl Model {
    pub(super) fn at(now: i64) -> Self {
        Model { events: BTreeMap::new(), now }
    }

    pub(super) fn accepts(&self, token: i64) -> bool {
        token == 0 || (token >= self.now - 24 * HOUR && token <= self.now + 60 * SECOND)
    }

    pub(super) fn put(&mut self, (id, key): (&str, &[u8]), token: i64, value: &[u8], ttl: i64) {
        let name = (id.to_owned(), key.to_vec());
        let resolved = self.resolve(&name, token);
        let from = if token == 0 { self.now } else { token };
        let created_millis = self.visible(&name).map_or(self.now / 1000, |put| put.created_millis);
        let put = Put {
            value: value.to_vec(),
            ttl_seconds: ttl,
            end: (ttl > 0).then(|| from + ttl * SECOND),
            created_millis,
            updated_millis: self.now / 1000,
        };
        self.events.entry(name).or_default().push(Event { token: resolved, put: Some(put) });
    }

    /// Tells whether the item was there and is gone.
    pub(super) fn delete_named(&mut self, id: &str, key: &[u8], token: i64) -> bool {
        let name = (id.to_owned(), key.to_vec());
        let was_there = self.visible(&name).is_some();
        let token = self.resolve(&name, token);
        self.events.entry(name.clone()).or_default().push(Event { token, put: None });
        was_there && self.visible(&name).is_none()
    }

    /// How many items were there and are gone.
    pub(super) fn delete_where(
        &mut self,
        id: &str,
        token: i64,
        covers: impl Fn(&[u8]) -> bool,
    ) -> i64 {
        let covered: Vec<Name> = self.events.keys().cloned().collect();
        let mut gone = 0;
        for name in covered {
            if name.0 == id && covers(&name.1) && self.visible(&name).is_some() {
                gone += i64::from(self.delete_named(id, &name.1, token));
            }
        }
        gone
    }

    /// Success, and the value of a visible item where it failed.
    pub(super) fn swap(
        &mut self,
        (id, key): (&str, &[u8]),
        old: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> (bool, Option<Vec<u8>>) {
        let actual = self.visible(&(id.to_owned(), key.to_vec())).map(|put| put.value.clone());
        if actual.as_deref() != old {
            return (false, actual);
        }
        match new {
            Some(new) => self.put((id, key), 0, new, 0),
            None if actual.is_some() => drop(self.delete_named(id, key, 0)),
            None => {}
        }
        (true, None)
    }

    /// The visible items, in the order of id and key.
    pub(super) fn items(&self, id: Option<&str>, covers: impl Fn(&[u8]) -> bool) -> Vec<Seen> {
        self.events
            .keys()
            .filter(|(own, key)| id.is_none_or(|id| id == own) && covers(key))
            .filter_map(|name| {
                self.visible(name).map(|put| Seen {
                    id: name.0.clone(),
                    key: name.1.clone(),
                    value: put.value.clone(),
                    ttl_seconds: put.ttl_seconds,
                    created_millis: put.created_millis,
                    updated_millis: put.updated_millis,
                })
            })
            .collect()
    }

    fn resolve(&self, name: &Name, token: i64) -> i64 {
        if token != 0 {
            return token;
        }
        let events = self.events.get(name).map_or(&[][..], Vec::as_slice);
        events.iter().map(|event| event.token + 1).fold(self.now, i64::max)
    }

    /// Of the writes with the largest token a delete counts, else the first put.
    fn visible(&self, name: &Name) -> Option<&Put> {
        let events = self.events.get(name)?;
        let largest = events.iter().map(|event| event.token).max()?;
        let mut last = events.iter().filter(|event| event.token == largest);
        let first = last.clone().next()?;
        if last.any(|event| event.put.is_none()) {
            return None;
        }
        first.put.as_ref().filter(|put| put.end.is_none_or(|end| self.now < end))
    }
}
