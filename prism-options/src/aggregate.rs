//! Where the values of an option stand in its text: `(prism.field).pii = PII_EMAIL` as well as
//! `(prism.field) = { pii: PII_EMAIL }`.
//!
//! A compiler records the place of an option as a whole. The text has been accepted by one
//! already, so this reader looks for structure only and gives up without a word on what it does
//! not understand: places are then wider, never wrong.

mod lexer;

use std::collections::HashMap;
use std::ops::Range;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use lexer::{Lexer, Token, TokenKind};

/// A value that is set somewhere inside an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Field names from the annotation's message: `indexes[1].fields[0]`.
    pub path: String,
    /// From the name to the end of the value, in bytes of the file.
    pub range: Range<usize>,
    /// An enum value that is the zero, by name.
    pub unspecified: bool,
}

/// What an option's value is: the message it is in, or a field of it.
pub(crate) enum Target {
    /// The whole annotation.
    Message(MessageDescriptor),
    /// One of its fields.
    Field(FieldDescriptor),
}

/// The values set by the option statement at `range` of `text`, whose name leads to `target` by
/// way of the names in `path`.
pub(crate) fn entries(
    text: &str,
    range: Range<usize>,
    path: &str,
    target: &Target,
) -> Option<Vec<Entry>> {
    let statement = text.get(range.clone())?;
    let mut parser =
        Parser { lexer: Lexer::new(statement), base: range.start, found: Vec::new(), end: 0 };
    let name = parser.option_name()?;
    match target {
        Target::Message(message) => {
            parser.open()?;
            parser.fields(path, Some(message));
        }
        Target::Field(field) => {
            let unspecified = parser.value(path, Some(field))?;
            parser.push(path, name, unspecified);
        }
    }
    Some(parser.found)
}

/// The place in an option's statement of what a compiler found at `offset` of the aggregate's
/// tokens, which it had joined by spaces: bytes of the statement.
pub fn place_of_token(statement: &str, tokens: &str, offset: usize) -> Option<Range<usize>> {
    let index = Lexer::new(tokens).position(|token| token.range.end > offset)?;
    let mut lexer = Lexer::new(statement);
    lexer.by_ref().find(|token| token.kind == TokenKind::Symbol('='))?;
    lexer.by_ref().find(|token| matches!(token.kind, TokenKind::Symbol('{' | '<')))?;
    lexer.nth(index).map(|token| token.range)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    base: usize,
    found: Vec<Entry>,
    /// Where the last token ended.
    end: usize,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.lexer.next()?;
        self.end = token.range.end;
        Some(token)
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.lexer.clone().next()
    }

    fn take(&mut self, symbols: &str) -> Option<char> {
        let TokenKind::Symbol(symbol) = self.peek()?.kind else { return None };
        symbols.contains(symbol).then(|| {
            self.next();
            symbol
        })
    }

    /// Reads up to the `=`; where the last part of the name begins.
    fn option_name(&mut self) -> Option<usize> {
        let mut start = None;
        let mut nested = false;
        loop {
            let token = self.next()?;
            match token.kind {
                TokenKind::Symbol('=') => return start,
                TokenKind::Symbol('(') => {
                    nested = true;
                    start = Some(token.range.start);
                }
                TokenKind::Symbol(')') => nested = false,
                TokenKind::Word(_) if !nested => start = Some(token.range.start),
                _ => {}
            }
        }
    }

    fn open(&mut self) -> Option<()> {
        self.take("{<").map(|_| ())
    }

    fn push(&mut self, path: &str, start: usize, unspecified: bool) {
        let range = self.base + start..self.base + self.end;
        self.found.push(Entry { path: path.to_owned(), range, unspecified });
    }

    /// The fields of a message value up to its closing brace.
    fn fields(&mut self, path: &str, message: Option<&MessageDescriptor>) -> Option<()> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            while self.take(",;").is_some() {}
            if self.take("}>").is_some() {
                return Some(());
            }
            let start = self.peek()?.range.start;
            let name = self.field_name()?;
            self.take(":");
            let field = message.and_then(|message| message.get_field_by_name(&name));
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if !field.as_ref().is_some_and(FieldDescriptor::is_list) {
                let unspecified = self.value(&path, field.as_ref())?;
                self.push(&path, start, unspecified);
                continue;
            }
            let count = seen.entry(name).or_default();
            if self.take("[").is_some() {
                self.list(&path, field.as_ref(), count)?;
            } else {
                let path = format!("{path}[{count}]");
                *count += 1;
                let unspecified = self.value(&path, field.as_ref())?;
                self.push(&path, start, unspecified);
            }
        }
    }

    fn list(
        &mut self,
        path: &str,
        field: Option<&FieldDescriptor>,
        count: &mut usize,
    ) -> Option<()> {
        loop {
            while self.take(",").is_some() {}
            if self.take("]").is_some() {
                return Some(());
            }
            let start = self.peek()?.range.start;
            let path = format!("{path}[{count}]");
            *count += 1;
            let unspecified = self.value(&path, field)?;
            self.push(&path, start, unspecified);
        }
    }

    /// A name, or an extension or type URL in brackets.
    fn field_name(&mut self) -> Option<String> {
        let token = self.next()?;
        match token.kind {
            TokenKind::Word(name) => Some(name.to_owned()),
            TokenKind::Symbol('[') => {
                while self.take("]").is_none() {
                    self.next()?;
                }
                Some(String::new())
            }
            _ => None,
        }
    }

    /// A value; whether it is an enum's zero by name.
    fn value(&mut self, path: &str, field: Option<&FieldDescriptor>) -> Option<bool> {
        let kind = field.map(FieldDescriptor::kind);
        if self.open().is_some() {
            self.fields(path, kind.as_ref().and_then(Kind::as_message))?;
            return Some(false);
        }
        if self.take("[").is_some() {
            self.list(path, field, &mut 0)?;
            return Some(false);
        }
        while self.take("-+").is_some() {}
        let token = self.next()?;
        match token.kind {
            TokenKind::Word(word) => {
                let zero = kind
                    .as_ref()
                    .and_then(Kind::as_enum)
                    .and_then(|kind| kind.get_value_by_name(word))
                    .is_some_and(|value| value.number() == 0);
                Some(zero)
            }
            TokenKind::String => {
                while self.peek().is_some_and(|token| token.kind == TokenKind::String) {
                    self.next();
                }
                Some(false)
            }
            TokenKind::Symbol(_) => None,
        }
    }
}
