//! The service over a backend, called as a transport calls it.

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use prost::Message;

use crate::clock::Clock;
use crate::keyvalue::{KeyValue, Options, sweep};
use crate::page_token::PageTokens;
use crate::proto::common::ItemMetadata;
use crate::proto::keyvalue::v1::key_predicate::Predicate;
use crate::proto::keyvalue::v1::{
    CompareAndSwapRequest, CompareAndSwapResponse, DeleteRequest, DeleteResponse, GetRequest,
    GetResponse, Item, KeyPredicate, MatchAll, MatchKeys, MatchRange, PutBatchRequest,
    PutBatchResponse, PutRequest, PutResponse, ScanRequest, ScanResponse,
};
use crate::service::{Context, MessageStream, Reply, Service};
use crate::store::keyvalue::KeyValueStore;
use crate::{Error, Result};

/// The time at which a scenario begins, in microseconds since the Unix epoch.
pub(super) const START: i64 = 1_700_000_000_000_000;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const HOUR: i64 = 3_600 * SECOND;

/// An empty store, and what must outlive it.
pub struct Fixture {
    store: Arc<dyn KeyValueStore>,
    keep: Box<dyn Any>,
}

impl Fixture {
    /// A store.
    pub fn new(store: Arc<dyn KeyValueStore>) -> Self {
        Fixture { store, keep: Box::new(()) }
    }

    /// Keeps something until the scenario has ended: a temporary folder, a database.
    #[must_use]
    pub fn keeping(mut self, keep: impl Any) -> Self {
        self.keep = Box::new(keep);
        self
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fixture")
    }
}

/// The service over a fixture's store, with a clock that stands still.
#[derive(Debug)]
pub struct Harness {
    service: Arc<KeyValue>,
    tokens: Arc<PageTokens>,
    pub(super) clock: Clock,
    fixture: Fixture,
}

impl Harness {
    /// The service with its default options.
    pub fn new(fixture: Fixture) -> Self {
        let tokens = Arc::new(PageTokens::random().unwrap());
        let clock = Clock::manual(START);
        let service = service(&fixture, &tokens, &clock, |_| ());
        Harness { service, tokens, clock, fixture }
    }

    /// Replaces the service by one with other options, over the same store.
    pub(super) fn configure(&mut self, change: impl FnOnce(&mut Options)) {
        self.service = service(&self.fixture, &self.tokens, &self.clock, change);
    }

    pub(super) async fn put(&self, request: PutRequest) -> Result<()> {
        let response: PutResponse = self.unary("Put", &request).await?;
        assert!(response.success);
        Ok(())
    }

    pub(super) async fn put_batch(&self, request: PutBatchRequest) -> Result<PutBatchResponse> {
        self.unary("PutBatch", &request).await
    }

    pub(super) async fn get(&self, request: GetRequest) -> Result<GetResponse> {
        self.unary("Get", &request).await
    }

    /// Items deleted.
    pub(super) async fn delete(&self, request: DeleteRequest) -> Result<i64> {
        let response: DeleteResponse = self.unary("Delete", &request).await?;
        assert!(response.success);
        Ok(response.deleted_count.expect("a backend that counts"))
    }

    pub(super) async fn swap(
        &self,
        request: CompareAndSwapRequest,
    ) -> Result<CompareAndSwapResponse> {
        self.unary("CompareAndSwap", &request).await
    }

    /// Every response of a scan.
    pub(super) async fn scan(&self, request: ScanRequest) -> Result<Vec<ScanResponse>> {
        let mut stream = self.scan_stream(request)?;
        let mut responses = Vec::new();
        while let Some(response) = stream.next().await {
            responses.push(ScanResponse::decode(response?.message()).unwrap());
        }
        Ok(responses)
    }

    pub(super) fn scan_stream(&self, request: ScanRequest) -> Result<MessageStream> {
        match self.call("Scan", request.encode_to_vec().into()) {
            Reply::Stream(stream) => Ok(stream),
            Reply::Ready(Err(error)) => Err(error),
            _ => panic!("a scan is a stream"),
        }
    }

