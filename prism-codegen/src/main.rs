//! The `prism` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

fn main() -> ExitCode {
    // clap ends the process with 2 where the command line is wrong.
    cli::run(cli::Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit()))
}

/// An error of the command line that shows no URL: it may have a password, also where it was typed
/// without the `=` before it or behind another flag.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let urls: Vec<ContextKind> = error
        .context()
        .filter(|(_, value)| {
            matches!(value, ContextValue::String(text) if text.contains("://") || text.contains('@'))
        })
        .map(|(kind, _)| kind)
        .collect();
    for kind in urls {
        error.insert(kind, ContextValue::String("[not shown]".to_owned()));
    }
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && !argument.starts_with("--")
        && argument.contains(['@', ':', '='])
    {
        let hidden = ContextValue::String("[not shown]".to_owned());
        error.insert(ContextKind::InvalidArg, hidden);
    }
    error
}
