//! Log lines on standard error: JSON, or readable on a terminal.

use std::io::IsTerminal;

use super::filter;
use crate::config::{ConfigError, Log, LogFormat};

/// Starts logging for the process. A second call changes nothing: the program that embeds a
/// proxy may have a subscriber of its own.
///
/// # Errors
///
/// Where `log.level`, or `RUST_LOG`, is not a filter.
pub fn init(log: &Log) -> Result<(), ConfigError> {
    let filter = filter::chosen(&log.level)?;
    // It logs lines of the password file.
    let filter = match "sqlx_postgres::options::pgpass=off".parse() {
        Ok(silent) => filter.add_directive(silent),
        Err(_) => filter,
    };
    let terminal = std::io::stderr().is_terminal();
    // A line that cannot be written is lost: the server goes on after its log's reader has gone.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    // Fails where there already is a subscriber.
    let _ = if is_json(log.format) {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(terminal).try_init()
    };
    Ok(())
}

/// Whether lines are JSON objects.
pub(crate) fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Json => true,
        LogFormat::Text => false,
    }
}
