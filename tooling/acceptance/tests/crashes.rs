//! The proxy is killed at random moments while clients write; nothing acknowledged is lost.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_proxy::acme::orders::v1::order_service::OrderServiceClient;
use prism_proxy::acme::orders::v1::{
    LineItem, ListOrdersRequest, Money, Order, PutOrderRequest, order,
};
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, Item, PutRequest, PutResponse};
use support::{GET, PUT};
use tokio::sync::mpsc;

const KILLS: u64 = 50;
/// Clients of each kind.
const CLIENTS: u64 = 4;
/// Items of one key-value write, which is there with all of them or with none.
const ITEMS: u8 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Order,
    KeyValue,
}

/// A write: its kind, the round of its database's life, and its number within.
type Write = (Kind, u64, u64);

on_every_backend! {
    acknowledged_writes_survive_50_kills_of_the_proxy,
}

async fn acknowledged_writes_survive_50_kills_of_the_proxy(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeSet<Write> = BTreeSet::new();
    for round in 0..KILLS {
        let proxy = backend.start_in(folder.path(), &["--threads", "2"]).unwrap();
        for earlier in round.saturating_sub(2)..round {
            verify(&proxy, earlier, &acknowledged).await;
        }
        acknowledged.append(&mut load_and_kill(proxy, round).await);
    }
    let proxy = backend.start_in(folder.path(), &[]).unwrap();
    for round in 0..KILLS {
        verify(&proxy, round, &acknowledged).await;
    }
    let (code, log) = proxy.stop().unwrap();
    assert_eq!(code, Some(0), "{log}");
    for kind in [Kind::Order, Kind::KeyValue] {
        let count = acknowledged.iter().filter(|write| write.0 == kind).count();
        assert!(count > 200, "{count} writes of {kind:?} are no load");
    }
    if backend == Backend::Sqlite {
        assert_eq!(integrity(&folder.path().join("prism.db")), "ok");
    }
}

/// Writes from several connections until a number of writes that differs in each round has been
/// acknowledged, then kills the proxy. Answers with all that were acknowledged.
async fn load_and_kill(proxy: Proxy, round: u64) -> BTreeSet<Write> {
    let (sender, mut acks) = mpsc::channel(64);
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        for kind in [Kind::Order, Kind::KeyValue] {
            let connection = support::connect(&proxy).await;
            let sender = sender.clone();
            clients.push(tokio::spawn(async move {
                for number in (client..).step_by(CLIENTS as usize) {
                    if !write(&connection, (kind, round, number)).await {
                        break;
                    }
                    sender.send((kind, round, number)).await.unwrap();
                }
            }));
        }
    }
    drop(sender);
    let mut acknowledged = BTreeSet::new();
    for _ in 0..=round * 37 % 110 {
        acknowledged.insert(acks.recv().await.expect("the proxy refuses writes"));
    }
    proxy.kill().unwrap();
    while let Some(ack) = acks.recv().await {
        acknowledged.insert(ack);
    }
    for client in clients {
        client.await.unwrap();
    }
    acknowledged
}

/// Whether the write was acknowledged.
async fn write(connection: &Client, write: Write) -> bool {
    match write.0 {
        Kind::Order => {
            let orders = OrderServiceClient::new(connection.clone());
            let request = PutOrderRequest { order: Some(order(write.1, write.2)) };
            orders.put_order(request).await.is_ok()
        }
        Kind::KeyValue => {
            let answer = connection.unary::<_, PutResponse>(PUT, items(write.1, write.2)).await;
            answer.is_ok_and(|answer| answer.into_inner().success)
        }
    }
}

/// What the round wrote is there where it was acknowledged, and whole wherever it is there.
async fn verify(proxy: &Proxy, round: u64, acknowledged: &BTreeSet<Write>) {
    let connection = support::connect(proxy).await;
    let mut found = stored_orders(&connection, round).await;
    found.append(&mut stored_items(&connection, round).await);
    for write in acknowledged.iter().filter(|write| write.1 == round) {
        assert!(found.contains(write), "acknowledged write {write:?} is lost");
    }
}

async fn stored_orders(connection: &Client, round: u64) -> BTreeSet<Write> {
    let service = OrderServiceClient::new(connection.clone());
    let mut request = ListOrdersRequest {
        customer_id: format!("round-{round}"),
        page_size: 1000,
        ..ListOrdersRequest::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = service.list_orders(request.clone()).await.unwrap().into_inner();
        for stored in page.orders {
            let number = stored.order_id.parse().unwrap();
            // What the server manages is not the client's.
            let written =
                Order { create_time: None, update_time: None, etag: String::new(), ..stored };
            assert_eq!(written, order(round, number), "order {number} is torn");
            found.insert((Kind::Order, round, number));
        }
        if page.next_page_token.is_empty() {
            return found;
        }
        request.page_token = page.next_page_token;
    }
}

async fn stored_items(connection: &Client, round: u64) -> BTreeSet<Write> {
    let mut request = GetRequest {
        namespace: "crashes".to_owned(),
        id: format!("round-{round}"),
        ..GetRequest::default()
    };
    let mut parts: BTreeMap<u64, Vec<Item>> = BTreeMap::new();
    loop {
        let page = connection.unary::<_, GetResponse>(GET, request.clone()).await.unwrap();
        let page = page.into_inner();
        for item in page.items {
            let number = u64::from_be_bytes(item.key[..8].try_into().unwrap());
            parts.entry(number).or_default().push(Item { metadata: None, ..item });
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    for (number, stored) in &parts {
        assert_eq!(stored, &items(round, *number).items, "write {number} is torn");
    }
    parts.into_keys().map(|number| (Kind::KeyValue, round, number)).collect()
}

/// Content that only this write has, of a length that differs, over pages of the database.
fn content(round: u64, number: u64) -> String {
    format!("{round}/{number};").repeat((100 + number * 97 % 1000) as usize)
}

fn order(round: u64, number: u64) -> Order {
    let total = Money { currency_code: "EUR".to_owned(), cents: (round * number) as i64 };
    let line =
        LineItem { sku: content(round, number), quantity: 1, unit_price: Some(total.clone()) };
    Order {
        customer_id: format!("round-{round}"),
        order_id: format!("{number:08}"),
        status: order::Status::Placed.into(),
        line_items: vec![line; 2],
        total: Some(total),
        external_reference: Some(format!("{round}-{number}")),
        note: Some(content(number, round)),
        ..Order::default()
    }
}

fn items(round: u64, number: u64) -> PutRequest {
    let items = (0..ITEMS).map(|part| Item {
        key: [&number.to_be_bytes()[..], &[part]].concat(),
        value: content(round, number + u64::from(part)).into_bytes(),
        metadata: None,
    });
    PutRequest {
        namespace: "crashes".to_owned(),
        id: format!("round-{round}"),
        items: items.collect(),
        item_priority_token: 0,
    }
}

fn integrity(path: &Path) -> String {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}
