//! Errors of protox and prost-reflect as findings of ours.

use miette::Diagnostic as _;
use prism_options::{Diagnostic, Label, Sources, Span};

use crate::diagnostics::catalog::load as catalog;

/// Every error that the compiler found in one file.
pub(super) fn compiler_error(error: &protox::Error, sources: &Sources) -> Vec<Diagnostic> {
    let file = error.file().unwrap_or_default();
    let message = error.to_string();
    let labels = labels(error, file, sources);
    let first = labels.first().map_or_else(|| Span::file(file), |label| label.span.clone());
    if let Some(cycle) = message.strip_prefix("import cycle detected: ") {
        return vec![catalog::import_cycle(&first, cycle)];
    }
    if error.is_file_not_found() {
        let import = message.split('\'').nth(1).unwrap_or(&message);
        return vec![catalog::missing_import(&first, import)];
    }
    let make: Make = if error.is_parse() { syntax } else { unresolved };
    let mut found = vec![finding(error, file, sources, make)];
    for related in error.related().into_iter().flatten() {
        found.push(finding(related, file, sources, make));
    }
    found
}

/// An error in a descriptor set.
pub(super) fn pool_error(error: &prost_reflect::DescriptorError) -> Diagnostic {
    let file = error.file().unwrap_or_default();
    let mut span = Span::file(file);
    if let (Some(line), Some(column)) = (error.line(), error.column()) {
        (span.line, span.column) = (line as u32 + 1, column as u32 + 1);
    }
    unresolved(&span, &error.to_string(), "here", None)
}

type Make = fn(&Span, &str, &str, Option<String>) -> Diagnostic;

fn finding(
    error: &dyn miette::Diagnostic,
    file: &str,
    sources: &Sources,
    make: Make,
) -> Diagnostic {
    let mut labels = labels(error, file, sources).into_iter();
    let first = labels.next().unwrap_or_else(|| end_of_file(file, sources));
    let help = error.help().map(|help| help.to_string());
    let mut diagnostic = make(&first.span, &error.to_string(), &first.text, help);
    diagnostic.related.extend(labels);
    diagnostic
}

fn labels(error: &dyn miette::Diagnostic, file: &str, sources: &Sources) -> Vec<Label> {
    let spans = error.labels().into_iter().flatten();
    let mut labels: Vec<Label> = spans
        .map(|label| Label {
            span: sources.span(file, label.offset()..label.offset() + label.len()),
            text: label.label().unwrap_or_default().to_owned(),
        })
        .collect();
    // Of two definitions the later one is at fault.
    if labels.len() == 2 && labels[0].text.contains("first") {
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

fn syntax(span: &Span, message: &str, label: &str, help: Option<String>) -> Diagnostic {
    let fallback = if message.contains("';'") {
        "end the statement before it with `;`"
    } else if message.contains("end of file") {
        "close every `{`, `[`, comment and string that the file opens"
    } else {
        "write what the message names instead: everything before this place was understood"
    };
    catalog::syntax(span, message, label, &help.unwrap_or_else(|| fallback.to_owned()))
}

fn unresolved(span: &Span, message: &str, label: &str, help: Option<String>) -> Diagnostic {
    let help = help.unwrap_or_else(|| advice(message).to_owned());
    catalog::unresolved(span, message, label, &help)
}

fn advice(message: &str) -> &'static str {
    const ADVICE: &[(&str, &str)] = &[
        (
            "option",
            "look the option's name and type up in the file that defines it; Prism's are in `prism/options.proto`",
        ),
        ("already", "rename one of the two"),
        ("defined", "rename one of the two"),
        ("not found", "correct the name, or import the file that defines it"),
        ("reserved", "take a number that is neither used nor reserved"),
        ("number", "give every field of the message a number of its own between 1 and 536870911"),
        ("syntax", "write `syntax = \"proto3\";`"),
    ];
    let known = ADVICE.iter().find(|(word, _)| message.contains(word));
    known.map_or("correct the definition; protobuf does not allow it", |(_, advice)| advice)
}
