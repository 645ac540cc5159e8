//! The one thread that writes, and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::condition::{Condition, Trial};
use super::error::{TransactionFailure, outcome_unknown, overloaded, shutting_down};
use super::parts::Parts;
use super::{Options, connection};
use crate::memory::{self, Share};
use crate::store::StoreFuture;
use crate::{Error, Result};

/// Writes that share a COMMIT at most.
const MAX_BATCH: usize = 256;

/// Bytes that the writes of a COMMIT hold, from which on it takes no more: with what they read.
const MAX_BATCH_BYTES: usize = 16 << 20;
/// How long jobs may run before their transaction ends: those that ran first are not to wait for
/// all that come after them.
const MAX_TIME: Duration = Duration::from_millis(50);

/// Where writes are handed to their thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: SyncSender<Message>,
    /// Bytes that wait, and how many may.
    waiting_bytes: Arc<AtomicU64>,
    max_bytes: u64,
}

enum Message {
    Write(Box<dyn Job>),
    Stop,
}

impl Writer {
    /// Starts the thread. It counts its commits in `commits` before it answers.
    pub(super) fn start(
        connection: Connection,
        options: &Options,
        commits: Arc<AtomicU64>,
        condition: Arc<Condition>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (sender, receiver) = sync_channel(options.write_queue);
        let most = options.write_queue;
        let span = options.span();
        let thread = std::thread::Builder::new().name("sqlite-writer".into()).spawn(move || {
            let _entered = span.enter();
            let (connection, condition) = (&connection, &*condition);
            let trial = Trial::new(connection, condition);
            let parts = Parts::new(most);
            Writing { connection, commits: &commits, condition, trial, parts }.run(&receiver);
            if condition.is_lost() {
                connection::leave_files(connection);
            }
        })?;
        let max_bytes = options.write_queue_bytes;
        Ok((Writer { queue: sender, waiting_bytes: Arc::default(), max_bytes }, thread))
    }

    /// Hands in a write that holds so many bytes; the answer comes after its COMMIT. A write whose
    /// future is dropped may be left out.
    pub(super) fn write<T, F>(&self, bytes: u64, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.hand_in(None, bytes, Once(Some(work)))
    }

    /// Hands in a write to a record that holds so many bytes and is made in parts, each in a
    /// transaction. It waits for the end of an earlier one.
    pub(super) fn write_in_parts<T, F>(&self, record: u64, bytes: u64, work: F) -> StoreFuture<T>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Result<Part<T>> + Send + 'static,
    {
        self.hand_in(Some(record), bytes, work)
    }

    fn hand_in<T: Send + 'static>(
        &self,
        record: Option<u64>,
        bytes: u64,
        work: impl Work<T> + 'static,
    ) -> StoreFuture<T> {
        let Some(reserved) = self.reserve(bytes) else {
            return StoreFuture::ready(Err(overloaded()));
        };
        let (answer, outcome) = oneshot::channel();
        let share = memory::hand_over();
        let progress = Progress::None;
        let job = Write { record, work, result: None, progress, answer, reserved, share };
        match self.queue.try_send(Message::Write(Box::new(job))) {
            Ok(()) => StoreFuture::pending(async move {
                let (result, share) =
                    outcome.await.unwrap_or_else(|_| (Err(shutting_down()), None));
                memory::keep(share);
                result
            }),
            Err(TrySendError::Full(_)) => StoreFuture::ready(Err(overloaded())),
            Err(TrySendError::Disconnected(_)) => StoreFuture::ready(Err(shutting_down())),
        }
    }

    fn reserve(&self, bytes: u64) -> Option<Reserved> {
        let waiting = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { of: Arc::clone(&self.waiting_bytes), bytes };
        (waiting.saturating_add(bytes) <= self.max_bytes).then_some(reserved)
    }

    /// Asks the thread to end after the writes that it was handed before.
    pub(super) fn stop(&self) {
        // A queue without a receiver has stopped already.
        let _ = self.queue.send(Message::Stop);
    }
}

/// What a part of a write has come to.
pub(super) enum Part<T> {
    /// There is another one to make. The write as a whole is not made yet.
    More,
    /// There is another one to make. The write as a whole is made once this part is committed: an
    /// error of a later part is OUTCOME_UNKNOWN.
    Made,
    /// It was the last one.
    Done(T),
}

/// What a write does, in one part or several.
trait Work<T>: Send {
    fn run(&mut self, connection: &Connection) -> Result<Part<T>>;
}

/// Work of one part.
struct Once<F>(Option<F>);

impl<T, F> Work<T> for Once<F>
where
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<Part<T>> {
        let work = self.0.take().ok_or_else(|| Error::internal("a write ran twice"))?;
        work(connection).map(Part::Done)
    }
}

