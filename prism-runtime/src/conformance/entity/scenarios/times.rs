//! Timestamps and durations: as parts of the key, and what they are compared with.

use serde_json::{Value as Json, json};

use super::{invalid, ok, refused, with};
use crate::Reason;
use crate::conformance::entity::Harness;

fn key(at: &str, offset: &str) -> Json {
    json!({"sensor": "s", "at": at, "offset": offset})
}

/// The values of a list's readings, which say in which order they belong.
fn values(answer: &Json) -> Vec<i64> {
    let readings = answer["readings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let value = |reading: &Json| reading["value"].as_str().unwrap_or("0").parse();
    readings.iter().map(|reading| value(reading).expect("a number")).collect()
}

/// Composite: both ends of the range, the epoch, before it, one microsecond apart; in order.
const KEYS: [(&str, &str); 8] = [
    ("0001-01-01T00:00:00Z", "0s"),
    ("1969-12-31T23:59:59.999999Z", "0s"),
    ("1970-01-01T00:00:00Z", "-315576000000s"),
    ("1970-01-01T00:00:00Z", "-0.000001s"),
    ("1970-01-01T00:00:00Z", "0s"),
    ("1970-01-01T00:00:00Z", "0.000001s"),
    ("1970-01-01T00:00:00.000001Z", "0s"),
    ("9999-12-31T23:59:59.999999Z", "315576000000s"),
];

/// A timestamp and a duration in a composite key: created, read, changed, listed, deleted.
pub async fn keys_with_times(harness: &Harness) {
    for (value, (at, offset)) in KEYS.iter().enumerate().rev() {
        let reading = with(key(at, offset), json!({"value": value.to_string()}));
        let request = json!({"reading": reading, "requestId": format!("r{value}")});
        let made = ok(harness, "CreateReading", request.clone()).await;
        assert_eq!(made, ok(harness, "GetReading", key(at, offset)).await);
        assert_eq!(made, ok(harness, "CreateReading", request).await, "the same again");
        refused(harness, "CreateReading", json!({"reading": reading}), Reason::RecordExists).await;
        let sent = ok(harness, "PutReading", json!({"reading": reading})).await;
        assert_eq!(made, sent);
    }
    assert_eq!(ok(harness, "GetReading", key(KEYS[4].0, KEYS[4].1)).await["at"], KEYS[4].0);
    pages(harness).await;
    time_conditions(harness).await;
    let keys: Vec<Json> = [7, 2, 0].map(|at: usize| key(KEYS[at].0, KEYS[at].1)).into();
    let found = ok(harness, "BatchGetReadings", json!({"keys": keys})).await;
    assert_eq!(values(&found), [7, 2, 0]);
    let changed = with(key(KEYS[6].0, KEYS[6].1), json!({"value": "60"}));
    let request = json!({"reading": changed, "updateMask": "value"});
    assert_eq!(ok(harness, "UpdateReading", request).await["value"], "60");
    assert_eq!(ok(harness, "GetReading", key(KEYS[5].0, KEYS[5].1)).await["value"], "5");
    let request = json!({"reading": changed, "updateMask": "at"});
    invalid(harness, "UpdateReading", request, &["update_mask.paths[0]"]).await;
    ok(harness, "DeleteReading", key(KEYS[6].0, KEYS[6].1)).await;
    refused(harness, "GetReading", key(KEYS[6].0, KEYS[6].1), Reason::RecordNotFound).await;
    refusals(harness).await;
}

/// One record a page, forwards and backwards, by the key and by an index that ends with it.
async fn pages(harness: &Harness) {
    for (order, backwards) in [("", false), ("at desc, offset desc", true)] {
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let request = json!({"sensor": "s", "pageSize": 3, "pageToken": token,
                "orderBy": order});
            let page = ok(harness, "ListReadings", request).await;
            seen.extend(values(&page));
            token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
        if backwards {
            seen.reverse();
        }
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7], "{order}");
    }
}

async fn time_conditions(harness: &Harness) {
    for (conditions, expected) in [
        (json!({"atFrom": "1970-01-01T00:00:00Z"}), &[2, 3, 4, 5, 6, 7][..]),
        (json!({"atBefore": "1970-01-01T00:00:00Z"}), &[0, 1]),
        (
            json!({"atFrom": "1970-01-01T00:00:00.000001Z", "atBefore": "9999-12-31T23:59:59Z"}),
            &[6],
        ),
    ] {
        let request = with(json!({"sensor": "s"}), conditions);
        assert_eq!(values(&ok(harness, "ListReadings", request).await), expected);
    }
}

