//! Values of every type, their limits, and what is stored of them.

use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value as Json, json};

use super::{create, get, invalid, key, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::{Code, Reason};

/// Puts a message of every type and reads the same back.
async fn survives(harness: &Harness, fields: Json) {
    let entity = with(json!({"id": "e"}), fields);
    let put = ok(harness, "PutEverything", json!({"everything": entity})).await;
    let got = ok(harness, "GetEverything", json!({"id": "e"})).await;
    assert_eq!(put, got);
    let message = harness.message("Everything");
    let sent = DynamicMessage::deserialize(message, entity).expect("a message");
    assert_eq!(got, serde_json::to_value(&sent).expect("JSON"));
}

/// Extremes of every scalar, every form of presence, oneofs, maps, nested messages.
pub async fn every_value(harness: &Harness) {
    for number in [i64::MIN, -1, 0, 1, i64::MAX] {
        let narrow = number.clamp(i32::MIN.into(), i32::MAX.into());
        let unsigned = number as u64;
        let narrow_unsigned = number as u32;
        let plain = json!({
            "flag": number != 0, "int32": narrow, "int64": number.to_string(),
            "uint32": narrow_unsigned, "uint64": unsigned.to_string(), "sint32": narrow,
            "sint64": number.to_string(), "fixed32": narrow_unsigned,
            "fixed64": unsigned.to_string(), "sfixed32": narrow,
            "sfixed64": number.to_string(), "status": narrow,
        });
        survives(harness, plain.clone()).await;
        let fields = plain.as_object().expect("an object").iter();
        let optional: serde_json::Map<String, Json> = fields
            .map(|(name, value)| {
                let (first, rest) = name.split_at(1);
                (format!("optional{}{rest}", first.to_uppercase()), value.clone())
            })
            .collect();
        survives(harness, Json::Object(optional)).await;
        survives(
            harness,
            json!({
                "wrappedFlag": number != 0, "wrappedInt32": narrow,
                "wrappedInt64": number.to_string(), "wrappedUint32": narrow_unsigned,
                "wrappedUint64": unsigned.to_string(),
            }),
        )
        .await;
        survives(harness, json!({"choiceUint64": unsigned.to_string()})).await;
        survives(harness, json!({"repeatedSint64": [number.to_string(), "0"]})).await;
    }
    let settings = json!({
        "theme": "dark", "sizes": [1, -1, 0], "inner": {"inner": {}}, "counts": {"a": "1", "": "0"},
    });
    let long = "é".repeat(500_000);
    for fields in [
        json!({}),
        json!({"string": long, "wrappedString": "", "optionalString": "", "repeatedString": [""]}),
        json!({"bytes": "AP8=", "optionalBytes": "", "wrappedBytes": ""}),
        json!({"settings": {}}),
        json!({"settings": settings, "repeatedSettings": [settings, {}]}),
        json!({"settingsByNumber": {"0": {}, "-1": settings}, "doubleByName": {"": 1.5}}),
        json!({"choiceSettings": {}}),
        json!({"choiceString": ""}),
        json!({"choiceTimestamp": "1970-01-01T00:00:00Z"}),
    ] {
        survives(harness, fields).await;
    }
    json_values(harness).await;
    floats(harness).await;
    merged_occurrences(harness).await;
}

/// A JSON column may hold a number, or a text that looks like one, alone.
async fn json_values(harness: &Harness) {
    let numbers = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        0.1 + 0.2,
        1e15,
        9_007_199_254_740_993.0,
        9.3e18,
        1e21,
        1e300,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        123_456_789.123_456_78,
        1.797_693_134_862_315e308,
    ];
    for number in numbers {
        survives(harness, json!({"valueJson": number})).await;
    }
    for value in [json!("1"), json!(" 2 "), json!("0x10"), json!("null"), json!(true), json!([1])] {
        survives(harness, json!({"valueJson": value})).await;
    }
}

/// NaN keeps its bits; -0.0 survives where the field has presence or is repeated.
async fn floats(harness: &Harness) {
    let doubles = [f64::NAN, f64::from_bits(0xfff0_0000_0000_0001), f64::INFINITY, f64::MIN, 0.1];
    let floats = [f32::NAN, f32::from_bits(0xff80_0001), f32::INFINITY, f32::MIN, 0.1];
    for (double, float) in doubles.into_iter().zip(floats) {
        floats_survive(harness, double, float, true).await;
    }
    floats_survive(harness, -0.0, -0.0, false).await;
}

