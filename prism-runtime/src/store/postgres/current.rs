//! The names that a table's columns have at present.
//!
//! A newer version may migrate the database while this server goes on: a column is renamed, or one
//! that only Prism uses is dropped. Postgres knows a column by its number (`pg_attribute.attnum`),
//! which a rename keeps, so the numbers are noted once, by name, when the server starts. A statement
//! that fails because a name is gone has done nothing: the names are looked up by number, and it is
//! made again.
//!
//! A name that is given to another column would not fail: the statement would quietly mean the
//! wrong one. So a migration gives a name away in two steps, and waits between them for
//! [`NAME_PAUSE_SECONDS`] where servers are connected. Within that time a table that is in use has met the first step, and the names of one
//! that nothing has confirmed for [`CONFIRMED`] are looked up before they are used.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::postgres::types::Oid;

use super::connection::Connection as PgConnection;
use super::error::Failure;
use super::table::Table;
use crate::entity::layout::Layout;
use crate::schema::sql::alter::NAME_PAUSE_SECONDS;
use crate::schema::sql::quote;
use crate::{Error, Reason, Result};

/// How long names count as right after a statement that uses all of them.
const CONFIRMED: Duration = Duration::from_secs(NAME_PAUSE_SECONDS as u64 / 3);

/// How often a call is made again because of new names.
const TRIES: u32 = 4;

/// When a call may be worth another try: by then the servers of the new version may be ready.
const RETRY: Duration = Duration::from_secs(1);

/// An entity's table by its present names.
pub(super) struct CurrentTable {
    layout: Arc<Layout>,
    state: RwLock<State>,
    /// When the names were last known to be right, in milliseconds after `start`.
    confirmed: AtomicU64,
    start: Instant,
    /// Whether a column is missing, and the log has it.
    lacking: AtomicBool,
}

struct State {
    table: Arc<Table>,
    identity: Identity,
}

/// What stays the same when names change.
struct Identity {
    relation: Oid,
    /// For each position of a record, the column's number; none where the table lacks Prism's own.
    columns: Vec<Option<i16>>,
}

impl CurrentTable {
    /// Notes the columns by the names that the schema gives them.
    pub(super) async fn open(connection: &mut PgConnection, layout: Arc<Layout>) -> Result<Self> {
        let state = State::by_name(connection, &layout).await?;
        Ok(CurrentTable {
            layout,
            state: RwLock::new(state),
            confirmed: AtomicU64::new(0),
            start: Instant::now(),
            lacking: AtomicBool::new(false),
        })
    }

