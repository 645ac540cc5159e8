//! The stand-alone proxy as a process: flags, signals, exit codes. This program starts itself as
//! the server, so it is no libtest harness.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/raw.rs"]
mod raw;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, Item, PutRequest, PutResponse};

fn main() -> ExitCode {
    if std::env::var_os("TEST_SERVE").is_some() {
        return prism_runtime::main(support::schema());
    }
    let filter = std::env::args().nth(1).unwrap_or_default();
    let tests: [(&str, fn()); 16] = [
        ("migrations_may_be_applied_without_serving", migrations_may_be_applied_without_serving),
        ("a_postgres_serves_in_place_of_the_file", a_postgres_serves_in_place_of_the_file),
        ("what_was_put_is_there_after_a_restart", what_was_put_is_there_after_a_restart),
        ("calls_in_flight_end_after_sigint", calls_in_flight_end_after_sigint),
        ("a_second_signal_ends_at_once", a_second_signal_ends_at_once),
        ("two_signals_at_once_are_one", two_signals_at_once_are_one),
        ("gnu_timeout_does_not_cut_the_drain", gnu_timeout_does_not_cut_the_drain),
        ("the_version_is_told", the_version_is_told),
        ("an_argument_that_is_wrong_shows_no_url", an_argument_that_is_wrong_shows_no_url),
        ("memory_makes_no_file", memory_makes_no_file),
        ("a_start_up_error_is_one_line", a_start_up_error_is_one_line),
        ("wrong_flags_are_two", wrong_flags_are_two),
        ("a_wrong_setting_is_named", a_wrong_setting_is_named),
        ("a_log_that_nothing_reads_stops_nothing", a_log_that_nothing_reads_stops_nothing),
        ("no_place_of_a_database_is_shown", no_place_of_a_database_is_shown),
        ("logs_are_json_and_hold_nothing_of_a_request", logs_are_json),
    ];
    for (name, test) in tests {
        // Cargo passes options of libtest.
        if filter.starts_with('-') || name.contains(&filter) {
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

struct Server {
    child: Child,
    address: SocketAddr,
    /// What it logged, once it has ended.
    log: mpsc::Receiver<String>,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env_clear()
        .env("TEST_SERVE", "1")
        .current_dir(folder)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

impl Server {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let all = [&["--listen", "127.0.0.1:0"], arguments].concat();
        Server::of(command(folder, &all))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let address = loop {
            let start = log.len();
            assert!(lines.read_line(&mut log).unwrap() > 0, "no address: {log}");
            if let Some((_, rest)) = log[start..].split_once("\"address\":\"") {
                break rest.split('"').next().unwrap().parse().unwrap();
            }
        };
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || {
            lines.read_to_string(&mut log).unwrap();
            sender.send(log)
        });
        Server { child, address, log: receiver }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// The exit code and the log.
    fn end(mut self) -> (Option<i32>, String) {
        // Standard error is closed by the end of the process.
        let log = self.log.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| {
            self.child.kill().unwrap();
            self.log.recv().unwrap()
        });
        (self.child.wait().unwrap().code(), log)
    }

    fn client(&self) -> impl Future<Output = Client> + use<> {
        let uri = format!("http://{}", self.address);
        async { Client::connect(uri).await.unwrap() }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn put() -> PutRequest {
    let item = Item { key: b"hello".to_vec(), value: b"world".to_vec(), metadata: None };
    PutRequest {
        namespace: "test".to_owned(),
        id: "the-record".to_owned(),
        items: vec![item],
        item_priority_token: 0,
    }
}

fn what_was_put_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    restart(folder.path(), &[]);
    assert!(folder.path().join("prism.db").exists());
}

fn a_postgres_serves_in_place_of_the_file() {
    let Some(database) = prism_postgres::for_test() else { return };
    let (folder, url) = (tempfile::tempdir().unwrap(), database.url());
    let refused = command(folder.path(), &["--database", &url, "--listen", "127.0.0.1:0"]);
    let output = { refused }.output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.starts_with("error: ") && text.contains("start the server with --migrate"),
        "{text}"
    );
    restart(folder.path(), &["--database", &url, "--migrate"]);
    assert!(!folder.path().join("prism.db").exists());
}

fn migrations_may_be_applied_without_serving() {
    let folder = tempfile::tempdir().unwrap();
    // Taken, which does not matter.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let migrate = |arguments: &[&str]| {
        let all = [&["--migrate-only", "--listen", &address], arguments].concat();
        let output = command(folder.path(), &all).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{text}");
        text
    };
    assert!(migrate(&[]).contains("the databases are as the schema says"));
    assert!(folder.path().join("prism.db").exists());
    let Some(database) = prism_postgres::for_test() else { return };
    let url = database.url();
    assert!(migrate(&["--database", &url]).contains("migration applied"));
    assert!(!migrate(&["--database", &url]).contains("migration applied"));
    let server = Server::start(folder.path(), &["--database", &url]);
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
}

fn restart(folder: &Path, arguments: &[&str]) {
    let server = Server::start(folder, arguments);
    block_on(async {
        let path = "/prism.keyvalue.v1.KeyValueService/Put";
        let answer = server.client().await.unary::<_, PutResponse>(path, put()).await.unwrap();
        assert!(answer.into_inner().success);
    });
    server.signal("TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");

    let server = Server::start(folder, arguments);
    block_on(async {
        let request = GetRequest {
            namespace: "test".to_owned(),
            id: "the-record".to_owned(),
            ..GetRequest::default()
        };
        let path = "/prism.keyvalue.v1.KeyValueService/Get";
        let answer = server.client().await.unary::<_, GetResponse>(path, request).await.unwrap();
        assert_eq!(answer.into_inner().items[0].value, b"world");
    });
    server.signal("TERM");
    assert_eq!(server.end().0, Some(0));
}

fn calls_in_flight_end_after_sigint() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    block_on(async {
        let client = server.client().await;
        let call = tokio::spawn(async move {
            client.unary::<_, PutRequest>("/test.v1.Test/Sleep", put()).await
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.signal("INT");
        assert_eq!(call.await.unwrap().unwrap().into_inner(), put());
    });
    assert_eq!(server.end().0, Some(0));
}

fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--set", "server.drain_seconds=60"]);
    let started = Instant::now();
    let (code, log) = block_on(async {
        let client = server.client().await;
        // Never ends by itself, and keeps the drain waiting.
        // Large messages: h2's client ends a connection with too many small unread frames.
        let large = PutRequest { id: "x".repeat(60_000), ..put() };
        let path = "/test.v1.Test/Count";
        let stream = client.server_streaming::<_, PutRequest>(path, large).await.unwrap();
        server.signal("TERM");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        server.signal("TERM");
        // The stream is held until the process has ended.
        let ended = server.end();
        drop(stream);
        ended
    });
    assert_eq!(code, Some(1), "{log}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

fn two_signals_at_once_are_one() {
    for second in ["TERM", "INT"] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), &[]);
        block_on(async {
            let client = server.client().await;
            let call = tokio::spawn(async move {
                client.unary::<_, PutRequest>("/test.v1.Test/Sleep", put()).await
            });
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.signal("TERM");
            server.signal(second);
            assert_eq!(call.await.unwrap().unwrap().into_inner(), put());
        });
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
    }
}