async fn floats_survive(harness: &Harness, double: f64, float: f32, implicit: bool) {
    let mut entity = vec![0x0a, 1, b'e'];
    let mut fields: Vec<(u32, Vec<u8>)> = Vec::new();
    if implicit {
        fields.push((13, float.to_le_bytes().to_vec()));
        fields.push((14, double.to_le_bytes().to_vec()));
    }
    fields.push((33, float.to_le_bytes().to_vec()));
    fields.push((34, double.to_le_bytes().to_vec()));
    for (number, bytes) in &fields {
        let kind = if bytes.len() == 4 { 5 } else { 1 };
        prost::encoding::encode_varint(u64::from(number << 3 | kind), &mut entity);
        entity.extend(bytes);
    }
    let repeated = [double.to_le_bytes(), double.to_le_bytes()].concat();
    prost::encoding::encode_varint(62 << 3 | 2, &mut entity);
    entity.push(16);
    entity.extend(repeated);
    let mut request = vec![0x0a, u8::try_from(entity.len()).expect("a short message")];
    request.extend(&entity);
    harness.call_raw("PutEverything", request).await.expect("a put");
    let got = harness.call_raw("GetEverything", vec![0x0a, 1, b'e']).await.expect("a get");
    assert_eq!(got, entity, "{double:?} {float:?}");
}

/// Several occurrences of a singular message merge; of a scalar, the last one counts.
async fn merged_occurrences(harness: &Harness) {
    let everything = harness.message("Everything");
    let part = |fields: Json| {
        DynamicMessage::deserialize(everything.clone(), fields).expect("a message").encode_to_vec()
    };
    let parts = [
        json!({"id": "x", "settings": {"theme": "a", "sizes": [1]}, "string": "one"}),
        json!({"settings": {"sizes": [2], "inner": {"theme": "b"}}, "repeatedString": ["r"]}),
        json!({"id": "e", "settings": {"theme": "c"}, "string": "two", "repeatedString": ["s"]}),
        json!({"settingsJson": {"theme": "a"}, "repeatedJson": ["1"]}),
        json!({"settingsJson": {"sizes": [4]}, "repeatedJson": ["2"]}),
    ];
    let bytes: Vec<u8> = parts.into_iter().flat_map(part).collect();
    let merged = DynamicMessage::decode(everything.clone(), &*bytes).expect("a message");
    let mut request = Vec::new();
    for chunk in [&bytes[..0], &bytes[..]] {
        request.push(0x0a);
        prost::encoding::encode_varint(chunk.len() as u64, &mut request);
        request.extend(chunk);
    }
    let put = harness.call_bytes("PutEverything", request).await.expect("a put");
    assert_eq!(put, serde_json::to_value(&merged).expect("JSON"));
    // The parts of a timestamp merge too: seconds of one, nanos of the other.
    let request = vec![0x0a, 15, 0x0a, 1, b'e', 0x92, 1, 2, 8, 5, 0x92, 1, 3, 16, 0xe8, 7, 0];
    let put = harness.call_bytes("PutEverything", request[..17].to_vec()).await;
    assert!(put.is_err(), "a trailing zero byte is no field");
    let request = vec![0x0a, 14, 0x0a, 1, b'e', 0x92, 1, 2, 8, 5, 0x92, 1, 3, 16, 0xe8, 7];
    let put = harness.call_bytes("PutEverything", request).await.expect("a put");
    assert_eq!(put["timestamp"], "1970-01-01T00:00:05.000001Z");
}

