//! JSON as a tree, as deep as it may be stored: serde_json's own parser gives up at 128 levels.

use serde_json::{Map, Value as Json};

/// Levels at most. A message of 100 levels has 200 where each of them is a list of messages.
const MAX_DEPTH: usize = 256;

/// Whether two texts are the same JSON: a database may have written one of them in another way.
pub fn same_text(one: &str, other: &str) -> bool {
    let parsed = || Some((parse(one)?, parse(other)?));
    one == other || parsed().is_some_and(|(one, other)| same(&one, &other))
}

fn same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        // 1e16, which Postgres writes with all its digits.
        (Json::Number(one), Json::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Json::Object(one), Json::Object(other)) => {
            let known = |(name, value)| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(known)
        }
        (one, other) => one == other,
    }
}

/// The tree of a text. `None` if that is no JSON, or too deep.
pub(super) fn parse(text: &str) -> Option<Json> {
    let mut parser = Parser { rest: text };
    let value = parser.value(0)?;
    parser.skip_space();
    parser.rest.is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_space();
        match self.rest.as_bytes().first()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string().map(Json::String),
            _ => self.literal(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.expect('{')?;
        let mut members = Map::new();
        if self.expect('}').is_some() {
            return Some(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.expect(':')?;
            members.insert(name, self.value(depth + 1)?);
            if self.expect(',').is_none() {
                return self.expect('}').map(|()| Json::Object(members));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Json> {
        self.expect('[')?;
        let mut items = Vec::new();
        if self.expect(']').is_some() {
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.expect(',').is_none() {
                return self.expect(']').map(|()| Json::Array(items));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        let bytes = self.rest.as_bytes();
        if bytes.first() != Some(&b'"') {
            return None;
        }
        let mut end = 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let text = self.rest.get(..=end)?;
        self.rest = &self.rest[end + 1..];
        serde_json::from_str(text).ok()
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) -> Option<Json> {
        let end = self.rest.find([',', ']', '}', ' ', '\t', '\n', '\r']);
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        serde_json::from_str(text).ok()
    }

    fn expect(&mut self, character: char) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(character)?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }
}
