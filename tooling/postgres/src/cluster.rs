//! A server that is gone with the process that started it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::user::User;
use super::{Error, Programs};

/// The superuser, and its password.
pub(crate) const USER: &str = "prism";
pub(crate) const PASSWORD: &str = "throw-away";

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a server, and stops and starts it as the lines of standard input say. At their end, which
/// also comes when the process that holds the other end is killed, it stops the server and removes
/// its folder.
const KEEPER: &str = r#"
    folder=$1; shift
    "$@" >"$folder/log" 2>&1 &
    server=$!
    while read -r line; do
        case $line in
            start) "$@" >>"$folder/log" 2>&1 & server=$! ;;
            *) kill -"$line" $server; wait $server; echo stopped ;;
        esac
    done
    kill -QUIT $server 2>/dev/null
    wait $server
    cd /
    rm -rf "$folder"
"#;

/// How a server is stopped.
/// <https://www.postgresql.org/docs/current/server-shutdown.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Open transactions are rolled back, connections are told.
    Fast,
    /// As in a crash: the next start recovers.
    Immediate,
}

/// What is special about a cluster.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Settings of the server, as `name=value`.
    pub settings: Vec<String>,
    /// Files in the data folder that the server alone may read, by their names.
    pub files: Vec<(String, Vec<u8>)>,
    /// A program with arguments that runs what follows, as `env` does.
    pub wrapper: Vec<String>,
}

