//! What the tests with the generated Rust clients share.
#![allow(dead_code, clippy::unwrap_used)]

use std::fmt::Debug;
use std::path::Path;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_proxy::acme::orders::v1::order_service::OrderServiceClient;
use prism_proxy::acme::profiles::v1::profile_service::ProfileServiceClient;
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{Item, PutRequest};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;

/// Makes each of these functions two tests, on SQLite and on Postgres: `async fn(Backend)`.
#[allow(unused_macros)]
macro_rules! on_every_backend {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test(prism_acceptance::backend::Backend::Sqlite).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if let Some(backend) = prism_acceptance::backend::Backend::postgres() {
                        super::$test(backend).await;
                    }
                }
            )*
        }
    };
}

/// Runs statements on the database of a proxy that has this folder.
pub async fn execute(backend: &Backend, folder: &Path, sql: &str) {
    match backend {
        Backend::Sqlite => {
            let file = backend.database(folder);
            rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
        }
        Backend::Postgres(url) => {
            use sqlx::{Connection, Executor};
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            connection.execute(sqlx::AssertSqlSafe(sql)).await.unwrap();
        }
    }
}

/// How many rows a table has.
pub async fn count(backend: &Backend, folder: &Path, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    match backend {
        Backend::Sqlite => {
            let connection = rusqlite::Connection::open(backend.database(folder)).unwrap();
            connection.query_row(&sql, [], |row| row.get(0)).unwrap()
        }
        Backend::Postgres(url) => {
            use sqlx::Connection;
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            let count = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
            count.fetch_one(&mut connection).await.unwrap()
        }
    }
}

pub async fn connect(proxy: &Proxy) -> Client {
    Client::connect(proxy.uri()).await.unwrap()
}

pub async fn orders(proxy: &Proxy) -> OrderServiceClient {
    OrderServiceClient::new(connect(proxy).await)
}

pub async fn profiles(proxy: &Proxy) -> ProfileServiceClient {
    ProfileServiceClient::new(connect(proxy).await)
}

/// A call that must fail, with a code, the reason of its ErrorInfo, and exactly these fields in
/// its BadRequest.
#[track_caller]
pub fn assert_fails<T: Debug>(
    answer: Result<Response<T>, Status>,
    code: Code,
    reason: &str,
    fields: &[&str],
) -> Status {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status:?}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.domain.as_str(), info.reason.as_str()), ("prism", reason), "{status:?}");
    let violations = details.bad_request().map(|request| request.field_violations.as_slice());
    let violated: Vec<&str> =
        violations.unwrap_or_default().iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(violated, fields, "{status:?}");
    status
}

/// The fields and the texts of a failed call's BadRequest.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let Some(request) = details.bad_request() else { return Vec::new() };
    let pairs = request.field_violations.iter();
    pairs.map(|violation| (violation.field.clone(), violation.description.clone())).collect()
}

pub const PUT: &str = "/prism.keyvalue.v1.KeyValueService/Put";
pub const GET: &str = "/prism.keyvalue.v1.KeyValueService/Get";
pub const SCAN: &str = "/prism.keyvalue.v1.KeyValueService/Scan";

pub fn put(id: &str, key: &[u8], value: Vec<u8>) -> PutRequest {
    PutRequest {
        namespace: "test".to_owned(),
        id: id.to_owned(),
        items: vec![Item { key: key.to_vec(), value, metadata: None }],
        item_priority_token: 0,
    }
}
