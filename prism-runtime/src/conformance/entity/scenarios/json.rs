//! JSON storage: what has no form there, how deep it goes, and what a newer schema has written.

use prost::Message as _;
use prost_reflect::{DynamicMessage, MapKey, Value};
use serde_json::{Value as Json, json};

use super::{invalid, ok, refused, with};
use crate::conformance::entity::Harness;
use crate::entity::decide::{Action, Command, RequestPath, Source};
use crate::entity::record::{Key, Record};
use crate::schema::Value as Stored;
use crate::schema::value::encode_u64;
use crate::store::entity::Write;
use crate::violations::Violations;
use crate::{Code, Error, Reason};

pub(super) fn key(number: u64) -> Json {
    json!({"shop": "s", "number": number.to_string()})
}

pub(super) async fn put(harness: &Harness, number: u64, fields: Json) -> Json {
    ok(harness, "PutDocument", json!({"document": with(key(number), fields)})).await
}

/// What JSON has no form for is refused for its field; what it has one for reads back.
pub async fn json_forms(harness: &Harness) {
    for (wide, path) in [
        (json!({"wrappedDouble": "NaN"}), "wrapped_double"),
        (json!({"wrappedDouble": "Infinity"}), "wrapped_double"),
        (json!({"wrappedFloat": "-Infinity"}), "wrapped_float"),
        (json!({"wrappedFloats": [1, "NaN"]}), "wrapped_floats[1]"),
        (json!({"wrappedByName": {"a": 1, "b": "NaN"}}), "wrapped_by_name[\"b\"]"),
        (json!({"choiceDouble": "NaN"}), "choice_double"),
        (
            json!({"inners": [{}, {"innerByName": {"x": {"wrappedDouble": "Infinity"}}}]}),
            "inners[1].inner_by_name[\"x\"].wrapped_double",
        ),
        (json!({"any": {"@type": "/google.protobuf.DoubleValue", "value": "NaN"}}), "any"),
    ] {
        for (field, value, above) in [
            ("wide", wide.clone(), "wide"),
            ("wides", json!([{}, wide]), "wides[1]"),
            ("wideByName", json!({"\"": wide}), "wide_by_name[\"\\\"\"]"),
        ] {
            let document = with(key(1), json!({field: value}));
            let request = json!({"document": document});
            invalid(harness, "PutDocument", request, &[&format!("document.{above}.{path}")]).await;
        }
    }
    times_out_of_range(harness).await;
    refused(harness, "GetDocument", key(1), Reason::RecordNotFound).await;
    for wide in [
        json!({"optionalDouble": "NaN", "optionalFloat": "Infinity"}),
        json!({"doubles": ["NaN", "-Infinity", 0.1]}),
        json!({"int64": "-9223372036854775808", "uint64": "18446744073709551615"}),
        json!({"grade": "GRADE_LOW", "grades": ["GRADE_LOW", 7, "GRADE_BELOW"]}),
        json!({"mask": "a.bC,d", "duration": "-0.500s", "timestamp": "0001-01-01T00:00:00Z"}),
        json!({"choiceNull": null, "nullByName": {"a": null}, "values": [null, [null], {}]}),
        json!({"any": {"@type": "/conformance.v1.Settings", "theme": "x", "sizes": [1]}}),
        json!({"any": {"@type": "/google.protobuf.Duration", "value": "1.500s"}}),
        json!({"@bytes": "AP8=", "empty": {}, "byFlag": {"true": 1, "false": 2}}),
    ] {
        put(harness, 1, json!({"wide": wide})).await;
        assert_eq!(ok(harness, "GetDocument", key(1)).await["wide"], wide);
    }
    signed_zeros(harness).await;
    immutable(harness).await;
}

