//! Get and Put on Postgres as one writes them first: a handler, a pool, a statement.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, Item, PutRequest, PutResponse};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tonic::body::Body;
use tonic::{Request, Response, Status};

use super::stock::{self, Methods};
use super::{GET, PUT};
use crate::calls;

/// Connections of the pool.
const POOL: u32 = 16;

/// Serves a table of its own, filled in one transaction.
pub fn serve(url: &str, rows: u32, payload: usize) -> Result<(), Box<dyn Error>> {
    stock::serve(async {
        let pool = PgPoolOptions::new().max_connections(POOL).connect(url).await?;
        sqlx::query(
            "CREATE TABLE items (
                 namespace TEXT NOT NULL, id TEXT NOT NULL, key BYTEA NOT NULL,
                 value BYTEA NOT NULL, PRIMARY KEY (namespace, id, key)
             )",
        )
        .execute(&pool)
        .await?;
        let rows = 0..u64::from(rows);
        let ids: Vec<String> = rows.clone().map(calls::id).collect();
        let values: Vec<Vec<u8>> = rows.map(|row| calls::value(row, payload)).collect();
        let fill = "INSERT INTO items SELECT 'bench', id, 'profile', value \
                    FROM unnest($1::text[], $2::bytea[]) AS filling (id, value)";
        sqlx::query(fill).bind(ids).bind(values).execute(&pool).await?;
        Ok(KeyValue(pool))
    })
}

#[derive(Clone)]
struct KeyValue(PgPool);

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

async fn get(pool: PgPool, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
    let request = request.into_inner();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "SELECT key, value FROM items WHERE namespace = $1 AND id = $2 ORDER BY key",
    )
    .bind(request.namespace)
    .bind(request.id)
    .fetch_all(&pool)
    .await
    .map_err(|error| Status::internal(error.to_string()))?;
    let items = rows.into_iter().map(|(key, value)| Item { key, value, metadata: None }).collect();
    Ok(Response::new(GetResponse { items, ..GetResponse::default() }))
}

async fn put(pool: PgPool, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
    let request = request.into_inner();
    for item in request.items {
        sqlx::query(
            "INSERT INTO items VALUES ($1, $2, $3, $4) \
             ON CONFLICT (namespace, id, key) DO UPDATE SET value = excluded.value",
        )
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
