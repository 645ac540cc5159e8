//! The rounds: every workload once in each, so that a slow minute of the machine hits all.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use prism_postgres::Database;

use crate::arms::Arm;
use crate::calls::{Echo, Gets, Kind, Puts, Share};
use crate::child::{Running, Settings};
use crate::load::{self, Calls, Measured, Pace, Window};
use crate::postgres::{Run, Script, Server};
use crate::probe;
use crate::report::{Rows, Series};

/// A kind of call to one arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    TonicEcho,
    PrismEcho,
    NaiveGet,
    PrismGet,
    PrismGetOrder,
    GetLoop,
    NaivePut,
    PrismPut,
    AutocommitLoop,
    PgbenchGet,
    NaivePostgresGet,
    PostgresGet,
    PostgresGetOrder,
    PgbenchPut,
    NaivePostgresPut,
    PostgresPut,
    PostgresPutOrder,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Workload::TonicEcho => "stock tonic echo",
            Workload::PrismEcho => "Prism echo",
            Workload::NaiveGet => "naive sqlx Get",
            Workload::PrismGet => "Prism SQLite Get",
            Workload::PrismGetOrder => "Prism SQLite GetOrder, generated",
            Workload::GetLoop => "rusqlite get loop, in process",
            Workload::NaivePut => "naive sqlx Put",
            Workload::PrismPut => "Prism SQLite Put (FULL)",
            Workload::AutocommitLoop => "rusqlite autocommit loop, in process",
            Workload::PgbenchGet => "pgbench Get, 16 clients",
            Workload::NaivePostgresGet => "naive sqlx Postgres Get",
            Workload::PostgresGet => "Prism Postgres Get",
            Workload::PostgresGetOrder => "Prism Postgres GetOrder, generated",
            Workload::PgbenchPut => "pgbench Put, 64 clients",
            Workload::NaivePostgresPut => "naive sqlx Postgres Put",
            Workload::PostgresPut => "Prism Postgres Put",
            Workload::PostgresPutOrder => "Prism Postgres PutOrder, generated",
        })
    }
}

impl Workload {
    fn run_by(self) -> By {
        match self {
            Workload::TonicEcho => By::Server(Arm::TonicEcho),
            Workload::PrismEcho => By::Server(Arm::PrismEcho),
            Workload::NaiveGet | Workload::NaivePut => By::Server(Arm::NaiveKeyValue),
            Workload::PrismGet | Workload::PrismPut => By::Server(Arm::PrismKeyValue),
            Workload::PrismGetOrder => By::Server(Arm::PrismOrders),
            Workload::NaivePostgresGet | Workload::NaivePostgresPut => {
                By::Server(Arm::NaivePostgres)
            }
            Workload::PostgresGet
            | Workload::PostgresPut
            | Workload::PostgresGetOrder
            | Workload::PostgresPutOrder => By::Server(Arm::PrismPostgres),
            Workload::GetLoop => By::Loop(Arm::GetLoop),
            Workload::AutocommitLoop => By::Loop(Arm::AutocommitLoop),
            Workload::PgbenchGet => By::Pgbench(Script::Get, 16),
            Workload::PgbenchPut => By::Pgbench(Script::Put, 64),
        }
    }

    fn arm(self) -> Option<Arm> {
        match self.run_by() {
            By::Server(arm) | By::Loop(arm) => Some(arm),
            By::Pgbench(..) => None,
        }
    }

    fn calls(self, share: Share, payload: usize) -> Option<Work> {
        Some(match self {
            Workload::TonicEcho | Workload::PrismEcho => Work::Echo(Echo::new(payload)),
            Workload::NaiveGet
            | Workload::PrismGet
            | Workload::NaivePostgresGet
            | Workload::PostgresGet => Work::Get(Gets::new(Kind::KeyValue, share)),
            Workload::PrismGetOrder | Workload::PostgresGetOrder => {
                Work::Get(Gets::new(Kind::Order, share))
            }
            Workload::NaivePut
            | Workload::PrismPut
            | Workload::NaivePostgresPut
            | Workload::PostgresPut => Work::Put(Puts::new(Kind::KeyValue, share, payload)),
            Workload::PostgresPutOrder => Work::Put(Puts::new(Kind::Order, share, payload)),
            Workload::GetLoop
            | Workload::AutocommitLoop
            | Workload::PgbenchGet
            | Workload::PgbenchPut => return None,
        })
    }

