//! Lists.

use serde_json::{Value as Json, json};

use super::{create, ids, invalid, key, ok, refused, with};
use crate::Reason;
use crate::conformance::entity::Harness;

fn list(more: Json) -> Json {
    with(json!({"customerId": "c"}), more)
}

async fn fill(harness: &Harness) {
    // Id, status, total, note, second of the due time.
    let orders = [
        ("a", 1, 30, Some("x"), Some(10)),
        ("b", 1, 10, None, Some(20)),
        ("c", 2, 20, Some("xy"), None),
        ("d", 2, 20, Some(""), Some(10)),
        ("e", 0, -5, None, Some(30)),
        ("f", 1, 30, Some("y"), None),
    ];
    for (id, status, total, note, due) in orders {
        let mut fields = json!({"status": status, "total": total.to_string()});
        if let Some(note) = note {
            fields["note"] = json!(note);
        }
        if let Some(due) = due {
            fields["dueTime"] = json!(format!("2026-01-01T00:00:{due:02}Z"));
        }
        create(harness, "c", id, fields).await;
    }
    create(harness, "b", "other", json!({})).await;
}

/// Reads all pages of a list.
async fn all(harness: &Harness, request: Json, page_size: i32) -> Vec<String> {
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = json!({"pageSize": page_size, "pageToken": token});
        let answer = ok(harness, "ListOrders", with(request.clone(), page)).await;
        found.extend(ids(&answer).into_iter().map(str::to_owned));
        assert!(found.len() <= 100, "pages without an end: {request}");
        match answer["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => return found,
        }
    }
}

/// Key order by default; what the key and the indexes serve; NULL is smallest; ties by the key.
pub async fn list_orders(harness: &Harness) {
    fill(harness).await;
    for (request, expected) in [
        (list(json!({})), "abcdef"),
        (list(json!({"orderBy": "order_id desc"})), "fedcba"),
        (list(json!({"orderBy": "customer_id, order_id"})), "abcdef"),
        (list(json!({"orderBy": " note "})), "bedacf"),
        (list(json!({"orderBy": "note desc"})), "fcadeb"),
        (list(json!({"orderBy": "status, total desc"})), "eafbcd"),
        (list(json!({"orderBy": "status desc, total"})), "dcbfae"),
        (list(json!({"orderBy": "status"})), "eafbcd"),
        (list(json!({"orderBy": "status desc"})), "dcbfae"),
        (list(json!({"orderBy": "status, customer_id"})), "eafbcd"),
        (list(json!({"status": 1, "orderBy": "total desc"})), "afb"),
        (list(json!({"status": 1, "orderBy": "total"})), "bfa"),
        (list(json!({"status": 1, "orderBy": "status desc, total asc"})), "bfa"),
        (list(json!({"status": 1, "orderBy": "order_id"})), "abf"),
        (list(json!({"notePrefix": "x", "orderBy": "note desc"})), "ca"),
        (list(json!({"notePrefix": "", "orderBy": "note"})), "dacf"),
        (list(json!({"dueFrom": "2026-01-01T00:00:10Z", "orderBy": "due_time, order_id"})), "adbe"),
        (list(json!({"dueBefore": "2026-01-01T00:00:30Z", "orderBy": "due_time desc"})), "bda"),
        (list(json!({"orderBy": "due_time"})), "cfadbe"),
        (list(json!({"orderBy": "due_time DESC"})), "ebdafc"),
        (list(json!({"orderBy": "note, order_id"})), "bedacf"),
        (list(json!({"orderBy": "note desc , order_id  desc"})), "fcadeb"),
        (list(json!({"orderBy": "status, total desc, order_id"})), "eafbcd"),
        (list(json!({"orderBy": "status desc,total asc,order_id desc"})), "dcbfae"),
    ] {
        for page_size in [1, 2, 3, 0] {
            let found = all(harness, request.clone(), page_size).await.concat();
            assert_eq!(found, expected, "{request} by {page_size}");
        }
    }
    for order in [
        "total",
        "status, total",
        "secret",
        "nothing",
        "status desc, total desc",
        "note,",
        "note, order_id desc",
        "note, order_id, total",
        "order_id, note",
        "status, total desc, order_id desc",
        "status, order_id",
        "status, customer_id, order_id",
        "code",
    ] {
        let error =
            invalid(harness, "ListOrders", list(json!({"orderBy": order})), &["order_by"]).await;
        assert!(error.message().contains("\"status, total desc, order_id\""), "{error}");
    }
    // Where a condition would only filter what an order finds.
    for (condition, order) in [
        (json!({"status": 1}), "order_id desc"),
        (json!({"status": 1}), "note"),
        (json!({"notePrefix": "x"}), "status, total desc"),
        (json!({"notePrefix": "x", "status": 2}), "note"),
        (json!({"dueBefore": "2026-01-01T00:00:20Z"}), "order_id desc"),
    ] {
        let request = list(with(condition, json!({"orderBy": order})));
        let error = invalid(harness, "ListOrders", request, &["order_by"]).await;
        assert!(error.message().contains("\"order_id\", as it stands"), "{error}");
    }
    let twice = list(json!({"orderBy": "note, note"}));
    invalid(harness, "ListOrders", twice, &["order_by"]).await;
}

