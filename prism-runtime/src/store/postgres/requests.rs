//! Request ids: by which a repeated call is recognized.

use sqlx::Row as _;

use super::connection::Connection;
use super::error::Failure;
use crate::entity::decide::{REQUEST_ID_MICROS, Remembered, RequestId};
use crate::entity::layout::Layout;
use crate::entity::record::{Key, decode_values, encode_values};
use crate::store::entity::Write;
use crate::{Error, Reason};

/// Lets a second call with the same request id, at this proxy or another one, wait until the first
/// has ended, so that it finds what that has written: both write the id's row, as yet without the
/// key of a record. A lock on a row, because not every database that speaks Postgres has advisory
/// ones.
pub(super) async fn lock(
    connection: &mut Connection,
    layout: &Layout,
    request: &RequestId,
) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO prism_requests \
         (caller, method, namespace, request_id, body_hash, record_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, '', 0) \
         ON CONFLICT (caller, method, namespace, request_id) DO UPDATE SET \
         created_at = prism_requests.created_at",
    )
    .bind(&request.scope.caller)
    .bind(&request.scope.method)
    .bind(&layout.entity.namespace)
    .bind(&request.scope.id)
    .bind(&request.content[..])
    .execute(connection)
    .await?;
    Ok(())
}

/// What is known of a request id.
pub(super) async fn find(
    connection: &mut Connection,
    layout: &Layout,
    request: &RequestId,
) -> Result<Option<Remembered>, Failure> {
    let scope = &request.scope;
    let row = sqlx::query(
        "SELECT body_hash, record_key, created_at FROM prism_requests \
         WHERE caller = $1 AND method = $2 AND namespace = $3 AND request_id = $4 \
         AND record_key <> ''",
    )
    .bind(&scope.caller)
    .bind(&scope.method)
    .bind(&layout.entity.namespace)
    .bind(&scope.id)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let corrupt = || Error::new(Reason::CorruptRecord, "the stored request id cannot be read");
    let content = row.try_get::<&[u8], _>(0)?.try_into().map_err(|_| corrupt())?;
    let key = decode_values(row.try_get(1)?).map(Key).ok_or_else(corrupt)?;
    Ok(Some(Remembered { content, key, created_micros: row.try_get(2)? }))
}

/// Remembers a request id, with the key that the call wrote.
pub(super) async fn remember(
    connection: &mut Connection,
    layout: &Layout,
    request: &RequestId,
    write: &Write,
) -> Result<(), Failure> {
    let mut key = Vec::new();
    encode_values(&write.key.0, &mut key);
    sqlx::query(
        "INSERT INTO prism_requests \
         (caller, method, namespace, request_id, body_hash, record_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (caller, method, namespace, request_id) DO UPDATE SET \
         body_hash = excluded.body_hash, record_key = excluded.record_key, \
         created_at = excluded.created_at",
    )
    .bind(&request.scope.caller)
    .bind(&request.scope.method)
    .bind(&layout.entity.namespace)
    .bind(&request.scope.id)
    .bind(&request.content[..])
    .bind(key)
    .bind(write.command.now_micros)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes request ids that are not remembered any longer. Answers how many.
pub(super) async fn forget(
    connection: &mut Connection,
    now_micros: i64,
    limit: usize,
) -> Result<u64, Failure> {
    let forgotten = sqlx::query(
        // One that is remembered anew meanwhile is looked at again, and what was selected is not.
        "DELETE FROM prism_requests WHERE created_at <= $1 \
         AND (caller, method, namespace, request_id) IN \
         (SELECT caller, method, namespace, request_id FROM prism_requests \
          WHERE created_at <= $1 LIMIT $2)",
    )
    .bind(now_micros.saturating_sub(REQUEST_ID_MICROS))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected())
}
