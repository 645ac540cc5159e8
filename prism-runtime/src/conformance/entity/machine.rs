//! Random sequences of operations, compared with the model step by step.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};

use super::harness::{Factory, Harness};
use super::model::{Etag, Fields, Id, Model, Write, answer_json, request_json};
use crate::{Reason, Result};

/// One step.
#[derive(Clone, Debug)]
enum Step {
    Write(Id, Write),
    Get(Id, bool),
    BatchGet(Vec<Id>),
    List { customer: String, status: Option<i32>, order_by: &'static str, deleted: bool, page: i32 },
    Wait(i64),
    Sweep,
}

/// Random sequences, one after another, each on a fresh store.
///
/// # Panics
///
/// Where the store answers otherwise than the model, with the shortest such sequence.
pub fn random_sequences(factory: &Factory<'_>) {
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let steps = vec(step("c"), 1..60);
    let result = TestRunner::new(config).run(&steps, |steps| {
        let harness = Harness::new(factory);
        harness.block_on(play(&harness, steps));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Random sequences at the same time, on records of their own, then writers that meet on the
/// same records.
///
/// # Panics
///
/// Where the store answers otherwise than the models.
pub fn concurrent_sequences(factory: &Factory<'_>) {
    let config = Config { cases: 10, failure_persistence: None, ..Config::default() };
    let timeless = |customer: &'static str| {
        vec(step(customer).prop_filter("time is shared", |s| !matches!(s, Step::Wait(_))), 1..40)
    };
    let sequences = (timeless("p"), timeless("q"), timeless("r"), timeless("s"));
    let result = TestRunner::new(config).run(&sequences, |(p, q, r, s)| {
        let harness = Harness::new(factory);
        let players = [p, q, r, s].map(|steps| play(&harness, steps));
        harness.block_on(join_all(players));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let harness = Harness::new(factory);
    harness.block_on(async {
        increments_are_not_lost(&harness).await;
        one_of_many_wins(&harness).await;
    });
}

async fn play(harness: &Harness, steps: Vec<Step>) {
    let mut model = Model::default();
    for step in steps {
        perform(harness, &mut model, &step).await;
    }
    for id in model.orders.keys() {
        check_get(harness, &model, id, true).await;
    }
}

async fn perform(harness: &Harness, model: &mut Model, step: &Step) {
    match step {
        Step::Write(id, write) => check_write(harness, model, id, write).await,
        Step::Get(id, deleted) => check_get(harness, model, id, *deleted).await,
        Step::BatchGet(ids) => check_batch(harness, model, ids).await,
        Step::List { .. } => check_list(harness, model, step).await,
        Step::Wait(seconds) => {
            harness.pass_seconds(*seconds);
            model.now += seconds;
        }
        Step::Sweep => {
            harness.collection("Order").sweep(2).await.expect("a sweep");
        }
    }
}

async fn check_write(harness: &Harness, model: &mut Model, id: &Id, write: &Write) {
    let (method, request) = request(model, id, write);
    let answer = harness.call(method, request.clone()).await;
    let expected = model.write(id, write);
    match (answer, expected) {
        (Ok(answer), Ok(Some(mut stored))) => {
            let order = if method == "DeleteOrder" { answer["order"].clone() } else { answer };
            stored.etag = order["etag"].as_str().unwrap_or_default().to_owned();
            assert!(model.etags.insert(stored.etag.clone()), "{method}: an etag came twice");
            assert_eq!(order, answer_json(id, &stored), "{method} {request}");
            model.orders.insert(id.clone(), stored);
        }
        (Ok(answer), Ok(None)) => assert_eq!(answer, json!({}), "{method} {request}"),
        (Err(error), Err(reasons)) => {
            assert!(reasons.contains(&error.reason()), "{method} {request}: {error}, {reasons:?}");
        }
        (answer, expected) => panic!("{method} {request}: {answer:?}, not {expected:?}"),
    }
}

fn request(model: &Model, id: &Id, write: &Write) -> (&'static str, Json) {
    let keyed = |etag: Etag| {
        let mut request = json!({"customerId": id.0, "orderId": id.1});
        if let Some(etag) = model.etag(id, etag) {
            request["etag"] = json!(etag);
        }
        request
    };
    let entity = |fields: &Fields, etag: Etag| {
        let mut order = request_json(id, fields);
        if let Some(etag) = model.etag(id, etag) {
            order["etag"] = json!(etag);
        }
        json!({"order": order})
    };
    match write {
        Write::Create(fields) => ("CreateOrder", entity(fields, Etag::Stale)),
        Write::Put(fields, etag) => ("PutOrder", entity(fields, *etag)),
        Write::Update { fields, mask, allow_missing, etag } => {
            let mut request = entity(fields, *etag);
            request["updateMask"] = json!(mask.join(","));
            request["allowMissing"] = json!(allow_missing);
            ("UpdateOrder", request)
        }
        Write::Delete { allow_missing, etag } => {
            let mut request = keyed(*etag);
            request["allowMissing"] = json!(allow_missing);
            ("DeleteOrder", request)
        }
        Write::Undelete(etag) => ("UndeleteOrder", keyed(*etag)),
    }
}

async fn check_get(harness: &Harness, model: &Model, id: &Id, deleted: bool) {
    let request = json!({"customerId": id.0, "orderId": id.1, "showDeleted": deleted});
    let expected = if deleted { model.kept(id) } else { model.live(id) };
    match (harness.call("GetOrder", request).await, expected) {
        (Ok(order), Some(stored)) => assert_eq!(order, answer_json(id, stored)),
        (Err(error), None) => assert_eq!(error.reason(), Reason::RecordNotFound, "{error}"),
        (answer, expected) => panic!("GetOrder {id:?}: {answer:?}, not {expected:?}"),
    }
}

async fn check_batch(harness: &Harness, model: &Model, ids: &[Id]) {
    let keys: Vec<Json> = ids
        .iter()
        .map(|(customer, order)| json!({"customerId": customer, "orderId": order}))
        .collect();
    let answer = harness.call("BatchGetOrders", json!({"keys": keys})).await.expect("a batch");
    let mut seen = BTreeSet::new();
    let expected: Vec<Json> = ids
        .iter()
        .filter(|id| seen.insert(*id))
        .filter_map(|id| Some(answer_json(id, model.live(id)?)))
        .collect();
    assert_eq!(answer["orders"].as_array().cloned().unwrap_or_default(), expected);
}

async fn check_list(harness: &Harness, model: &Model, step: &Step) {
    let Step::List { customer, status, order_by, deleted, page } = step else { return };
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let mut request = json!({
            "customerId": customer, "orderBy": order_by, "showDeleted": deleted,
            "pageSize": page, "pageToken": token,
        });
        if let Some(status) = status {
            request["status"] = json!(status);
        }
        let answer = harness.call("ListOrders", request).await;
        // No index has these orders behind the status.
        if status.is_some() && ["note", "note desc", "order_id desc"].contains(order_by) {
            assert_eq!(answer.expect_err("an order").reason(), Reason::InvalidRequest, "{step:?}");
            return;
        }
        let answer = answer.expect("a list");
        let orders = answer["orders"].as_array().cloned().unwrap_or_default();
        for order in orders {
            let id = order["orderId"].as_str().expect("an id").to_owned();
            let stored = model.kept(&(customer.clone(), id.clone())).expect("a listed order");
            assert_eq!(order, answer_json(&(customer.clone(), id.clone()), stored));
            found.push(id);
        }
        assert!(found.len() <= 100, "pages without an end: {step:?}");
        match answer["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(found, model.list(customer, *status, order_by, *deleted), "{step:?}");
}

/// Many writers that read, add and write with the etag that they read: every addition counts.
async fn increments_are_not_lost(harness: &Harness) {
    let order = json!({"customerId": "shared", "orderId": "o"});
    harness.call("CreateOrder", json!({"order": order})).await.expect("a create");
    let add = || async {
        loop {
            let mut read = harness.call("GetOrder", order.clone()).await?;
            let total: i64 = read["total"].as_str().map_or(0, |t| t.parse().unwrap_or(0));
            read["total"] = json!((total + 1).to_string());
            let update = json!({"order": read, "updateMask": "total"});
            match harness.call("UpdateOrder", update).await {
                Err(error) if error.reason() == Reason::EtagMismatch => {}
                done => return done.map(drop),
            }
        }
    };
    for done in join_all((0..16).map(|_| add())).await {
        done.expect("an increment");
    }
    let read = harness.call("GetOrder", order.clone()).await.expect("a get");
    assert_eq!(read["total"], "16");
}

/// Many creates of one key, one unique value and one request id.
async fn one_of_many_wins(harness: &Harness) {
    let send = |order: Json, request: &str| {
        harness.call("CreateOrder", json!({"order": order, "requestId": request}))
    };
    let succeeded = |answers: &[Result<Json>]| answers.iter().filter(|a| a.is_ok()).count();
    let same_key = (0..16).map(|_| send(json!({"customerId": "shared", "orderId": "k"}), ""));
    assert_eq!(succeeded(&join_all(same_key).await), 1);
    let same_code = (0..16).map(|_| send(json!({"customerId": "shared", "code": "u"}), ""));
    assert_eq!(succeeded(&join_all(same_code).await), 1);
    let same_request = (0..16).map(|_| send(json!({"customerId": "shared", "total": "1"}), "r"));
    let answers = join_all(same_request).await;
    assert_eq!(succeeded(&answers), 16);
    let made: BTreeSet<String> =
        answers.into_iter().flatten().map(|answer| answer.to_string()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
}

fn step(customer: &'static str) -> impl Strategy<Value = Step> {
    let id = move || {
        let order = prop_oneof![Just("1"), Just("2"), Just("3"), Just("4")];
        order.prop_map(move |order| (customer.to_owned(), order.to_owned()))
    };
    let order_by = prop_oneof![
        Just(""),
        Just("note"),
        Just("note desc"),
        Just("status, total desc"),
        Just("order_id desc")
    ];
    let list = (option::of(0..3i32), order_by, any::<bool>(), 1..4i32).prop_map(
        move |(status, order_by, deleted, page)| Step::List {
            customer: customer.to_owned(),
            status,
            order_by,
            deleted,
            page,
        },
    );
    prop_oneof![
        8 => (id(), write(customer)).prop_map(|(id, write)| Step::Write(id, write)),
        2 => (id(), any::<bool>()).prop_map(|(id, deleted)| Step::Get(id, deleted)),
        1 => vec(id(), 0..6).prop_map(Step::BatchGet),
        2 => list,
        1 => (1..4i64).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

fn write(customer: &'static str) -> impl Strategy<Value = Write> {
    let fields = move || fields(customer);
    let update = (fields(), mask(), any::<bool>(), etag()).prop_map(
        |(fields, mask, allow_missing, etag)| Write::Update { fields, mask, allow_missing, etag },
    );
    let delete = (any::<bool>(), etag())
        .prop_map(|(allow_missing, etag)| Write::Delete { allow_missing, etag });
    prop_oneof![
        3 => fields().prop_map(Write::Create),
        2 => (fields(), etag()).prop_map(|(fields, etag)| Write::Put(fields, etag)),
        3 => update,
        2 => delete,
        1 => etag().prop_map(Write::Undelete),
    ]
}

fn etag() -> impl Strategy<Value = Etag> {
    prop_oneof![3 => Just(Etag::None), 2 => Just(Etag::Current), 1 => Just(Etag::Stale)]
}

fn mask() -> impl Strategy<Value = Vec<&'static str>> {
    let field = prop_oneof![
        Just("status"),
        Just("total"),
        Just("note"),
        Just("code"),
        Just("createdBy"),
        Just("card"),
        Just("invoice"),
        Just("expireTime"),
        Just("updateTime"),
        Just("etag"),
    ];
    prop_oneof![1 => Just(vec!["*"]), 4 => vec(field, 1..4)]
}

fn fields(customer: &'static str) -> impl Strategy<Value = Fields> {
    let note =
        option::of(prop_oneof![Just(String::new()), Just("a".to_owned()), Just("b".to_owned())]);
    let code = option::weighted(0.4, (0..3).prop_map(move |code| format!("{customer}{code}")));
    let by = prop_oneof![3 => Just(String::new()), 1 => Just("me".to_owned()), 1 => Just("you".to_owned())];
    let payment = prop_oneof![
        2 => Just((None, None)),
        1 => Just((Some("visa".to_owned()), None)),
        1 => (0..2i64).prop_map(|invoice| (None, Some(invoice))),
    ];
    let expire = option::weighted(0.3, 1..12i64);
    (0..3i32, -2..3i64, note, code, by, payment, expire).prop_map(
        |(status, total, note, code, created_by, (card, invoice), expire)| Fields {
            status,
            total,
            note,
            code,
            created_by,
            card,
            invoice,
            expire,
        },
    )
}