/// Many records that are equal in an order's first columns, or NULL there, also among deleted ones:
/// pages go on after each of them.
pub async fn list_ties(harness: &Harness) {
    let mut orders = Vec::new();
    for number in 0..24 {
        let id = format!("{:02}", number * 7 % 24);
        let note = ["", "", "b", "b", "c\u{10ffff}"][number % 5];
        let fields = match number % 3 {
            0 => json!({"status": 1, "total": (number % 4).to_string()}),
            _ => json!({"status": 1, "total": "2", "note": note}),
        };
        create(harness, "c", &id, fields.clone()).await;
        if number % 8 == 5 {
            ok(harness, "DeleteOrder", key("c", &id)).await;
        }
        let total: i64 = fields["total"].as_str().and_then(|it| it.parse().ok()).unwrap_or(0);
        let note = fields["note"].as_str().map(str::to_owned);
        orders.push((id, total, note, number % 8 == 5));
    }
    for deleted in [false, true] {
        for (order, reversed) in [
            ("status, total desc", false),
            ("status desc", true),
            ("note", false),
            ("note desc", true),
        ] {
            let mut expected: Vec<_> = orders.iter().filter(|it| deleted || !it.3).collect();
            if order.starts_with("note") {
                expected.sort_by_key(|(id, _, note, _)| (note.clone(), id.clone()));
            } else {
                expected.sort_by_key(|(id, total, ..)| (std::cmp::Reverse(*total), id.clone()));
            }
            if reversed {
                expected.reverse();
            }
            let expected: Vec<&str> = expected.iter().map(|it| it.0.as_str()).collect();
            for page_size in [1, 5] {
                let request = list(json!({"orderBy": order, "showDeleted": deleted}));
                assert_eq!(all(harness, request, page_size).await, expected, "{order} {deleted}");
            }
        }
    }
}

/// A condition with presence holds where it is present, one without always.
pub async fn list_conditions(harness: &Harness) {
    fill(harness).await;
    for (request, expected) in [
        (list(json!({"status": 0})), "e"),
        (list(json!({"status": 2})), "cd"),
        (list(json!({"notePrefix": "x"})), "ac"),
        (list(json!({"notePrefix": ""})), "acdf"),
        (list(json!({"notePrefix": "x", "status": 2})), "c"),
        (list(json!({"dueFrom": "2026-01-01T00:00:20Z"})), "be"),
        (list(json!({"dueBefore": "2026-01-01T00:00:20Z"})), "ad"),
        (
            list(json!({
                "dueFrom": "2026-01-01T00:00:10Z", "dueBefore": "2026-01-01T00:00:30Z",
                "orderBy": "due_time desc",
            })),
            "bda",
        ),
        (json!({"customerId": "b"}), "other"),
        (json!({}), ""),
    ] {
        for page_size in [1, 2, 0] {
            let found = all(harness, request.clone(), page_size).await.concat();
            assert_eq!(found, expected, "{request} by {page_size}");
        }
    }
    for (id, name) in [(0u64, "a"), (5, "b"), (1 << 63, "c"), (u64::MAX, "")] {
        let session = json!({"sessionId": id.to_string(), "name": name});
        ok(harness, "CreateSession", json!({"session": session})).await;
    }
    for (request, expected) in [
        (json!({"names": []}), vec![]),
        (json!({"names": ["c", "a", "a", "x"], "fromId": "0"}), vec!["a", "c"]),
        (json!({"names": ["a", "b", "c", ""], "fromId": "1"}), vec!["b", "c", ""]),
        (json!({"names": ["", "c"], "fromId": "9223372036854775809"}), vec![""]),
    ] {
        let answer = ok(harness, "ListSessions", request.clone()).await;
        let sessions = answer["sessions"].as_array().cloned().unwrap_or_default();
        let names: Vec<&str> =
            sessions.iter().map(|session| session["name"].as_str().unwrap_or("")).collect();
        assert_eq!(names, expected, "{request}");
    }
}

/// Violations name the request's fields, not those of the entity that they stand for.
pub async fn list_violations(harness: &Harness) {
    let names: Vec<String> = (0..1_001).map(|number| number.to_string()).collect();
    let error = invalid(harness, "ListSessions", json!({"names": names}), &["names"]).await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    // A NUL is found nowhere, or refused where the backend does not take it.
    for (method, request, field) in [
        ("ListOrders", list(json!({"notePrefix": "a\0"})), "note_prefix"),
        ("ListSessions", json!({"names": ["a", "\0"]}), "names[1]"),
        ("ListOrders", json!({"customerId": "\0"}), "customer_id"),
        ("BatchGetOrders", json!({"keys": [key("c", "a"), key("c", "\0")]}), "keys[1].order_id"),
    ] {
        match harness.call(method, request.clone()).await {
            Ok(answer) => assert_eq!(answer, json!({}), "{request}"),
            Err(error) => assert_eq!(error.violations()[0].field, field, "{error}"),
        }
    }
}

