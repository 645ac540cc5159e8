//! Statements as plain text.
//!
//! Nothing is prepared: a connection pooler that hands each statement to another server
//! connection would lose what was prepared before.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection};

/// Runs statements.
pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.map(drop)
}

/// Runs a query.
pub(super) async fn rows(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<Vec<PgRow>> {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).fetch_all(connection).await
}

/// The row of a query that answers one.
pub(super) async fn one(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> sqlx::Result<PgRow> {
    rows(connection, sql).await?.into_iter().next().ok_or(sqlx::Error::RowNotFound)
}

/// A text as a literal.
pub(super) fn literal(text: &str) -> String {
    // With its own syntax, as the plain one depends on `standard_conforming_strings`.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The code of an error of the server.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}
