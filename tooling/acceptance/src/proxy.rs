//! A `prism-proxy` process with a database of its own.

use std::env;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::tools::root;

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running proxy; stopped when dropped.
#[derive(Debug)]
pub struct Proxy {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Proxy {
    /// Builds and starts the proxy on a free loopback port, in a temporary folder.
    ///
    /// # Errors
    ///
    /// Where it cannot be built, does not start, or does not listen within 20 s.
    pub fn start() -> io::Result<Proxy> {
        Proxy::start_binary(&build()?)
    }

    /// Starts a generated proxy that was built already, as [`Proxy::start`] does.
    ///
    /// # Errors
    ///
    /// Where it does not start, or does not listen within 20 s.
    pub fn start_binary(binary: &Path) -> io::Result<Proxy> {
        let directory = tempfile::tempdir()?;
        let address = free_address()?;
        let child = Command::new(binary)
            .current_dir(directory.path())
            .env("PRISM_SERVER__LISTEN", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut proxy = Proxy { child, address, directory };
        proxy.wait_until_listening()?;
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its working folder, which holds its database.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn wait_until_listening(&mut self) -> io::Result<()> {
        let started = Instant::now();
        while TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(io::Error::other(format!("prism-proxy ended: {status}")));
            }
            if started.elapsed() > START_LIMIT {
                return Err(io::Error::other("prism-proxy does not listen"));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Already gone, if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Builds the proxy, so that a test never meets a stale one, and says where it is.
fn build() -> io::Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(cargo)
        .args(["build", "--quiet", "--package", "prism-proxy", "--bin", "prism-proxy"])
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
