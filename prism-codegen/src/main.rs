//! The `prism` command.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // clap ends the process with 2 where the command line is wrong.
    cli::run(cli::Cli::parse())
}
