//! Finds and reads the text of a file.

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use prism_options::{Diagnostic, Diagnostics, Source, Span, builtin};
use prism_schema::lines::with_lf;
use protox::file::{File, FileResolver, GoogleFileResolver};

use crate::diagnostics::catalog::load as catalog;

/// What was read so far, and what was found wrong with it.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Findings, and the texts.
    pub found: Diagnostics,
    /// Paths that were read.
    pub read: Vec<PathBuf>,
    /// The last error given to the compiler has been recorded in `found`.
    pub recorded: bool,
}

/// Prism's own files first, then the include folders in order, then those of Google.
pub(super) struct Resolver {
    pub includes: Vec<PathBuf>,
    pub progress: Rc<RefCell<Progress>>,
    pub google: GoogleFileResolver,
}

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if let Some(text) = builtin::text(name) {
            self.warn_of_copies(name, text);
            return self.parse(name, name, text.to_owned());
        }
        for include in &self.includes {
            let path = include.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    self.progress.borrow_mut().read.push(path.clone());
                    // Comments of the file become part of what is generated.
                    let text = with_lf(&text).into_owned();
                    return self.parse(name, &path.display().to_string(), text);
                }
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    let span = Span::file(name);
                    return Err(self.fail(catalog::unreadable(&span, path.display(), error)));
                }
            }
        }
        if let Some(text) = builtin::google_api(name) {
            return self.parse(name, name, text.to_owned());
        }
        self.google.open_file(name)
    }
}

impl Resolver {
    fn parse(&self, name: &str, path: &str, text: String) -> Result<File, protox::Error> {
        // Editors of Windows begin a file in UTF-8 with a byte order mark, which protoc skips.
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let edition = edition(&text);
        let source = Source::new(path, text.clone());
        self.progress.borrow_mut().found.sources.insert(name, source);
        if let Some((range, edition)) = edition {
            let span = self.progress.borrow().found.sources.span(name, range);
            return Err(self.fail(catalog::editions(&span, edition)));
        }
        File::from_source(name, &text)
    }

    /// Records a finding of our own, which protox only passes on.
    fn fail(&self, diagnostic: Diagnostic) -> protox::Error {
        let error = protox::Error::new(diagnostic.message.clone());
        let mut progress = self.progress.borrow_mut();
        progress.found.push(diagnostic);
        progress.recorded = true;
        error
    }

    fn warn_of_copies(&self, name: &str, text: &str) {
        for include in &self.includes {
            let path = include.join(name);
            if fs::read_to_string(&path).is_ok_and(|copy| with_lf(&copy) != text) {
                let warning = catalog::builtin_shadowed(&Span::file(name), name, path.display());
                self.progress.borrow_mut().found.push(warning);
            }
        }
    }
}

/// A folder in the place of a file is not a file, and neither is a path through one.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// The `edition = "2023"` that a file begins with, comments aside.
fn edition(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = &comment[comment.find('\n')?..];
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = &comment[comment.find("*/")? + 2..];
        } else {
            break;
        }
    }
    let after = rest.strip_prefix("edition")?;
    after.trim_start().strip_prefix('=')?;
    let start = text.len() - rest.len();
    let statement = &rest[..=rest.find(';')?];
    Some((start..start + statement.len(), statement.trim_end_matches(';')))
}

/// The include folder's file that a name stands for.
pub(super) fn find(includes: &[PathBuf], name: &Path) -> Option<PathBuf> {
    includes.iter().map(|include| include.join(name)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::edition;

    #[test]
    fn an_edition_is_found_behind_comments() {
        let text = "// a\n/* b\n */ edition = \"2023\";\n";
        let (range, statement) = edition(text).unwrap_or_default();
        assert_eq!((&text[range], statement), ("edition = \"2023\";", "edition = \"2023\""));
        assert_eq!(edition("syntax = \"proto3\"; // edition = \"2023\";"), None);
        assert_eq!(edition("// only a comment"), None);
    }
}