    /// Which services of Prism the rows come from.
    fn filled(self) -> Option<Kind> {
        match self.arm()? {
            Arm::PrismKeyValue => Some(Kind::KeyValue),
            Arm::PrismOrders => Some(Kind::Order),
            Arm::PrismPostgres
                if matches!(self, Workload::PostgresGetOrder | Workload::PostgresPutOrder) =>
            {
                Some(Kind::Order)
            }
            Arm::PrismPostgres => Some(Kind::KeyValue),
            _ => None,
        }
    }
}

/// What makes a workload's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The load generator, against an arm.
    Server(Arm),
    /// An arm itself.
    Loop(Arm),
    /// pgbench, with so many clients.
    Pgbench(Script, usize),
}

/// How the load is shaped.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Connections of the generator.
    pub connections: usize,
    /// When each calls.
    pub pace: Pace,
    /// Rounds.
    pub rounds: usize,
    /// What is counted of a round's share.
    pub window: Window,
}

/// The calls of one connection.
enum Work {
    Echo(Echo),
    Get(Gets),
    Put(Puts),
}

impl Calls for Work {
    fn path(&self) -> &'static str {
        match self {
            Work::Echo(calls) => calls.path(),
            Work::Get(calls) => calls.path(),
            Work::Put(calls) => calls.path(),
        }
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        match self {
            Work::Echo(calls) => calls.next(message),
            Work::Get(calls) => calls.next(message),
            Work::Put(calls) => calls.next(message),
        }
    }

    fn answered(&mut self, tag: u64, message: &[u8]) -> bool {
        match self {
            Work::Echo(calls) => calls.answered(tag, message),
            Work::Get(calls) => calls.answered(tag, message),
            Work::Put(calls) => calls.answered(tag, message),
        }
    }
}

/// Calls in flight on each connection while a store is filled or read back.
const FILLING: usize = 32;

/// Arms that run, and the state of their calls.
pub struct Suite {
    shape: Shape,
    settings: Settings,
    directory: PathBuf,
    running: BTreeMap<String, Running>,
    filled: Vec<(Arm, Kind)>,
    pgbench: Option<Database>,
    work: BTreeMap<Workload, Vec<Work>>,
}

/// What the rounds measured.
#[derive(Debug, Default)]
pub struct Outcome {
    /// By workload.
    pub rows: BTreeMap<Workload, Rows>,
    /// Time of a 4 KiB write and its flush, in microseconds.
    pub fsync: Series,
}

impl Suite {
    /// Starts the arms of the workloads, each with files of its own below `directory`, and fills
    /// their stores.
    pub fn start(
        workloads: &[Workload],
        directory: &Path,
        shape: Shape,
        settings: Settings,
    ) -> Result<Suite, Box<dyn Error>> {
        let mut suite = Suite {
            shape,
            settings,
            directory: directory.to_owned(),
            running: BTreeMap::new(),
            filled: Vec::new(),
            pgbench: None,
            work: BTreeMap::new(),
        };
        for workload in workloads {
            suite.start_one(*workload)?;
        }
        if let Some(server) = &suite.settings.postgres {
            server.settle()?;
        }
        Ok(suite)
    }

    fn start_one(&mut self, workload: Workload) -> Result<(), Box<dyn Error>> {
        let payload = self.settings.payload;
        match workload.arm() {
            None if self.pgbench.is_none() => {
                let database = self.server()?.pgbench_database(self.settings.rows, payload)?;
                self.pgbench = Some(database);
            }
            None => {}
            Some(arm) => self.start_arm(arm)?,
        }
        if let (Some(arm), Some(kind)) = (workload.arm(), workload.filled())
            && !self.filled.contains(&(arm, kind))
        {
            let puts = self.shares().map(|share| Puts::new(kind, share, payload).once()).collect();
            self.complete(arm, puts)?;
            self.filled.push((arm, kind));
        }
        let work = self.shares().filter_map(|share| workload.calls(share, payload)).collect();
        self.work.insert(workload, work);
        Ok(())
    }

    fn start_arm(&mut self, arm: Arm) -> Result<(), Box<dyn Error>> {
        let name = arm.name();
        if self.running.contains_key(&name) {
            return Ok(());
        }
        let own = self.directory.join(&name);
        std::fs::create_dir_all(&own)?;
        let url =
            if arm.is_on_postgres() { self.server()?.database()?.url() } else { String::new() };
        let running = Running::start(arm, (&own, &url), &self.settings)?;
        self.running.insert(name, running);
        Ok(())
    }

    fn server(&self) -> Result<&Server, Box<dyn Error>> {
        Ok(self.settings.postgres.as_deref().ok_or("no Postgres")?)
    }

