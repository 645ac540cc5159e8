//! `cargo xtask stack up`: the proxy on a throw-away Postgres.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use prism_acceptance::proxy;
use prism_postgres::Cluster;

use crate::events::{Event, Events};
use crate::packages;
use crate::postgres::{DATABASE, exit_code};

/// How long the proxy may take to serve.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two questions for its health.
const HEALTH_INTERVAL: Duration = Duration::from_millis(50);

/// Runs a command, tells it to stop at the end of standard input, which also comes when the process
/// that holds the other end is killed, and ends as the command does.
const KEEPER: &str = r#"
    exec 3<&0
    "$@" 3<&- </dev/null &
    child=$!
    { cat <&3 >/dev/null; kill -TERM $child 2>/dev/null; } &
    exec 3<&-
    wait $child
"#;

/// A proxy that does not outlive this process.
struct Kept {
    /// Closed to stop the proxy.
    input: Option<ChildStdin>,
    /// The keeper's id, and its process group's.
    id: u32,
    /// Where it listens, once it does.
    address: Receiver<SocketAddr>,
}

/// Runs both until it is told to stop, or the proxy ends by itself.
pub fn up(listen: &str, arguments: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let binary = proxy::executable()?;
    // Before anything is started, so that a signal leaves nothing behind.
    let events = Events::listen()?;
    let cluster = Cluster::start(packages::postgres()?)?;
    let url = cluster.create_database(DATABASE)?.url();
    let mut command = keeper(binary);
    command.env("DATABASE_URL", &url).args(["--migrate", "--listen", listen]).args(arguments);
    let mut kept = Kept::start(command, &events)?;
    match wait_until_healthy(binary, &kept, &events)? {
        Waited::Healthy(address) => {
            println!("proxy     http://{address}");
            println!("postgres  {url}");
            println!("Ctrl-C stops both and removes the data");
        }
        Waited::Event(Event::Stop) => return kept.stop(&events),
        Waited::Event(Event::Ended(status)) => return Ok(exit_code(status?)),
    }
    match events.receiver().recv()? {
        Event::Stop => kept.stop(&events),
        Event::Ended(status) => Ok(exit_code(status?)),
    }
}

fn keeper(binary: &Path) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", KEEPER, "keeper"]).arg(binary);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // An interrupt at the terminal goes to this process, which stops one after the other.
    command.process_group(0);
    command
}

impl Kept {
    fn start(mut command: Command, events: &Events) -> Result<Self, Box<dyn Error>> {
        let mut child: Child = command.spawn()?;
        let (found, address) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || show(stderr, &found));
        }
        let kept = Kept { input: child.stdin.take(), id: child.id(), address };
        events.watch(child);
        Ok(kept)
    }

    /// Lets the proxy drain; another signal ends it at once.
    fn stop(&mut self, events: &Events) -> Result<ExitCode, Box<dyn Error>> {
        drop(self.input.take());
        loop {
            match events.receiver().recv()? {
                Event::Ended(status) => return Ok(exit_code(status?)),
                Event::Stop => {
                    let group = format!("-{}", self.id);
                    Command::new("kill").args(["-s", "KILL", "--", &group]).status()?;
                }
            }
        }
    }
}

/// Passes the proxy's log on, and tells the address when it comes by.
fn show(stderr: ChildStderr, found: &mpsc::Sender<SocketAddr>) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let text = String::from_utf8_lossy(&line);
        if let Some(address) = proxy::address_in(&text) {
            // Asked for once.
            let _ = found.send(address);
        }
        // A terminal that is gone does not stop the proxy.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

enum Waited {
    Healthy(SocketAddr),
    Event(Event),
}

fn wait_until_healthy(
    binary: &Path,
    kept: &Kept,
    events: &Events,
) -> Result<Waited, Box<dyn Error>> {
    let end = Instant::now() + START_TIMEOUT;
    let mut address = None;
    while Instant::now() < end {
        match events.receiver().recv_timeout(HEALTH_INTERVAL) {
            Ok(event) => return Ok(Waited::Event(event)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(error) => return Err(error.into()),
        }
        address = address.or_else(|| kept.address.try_recv().ok());
        if let Some(address) = address.filter(|address| is_healthy(binary, *address)) {
            return Ok(Waited::Healthy(address));
        }
    }
    Err(format!("the proxy does not serve within {START_TIMEOUT:?}").into())
}

fn is_healthy(binary: &Path, address: SocketAddr) -> bool {
    let mut command = Command::new(binary);
    command.arg("--health-check").arg(address.to_string()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
