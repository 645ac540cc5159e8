//! A connection, and what whoever watches it must know.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    AssertSqlSafe, Connection as _, Either, Execute, Executor, PgConnection, Postgres, Row as _,
    SqlStr, raw_sql,
};

use super::error::{breaks_connection, says_read_only};

/// A step of a statement's answer.
type Step = sqlx::Result<Either<PgQueryResult, PgRow>>;

/// A connection of the store.
///
/// Statements run on it as on sqlx's own. Where statements are not prepared, because a pooler may
/// hand every transaction to another session, none has a name, and each runs in a transaction:
/// sqlx sends a statement and its values apart, and they must reach the same session.
pub(super) struct Connection {
    inner: PgConnection,
    activity: Arc<Activity>,
    /// What begins a transaction.
    begin: Arc<str>,
    prepares: bool,
    in_transaction: bool,
    /// A transaction was left without an end.
    left_open: bool,
    made: Instant,
    used: Instant,
    outages: u64,
}

/// What a connection is at, for whoever watches it from outside.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// The server's process; 0 where it is not known.
    process: AtomicI32,
    /// Something was sent that the server has not answered to its end.
    unanswered: AtomicBool,
    /// What was sent commits.
    committing: AtomicBool,
    broken: AtomicBool,
    /// The server has said that the session cannot write.
    read_only: AtomicBool,
    /// Counts answers, together with all other connections.
    heard: Arc<AtomicU64>,
}

impl Activity {
    pub(super) fn process(&self) -> i32 {
        self.process.load(Ordering::Relaxed)
    }

    /// Whether the server may have committed something that it has not answered.
    pub(super) fn may_have_committed(&self) -> bool {
        self.committing.load(Ordering::Relaxed)
    }

    /// The connection is not used again before the server has answered.
    pub(super) fn disturb(&self) {
        self.unanswered.store(true, Ordering::Relaxed);
    }

    fn sent(&self, commits: bool) {
        self.unanswered.store(true, Ordering::Relaxed);
        self.committing.store(commits, Ordering::Relaxed);
    }

    fn answered(&self) {
        self.unanswered.store(false, Ordering::Relaxed);
        self.committing.store(false, Ordering::Relaxed);
        self.heard.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, error: &sqlx::Error) {
        self.committing.store(false, Ordering::Relaxed);
        if says_read_only(error) {
            self.read_only.store(true, Ordering::Relaxed);
        }
        if breaks_connection(error) {
            self.broken.store(true, Ordering::Relaxed);
        } else {
            self.heard.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How a connection is used.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// What begins a transaction.
    pub(super) begin: Arc<str>,
    /// Whether statements have names that outlive a transaction.
    pub(super) prepares: bool,
    /// Outages before it was made.
    pub(super) outages: u64,
    /// Counts answers.
    pub(super) heard: Arc<AtomicU64>,
}

/// Has the server end sessions of proxies that it does not hear of for a minute and a half: the
/// system's default is two hours, and connections are few. Servers that are only like Postgres may
/// not have these settings.
pub(super) async fn keep_alive(connection: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "SELECT set_config('tcp_keepalives_idle', '60', false), \
                    set_config('tcp_keepalives_interval', '10', false), \
                    set_config('tcp_keepalives_count', '3', false)";
    match raw_sql(settings).execute(connection).await {
        Err(error) if breaks_connection(&error) => Err(error),
        _ => Ok(()),
    }
}

impl Connection {
    /// Takes a connection over.
    pub(super) async fn new(inner: PgConnection, usage: Use) -> sqlx::Result<Self> {
        let activity = Activity { heard: usage.heard, ..Activity::default() };
        let now = Instant::now();
        let mut connection = Connection {
            inner,
            activity: Arc::new(activity),
            begin: usage.begin,
            prepares: usage.prepares,
            in_transaction: false,
            left_open: false,
            made: now,
            used: now,
            outages: usage.outages,
        };
        if connection.prepares {
            keep_alive(&mut connection.inner).await?;
            connection.run("SELECT pg_backend_pid()").await?;
        }
        Ok(connection)
    }

    /// Whether statements have names, and need no transaction.
    pub(super) fn prepares(&self) -> bool {
        self.prepares
    }

    /// What it is at, also while it is in use.
    pub(super) fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// Forgets the statements that were prepared on it.
    pub(super) async fn clear_cached_statements(&mut self) -> sqlx::Result<()> {
        self.inner.clear_cached_statements().await
    }

    /// Begins a transaction. One that is dropped without an end is rolled back before the
    /// connection is used again.
    pub(super) async fn begin(&mut self) -> sqlx::Result<Transaction<'_>> {
        self.open().await?;
        Ok(Transaction { connection: self, ended: false })
    }

    /// Begins a transaction all of whose statements see the same moment. It fails where it writes
    /// what has been written since.
    pub(super) async fn begin_snapshot(&mut self) -> sqlx::Result<Transaction<'_>> {
        let isolated = self.begin.replacen("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", 1);
        self.open_with(&isolated).await?;
        Ok(Transaction { connection: self, ended: false })
    }

    async fn open(&mut self) -> sqlx::Result<()> {
        let begin = Arc::clone(&self.begin);
        self.open_with(&begin).await
    }

    async fn open_with(&mut self, begin: &str) -> sqlx::Result<()> {
        if self.left_open {
            self.end("ROLLBACK").await?;
        }
        self.run(begin).await?;
        self.in_transaction = true;
        Ok(())
    }

