//! What every stage reports with.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Sources, Span};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is generated.
    Error,
    /// Worth a look; an error under `--deny-warnings`.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// A few words; may be empty.
    pub text: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable: `P0123`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// A fact in lower case, without a full stop.
    pub message: String,
    /// Where, and what is wrong there.
    pub label: Label,
    /// Other places that matter: an earlier definition.
    pub related: Vec<Label>,
    /// What to write instead.
    pub help: String,
}

impl Diagnostic {
    /// Adds another place that matters.
    #[must_use]
    pub fn with(mut self, span: &Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span: span.clone(), text: text.into() });
        self
    }
}

/// Code, file, and the byte and line at which the label begins.
type Place = (&'static str, Arc<str>, usize, u32);

fn place(diagnostic: &Diagnostic) -> Place {
    let span = &diagnostic.label.span;
    (diagnostic.code, span.file.clone(), span.range.start, span.line)
}

/// Findings of a stage, and the texts that they point into.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Positions in the list of the findings of one code at one place: a file can have thousands.
    places: HashMap<Place, Vec<usize>>,
    /// Texts of the files that the findings point into.
    pub sources: Sources,
}

impl Diagnostics {
    /// Nothing found yet.
    pub fn new(sources: Sources) -> Self {
        Diagnostics { sources, ..Diagnostics::default() }
    }

    /// One finding that is about no place in a source.
    pub fn from_one(diagnostic: Diagnostic) -> Self {
        let mut found = Diagnostics::default();
        found.push(diagnostic);
        found
    }

    /// Adds a finding. One that is there already is left out.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let here = self.places.entry(place(&diagnostic)).or_default();
        let known = |&index: &usize| {
            let other = &self.list[index];
            *other == diagnostic && other.label.span.range == diagnostic.label.span.range
        };
        if !here.iter().any(known) {
            here.push(self.list.len());
            self.list.push(diagnostic);
        }
    }

    /// Takes over another stage's findings and texts.
    pub fn extend(&mut self, other: Diagnostics) {
        self.sources.merge(&other.sources);
        other.list.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }

    /// Whether nothing can be generated.
    pub fn has_errors(&self) -> bool {
        self.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many findings there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// In the order of [`Diagnostics::sort`], or as found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Orders by file, place and code, so that a report reads as the files do.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| {
            let key = |d: &Diagnostic| {
                let span = &d.label.span;
                (span.file.clone(), span.line, span.column, d.code)
            };
            key(a).cmp(&key(b))
        });
        self.places.clear();
        for (index, diagnostic) in self.list.iter().enumerate() {
            self.places.entry(place(diagnostic)).or_default().push(index);
        }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, found: I) {
        found.into_iter().for_each(|diagnostic| self.push(diagnostic));
    }
}

/// Defines one constructor a diagnostic: code, severity, name, arguments, and the three texts,
/// which are format strings over the arguments. Every constructor takes the place first.
#[macro_export]
macro_rules! catalog {
    ($(
        $code:literal $severity:ident $name:ident($($argument:ident: $type:ty),* $(,)?)
        $message:literal, $label:literal, $help:literal;
    )*) => {
        $(
            #[doc = concat!($code, ": ", $message)]
            pub fn $name(span: &$crate::Span, $($argument: $type),*) -> $crate::Diagnostic {
                $(let _ = &$argument;)*
                $crate::Diagnostic {
                    code: $code,
                    severity: $crate::Severity::$severity,
                    message: format!($message),
                    label: $crate::Label { span: span.clone(), text: format!($label) },
                    related: Vec::new(),
                    help: format!($help),
                }
            }
        )*

        /// Code and message pattern of every diagnostic of this table.
        pub const TABLE: &[(&str, &str)] = &[$(($code, $message)),*];
    };
}
