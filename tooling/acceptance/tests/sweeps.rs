//! A running proxy removes what nothing need be known of any more, and nothing else.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::path::Path;
use std::time::Duration;

use prism_acceptance::backend::Backend;
use prism_proxy::acme::profiles::v1::profile_service::ProfileServiceClient;
use prism_proxy::acme::profiles::v1::{
    CreateUserProfileRequest, GetUserProfileRequest, UserProfile,
};
use prism_runtime::Proxy;
use prism_runtime::clock::Clock;
use prism_runtime::codegen::Client;
use prism_runtime::config::Config;
use prism_runtime::proto::common::ItemMetadata;
use prism_runtime::proto::keyvalue::v1::{DeleteRequest, DeleteResponse, PutResponse};
use prost_types::Timestamp;
use support::{PUT, count, put};

/// 2027-01-15, in seconds since the Unix epoch.
const START: i64 = 1_800_000_000;
/// More than one batch of the sweep.
const MANY: i64 = 1_200;

/// Waits until a table has this many rows.
async fn until(backend: &Backend, folder: &Path, table: &str, rows: i64) {
    let counted = async {
        while count(backend, folder, table).await != rows {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let limit = tokio::time::timeout(Duration::from_secs(20), counted).await;
    let found = count(backend, folder, table).await;
    assert!(limit.is_ok(), "{table} has {found} rows, not {rows}");
}

async fn create(service: &ProfileServiceClient, id: String, expires: Option<i64>) {
    let expire_time = expires.map(|seconds| Timestamp { seconds, nanos: 0 });
    let user_profile =
        Some(UserProfile { user_id: id.clone(), expire_time, ..UserProfile::default() });
    let request = CreateUserProfileRequest { user_profile, request_id: id };
    service.create_user_profile(request).await.unwrap();
}

async fn put_item(client: &Client, id: &str, ttl_seconds: i64) {
    let mut request = put(id, b"k", b"v".to_vec());
    request.items[0].metadata = Some(ItemMetadata { ttl_seconds, ..ItemMetadata::default() });
    client.unary::<_, PutResponse>(PUT, request).await.unwrap();
}

on_every_backend! {
    what_has_expired_is_removed_from_the_database,
}

async fn what_has_expired_is_removed_from_the_database(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let rows = async |table: &str| count(&backend, folder.path(), table).await;
    let until = async |table: &str, rows| until(&backend, folder.path(), table, rows).await;
    let clock = Clock::manual(START * 1_000_000);
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = backend.database(folder.path());
    config.migrate = Some(true);
    let proxy = Proxy::builder(prism_proxy::schema())
        .config(config)
        .clock(clock.clone())
        .sweep_interval(Duration::from_millis(20))
        .start()
        .unwrap();
    let client = Client::connect(format!("http://{}", proxy.local_addr())).await.unwrap();
    let service = ProfileServiceClient::new(client.clone());

    let expiring = (0..MANY).map(|id| create(&service, format!("trial-{id}"), Some(START + 10)));
    futures_util::future::join_all(expiring).await;
    create(&service, "later".to_owned(), Some(START + 1_000_000)).await;
    create(&service, "stays".to_owned(), None).await;
    put_item(&client, "short", 10).await;
    put_item(&client, "long", 10_000_000).await;
    put_item(&client, "deleted", 0).await;
    let delete = DeleteRequest {
        namespace: "test".to_owned(),
        id: "deleted".to_owned(),
        keys: vec![b"k".to_vec()],
        ..DeleteRequest::default()
    };
    let path = "/prism.keyvalue.v1.KeyValueService/Delete";
    client.unary::<_, DeleteResponse>(path, delete).await.unwrap();
    // Nothing has expired yet; the tombstone is there.
    assert_eq!(rows("user_profiles").await, MANY + 2);
    assert_eq!(rows("kv_items").await, 3);

    clock.advance(11 * 1_000_000);
    until("user_profiles", 2).await;
    // An item that has expired is remembered as long as a delete, and so are request ids.
    assert_eq!(rows("kv_items").await, 3);
    assert_eq!(rows("prism_requests").await, MANY + 2);

    clock.advance(25 * 3600 * 1_000_000);
    until("kv_items", 1).await;
    until("prism_requests", 0).await;
    assert_eq!(rows("user_profiles").await, 2);
    for user_id in ["later", "stays"] {
        let request = GetUserProfileRequest { user_id: user_id.to_owned() };
        service.get_user_profile(request).await.unwrap();
    }
    proxy.shutdown().await;
}