    /// Every record of a namespace: id, key, value.
    pub(super) async fn all(&self, namespace: &str) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let request = ScanRequest { namespace: namespace.into(), ..Default::default() };
        let responses = self.scan(request).await.unwrap();
        responses
            .into_iter()
            .flat_map(|response| response.items)
            .map(|scanned| {
                let item = scanned.item.expect("a scanned item has its item");
                (scanned.id, item.key, item.value)
            })
            .collect()
    }

    /// Every item of a record of the namespace `test`, over all pages.
    pub(super) async fn items(&self, id: &str) -> Vec<Item> {
        let mut request = get(id);
        let mut items = Vec::new();
        loop {
            let page = self.get(request.clone()).await.unwrap();
            items.extend(page.items);
            if page.next_page_token.is_empty() {
                return items;
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Keys and values of a record of the namespace `test`.
    pub(super) async fn record(&self, id: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.items(id).await.into_iter().map(|item| (item.key, item.value)).collect()
    }

    /// The value of an item of the namespace `test`.
    pub(super) async fn value(&self, id: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.item(id, key).await.map(|item| item.value)
    }

    /// An item of the namespace `test`.
    pub(super) async fn item(&self, id: &str, key: &[u8]) -> Option<Item> {
        let request = GetRequest { predicate: Some(match_keys(&[key])), ..get(id) };
        let mut response = self.get(request).await.unwrap();
        assert!(response.items.len() <= 1);
        response.items.pop()
    }

    pub(super) async fn sweep(&self, limit: u32) -> u64 {
        sweep(&*self.fixture.store, self.clock.now_micros(), limit).await.unwrap()
    }

    /// Calls a method with any bytes.
    pub(super) fn call(&self, method: &str, request: Bytes) -> Reply {
        let methods = &self.service.descriptor().methods;
        let position = methods.iter().position(|known| known.name == method).unwrap();
        self.service.call(position, Context::new("conformance"), request)
    }

    async fn unary<A: Message + Default>(&self, method: &str, request: &impl Message) -> Result<A> {
        let answer = match self.call(method, request.encode_to_vec().into()) {
            Reply::Ready(answer) => answer?,
            Reply::Future(answer) => answer.await?,
            Reply::Stream(_) | Reply::Opening(_) => panic!("{method} is not a stream"),
        };
        Ok(A::decode(answer.message()).unwrap())
    }
}

fn service(
    fixture: &Fixture,
    tokens: &Arc<PageTokens>,
    clock: &Clock,
    change: impl FnOnce(&mut Options),
) -> Arc<KeyValue> {
    let mut options = Options::new(Arc::clone(tokens));
    options.clock = clock.clone();
    change(&mut options);
    Arc::new(KeyValue::new(Arc::clone(&fixture.store), options))
}

/// A Put of keys and values into the namespace `test`; token 0 is the server's.
pub(super) fn put(id: &str, items: &[(&[u8], &[u8])], token: i64) -> PutRequest {
    PutRequest {
        namespace: "test".into(),
        id: id.into(),
        items: items.iter().map(|(key, value)| item(key, value)).collect(),
        item_priority_token: token,
    }
}

pub(super) fn item(key: &[u8], value: &[u8]) -> Item {
    Item { key: key.to_vec(), value: value.to_vec(), metadata: None }
}

/// A Put of one item with a TTL.
pub(super) fn put_with_ttl(id: &str, key: &[u8], ttl_seconds: i64, token: i64) -> PutRequest {
    let mut request = put(id, &[(key, b"v")], token);
    request.items[0].metadata = Some(ItemMetadata { ttl_seconds, ..Default::default() });
    request
}

pub(super) fn get(id: &str) -> GetRequest {
    GetRequest { namespace: "test".into(), id: id.into(), ..Default::default() }
}

pub(super) fn scan() -> ScanRequest {
    ScanRequest { namespace: "test".into(), ..Default::default() }
}

pub(super) fn delete_keys(id: &str, keys: &[&[u8]], token: i64) -> DeleteRequest {
    DeleteRequest {
        namespace: "test".into(),
        id: id.into(),
        keys: keys.iter().map(|key| key.to_vec()).collect(),
        predicate: None,
        item_priority_token: token,
    }
}

pub(super) fn delete_where(id: &str, predicate: KeyPredicate, token: i64) -> DeleteRequest {
    DeleteRequest { predicate: Some(predicate), ..delete_keys(id, &[], token) }
}

pub(super) fn swap(
    id: &str,
    key: &[u8],
    old: Option<&[u8]>,
    new: Option<&[u8]>,
) -> CompareAndSwapRequest {
    CompareAndSwapRequest {
        namespace: "test".into(),
        id: id.into(),
        key: key.to_vec(),
        old_value: old.map(<[u8]>::to_vec),
        new_value: new.map(<[u8]>::to_vec),
        metadata: None,
    }
}

pub(super) fn match_all() -> KeyPredicate {
    KeyPredicate { predicate: Some(Predicate::MatchAll(MatchAll {})) }
}

pub(super) fn match_keys(keys: &[&[u8]]) -> KeyPredicate {
    let keys = keys.iter().map(|key| key.to_vec()).collect();
    KeyPredicate { predicate: Some(Predicate::MatchKeys(MatchKeys { keys })) }
}

pub(super) fn match_range(start: Option<&[u8]>, end: Option<&[u8]>) -> KeyPredicate {
    let range =
        MatchRange { start_key: start.map(<[u8]>::to_vec), end_key: end.map(<[u8]>::to_vec) };
    KeyPredicate { predicate: Some(Predicate::MatchRange(range)) }
}

pub(super) fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// Paths of the fields that an error names.
pub(super) fn fields(error: &Error) -> Vec<&str> {
    error.violations().iter().map(|violation| violation.field.as_str()).collect()
}
