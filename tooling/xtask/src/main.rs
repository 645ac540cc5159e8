//! Developer commands: `cargo xtask --help`.

mod protos;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Developer commands of the Prism repository")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Regenerate the Rust types of Prism's own protos, which prism-options and prism-runtime
    /// commit.
    Protos {
        /// Write nothing; fail where a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match Cli::parse().command {
        Command::Protos { check } => protos::run(check),
    }
}
