//! A `prism-proxy` process: started, watched, told to stop, killed.

use std::fmt;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::backend::Backend;
use crate::tools::{cargo, root};

/// How long the proxy may take to start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take to end.
const END_LIMIT: Duration = Duration::from_secs(40);

/// A running proxy; killed when dropped.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    log: Log,
    ended: Receiver<()>,
    /// Removed at the end.
    _temporary: Option<TempDir>,
}

/// What the proxy has written to standard error so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn push(&self, line: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(line);
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

impl Proxy {
    /// Builds and starts the proxy in a temporary folder, with the default settings.
    ///
    /// # Errors
    ///
    /// Where it cannot be built, does not start, or does not listen within 20 s.
    pub fn start() -> io::Result<Proxy> {
        Backend::Sqlite.start()
    }

    /// Starts a generated proxy that was built already, in a temporary folder.
    ///
    /// # Errors
    ///
    /// Where it does not start, or does not listen within 20 s.
    pub fn start_on(backend: &Backend, binary: &Path) -> io::Result<Proxy> {
        let temporary = tempfile::tempdir()?;
        let mut command = command_of(binary, temporary.path(), &[]);
        backend.configure(&mut command);
        let mut proxy = Proxy::spawn(command, temporary.path())?;
        proxy._temporary = Some(temporary);
        Ok(proxy)
    }

    /// Builds and starts the proxy in a folder, which keeps its database, with these flags.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::start`].
    pub fn start_in(folder: &Path, flags: &[&str]) -> io::Result<Proxy> {
        Proxy::spawn(command(folder, flags)?, folder)
    }

    /// Starts a command that becomes the proxy: one of [`command`], or a wrapper around it.
    ///
    /// # Errors
    ///
    /// Those of [`Proxy::start`].
    pub fn spawn(mut command: Command, folder: &Path) -> io::Result<Proxy> {
        let mut child = command.stderr(Stdio::piped()).spawn()?;
        let log = Log::default();
        let (stderr, sink) = (child.stderr.take(), log.clone());
        let (found, address) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        thread::spawn(move || {
            if let Some(stderr) = stderr {
                follow(stderr, &sink, &found);
            }
            // Nobody waits where the proxy was dropped.
            let _ = end.send(());
        });
        match address.recv_timeout(START_LIMIT) {
            Ok(address) => {
                let folder = folder.to_owned();
                Ok(Proxy { child, address, folder, log, ended, _temporary: None })
            }
            Err(_) => {
                // Ended by itself, most likely.
                let _ = child.kill();
                let status = child.wait()?;
                let log = log.text();
                Err(io::Error::other(format!("prism-proxy does not serve: {status}: {log}")))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a client takes it.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its working folder, which holds its database.
    pub fn directory(&self) -> &Path {
        &self.folder
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    ///
    /// Where the system refuses it.
    pub fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    ///
    /// Where there is no such process any more.
    pub fn terminate(&self) -> io::Result<()> {
        let id = self.id().to_string();
        let status = Command::new("kill").args(["-s", "TERM", &id]).status()?;
        if status.success() { Ok(()) } else { Err(io::Error::other("kill failed")) }
    }

    /// Waits for its end, for 40 s at most: its exit code, none after a signal, and all that it
    /// logged.
    ///
    /// # Errors
    ///
    /// Where it does not end.
    pub fn end(mut self) -> io::Result<(Option<i32>, String)> {
        // Standard error is closed by the end of the process.
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(END_LIMIT) {
            return Err(io::Error::other(format!("does not end: {}", self.log())));
        }
        let status = self.child.wait()?;
        Ok((status.code(), self.log()))
    }

    /// SIGTERM, then [`Proxy::end`].
    ///
    /// # Errors
    ///
    /// Where it does not end.
    pub fn stop(self) -> io::Result<(Option<i32>, String)> {
        self.terminate()?;
        self.end()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Already gone, if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log until the process ends; tells the address when it comes by.
fn follow(stderr: ChildStderr, log: &Log, found: &mpsc::Sender<SocketAddr>) {
    let mut lines = BufReader::new(stderr);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line);
        log.push(&text);
        let address = address_in(&text);
        if let Some(address) = address {
            // Asked for once.
            let _ = found.send(address);
        }
        line.clear();
    }
}

/// The address on loopback in the log line that tells it, JSON or text.
pub fn address_in(line: &str) -> Option<SocketAddr> {
    let at = line.find("127.0.0.1:").filter(|_| line.contains("serving"))?;
    let end = line[at..].find(|c: char| !(c.is_ascii_digit() || ".:".contains(c)));
    line[at..end.map_or(line.len(), |end| at + end)].parse().ok()
}

/// The command that starts the proxy on a free loopback port in a folder.
///
/// # Errors
///
/// Where the proxy cannot be built.
pub fn command(folder: &Path, flags: &[&str]) -> io::Result<Command> {
    Ok(command_of(executable()?, folder, flags))
}

fn command_of(binary: &Path, folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env_remove("DATABASE_URL")
        .args(["--listen", "127.0.0.1:0"])
        .args(flags)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// What a proxy says that must not start.
///
/// # Errors
///
/// Where it cannot be built, or serves.
pub fn refusal(folder: &Path, flags: &[&str]) -> io::Result<Output> {
    let mut child = command(folder, flags)?.stderr(Stdio::piped()).spawn()?;
    let (sender, served) = mpsc::channel();
    let stderr = child.stderr.take();
    let log = Log::default();
    let sink = log.clone();
    let reader = thread::spawn(move || {
        if let Some(stderr) = stderr {
            follow(stderr, &sink, &sender);
        }
    });
    // The sender is dropped when the process ends.
    match served.recv_timeout(START_LIMIT) {
        Err(RecvTimeoutError::Disconnected) => {}
        Ok(_) | Err(RecvTimeoutError::Timeout) => {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!("prism-proxy starts: {}", log.text())));
        }
    }
    let status = child.wait()?;
    if reader.join().is_err() {
        return Err(io::Error::other("the log cannot be read"));
    }
    Ok(Output { status, stdout: Vec::new(), stderr: log.text().into_bytes() })
}

/// The proxy's executable, built once a process, so that a test never meets a stale one.
///
/// # Errors
///
/// Where it cannot be built.
pub fn executable() -> io::Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(|| build().map_err(|error| error.to_string())) {
        Ok(path) => Ok(path),
        Err(error) => Err(io::Error::other(error.as_str())),
    }
}

fn build() -> io::Result<PathBuf> {
    let mut child = cargo()
        .args(["build", "--package", "prism-proxy", "--bin", "prism-proxy"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut executable = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let message: serde_json::Value = serde_json::from_str(&line?)?;
            if let Some(path) = message["executable"].as_str() {
                executable = Some(PathBuf::from(path));
            }
        }
    }
    let status = child.wait()?;
    executable
        .filter(|_| status.success())
        .ok_or_else(|| io::Error::other("prism-proxy cannot be built"))
}
