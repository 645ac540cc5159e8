//! What the command prints: answers on standard output, everything else on standard error.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use prism_codegen::diagnostics::{self, Diagnostics, Format};

use super::{ColorArg, FormatArg};

/// Exit code of a call that was wrong.
const USAGE: u8 = 2;

/// Writes findings in the format that was asked for.
pub(super) struct Reporter {
    format: Format,
}

impl Reporter {
    pub(super) fn new(format: FormatArg, color: ColorArg) -> Self {
        let colors = match color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => {
                io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
            }
        };
        let format = match format {
            FormatArg::Json => Format::Json,
            FormatArg::Plain => Format::Plain,
            FormatArg::Auto if colors => Format::Fancy,
            FormatArg::Auto => Format::Plain,
        };
        Reporter { format }
    }

    /// What was asked for.
    pub(super) fn answer(&self, text: &str) {
        print!("{text}");
    }

    /// What was done.
    pub(super) fn note(&self, text: &str) {
        if self.format != Format::Json {
            eprintln!("{text}");
        }
    }

    /// Findings that stopped nothing.
    pub(super) fn warnings(&self, found: &Diagnostics) {
        eprint!("{}", diagnostics::render(found, self.format));
    }

    /// Findings that stopped the run.
    pub(super) fn failed(&self, found: &Diagnostics) {
        eprint!("{}", diagnostics::render(found, self.format));
        self.note(&diagnostics::summary(found));
    }

    /// A call that cannot be understood.
    pub(super) fn usage(&self, error: &str) -> ExitCode {
        eprintln!("prism: {error}");
        ExitCode::from(USAGE)
    }
}
