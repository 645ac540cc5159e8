//! The `prism` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use prism_settings::without_secrets;

fn main() -> ExitCode {
    // clap ends the process with 2 where the command line is wrong.
    cli::run(cli::Cli::try_parse().unwrap_or_else(|error| without_secrets(error).exit()))
}
