//! The service as its users see it: a server in this process, a file of its own, a client.

#![allow(clippy::unwrap_used)]

use inventory::inventory::v1::inventory_service::InventoryServiceClient;
use inventory::inventory::v1::{
    GetItemRequest, Item, ListItemsRequest, PutItemRequest, ReserveStockRequest,
};
use prism_runtime::Proxy;
use prism_runtime::client::Client;
use prism_runtime::config::Config;
use tempfile::TempDir;
use tonic::Code;

fn start(folder: &TempDir) -> Proxy {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.database = folder.path().join("inventory.db").display().to_string();
    Proxy::builder(inventory::service()).config(config).start().unwrap()
}

async fn connect(proxy: &Proxy) -> InventoryServiceClient {
    let address = format!("http://{}", proxy.local_addr());
    InventoryServiceClient::new(Client::connect(address).await.unwrap())
}

fn item(sku: &str, shelf: &str, in_stock: i64) -> PutItemRequest {
    let item = Item { sku: sku.into(), shelf: shelf.into(), in_stock, ..Item::default() };
    PutItemRequest { item: Some(item) }
}

#[tokio::test]
async fn what_was_put_is_there_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let proxy = start(&folder);
    let client = connect(&proxy).await;
    client.put_item(item("bolt", "A1", 10)).await.unwrap();
    client.put_item(item("nut", "B2", 20)).await.unwrap();
    proxy.shutdown().await;

    let proxy = start(&folder);
    let client = connect(&proxy).await;
    let request = ListItemsRequest { shelf: Some("A1".into()), ..ListItemsRequest::default() };
    let items = client.list_items(request).await.unwrap().into_inner().items;
    assert_eq!(items.iter().map(|item| item.sku.as_str()).collect::<Vec<_>>(), ["bolt"]);
    proxy.shutdown().await;
}

#[tokio::test]
async fn stock_is_never_reserved_twice() {
    let folder = TempDir::new().unwrap();
    let proxy = start(&folder);
    let client = connect(&proxy).await;
    client.put_item(item("bolt", "A1", 5)).await.unwrap();

    let request = ReserveStockRequest { sku: "bolt".into(), quantity: 2 };
    let (one, two, three) = tokio::join!(
        client.reserve_stock(request.clone()),
        client.reserve_stock(request.clone()),
        client.reserve_stock(request),
    );
    let reserved = [&one, &two, &three].into_iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(reserved, 2);
    let left = client.get_item(GetItemRequest { sku: "bolt".into() }).await.unwrap();
    assert_eq!(left.into_inner().in_stock, 1);

    let nothing = ReserveStockRequest { sku: "bolt".into(), quantity: 0 };
    assert_eq!(client.reserve_stock(nothing).await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = ReserveStockRequest { sku: "screw".into(), quantity: 1 };
    assert_eq!(client.reserve_stock(unknown).await.unwrap_err().code(), Code::NotFound);
    proxy.shutdown().await;
}
