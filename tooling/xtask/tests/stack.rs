//! `cargo xtask postgres` and `cargo xtask stack up`: they serve, and leave nothing behind.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use prism_postgres::Programs;
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{Item, PutRequest, PutResponse};
use tempfile::TempDir;

/// How long something may take that takes seconds, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A command that runs, with a folder of its own for what is temporary.
struct Running {
    child: Child,
    lines: Receiver<String>,
    temporary: TempDir,
}

impl Running {
    /// `None` where there is no Postgres on this machine, which the test answers by returning.
    fn start(arguments: &[&str]) -> Option<Self> {
        if let Err(error) = Programs::find() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{error}");
            return None;
        }
        let temporary = tempfile::tempdir().unwrap();
        // As /tmp is: the server may be another user's than the test.
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o1777)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Some(Running { child, lines, temporary })
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        // Standard output is closed by the end of the process.
        let end = Instant::now() + LIMIT;
        while self.lines.recv_timeout(end.duration_since(Instant::now())).is_ok() {}
        assert!(Instant::now() < end, "it does not end");
        self.child.wait().unwrap()
    }

    fn is_gone(&self) -> bool {
        fs::read_dir(self.temporary.path()).unwrap().next().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone, if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port of a URL that ends with it, or goes on with a path.
fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().split('/').next().unwrap().parse().unwrap()
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

#[tokio::test]
async fn both_are_gone_after_an_interrupt_and_after_a_kill() {
    for signal in ["INT", "KILL"] {
        let Some(mut stack) = Running::start(&["stack", "up", "--listen", "127.0.0.1:0"]) else {
            return;
        };
        let proxy = stack.line().strip_prefix("proxy     ").unwrap().to_owned();
        let postgres = stack.line().strip_prefix("postgres  ").unwrap().to_owned();
        assert!(stack.line().starts_with("Ctrl-C "));

        let client = Client::connect(proxy.clone()).await.unwrap();
        let item = Item { key: b"k".to_vec(), value: b"v".to_vec(), metadata: None };
        let request = PutRequest {
            namespace: "test".to_owned(),
            id: "1".to_owned(),
            items: vec![item],
            item_priority_token: 0,
        };
        let path = "/prism.keyvalue.v1.KeyValueService/Put";
        client.unary::<_, PutResponse>(path, request).await.unwrap();
        assert!(!stack.is_gone() && listens(port(&postgres)));
        drop(client);

        stack.signal(signal);
        let status = stack.end();
        if signal == "INT" {
            assert_eq!(status.code(), Some(0));
        } else {
            // What keeps them hears of it only now.
            let end = Instant::now() + LIMIT;
            while Instant::now() < end && (listens(port(&proxy)) || !stack.is_gone()) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        assert!(!listens(port(&proxy)), "the proxy after SIG{signal}");
        assert!(!listens(port(&postgres)), "Postgres after SIG{signal}");
        assert!(stack.is_gone(), "the data after SIG{signal}");
    }
}

#[test]
fn a_server_runs_until_it_is_interrupted() {
    let Some(mut server) = Running::start(&["postgres"]) else { return };
    let url = server.line();
    assert_eq!(psql(&url, "SELECT 7"), "7");
    server.signal("INT");
    assert_eq!(server.end().code(), Some(0));
    assert!(!listens(port(&url)) && server.is_gone());
}

#[test]
fn a_server_runs_as_long_as_a_command_and_ends_as_it_does() {
    let script = "echo \"$DATABASE_URL\"; exit 7";
    let Some(mut server) = Running::start(&["postgres", "--", "sh", "-c", script]) else { return };
    let url = server.line();
    assert!(url.starts_with("postgres://"), "{url}");
    assert_eq!(server.end().code(), Some(7));
    assert!(!listens(port(&url)) && server.is_gone());
}

fn psql(url: &str, sql: &str) -> String {
    let program: &Path = &Programs::find().unwrap().folder().join("psql");
    let mut child = Command::new(program)
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text.trim().to_owned()
}
