//! One answer is one snapshot, and is whole.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use serde_json::{Value as Json, json};

use super::{key, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::conformance::entity::typed::Order;
use crate::{Code, Reason};

const ROUNDS: i64 = 60;

/// The totals of the first and the last order: the first one is written before the last.
fn ends(found: &[(String, i64)]) -> (i64, i64) {
    (found[0].1, found[found.len() - 1].1)
}

fn of_answer(answer: &Json) -> Vec<(String, i64)> {
    let orders = answer["orders"].as_array().unwrap().iter();
    let text = |value: &Json| value.as_str().unwrap_or("0").to_owned();
    orders.map(|order| (text(&order["orderId"]), text(&order["total"]).parse().unwrap())).collect()
}

/// Reads of many records beside writes to the first one and then the last one of them: none sees
/// the second of two writes without the first.
pub async fn read_snapshots(harness: &Harness) {
    let id = |n: usize| format!("{n:03}");
    let order = |n: usize, total: i64| with(key("c", &id(n)), json!({"total": total.to_string()}));
    for n in 0..80 {
        ok(harness, "CreateOrder", json!({"order": order(n, 0)})).await;
    }
    let writing = Cell::new(true);
    let writer = async {
        for total in 1..=ROUNDS {
            for n in [0, 79] {
                ok(harness, "PutOrder", json!({"order": order(n, total)})).await;
            }
        }
        writing.set(false);
    };
    let keys: Vec<Json> = (0..80).map(|n| key("c", &id(n))).collect();
    let request = json!({"keys": keys});
    let store = harness.orders();
    let reader = async |way: u32| {
        let mut reads = 0;
        while writing.get() || reads < 2 {
            let found = match way % 3 {
                0 => {
                    let page = json!({"customerId": "c", "pageSize": 1000});
                    of_answer(&ok(harness, "ListOrders", page).await)
                }
                1 => of_answer(&ok(harness, "BatchGetOrders", request.clone()).await),
                _ => {
                    let found = store.batch_get((0..80).map(|n| ("c".to_owned(), id(n)))).await;
                    let total = |order: Order| (order.order_id, order.total);
                    found.unwrap().into_iter().map(total).collect()
                }
            };
            assert_eq!(found.len(), 80);
            let (first, last) = ends(&found);
            assert!(first == last || first == last + 1, "{first} and {last} in one answer");
            reads += 1;
            tokio::task::yield_now().await;
        }
    };
    join(writer, join_all((0..6).map(reader))).await;
}

/// The service's own code is told of what does not fit an answer, as a caller is.
pub async fn batches_of_the_service(harness: &Harness) {
    let store = harness.orders();
    let order = |id: &str, bytes: usize| Order {
        customer_id: "c".to_owned(),
        order_id: id.to_owned(),
        secret: "s".repeat(bytes),
        ..Order::default()
    };
    let ids: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    for id in &ids {
        store.create(&order(id, 200_000)).await.unwrap();
    }
    let keys =
        |ids: &[String]| ids.iter().map(|id| ("c".to_owned(), id.clone())).collect::<Vec<_>>();
    assert_eq!(store.batch_get(keys(&ids[..5])).await.unwrap().len(), 5);
    let error = store.batch_get(keys(&ids)).await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Reason::ValueTooLarge, Code::ResourceExhausted));
    store.create(&order("large", 2_000_000)).await.unwrap();
    assert_eq!(store.get(("c", "large")).await.unwrap().secret.len(), 2_000_000);
    let error = store.batch_get([("c", "large")]).await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Reason::ValueTooLarge, Code::ResourceExhausted));
    assert!(error.message().contains("Get"), "{error}");
    for count in [1_001, 16_384] {
        let many = (0..count).map(|n| ("c".to_owned(), n.to_string()));
        let error = store.batch_get(many).await.unwrap_err();
        assert_eq!((error.reason(), error.code()), (Reason::ValueTooLarge, Code::InvalidArgument));
    }
    let most = (0..1_000).map(|n| ("c".to_owned(), format!("none{n}")));
    assert_eq!(store.batch_get(most).await.unwrap(), []);
    let keys: Vec<Json> = (0..1_001).map(|_| key("c", "0")).collect();
    let request = json!({"keys": keys});
    let error = refused(harness, "BatchGetOrders", request, Reason::ValueTooLarge).await;
    assert_eq!(error.code(), Code::InvalidArgument);
}
