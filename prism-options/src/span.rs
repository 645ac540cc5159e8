//! Places in `.proto` files.

use std::ops::{Deref, Range};
use std::sync::Arc;

/// A place in a source file. Equal to every other place: a value is the same wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Name of the file as imports spell it; empty where the place is not known.
    pub file: Arc<str>,
    /// Bytes of the file's text. Empty where only the file is known, or where the text is not at
    /// hand (descriptor sets).
    pub range: Range<usize>,
    /// Line of the start, from 1; 0 where only the file is known.
    pub line: u32,
    /// Column of the start, from 1, in characters; in the unit of the compiler where the text is
    /// not at hand. 0 where only the file is known.
    pub column: u32,
}

impl Span {
    /// A file as a whole.
    pub fn file(name: &str) -> Self {
        Span { file: name.into(), ..Span::default() }
    }
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// A value and where it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned { value: change(self.value), span: self.span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
