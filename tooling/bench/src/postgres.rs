//! A Postgres server for the arms, and pgbench against it.

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use prism_postgres::{Cluster, Database, Programs};
use prism_runtime::store::postgres;

use crate::calls;
use crate::probe::{Cpu, CpuUse};

/// Ids of pgbench's rows: numbers, which is all that it can make, as long as those of the others.
const FIRST_ID: u64 = 1_000_000_000_000;

/// What a client that knows its table sends: by namespace and id, so the whole record.
const GET: &str = "SELECT key, value FROM kv_items \
                   WHERE namespace = 'bench' AND id = :row ORDER BY key";

/// A throw-away server with the settings of a fresh installation, where every commit is flushed.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
    process: u32,
    programs: PathBuf,
    databases: RefCell<Vec<Database>>,
}

/// What pgbench measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Reads a record.
    Get,
    /// Writes an item, with another value each time.
    Put,
}

/// A run of pgbench.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// What every client does.
    pub script: Script,
    /// Connections, each with one statement in flight.
    pub clients: usize,
    /// Length of a window. pgbench runs twice as long, in whole seconds: it counts the time in
    /// which its clients connect as its own.
    pub length: Duration,
}

impl Run {
    /// How long it is.
    pub fn seconds(self) -> Duration {
        Duration::from_secs((2.0 * self.length.as_secs_f64()).ceil() as u64)
    }
}

impl Server {
    /// Starts one; `None`, and a note, where Postgres is not installed.
    pub fn start() -> Result<Option<Server>, Box<dyn Error>> {
        let programs = match Programs::find() {
            Ok(programs) => programs,
            Err(error) => {
                println!("{error}: left out");
                return Ok(None);
            }
        };
        let cluster = Cluster::start(programs)?;
        let any = cluster.create_database("settings")?;
        let folder = cluster.execute(&any, "SHOW data_directory")?;
        let pid = fs::read_to_string(Path::new(&folder).join("postmaster.pid"))?;
        let process = pid.lines().next().unwrap_or_default().parse()?;
        let programs =
            cluster.execute(&any, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")?;
        let (programs, databases) = (programs.into(), RefCell::default());
        Ok(Some(Server { cluster, process, programs, databases }))
    }

    /// The process that every other one of the server is a child of.
    pub fn process(&self) -> u32 {
        self.process
    }

    /// An empty database.
    pub fn database(&self) -> Result<Database, Box<dyn Error>> {
        let mut databases = self.databases.borrow_mut();
        let database = self.cluster.create_database(&format!("bench_{}", databases.len()))?;
        databases.push(database.clone());
        Ok(database)
    }

    /// What a server that has run for a while has done: statistics, and no dirty pages.
    pub fn settle(&self) -> Result<(), Box<dyn Error>> {
        for database in self.databases.borrow().iter() {
            self.cluster.execute(database, "VACUUM (ANALYZE)")?;
            self.cluster.execute(database, "CHECKPOINT")?;
        }
        Ok(())
    }

    /// A database with Prism's own key-value table, filled for pgbench.
    pub fn pgbench_database(&self, rows: u32, payload: usize) -> Result<Database, Box<dyn Error>> {
        let database = self.database()?;
        drop(postgres::Database::open(&postgres::Options::new(database.url()))?);
        let value = padding(payload);
        let fill = format!(
            "INSERT INTO kv_items (namespace, id, key, token, compression, ttl_seconds, \
             created_at_millis, updated_at_millis, value) \
             SELECT 'bench', ({FIRST_ID} + row)::text::bytea, 'profile', 0, 0, 0, 0, 0, \
             '{value}' || int8send(0) FROM generate_series(0, {rows} - 1) AS row"
        );
        self.cluster.execute(&database, &fill)?;
        Ok(database)
    }

    /// Runs pgbench; transactions a second, and the CPU time of its run.
    pub fn pgbench(
        &self,
        database: &Database,
        run: Run,
        (rows, payload): (u32, usize),
        directory: &Path,
    ) -> Result<(f64, CpuUse), Box<dyn Error>> {
        let script = directory.join("pgbench.sql");
        fs::write(&script, run.script.text(rows, payload))?;
        let seconds = run.seconds().as_secs();
        let mut command = Command::new(self.programs.join("pgbench"));
        command.args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2"]);
        command.args(["--client", &run.clients.to_string(), "--time", &seconds.to_string()]);
        command.arg("--file").arg(&script).arg(database.url());
        let before = Cpu::now(None, Some(self.process));
        let output = command.output()?;
        let used = before.used();
        let text = String::from_utf8_lossy(&output.stdout);
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split_whitespace().next()?.parse().ok());
        match rate {
            Some(rate) if output.status.success() => Ok((rate, used)),
            _ => {
                let errors = String::from_utf8_lossy(&output.stderr);
                Err(format!("pgbench: {}: {text}{errors}", output.status).into())
            }
        }
    }

    /// How many rows pgbench has written; an error where a value is not the one of its write.
    pub fn verify_pgbench(&self, database: &Database) -> Result<usize, Box<dyn Error>> {
        let wrong = "SELECT count(*) FROM kv_items \
                     WHERE right(encode(value, 'hex'), 16) <> encode(int8send(token), 'hex')";
        let wrong = self.cluster.execute(database, wrong)?;
        if wrong != "0" {
            return Err(format!("pgbench: {wrong} wrong rows").into());
        }
        let written = "SELECT count(*) FROM kv_items WHERE token <> 0";
        Ok(self.cluster.execute(database, written)?.parse()?)
    }
}

impl Script {
    fn text(self, rows: u32, payload: usize) -> String {
        let last = FIRST_ID + u64::from(rows) - 1;
        let row = format!("\\set row random({FIRST_ID}, {last})\n");
        match self {
            Script::Get => format!("{row}{GET};\n"),
            Script::Put => {
                let value = padding(payload);
                format!(
                    "{row}\\set write random(1, 9000000000000000000)\n\
                     INSERT INTO kv_items (namespace, id, key, token, compression, ttl_seconds, \
                     created_at_millis, updated_at_millis, value) \
                     VALUES ('bench', :row, 'profile', :write, 0, 0, 1, 1, \
                     '{value}'::bytea || int8send(:write)) \
                     ON CONFLICT (namespace, id, key) DO UPDATE SET token = excluded.token, \
                     compression = excluded.compression, ttl_seconds = excluded.ttl_seconds, \
                     updated_at_millis = excluded.updated_at_millis, \
                     expires_at = excluded.expires_at, removable_at = excluded.removable_at, \
                     value = excluded.value;\n"
                )
            }
        }
    }
}

/// What stands before the eight bytes that a write changes.
fn padding(payload: usize) -> String {
    let value = calls::value(0, payload);
    String::from_utf8_lossy(&value[..value.len() - 8]).into_owned()
}
