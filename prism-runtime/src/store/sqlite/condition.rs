//! Whether a database can serve: its files are where they were, and can be written to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::watch;

use super::error::{outcome_unknown, unreachable};
use super::files::{Change, Files};
use crate::store::Readiness;
use crate::{Error, Reason};

/// Time between two attempts to write to a database on which writes fail.
const RETRY: Duration = Duration::from_secs(1);

/// What the threads of a database know of it together.
#[derive(Debug)]
pub(super) struct Condition {
    files: Files,
    /// The files are not those that were opened: nothing is acknowledged.
    lost: AtomicBool,
    state: Mutex<State>,
    ready: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    change: Option<Change>,
    /// What may be done with the log once nothing is served any more.
    salvage: Salvage,
    unwritable: bool,
}

/// How what was acknowledged is kept when nothing is served any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Salvage {
    /// The log is copied into the database.
    #[default]
    Copy,
    /// The log is damaged: it goes where the database does without it.
    Discard,
    /// The database is damaged: everything stays as it is.
    Leave,
}

impl Condition {
    pub(super) fn new(files: Files) -> Self {
        Condition {
            files,
            lost: AtomicBool::new(false),
            state: Mutex::default(),
            ready: watch::Sender::new(true),
        }
    }

    pub(super) fn readiness(&self) -> Readiness {
        Readiness::new(self.ready.subscribe())
    }

    /// An error while the files are not those that were opened.
    pub(super) fn available(&self) -> Result<(), Error> {
        if self.lost.load(Ordering::Acquire) { Err(unreachable()) } else { Ok(()) }
    }

    /// Whether the files are not those that were opened, as far as it is known.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Keeps what was acknowledged, when nothing is served any more. `copy` copies the log into the
    /// database and empties it.
    pub(super) fn rescue(&self, copy: impl FnOnce()) {
        let salvage = self.state.lock().unwrap_or_else(PoisonError::into_inner).salvage;
        match salvage {
            Salvage::Copy => copy(),
            Salvage::Leave => {}
            Salvage::Discard => match self.files.empty_log() {
                Ok(true) => tracing::warn!(
                    "the damaged write-ahead log is emptied, because a restart would put its older \
                     pages over newer ones of the database: writes of the last moments may be lost"
                ),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the damaged write-ahead log stays"),
            },
        }
    }

    /// Looks at the log before something is written to it. An error is one of a write that has not
    /// been made.
    pub(super) fn check_log(&self) -> Result<(), Error> {
        if let Err(fault) = self.files.check_log() {
            self.report(Some(fault));
        }
        self.available()
    }

    /// Looks at the files that a write needs to be found again. An error is one of a write that
    /// has been committed.
    pub(super) fn check_commit(&self) -> Result<(), Error> {
        match self.files.check() {
            Ok(()) if !self.is_lost() => Ok(()),
            // Reported by the next look at all files.
            Ok(()) => Err(outcome_unknown("the files of the database were away")),
            Err((path, change)) => {
                self.report(Some((path, change)));
                Err(outcome_unknown(format!("{} is {}", path.display(), change.name())))
            }
        }
    }

    /// Looks at all files, and says what has become of them.
    pub(super) fn check_files(&self) {
        self.report(self.files.check_all().err());
    }

    fn report(&self, change: Option<(&std::path::Path, Change)>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = change.map(|(_, change)| change);
        // What was cut off does not come back.
        let is_final = found.is_some_and(Change::is_final);
        if state.change.is_some_and(Change::is_final)
            || (state.change.is_some() == found.is_some() && !is_final)
        {
            return;
        }
        state.change = found;
        state.salvage = match change {
            Some((path, change)) if change.is_final() => self.files.salvage(path),
            _ => Salvage::Copy,
        };
        self.lost.store(change.is_some(), Ordering::Release);
        match change {
            Some((path, change)) if change.is_final() => tracing::error!(
                file = %path.display(),
                cause = change.name(),
                "a file of the SQLite database was changed by another program: nothing is served \
                 from it any more; put the right files there, and restart the server"
            ),
            Some((path, change)) => tracing::error!(
                file = %path.display(),
                cause = change.name(),
                "a file of the SQLite database is gone: nothing is served from it until it is back; \
                 put it back, or restart the server on what is there now"
            ),
            None => tracing::info!("the files of the SQLite database are back"),
        }
        self.tell(&state);
    }

    /// Whether the database can be written to, by the last attempt.
    fn set_writable(&self, attempt: Result<(), &rusqlite::Error>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.unwritable == attempt.is_err() {
            return;
        }
        state.unwritable = attempt.is_err();
        match attempt {
            Ok(()) => tracing::info!("the SQLite database can be written to again"),
            Err(error) => {
                tracing::error!(cause = %error, "the SQLite database cannot be written to")
            }
        }
        self.tell(&state);
    }

    fn tell(&self, state: &State) {
        let ready = state.change.is_none() && !state.unwritable;
        self.ready.send_if_modified(|known| std::mem::replace(known, ready) != ready);
    }

    /// What an error of a read is: SQLite takes a file that cannot be read for a damaged one.
    pub(super) fn explain(&self, error: Error) -> Error {
        match error.reason() {
            Reason::CorruptRecord if self.is_lost() || !self.files.are_readable() => {
                unreachable().with_source(error)
            }
            _ => error,
        }
    }
}

/// Finds out whether the database can be written to, once a transaction has failed: callers that
/// have been sent elsewhere do not try it any more.
pub(super) struct Trial<'c> {
    connection: &'c Connection,
    condition: &'c Condition,
    /// The next attempt; none while the last write has succeeded.
    due: Option<Instant>,
}

impl<'c> Trial<'c> {
    pub(super) fn new(connection: &'c Connection, condition: &'c Condition) -> Self {
        Trial { connection, condition, due: None }
    }

    /// How long until the next attempt.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// A transaction has been committed, or has failed as a whole.
    pub(super) fn note(&mut self, committed: bool) {
        match (committed, self.wait()) {
            (true, None) => {}
            (true, Some(_)) => self.ended(Ok(())),
            (false, None | Some(Duration::ZERO)) => self.run(),
            (false, Some(_)) => {}
        }
    }

    /// Writes what is there already.
    pub(super) fn run(&mut self) {
        if self.condition.check_log().is_err() {
            self.due = Some(Instant::now() + RETRY);
            return;
        }
        let attempt = write(self.connection);
        if attempt.is_err() && !self.connection.is_autocommit() {
            // The attempt's error is the one to report.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.ended(attempt.as_ref().copied());
    }

    fn ended(&mut self, attempt: Result<(), &rusqlite::Error>) {
        self.due = attempt.is_err().then(|| Instant::now() + RETRY);
        self.condition.set_writable(attempt);
    }
}

fn write(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    connection.execute_batch(&format!("PRAGMA user_version = {version}; COMMIT"))
}
