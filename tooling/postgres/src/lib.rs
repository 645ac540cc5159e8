#![allow(clippy::print_stderr)] // tests tell what they skip
//! Throw-away Postgres servers: a cluster in a temporary folder, on a free port of loopback, that
//! is gone with the process that started it, however that ends.
//!
//! Needs the server's programs, which [`Programs::find`] looks for where Debian, Ubuntu, Homebrew
//! and `pg_config` have them.

mod bouncer;
mod cluster;
mod programs;
mod user;

use std::env;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub use bouncer::PgBouncer;
pub use cluster::{Cluster, Database, Setup, Shutdown};
pub use programs::Programs;

/// What keeps a server from running: one line that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Error(message.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// An empty database of its own for a test, on a server that all tests of the process share.
/// `None` where there is no Postgres on this machine, which the test answers by returning.
///
/// # Panics
///
/// Where the server does not run although its programs are there, and where they are not although
/// `CI` is `true`: there a skipped test would go unnoticed.
pub fn for_test() -> Option<Database> {
    static SHARED: OnceLock<Result<Cluster, Error>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let programs = found(Programs::find())?;
    let cluster = SHARED.get_or_init(|| Cluster::start(programs));
    let cluster = cluster.as_ref().unwrap_or_else(|error| panic!("{error}"));
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Some(cluster.create_database(&name).unwrap_or_else(|error| panic!("{error}")))
}

/// A cluster of its own for a test that breaks it. `None` as for [`for_test`].
///
/// # Panics
///
/// Those of [`for_test`].
pub fn cluster_for_test(setup: impl FnOnce(&Path) -> Setup) -> Option<Cluster> {
    let programs = found(Programs::find())?;
    Some(Cluster::start_with(programs, setup).unwrap_or_else(|error| panic!("{error}")))
}

/// The same database behind a PgBouncer in transaction mode, with two connections to each database,
/// that all tests of the process share. `None` as for [`for_test`].
///
/// # Panics
///
/// Those of [`for_test`].
pub fn pooled_for_test(database: &Database) -> Option<Database> {
    static SHARED: OnceLock<Result<PgBouncer, Error>> = OnceLock::new();
    let program = found(PgBouncer::find())?;
    let bouncer =
        SHARED.get_or_init(|| PgBouncer::start(&program, database, &["default_pool_size = 2"]));
    Some(bouncer.as_ref().unwrap_or_else(|error| panic!("{error}")).database(database))
}

/// What is installed; else says that the test is skipped, or fails where that would go unnoticed.
fn found<T>(program: Result<T, Error>) -> Option<T> {
    program
        .inspect_err(|error| {
            let strict = env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!strict, "{error}");
            eprintln!("SKIPPED: {error}");
        })
        .ok()
}
