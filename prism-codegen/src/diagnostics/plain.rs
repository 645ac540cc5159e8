//! Text without colours, which editors and build servers know how to read.

use std::fmt::Write as _;

use prism_options::{Diagnostic, Label, Sources, Span};

pub(super) fn write(diagnostic: &Diagnostic, sources: &Sources, out: &mut String) {
    let place = place(&diagnostic.label.span, sources);
    let severity = diagnostic.severity.name();
    let Diagnostic { code, message, help, .. } = diagnostic;
    let head = if place.is_empty() { String::new() } else { format!("{place}: ") };
    let _ = writeln!(out, "{head}{severity}[{code}]: {message}");
    let width = quote(&diagnostic.label, sources, out);
    for label in &diagnostic.related {
        let place = self::place(&label.span, sources);
        let _ = writeln!(out, "{:width$} = note: {place}: {}", "", label.text);
    }
    if !help.is_empty() {
        let _ = writeln!(out, "{:width$} = help: {help}", "");
    }
}

/// `path:line:column`, as far as it is known.
pub(super) fn place(span: &Span, sources: &Sources) -> String {
    let path = sources.get(&span.file).map_or(span.file.as_ref(), |source| &source.path);
    if span.line == 0 {
        return path.to_owned();
    }
    format!("{path}:{}:{}", span.line, span.column)
}

/// The line of the source with the label below the place; the width of the line number.
fn quote(label: &Label, sources: &Sources, out: &mut String) -> usize {
    let source = sources.get(&label.span.file).filter(|_| label.span.line > 0);
    let Some(source) = source else {
        return 1;
    };
    let number = label.span.line.to_string();
    let width = number.len() + 1;
    let line = source.line(label.span.line);
    let before: String = line
        .chars()
        .take(label.span.column as usize - 1)
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    let marked = source.text.get(label.span.range.clone()).unwrap_or_default();
    let marked = marked.lines().next().unwrap_or_default().chars().count().max(1);
    let _ = writeln!(out, "{:width$} |", "");
    let _ = writeln!(out, " {number} | {line}");
    let mark = format!("{:width$} | {before}{} {}", "", "^".repeat(marked), label.text);
    let _ = writeln!(out, "{}", mark.trim_end());
    width
}
