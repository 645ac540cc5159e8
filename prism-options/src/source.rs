//! Texts of the `.proto` files, for places and for what a diagnostic quotes.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::Span;

/// Source texts by file name as imports spell it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Arc<BTreeMap<Arc<str>, Arc<Source>>>,
}

/// The text of one file.
#[derive(Clone, Default)]
pub struct Source {
    /// How to name the file to the user: its path where it was read from disk, else the name that
    /// imports use.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Byte offsets at which lines begin.
    lines: Vec<usize>,
}

/// Without the text, which may be long.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Source {
    /// A text, and the path that diagnostics show for it.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(position, _)| position + 1))
            .collect();
        Source { path: path.into(), text, lines }
    }

    /// Byte offset of a line and a column, both counted from 0, the column in bytes as protox
    /// counts. Never beyond the text, and never inside a character.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines.get(line).copied().unwrap_or(self.text.len());
        let mut offset = (start + column).min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// Line and column of a byte offset, both counted from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self.lines[line - 1];
        let column = self.text.get(start..offset).map_or(0, |text| text.chars().count()) + 1;
        (line as u32, column as u32)
    }

    /// The text of a line counted from 1, without its end.
    pub fn line(&self, line: u32) -> &str {
        let index = (line as usize).saturating_sub(1);
        let start = self.lines.get(index).copied().unwrap_or(self.text.len());
        let end = self.lines.get(index + 1).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or_default().trim_end_matches(['\n', '\r'])
    }
}

impl Sources {
    /// Adds the text of a file, or replaces it.
    pub fn insert(&mut self, name: &str, source: Source) {
        Arc::make_mut(&mut self.files).insert(name.into(), Arc::new(source));
    }

    /// Takes over the texts that only the other one has.
    pub fn merge(&mut self, other: &Sources) {
        if Arc::ptr_eq(&self.files, &other.files) || other.files.is_empty() {
            return;
        }
        if self.files.is_empty() {
            *self = other.clone();
            return;
        }
        let files = Arc::make_mut(&mut self.files);
        for (name, source) in other.files.iter() {
            files.entry(name.clone()).or_insert_with(|| source.clone());
        }
    }

    /// The text of a file.
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.files.get(name).map(Arc::as_ref)
    }

    /// Names and texts of all files, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().map(|(name, source)| (name.as_ref(), source.as_ref()))
    }

    /// The place of a range of bytes in a file.
    pub fn span(&self, file: &str, range: Range<usize>) -> Span {
        let (line, column) = self.get(file).map_or((0, 0), |source| source.position(range.start));
        Span { file: file.into(), range, line, column }
    }

    /// The place of a `SourceCodeInfo` span: start line, start column, end line where it differs,
    /// and end column, all from 0.
    pub fn located(&self, file: &str, span: &[i32]) -> Span {
        let [line, column, rest @ ..] = span else { return Span::file(file) };
        let (end_line, end_column) = match rest {
            [end_column] => (line, end_column),
            [end_line, end_column] => (end_line, end_column),
            _ => return Span::file(file),
        };
        let unsigned = |value: &i32| usize::try_from(*value).unwrap_or_default();
        match self.get(file) {
            Some(source) => {
                let start = source.offset(unsigned(line), unsigned(column));
                let end = source.offset(unsigned(end_line), unsigned(end_column)).max(start);
                self.span(file, start..end)
            }
            None => Span {
                file: file.into(),
                range: 0..0,
                line: unsigned(line) as u32 + 1,
                column: unsigned(column) as u32 + 1,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_offsets_bytes() {
        let mut sources = Sources::default();
        sources.insert("a.proto", Source::new("a.proto", "one\n  zwölf x\n"));
        let span = sources.located("a.proto", &[1, 9, 10]);
        assert_eq!((span.range.clone(), span.line, span.column), (13..14, 2, 9));
        assert_eq!(&sources.get("a.proto").map(|s| s.line(2)), &Some("  zwölf x"));
    }

    #[test]
    fn a_place_outside_of_the_text_is_its_end() {
        let source = Source::new("a.proto", "é");
        assert_eq!(source.offset(7, 7), 2);
        assert_eq!(source.offset(0, 1), 0);
        assert_eq!(source.line(9), "");
    }
}