/// A Timestamp or Duration that JSON has no form for is at its own path.
async fn times_out_of_range(harness: &Harness) {
    let pool = harness.message("Wide").parent_pool().clone();
    let time = |name: &str, seconds: i64| {
        let time = pool.get_message_by_name(&format!("google.protobuf.{name}"));
        let mut time = DynamicMessage::new(time.expect("a known type"));
        time.set_field_by_name("seconds", Value::I64(seconds));
        Value::Message(time)
    };
    let beyond = || time("Timestamp", 253_402_300_800);
    for (field, value, path) in [
        ("timestamp", beyond(), "timestamp"),
        ("timestamps", Value::List(vec![time("Timestamp", 0), beyond()]), "timestamps[1]"),
        ("duration", time("Duration", 315_576_000_001), "duration"),
    ] {
        let mut wide = DynamicMessage::new(harness.message("Wide"));
        wide.set_field_by_name(field, value);
        let mut document = DynamicMessage::new(harness.message("Document"));
        document.set_field_by_name("shop", Value::String("s".to_owned()));
        document.set_field_by_name("wide", Value::Message(wide));
        let bytes = document.encode_to_vec();
        let request = [vec![0x0a, u8::try_from(bytes.len()).unwrap()], bytes].concat();
        let error = harness.call_raw("PutDocument", request).await.expect_err("refused");
        assert_eq!(error.violations()[0].field, format!("document.wide.{path}"), "{error}");
    }
}

/// The same value may be sent again, however the database writes it.
async fn immutable(harness: &Harness) {
    let origin = json!({"doubles": [1e16, 1e21, 0.5], "string": "s", "inner": {"flag": true}});
    put(harness, 2, json!({"origin": origin})).await;
    let again = put(harness, 2, json!({"origin": origin, "title": "t"})).await;
    assert_eq!(again["origin"], origin);
    let update = json!({"document": with(key(2), json!({"origin": origin})),
        "updateMask": "origin"});
    ok(harness, "UpdateDocument", update).await;
    let other = json!({"document": with(key(2), json!({"origin": {"doubles": [1e16]}}))});
    invalid(harness, "PutDocument", other, &["document.origin"]).await;
}

/// -0.0 survives where it is present, which JSON numbers of Postgres alone would not give.
async fn signed_zeros(harness: &Harness) {
    let sent = json!({"optionalDouble": -0.0, "floats": [-0.0]});
    put(harness, 1, json!({"wide": sent})).await;
    let got = ok(harness, "GetDocument", key(1)).await;
    let wide = &got["wide"];
    for number in [&wide["optionalDouble"], &wide["floats"][0]] {
        assert!(number.as_f64().is_some_and(|number| number.is_sign_negative()), "{wide}");
    }
}

/// Nothing that is taken is too deep to be read, whatever it is made of.
pub async fn json_depth(harness: &Harness) {
    let document = harness.message("Document");
    let wide = harness.message("Wide");
    let (mut taken, mut deepest) = (0, [0; 3]);
    for depth in (1..110).step_by(6).chain([62, 63, 64, 98, 99, 100]) {
        for (way, deep) in deepest.iter_mut().enumerate() {
            let mut message = DynamicMessage::new(wide.clone());
            for _ in 1..depth {
                let mut outer = DynamicMessage::new(wide.clone());
                let value = Value::Message(message);
                let entry = |value| [(MapKey::String("k".to_owned()), value)].into_iter().collect();
                match way {
                    0 => outer.set_field_by_name("inner", value),
                    1 => outer.set_field_by_name("inners", Value::List(vec![value])),
                    _ => outer.set_field_by_name("inner_by_name", Value::Map(entry(value))),
                }
                message = outer;
            }
            let mut sent = DynamicMessage::new(document.clone());
            sent.set_field_by_name("shop", Value::String("s".to_owned()));
            sent.set_field_by_name("number", Value::U64(depth));
            sent.set_field_by_name("wides", Value::List(vec![Value::Message(message)]));
            let bytes = sent.encode_to_vec();
            let mut request = vec![0x0a];
            prost::encoding::encode_varint(bytes.len() as u64, &mut request);
            request.extend(&bytes);
            match harness.call_raw("PutDocument", request).await {
                Ok(answer) => assert_eq!(answer, bytes),
                Err(error) => {
                    assert_eq!(error.code(), Code::InvalidArgument, "{depth}: {error}");
                    continue;
                }
            }
            let get = [vec![0x0a, 1, b's', 0x10], vec![u8::try_from(depth).unwrap()]].concat();
            assert_eq!(harness.call_raw("GetDocument", get).await.expect("a get"), bytes);
            *deep = depth.max(*deep);
            taken += 1;
        }
        harness.call_raw("ListDocuments", vec![0x0a, 1, b's']).await.expect("a list");
    }
    assert!(taken > 0 && deepest[1] >= 64, "{deepest:?}");
    chains(harness).await;
}

