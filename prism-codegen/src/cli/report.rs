//! What the command prints: answers on standard output, everything else on standard error.
//!
//! A reader that ends early, such as `head`, does not stop the command with an error.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use prism_codegen::diagnostics::{self, Diagnostics, Format};
use prism_migrate::check::Status;
use prism_migrate::verify::Difference;
use serde_json::json;

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
        let _ = write!(io::stdout(), "{text}");
    }

    /// What was done.
    pub(super) fn note(&self, text: &str) {
        if self.format != Format::Json {
            say(text);
        }
    }

    /// Findings that stopped nothing.
    pub(super) fn warnings(&self, found: &Diagnostics) {
        let _ = write!(io::stderr(), "{}", diagnostics::render(found, self.format));
    }

    /// Findings that stopped the run.
    pub(super) fn failed(&self, found: &Diagnostics) {
        let _ = write!(io::stderr(), "{}", diagnostics::render(found, self.format));
        self.note(&diagnostics::summary(found));
    }

    /// What stopped the run, where it is no finding in a schema.
    pub(super) fn stopped(&self, error: &str) -> ExitCode {
        match self.format {
            Format::Json => say(json!({"severity": "error", "message": error})),
            _ => say(format_args!("error: {error}")),
        }
        ExitCode::FAILURE
    }

    /// A line for a migration of a database.
    pub(super) fn migration(&self, whose: &str, status: &Status<'_>) -> String {
        let (version, state) = (status.version, status.state.name());
        let description = &status.description;
        match self.format {
            Format::Json => {
                let line = json!({
                    "of": whose, "version": version, "description": description, "state": state,
                });
                format!("{line}\n")
            }
            _ => format!("{whose:<6}  {version:04}  {state:<11}  {description}\n"),
        }
    }

    /// A line for something that differs in a database.
    pub(super) fn difference(&self, difference: &Difference) -> String {
        let severity = difference.severity().name();
        match self.format {
            Format::Json => {
                let (table, message) = (&difference.table, difference.to_string());
                let line = json!({"severity": severity, "table": table, "message": message});
                format!("{line}\n")
            }
            _ => format!("{severity}: {difference}\n"),
        }
    }

    /// Shows what takes its time, as it happens.
    pub(super) fn show_progress(&self) {
        let events = tracing_subscriber::fmt()
            .with_writer(io::stderr)
            .with_target(false)
            .log_internal_errors(false);
        // It is the only one of the process.
        let _ = match self.format {
            Format::Json => events.json().try_init(),
            _ => events.without_time().with_level(false).with_ansi(false).try_init(),
        };
    }

    /// A call that cannot be understood.
    pub(super) fn usage(&self, error: &str) -> ExitCode {
        say(format_args!("prism: {error}"));
        ExitCode::from(USAGE)
    }
}

/// A line on standard error.
fn say(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
