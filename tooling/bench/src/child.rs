//! Arms as processes.

use std::env;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use crate::arms::Arm;
use crate::postgres::Server;

/// How arms are started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Rows of every store.
    pub rows: u32,
    /// Bytes of a message or value.
    pub payload: usize,
    /// CPUs that `taskset` pins arms to.
    pub pin: Option<String>,
    /// A library that every flush goes through, and the microseconds that it then takes.
    pub shim: Option<(std::path::PathBuf, u64)>,
    /// Where the arms on Postgres have their databases.
    pub postgres: Option<Rc<Server>>,
}

/// An arm's process; it ends when this is dropped, also where this process is killed.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Closing it is what ends the child.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    greeting: String,
}

impl Running {
    /// Starts an arm that keeps its files in `directory`, or has the database at `url`.
    pub fn start(
        arm: Arm,
        (directory, url): (&Path, &str),
        settings: &Settings,
    ) -> io::Result<Running> {
        let binary = env::current_exe()?;
        let mut command = match &settings.pin {
            Some(cpus) => {
                let mut command = Command::new("taskset");
                command.arg("--cpu-list").arg(cpus).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command
            .args(["--arm", &arm.name()])
            .args(["--rows", &settings.rows.to_string()])
            .args(["--payload", &settings.payload.to_string()])
            .arg("--directory")
            .arg(directory)
            .args(["--url", url]);
        if let Some((library, delay)) = &settings.shim {
            command.env("LD_PRELOAD", library).env("PRISM_BENCH_FSYNC_US", delay.to_string());
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut running =
            Running { child, input, output: BufReader::new(output), greeting: String::new() };
        running.greeting = running.line()?;
        Ok(running)
    }

    /// The process's id. `taskset` replaces itself by the arm, which keeps the id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where a server listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.greeting.parse().map_err(io::Error::other)
    }

    /// Runs a loop for a while; rounds a second.
    pub fn rounds(&mut self, length: Duration) -> io::Result<f64> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{}", length.as_millis())?;
        input.flush()?;
        let rounds: u64 = self.line()?.parse().map_err(io::Error::other)?;
        Ok(rounds as f64 / length.as_secs_f64())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let status = self.child.wait()?;
            return Err(io::Error::other(format!("the arm ended: {status}")));
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nothing is left to be done where it cannot be stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
