//! Drawings for a terminal, by miette.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use prism_options::{Diagnostic, Label, Severity, Sources};

use super::plain;

pub(super) fn write(diagnostic: &Diagnostic, sources: &Sources, out: &mut String) {
    let drawing = Drawing::new(diagnostic, sources);
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_links(false);
    // Writing to a string does not fail.
    let _ = handler.render_report(out, &drawing);
    out.push('\n');
}

/// A finding as miette wants it.
struct Drawing<'a> {
    diagnostic: &'a Diagnostic,
    source: Option<NamedSource<String>>,
    labels: Vec<LabeledSpan>,
    /// Places in other files, which the drawing of this one cannot hold.
    elsewhere: Vec<String>,
}

impl<'a> Drawing<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &Sources) -> Self {
        let file = &diagnostic.label.span.file;
        let drawn = sources.get(file).filter(|_| diagnostic.label.span.line > 0);
        let (here, others): (Vec<&Label>, Vec<&Label>) = std::iter::once(&diagnostic.label)
            .chain(&diagnostic.related)
            .partition(|label| drawn.is_some() && label.span.file == *file);
        Drawing {
            diagnostic,
            source: drawn.map(|source| NamedSource::new(&source.path, source.text.clone())),
            labels: here
                .into_iter()
                .map(|label| {
                    let range = label.span.range.clone();
                    LabeledSpan::new(Some(label.text.clone()), range.start, range.len())
                })
                .collect(),
            elsewhere: others
                .into_iter()
                .map(|label| format!("{}: {}", plain::place(&label.span, sources), label.text))
                .collect(),
        }
    }
}

impl fmt::Debug for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic.fmt(f)
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Drawing<'_> {}

impl miette::Diagnostic for Drawing<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let mut lines = self.elsewhere.clone();
        lines.extend(Some(self.diagnostic.help.clone()).filter(|help| !help.is_empty()));
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}