    async fn end(&mut self, sql: &str) -> sqlx::Result<()> {
        self.left_open = true;
        self.run(sql).await?;
        (self.in_transaction, self.left_open) = (false, false);
        Ok(())
    }

    /// Runs SQL without values. A number that it answers with is the server's process.
    async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        let query = raw_sql(AssertSqlSafe(sql));
        self.activity.sent(sql == "COMMIT");
        let row = query.fetch_optional(&mut self.inner).await;
        let row = row.inspect_err(|error| self.activity.failed(error))?;
        self.activity.answered();
        if let Some(process) = row.and_then(|row| row.try_get(0).ok()) {
            self.activity.process.store(process, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether it can be used again at once.
    pub(super) fn is_settled(&self) -> bool {
        !self.is_broken() && !self.left_open && !self.activity.unanswered.load(Ordering::Relaxed)
    }

    pub(super) fn is_broken(&self) -> bool {
        self.activity.broken.load(Ordering::Relaxed)
    }

    /// Whether it was given up because it cannot write.
    pub(super) fn is_read_only(&self) -> bool {
        self.activity.read_only.load(Ordering::Relaxed)
    }

    /// Ends what was left open, and waits for all answers.
    pub(super) async fn settle(&mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            self.end("ROLLBACK").await?;
        }
        let answered = self.inner.ping().await;
        if answered.is_err() {
            // A cancellation that came late is answered here.
            self.inner.ping().await.inspect_err(|error| self.activity.failed(error))?;
        }
        self.activity.answered();
        self.used = Instant::now();
        Ok(())
    }

    /// It rests from now on.
    pub(super) fn rest(&mut self) {
        self.used = Instant::now();
    }

    /// How long it has rested.
    pub(super) fn rested(&self) -> Duration {
        self.used.elapsed()
    }

    pub(super) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// Outages before it was made.
    pub(super) fn outages(&self) -> u64 {
        self.outages
    }

    /// Takes leave of the server.
    pub(super) async fn close(self) -> sqlx::Result<()> {
        self.inner.close().await
    }

    fn send<'e>(&'e mut self, query: Sent) -> BoxStream<'e, Step> {
        self.activity.sent(!self.in_transaction && !query.only_reads());
        let stream = self.inner.fetch_many(query);
        Box::pin(Answer { stream, activity: &self.activity })
    }

    /// Runs a statement that is not in a transaction in one.
    async fn send_alone(&mut self, query: Sent) -> sqlx::Result<Vec<Step>> {
        self.open().await?;
        let steps: sqlx::Result<Vec<_>> = self.send(query).try_collect().await;
        match steps {
            Ok(steps) => {
                self.end("COMMIT").await?;
                Ok(steps.into_iter().map(Ok).collect())
            }
            Err(error) => {
                // The first error is the one to report; a lost connection has rolled back already.
                let _ = self.end("ROLLBACK").await;
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("activity", &self.activity).finish_non_exhaustive()
    }
}

/// A transaction on a connection.
#[derive(Debug)]
pub(super) struct Transaction<'c> {
    connection: &'c mut Connection,
    ended: bool,
}

impl Transaction<'_> {
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        self.ended = true;
        self.connection.end("COMMIT").await
    }

    pub(super) async fn rollback(mut self) -> sqlx::Result<()> {
        self.ended = true;
        self.connection.end("ROLLBACK").await
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.connection.left_open = true;
        }
    }
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Step>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let query = Sent::new(query, self.prepares);
        if self.left_open {
            return Box::pin(
                stream::once(async move {
                    self.end("ROLLBACK").await?;
                    Ok::<_, sqlx::Error>(self.fetch_many(query))
                })
                .try_flatten(),
            );
        }
        if self.prepares || self.in_transaction {
            return self.send(query);
        }
        let steps = async move { self.send_alone(query).await.map(stream::iter) };
        Box::pin(stream::once(steps).try_flatten())
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let mut rows = self.fetch(query);
        Box::pin(async move {
            let first = rows.try_next().await?;
            // An error may come behind the row.
            while rows.try_next().await?.is_some() {}
            Ok(first)
        })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        self.inner.prepare_with(sql, parameters)
    }
}

/// A statement as it is sent.
struct Sent {
    sql: SqlStr,
    arguments: Result<Option<PgArguments>, BoxDynError>,
    named: bool,
}

impl Sent {
    fn new<'q>(mut query: impl Execute<'q, Postgres>, prepares: bool) -> Self {
        let named = prepares && query.persistent();
        Sent { arguments: query.take_arguments(), sql: query.sql(), named }
    }

    fn only_reads(&self) -> bool {
        self.sql.as_str().trim_start().starts_with("SELECT")
    }
}

impl<'q> Execute<'q, Postgres> for Sent {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        std::mem::replace(&mut self.arguments, Ok(None))
    }

    fn persistent(&self) -> bool {
        self.named
    }
}

/// A statement's answer, until its end.
struct Answer<'e> {
    stream: BoxStream<'e, Step>,
    activity: &'e Activity,
}

impl Stream for Answer<'_> {
    type Item = Step;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Step>> {
        let step = ready!(self.stream.poll_next_unpin(cx));
        match &step {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.activity.failed(error),
            None => self.activity.answered(),
        }
        Poll::Ready(step)
    }
}
