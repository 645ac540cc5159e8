//! Several proxies on one Postgres database.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use futures_util::future::join_all;
use prism_runtime::keyvalue::decide::{Content, Stamp, Token};
use prism_runtime::proto::keyvalue::v1::Item;
use prism_runtime::store::keyvalue::{
    ItemSwap, KeyValueStore as _, RecordPut, SwapOutcome, Target,
};
use prism_runtime::store::postgres::{Database, KeyValue, Options};
use prism_runtime::{Reason, Result};

const SERVER: Stamp = Stamp { token: Token::Server, now: 1, remembered: 1 };

fn target(namespace: &str) -> Target {
    Target { namespace: namespace.into(), id: "shared".to_owned(), max_namespaces: Some(3) }
}

fn put(namespace: &str, keys: &[&str]) -> RecordPut {
    let item = |key: &&str| Item { key: key.as_bytes().to_vec(), ..Item::default() };
    RecordPut { target: target(namespace), items: keys.iter().map(item).collect(), stamp: SERVER }
}

fn proxies<const N: usize>(url: &str) -> [Arc<KeyValue>; N] {
    [(); N].map(|()| Arc::new(KeyValue::new(Database::open(&Options::new(url)).unwrap())))
}

async fn swap(store: &KeyValue, expected: Option<Vec<u8>>, new: Vec<u8>) -> Result<SwapOutcome> {
    let (key, content) = (b"counter".to_vec(), Content::default());
    let target = target("test");
    store.swap(ItemSwap { target, key, expected, new: Some(new), content, stamp: SERVER }).await
}

/// Adds one, however often another one was faster.
async fn increment(store: &KeyValue) {
    let mut seen = None;
    loop {
        let number = seen
            .as_deref()
            .map_or(0, |text: &[u8]| std::str::from_utf8(text).unwrap().parse::<u32>().unwrap());
        match swap(store, seen.clone(), (number + 1).to_string().into()).await {
            Ok(SwapOutcome::Swapped) => return,
            Ok(SwapOutcome::Differs(actual)) => seen = actual,
            // Too many others in the way: nothing was written.
            Err(error) => assert_eq!(error.reason(), Reason::BackendUnavailable, "{error}"),
        }
    }
}

#[tokio::test]
async fn increments_of_several_proxies_all_count() {
    let Some(database) = prism_postgres::for_test() else { return };
    let proxies = proxies::<3>(&database.url());
    join_all((0..30).map(|number| increment(&proxies[number % 3]))).await;
    let outcome = swap(&proxies[0], None, Vec::new()).await.unwrap();
    assert_eq!(outcome, SwapOutcome::Differs(Some(b"30".to_vec())));
}

#[tokio::test]
async fn puts_of_several_proxies_to_the_same_items_all_succeed() {
    let Some(database) = prism_postgres::for_test() else { return };
    let proxies = proxies::<3>(&database.url());
    let keys = [&["a"][..], &["b", "a"], &["a", "b", "c"], &["c", "b"]];
    let puts =
        (0..120).map(|number: usize| proxies[number % 3].put(put("test", keys[number / 3 % 4])));
    for done in join_all(puts).await {
        done.unwrap();
    }
}

#[tokio::test]
async fn several_proxies_admit_as_many_namespaces_as_one() {
    let Some(database) = prism_postgres::for_test() else { return };
    let proxies = proxies::<3>(&database.url());
    let names: Vec<String> = (0..12).map(|number| format!("n-{number}")).collect();
    let puts = names.iter().enumerate().map(|(n, name)| proxies[n % 3].put(put(name, &["k"])));
    let done = join_all(puts).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 3);
    for error in done.into_iter().filter_map(Result::err) {
        assert_eq!(error.reason(), Reason::StorageFull, "{error}");
    }
}