/// Page sizes; the last page has no token; changes between pages neither repeat nor hide others.
pub async fn list_pages(harness: &Harness) {
    for number in 0..60 {
        create(harness, "c", &format!("{number:02}"), json!({})).await;
    }
    let first = ok(harness, "ListOrders", list(json!({}))).await;
    assert_eq!(ids(&first).len(), 50);
    let token = first["nextPageToken"].clone();
    let rest = ok(harness, "ListOrders", list(json!({"pageToken": token}))).await;
    assert_eq!(ids(&rest).len(), 10);
    assert!(rest.get("nextPageToken").is_none());
    for size in [60, 1_000, 100_000] {
        let whole = ok(harness, "ListOrders", list(json!({"pageSize": size}))).await;
        assert_eq!(ids(&whole).len(), 60);
        assert!(whole.get("nextPageToken").is_none(), "a page that the rest just fills ends it");
    }
    invalid(harness, "ListOrders", list(json!({"pageSize": -1})), &["page_size"]).await;
    let first = ok(harness, "ListOrders", list(json!({"pageSize": 2}))).await;
    ok(harness, "DeleteOrder", key("c", "01")).await;
    create(harness, "c", "015", json!({})).await;
    let next = list(json!({"pageSize": 2, "pageToken": first["nextPageToken"]}));
    assert_eq!(ids(&ok(harness, "ListOrders", next).await), ["015", "02"]);
}

/// A token opens for the list that it was given for, for a day.
pub async fn list_tokens(harness: &Harness) {
    for number in 0..4 {
        create(harness, "c", &number.to_string(), json!({"note": number.to_string()})).await;
    }
    let first = ok(harness, "ListOrders", list(json!({"pageSize": 1}))).await;
    let token = first["nextPageToken"].as_str().unwrap().to_owned();
    let next = |more: Json| with(list(json!({"pageToken": token})), more);
    assert_eq!(ids(&ok(harness, "ListOrders", next(json!({}))).await), ["1", "2", "3"]);
    let same = next(json!({"pageSize": 2, "orderBy": "order_id"}));
    assert_eq!(ids(&ok(harness, "ListOrders", same).await), ["1", "2"]);
    let mut forged = token.clone().into_bytes();
    forged[50] ^= 1;
    for request in [
        next(json!({"customerId": "d"})),
        next(json!({"orderBy": "order_id desc"})),
        next(json!({"orderBy": "note"})),
        next(json!({"showDeleted": true})),
        next(json!({"status": 0})),
        list(json!({"pageToken": "nonsense"})),
        list(json!({"pageToken": &token[..token.len() - 1]})),
        list(json!({"pageToken": String::from_utf8_lossy(&forged)})),
    ] {
        let error = refused(harness, "ListOrders", request, Reason::PageTokenInvalid).await;
        assert_eq!(error.violations()[0].field, "page_token");
    }
    let session = json!({"pageToken": token, "names": ["x"]});
    refused(harness, "ListSessions", session, Reason::PageTokenInvalid).await;
    harness.pass_seconds(24 * 60 * 60 - 1);
    ok(harness, "ListOrders", next(json!({}))).await;
    harness.pass_seconds(1);
    refused(harness, "ListOrders", next(json!({})), Reason::PageTokenInvalid).await;
}

/// A page ends before it would pass 1 MiB, and holds at least one record.
pub async fn page_bytes(harness: &Harness) {
    for (id, size) in [("a", 600_000), ("b", 400_000), ("c", 100_000), ("d", 2_000_000), ("e", 1)] {
        let order = with(key("c", id), json!({"tags": ["x".repeat(size)]}));
        ok(harness, "PutOrder", json!({"order": order})).await;
    }
    assert_eq!(pages(harness, "c").await, ["ab", "c", "d", "e"]);
    // What is stored as JSON, or kept from callers, is read too.
    for id in ["a", "b", "c", "d"] {
        let fields =
            json!({"secret": "x".repeat(400_000), "settingsJson": {"theme": "x".repeat(300_000)}});
        let order = with(key("hidden", id), fields);
        ok(harness, "PutOrder", json!({"order": order})).await;
    }
    assert_eq!(pages(harness, "hidden").await, ["ab", "cd"]);
}

/// The ids on each page of a customer's orders.
async fn pages(harness: &Harness, customer: &str) -> Vec<String> {
    let mut pages = Vec::new();
    let mut token = json!("");
    loop {
        let request = json!({"customerId": customer, "pageToken": token});
        let answer = ok(harness, "ListOrders", request).await;
        pages.push(ids(&answer).concat());
        match answer.get("nextPageToken") {
            Some(next) => token = next.clone(),
            None => return pages,
        }
    }
}