/// A running server. Dropping it stops it and removes its data.
#[derive(Debug)]
pub struct Cluster {
    programs: Programs,
    port: u16,
    /// Closed to stop the server.
    input: Option<ChildStdin>,
    /// A line for each time that it has stopped.
    output: BufReader<ChildStdout>,
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
        Cluster::start_with(programs, |_| Setup::default())
    }

    /// Makes a cluster and starts it with what is special about it, which may depend on its folder.
    ///
    /// # Errors
    ///
    /// Where a program fails, with what it says.
    pub fn start_with(
        programs: Programs,
        setup: impl FnOnce(&Path) -> Setup,
    ) -> Result<Self, Error> {
        let (folder, user) = folder()?;
        let io = |error: std::io::Error| Error::new(format!("cannot start Postgres: {error}"));
        initialize(&programs, user, folder.path())?;
        let setup = setup(folder.path());
        for (name, content) in &setup.files {
            private_file(&folder.path().join("data").join(name), content, user).map_err(io)?;
        }
        Cluster::run(programs, user, folder, &setup)
    }

    /// The port that it listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a standby that follows this server, and starts it. It can be read.
    ///
    /// # Errors
    ///
    /// Where a program fails, with what it says.
    pub fn standby(&self) -> Result<Self, Error> {
        let (folder, user) = folder()?;
        let io = |error: std::io::Error| Error::new(format!("cannot prepare Postgres: {error}"));
        let socket = folder.path().join("socket");
        fs::create_dir(&socket).and_then(|()| user.own(&socket)).map_err(io)?;
        let mut command = user.command(&self.programs.path("pg_basebackup"));
        command.current_dir(folder.path()).arg("--pgdata").arg(folder.path().join("data"));
        command.args(["--write-recovery-conf", "--checkpoint", "fast", "--wal-method", "stream"]);
        let primary = Database { port: self.port, name: "postgres".to_owned() };
        command.args(["--no-sync", "--dbname", &primary.url()]);
        run(&mut command)?;
        Cluster::run(self.programs.clone(), user, folder, &Setup::default())
    }

    /// Makes a standby a server of its own, which takes writes.
    ///
    /// # Errors
    ///
    /// What psql says.
    pub fn promote(&self) -> Result<(), Error> {
        let administration = Database { port: self.port, name: "postgres".to_owned() };
        self.execute(&administration, "SELECT pg_promote()").map(drop)
    }

    /// Stops the server and starts it again as a standby of none: it can be read, on the same port.
    ///
    /// # Errors
    ///
    /// Where it does not start, with what its log says.
    pub fn demote(&mut self) -> Result<(), Error> {
        self.stop(Shutdown::Fast)?;
        let user = User::for_server(self.folder.path())?;
        private_file(&self.folder.path().join("data").join("standby.signal"), b"", user)
            .map_err(|error| Error::new(format!("cannot demote Postgres: {error}")))?;
        self.start_again()
    }

    fn run(programs: Programs, user: User, folder: TempDir, setup: &Setup) -> Result<Self, Error> {
        let io = |error: std::io::Error| Error::new(format!("cannot start Postgres: {error}"));
        let port = free_port().map_err(io)?;
        let mut keeper =
            keeper(&programs, user, folder.path(), (port, setup)).spawn().map_err(io)?;
        let no_pipe = || Error::new("cannot start Postgres: no pipe");
        let input = keeper.stdin.take();
        let output = BufReader::new(keeper.stdout.take().ok_or_else(no_pipe)?);
        let cluster = Cluster { programs, port, input, output, keeper, folder };
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

    /// Stops the server; its data stay.
    ///
    /// # Errors
    ///
    /// Where its keeper has gone.
    pub fn stop(&mut self, shutdown: Shutdown) -> Result<(), Error> {
        let signal = match shutdown {
            Shutdown::Fast => "INT",
            Shutdown::Immediate => "QUIT",
        };
        self.command(signal)?;
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(length) if length > 0 => Ok(()),
            _ => Err(Error::new("the keeper of Postgres has gone")),
        }
    }

    /// Starts the server again after [`Cluster::stop`], on the same port.
    ///
    /// # Errors
    ///
    /// Where it does not start, with what its log says.
    pub fn start_again(&mut self) -> Result<(), Error> {
        self.command("start")?;
        self.wait_until_ready()
    }

    fn command(&mut self, line: &str) -> Result<(), Error> {
        let written = self.input.as_mut().map(|input| writeln!(input, "{line}"));
        match written {
            Some(Ok(())) => Ok(()),
            _ => Err(Error::new("the keeper of Postgres has gone")),
        }
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

    /// The database of the same name behind another port of 127.0.0.1.
    pub fn at_port(&self, port: u16) -> Database {
        Database { port, name: self.name.clone() }
    }

    /// Another database of the same server.
    pub fn named(&self, name: &str) -> Database {
        Database { port: self.port, name: name.to_owned() }
    }

    /// The port that the server listens on, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A folder that belongs to the user of a server.
fn folder() -> Result<(TempDir, User), Error> {
    let folder = tempfile::Builder::new()
        .prefix("prism-postgres-")
        .tempdir()
        .map_err(|error| Error::new(format!("no temporary folder: {error}")))?;
    let user = User::for_server(folder.path())?;
    user.own(folder.path())
        .map_err(|error| Error::new(format!("cannot start Postgres: {error}")))?;
    Ok((folder, user))
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

/// Writes a file that the server alone may read.
fn private_file(path: &Path, content: &[u8], user: User) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)?.write_all(content)?;
    user.own(path)
}

fn keeper(programs: &Programs, user: User, folder: &Path, (port, setup): (u16, &Setup)) -> Command {
    let mut words: Vec<&str> = setup.wrapper.iter().map(String::as_str).collect();
    words.extend(["/bin/sh", "-c", KEEPER, "keeper"]);
    let mut command = user.command(Path::new(words[0]));
    command.args(&words[1..]).arg(folder);
    command.arg(programs.path("postgres")).arg("-D").arg(folder.join("data"));
    command.arg("-k").arg(folder.join("socket"));
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in ["max_connections=300", "shared_buffers=32MB", "log_min_messages=warning"] {
        command.args(["-c", setting]);
    }
    for setting in &setup.settings {
        command.args(["-c", setting]);
    }
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // An interrupt at the terminal goes to this process; the keeper hears of its end.
    command.process_group(0);
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> std::io::Result<u16> {
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