fn gnu_timeout_does_not_cut_the_drain() {
    let is_gnu = |output: std::process::Output| {
        String::from_utf8_lossy(&output.stdout).contains("GNU coreutils")
    };
    if !Command::new("timeout").arg("--version").output().is_ok_and(is_gnu) {
        println!("skipped: no GNU timeout");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let mut command = Command::new("timeout");
    command
        .env("TEST_SERVE", "1")
        .current_dir(folder.path())
        .args(["--preserve-status", "3"])
        .arg(own)
        .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let server = Server::of(command);
    let (answer, (code, log)) = block_on(async {
        // Calls until the server is told to stop: every one of them is answered.
        let client = server.client().await;
        let path = "/test.v1.Test/Sleep";
        let mut last = client.unary::<_, PutRequest>(path, put()).await;
        let begun = Instant::now();
        while last.is_ok() && begun.elapsed() < Duration::from_secs(20) {
            last = client.unary::<_, PutRequest>(path, put()).await;
        }
        (last, server.end())
    });
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("\"stopped\"") && !log.contains("second signal"), "{log}");
    // The server had gone when it was made.
    assert_eq!(answer.unwrap_err().code(), tonic::Code::Unavailable);
}

fn memory_makes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    for arguments in [
        &["--database", "memory"][..],
        &["--database", ":memory:"],
        &["--database", "memory", "--migrate"],
        &["--set", "database=sqlite::memory:"],
    ] {
        let server = Server::start(folder.path(), arguments);
        block_on(async {
            let client = server.client().await;
            let path = "/prism.keyvalue.v1.KeyValueService/Put";
            client.unary::<_, PutResponse>(path, put()).await.unwrap();
            let request = GetRequest {
                namespace: "test".to_owned(),
                id: "the-record".to_owned(),
                ..GetRequest::default()
            };
            let path = "/prism.keyvalue.v1.KeyValueService/Get";
            let answer = client.unary::<_, GetResponse>(path, request).await.unwrap();
            assert_eq!(answer.into_inner().items[0].value, b"world");
        });
        server.signal("TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("gone when the process ends"), "{log}");
        assert_eq!(files(), 0, "{arguments:?}");
    }
    let output = command(folder.path(), &["--database", "memory", "--migrate-only"]).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
    assert_eq!(files(), 0);
}

