//! Developer commands: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command speaks to its user

mod bench;
mod codegen;
mod command;
mod generation;
mod protos;
mod schemas;
mod test;

use std::error::Error;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Developer commands of the Prism repository")]
struct Cli {
    #[command(subcommand)]
    command: Commands,
}

#[derive(Subcommand)]
enum Commands {
    /// Check every `.proto` below a folder of schemas without annotations: none may make the
    /// generator panic, and what cannot be read must be said clearly.
    Schemas {
        /// The folder; imports are looked up in it.
        folder: std::path::PathBuf,
        /// More folders that imports are looked up in.
        #[arg(short = 'I', long = "include")]
        includes: Vec<std::path::PathBuf>,
    },
    /// Install what the tests need beside Rust under target/tools, then run every test.
    Test {
        /// Passed on to `cargo test`, for instance the names of tests.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Regenerate the Rust types of Prism's own protos, which prism-options and prism-runtime
    /// commit.
    Protos {
        /// Write nothing; fail where a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Regenerate generated/ from examples/acme.
    Codegen {
        /// Write nothing; fail where a file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Generate from a large schema; fail where that takes more than two seconds. Wants
    /// `--profile tool`.
    Generation,
    /// Move the base that `buf breaking` compares with to the present contract.
    Baseline,
    /// Build the benchmark with optimizations and run it. Wants a quiet machine.
    Bench {
        /// Passed on to the benchmark; `--help` lists what it takes.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Cli::parse().command {
        Commands::Test { arguments } => test::run(&arguments),
        Commands::Schemas { folder, includes } => schemas::run(&folder, &includes),
        Commands::Protos { check } => protos::run(check),
        Commands::Codegen { check } => codegen::run(check),
        Commands::Generation => generation::run(),
        Commands::Baseline => protos::baseline(),
        Commands::Bench { arguments } => bench::run(&arguments),
    }
}
