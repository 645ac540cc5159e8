//! `prism-bench`: Prism against in-binary references, as ratios.
//!
//! Absolute figures depend on the machine and the minute; so the references run between Prism's
//! own windows, and only ratios are judged. `cargo xtask bench` builds and runs it.
#![allow(clippy::print_stdout)] // its output is what it is for

mod arms;
mod calls;
mod child;
mod load;
mod postgres;
mod probe;
mod process;
mod report;
mod shim;
mod suite;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use arms::{Arm, Start};
use child::Settings;
use load::{Pace, Window};
use postgres::Server;
use report::{Goal, Rows, Verdict};
use suite::{Outcome, Shape, Suite, WARM_UP, Workload};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Measures Prism against in-binary references")]
struct Cli {
    /// What to measure; everything where none is named.
    parts: Vec<Part>,
    /// Rounds of every workload.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of a window, in milliseconds.
    #[arg(long, default_value_t = 1200)]
    window: u64,
    /// Connections of the generator.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Calls in flight on each connection.
    #[arg(long, default_value_t = 32)]
    in_flight: usize,
    /// Rows of every store.
    #[arg(long, default_value_t = 20_000)]
    rows: u32,
    /// Bytes of an echo's body and of a value.
    #[arg(long, default_value_t = 256)]
    payload: usize,
    /// Pin every arm to these CPUs, as `taskset --cpu-list` takes them.
    #[arg(long)]
    pin: Option<String>,
    /// Folder for the databases: on the disk that is to be measured.
    #[arg(long, default_value = "target")]
    directory: PathBuf,
    /// Be an arm; how this program starts itself.
    #[arg(long, hide = true)]
    arm: Option<Arm>,
    /// The database of an arm on Postgres.
    #[arg(long, hide = true, default_value = "")]
    url: String,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Prism's server against stock tonic.
    Echo,
    /// Gets from SQLite.
    Get,
    /// Durable puts into SQLite.
    Put,
    /// Latencies at 10,000 calls a second, whatever the server does.
    Latency,
    /// Gets from Postgres and durable puts into it: 128 in flight, one, and 10,000 a second.
    Postgres,
    /// Durable puts where a flush takes 0.5 and 2 ms.
    Fsync,
    /// Start and memory of the prism-proxy binary.
    Proxy,
    /// `prism generate` of a large schema.
    Generate,
}

impl Cli {
    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    fn settings(&self) -> Settings {
        let (rows, payload, pin) = (self.rows, self.payload, self.pin.clone());
        Settings { rows, payload, pin, shim: None, postgres: None }
    }

