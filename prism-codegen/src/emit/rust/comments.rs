//! Comments of a `.proto` file, made safe for rustdoc.

use std::collections::HashMap;

use prost_types::SourceCodeInfo;

use crate::printable::is_hidden;

/// Comments by the place that they belong to, as `SourceCodeInfo` numbers places.
#[derive(Default)]
pub(super) struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    pub(super) fn new(info: Option<&SourceCodeInfo>) -> Self {
        let locations = info.map(|info| info.location.as_slice()).unwrap_or_default();
        let comment = |location: &prost_types::source_code_info::Location| {
            let leading = location.leading_comments.as_ref();
            let text = leading.or(location.trailing_comments.as_ref())?;
            Some((location.path.clone(), text.clone()))
        };
        Comments(locations.iter().filter_map(comment).collect())
    }

    /// The comment of a place; empty where it has none.
    pub(super) fn at(&self, path: &[i32]) -> String {
        self.0.get(path).cloned().unwrap_or_default()
    }
}

/// The lines of a doc comment: each with its leading space, and nothing in it that rustdoc would
/// take for a link, a tag or code to be compiled.
pub(super) fn doc_lines(comment: &str) -> Vec<String> {
    let comment = visible(comment);
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in comment.trim_end().lines() {
        let line = line.trim_end();
        let text = line.trim_start();
        if text.starts_with("```") {
            // A fence without a language, or with an unknown one, would be compiled as Rust.
            lines.push(if fenced { " ```".to_owned() } else { " ```text".to_owned() });
            fenced = !fenced;
        } else if fenced {
            lines.push(spaced(line.strip_prefix(' ').unwrap_or(line)));
        } else {
            // Four spaces would make a code block; one of them is protobuf's own.
            let indent = (line.len() - text.len()).saturating_sub(1).min(3);
            lines.push(spaced(&format!("{}{}", " ".repeat(indent), escape(text))));
        }
    }
    if fenced {
        lines.push(" ```".to_owned());
    }
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    lines.split_off(first)
}

/// The comment without characters that end it, or show something else than there is; a line ends
/// with any of those that protobuf takes for one.
fn visible(comment: &str) -> String {
    let ended = comment.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    ended
        .chars()
        .map(|character| if character == '\t' { ' ' } else { character })
        .filter(|character| *character == '\n' || !is_hidden(*character))
        .collect()
}

fn spaced(line: &str) -> String {
    if line.trim().is_empty() { String::new() } else { format!(" {line}") }
}

/// Escapes a line outside of its code spans, and marks URLs as links.
fn escape(line: &str) -> String {
    let balanced = line.matches('`').count().is_multiple_of(2);
    let mut escaped = String::with_capacity(line.len() + 8);
    let mut code = false;
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        if !code && (rest.starts_with("http://") || rest.starts_with("https://")) {
            let end = rest.find(|c: char| c.is_whitespace() || "<>()[]`\"'|".contains(c));
            let url = rest[..end.unwrap_or(rest.len())].trim_end_matches(['.', ',', ';', ':']);
            escaped.push_str(&format!("<{url}>"));
            rest = &rest[url.len()..];
            continue;
        }
        match character {
            '`' if balanced => {
                code = !code;
                escaped.push('`');
            }
            '`' | '[' | ']' | '<' | '>' if !code => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
        rest = &rest[character.len_utf8()..];
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::doc_lines;

    #[test]
    fn nothing_is_left_that_rustdoc_would_act_on() {
        let comment = "\n See [RFC 1](x) at https://a.example/b?c=<d>, or `Vec<[u8]>`.\n\
                       \x20     indented code\n a ` lone tick [x]\n ```\n let x = <y>;\n";
        assert_eq!(
            doc_lines(comment),
            [
                r" See \[RFC 1\](x) at <https://a.example/b?c=>\<d\>, or `Vec<[u8]>`.",
                "    indented code",
                r" a \` lone tick \[x\]",
                " ```text",
                " let x = <y>;",
                " ```",
            ]
        );
        assert!(doc_lines("  \n\n").is_empty());
    }

    #[test]
    fn nothing_is_left_that_cannot_be_seen() {
        let comment = " one\r two\u{202e}\u{7} three\r\n four\u{2028} five\tsix\u{feff}\u{1b}[31m";
        assert_eq!(doc_lines(comment), [" one", " two three", " four", " five six\\[31m"]);
    }
}