/// Microseconds, cut downwards; protobuf's range; nested times keep all digits.
pub async fn times_and_ranges(harness: &Harness) {
    for (sent, stored) in [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000001Z"),
    ] {
        let entity = json!({"id": "e", "timestamp": sent, "repeatedTimestamp": [sent]});
        let put = ok(harness, "PutEverything", json!({"everything": entity})).await;
        assert_eq!(put["timestamp"], stored);
        assert_eq!(put["repeatedTimestamp"], json!([sent]), "nested times are kept");
    }
    for (sent, stored) in [
        ("1.000000001s", "1s"),
        ("-1.000000001s", "-1.000001s"),
        ("-0.000000001s", "-0.000001s"),
        ("315576000000s", "315576000000s"),
    ] {
        let entity = json!({"id": "e", "duration": sent});
        let put = ok(harness, "PutEverything", json!({"everything": entity})).await;
        assert_eq!(put["duration"], stored);
    }
    // Out of range, negative nanos, mixed signs: 18 is the timestamp, 19 the duration.
    let past = [8, 0xff, 0x93, 0x84, 0xd6, 0x97, 0xe3, 0xff, 0xff, 0xff, 0x01];
    let negative_nanos = [16, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let mixed = [&[8, 1][..], &negative_nanos[..]].concat();
    for (number, time, field) in [
        (18u8, &past[..], "everything.timestamp"),
        (18, &negative_nanos[..], "everything.timestamp"),
        (19, &mixed[..], "everything.duration"),
    ] {
        let mut entity = vec![0x0a, 1, b'e', (number << 3) & 0x7f | 0x82, 1, time.len() as u8];
        entity.extend(time);
        let mut request = vec![0x0a, entity.len() as u8];
        request.extend(entity);
        let error = harness.call_bytes("PutEverything", request).await.expect_err("refused");
        assert_eq!(error.violations()[0].field, field, "{error}");
    }
}

/// What has to be there, and how long it may be.
pub async fn sizes_and_keys(harness: &Harness) {
    let long = "k".repeat(2_048 - 17);
    create(harness, "c", &long, json!({})).await;
    get(harness, "c", &long).await;
    let longer = "k".repeat(2_048);
    let error =
        invalid(harness, "CreateOrder", json!({"order": key("c", &longer)}), &["order.order_id"])
            .await;
    assert_eq!(error.reason(), Reason::ValueTooLarge);
    assert!(!error.message().contains("kkk"), "{error}");
    invalid(harness, "GetOrder", key("c", &longer), &["order_id"]).await;
    let note =
        |length: usize| json!({"order": with(key("c", "o"), json!({"note": "n".repeat(length)}))});
    let size = harness.collection("Order").entity().indexes.len();
    assert!(size > 0);
    // status, total: eight bytes each; key: two.
    ok(harness, "PutOrder", note(2_048 - 18)).await;
    let error = invalid(harness, "PutOrder", note(2_048 - 17), &["order.note"]).await;
    assert_eq!((error.reason(), error.code()), (Reason::ValueTooLarge, Code::InvalidArgument));
    let update = with(note(2_048 - 17), json!({"updateMask": "note"}));
    invalid(harness, "UpdateOrder", update, &["order.note"]).await;
    let unindexed = with(key("c", "u"), json!({"tags": ["t".repeat(1 << 20)]}));
    ok(harness, "PutOrder", json!({"order": unindexed})).await;
    // A nested string that is no UTF-8 would make the whole record unreadable.
    let order = [0x0a, 1, b'c', 0x12, 1, b'o', 0x7a, 3, 0x0a, 1, 0xff];
    let mut request = vec![0x0a, order.len() as u8];
    request.extend(order);
    let error = harness.call_bytes("PutOrder", request).await.expect_err("refused");
    assert_eq!(error.reason(), Reason::InvalidRequest);
    refused(harness, "GetOrder", key("c", "none"), Reason::RecordNotFound).await;
}

/// Fields in JSON storage read back as they were written.
pub async fn json_storage(harness: &Harness) {
    let settings = json!({"theme": "\"quoted\" \u{1f600}", "sizes": [0], "counts": {"x": "-1"}});
    for fields in [
        json!({"settingsJson": {}}),
        json!({"settingsJson": settings}),
        json!({"repeatedJson": ["-9223372036854775808", "0"]}),
        json!({"mapJson": {"": {}, "a": settings}}),
    ] {
        survives(harness, fields).await;
    }
    let sent = json!({"settingsJson": settings, "linesJson": [settings, {}]});
    let made = create(harness, "c", "o", sent).await;
    assert_eq!(made["settingsJson"], settings);
    assert_eq!(made["linesJson"], json!([settings, {}]));
    let mask = json!({"order": key("c", "o"), "updateMask": "settingsJson,linesJson"});
    let cleared = ok(harness, "UpdateOrder", mask).await;
    assert!(cleared.get("settingsJson").is_none() && cleared.get("linesJson").is_none());
}