    fn shares(&self) -> impl Iterator<Item = Share> + use<> {
        let (connections, rows) = (self.shape.connections, self.settings.rows);
        (0..connections).map(move |connection| Share { connection, connections, rows })
    }

    /// Runs every round.
    pub fn measure(&mut self) -> Result<Outcome, Box<dyn Error>> {
        let mut outcome = Outcome::default();
        let mut order: Vec<Workload> = self.work.keys().copied().collect();
        for _ in 0..self.shape.rounds {
            outcome.fsync.push(probe::fsync(&self.directory)?.as_secs_f64() * 1e6);
            for workload in &order {
                let rows = outcome.rows.entry(*workload).or_default();
                match workload.run_by() {
                    By::Loop(arm) => self.measure_loop(arm, rows)?,
                    By::Pgbench(script, clients) => self.measure_pgbench(script, clients, rows)?,
                    By::Server(_) => {
                        let pace = self.shape.pace;
                        rows.push(&self.window(*workload, pace, self.shape.window)?);
                    }
                }
            }
            // A, B then B, A: neither always comes after the other.
            order.reverse();
        }
        Ok(outcome)
    }

    fn measure_loop(&mut self, arm: Arm, rows: &mut Rows) -> Result<(), Box<dyn Error>> {
        let length = self.shape.window.length;
        let running = self.running.get_mut(&arm.name()).ok_or("not started")?;
        let before = probe::Cpu::now(Some(running.id()), None);
        let rate = running.rounds(length)?;
        rows.push_rate(rate, &before.used(), length);
        Ok(())
    }

    fn measure_pgbench(
        &self,
        script: Script,
        clients: usize,
        rows: &mut Rows,
    ) -> Result<(), Box<dyn Error>> {
        let database = self.pgbench.as_ref().ok_or("not started")?;
        let run = Run { script, clients, length: self.shape.window.length };
        let stored = (self.settings.rows, self.settings.payload);
        let (rate, used) = self.server()?.pgbench(database, run, stored, &self.directory)?;
        rows.push_rate(rate, &used, run.seconds());
        Ok(())
    }

    /// One window of a workload's calls.
    pub fn window(
        &mut self,
        workload: Workload,
        pace: Pace,
        window: Window,
    ) -> Result<Measured, Box<dyn Error>> {
        let arm = workload.arm().ok_or("not a server")?;
        let running = self.running.get(&arm.name()).ok_or("not started")?;
        let postgres = self.settings.postgres.as_ref().filter(|_| arm.is_on_postgres());
        let processes = (running.id(), postgres.map(|server| server.process()));
        let work = self.work.remove(&workload).unwrap_or_default();
        let (measured, work) = load::run(running.address()?, processes, work, pace, window)?;
        self.work.insert(workload, work);
        if measured.wrong > 0 {
            return Err(format!("{workload}: {} wrong answers", measured.wrong).into());
        }
        Ok(measured)
    }

    /// Makes bounded calls to their end.
    fn complete<C: Calls + 'static>(&self, arm: Arm, calls: Vec<C>) -> Result<(), Box<dyn Error>> {
        let name = arm.name();
        let running = self.running.get(&name).ok_or("not started")?;
        let wrong = load::complete(running.address()?, calls, FILLING)?;
        if wrong > 0 {
            return Err(format!("{name}: {wrong} wrong answers").into());
        }
        Ok(())
    }

    /// Reads back every row that was written, through the server where there is one. The number
    /// of rows; `None` for a workload that writes none.
    pub fn verify(&self, workload: Workload) -> Result<Option<usize>, Box<dyn Error>> {
        if let By::Pgbench(Script::Put, _) = workload.run_by() {
            let Some(database) = &self.pgbench else { return Ok(None) };
            return self.server()?.verify_pgbench(database).map(Some);
        }
        let work = self.work.get(&workload).map(Vec::as_slice).unwrap_or_default();
        let verifications: Vec<_> = work
            .iter()
            .filter_map(|work| match work {
                Work::Put(puts) => Some(puts.verification()),
                _ => None,
            })
            .collect();
        let (Some(arm), false) = (workload.arm(), verifications.is_empty()) else {
            return Ok(None);
        };
        let rows = verifications.iter().map(|verification| verification.rows()).sum();
        self.complete(arm, verifications)?;
        Ok(Some(rows))
    }
}

/// Time before a window, in which caches fill and branch predictors learn.
pub const WARM_UP: Duration = Duration::from_millis(200);