fn an_argument_that_is_wrong_shows_no_url() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://u:SECRET@localhost/d";
    for arguments in [
        vec![url.to_owned()],
        vec![format!("--database{url}")],
        vec![format!("--db={url}")],
        vec![format!("--migrate={url}")],
        vec!["--listen".to_owned(), url.to_owned()],
        vec!["--config".to_owned(), url.to_owned()],
        vec!["--set".to_owned(), url.to_owned()],
        vec!["--health-check".to_owned(), url.to_owned()],
        vec!["--log-level".to_owned(), url.to_owned()],
        vec!["--log-format".to_owned(), url.to_owned()],
        vec!["--threads".to_owned(), url.to_owned()],
    ] {
        let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = command(folder.path(), &given).output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!output.status.success() && !said.is_empty(), "{arguments:?}: {said}");
        assert!(!said.contains("SECRET"), "{arguments:?}: {said}");
    }
}

fn the_version_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for flag in ["--version", "-V"] {
        let output = command(folder.path(), &[flag]).stdout(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.ends_with(&format!(" {}\n", prism_runtime::VERSION)), "{text}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
    let server = Server::start(folder.path(), &[]);
    server.signal("TERM");
    let (_, log) = server.end();
    let serving = log.lines().find(|line| line.contains("\"message\":\"serving\"")).unwrap();
    let line: serde_json::Value = serde_json::from_str(serving).unwrap();
    assert_eq!(line["version"], prism_runtime::VERSION);
}

fn a_start_up_error_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let running = Server::start(folder.path(), &[]);
    let address = running.address.to_string();
    let taken = ["--database", "other.db", "--listen", &address];
    let corpus: [(&[&str], &str); 6] = [
        (&taken, "error: cannot listen on 127.0.0.1:"),
        (&["--listen", "127.0.0.1:0"], "is in use by another server"),
        (&["--listen", "0.0.0.0:0"], "error: server.listen is not a loopback address"),
        (&["--config", "none.yaml"], "error: cannot read none.yaml: "),
        (&["--database", "postgres://u:p@127.0.0.1:1/d"], "127.0.0.1:1 cannot be reached"),
        (&["--database", "none/a.db"], "none/a.db does not exist"),
    ];
    for (arguments, expected) in corpus {
        let output = command(folder.path(), arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
    }
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// Wherever it stands: in the file, in a variable, in a flag.
fn a_wrong_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    std::fs::write(folder.path().join("verbose.yaml"), "log:\n  level: verbose\n").unwrap();
    std::fs::write(folder.path().join("wrong.yaml"), "server: {drain_seconds: 5s}\n").unwrap();
    std::fs::write(folder.path().join("latin.yaml"), b"database: caf\xe9\n").unwrap();
    type Variables = &'static [(&'static str, &'static str)];
    let levels = "a filter is one of the levels off, error, warn, info, debug and trace";
    let corpus: [(&[&str], Variables, &str); 18] = [
        (&["--config", "verbose.yaml"], &[], "log.level has a level that is not known; "),
        (&["--config", "verbose.yaml"], &[], levels),
        (&["--log-level", "verbose"], &[], levels),
        (&["--log-level", ""], &[], "log.level is empty; "),
        (&[], &[("PRISM_LOG__LEVEL", "prism=verbose")], levels),
        (&[], &[("RUST_LOG", "verbose")], "RUST_LOG has a level that is not known; "),
        (&[], &[("RUST_LOG", "!!")], levels),
        (&["--config", "wrong.yaml"], &[], "wrong.yaml:1:25: server.drain_seconds expects a whole"),
        (&["--config", "folder"], &[], "cannot read folder: "),
        (&["--config", "latin.yaml"], &[], "cannot read latin.yaml: "),
        (&["--threads", "-1"], &[], "--threads: server.threads expects a whole number from 0 on"),
        (&["--listen", "127.0.0.1:99999"], &[], "server.listen has a port that is not a whole num"),
        (
            &["--health-check", "127.0.0.1:99999"],
            &[],
            "--health-check has a port that is not a who",
        ),
        (&["--health-check="], &[], "--health-check is not an address and a port, like 127.0.0.1:"),
        (&["--set", "=5"], &[], "--set: expected SETTING=VALUE, such as server.drain_seconds=5"),
        (&["--set", "server.=5"], &[], "--set server.: a level of the setting has no name"),
        (&[], &[("PRISM_SERVER_LISTEN", "x")], "did you mean PRISM_SERVER__LISTEN?"),
        (
            &["--set", "keyvalue.namespaces=[a, A_B]"],
            &[],
            "keyvalue.namespaces[1] `A_B` must be of",
        ),
    ];
    for (arguments, variables, expected) in corpus {
        // What is served from memory makes no file if it starts all the same.
        let all = [arguments, &["--database", "memory"]].concat();
        let mut command = command(folder.path(), &all);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
    }
}

/// The server goes on when the program that reads its log has ended.
fn a_log_that_nothing_reads_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--database", "memory", "--log-level", "debug"];
    let mut child = command(folder.path(), &arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "no address");
        if let Some((_, rest)) = line.split_once("\"address\":\"") {
            break rest.split('"').next().unwrap().to_owned();
        }
    };
    drop(lines);
    block_on(async {
        let client = Client::connect(format!("http://{address}")).await.unwrap();
        let path = "/prism.keyvalue.v1.KeyValueService/Put";
        for _ in 0..3 {
            client.unary::<_, PutResponse>(path, put()).await.unwrap();
        }
    });
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn wrong_flags_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path(), &["--lisen", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--listen"));
}

