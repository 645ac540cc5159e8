//! The `prism` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

fn main() -> ExitCode {
    // clap ends the process with 2 where the command line is wrong.
    cli::run(cli::Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit()))
}

/// An error of the command line that shows no URL: it may have a password.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && !argument.starts_with("--")
        && argument.contains(['@', ':', '='])
    {
        let hidden = ContextValue::String("[not shown]".to_owned());
        error.insert(ContextKind::InvalidArg, hidden);
    }
    error
}
