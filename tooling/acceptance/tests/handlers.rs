//! A service with a method that its user wrote, `examples/inventory`: its store does the same on
//! every backend.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::path::Path;

use futures_util::future::join_all;
use inventory::inventory::v1::inventory_service::InventoryServiceClient;
use inventory::inventory::v1::{
    GetItemRequest, Item, ListItemsRequest, PutItemRequest, ReserveStockRequest,
};
use prism_acceptance::backend::Backend;
use prism_runtime::Proxy;
use prism_runtime::client::Client;
use prism_runtime::config::Config;
use tonic::Code;

on_every_backend! {
    what_was_put_is_there_after_a_restart,
    stock_is_never_reserved_twice,
}

async fn start(backend: &Backend, folder: &Path) -> (Proxy, InventoryServiceClient) {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = backend.database(folder);
    config.migrate = Some(true);
    let proxy = Proxy::builder(inventory::service()).config(config).start().unwrap();
    let address = format!("http://{}", proxy.local_addr());
    (proxy, InventoryServiceClient::new(Client::connect(address).await.unwrap()))
}

fn item(sku: &str, shelf: &str, in_stock: i64) -> PutItemRequest {
    let item = Item { sku: sku.into(), shelf: shelf.into(), in_stock, ..Item::default() };
    PutItemRequest { item: Some(item) }
}

async fn what_was_put_is_there_after_a_restart(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let (proxy, client) = start(&backend, folder.path()).await;
    client.put_item(item("bolt", "A1", 10)).await.unwrap();
    client.put_item(item("nut", "B2", 20)).await.unwrap();
    proxy.shutdown().await;

    let (proxy, client) = start(&backend, folder.path()).await;
    let request = ListItemsRequest { shelf: Some("A1".into()), ..ListItemsRequest::default() };
    let items = client.list_items(request).await.unwrap().into_inner().items;
    assert_eq!(items.iter().map(|item| item.sku.as_str()).collect::<Vec<_>>(), ["bolt"]);
    proxy.shutdown().await;
}

async fn stock_is_never_reserved_twice(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let (proxy, client) = start(&backend, folder.path()).await;
    client.put_item(item("bolt", "A1", 21)).await.unwrap();
    let request = || ReserveStockRequest { sku: "bolt".into(), quantity: 2 };
    let mut reserved = 0;
    // Some lose their tries to others: whoever is told to try again does.
    for _ in 0..20 {
        let answers = join_all((0..6).map(|_| client.reserve_stock(request()))).await;
        reserved += answers.iter().filter(|answer| answer.is_ok()).count();
    }
    assert_eq!(reserved, 10);
    let left = client.get_item(GetItemRequest { sku: "bolt".into() }).await.unwrap();
    assert_eq!(left.into_inner().in_stock, 1);
    let unknown = ReserveStockRequest { sku: "screw".into(), quantity: 1 };
    assert_eq!(client.reserve_stock(unknown).await.unwrap_err().code(), Code::NotFound);
    proxy.shutdown().await;
}
