//! What is measured. Each arm runs in a process of its own: this binary, started again.

mod embedded;
mod naive;
mod naive_postgres;
mod prism;
mod stock;

use std::error::Error;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;

use clap::ValueEnum;

/// A server, or a loop without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// Reference: an echo on tonic's own server and a multi-thread runtime, as its examples do.
    TonicEcho,
    /// Prism's server with an echo as its only service.
    PrismEcho,
    /// Reference: key-value Get and Put as one writes them first: tonic, and a pool of four sqlx
    /// connections.
    NaiveKeyValue,
    /// Prism's KeyValueService on SQLite with its default settings.
    PrismKeyValue,
    /// Prism's generated OrderService on SQLite with its default settings.
    PrismOrders,
    /// Reference: key-value Get and Put as one writes them first: tonic, and a pool of sixteen sqlx
    /// connections to Postgres.
    NaivePostgres,
    /// Prism's KeyValueService and generated OrderService on Postgres with its default settings.
    PrismPostgres,
    /// Reference: rusqlite in a loop, a transaction for each put, nothing around it.
    AutocommitLoop,
    /// Reference: rusqlite in a loop, prepared gets of random rows.
    GetLoop,
}

/// What an arm is started with.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// Folder for its files.
    pub directory: &'a Path,
    /// The Postgres database; empty where the arm has none.
    pub url: &'a str,
    /// Rows of its store.
    pub rows: u32,
    /// Bytes of a value.
    pub payload: usize,
}

/// Path of the echo method of both echo arms.
pub const ECHO: &str = "/prism.bench.v1.EchoService/Echo";
/// Path of the get method of both key-value arms.
pub const GET: &str = "/prism.keyvalue.v1.KeyValueService/Get";
/// Path of the put method of both key-value arms.
pub const PUT: &str = "/prism.keyvalue.v1.KeyValueService/Put";

/// Paths of the methods of the generated service.
pub const GET_ORDER: &str = "/acme.orders.v1.OrderService/GetOrder";
pub const PUT_ORDER: &str = "/acme.orders.v1.OrderService/PutOrder";

/// A message of the echo arms.
#[derive(Clone, PartialEq, prost::Message)]
pub struct EchoMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub body: bytes::Bytes,
}

impl Arm {
    /// The name that the arm's process is started with.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it needs a Postgres database.
    pub fn is_on_postgres(self) -> bool {
        matches!(self, Arm::NaivePostgres | Arm::PrismPostgres)
    }

    /// Runs the arm until standard input ends.
    pub fn run(self, start: Start<'_>) -> Result<(), Box<dyn Error>> {
        let Start { directory, url, rows, payload } = start;
        match self {
            Arm::TonicEcho => stock::serve(async { Ok(stock::Echo) }),
            Arm::NaiveKeyValue => naive::serve(directory, rows, payload),
            Arm::PrismEcho => prism::serve_echo(),
            Arm::PrismKeyValue => prism::serve_key_value(directory),
            Arm::PrismOrders => prism::serve(&directory.join("prism.db").display().to_string()),
            Arm::NaivePostgres => naive_postgres::serve(url, rows, payload),
            Arm::PrismPostgres => prism::serve(url),
            Arm::AutocommitLoop => embedded::puts(directory, rows, payload),
            Arm::GetLoop => embedded::gets(directory, rows, payload),
        }
    }
}

/// Tells the parent process where the arm listens.
fn announce(address: SocketAddr) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{address}")?;
    stdout.flush()
}

/// Blocks until the parent closes its end: also when it was killed.
fn until_parent_leaves() -> io::Result<()> {
    io::stdin().lock().read_to_end(&mut Vec::new()).map(drop)
}

/// Runs a loop for as many milliseconds as each line of standard input says, and answers with
/// how often it went round.
fn on_demand(
    mut run: impl FnMut(std::time::Duration) -> Result<u64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "ready")?;
    stdout.flush()?;
    for line in io::stdin().lock().lines() {
        let rounds = run(std::time::Duration::from_millis(line?.parse()?))?;
        writeln!(stdout, "{rounds}")?;
        stdout.flush()?;
    }
    Ok(())
}
