//! Running other programs.

use std::error::Error;
use std::process::Command;

use prism_acceptance::tools;

/// The cargo that runs this program, at the root of the working copy.
pub fn cargo() -> Command {
    let mut command = tools::cargo();
    command.current_dir(tools::root());
    command
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}").into()) }
}