/// A part that is absent, or finer than what is stored: two keys never become one.
async fn refusals(harness: &Harness) {
    let reading = |at: Json| json!({"reading": {"sensor": "s", "at": at, "offset": "0s"}});
    let finer = json!("2026-01-01T00:00:00.000000001Z");
    for method in ["CreateReading", "PutReading"] {
        invalid(harness, method, reading(Json::Null), &["reading.at"]).await;
        invalid(harness, method, reading(finer.clone()), &["reading.at"]).await;
    }
    let update = with(reading(finer), json!({"updateMask": "value"}));
    invalid(harness, "UpdateReading", update, &["reading.at"]).await;
    let absent = json!({"sensor": "s", "at": "2026-01-01T00:00:00Z"});
    let finer = key("2026-01-01T00:00:00Z", "0.000000001s");
    for method in ["GetReading", "DeleteReading"] {
        invalid(harness, method, absent.clone(), &["offset"]).await;
        invalid(harness, method, finer.clone(), &["offset"]).await;
    }
    for (keys, field) in [(absent, "keys[1].offset"), (finer, "keys[1].offset")] {
        let keys = json!([key(KEYS[0].0, KEYS[0].1), keys]);
        invalid(harness, "BatchGetReadings", json!({"keys": keys}), &[field]).await;
    }
    let request = json!({"sensor": "s", "atFrom": "2026-01-01T00:00:00.000000001Z"});
    invalid(harness, "ListReadings", request, &["at_from"]).await;
}