impl<T, F> Work<T> for F
where
    F: FnMut(&Connection) -> Result<Part<T>> + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<Part<T>> {
        self(connection)
    }
}

/// A write between its caller and the thread.
pub(super) trait Job: Send {
    /// Whether nobody waits for the answer any more, of a write that has not begun.
    fn is_abandoned(&self) -> bool;
    /// The record that it writes to, where that may be written in parts.
    fn record(&self) -> Option<u64>;
    /// Bytes that it holds.
    fn held(&self) -> usize;
    /// Runs the write, or its next part, and keeps the result; gives back the error of one that
    /// failed.
    fn run(&mut self, connection: &Connection) -> Result<(), &Error>;
    /// Whether there is another part.
    fn is_unfinished(&self) -> bool;
    /// The part that ran is committed, and another one follows.
    fn part_committed(&mut self);
    /// Answers with the result, or with the error of the transaction that it was part of.
    fn answer(self: Box<Self>, outcome: Result<(), &TransactionFailure>);
    /// Answers with an error.
    fn refuse(self: Box<Self>, error: Error);
}

struct Write<T, W> {
    record: Option<u64>,
    work: W,
    result: Option<Result<T>>,
    progress: Progress,
    answer: oneshot::Sender<(Result<T>, Option<Share>)>,
    reserved: Reserved,
    /// What the call holds, and what is read for it.
    share: Option<Share>,
}

/// How far a write has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    None,
    Begun,
    /// The part that ran makes the write, if it is committed.
    Making,
    /// A part that is committed made the write.
    Made,
}

/// Bytes that wait, until it is dropped.
struct Reserved {
    of: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl<T: Send, W: Work<T>> Job for Write<T, W> {
    fn is_abandoned(&self) -> bool {
        self.progress == Progress::None && self.answer.is_closed()
    }

    fn record(&self) -> Option<u64> {
        self.record
    }

    fn held(&self) -> usize {
        self.share.as_ref().map_or(0, Share::bytes)
    }

    fn run(&mut self, connection: &Connection) -> Result<(), &Error> {
        if self.progress == Progress::None {
            self.progress = Progress::Begun;
        }
        let (share, work) = (&mut self.share, &mut self.work);
        // What a panic leaves half done is rolled back with the job.
        let part =
            catch_unwind(AssertUnwindSafe(|| memory::within(share, || work.run(connection))))
                .unwrap_or_else(|_| Err(Error::internal("a write panicked")));
        let result = match part {
            Ok(Part::More) => return Ok(()),
            Ok(Part::Made) => {
                if self.progress == Progress::Begun {
                    self.progress = Progress::Making;
                }
                return Ok(());
            }
            Ok(Part::Done(value)) => Ok(value),
            Err(error) => Err(error),
        };
        match self.result.insert(result) {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_unfinished(&self) -> bool {
        self.progress != Progress::None && self.result.is_none()
    }

    fn part_committed(&mut self) {
        if self.progress == Progress::Making {
            self.progress = Progress::Made;
        }
    }

    fn answer(self: Box<Self>, outcome: Result<(), &TransactionFailure>) {
        let result = match (self.result, outcome) {
            // A write that failed by itself wrote nothing, whatever became of the others.
            (Some(Err(error)), _) => Err(error),
            (_, Err(failure)) => Err(failure.error()),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(Error::internal("a write did not run")),
        };
        let result = match self.progress {
            // Any other error would say that nothing was written.
            Progress::Made => result.map_err(outcome_unknown),
            _ => result,
        };
        // Whoever has the answer finds the room free.
        drop((self.work, self.reserved));
        // The caller may have gone.
        let _ = self.answer.send((result, self.share));
    }

    fn refuse(self: Box<Self>, error: Error) {
        drop(self.reserved);
        let _ = self.answer.send((Err(error), self.share));
    }
}

/// What the thread works with.
struct Writing<'c> {
    connection: &'c Connection,
    commits: &'c AtomicU64,
    condition: &'c Condition,
    trial: Trial<'c>,
    parts: Parts,
}

impl Writing<'_> {
    /// Makes the writes of the queue until it is told to stop.
    fn run(&mut self, queue: &Receiver<Message>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        let mut stopping = false;
        loop {
            let first = self.receive(queue, stopping);
            if first.is_none() && self.parts.is_empty() {
                return;
            }
            let rest = std::iter::from_fn(|| queue.try_recv().ok());
            for message in first.into_iter().chain(rest).take(MAX_BATCH) {
                match message {
                    Message::Write(job) if job.is_abandoned() => {}
                    Message::Write(job) => batch.push(job),
                    Message::Stop => stopping = true,
                }
            }
            self.transact(batch.drain(..));
            let next = self.parts.next();
            self.transact(next.into_iter());
            let freed = self.parts.freed();
            self.transact(freed.into_iter());
        }
    }

    /// Waits for a message, unless there is something to do without one. Tries meanwhile whether a
    /// database on which writes fail can be written to again.
    fn receive(&mut self, queue: &Receiver<Message>, stopping: bool) -> Option<Message> {
        if stopping || !self.parts.is_empty() {
            return queue.try_recv().ok();
        }
        loop {
            let Some(wait) = self.trial.wait() else { return queue.recv().ok() };
            match queue.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => self.trial.run(),
                received => return received.ok(),
            }
        }
    }

