//! The rounds: every workload once in each, so that a slow minute of the machine hits all.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arms::Arm;
use crate::calls::{Echo, GetOrders, Gets, PutOrders, Puts, Share};
use crate::child::{Running, Settings};
use crate::load::{self, Calls, Measured, Pace, Window};
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
        })
    }
}

impl Workload {
    fn arm(self) -> Arm {
        match self {
            Workload::TonicEcho => Arm::TonicEcho,
            Workload::PrismEcho => Arm::PrismEcho,
            Workload::NaiveGet | Workload::NaivePut => Arm::NaiveKeyValue,
            Workload::PrismGet | Workload::PrismPut => Arm::PrismKeyValue,
            Workload::PrismGetOrder => Arm::PrismOrders,
            Workload::GetLoop => Arm::GetLoop,
            Workload::AutocommitLoop => Arm::AutocommitLoop,
        }
    }

    fn is_loop(self) -> bool {
        matches!(self, Workload::GetLoop | Workload::AutocommitLoop)
    }
}

/// How the load is shaped.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Connections of the generator.
    pub connections: usize,
    /// Calls in flight on each.
    pub in_flight: usize,
    /// Rounds.
    pub rounds: usize,
    /// What is counted of a round's share.
    pub window: Window,
}

/// The calls of one connection.
enum Work {
    Echo(Echo),
    Get(Gets),
    GetOrder(GetOrders),
    Put(Puts),
}

impl Calls for Work {
    fn path(&self) -> &'static str {
        match self {
            Work::Echo(calls) => calls.path(),
            Work::Get(calls) => calls.path(),
            Work::GetOrder(calls) => calls.path(),
            Work::Put(calls) => calls.path(),
        }
    }

    fn next(&mut self, message: &mut Vec<u8>) -> Option<u64> {
        match self {
            Work::Echo(calls) => calls.next(message),
            Work::Get(calls) => calls.next(message),
            Work::GetOrder(calls) => calls.next(message),
            Work::Put(calls) => calls.next(message),
        }
    }

    fn answered(&mut self, tag: u64, message: &[u8]) -> bool {
        match self {
            Work::Echo(calls) => calls.answered(tag, message),
            Work::Get(calls) => calls.answered(tag, message),
            Work::GetOrder(calls) => calls.answered(tag, message),
            Work::Put(calls) => calls.answered(tag, message),
        }
    }
}

/// Arms that run, and the state of their calls.
pub struct Suite {
    shape: Shape,
    settings: Settings,
    directory: PathBuf,
    running: BTreeMap<String, Running>,
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
            work: BTreeMap::new(),
        };
        for workload in workloads {
            suite.start_one(*workload)?;
        }
        Ok(suite)
    }

    fn start_one(&mut self, workload: Workload) -> Result<(), Box<dyn Error>> {
        let name = workload.arm().name();
        if !self.running.contains_key(&name) {
            let own = self.directory.join(&name);
            std::fs::create_dir_all(&own)?;
            let running = Running::start(workload.arm(), &own, &self.settings)?;
            self.running.insert(name.clone(), running);
            let payload = self.settings.payload;
            if workload.arm() == Arm::PrismKeyValue {
                let puts = self.shares().map(|share| self.puts(share).once()).collect();
                self.complete(&name, puts)?;
            } else if workload.arm() == Arm::PrismOrders {
                let puts = self.shares().map(|share| PutOrders::new(share, payload)).collect();
                self.complete(&name, puts)?;
            }
        }
        let payload = self.settings.payload;
        let work = self.shares().filter_map(|share| match workload {
            Workload::TonicEcho | Workload::PrismEcho => Some(Work::Echo(Echo::new(payload))),
            Workload::NaiveGet | Workload::PrismGet => Some(Work::Get(Gets::new(share))),
            Workload::NaivePut | Workload::PrismPut => Some(Work::Put(self.puts(share))),
            Workload::PrismGetOrder => Some(Work::GetOrder(GetOrders::new(share))),
            Workload::GetLoop | Workload::AutocommitLoop => None,
        });
        let work = work.collect();
        self.work.insert(workload, work);
        Ok(())
    }

    fn puts(&self, share: Share) -> Puts {
        Puts::new(share, self.settings.payload)
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
                if workload.is_loop() {
                    self.measure_loop(*workload, rows)?;
                } else {
                    let pace = Pace::Closed { in_flight: self.shape.in_flight };
                    let measured = self.window(*workload, pace, self.shape.window)?;
                    let seconds = measured.length.as_secs_f64();
                    rows.rate.push(measured.rate());
                    rows.p50.push(measured.latency_ms(0.5));
                    rows.p99.push(measured.latency_ms(0.99));
                    rows.per_cpu.push(measured.per_cpu_second());
                    rows.cores.push(measured.cpu.server / seconds);
                    rows.generator.push(measured.cpu.generator / seconds);
                    rows.foreign.push(measured.cpu.foreign);
                }
            }
            // A, B then B, A: neither always comes after the other.
            order.reverse();
        }
        Ok(outcome)
    }

    fn measure_loop(&mut self, workload: Workload, rows: &mut Rows) -> Result<(), Box<dyn Error>> {
        let length = self.shape.window.length;
        let running = self.running.get_mut(&workload.arm().name()).ok_or("not started")?;
        let before = probe::Cpu::now(running.id());
        let rate = running.rounds(length)?;
        let used = probe::Cpu::now(running.id()).since(&before);
        rows.rate.push(rate);
        rows.per_cpu.push(rate * length.as_secs_f64() / used.server);
        rows.cores.push(used.server / length.as_secs_f64());
        rows.generator.push(used.generator / length.as_secs_f64());
        rows.foreign.push(used.foreign);
        Ok(())
    }

    /// One window of a workload's calls.
    pub fn window(
        &mut self,
        workload: Workload,
        pace: Pace,
        window: Window,
    ) -> Result<Measured, Box<dyn Error>> {
        let running = self.running.get(&workload.arm().name()).ok_or("not started")?;
        let work = self.work.remove(&workload).unwrap_or_default();
        let (measured, work) = load::run(running.address()?, running.id(), work, pace, window)?;
        self.work.insert(workload, work);
        if measured.wrong > 0 {
            return Err(format!("{workload}: {} wrong answers", measured.wrong).into());
        }
        Ok(measured)
    }

    /// Makes bounded calls to their end.
    fn complete<C: Calls + 'static>(&self, arm: &str, calls: Vec<C>) -> Result<(), Box<dyn Error>> {
        let running = self.running.get(arm).ok_or("not started")?;
        let wrong = load::complete(running.address()?, calls, self.shape.in_flight)?;
        if wrong > 0 {
            return Err(format!("{arm}: {wrong} wrong answers").into());
        }
        Ok(())
    }

    /// Reads back every row that a put was acknowledged for, through the server. The number of
    /// rows.
    pub fn verify(&self, workload: Workload) -> Result<usize, Box<dyn Error>> {
        let work = self.work.get(&workload).map(Vec::as_slice).unwrap_or_default();
        let verifications: Vec<_> = work
            .iter()
            .filter_map(|work| match work {
                Work::Put(puts) => Some(puts.verification()),
                _ => None,
            })
            .collect();
        let rows = verifications.iter().map(|verification| verification.rows()).sum();
        self.complete(&workload.arm().name(), verifications)?;
        Ok(rows)
    }
}

/// Time before a window, in which caches fill and branch predictors learn.
pub const WARM_UP: Duration = Duration::from_millis(200);
