//! Developer commands: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command speaks to its user

mod bench;
mod codegen;
mod command;
mod conformance;
mod events;
mod generation;
mod packages;
mod postgres;
mod protos;
mod schemas;
mod stack;
mod test;

use std::error::Error;
use std::process::ExitCode;

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
    /// Run a conformance suite of others against Prism's server.
    Conformance {
        #[command(subcommand)]
        suite: Suite,
    },
    /// Run a throw-away Postgres server and print its URL. Ctrl-C stops it and removes its data.
    /// Installs the server's programs where there are none: with apt-get as root, or Homebrew.
    Postgres {
        /// Run this command with the URL in DATABASE_URL, and stop with it.
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Proxy and Postgres together.
    Stack {
        #[command(subcommand)]
        command: StackCommand,
    },
}

#[derive(Subcommand)]
enum Suite {
    /// connectrpc's suite for gRPC. Installs its runner under target/tools; needs Go.
    Grpc,
}

#[derive(Subcommand)]
enum StackCommand {
    /// Build the proxy, run it on a throw-away Postgres, wait until it is healthy and print the
    /// addresses. Ctrl-C stops both and removes the data.
    Up {
        /// Address and port of the proxy.
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8980")]
        listen: String,
        /// Passed on to the proxy.
        #[arg(last = true, value_name = "FLAGS")]
        arguments: Vec<String>,
    },
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let done = match Cli::parse().command {
        Commands::Test { arguments } => test::run(&arguments),
        Commands::Schemas { folder, includes } => schemas::run(&folder, &includes),
        Commands::Protos { check } => protos::run(check),
        Commands::Codegen { check } => codegen::run(check),
        Commands::Generation => generation::run(),
        Commands::Baseline => protos::baseline(),
        Commands::Bench { arguments } => bench::run(&arguments),
        Commands::Conformance { suite: Suite::Grpc } => conformance::grpc(),
        Commands::Postgres { command } => return postgres::run(&command),
        Commands::Stack { command: StackCommand::Up { listen, arguments } } => {
            return stack::up(&listen, &arguments);
        }
    };
    done.map(|()| ExitCode::SUCCESS)
}
