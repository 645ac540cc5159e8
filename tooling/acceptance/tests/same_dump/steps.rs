//! Random operations, as calls in protobuf JSON.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// One operation.
#[derive(Clone, Debug)]
pub enum Step {
    /// A call. The etag goes where the request has one.
    Call { method: &'static str, request: Value, etag: Option<(Etag, &'static str)> },
    /// A list, page by page.
    Pages { method: &'static str, request: Value },
    /// So many microseconds pass.
    Advance(i64),
}

/// Which etag is sent.
#[derive(Clone, Copy, Debug)]
pub enum Etag {
    /// The one that the row has, which differs from backend to backend.
    Current,
    /// One that no row has.
    Stale,
}

pub const SECOND: i64 = 1_000_000;
pub const HOUR: i64 = 3_600 * SECOND;
/// 2026-01-01, in microseconds since the Unix epoch.
pub const START: i64 = 1_767_225_600 * SECOND;

pub const NAMESPACES: [&str; 2] = ["first", "second"];
const IDS: [&str; 3] = ["a", "b", "☂\u{1}"];
const ITEM_IDS: [&str; 3] = ["1", "2", "\0☂"];
/// In base 64: nothing, `a`, `a\0`, `b`.
const KEYS: [&str; 4] = ["", "YQ==", "YQA=", "Yg=="];
const VALUES: [&str; 3] = ["", "eA==", "AP8="];