/// A time is the whole key.
pub async fn keys_with_durations(harness: &Harness) {
    let days = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-12-24T00:00:00.000001Z"];
    for (position, day) in days.iter().enumerate().rev() {
        let holiday = json!({"day": day, "name": position.to_string()});
        ok(harness, "PutHoliday", json!({"holiday": holiday})).await;
        assert_eq!(ok(harness, "GetHoliday", json!({"day": day})).await, holiday);
    }
    let all = |found: &Json, list: &str, field: &str| -> Vec<String> {
        let items = found[list].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    let found = ok(harness, "BatchGetHolidays", json!({"days": [days[2], days[0]]})).await;
    assert_eq!(all(&found, "holidays", "day"), [days[2], days[0]]);
    let found = ok(harness, "ListHolidays", json!({"anyDay": [days[1], days[2]]})).await;
    assert_eq!(all(&found, "holidays", "day"), days[1..]);
    let finer = "2026-12-24T00:00:00.000000001Z";
    invalid(harness, "BatchGetHolidays", json!({"days": [days[0], finer]}), &["days[1]"]).await;
    invalid(harness, "ListHolidays", json!({"anyDay": [finer]}), &["any_day[0]"]).await;
    invalid(harness, "GetHoliday", json!({}), &["day"]).await;
    invalid(harness, "PutHoliday", json!({"holiday": {"name": "x"}}), &["holiday.day"]).await;

    let times = ["-1.500s", "-0.000001s", "0s", "0.000001s", "90s"];
    for time in times.iter().rev() {
        ok(harness, "PutLap", json!({"lap": {"time": time, "name": "n"}})).await;
    }
    assert_eq!(ok(harness, "GetLap", json!({"time": "0s"})).await["time"], "0s");
    let mut token = String::new();
    let mut seen = Vec::new();
    loop {
        let request = json!({"pageSize": 2, "pageToken": token, "fromTime": "-0.000001s"});
        let page = ok(harness, "ListLaps", request).await;
        seen.extend(all(&page, "laps", "time"));
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, times[1..]);
    let found = ok(harness, "BatchGetLaps", json!({"times": ["90s", "-1.500s"]})).await;
    assert_eq!(all(&found, "laps", "time"), ["90s", "-1.500s"]);
}

/// Starts and lengths, one microsecond apart at both sides of zero and at the ends of the range.
const SHIFTS: [(&str, &str); 8] = [
    ("0001-01-01T00:00:00Z", "-315576000000.000000s"),
    ("0001-01-01T00:00:00.000001Z", "-1.000001s"),
    ("1969-12-31T23:59:59.999999Z", "-1s"),
    ("1970-01-01T00:00:00Z", "-0.000001s"),
    ("1970-01-01T00:00:00.000001Z", "0s"),
    ("2026-01-01T00:00:00.500001Z", "0.000001s"),
    ("9999-12-31T23:59:59.999998Z", "1.000001s"),
    ("9999-12-31T23:59:59.999999Z", "315576000000s"),
];

/// What is compared with a time may be finer than a microsecond: a stored time that is cut off
/// there is compared with all of it.
pub async fn finer_bounds(harness: &Harness) {
    for (position, (start, length)) in SHIFTS.iter().enumerate() {
        let shift = json!({"id": position.to_string(), "start": start, "length": length});
        ok(harness, "PutShift", json!({"shift": shift})).await;
    }
    ok(harness, "PutShift", json!({"shift": {"id": "unset"}})).await;
    for (condition, expected) in [
        (json!({"startFrom": "1970-01-01T00:00:00.000000001Z"}), "4567"),
        (json!({"startFrom": "1969-12-31T23:59:59.999999001Z"}), "34567"),
        (json!({"startFrom": "1969-12-31T23:59:59.999999Z"}), "234567"),
        (json!({"startBefore": "1970-01-01T00:00:00.000000001Z"}), "0123"),
        (json!({"startBefore": "1969-12-31T23:59:59.999999999Z"}), "012"),
        (json!({"startBefore": "0001-01-01T00:00:00.000000999Z"}), "0"),
        (json!({"startFrom": "0001-01-01T00:00:00.000000999Z"}), "1234567"),
        (json!({"startFrom": "9999-12-31T23:59:59.999999001Z"}), ""),
        (json!({"startBefore": "9999-12-31T23:59:59.999999999Z"}), "01234567"),
        (json!({"start": "1970-01-01T00:00:00.000001Z"}), "4"),
        (json!({"start": "1970-01-01T00:00:00.000001001Z"}), ""),
        (
            json!({
                "startFrom": "2026-01-01T00:00:00.500000999Z",
                "startBefore": "2026-01-01T00:00:00.500001001Z",
            }),
            "5",
        ),
        (
            json!({
                "startFrom": "2026-01-01T00:00:00.500001001Z",
                "startBefore": "2026-01-01T00:00:00.500001002Z",
            }),
            "",
        ),
        (json!({"lengthFrom": "-0.000000001s"}), "4567"),
        (json!({"lengthFrom": "-0.000001001s"}), "34567"),
        (json!({"lengthFrom": "-1.000000999s"}), "234567"),
        (json!({"lengthFrom": "0.000000001s"}), "567"),
        (json!({"lengthBefore": "-0.000000001s"}), "0123"),
        (json!({"lengthBefore": "0.000000001s"}), "01234"),
        (json!({"lengthBefore": "-1.000001001s"}), "0"),
        (json!({"lengthFrom": "315576000000s"}), "7"),
        (json!({"lengthBefore": "315576000000s"}), "0123456"),
        (json!({"length": "1.000001s"}), "6"),
        (json!({"length": "1.000001001s"}), ""),
        (json!({"length": "-1.000001001s"}), ""),
    ] {
        let descending = if condition.to_string().contains("start") { "start" } else { "length" };
        for (order, reversed) in [("", false), (&*format!("{descending} desc"), true)] {
            let mut found =
                shifts(harness, with(condition.clone(), json!({"orderBy": order}))).await;
            if reversed {
                found.reverse();
            }
            assert_eq!(found.concat(), expected, "{condition} {order}");
        }
    }
    several(harness).await;
}

/// One of several times: those that no stored time is equal to find nothing.
async fn several(harness: &Harness) {
    let finer = "1970-01-01T00:00:00.000001001Z";
    for (starts, expected) in [
        (json!([SHIFTS[7].0, finer, SHIFTS[3].0]), &["3", "7"][..]),
        (json!([finer]), &[]),
        (json!([]), &[]),
    ] {
        let answer = ok(harness, "ListShiftsOfSeveral", json!({"starts": starts})).await;
        let found = answer["shifts"].as_array().cloned().unwrap_or_default();
        let ids: Vec<&str> = found.iter().filter_map(|shift| shift["id"].as_str()).collect();
        assert_eq!(ids, expected, "{starts}");
    }
}

/// The ids of a list's shifts, two a page.
async fn shifts(harness: &Harness, request: Json) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), json!(""));
    loop {
        let page = with(request.clone(), json!({"pageSize": 2, "pageToken": token}));
        let answer = ok(harness, "ListShifts", page).await;
        let shifts = answer["shifts"].as_array().cloned().unwrap_or_default();
        found.extend(shifts.iter().filter_map(|it| it["id"].as_str().map(str::to_owned)));
        match answer.get("nextPageToken") {
            Some(next) => token = next.clone(),
            None => return found,
        }
    }
}

/// An immutable field that is stored as JSON takes the value that it has, however the database
/// writes it, and no other.
pub async fn immutable_json(harness: &Harness) {
    let put =
        |origin: Json| json!({"reading": with(key(KEYS[0].0, "0s"), json!({"origin": origin}))});
    let origin = json!({"b": 1e16, "a": [0.5, {"z": null, "y": "é"}], "": 1e300});
    ok(harness, "CreateReading", put(origin.clone())).await;
    assert_eq!(ok(harness, "PutReading", put(origin.clone())).await["origin"], origin);
    let masked = with(put(origin), json!({"updateMask": "origin"}));
    ok(harness, "UpdateReading", masked).await;
    invalid(harness, "PutReading", put(json!({"b": 1e16})), &["reading.origin"]).await;
}
