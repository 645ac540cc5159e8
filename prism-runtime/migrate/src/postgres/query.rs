//! Statements as plain text.
//!
//! Nothing is prepared: a connection pooler that hands each statement to another server
//! connection would lose what was prepared before.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::Cause;

/// Runs statements.
pub(crate) async fn execute(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.map(drop)
}

/// Runs a query.
pub(crate) async fn rows(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<Vec<PgRow>> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).fetch_all(connection).await
}

/// The row of a query that answers one.
pub(crate) async fn one(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<PgRow> {
    rows(connection, sql).await?.into_iter().next().ok_or(sqlx::Error::RowNotFound)
}

/// A text as a literal.
pub(crate) fn literal(text: &str) -> String {
    // With its own syntax, as the plain one depends on `standard_conforming_strings`.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The code of an error of the server.
pub(crate) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Whether a statement gave way to other sessions: it may be tried again.
pub(crate) fn is_locked(cause: &Cause) -> bool {
    let Cause::Postgres(error) = cause else { return false };
    // lock_not_available, deadlock_detected, serialization_failure
    matches!(code(error).as_deref(), Some("55P03" | "40P01" | "40001"))
}