/// Neither what keeps the proxy from starting, nor a log at its most talkative, nor a file shows the
/// password of what is not a URL.
fn no_place_of_a_database_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let corpus: [&[&str]; 8] = [
        &["--database", "host=h password=s3cret"],
        &["--database", "postgres:s3cret"],
        &["--database", "postgres://u:s3cret@127.0.0.1:1/d"],
        &["--database", "postgres://u:s3cret@127.0.0.1:1/d?s3cret=s3cret"],
        &["--set", "database:s3cret"],
        &["--set", "postgres://u:s3cret@h/d?a=b"],
        &["--set", "database=jdbc:postgresql://h/d?password=s3cret"],
        &["postgres://u:s3cret@h/d"],
    ];
    let check = |mut command: Command| {
        let output = command.env("RUST_LOG", "trace").output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("error"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    };
    for arguments in corpus {
        check(command(folder.path(), arguments));
    }
    for url in ["host=h password=s3cret", "s3cret", " postgres://u:s3cret@h/d", "jdbc:s3cret"] {
        let mut command = command(folder.path(), &[]);
        command.env("DATABASE_URL", url);
        check(command);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file was made");
}

fn logs_are_json() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--log-level", "info,prism=debug"]);
    block_on(async {
        let client = server.client().await;
        let mut request = tonic::Request::new(put());
        request.metadata_mut().insert("x-request-id", "call-17".parse().unwrap());
        let path = "/prism.keyvalue.v1.KeyValueService/Put";
        client.unary::<PutRequest, PutResponse>(path, request).await.unwrap();
        client.unary::<_, PutRequest>("/test.v1.Test/Panic", put()).await.unwrap_err();
    });
    server.signal("TERM");
    let (_, log) = server.end();
    let access: Vec<serde_json::Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &serde_json::Value| line["target"] == "prism::access")
        .collect();
    assert_eq!(access.len(), 2, "{log}");
    assert_eq!(access[0]["request_id"], "call-17");
    assert_eq!(access[0]["method"], "/prism.keyvalue.v1.KeyValueService/Put");
    assert_eq!((&access[0]["level"], &access[0]["code"]), (&"DEBUG".into(), &"Ok".into()));
    assert_eq!(access[1]["level"], "ERROR");
    assert!(access[1]["error_id"].is_string());
    for secret in ["the-record", "hello", "world", "a panic of the test"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