/// Fields of a row, each with values in JSON. The first of each is the type's zero.
const FIELDS: [(&str, &[&str]); 23] = [
    ("flag", &["false", "true"]),
    ("small", &["0", "-2147483648", "2147483647"]),
    ("whole", &[r#""0""#, r#""-9223372036854775808""#, r#""9223372036854775807""#, r#""7""#]),
    ("large", &[r#""0""#, r#""18446744073709551615""#, r#""9223372036854775808""#]),
    ("fixed", &["0", "4294967295"]),
    ("single", &["0", "-0.0", r#""NaN""#, "0.1", r#""-Infinity""#]),
    ("real", &["0", "-0.0", r#""NaN""#, "5e-324", "0.1", r#""Infinity""#]),
    ("text", &[r#""""#, r#""b""#, r#""B""#, r#""é☂""#, r#""\u0001""#]),
    ("blob", &[r#""""#, r#""AA==""#, r#""/wD/""#]),
    ("color", &["0", r#""COLOR_BLUE""#, "-7"]),
    (
        "at",
        &[
            r#""1970-01-01T00:00:00Z""#,
            r#""0001-01-01T00:00:00Z""#,
            r#""9999-12-31T23:59:59.999999Z""#,
            r#""2026-01-01T00:00:00.123456789Z""#,
            r#""1969-12-31T23:59:59.999999999Z""#,
        ],
    ),
    ("took", &[r#""0s""#, r#""-0.000001s""#, r#""315576000000s""#, r#""1.0000019s""#]),
    ("code", &[r#""""#, r#""one""#, r#""two""#]),
    ("maybe", &["0", "-0.0", r#""NaN""#, "2.5"]),
    ("maybe_blob", &[r#""""#, r#""AAEC""#]),
    ("wrapped", &[r#""0""#, r#""18446744073709551615""#]),
    ("words", &[r#""""#, r#""words""#]),
    ("part", &["{}", r#"{"title": "\u0000", "size": "-1", "parts": [{}, {"weight": "NaN"}]}"#]),
    ("json", &["{}", r#"{"title": "t\"☂", "size": "-9", "weight": 0.5, "parts": [{}, {}]}"#]),
    ("parts", &["[]", r#"[{}, {"title": "x"}]"#]),
    ("reals", &["[]", "[0, 1.5, -2, 100000000000000000000]"]),
    ("counts", &["{}", r#"{"": "-1"}"#]),
    ("labels", &["{}", r#"{"": "", "b": "2", "a": "1", "aa": "\"\\"}"#]),
];

/// At most one of these.
const CHOICES: [&str; 5] = [
    "{}",
    r#"{"number": "0"}"#,
    r#"{"name": "n"}"#,
    r#"{"name": ""}"#,
    r#"{"piece": {"title": "p"}}"#,
];

const EXPIRIES: [Option<&str>; 4] = [
    None,
    Some("2026-01-01T00:00:05Z"),
    Some("2026-01-01T02:00:00Z"),
    Some("2030-01-01T00:00:00Z"),
];

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => row_write(),
        4 => row_read(),
        4 => event(),
        8 => item_write(),
        2 => item_read(),
        3 => select(vec![1, SECOND, 7 * SECOND, HOUR, 13 * HOUR, -SECOND]).prop_map(Step::Advance),
    ];
    vec(step, 60..100)
}

fn row() -> impl Strategy<Value = Value> {
    let fields = FIELDS.map(|(_, values)| option::weighted(0.4, 0..values.len()));
    (select(IDS.to_vec()), fields.to_vec(), select(CHOICES.to_vec()), select(EXPIRIES.to_vec()))
        .prop_map(|(id, chosen, choice, expires)| {
            let mut row = Map::from_iter([("id".to_owned(), json!(id))]);
            for ((name, values), chosen) in FIELDS.iter().zip(chosen) {
                row.extend(chosen.map(|chosen| ((*name).to_owned(), parsed(values[chosen]))));
            }
            let Value::Object(choice) = parsed(choice) else { unreachable!() };
            row.extend(choice);
            row.extend(expires.map(|time| ("expire_time".to_owned(), json!(time))));
            Value::Object(row)
        })
}

fn etag() -> impl Strategy<Value = Option<Etag>> {
    prop_oneof![
        3 => Just(None),
        2 => Just(Some(Etag::Current)),
        1 => Just(Some(Etag::Stale)),
    ]
}

fn row_write() -> impl Strategy<Value = Step> {
    let call = |method, request, etag: Option<Etag>, place| Step::Call {
        method,
        request,
        etag: etag.map(|etag| (etag, place)),
    };
    let id = || select(IDS.to_vec());
    let request_ids = vec!["", "", "r-1", "r-2"];
    let mut paths: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    paths.extend(["number", "name", "piece", "expire_time"]);
    let mask = prop_oneof![
        6 => subsequence(paths, 1..6).prop_map(|paths| {
            // In JSON, a mask has the names of JSON.
            paths.join(",").replace("maybe_blob", "maybeBlob").replace("expire_time", "expireTime")
        }),
        1 => Just("*".to_owned()),
        1 => Just("id".to_owned()),
    ];
    prop_oneof![
        3 => (row(), select(request_ids)).prop_map(move |(row, id)| {
            call("CreateRow", json!({"row": row, "request_id": id}), None, "")
        }),
        3 => (row(), etag()).prop_map(move |(row, etag)| {
            call("PutRow", json!({"row": row}), etag, "/row/etag")
        }),
        4 => (row(), mask, any::<bool>(), etag()).prop_map(move |(row, mask, missing, etag)| {
            let request = json!({"row": row, "update_mask": mask, "allow_missing": missing});
            call("UpdateRow", request, etag, "/row/etag")
        }),
        2 => (id(), any::<bool>(), etag()).prop_map(move |(id, missing, etag)| {
            call("DeleteRow", json!({"id": id, "allow_missing": missing}), etag, "/etag")
        }),
        1 => (id(), etag()).prop_map(move |(id, etag)| {
            call("UndeleteRow", json!({"id": id}), etag, "/etag")
        }),
    ]
}

fn row_read() -> impl Strategy<Value = Step> {
    let plain = |method, request| Step::Call { method, request, etag: None };
    let orders = vec!["", "id desc", "at", "at desc", "whole", "whole desc", "text, whole desc"];
    prop_oneof![
        (select(IDS.to_vec()), any::<bool>()).prop_map(move |(id, deleted)| {
            plain("GetRow", json!({"id": id, "show_deleted": deleted}))
        }),
        vec(select(IDS.to_vec()), 0..4)
            .prop_map(move |ids| plain("BatchGetRows", json!({"ids": ids}))),
        (option::of(select(vec!["", "b", "é☂"])), select(orders), 0..3, any::<bool>()).prop_map(
            |(text, order, size, deleted)| {
                let mut request =
                    json!({"order_by": order, "page_size": size, "show_deleted": deleted});
                if let Some(text) = text {
                    request["text"] = json!(text);
                }
                Step::Pages { method: "ListRows", request }
            }
        ),
    ]
}

fn event() -> impl Strategy<Value = Step> {
    let plain = |method, request| Step::Call { method, request, etag: None };
    let times = vec!["1969-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z"];
    let numbers = vec!["-9223372036854775808", "-1", "0", "2"];
    let key = || (select(vec!["d", "e"]), select(numbers.clone()), select(times.clone()));
    let orders = vec!["", "number desc", "number desc, at desc"];
    prop_oneof![
        4 => (key(), select(vec!["", "t"])).prop_map(move |((device, number, at), text)| {
            let event = json!({"device": device, "number": number, "at": at, "text": text});
            plain("PutEvent", json!({"event": event}))
        }),
        1 => key().prop_map(move |(device, number, at)| {
            plain("DeleteEvent", json!({"device": device, "number": number, "at": at}))
        }),
        // No microsecond, so no key.
        1 => Just(plain("DeleteEvent", json!({
            "device": "d", "number": "0", "at": "2026-01-01T00:00:00.000000001Z"
        }))),
        1 => (select(vec!["d", "e"]), select(orders), 0..3).prop_map(|(device, order, size)| {
            let request = json!({"device": device, "order_by": order, "page_size": size});
            Step::Pages { method: "ListEvents", request }
        }),
    ]
}

/// Which record a call is for, and its token: the server's, or one before or after the time.
fn target() -> impl Strategy<Value = Value> {
    let tokens = vec![0, 0, START - HOUR, START, START + 5 * SECOND, START + 14 * HOUR];
    (select(NAMESPACES.to_vec()), select(ITEM_IDS.to_vec()), select(tokens)).prop_map(
        |(namespace, id, token)| {
            json!({"namespace": namespace, "id": id, "item_priority_token": token.to_string()})
        },
    )
}

fn items() -> impl Strategy<Value = Value> {
    let content = (select(VALUES.to_vec()), 0..3, select(vec![0, 5, 90_000]));
    (subsequence(KEYS.to_vec(), 1..4), vec(content, 4)).prop_map(|(keys, contents)| {
        let item = |(key, (value, compression, ttl)): (&str, (&str, i32, i32))| {
            let metadata = json!({"compression": compression, "ttl_seconds": ttl.to_string()});
            json!({"key": key, "value": value, "metadata": metadata})
        };
        keys.into_iter().zip(contents).map(item).collect()
    })
}

fn predicate() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"match_all": {}})),
        vec(select(KEYS.to_vec()), 1..3).prop_map(|keys| json!({"match_keys": {"keys": keys}})),
        (select(KEYS.to_vec()), option::of(select(KEYS.to_vec()))).prop_map(|(start, end)| {
            let mut range = json!({"start_key": start});
            if let Some(end) = end {
                range["end_key"] = json!(end);
            }
            json!({"match_range": range})
        }),
    ]
}

fn with(mut target: Value, fields: Value) -> Value {
    if let (Value::Object(target), Value::Object(fields)) = (&mut target, fields) {
        target.extend(fields);
    }
    target
}

fn without_token(mut target: Value) -> Value {
    if let Value::Object(target) = &mut target {
        target.remove("item_priority_token");
    }
    target
}

fn item_write() -> impl Strategy<Value = Step> {
    let plain = |method, request| Step::Call { method, request, etag: None };
    let value = || option::of(select(VALUES.to_vec()));
    prop_oneof![
        4 => (target(), items()).prop_map(move |(target, items)| {
            plain("Put", with(target, json!({"items": items})))
        }),
        1 => (target(), items(), target(), items()).prop_map(move |(one, a, other, b)| {
            let write = |target: Value, items| json!({
                "id": target["id"], "items": items,
                "item_priority_token": target["item_priority_token"],
            });
            let namespace = one["namespace"].clone();
            let writes = [write(one, a), write(other, b)];
            plain("PutBatch", json!({"namespace": namespace, "writes": writes}))
        }),
        2 => (target(), vec(select(KEYS.to_vec()), 1..3)).prop_map(move |(target, keys)| {
            plain("Delete", with(target, json!({"keys": keys})))
        }),
        1 => (target(), predicate()).prop_map(move |(target, predicate)| {
            plain("Delete", with(target, json!({"predicate": predicate})))
        }),
        2 => (target(), select(KEYS.to_vec()), value(), value()).prop_map(
            move |(target, key, old, new)| {
                let mut request = with(without_token(target), json!({"key": key}));
                for (name, value) in [("old_value", old), ("new_value", new)] {
                    if let Some(value) = value {
                        request[name] = json!(value);
                    }
                }
                plain("CompareAndSwap", request)
            }
        ),
    ]
}

fn item_read() -> impl Strategy<Value = Step> {
    (target(), predicate(), 0..3).prop_map(|(target, predicate, limit)| {
        let fields = json!({"predicate": predicate, "limit": limit});
        Step::Pages { method: "Get", request: with(without_token(target), fields) }
    })
}