    fn shape(&self) -> Shape {
        Shape {
            connections: self.connections,
            pace: Pace::Closed { in_flight: self.in_flight },
            rounds: self.rounds,
            window: Window { warm_up: WARM_UP, length: Duration::from_millis(self.window) },
        }
    }
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let cli = Cli::parse();
    if let Some(arm) = cli.arm {
        let (rows, payload) = (cli.rows, cli.payload);
        arm.run(Start { directory: &cli.directory, url: &cli.url, rows, payload })?;
        return Ok(ExitCode::SUCCESS);
    }
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(&cli.directory)?;
    let mut goals = rounds(&cli, directory.path())?;
    if cli.has(Part::Postgres)
        && let Some(server) = Server::start()?
    {
        goals.extend(on_postgres(&cli, Rc::new(server), directory.path())?);
    }
    if cli.has(Part::Fsync) {
        goals.extend(shimmed(&cli, directory.path())?);
    }
    if cli.has(Part::Proxy) {
        goals.extend(process::proxy(directory.path())?);
    }
    if cli.has(Part::Generate) {
        goals.extend(process::generate(directory.path())?);
    }
    println!("\nGoals");
    for goal in &goals {
        println!("  {goal}");
    }
    let missed = goals.iter().any(|goal| goal.verdict == Verdict::Missed);
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The interleaved rounds, and the open loop on the same servers.
fn rounds(cli: &Cli, directory: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    let mut workloads = Vec::new();
    if cli.has(Part::Echo) {
        workloads.extend([Workload::TonicEcho, Workload::PrismEcho]);
    }
    if cli.has(Part::Get) {
        workloads.extend([Workload::PrismEcho, Workload::NaiveGet, Workload::PrismGet]);
        workloads.extend([Workload::PrismGetOrder, Workload::GetLoop]);
    }
    if cli.has(Part::Put) {
        workloads.extend([Workload::NaivePut, Workload::PrismPut, Workload::AutocommitLoop]);
    }
    if workloads.is_empty() && !cli.has(Part::Latency) {
        return Ok(Vec::new());
    }
    println!(
        "{} rounds, windows of {} ms; {} connections x {} in flight, {} B; server and generator share {} CPUs",
        cli.rounds,
        cli.window,
        cli.connections,
        cli.in_flight,
        cli.payload,
        std::thread::available_parallelism()?,
    );
    let mut suite = Suite::start(&workloads, directory, cli.shape(), cli.settings())?;
    let outcome = suite.measure()?;
    print(&suite, &outcome)?;
    drop(suite);
    let mut goals = ratios(&outcome, &SQLITE);
    if cli.has(Part::Latency) {
        let workloads = [Workload::PrismEcho, Workload::PrismGet, Workload::PrismPut];
        let outcome = latency(cli, &workloads, &directory.join("latency"), cli.settings())?;
        for (name, workload) in
            [("SQLite Get", Workload::PrismGet), ("SQLite Put", Workload::PrismPut)]
        {
            goals.push(p99(name, &outcome.rows[&workload]));
        }
    }
    Ok(goals)
}

/// What every workload did; the rows that were written are read back.
fn print(suite: &Suite, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    println!("fsync of 4 KiB: {:.0} us", outcome.fsync.median());
    for (workload, rows) in &outcome.rows {
        println!("  {workload:<36} {rows}");
    }
    for workload in outcome.rows.keys() {
        if let Some(rows) = suite.verify(*workload)? {
            println!("  {workload}: {rows} rows read back and right");
        }
    }
    Ok(())
}

/// A ratio that should be reached: its name, the least, what is measured, the reference.
type Wanted = (&'static str, f64, Workload, Workload);

const SQLITE: [Wanted; 4] = [
    ("Prism echo / stock tonic echo", 1.7, Workload::PrismEcho, Workload::TonicEcho),
    ("SQLite Get / Prism echo", 0.5, Workload::PrismGet, Workload::PrismEcho),
    ("SQLite Get / naive sqlx Get", 4.0, Workload::PrismGet, Workload::NaiveGet),
    ("SQLite durable Put / autocommit", 5.0, Workload::PrismPut, Workload::AutocommitLoop),
];

const POSTGRES: [Wanted; 4] = [
    ("Postgres Get / pgbench", 1.2, Workload::PostgresGet, Workload::PgbenchGet),
    ("Postgres Get / naive pool Get", 4.0, Workload::PostgresGet, Workload::NaivePostgresGet),
    ("Postgres Put / pgbench", 1.8, Workload::PostgresPut, Workload::PgbenchPut),
    ("Postgres Put / naive pool Put", 4.0, Workload::PostgresPut, Workload::NaivePostgresPut),
];

/// The goals that compare two workloads, where both were measured.
fn ratios(outcome: &Outcome, wanted: &[Wanted]) -> Vec<Goal> {
    let goals = wanted.iter().filter_map(|&(name, least, measured, reference)| {
        let (measured, reference) = (outcome.rows.get(&measured)?, outcome.rows.get(&reference)?);
        Some(Goal::ratio(name, least, measured, reference))
    });
    goals.collect()
}

/// Latencies in an open loop.
fn latency(
    cli: &Cli,
    workloads: &[Workload],
    directory: &Path,
    settings: Settings,
) -> Result<Outcome, Box<dyn Error>> {
    println!("open loop, {RATE} calls a second, latency from when a call should have been sent");
    let shape = Shape {
        pace: Pace::Open { rate: RATE / cli.connections as f64 },
        window: Window { warm_up: WARM_UP, length: Duration::from_millis(3 * cli.window) },
        rounds: cli.rounds.min(5),
        ..cli.shape()
    };
    let mut suite = Suite::start(workloads, directory, shape, settings)?;
    let outcome = suite.measure()?;
    print(&suite, &outcome)?;
    Ok(outcome)
}

/// Calls a second of the open loop.
const RATE: f64 = 10_000.0;

fn p99(name: &str, rows: &Rows) -> Goal {
    Goal::p99(&format!("{name} P99 at {RATE} calls a second"), 10.0, rows)
}

/// Postgres: at full speed, with one call in flight, and in an open loop.
fn on_postgres(
    cli: &Cli,
    server: Rc<Server>,
    directory: &Path,
) -> Result<Vec<Goal>, Box<dyn Error>> {
    let settings = Settings { postgres: Some(server), ..cli.settings() };
    let workloads = [
        Workload::PgbenchGet,
        Workload::NaivePostgresGet,
        Workload::PostgresGet,
        Workload::PostgresGetOrder,
        Workload::PgbenchPut,
        Workload::NaivePostgresPut,
        Workload::PostgresPut,
        Workload::PostgresPutOrder,
    ];
    println!("Postgres, {} connections x {} in flight", cli.connections, cli.in_flight);
    let mut suite = Suite::start(&workloads, directory, cli.shape(), settings.clone())?;
    let outcome = suite.measure()?;
    print(&suite, &outcome)?;
    drop(suite);
    let mut goals = ratios(&outcome, &POSTGRES);

    println!("Postgres, one call in flight");
    let pairs = [
        ("Postgres Get, median / naive pool's", Workload::PostgresGet, Workload::NaivePostgresGet),
        ("Postgres Put, median / naive pool's", Workload::PostgresPut, Workload::NaivePostgresPut),
    ];
    let mut workloads = vec![Workload::PostgresGetOrder, Workload::PostgresPutOrder];
    workloads.extend(pairs.iter().flat_map(|(_, measured, reference)| [*measured, *reference]));
    let shape = Shape { connections: 1, pace: Pace::Closed { in_flight: 1 }, ..cli.shape() };
    let mut suite = Suite::start(&workloads, &directory.join("single"), shape, settings.clone())?;
    let outcome = suite.measure()?;
    print(&suite, &outcome)?;
    drop(suite);
    for (name, measured, reference) in pairs {
        goals.push(Goal::slower(name, 1.05, &outcome.rows[&measured], &outcome.rows[&reference]));
    }

    let named = [
        ("Postgres Get", Workload::PostgresGet),
        ("Postgres Put", Workload::PostgresPut),
        ("Postgres GetOrder", Workload::PostgresGetOrder),
        ("Postgres PutOrder", Workload::PostgresPutOrder),
    ];
    let outcome = latency(cli, &named.map(|(_, w)| w), &directory.join("open"), settings)?;
    goals.extend(named.map(|(name, workload)| p99(name, &outcome.rows[&workload])));
    Ok(goals)
}

/// Puts where every flush takes a fixed time, so that group commit is judged without the disk.
fn shimmed(cli: &Cli, directory: &Path) -> Result<Vec<Goal>, Box<dyn Error>> {
    let Some(library) = shim::build(directory)? else {
        println!("no C compiler: puts with a fixed flush time are left out");
        return Ok(Vec::new());
    };
    let mut goals = Vec::new();
    for (microseconds, least) in [(500, 5.0), (2000, 20.0)] {
        let own = directory.join(format!("flush-{microseconds}"));
        let settings = Settings { shim: Some((library.clone(), microseconds)), ..cli.settings() };
        let workloads = [Workload::PrismPut, Workload::AutocommitLoop];
        let mut suite = Suite::start(&workloads, &own, cli.shape(), settings)?;
        let outcome = suite.measure()?;
        for (workload, rows) in &outcome.rows {
            println!("  {workload:<36} {rows}   (flush {microseconds} us)");
        }
        suite.verify(Workload::PrismPut)?;
        let name = format!("SQLite Put / autocommit, flush {microseconds} us");
        let [put, autocommit] = workloads.map(|workload| &outcome.rows[&workload]);
        goals.push(Goal::ratio(&name, least, put, autocommit));
    }
    Ok(goals)
}
