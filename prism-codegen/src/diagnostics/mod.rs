//! Findings as text: for a terminal, for a log, for a program. And the table of their texts.

pub mod catalog;
mod fancy;
mod json;
mod plain;

pub use prism_options::{Diagnostic, Diagnostics, Label, Severity};
pub(crate) use prism_schema::names as suggest;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Drawn for a terminal, with colours.
    Fancy,
    /// `file:line:column: error[P0123]: message`, the line of the source, and the help.
    Plain,
    /// One JSON object a line.
    Json,
}

/// The findings as text, one after the other, each ended by a newline.
pub fn render(diagnostics: &Diagnostics, format: Format) -> String {
    let write = match format {
        Format::Fancy => fancy::write,
        Format::Plain => plain::write,
        Format::Json => json::write,
    };
    let mut text = String::new();
    for diagnostic in diagnostics.iter() {
        write(diagnostic, &diagnostics.sources, &mut text);
    }
    text
}

/// `3 errors, 1 warning`; empty where nothing was found.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let count = |severity: Severity| {
        let count = diagnostics.iter().filter(|it| it.severity == severity).count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {}{plural}", severity.name()))
    };
    let parts: Vec<String> =
        [Severity::Error, Severity::Warning].into_iter().filter_map(count).collect();
    parts.join(", ")
}
