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

/// Hands the parts of a text's normal form to `put`, which are the same bytes for two texts if
/// [`same_text`] holds for them, and otherwise are not. `None` if the text is not JSON, or is nested too deeply.
pub fn normal_form(text: &str, put: &mut impl FnMut(&[u8])) -> Option<()> {
    put_normal(&parse(text)?, put);
    Some(())
}

fn put_normal(json: &Json, put: &mut impl FnMut(&[u8])) {
    let sized = |kind: u8, length: usize, put: &mut dyn FnMut(&[u8])| {
        put(&[kind]);
        put(&(length as u64).to_be_bytes());
    };
    match json {
        Json::Null => put(b"n"),
        Json::Bool(flag) => put(if *flag { b"t" } else { b"f" }),
        Json::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::NAN);
            put(b"d");
            // -0.0 equals 0.0.
            put(&(number + 0.0).to_bits().to_be_bytes());
        }
        Json::String(text) => {
            sized(b's', text.len(), put);
            put(text.as_bytes());
        }
        Json::Array(items) => {
            sized(b'a', items.len(), put);
            items.iter().for_each(|item| put_normal(item, put));
        }
        Json::Object(members) => {
            sized(b'o', members.len(), put);
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in members {
                sized(b's', name.len(), put);
                put(name.as_bytes());
                put_normal(value, put);
            }
        }
    }
}

/// The tree of a text. `None` if it is not JSON, or is nested too deeply.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        normal_form(text, &mut |part| bytes.extend_from_slice(part)).map(|()| bytes)
    }

    #[test]
    fn texts_have_one_normal_form_if_they_are_the_same() {
        let texts = [
            r#"{"a":1,"b":[true,null,"x"]}"#,
            r#"{ "b" : [true, null, "\u0078"], "a" : 1.0 }"#,
            r#"{"a":1,"b":[true,null,"y"]}"#,
            r#"{"a":1,"b":[true,null],"c":"x"}"#,
            "1e16",
            "10000000000000000",
            "-0.0",
            "0",
            "[[],[]]",
            "[[[]]]",
            r#"["ab","c"]"#,
            r#"["a","bc"]"#,
        ];
        for one in texts {
            for other in texts {
                assert_eq!(normal(one) == normal(other), same_text(one, other), "{one} {other}");
            }
        }
        assert_eq!(normal("{"), None);
    }
}
