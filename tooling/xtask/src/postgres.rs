//! `cargo xtask postgres`: a throw-away server for local work.

use std::error::Error;
use std::process::{Command, ExitCode, ExitStatus};

use prism_postgres::Cluster;

use crate::events::{Event, Events};
use crate::packages;

/// Name of the database.
pub const DATABASE: &str = "prism";

/// Runs a server until it is told to stop, or until a command has ended, which finds the server's
/// URL in `DATABASE_URL` and whose exit code it answers.
pub fn run(command: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    // First of all, so that a signal leaves nothing behind.
    let events = Events::listen()?;
    let cluster = Cluster::start(packages::postgres()?)?;
    let url = cluster.create_database(DATABASE)?.url();
    let Some((program, arguments)) = command.split_first() else {
        println!("{url}");
        println!("Ctrl-C stops the server and removes its data");
        events.receiver().recv()?;
        return Ok(ExitCode::SUCCESS);
    };
    let child = Command::new(program)
        .args(arguments)
        .env("DATABASE_URL", url)
        .spawn()
        .map_err(|error| format!("{program}: {error}"))?;
    let id = child.id().to_string();
    events.watch(child);
    loop {
        match events.receiver().recv()? {
            Event::Ended(status) => return Ok(exit_code(status?)),
            // It is the command's to decide; at a terminal it has been told already.
            Event::Stop => Command::new("kill").args(["-s", "TERM", &id]).status()?,
        };
    }
}

/// What a shell answers for the end of a program: after a signal, what it counts from 128.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
