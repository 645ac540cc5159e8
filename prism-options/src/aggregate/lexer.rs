//! Tokens of an option's text.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// An identifier or a number.
    Word(&'a str),
    /// A quoted string, quotes included.
    String,
    /// Any other character.
    Symbol(char),
}

/// A token and its bytes.
#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub kind: TokenKind<'a>,
    pub range: Range<usize>,
}

/// Splits a text into tokens; comments and white space are left out.
#[derive(Clone)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str) -> Self {
        Lexer { text, position: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.position += rest.len() - trimmed.len();
            let length = if trimmed.starts_with("//") || trimmed.starts_with('#') {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                comment.find("*/").map_or(trimmed.len(), |end| end + 4)
            } else {
                return;
            };
            self.position += length;
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let rest = self.rest();
        let start = self.position;
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '"' | '\'' => (TokenKind::String, string_length(rest, first)),
            '0'..='9' | 'a'..='z' | 'A'..='Z' | '_' => {
                let length = word_length(rest, first.is_ascii_digit());
                (TokenKind::Word(&rest[..length]), length)
            }
            other => (TokenKind::Symbol(other), other.len_utf8()),
        };
        self.position += length;
        Some(Token { kind, range: start..self.position })
    }
}

/// Numbers may hold a point.
fn word_length(text: &str, number: bool) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || (number && c == '.')))
        .unwrap_or(text.len())
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (position, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return position + 1,
            _ => {}
        }
    }
    text.len()
}