/// An `Any` within an `Any`: protobuf's limit of levels is none for them.
async fn chains(harness: &Harness) {
    let wide = harness.message("Wide");
    for (length, fits) in [(1, true), (50, true), (3_000, false)] {
        let mut any: Vec<u8> = Vec::new();
        for level in 0..length {
            let url = if level == 0 { "/google.protobuf.Empty" } else { "/google.protobuf.Any" };
            let mut outer = vec![0x0a, url.len() as u8];
            outer.extend(url.as_bytes());
            outer.push(0x12);
            prost::encoding::encode_varint(any.len() as u64, &mut outer);
            outer.extend(&any);
            any = outer;
        }
        let mut message = DynamicMessage::new(wide.clone());
        let Some(prost_reflect::Kind::Message(of)) =
            wide.get_field_by_name("any").map(|field| field.kind())
        else {
            panic!("it is a message")
        };
        let any = DynamicMessage::decode(of, &*any).expect("an Any");
        message.set_field_by_name("any", Value::Message(any));
        let mut document = DynamicMessage::new(harness.message("Document"));
        document.set_field_by_name("shop", Value::String("any".to_owned()));
        document.set_field_by_name("wide", Value::Message(message));
        let bytes = document.encode_to_vec();
        let mut request = vec![0x0a];
        prost::encoding::encode_varint(bytes.len() as u64, &mut request);
        request.extend(&bytes);
        let put = harness.call_raw("PutDocument", request).await;
        match put {
            Ok(_) => assert!(fits, "{length}"),
            Err(error) => assert!(!fits && error.code() == Code::InvalidArgument, "{error}"),
        }
    }
}

/// Writes what another version of the schema, or another tool, may have written.
pub(super) async fn plant(harness: &Harness, number: u64, wide: Json) {
    let store = &harness.collection("Document").store;
    store.write(write_of(harness, number, wide)).await.expect("a write");
}

/// A Put of a document with a text in a column.
pub(super) fn write_of(harness: &Harness, number: u64, wide: Json) -> Write {
    let collection = harness.collection("Document");
    let mut values: Vec<Stored> =
        collection.entity().columns.iter().map(crate::entity::record::absent).collect();
    values[0] = Stored::Text("s".to_owned());
    values[1] = Stored::Int(encode_u64(number));
    values[2] = Stored::Text(wide.to_string());
    let key = Key(values[..2].to_vec());
    let command = Command {
        action: Action::Put(Record(values)),
        expected_etag: None,
        new_etag: String::new(),
        now_micros: harness.clock.now_micros(),
        source: Source::Service,
        entity: RequestPath { number: 1, path: "document".into() },
        mask: RequestPath { number: 2, path: "update_mask".into() },
        if_created: Violations::default(),
    };
    Write { key, command, request: None }
}

fn metadata<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error.metadata().find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// What a newer schema may have written, and what is damaged.
fn unreadable() -> Vec<(Json, &'static str)> {
    let newer = "written by a newer schema";
    vec![
        (json!({"grades": ["GRADE_LOW", "GRADE_NEW", "GRADE_LOW"]}), newer),
        (json!({"grade": "GRADE_NEW"}), newer),
        (json!({"gradeByName": {"a": "GRADE_NEW"}}), newer),
        (json!({"newField": 1}), newer),
        (json!({"inners": [{"innerByName": {"x": {"newField": {}}}}]}), newer),
        (json!({"any": {"@type": "/new.Type"}}), newer),
        (json!({"any": {"@type": "/conformance.v1.Settings", "new": 1}}), newer),
        (json!({"flag": "yes"}), "cannot be read"),
        (json!([]), "cannot be read"),
        (json!({"choiceFlag": true, "choiceValue": 1}), "cannot be read"),
    ]
}

