//! A server that is gone with the process that started it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::user::User;
use super::{Error, Programs};

/// The superuser, and its password.
const USER: &str = "prism";
const PASSWORD: &str = "throw-away";

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a server, waits for the end of standard input, which also comes when the process that
/// holds the other end is killed, then stops the server and removes its folder.
const KEEPER: &str = r#"
    folder=$1; shift
    "$@" >"$folder/log" 2>&1 &
    server=$!
    cat >/dev/null
    kill -QUIT $server
    wait $server
    cd /
    rm -rf "$folder"
"#;

/// A running server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    port: u16,
    /// Closed to stop the server.
    input: Option<ChildStdin>,
    keeper: Child,
    folder: TempDir,
}

/// A database of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    port: u16,
    name: String,
}

impl Cluster {
    /// Makes a cluster in a temporary folder and starts it, with durable commits.
    ///
    /// # Errors
    ///
    /// Where a program fails, with what it says.
    pub fn start(programs: Programs) -> Result<Self, Error> {
        let folder = tempfile::Builder::new()
            .prefix("prism-postgres-")
            .tempdir()
            .map_err(|error| Error::new(format!("no temporary folder: {error}")))?;
        let user = User::for_server(folder.path())?;
        let io = |error: std::io::Error| Error::new(format!("cannot start Postgres: {error}"));
        user.own(folder.path()).map_err(io)?;
        initialize(&programs, user, folder.path())?;
        let port = free_port().map_err(io)?;
        let mut keeper = keeper(&programs, user, folder.path(), port).spawn().map_err(io)?;
        let input = keeper.stdin.take();
        let cluster = Cluster { programs, port, input, keeper, folder };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// An empty database.
    ///
    /// # Errors
    ///
    /// Where there is one of the name, which is an identifier in lower case.
    pub fn create_database(&self, name: &str) -> Result<Database, Error> {
        let administration = Database { port: self.port, name: "postgres".to_owned() };
        self.execute(&administration, &format!("CREATE DATABASE {name} TEMPLATE template0"))?;
        Ok(Database { port: self.port, name: name.to_owned() })
    }

    /// Runs SQL with psql, and answers what it prints.
    ///
    /// # Errors
    ///
    /// What psql says.
    pub fn execute(&self, database: &Database, sql: &str) -> Result<String, Error> {
        let mut command = Command::new(self.programs.path("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--command", sql, &database.url()]);
        run(&mut command)
    }

    #[allow(clippy::disallowed_methods)] // no event loop is near, and the server cannot be awaited
    fn wait_until_ready(&self) -> Result<(), Error> {
        let end = Instant::now() + START_TIMEOUT;
        let port = self.port.to_string();
        loop {
            let ready = Command::new(self.programs.path("pg_isready"))
                .args(["--quiet", "--host", "127.0.0.1", "--port", &port])
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if Instant::now() > end {
                let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(Error::new(format!("Postgres does not start: {}", log.trim())));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.input.take());
        // Nothing is left to be done where the keeper has gone already.
        let _ = self.keeper.wait();
    }
}

impl Database {
    /// `postgres://user:password@127.0.0.1:port/name`.
    pub fn url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// The port that the server listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn initialize(programs: &Programs, user: User, folder: &Path) -> Result<(), Error> {
    let io = |error: std::io::Error| Error::new(format!("cannot prepare Postgres: {error}"));
    let socket = folder.join("socket");
    fs::create_dir(&socket).and_then(|()| user.own(&socket)).map_err(io)?;
    let password = folder.join("password");
    fs::File::create(&password).and_then(|mut file| writeln!(file, "{PASSWORD}")).map_err(io)?;
    let mut command = user.command(&programs.path("initdb"));
    command.current_dir(folder).arg("--pgdata").arg(folder.join("data"));
    command.arg("--pwfile").arg(&password).args(["--username", USER]);
    command.args(["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"]);
    run(&mut command).map(drop)
}

fn keeper(programs: &Programs, user: User, folder: &Path, port: u16) -> Command {
    let mut command = user.command(Path::new("/bin/sh"));
    command.args(["-c", KEEPER, "keeper"]).arg(folder);
    command.arg(programs.path("postgres")).arg("-D").arg(folder.join("data"));
    command.arg("-k").arg(folder.join("socket"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in ["max_connections=300", "shared_buffers=32MB", "log_min_messages=warning"] {
        command.args(["-c", setting]);
    }
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // An interrupt at the terminal goes to this process; the keeper hears of its end.
    command.process_group(0);
    command
}

/// A port that was free a moment ago.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn run(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.output().map_err(|error| Error::new(format!("cannot run {program}: {error}")))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(Error::new(format!("{program}: {}: {}", output.status, text.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
