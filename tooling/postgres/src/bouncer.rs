//! A throw-away PgBouncer in front of a server.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::cluster::{PASSWORD, USER, free_port};
use super::user::User;
use super::{Database, Error};

/// How long it may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Ends PgBouncer with standard input, which also ends when the process that holds the other end is
/// killed, and removes its folder.
const KEEPER: &str = r#"
    folder=$1
    "$2" "$3" >"$3.log" 2>&1 &
    bouncer=$!
    cat >/dev/null
    kill -KILL $bouncer
    wait $bouncer
    cd /
    rm -rf "$folder"
"#;

/// A running PgBouncer in transaction mode. Dropping it stops it.
#[derive(Debug)]
pub struct PgBouncer {
    keeper: Child,
    port: u16,
    _folder: TempDir,
}

impl PgBouncer {
    /// Finds the program.
    ///
    /// # Errors
    ///
    /// Where it is not installed: says how to install it.
    pub fn find() -> Result<PathBuf, Error> {
        let known = ["/usr/sbin/pgbouncer", "/opt/homebrew/bin/pgbouncer"].map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join("pgbouncer"));
        known.into_iter().chain(on_path).find(|program| program.is_file()).ok_or_else(|| {
            Error::new(
                "PgBouncer is not installed: `apt-get install pgbouncer` on Debian and Ubuntu, \
                 `brew install pgbouncer` on macOS",
            )
        })
    }

    /// Starts it in transaction mode before a server of this crate, with these settings, as
    /// `name = value`.
    ///
    /// # Errors
    ///
    /// Where it does not start, with what it says.
    pub fn start(program: &Path, server: &Database, settings: &[&str]) -> Result<Self, Error> {
        let io = |error: std::io::Error| Error::new(format!("cannot start PgBouncer: {error}"));
        let folder = tempfile::Builder::new().prefix("prism-pgbouncer-").tempdir().map_err(io)?;
        let user = User::for_server(folder.path())?;
        let port = free_port().map_err(io)?;
        let users = folder.path().join("users");
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n")).map_err(io)?;
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {users}\n\
             pool_mode = transaction\nmax_client_conn = 500\nserver_idle_timeout = 2\n{settings}\n",
            settings = settings.join("\n"),
            server = server.port(),
            users = users.display(),
        );
        fs::write(&file, text).map_err(io)?;
        for path in [folder.path(), &users, &file] {
            user.own(path).map_err(io)?;
        }
        let mut command = user.command(Path::new("/bin/sh"));
        command.args(["-c", KEEPER, "keeper"]).arg(folder.path()).arg(program).arg(&file);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let keeper = command.spawn().map_err(io)?;
        let bouncer = PgBouncer { keeper, port, _folder: folder };
        bouncer.wait_until_ready(&file.with_extension("ini.log"))?;
        Ok(bouncer)
    }

    #[allow(clippy::disallowed_methods)] // no event loop is near, and it cannot be awaited
    fn wait_until_ready(&self, log: &Path) -> Result<(), Error> {
        let end = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > end {
                let mut text = String::new();
                // Without a log there is nothing to say.
                let _ = fs::File::open(log).and_then(|mut log| log.read_to_string(&mut text));
                return Err(Error::new(format!("PgBouncer does not start: {}", text.trim())));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The same database, through it.
    pub fn database(&self, of: &Database) -> Database {
        of.at_port(self.port)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing is left to be done where the keeper has gone already.
        let _ = self.keeper.wait();
    }
}
