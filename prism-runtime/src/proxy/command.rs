//! The stand-alone proxy: flags, settings, logs, signals, exit codes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use prism_settings::{shown, without_secrets};

use super::probe;
use super::signals::Signals;
use super::{Proxy, Schema};
use crate::config::{Config, ConfigError, Sources};
use crate::server::StartError;
use crate::telemetry;

/// The data proxy: serves the schema that it was built from over gRPC.
///
/// Settings come from prism.yaml, then from environment variables (PRISM_SERVER__LISTEN sets
/// server.listen), then from flags.
#[derive(Debug, Parser)]
struct Flags {
    /// File with the settings, in place of ./prism.yaml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The SQLite file, the URL of a Postgres database, or memory
    #[arg(long, value_name = "PATH|URL")]
    database: Option<String>,
    /// Apply outstanding migrations at start, also to Postgres
    #[arg(long)]
    migrate: bool,
    /// Apply outstanding migrations and end, without serving
    #[arg(long)]
    migrate_only: bool,
    /// Event loops; 0: one for each core
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    threads: Option<String>,
    /// What is logged, in the syntax of RUST_LOG
    #[arg(long, value_name = "FILTER")]
    log_level: Option<String>,
    /// auto, json or text
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Any setting: --set server.drain_seconds=5
    #[arg(long = "set", value_name = "SETTING=VALUE")]
    settings: Vec<String>,
    /// Print the version and end
    #[arg(short = 'V', long)]
    version: bool,
    /// Ask a running proxy whether it serves, at server.listen where no address is given: exit code 0
    /// where it does, else 1
    #[arg(long, value_name = "ADDRESS:PORT")]
    health_check: Option<Option<String>>,
}

/// A signal that is sent again within this time is the same one: GNU `timeout` signals the process
/// and then its group, and a terminal and a supervisor may both stop what they have started.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// Runs a stand-alone proxy until SIGTERM or SIGINT: the `main` of a generated server.
///
/// A second signal that comes a second or more after the first one ends the process at once, with 1.
/// What keeps the server from starting is
/// printed as one line, and the exit code is 1; wrong flags are 2.
pub fn main(schema: Schema) -> ExitCode {
    let mut flags = Flags::try_parse().unwrap_or_else(|error| without_secrets(error).exit());
    if flags.version {
        return print_version();
    }
    let done = match flags.health_check.take() {
        Some(Some(address)) => probe::check("--health-check", &address),
        Some(None) => load(flags)
            .map_err(StartError::from)
            .and_then(|config| probe::check("server.listen", &config.server.listen)),
        None => run(schema, flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The last word of the process: there is nobody left to tell where this fails.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The name of the program, which the generated crate chose, and the version of Prism.
fn print_version() -> ExitCode {
    let program = std::env::args_os().next().map(PathBuf::from);
    let name = program.as_deref().and_then(Path::file_stem).unwrap_or("prism-proxy".as_ref());
    match writeln!(std::io::stdout(), "{} {}", name.display(), crate::VERSION) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(schema: Schema, flags: Flags) -> Result<(), StartError> {
    let migrate_only = flags.migrate_only;
    let config = load(flags)?;
    telemetry::init(&config.log)?;
    log_panics();
    if migrate_only {
        return Proxy::builder(schema).config(config).migrate();
    }
    let show_table = !telemetry::is_json(config.log.format);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StartError::new(format!("cannot start: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| StartError::new(format!("cannot listen for signals: {error}")))?;
        let proxy = Proxy::builder(schema).config(config).start()?;
        announce(&proxy, show_table);
        let signal = signals.next().await;
        tracing::info!(signal, "stopping");
        tokio::select! {
            () = proxy.shutdown() => tracing::info!("stopped"),
            signal = signals.next_after(SAME_SIGNAL) => {
                tracing::warn!(signal, "stopped at once by a second signal");
                std::process::exit(1);
            }
        }
        Ok(())
    })
}

/// Logs where a panic happened. Its message stays out: it may hold what a request held.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// Says what is served: as a table for people, in log lines for programs.
fn announce(proxy: &Proxy, show_table: bool) {
    if show_table {
        // Nothing depends on the table being seen.
        let _ = write!(std::io::stderr(), "{}", proxy.table());
    } else {
        proxy.table().log();
    }
    tracing::info!(version = crate::VERSION, address = %proxy.local_addr(), "serving");
}

fn load(flags: Flags) -> Result<Config, ConfigError> {
    let mut sources = Sources::from_environment();
    sources.file = flags.config;
    let migrate = (flags.migrate || flags.migrate_only).then(|| "true".to_owned());
    let named = [
        ("--migrate", "migrate", migrate),
        ("--listen", "server.listen", flags.listen),
        ("--database", "database", flags.database),
        ("--threads", "server.threads", flags.threads),
        ("--log-level", "log.level", flags.log_level),
        ("--log-format", "log.format", flags.log_format),
    ];
    for (flag, setting, value) in named {
        if let Some(value) = value {
            sources.flags.push((flag.to_owned(), setting.to_owned(), value));
        }
    }
    for setting in flags.settings {
        let Some((name, value)) = setting.split_once('=').filter(|(name, _)| !name.is_empty())
        else {
            let expected = "--set: expected SETTING=VALUE, such as server.drain_seconds=5";
            return Err(ConfigError::new(expected));
        };
        let flag = format!("--set{}", shown(name).replace('`', ""));
        sources.flags.push((flag, name.to_owned(), value.to_owned()));
    }
    sources.load()
}
