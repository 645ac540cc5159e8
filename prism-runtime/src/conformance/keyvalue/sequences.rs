//! Random sequences of calls, compared with the model answer by answer.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::harness::{
    HOUR, SECOND, START, delete_keys, delete_where, get, match_all, match_keys, match_range, scan,
    swap,
};
use super::model::{Model, Seen};
use super::{Fixture, Harness};
use crate::Reason;
use crate::proto::common::ItemMetadata;
use crate::proto::keyvalue::v1::{
    GetRequest, Item, KeyPredicate, PutBatchRequest, PutRequest, RecordWrite, ScanRequest,
};

const IDS: [&str; 2] = ["1", "2"];
const KEYS: [&[u8]; 4] = [b"", b"a", b"a\0", b"b"];
const VALUES: [&[u8]; 3] = [b"", b"x", b"y"];

/// Sequences that are tried.
const CASES: u32 = 64;

#[derive(Clone, Debug)]
enum Step {
    Put(Write),
    PutBatch([Write; 2]),
    DeleteKeys { id: usize, keys: Vec<usize>, token: Token },
    DeleteWhere { id: usize, predicate: Predicate, token: Token },
    Swap { id: usize, key: usize, old: Option<usize>, new: Option<usize> },
    Get { id: usize, predicate: Predicate, limit: i32 },
    Scan { id: Option<usize>, predicate: Predicate, limit: i64 },
    Advance(i64),
    Sweep,
}

#[derive(Clone, Debug)]
struct Write {
    id: usize,
    /// Key, value and TTL, each key once.
    items: Vec<(usize, usize, i64)>,
    token: Token,
}

/// The server's, or so many microseconds from now.
type Token = Option<i64>;

#[derive(Clone, Debug)]
enum Predicate {
    All,
    Keys(Vec<usize>),
    Range(Option<usize>, Option<usize>),
}

impl Predicate {
    fn message(&self) -> KeyPredicate {
        match self {
            Predicate::All => match_all(),
            Predicate::Keys(keys) => match_keys(&named(keys)),
            Predicate::Range(start, end) => {
                match_range(start.map(|start| KEYS[start]), end.map(|end| KEYS[end]))
            }
        }
    }

    fn covers(&self, key: &[u8]) -> bool {
        match self {
            Predicate::All => true,
            Predicate::Keys(keys) => named(keys).contains(&key),
            Predicate::Range(start, end) => {
                start.is_none_or(|start| KEYS[start] <= key)
                    && end.is_none_or(|end| key < KEYS[end])
            }
        }
    }
}

fn named(keys: &[usize]) -> Vec<&'static [u8]> {
    keys.iter().map(|&key| KEYS[key]).collect()
}

/// Every answer to a random sequence of calls is the model's, and so is the state after it.
pub fn random_sequences_match_the_model<F: AsyncFn() -> Fixture>(make: F) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let steps = prop::collection::vec(step(), 1..40);
    TestRunner::new(config)
        .run(&steps, |steps| {
            runtime.block_on(async {
                let harness = Harness::new(make().await);
                let mut model = Model::at(START);
                for step in steps {
                    take(&harness, &mut model, step).await;
                }
                let whole = Step::Scan { id: None, predicate: Predicate::All, limit: 0 };
                take(&harness, &mut model, whole).await;
            });
            Ok(())
        })
        .unwrap();
}

