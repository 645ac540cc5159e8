//! Get and Put as one writes them first: a handler, a pool, a statement.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, Item, PutRequest, PutResponse};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tonic::body::Body;
use tonic::{Request, Response, Status};

use super::stock::{self, Methods};
use super::{GET, PUT};
use crate::calls;

/// Connections of the pool.
const POOL: u32 = 4;

/// Serves a table of its own in `directory`, filled in one transaction: one for each row would
/// take longer than the benchmark.
pub fn serve(directory: &Path, rows: u32, payload: usize) -> Result<(), Box<dyn Error>> {
    let options = SqliteConnectOptions::new()
        .filename(directory.join("naive.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    stock::serve(async {
        let pool = SqlitePoolOptions::new().max_connections(POOL).connect_with(options).await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS items (
                 namespace TEXT NOT NULL, id TEXT NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL,
                 PRIMARY KEY (namespace, id, key)
             ) WITHOUT ROWID",
        )
        .execute(&pool)
        .await?;
        let mut filling = pool.begin().await?;
        for row in 0..u64::from(rows) {
            sqlx::query("INSERT OR REPLACE INTO items VALUES ('bench', ?1, ?2, ?3)")
                .bind(calls::id(row))
                // Bytes, as puts send them: SQLite takes a text for another key.
                .bind(b"profile".as_slice())
                .bind(calls::value(row, payload))
                .execute(&mut *filling)
                .await?;
        }
        filling.commit().await?;
        Ok(KeyValue(pool))
    })
}

#[derive(Clone)]
struct KeyValue(SqlitePool);

impl Methods for KeyValue {
    fn call(
        self,
        request: http::Request<Body>,
    ) -> Pin<Box<dyn Future<Output = http::Response<Body>> + Send>> {
        let pool = self.0;
        match request.uri().path() {
            GET => stock::unary(request, move |request| get(pool.clone(), request)),
            PUT => stock::unary(request, move |request| put(pool.clone(), request)),
            _ => stock::unimplemented(),
        }
    }
}

async fn get(
    pool: SqlitePool,
    request: Request<GetRequest>,
) -> Result<Response<GetResponse>, Status> {
    let request = request.into_inner();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT key, value FROM items WHERE namespace = ?1 AND id = ?2 ORDER BY key",
    )
    .bind(request.namespace)
    .bind(request.id)
    .fetch_all(&pool)
    .await
    .map_err(|error| Status::internal(error.to_string()))?;
    let items = rows.into_iter().map(|(key, value)| Item { key, value, metadata: None }).collect();
    Ok(Response::new(GetResponse { items, ..GetResponse::default() }))
}

async fn put(
    pool: SqlitePool,
    request: Request<PutRequest>,
) -> Result<Response<PutResponse>, Status> {
    let request = request.into_inner();
    for item in request.items {
        sqlx::query("INSERT OR REPLACE INTO items VALUES (?1, ?2, ?3, ?4)")
            .bind(&request.namespace)
            .bind(&request.id)
            .bind(item.key)
            .bind(item.value)
            .execute(&pool)
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
    }
    Ok(Response::new(PutResponse { success: true }))
}
