//! One object a line, for editors and scripts.

use prism_options::{Diagnostic, Label, Sources};
use serde::Serialize;

#[derive(Serialize)]
struct Finding<'a> {
    severity: &'a str,
    code: &'a str,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    help: &'a str,
    related: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    file: &'a str,
    /// From 1; 0 where only the file is known.
    line: u32,
    /// From 1, in characters; 0 where only the file is known.
    column: u32,
    label: &'a str,
}

pub(super) fn write(diagnostic: &Diagnostic, sources: &Sources, out: &mut String) {
    let finding = Finding {
        severity: diagnostic.severity.name(),
        code: diagnostic.code,
        message: &diagnostic.message,
        place: place(&diagnostic.label, sources),
        help: &diagnostic.help,
        related: diagnostic.related.iter().map(|label| place(label, sources)).collect(),
    };
    // Strings and numbers alone: this cannot fail.
    out.push_str(&serde_json::to_string(&finding).unwrap_or_default());
    out.push('\n');
}

fn place<'a>(label: &'a Label, sources: &'a Sources) -> Place<'a> {
    let file = &label.span.file;
    Place {
        file: sources.get(file).map_or(file.as_ref(), |source| &source.path),
        line: label.span.line,
        column: label.span.column,
        label: &label.text,
    }
}
