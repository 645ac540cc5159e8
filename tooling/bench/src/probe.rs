//! What the machine says: CPU time, memory, and how long its disk takes to flush.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Length of a tick in /proc, which Linux fixes for programs at 1/100 s.
const TICK: f64 = 0.01;

/// CPU time of a server, of its Postgres, of this process and of the whole machine, in seconds.
#[derive(Clone, Debug)]
pub struct Cpu {
    server_id: Option<u32>,
    postgres_id: Option<u32>,
    server: f64,
    postgres: f64,
    own: f64,
    machine: f64,
    taken: Instant,
}

/// CPU time between two moments.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuUse {
    /// Seconds that the server had.
    pub server: f64,
    /// Seconds that Postgres had, all of its processes.
    pub postgres: f64,
    /// Seconds that the generator had: this process and the programs that it ran to their end.
    pub generator: f64,
    /// Cores that everybody else used, on average.
    pub foreign: f64,
}

impl Cpu {
    /// The times now, with those of the process `server`, and of `postgres` with its children.
    pub fn now(server: Option<u32>, postgres: Option<u32>) -> Cpu {
        Cpu {
            server_id: server,
            postgres_id: postgres,
            server: server.map_or(0.0, |id| process(&id.to_string())),
            postgres: postgres.map_or(0.0, family),
            own: process("self") + ended_children("self"),
            machine: machine(),
            taken: Instant::now(),
        }
    }

    /// What the same processes have used until now.
    pub fn used(&self) -> CpuUse {
        Cpu::now(self.server_id, self.postgres_id).since(self)
    }

    fn since(&self, before: &Cpu) -> CpuUse {
        let server = self.server - before.server;
        let postgres = (self.postgres - before.postgres).max(0.0);
        let generator = self.own - before.own;
        let elapsed = self.taken.duration_since(before.taken).as_secs_f64();
        let others = self.machine - before.machine - server - postgres - generator;
        CpuUse { server, postgres, generator, foreign: others.max(0.0) / elapsed }
    }
}

/// Time on a CPU of all threads of a process, in seconds; of nanosecond resolution.
fn process(id: &str) -> f64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{id}/task")) else { return 0.0 };
    let nanoseconds: u64 = tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    nanoseconds as f64 / 1e9
}

/// Time on a CPU of a process and its children, also of those that have ended.
fn family(id: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let living: f64 = text.split_whitespace().map(process).sum();
    process(&id.to_string()) + living + ended_children(&id.to_string())
}

/// Time on a CPU of the children of a process that have ended, in seconds.
fn ended_children(id: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name, in brackets, may hold blanks; cutime and cstime are the 16th and 17th of all.
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace().skip(13).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() * TICK
}

/// Busy time of all cores: user, nice, system, irq, softirq and steal.
fn machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum::<f64>() * TICK
}

/// Resident memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// All resident pages, in MiB: also those of the binary, which the page cache shares.
    pub resident: f64,
    /// Pages that belong to the process alone, in MiB.
    pub anonymous: f64,
}

/// The memory of a process now; `None` where it is gone.
pub fn memory(process: u32) -> Option<Memory> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mib = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
    };
    Some(Memory { resident: mib("VmRSS:")?, anonymous: mib("RssAnon:")? })
}

/// The median time that a write of 4 KiB and its flush take in a folder.
pub fn fsync(directory: &Path) -> io::Result<Duration> {
    let mut file = File::create(directory.join("fsync-probe"))?;
    let mut times = Vec::new();
    for round in 0..21_u8 {
        let start = Instant::now();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&[round; 4096])?;
        file.sync_all()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
