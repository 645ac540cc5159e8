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
//!
//! Columns that may be NULL by now are told from others too, every [`LOOKED_UP`]: NULL has a place
//! of its own in an order, and the newer version's indexes follow it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::postgres::types::Oid;

use super::connection::Connection;
use super::error::Failure;
use super::table::Table;
use crate::entity::layout::Layout;
use crate::schema::Cardinality;
use crate::schema::sql::alter::NAME_PAUSE_SECONDS;
use crate::schema::sql::quote;
use crate::{Error, Reason, Result};

/// How long names count as right after a statement that uses all of them.
const CONFIRMED: Duration = Duration::from_secs(NAME_PAUSE_SECONDS as u64 / 3);

/// How old what is known of the columns may be, however much the table is used.
const LOOKED_UP: Duration = Duration::from_secs(60);

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
    /// When the columns were last looked up, in milliseconds after `start`.
    looked_up: AtomicU64,
    start: Instant,
    /// Whether a column is missing, and the log has it.
    lacking: AtomicBool,
}

struct State {
    table: Arc<Table>,
    identity: Identity,
    /// No later than the look that found it.
    at: Instant,
}

/// A column that is there.
struct Column {
    name: String,
    not_null: bool,
}

/// By their numbers.
type Columns = BTreeMap<i16, Column>;

/// What stays the same when names change.
struct Identity {
    relation: Oid,
    /// For each position of a record, the column's number; none where the table lacks Prism's own.
    columns: Vec<Option<i16>>,
}

impl CurrentTable {
    /// Notes the columns by the names that the schema gives them.
    pub(super) async fn open(connection: &mut Connection, layout: Arc<Layout>) -> Result<Self> {
        let state = State::by_name(connection, &layout).await?;
        Ok(CurrentTable {
            layout,
            state: RwLock::new(state),
            confirmed: AtomicU64::new(0),
            looked_up: AtomicU64::new(0),
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

    /// Whether the names can be used without a look. Of many that ask when it is time for one, one
    /// is told so.
    fn is_known(&self) -> bool {
        let now = self.millis(Instant::now());
        let age = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let looked_up = self.looked_up.load(Ordering::Relaxed);
        let (before, after) = (Ordering::Relaxed, Ordering::Relaxed);
        let due = age(looked_up) > LOOKED_UP
            && self.looked_up.compare_exchange(looked_up, now, before, after).is_ok();
        !due && age(self.confirmed.load(Ordering::Relaxed)) < CONFIRMED
    }

    fn confirm(&self, sent: Instant) {
        self.confirmed.fetch_max(self.millis(sent), Ordering::Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        let millis = at.saturating_duration_since(self.start).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX)
    }

    /// Looks the columns up.
    async fn refresh(&self, connection: &mut Connection) -> Result<Arc<Table>, Failure> {
        let at = Instant::now();
        let (relation, numbers) = {
            let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
            (state.identity.relation, state.identity.columns.clone())
        };
        let columns = columns(connection, relation).await?;
        let identity = Identity { relation, columns: numbers };
        let state = match columns.is_empty() {
            // Another table has its place: what is restored from a backup has names alone.
            true => State::by_name(connection, &self.layout).await,
            false => State::by_number(&self.layout, identity, &columns, at),
        };
        let state = state.inspect_err(|error| self.report(error))?;
        self.lacking.store(false, Ordering::Relaxed);
        self.confirm(at);
        self.looked_up.fetch_max(self.millis(at), Ordering::Relaxed);
        let mut current = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if current.at > at {
            // A later look has come first.
        } else if state.table.has_columns_of(&current.table) {
            current.at = at;
        } else {
            tracing::info!(
                table = self.layout.entity.table,
                "a migration of a newer version has changed columns: this server goes on with what \
                 is there",
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
    async fn by_name(connection: &mut Connection, layout: &Arc<Layout>) -> Result<State> {
        let at = Instant::now();
        let table = &layout.entity.table;
        let relation: Option<Oid> = sqlx::query_scalar("SELECT to_regclass($1)::oid")
            .bind(quote(table))
            .fetch_one(&mut *connection)
            .await?;
        let columns = match relation {
            Some(relation) => columns(connection, relation).await?,
            None => Columns::new(),
        };
        let number = |name: &str| columns.iter().find(|(_, it)| it.name == name).map(|it| *it.0);
        let own = layout.entity.last_write_column();
        let names = layout.entity.columns.iter().map(|column| column.name.as_str());
        let numbers = names.chain(own).map(number).collect();
        let identity = Identity { relation: relation.unwrap_or_default(), columns: numbers };
        State::by_number(layout, identity, &columns, at)
    }

    /// A column of the schema has to be there; the time of the last write need not.
    fn by_number(
        layout: &Arc<Layout>,
        identity: Identity,
        columns: &Columns,
        at: Instant,
    ) -> Result<State> {
        let mut entity = layout.entity.clone();
        let found = |position: usize| columns.get(identity.columns.get(position)?.as_ref()?);
        for (position, column) in entity.columns.iter_mut().enumerate() {
            let Some(present) = found(position) else {
                let cause = format!("the table {} has no column {}", entity.table, column.name);
                return Err(unusable().with_source(cause));
            };
            column.name.clone_from(&present.name);
            if !present.not_null && column.cardinality == Cardinality::Implicit {
                column.cardinality = Cardinality::Optional;
            }
        }
        if layout.written_at.is_some_and(|position| found(position).is_none()) {
            // Without it nothing tells how old a record is: none of them expires by its age.
            entity.retention_days = 0;
        }
        let table = Arc::new(Table::new(Arc::clone(layout), entity));
        Ok(State { table, identity, at })
    }
}

async fn columns(connection: &mut Connection, relation: Oid) -> sqlx::Result<Columns> {
    let rows: Vec<(i16, String, bool)> = sqlx::query_as(
        "SELECT attnum, attname::text, attnotnull FROM pg_attribute \
         WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped",
    )
    .bind(relation)
    .fetch_all(connection)
    .await?;
    let column = |(number, name, not_null)| (number, Column { name, not_null });
    Ok(rows.into_iter().map(column).collect())
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
        connection: &mut Connection,
    ) -> Result<Arc<Table>, Failure> {
        if self.outdated {
            // A statement that was prepared for columns of other types fails for good.
            connection.clear_cached_statements().await?;
        }
        let known = !self.outdated && self.current.is_known();
        let table = match known {
            true => self.current.table(),
            false => self.current.refresh(connection).await?,
        };
        self.outdated = false;
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
