//! The thread that copies the write-ahead log back into the database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::Options;
use super::condition::Condition;
use super::connection::{PAGE_BYTES, leave_files};
use super::log::FRAME_HEADER_BYTES;

/// Pages that may be left to copy when the writer is made to wait: what takes about as long as a
/// commit.
const SHORT_REST: u64 = 256;

/// Rounds in which the copying comes closer to a writer that goes on, at most.
const ROUNDS: usize = 8;

/// Rounds without a commit after which the log is cut: it keeps its length while writes go on, and
/// the disk has the room back when they have stopped.
const IDLE_ROUNDS: u32 = 20;

/// How often the files are looked at, at least.
const LOOK: Duration = Duration::from_secs(1);

/// Ends the thread when dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    _stop: Sender<()>,
}

impl Checkpointer {
    /// Starts the thread, which copies whenever `commits` has changed.
    pub(super) fn start(
        connection: Connection,
        options: &Options,
        commits: Arc<AtomicU64>,
        condition: Arc<Condition>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (stop, stopped) = channel();
        let limit_pages = options.wal_limit_bytes / u64::from(PAGE_BYTES + FRAME_HEADER_BYTES);
        let (interval, span) = (options.checkpoint_interval, options.span());
        let thread =
            std::thread::Builder::new().name("sqlite-checkpoint".into()).spawn(move || {
                let copier = Copier { connection, limit_pages, commits, condition };
                span.in_scope(|| copier.run(&stopped, interval));
            })?;
        Ok((Checkpointer { _stop: stop }, thread))
    }
}

struct Copier {
    connection: Connection,
    limit_pages: u64,
    commits: Arc<AtomicU64>,
    condition: Arc<Condition>,
}

impl Copier {
    fn run(&self, stopped: &Receiver<()>, interval: Duration) {
        let mut copied = 0;
        // Rounds since the last commit; none once the log is cut.
        let mut idle = Some(0);
        let mut due = Instant::now() + interval;
        let mut is_rescued = false;
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(interval.min(LOOK)) {
            self.condition.check_files();
            if self.condition.is_lost() {
                if !std::mem::replace(&mut is_rescued, true) {
                    self.rescue();
                }
                continue;
            }
            is_rescued = false;
            if Instant::now() < due {
                continue;
            }
            due = Instant::now() + interval;
            let commits = self.commits.load(Ordering::Acquire);
            if commits != copied {
                idle = Some(0);
                if self.copy() {
                    copied = commits;
                }
            } else if let Some(rounds) = idle {
                idle = match rounds < IDLE_ROUNDS {
                    true => Some(rounds + 1),
                    false if self.cut() => None,
                    // A read needs the log; later perhaps none does.
                    false => Some(0),
                };
            }
        }
        // The writer has ended: all that it wrote goes into the database, and the log is emptied.
        self.rescue();
        if self.condition.is_lost() {
            leave_files(&self.connection);
        }
    }

    /// Copies all that was acknowledged. Where the log is gone, it is in the database then; where
    /// the database was replaced, its log is not taken for the other one's.
    fn rescue(&self) {
        self.condition.rescue(|| {
            checkpoint(&self.connection, "TRUNCATE");
        });
    }

    /// Copies beside readers and the writer. Where the log has grown over its limit, the writer has
    /// to wait while the rest is copied, and then begins the log anew: not before the rest is
    /// short. Tells whether nothing is left to copy.
    fn copy(&self) -> bool {
        let mut copied_pages = None;
        for _ in 0..ROUNDS {
            let Some(progress) = checkpoint(&self.connection, "PASSIVE") else { return false };
            if progress.log_pages <= self.limit_pages {
                return progress.is_complete();
            }
            if progress.rest() <= SHORT_REST {
                break;
            }
            if copied_pages.replace(progress.copied_pages) == Some(progress.copied_pages) {
                // A long read needs the log as it is: the writer would wait in vain.
                return false;
            }
        }
        // The file keeps its length: to overwrite it takes a flush less work than to extend it.
        checkpoint(&self.connection, "RESTART").is_some_and(|progress| progress.is_complete())
    }

    /// Empties the log, all of which has been copied: no writer waits for more than the cut itself.
    fn cut(&self) -> bool {
        checkpoint(&self.connection, "TRUNCATE").is_some_and(|progress| progress.is_complete())
    }
}

struct Progress {
    log_pages: u64,
    copied_pages: u64,
}

impl Progress {
    fn rest(&self) -> u64 {
        self.log_pages.saturating_sub(self.copied_pages)
    }

    fn is_complete(&self) -> bool {
        self.rest() == 0
    }
}

/// <https://www.sqlite.org/pragma.html#pragma_wal_checkpoint>. Without an answer where SQLite
/// fails: the log is kept and the next round tries again.
fn checkpoint(connection: &Connection, mode: &str) -> Option<Progress> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let answer = connection.query_row(&sql, [], |row| {
        let busy: bool = row.get(0)?;
        // -1 where the log could not be looked at.
        let log_pages = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        let copied_pages = u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0);
        Ok((!busy || mode == "PASSIVE").then_some(Progress { log_pages, copied_pages }))
    });
    match answer {
        Ok(progress) => progress,
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log cannot be copied into the database");
            None
        }
    }
}
