//! Errors of protox and prost-reflect as findings of ours.

use std::path::PathBuf;

use miette::Diagnostic as _;
use prism_options::{Diagnostic, Label, Sources, Span};
use prost_reflect::DescriptorPool;

use super::imports;
use super::syntax::{self, Place};
use super::unresolved::{self, Refused};
use crate::diagnostics::catalog::load as catalog;
use crate::printable::shown;

/// Every error that the compiler found in one file. `pool` holds what the file imports.
pub(super) fn compiler_error(
    error: &protox::Error,
    sources: &Sources,
    pool: &DescriptorPool,
    includes: &[PathBuf],
) -> Vec<Diagnostic> {
    let file = error.file().unwrap_or_default();
    let message = error.to_string();
    if let Some(cycle) = message.strip_prefix("import cycle detected: ") {
        return vec![catalog::import_cycle(&closing_import(cycle, sources), cycle)];
    }
    if error.is_file_not_found() {
        let first = labels(error, file, sources).into_iter().next();
        let span = first.map_or_else(|| Span::file(file), |label| label.span);
        let import = message.split('\'').nth(1).unwrap_or(&message);
        let help = imports::advice(import, file, includes);
        return vec![catalog::missing_import(&span, &shown(import), &help)];
    }
    let text = sources.get(file).map_or("", |source| source.text.as_str());
    let explain = Explain { file, text, sources, pool, syntax: error.is_parse() };
    let mut found = vec![explain.finding(error)];
    found.extend(error.related().into_iter().flatten().map(|it| explain.finding(it)));
    explain.causes(found)
}

/// An error in a descriptor set.
pub(super) fn pool_error(error: &prost_reflect::DescriptorError) -> Diagnostic {
    let file = error.file().unwrap_or_default();
    let mut span = Span::file(file);
    if let (Some(line), Some(column)) = (error.line(), error.column()) {
        (span.line, span.column) = (line as u32 + 1, column as u32 + 1);
    }
    let message = error.to_string();
    let (message, help) = unresolved::spellings(&message).unwrap_or_else(|| {
        let help = unresolved::advice(&message).to_owned();
        (message, help)
    });
    catalog::unresolved(&span, &message, "here", &help)
}

/// The import that closes a cycle, written as `a -> b -> a`.
fn closing_import(cycle: &str, sources: &Sources) -> Span {
    let mut files = cycle.rsplit(" -> ");
    let (first, last) = (files.next().unwrap_or_default(), files.next().unwrap_or_default());
    let text = sources.get(last).map_or("", |source| source.text.as_str());
    let imports = text.match_indices("import").map(|(start, _)| {
        let end = text[start..].find(';').map_or(text.len(), |length| start + length + 1);
        start..end
    });
    let quoted = [format!("\"{first}\""), format!("'{first}'")];
    let closing = imports
        .into_iter()
        .find(|range| quoted.iter().any(|name| text[range.clone()].contains(name.as_str())));
    closing.map_or_else(|| Span::file(last), |range| sources.span(last, range))
}

/// What is needed to word an error of one file.
struct Explain<'a> {
    file: &'a str,
    text: &'a str,
    sources: &'a Sources,
    pool: &'a DescriptorPool,
    syntax: bool,
}

