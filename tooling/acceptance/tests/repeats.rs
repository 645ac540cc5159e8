//! Calls with one request id, made at once, write one record.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_proxy::acme::orders::v1::{CreateOrderRequest, ListOrdersRequest, Order};
use tonic::Code;

on_every_backend! {
    calls_with_one_request_id_at_once_write_one_record,
}

/// Calls with each request id.
const CALLS: usize = 12;

async fn calls_with_one_request_id_at_once_write_one_record(backend: Backend) {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    // A file has one proxy; a server has any number.
    let count = if backend == Backend::Sqlite { 1 } else { 2 };
    let proxies: Vec<Proxy> = folders[..count]
        .iter()
        .map(|folder| backend.start_in(folder.path(), &[]).unwrap())
        .collect();
    let mut services = Vec::new();
    for proxy in &proxies {
        services.push(support::orders(proxy).await);
    }
    for round in 0..10 {
        let request = |other: bool| CreateOrderRequest {
            order: Some(Order {
                customer_id: format!("c-{round}"),
                note: other.then(|| "another order".to_owned()),
                ..Order::default()
            }),
            request_id: format!("r-{round}"),
        };
        // The last one is another request under the same id.
        let calls = (0..=CALLS).map(|call| {
            let service = &services[call % count];
            service.create_order(request(call == CALLS))
        });
        let mut created = BTreeSet::new();
        for answer in join_all(calls).await {
            match answer {
                Ok(order) => drop(created.insert(order.into_inner().order_id)),
                Err(status) => {
                    let codes = [Code::InvalidArgument, Code::Aborted];
                    assert!(codes.contains(&status.code()), "{status:?}");
                }
            }
        }
        assert_eq!(created.len(), 1, "one order was created: {created:?}");
        let list =
            ListOrdersRequest { customer_id: format!("c-{round}"), ..ListOrdersRequest::default() };
        let stored = services[0].list_orders(list).await.unwrap().into_inner().orders;
        let stored: BTreeSet<String> = stored.into_iter().map(|order| order.order_id).collect();
        assert_eq!(stored, created);
    }
}
