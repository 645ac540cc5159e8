//! The one thread that writes, and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::condition::{Condition, Trial};
use super::error::TransactionFailure;
use super::{Options, connection};
use crate::store::StoreFuture;
use crate::{Error, Reason, Result};

/// Writes that share a COMMIT at most.
const MAX_BATCH: usize = 256;

/// When a write that found the queue full is worth another try.
const RETRY: Duration = Duration::from_millis(100);

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
        let thread = std::thread::Builder::new().name("sqlite-writer".into()).spawn(move || {
            run(&connection, &receiver, &commits, &condition);
            if condition.is_lost() {
                connection::leave_files(&connection);
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
        let Some(reserved) = self.reserve(bytes) else {
            return StoreFuture::ready(Err(overloaded()));
        };
        let (answer, outcome) = oneshot::channel();
        let job = Write { work: Some(work), result: None, answer, reserved };
        match self.queue.try_send(Message::Write(Box::new(job))) {
            Ok(()) => StoreFuture::pending(async move {
                outcome.await.unwrap_or_else(|_| Err(shutting_down()))
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

/// The error of a call that finds the store closed.
pub(super) fn shutting_down() -> Error {
    Error::new(Reason::ShuttingDown, "the server is shutting down")
}

/// The error of a call that finds a queue full.
pub(super) fn overloaded() -> Error {
    Error::new(Reason::Overloaded, "too many calls wait for the storage").with_retry_after(RETRY)
}

/// A write between its caller and the thread.
trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
    /// Runs the write and keeps its result; gives back the error of one that failed.
    fn run(&mut self, connection: &Connection) -> Result<(), &Error>;
    /// Answers with the result, or with the error of the transaction that it was part of.
    fn answer(self: Box<Self>, outcome: Result<(), &TransactionFailure>);
}

struct Write<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
    reserved: Reserved,
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

impl<T, F> Job for Write<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run(&mut self, connection: &Connection) -> Result<(), &Error> {
        let result = match self.work.take() {
            // What a panic leaves half done is rolled back with the job.
            Some(work) => catch_unwind(AssertUnwindSafe(|| work(connection)))
                .unwrap_or_else(|_| Err(Error::internal("a write panicked"))),
            None => Err(Error::internal("a write ran twice")),
        };
        match self.result.insert(result) {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
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
        // Whoever has the answer finds the room free.
        drop(self.reserved);
        // The caller may have gone.
        let _ = self.answer.send(result);
    }
}

fn run(
    connection: &Connection,
    queue: &Receiver<Message>,
    commits: &AtomicU64,
    condition: &Condition,
) {
    let mut trial = Trial::new(connection, condition);
    let mut batch = Vec::with_capacity(MAX_BATCH);
    let mut stopping = false;
    loop {
        let first = match (stopping, trial.wait()) {
            (true, _) => queue.try_recv().ok(),
            (false, None) => queue.recv().ok(),
            (false, Some(wait)) => match queue.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {
                    trial.run();
                    continue;
                }
                received => received.ok(),
            },
        };
        let Some(first) = first else { return };
        let waiting = std::iter::once(first).chain(std::iter::from_fn(|| queue.try_recv().ok()));
        for message in waiting.take(MAX_BATCH) {
            match message {
                Message::Write(job) if job.is_abandoned() => {}
                Message::Write(job) => batch.push(job),
                Message::Stop => stopping = true,
            }
        }
        let mut pending = batch.drain(..).peekable();
        while pending.peek().is_some() {
            let transaction =
                Transaction { connection, condition, jobs: Vec::with_capacity(MAX_BATCH) };
            trial.note(transaction.run(&mut pending, commits));
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
    /// Runs jobs until none is left or SQLite has rolled the transaction back, and answers those
    /// that ran. Whether SQLite does what it is asked.
    fn run(mut self, pending: &mut dyn Iterator<Item = Box<dyn Job>>, commits: &AtomicU64) -> bool {
        if self.condition.is_lost() {
            self.jobs.extend(pending);
            self.answer(Err(&TransactionFailure::lost()));
            return true;
        }
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            self.jobs.extend(pending);
            self.answer(Err(&TransactionFailure::before_commit(&error)));
            return false;
        }
        for job in pending {
            if let Err(failure) = self.run_job(job) {
                self.roll_back();
                self.answer(Err(&failure));
                return false;
            }
        }
        let outcome = self.execute("COMMIT");
        if let Err(error) = &outcome {
            self.roll_back();
            self.answer(Err(&TransactionFailure::of_commit(error)));
            return false;
        }
        // Before the answers: who has one must read what it says.
        commits.fetch_add(1, Ordering::Release);
        // What is acknowledged is in files that are found again.
        match self.condition.check_commit() {
            Ok(()) => self.answer(Ok(())),
            Err(error) => self.answer(Err(&TransactionFailure::committed_to_nowhere(&error))),
        }
        true
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

    fn answer(self, outcome: Result<(), &TransactionFailure>) {
        for job in self.jobs {
            job.answer(outcome);
        }
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