impl Explain<'_> {
    fn finding(&self, error: &dyn miette::Diagnostic) -> Diagnostic {
        let mut labels = labels(error, self.file, self.sources).into_iter();
        let first = labels.next().unwrap_or_else(|| end_of_file(self.file, self.sources));
        if let Some(inner) = error.diagnostic_source()
            && let Some(label) = self.inside(inner, &first.span)
        {
            let message = inner.to_string();
            let help = self.help(inner, &message, &label.span);
            return catalog::unresolved(&label.span, &message, &label.text, &help);
        }
        let message = unresolved::plain(error.to_string());
        if let Some(import) = self.bad_import(error, &first.span) {
            return catalog::bad_import(&first.span, &shown(import));
        }
        let others: Vec<Label> = labels.collect();
        let spelled =
            unresolved::spellings(&message).or_else(|| self.json_names(&message, &first, &others));
        let (message, help) = spelled.unwrap_or_else(|| {
            let help = self.help(error, &message, &first.span);
            (message, help)
        });
        let make = if self.syntax { catalog::syntax } else { catalog::unresolved };
        let mut diagnostic = make(&first.span, &message, &first.text, &help);
        diagnostic.related.extend(others);
        diagnostic
    }

    /// What is wrong with two fields of one JSON name, and help.
    fn json_names(
        &self,
        message: &str,
        second: &Label,
        others: &[Label],
    ) -> Option<(String, String)> {
        let json = message.strip_prefix("a field with JSON name '")?;
        let json = json.strip_suffix("' is already defined")?;
        let name = |label: &Label| self.text.get(label.span.range.clone());
        Some(unresolved::json_names(name(others.first()?)?, name(second)?, json))
    }

    /// The errors of a file without those that follow from another one.
    fn causes(&self, mut found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if self.syntax && !syntax::says_syntax(self.text) {
            let is_label = |it: &Diagnostic| it.message.starts_with("fields must have a label");
            if let Some(first) = found.iter_mut().find(|it| is_label(it)) {
                first.message = "the file does not say its syntax, which means proto2".to_owned();
                first.label.text = "proto2 demands a label here".to_owned();
                first.help = "begin the file with `syntax = \"proto3\";`".to_owned();
            }
            found.retain(|it| !is_label(it));
        }
        let start = |it: &Diagnostic| it.label.span.range.start;
        let is_lexical = |it: &Diagnostic| {
            ["unterminated string", "invalid token"].contains(&it.message.as_str())
        };
        let parser = |it: &Diagnostic| it.message.starts_with("expected ");
        let mut causes: Vec<Diagnostic> = Vec::new();
        let lexical = found.iter().filter(|it| self.syntax && is_lexical(it)).map(start).min();
        for finding in found {
            let (at, message) = (start(&finding), finding.message.as_str());
            let follows = match self.syntax {
                true if is_lexical(&finding) => lexical.is_some_and(|first| first < at),
                true => {
                    let garbled = lexical.is_some_and(|it| syntax::follows(self.text, it, at));
                    let lost = causes.iter().filter(|it| parser(it)).any(|earlier| {
                        parser(&finding) && syntax::follows(self.text, start(earlier), at)
                    });
                    garbled || lost
                }
                false => causes.iter().any(|earlier| {
                    let import = finding.help.starts_with("add `import");
                    let twice = name_twice(&earlier.message).zip(name_twice(message));
                    (import && earlier.help == finding.help)
                        || (start(earlier) == at
                            && twice.is_none()
                            && name_twice(message).is_some())
                        || twice.is_some_and(|(outer, inner)| {
                            inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
                        })
                }),
            };
            if !follows {
                causes.push(finding);
            }
        }
        causes
    }

    /// What stands in an import that is no path. protox has one text for this and for the name of a
    /// group; only its help tells them apart.
    fn bad_import(&self, error: &dyn miette::Diagnostic, at: &Span) -> Option<&str> {
        let of_import = error.help().is_some_and(|help| help.to_string().starts_with("imports "));
        let text = self.sources.get(self.file)?.text.get(at.range.clone())?;
        (self.syntax && of_import).then(|| text.trim_matches(['"', '\'']))
    }

    /// The place of an error inside an aggregate, whose tokens the compiler had joined.
    fn inside(&self, inner: &dyn miette::Diagnostic, option: &Span) -> Option<Label> {
        let label = inner.labels()?.next()?;
        // All of the text is one line; without lines of context only the label's part is read.
        let line = inner.source_code()?.read_span(label.inner(), 1, 1).ok()?;
        let tokens = std::str::from_utf8(line.data()).ok()?;
        // The label may end with the first line of the statement.
        let statement = self.sources.get(self.file)?.text.get(option.range.start..)?;
        let found = prism_options::place_of_token(statement, tokens, label.offset())?;
        let start = option.range.start;
        let span = self.sources.span(self.file, start + found.start..start + found.end);
        Some(Label { span, text: label.label().unwrap_or_default().to_owned() })
    }

    fn help(&self, error: &dyn miette::Diagnostic, message: &str, at: &Span) -> String {
        if self.syntax {
            return syntax::advice(message, &Place { text: self.text, range: at.range.clone() });
        }
        let start = at.range.start;
        let refused = Refused { message, pool: self.pool, text: self.text, start };
        let own =
            || error.help().map(|help| help.to_string()).filter(|_| message.contains("range"));
        refused.help().or_else(own).unwrap_or_else(|| unresolved::advice(message).to_owned())
    }
}

/// The name in the message that it is defined twice.
fn name_twice(message: &str) -> Option<&str> {
    message.strip_prefix("name '")?.strip_suffix("' is defined twice")
}

fn labels(error: &dyn miette::Diagnostic, file: &str, sources: &Sources) -> Vec<Label> {
    let spans = error.labels().into_iter().flatten();
    let mut labels: Vec<Label> = spans
        .map(|label| Label {
            span: sources.span(file, label.offset()..label.offset() + label.len()),
            text: label.label().unwrap_or_default().to_owned(),
        })
        .collect();
    // Of two definitions the later one is at fault, and a field rather than what it collides with.
    let other = |text: &str| text.contains("first") || text.contains("range");
    if labels.len() == 2 && other(&labels[0].text) {
        labels.reverse();
    }
    labels
}

fn end_of_file(file: &str, sources: &Sources) -> Label {
    let span = sources.get(file).map_or_else(
        || Span::file(file),
        |source| {
            let end = source.text.trim_end().len();
            sources.span(file, end..end)
        },
    );
    Label { span, text: "here".to_owned() }
}