    /// Makes writes, in as many transactions as it takes.
    fn transact(&mut self, jobs: impl Iterator<Item = Box<dyn Job>>) {
        let mut pending = jobs.peekable();
        while pending.peek().is_some() {
            let (connection, condition) = (self.connection, self.condition);
            let transaction = Transaction { connection, condition, jobs: Vec::new() };
            let done = transaction.run(&mut pending, self.commits, &mut self.parts);
            self.trial.note(done);
        }
    }
}

/// One BEGIN … COMMIT and the writes that ran in it.
struct Transaction<'c> {
    connection: &'c Connection,
    condition: &'c Condition,
    jobs: Vec<Box<dyn Job>>,
}

impl Transaction<'_> {
    /// Runs jobs, and answers those that ran. Those that wait for a write in parts do not run.
    /// Whether SQLite does what it is asked.
    fn run(
        mut self,
        pending: &mut dyn Iterator<Item = Box<dyn Job>>,
        commits: &AtomicU64,
        parts: &mut Parts,
    ) -> bool {
        if self.condition.is_lost() {
            self.jobs.extend(pending);
            self.answer(Err(&TransactionFailure::lost()), parts);
            return true;
        }
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            self.jobs.extend(pending);
            self.answer(Err(&TransactionFailure::before_commit(&error)), parts);
            return false;
        }
        if let Err(failure) = self.run_jobs(pending, parts) {
            self.roll_back();
            self.answer(Err(&failure), parts);
            return false;
        }
        // Nothing is written to a log that has lost something: SQLite does not look.
        if self.condition.check_log().is_err() {
            self.roll_back();
            self.answer(Err(&TransactionFailure::lost()), parts);
            return true;
        }
        if let Err(error) = self.execute("COMMIT") {
            self.roll_back();
            self.answer(Err(&TransactionFailure::of_commit(&error)), parts);
            return false;
        }
        // Before the answers: who has one must read what it says.
        commits.fetch_add(1, Ordering::Release);
        // What is acknowledged is in files that are found again.
        match self.condition.check_commit() {
            Ok(()) => self.answer(Ok(()), parts),
            Err(error) => {
                self.answer(Err(&TransactionFailure::committed_to_nowhere(&error)), parts)
            }
        }
        true
    }

    /// Runs jobs until none is left, they hold much or the time for one transaction is over. An
    /// error is one of the whole transaction.
    fn run_jobs(
        &mut self,
        pending: &mut dyn Iterator<Item = Box<dyn Job>>,
        parts: &mut Parts,
    ) -> Result<(), TransactionFailure> {
        let end = Instant::now() + MAX_TIME;
        let mut held = 0;
        for job in pending {
            let Some(job) = parts.admit(job) else { continue };
            self.run_job(job)?;
            if let Some(job) = self.jobs.last() {
                parts.hold(&**job);
                held += job.held();
            }
            if Instant::now() > end || held > MAX_BATCH_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// Runs a job so that its failure undoes its own writes alone. An error is one of the whole
    /// transaction.
    fn run_job(&mut self, mut job: Box<dyn Job>) -> Result<(), TransactionFailure> {
        let of_sqlite = |error: rusqlite::Error| TransactionFailure::before_commit(&error);
        if let Err(error) = self.execute("SAVEPOINT job") {
            self.jobs.push(job);
            return Err(of_sqlite(error));
        }
        let outcome = match job.run(self.connection) {
            // A full disk or a failed read makes SQLite end the transaction by itself.
            // <https://www.sqlite.org/lang_transaction.html>
            Err(error) if self.connection.is_autocommit() => {
                Err(TransactionFailure::rolled_back(error))
            }
            Err(_) => self.execute("ROLLBACK TO job").map_err(of_sqlite),
            Ok(()) => Ok(()),
        };
        self.jobs.push(job);
        outcome?;
        self.execute("RELEASE job").map_err(of_sqlite)
    }

    fn answer(self, outcome: Result<(), &TransactionFailure>, parts: &mut Parts) {
        for job in self.jobs {
            if let Some(ended) = parts.keep(job, outcome.is_ok()) {
                ended.answer(outcome);
            }
        }
        parts.settle();
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(%error, "a transaction cannot be rolled back");
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }
}