async fn take(h: &Harness, model: &mut Model, step: Step) {
    match step {
        Step::Put(write) => put(h, model, &write).await,
        Step::PutBatch(writes) => put_batch(h, model, &writes).await,
        Step::DeleteKeys { id, keys, token } => {
            let (id, token) = (IDS[id], absolute(model, token));
            let answer = h.delete(delete_keys(id, &named(&keys), token)).await;
            let mut named = named(&keys);
            named.sort_unstable();
            named.dedup();
            compare_delete(answer, model, token, |model| {
                named.iter().map(|key| i64::from(model.delete_named(id, key, token))).sum()
            });
        }
        Step::DeleteWhere { id, predicate, token } => {
            let (id, token) = (IDS[id], absolute(model, token));
            let answer = h.delete(delete_where(id, predicate.message(), token)).await;
            compare_delete(answer, model, token, |model| match &predicate {
                Predicate::Keys(keys) => {
                    let mut named = named(keys);
                    named.sort_unstable();
                    named.dedup();
                    named.iter().map(|key| i64::from(model.delete_named(id, key, token))).sum()
                }
                _ => model.delete_where(id, token, |key| predicate.covers(key)),
            });
        }
        Step::Swap { id, key, old, new } => {
            let (old, new) = (old.map(|old| VALUES[old]), new.map(|new| VALUES[new]));
            let answer = h.swap(swap(IDS[id], KEYS[key], old, new)).await.unwrap();
            let expected = model.swap((IDS[id], KEYS[key]), old, new);
            assert_eq!((answer.success, answer.actual_value), expected);
        }
        Step::Get { id, predicate, limit } => {
            let mut request =
                GetRequest { predicate: Some(predicate.message()), limit, ..get(IDS[id]) };
            let mut found = Vec::new();
            loop {
                let page = h.get(request.clone()).await.unwrap();
                assert!(limit == 0 || page.items.len() <= usize::try_from(limit).unwrap());
                found.extend(page.items.into_iter().map(|item| seen(IDS[id].into(), item)));
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
            }
            assert_eq!(found, model.items(Some(IDS[id]), |key| predicate.covers(key)));
        }
        Step::Scan { id, predicate, limit } => scan_all(h, model, (id, predicate, limit)).await,
        Step::Advance(micros) => {
            h.clock.advance(micros);
            model.now += micros;
        }
        // What is swept changes no answer.
        Step::Sweep => drop(h.sweep(3).await),
    }
}

async fn put(h: &Harness, model: &mut Model, write: &Write) {
    let token = absolute(model, write.token);
    let request = PutRequest {
        namespace: "test".into(),
        id: IDS[write.id].into(),
        items: items(write),
        item_priority_token: token,
    };
    let answer = h.put(request).await;
    if model.accepts(token) {
        answer.unwrap();
        apply(model, write, token);
    } else {
        assert_eq!(answer.unwrap_err().reason(), Reason::PriorityTokenOutOfRange);
    }
}

async fn put_batch(h: &Harness, model: &mut Model, writes: &[Write; 2]) {
    let message = |write: &Write| RecordWrite {
        id: IDS[write.id].into(),
        items: items(write),
        item_priority_token: absolute(model, write.token),
    };
    let request =
        PutBatchRequest { namespace: "test".into(), writes: writes.iter().map(message).collect() };
    let answer = h.put_batch(request).await;
    if writes[0].id == writes[1].id {
        assert_eq!(answer.unwrap_err().reason(), Reason::InvalidRequest);
        return;
    }
    for (write, result) in writes.iter().zip(answer.unwrap().results) {
        let token = absolute(model, write.token);
        assert_eq!(result.success, model.accepts(token));
        if result.success {
            apply(model, write, token);
        } else {
            assert_eq!(result.error.unwrap().reason(), Reason::PriorityTokenOutOfRange);
        }
    }
}

/// In pieces of `limit` items, or whole.
async fn scan_all(h: &Harness, model: &Model, what: (Option<usize>, Predicate, i64)) {
    let (id, predicate, limit) = what;
    let id = id.map(|id| IDS[id]);
    let message = Some(predicate.message());
    let mut request =
        ScanRequest { id: id.map(str::to_owned), predicate: message, limit, ..scan() };
    let mut found = Vec::new();
    loop {
        let responses = h.scan(request.clone()).await.unwrap();
        let page_token = responses.last().unwrap().next_page_token.clone();
        let items = responses.into_iter().flat_map(|response| response.items);
        let items: Vec<Seen> =
            items.map(|scanned| seen(scanned.id, scanned.item.unwrap())).collect();
        assert!(limit == 0 || items.len() <= usize::try_from(limit).unwrap());
        found.extend(items);
        if page_token.is_empty() {
            break;
        }
        request.page_token = page_token;
    }
    // Records come in the backend's order.
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, model.items(id, |key| predicate.covers(key)));
}