    /// What every version of the table has in common.
    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn table(&self) -> Arc<Table> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner).table)
    }

    fn is_confirmed(&self) -> bool {
        let at = Duration::from_millis(self.confirmed.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(at) < CONFIRMED
    }

    fn confirm(&self, sent: Instant) {
        let at = sent.saturating_duration_since(self.start).as_millis();
        self.confirmed.fetch_max(u64::try_from(at).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Looks up what the columns are called.
    async fn refresh(&self, connection: &mut PgConnection) -> Result<Arc<Table>, Failure> {
        let sent = Instant::now();
        // A statement that was prepared for columns of other types fails for good.
        connection.clear_cached_statements().await?;
        let (relation, columns) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            (state.identity.relation, state.identity.columns.clone())
        };
        let by_number = names(connection, relation).await?;
        let state = match by_number.is_empty() {
            // Another table has its place: what is restored from a backup has names alone.
            true => State::by_name(connection, &self.layout).await,
            false => State::by_number(&self.layout, Identity { relation, columns }, &by_number),
        };
        let state = state.inspect_err(|error| self.report(error))?;
        self.lacking.store(false, Ordering::Relaxed);
        self.confirm(sent);
        let mut current = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.table.column_names() != current.table.column_names() {
            tracing::info!(
                table = self.layout.entity.table,
                "a migration has given columns other names or dropped one of Prism's own: this \
                 server goes on with what is there",
            );
            *current = state;
        }
        Ok(Arc::clone(&current.table))
    }

    /// Tells the operator, once.
    fn report(&self, error: &Error) {
        let missing = error.cause().is_none();
        if missing && !self.lacking.swap(true, Ordering::Relaxed) {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(
                cause = cause.unwrap_or_default(),
                "the database was changed so that this server cannot use it: start the version \
                 that it was migrated for, or restore the column",
            );
        }
    }
}

impl State {
    async fn by_name(connection: &mut PgConnection, layout: &Arc<Layout>) -> Result<State> {
        let table = &layout.entity.table;
        let relation: Option<Oid> = sqlx::query_scalar("SELECT to_regclass($1)::oid")
            .bind(quote(table))
            .fetch_one(&mut *connection)
            .await?;
        let by_number = match relation {
            Some(relation) => names(connection, relation).await?,
            None => BTreeMap::new(),
        };
        let numbered = |name: &str| by_number.iter().find(|(_, n)| *n == name).map(|(at, _)| *at);
        let own = layout.entity.last_write_column();
        let columns = layout.entity.columns.iter().map(|column| column.name.as_str());
        let columns = columns.chain(own).map(numbered).collect();
        let relation = relation.unwrap_or_default();
        State::by_number(layout, Identity { relation, columns }, &by_number)
    }

    /// A column of the schema has to be there; the time of the last write need not.
    fn by_number(
        layout: &Arc<Layout>,
        identity: Identity,
        by_number: &BTreeMap<i16, String>,
    ) -> Result<State> {
        let mut entity = layout.entity.clone();
        let name = |at: usize| by_number.get(identity.columns.get(at)?.as_ref()?);
        for (at, column) in entity.columns.iter_mut().enumerate() {
            match name(at) {
                Some(name) => column.name.clone_from(name),
                None => {
                    let table = &layout.entity.table;
                    let cause = format!("the table {table} has no column {}", column.name);
                    return Err(unusable().with_source(cause));
                }
            }
        }
        if layout.written_at.is_some_and(|at| name(at).is_none()) {
            // Without it nothing tells how old a record is: none of them expires by its age.
            entity.retention_days = 0;
        }
        Ok(State { table: Arc::new(Table::new(Arc::clone(layout), entity)), identity })
    }
}

async fn names(
    connection: &mut PgConnection,
    relation: Oid,
) -> sqlx::Result<BTreeMap<i16, String>> {
    let rows: Vec<(i16, String)> = sqlx::query_as(
        "SELECT attnum, attname::text FROM pg_attribute \
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

/// The error of a call to a table that lacks a column: a migration of a later version has removed
/// the field, or somebody has altered the table by hand.
pub(super) fn unusable() -> Error {
    Error::new(
        Reason::BackendUnavailable,
        "the storage was changed for a newer version: this server cannot use it any more",
    )
    .with_retry_after(RETRY)
}

/// A call's use of a table, as often as its names change meanwhile:
///
/// ```ignore
/// let mut using = Using::new(current);
/// loop {
///     let table = using.table(&mut connection).await?;
///     let result = read(&table, &mut connection).await;
///     using.confirm(&result);
///     if !using.is_outdated(&result) {
///         return result;
///     }
/// }
/// ```
pub(super) struct Using {
    current: Arc<CurrentTable>,
    sent: Instant,
    outdated: bool,
    tries: u32,
}

impl Using {
    pub(super) fn new(current: Arc<CurrentTable>) -> Self {
        Using { current, sent: Instant::now(), outdated: false, tries: 0 }
    }

    /// What is the same whatever the columns are called.
    pub(super) fn layout(&self) -> &Layout {
        &self.current.layout
    }

    /// The table, for statements that are sent now.
    ///
    /// # Errors
    ///
    /// Where it cannot be looked up, or lacks what cannot be done without.
    pub(super) async fn table(
        &mut self,
        connection: &mut PgConnection,
    ) -> Result<Arc<Table>, Failure> {
        let known = !self.outdated && self.current.is_confirmed();
        self.outdated = false;
        let table = match known {
            true => self.current.table(),
            false => self.current.refresh(connection).await?,
        };
        self.sent = Instant::now();
        Ok(table)
    }

    /// Whether the statements failed because of the names: then they have done nothing, and are
    /// to be made again.
    pub(super) fn is_outdated<T, E: Cause>(&mut self, result: &Result<T, E>) -> bool {
        if let Err(error) = result
            && error.cause().is_some_and(is_about_columns)
            && self.tries < TRIES
        {
            self.tries += 1;
            self.outdated = true;
        }
        self.outdated
    }

    /// What comes of a transaction: one that failed because of the names is to be made again.
    pub(super) fn settle<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        self.confirm(&result);
        if self.is_outdated(&result) { Err(Failure::Conflict) } else { result }
    }

    /// Where the statements went well: they have used every column, so the names are right.
    pub(super) fn confirm<T, E>(&self, result: &Result<T, E>) {
        if result.is_ok() {
            self.current.confirm(self.sent);
        }
    }
}

/// An error that may come from Postgres.
pub(super) trait Cause {
    /// What Postgres said.
    fn cause(&self) -> Option<&sqlx::Error>;
}

impl Cause for Error {
    fn cause(&self) -> Option<&sqlx::Error> {
        std::error::Error::source(self)?.downcast_ref()
    }
}

impl Cause for Failure {
    fn cause(&self) -> Option<&sqlx::Error> {
        match self {
            Failure::Database(error) => Some(error),
            Failure::Call(error) => error.cause(),
            Failure::Conflict => None,
        }
    }
}

impl Cause for sqlx::Error {
    fn cause(&self) -> Option<&sqlx::Error> {
        Some(self)
    }
}

/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
fn is_about_columns(error: &sqlx::Error) -> bool {
    // undefined_column; undefined_table; feature_not_supported, which a cached plan whose columns
    // have other types now is.
    let states = ["42703", "42P01", "0A000"];
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| states.contains(&code.as_ref()))
}