/// A record that cannot be read takes no other one with it: the error names it, the list goes on
/// after it, and it can be put and deleted.
pub async fn json_unreadable(harness: &Harness) {
    plant(harness, 9, json!({"retiredName": {"a": [1]}, "retired_name": 1, "flag": true})).await;
    let got = ok(harness, "GetDocument", key(9)).await;
    assert_eq!(got["wide"], json!({"flag": true}), "reserved names are of an older schema");
    for (wide, what) in unreadable() {
        for number in 0..5 {
            put(harness, number, json!({"title": "good"})).await;
        }
        plant(harness, 2, wide).await;
        let error = refused(harness, "GetDocument", key(2), Reason::CorruptRecord).await;
        assert!(error.message().contains(what), "{error}");
        assert!(error.message().contains(r#"key ["s",2]"#), "{error}");
        assert_eq!(metadata(&error, "key"), Some(r#"["s",2]"#));
        let batch = json!({"keys": [key(1), key(2)]});
        refused(harness, "BatchGetDocuments", batch, Reason::CorruptRecord).await;
        assert_eq!(read_around(harness).await, ([0, 1, 3, 4, 9].to_vec(), 1));
        plant(harness, 9, json!({"newField": 1})).await;
        assert_eq!(read_around(harness).await, ([0, 1, 3, 4].to_vec(), 2));
        put(harness, 2, json!({"title": "repaired"})).await;
        assert_eq!(ok(harness, "GetDocument", key(2)).await["title"], "repaired");
        let gone = ok(harness, "DeleteDocument", key(9)).await;
        assert_eq!(gone["document"], key(9), "what cannot be read is left out");
        refused(harness, "GetDocument", key(9), Reason::RecordNotFound).await;
        put(harness, 9, json!({})).await;
    }
}

/// Reads all pages as the errors say: the numbers, and how many records were passed over.
async fn read_around(harness: &Harness) -> (Vec<u64>, usize) {
    let (mut found, mut passed, mut token) = (Vec::new(), 0, String::new());
    for _ in 0..20 {
        let request = json!({"shop": "s", "pageSize": 3, "pageToken": token});
        let next = match harness.call("ListDocuments", request).await {
            Ok(page) => {
                let documents = page["documents"].as_array().cloned().unwrap_or_default();
                assert!(!documents.is_empty());
                let number =
                    |it: &Json| it["number"].as_str().unwrap_or("0").parse::<u64>().unwrap();
                found.extend(documents.iter().map(number));
                page["nextPageToken"].as_str().unwrap_or_default().to_owned()
            }
            Err(error) => {
                assert_eq!(error.reason(), Reason::CorruptRecord);
                passed += 1;
                metadata(&error, "next_page_token").expect("where the list goes on").to_owned()
            }
        };
        match next.is_empty() {
            true => return (found, passed),
            false => token = next,
        }
    }
    panic!("pages without an end");
}

/// A write that keeps what cannot be read is refused, and changes nothing: it is not written back.
pub async fn json_newer_writes(harness: &Harness) {
    for (wide, what) in unreadable() {
        plant(harness, 1, wide).await;
        let update =
            json!({"document": with(key(1), json!({"title": "x"})), "updateMask": "title"});
        let error = refused(harness, "UpdateDocument", update, Reason::CorruptRecord).await;
        assert!(error.message().contains(what), "{error}");
        let wide = json!({"document": with(key(1), json!({"wide": {"flag": true}})),
            "updateMask": "wide"});
        let updated = ok(harness, "UpdateDocument", wide).await;
        assert_eq!(updated, with(key(1), json!({"wide": {"flag": true}})), "title was not written");
    }
}