fn compare_delete(
    answer: crate::Result<i64>,
    model: &mut Model,
    token: i64,
    delete: impl FnOnce(&mut Model) -> i64,
) {
    if model.accepts(token) {
        assert_eq!(answer.unwrap(), delete(model));
    } else {
        assert_eq!(answer.unwrap_err().reason(), Reason::PriorityTokenOutOfRange);
    }
}

fn apply(model: &mut Model, write: &Write, token: i64) {
    for &(key, value, ttl) in &write.items {
        model.put((IDS[write.id], KEYS[key]), token, VALUES[value], ttl);
    }
}

fn absolute(model: &Model, token: Token) -> i64 {
    token.map_or(0, |offset| model.now + offset)
}

fn items(write: &Write) -> Vec<Item> {
    let item = |&(key, value, ttl_seconds): &(usize, usize, i64)| Item {
        key: KEYS[key].to_vec(),
        value: VALUES[value].to_vec(),
        metadata: Some(ItemMetadata { ttl_seconds, ..Default::default() }),
    };
    write.items.iter().map(item).collect()
}

fn seen(id: String, item: Item) -> Seen {
    let metadata = item.metadata.unwrap();
    Seen {
        id,
        key: item.key,
        value: item.value,
        ttl_seconds: metadata.ttl_seconds,
        created_millis: metadata.created_at_millis,
        updated_millis: metadata.updated_at_millis,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let id = || 0..IDS.len();
    let key = || 0..KEYS.len();
    let keys = || prop::collection::vec(key(), 1..5);
    let value = || prop::option::of(0..VALUES.len());
    prop_oneof![
        6 => write().prop_map(Step::Put),
        1 => [write(), write()].prop_map(Step::PutBatch),
        2 => (id(), keys(), token())
            .prop_map(|(id, keys, token)| Step::DeleteKeys { id, keys, token }),
        2 => (id(), predicate(), token())
            .prop_map(|(id, predicate, token)| Step::DeleteWhere { id, predicate, token }),
        3 => (id(), key(), value(), value())
            .prop_map(|(id, key, old, new)| Step::Swap { id, key, old, new }),
        3 => (id(), predicate(), 0..4)
            .prop_map(|(id, predicate, limit)| Step::Get { id, predicate, limit }),
        2 => (prop::option::of(id()), predicate(), 0..4_i64)
            .prop_map(|(id, predicate, limit)| Step::Scan { id, predicate, limit }),
        2 => prop_oneof![Just(1), Just(SECOND), Just(-2 * SECOND), Just(24 * HOUR), Just(25 * HOUR)]
            .prop_map(Step::Advance),
        1 => Just(Step::Sweep),
    ]
}

fn write() -> impl Strategy<Value = Write> {
    let items = prop::collection::btree_map(
        0..KEYS.len(),
        (0..VALUES.len(), prop_oneof![3 => Just(0_i64), 1 => 1..3_i64, 1 => Just(100_000)]),
        1..4,
    );
    (0..IDS.len(), items, token()).prop_map(|(id, items, token)| Write {
        id,
        items: items.into_iter().map(|(key, (value, ttl))| (key, value, ttl)).collect(),
        token,
    })
}

/// Close together, so that many are equal; some out of range.
fn token() -> impl Strategy<Value = Token> {
    prop_oneof![
        4 => Just(None),
        8 => (-3..4_i64).prop_map(Some),
        2 => (-2..3_i64).prop_map(|seconds| Some(seconds * SECOND)),
        1 => prop_oneof![Just(-24 * HOUR), Just(-24 * HOUR - 1), Just(60 * SECOND + 1)]
            .prop_map(Some),
    ]
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let bound = || prop::option::of(0..KEYS.len());
    prop_oneof![
        Just(Predicate::All),
        prop::collection::vec(0..KEYS.len(), 1..4).prop_map(Predicate::Keys),
        (bound(), bound()).prop_map(|(start, end)| Predicate::Range(start, end)),
    ]
}
