//! Writes and reads of key-value items and orders, which remember what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prism_proxy::acme::orders::v1::order_service::OrderServiceClient;
use prism_proxy::acme::orders::v1::{GetOrderRequest, Order, PutOrderRequest};
use prism_runtime::codegen::Client;
use prism_runtime::proto::keyvalue::v1::{GetRequest, GetResponse, PutResponse};
use tokio::task::JoinHandle;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{GET, PUT, put};

/// Callers of each kind.
const CALLERS: u32 = 4;

/// How long a call may take: what both services say.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// What a busy machine adds.
const GRACE: Duration = Duration::from_secs(2);

/// Calls that go on until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    succeeded: Arc<AtomicU64>,
    unavailable: Arc<AtomicU64>,
    callers: Vec<JoinHandle<Report>>,
}

/// What came of the calls.
#[derive(Debug, Default)]
pub struct Report {
    /// Writes that were acknowledged, by kind and number.
    pub acknowledged: Vec<(Kind, String)>,
    /// How often which reason was answered.
    pub failures: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Item,
    Order,
}

impl Load {
    pub fn start(client: &Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let succeeded = Arc::new(AtomicU64::new(0));
        let unavailable = Arc::new(AtomicU64::new(0));
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            for kind in [Kind::Item, Kind::Order] {
                let caller = Caller {
                    client: client.clone(),
                    kind,
                    stop: Arc::clone(&stop),
                    succeeded: Arc::clone(&succeeded),
                    unavailable: Arc::clone(&unavailable),
                    report: Report::default(),
                };
                callers.push(tokio::spawn(caller.run(number)));
            }
        }
        Load { stop, succeeded, unavailable, callers }
    }

    /// Whether a call was answered with UNAVAILABLE.
    pub fn is_refused(&self) -> bool {
        self.unavailable.load(Ordering::Relaxed) > 0
    }

    /// Waits until so many more calls have succeeded.
    pub async fn until_succeeded(&self, more: u64, limit: Duration) {
        let goal = self.succeeded.load(Ordering::Relaxed) + more;
        let end = Instant::now() + limit;
        while self.succeeded.load(Ordering::Relaxed) < goal {
            assert!(Instant::now() < end, "no calls succeed any more");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends the calls, and answers what came of them.
    pub async fn stop(self) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for caller in self.callers {
            let report = caller.await.unwrap();
            all.acknowledged.extend(report.acknowledged);
            for (reason, count) in report.failures {
                *all.failures.entry(reason).or_default() += count;
            }
        }
        all
    }
}

impl Report {
    /// Everything that was acknowledged is there.
    pub async fn assert_stored(&self, client: &Client) {
        assert!(self.acknowledged.len() > 20, "{self:?}");
        for part in self.acknowledged.chunks(64) {
            let reads = part.iter().map(|(kind, id)| read(client, *kind, id));
            for ((kind, id), found) in part.iter().zip(futures_util::future::join_all(reads).await)
            {
                assert!(found.unwrap(), "{kind:?} {id} was acknowledged and is lost");
            }
        }
    }

    pub fn count(&self, reason: &str) -> u64 {
        self.failures.get(reason).copied().unwrap_or_default()
    }
}

struct Caller {
    client: Client,
    kind: Kind,
    stop: Arc<AtomicBool>,
    succeeded: Arc<AtomicU64>,
    unavailable: Arc<AtomicU64>,
    report: Report,
}

impl Caller {
    async fn run(mut self, number: u32) -> Report {
        for turn in 0_u64.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let id = format!("{number}-{turn}");
            let started = Instant::now();
            let written = write(&self.client, self.kind, &id).await;
            if self.note(started, written.map(|()| true)).await {
                self.report.acknowledged.push((self.kind, id.clone()));
                let started = Instant::now();
                let found = read(&self.client, self.kind, &id).await;
                self.note(started, found).await;
            }
        }
        self.report
    }

    /// Whether a call has succeeded; checks how it failed else.
    async fn note(&mut self, started: Instant, result: Result<bool, Status>) -> bool {
        let took = started.elapsed();
        let status = match result {
            Ok(found) => {
                assert!(found, "what was acknowledged is not there");
                self.succeeded.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            Err(status) => status,
        };
        let reason = check(&status);
        assert!(took < DEADLINE + GRACE, "{took:?}: {status:?}");
        if reason == "BACKEND_UNAVAILABLE" {
            self.unavailable.fetch_add(1, Ordering::Relaxed);
        }
        *self.report.failures.entry(reason).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        false
    }
}

/// The reason of a failure that a caller may see while the storage has a fault.
pub fn check(status: &Status) -> String {
    let details = status.get_error_details();
    let reason = details.error_info().unwrap_or_else(|| panic!("{status:?}")).reason.clone();
    let expected = match reason.as_str() {
        "BACKEND_UNAVAILABLE" => Code::Unavailable,
        "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
        "OUTCOME_UNKNOWN" => Code::Unknown,
        "STORAGE_FULL" => Code::ResourceExhausted,
        _ => panic!("{status:?}"),
    };
    assert_eq!(status.code(), expected, "{status:?}");
    if ["BACKEND_UNAVAILABLE", "DEADLINE_EXCEEDED"].contains(&reason.as_str()) {
        assert!(details.retry_info().is_some(), "{status:?}");
    }
    reason
}

pub async fn write(client: &Client, kind: Kind, id: &str) -> Result<(), Status> {
    match kind {
        Kind::Item => {
            let request = put(id, b"k", id.into());
            client.unary::<_, PutResponse>(PUT, request).await.map(drop)
        }
        Kind::Order => {
            let order = Order {
                customer_id: "c".to_owned(),
                order_id: id.to_owned(),
                note: Some(id.to_owned()),
                ..Order::default()
            };
            let request = PutOrderRequest { order: Some(order) };
            OrderServiceClient::new(client.clone()).put_order(request).await.map(drop)
        }
    }
}

/// Whether what was written is there.
pub async fn read(client: &Client, kind: Kind, id: &str) -> Result<bool, Status> {
    match kind {
        Kind::Item => {
            let request = GetRequest {
                namespace: "test".to_owned(),
                id: id.to_owned(),
                ..GetRequest::default()
            };
            let items = client.unary::<_, GetResponse>(GET, request).await?.into_inner().items;
            Ok(items.first().is_some_and(|item| item.value == id.as_bytes()))
        }
        Kind::Order => {
            let request = GetOrderRequest {
                customer_id: "c".to_owned(),
                order_id: id.to_owned(),
                show_deleted: false,
            };
            match OrderServiceClient::new(client.clone()).get_order(request).await {
                Ok(order) => Ok(order.into_inner().note.as_deref() == Some(id)),
                Err(status) if status.code() == Code::NotFound => Ok(false),
                Err(status) => Err(status),
            }
        }
    }
}
