//! Random schemas, one after the other, served: every record that was put under one schema is read
//! through the service of each later one. `PROPTEST_CASES` sets how many chains.
#![allow(clippy::unwrap_used)]

#[path = "../../../prism-codegen/tests/migrations/schema.rs"]
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use prism_acceptance::dynamic::{Project, Serving, Version, service};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tonic::Code;

use schema::{Field, Index, Kind, REFUSED, Schema};

const STEPS: usize = 5;

/// One change: the way, where, and of which type.
type Change = (u8, usize, usize);

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Flag(bool),
    Number(i64),
    Double(f64),
    /// Seconds since 1970.
    Time(i64),
    Level(u32),
    Part(String, u32),
    Tags(Vec<String>),
}

/// A record: what its fields hold, by number. `None`: absent.
type Record = BTreeMap<u32, Option<Content>>;

fn zero(kind: Kind) -> Content {
    match kind {
        Kind::Text | Kind::Bytes => Content::Text(String::new()),
        Kind::Bool => Content::Flag(false),
        Kind::Double => Content::Double(0.0),
        Kind::Time => Content::Time(0),
        Kind::Level => Content::Level(0),
        Kind::Part => Content::Part(String::new(), 0),
        Kind::Tags => Content::Tags(Vec::new()),
        _ => Content::Number(0),
    }
}

fn content(schema: &Schema, kind: Kind, seed: u8) -> Content {
    let level = || schema.values[usize::from(seed) % schema.values.len()].0;
    match kind {
        Kind::Text => Content::Text(format!("text {seed}")),
        // Four letters are base64 of three bytes.
        Kind::Bytes => Content::Text(format!("AA{:02}", seed % 100)),
        Kind::Bool => Content::Flag(seed.is_multiple_of(2)),
        Kind::Uint32 => Content::Number(4_294_967_295 - i64::from(seed)),
        Kind::Uint64 => Content::Number(i64::MAX - i64::from(seed)),
        Kind::Double => Content::Double(f64::from(seed) + 0.5),
        Kind::Time => Content::Time(i64::from(seed)),
        Kind::Level => Content::Level(level()),
        Kind::Part => Content::Part(format!("part {seed}"), level()),
        Kind::Tags => Content::Tags(vec![format!("tag {seed}"), String::new()]),
        Kind::Int32 | Kind::Int64 => Content::Number(-i64::from(seed)),
    }
}

/// An enum's value in JSON.
fn level(schema: &Schema, number: u32) -> Value {
    let named = schema.values.iter().find(|(other, _)| *other == number);
    match (number, named) {
        (0, _) => "LEVEL_UNSPECIFIED".into(),
        (_, Some((_, name))) => name.as_str().into(),
        (_, None) => number.into(),
    }
}

/// What a field is in protobuf's JSON; `None` where it is left out.
fn field_json(schema: &Schema, field: &Field, content: &Content) -> Option<Value> {
    if !field.nullable() && *content == zero(field.kind) {
        return None;
    }
    Some(match content {
        Content::Text(text) => text.as_str().into(),
        Content::Flag(flag) => (*flag).into(),
        Content::Number(number) if matches!(field.kind, Kind::Int64 | Kind::Uint64) => {
            number.to_string().into()
        }
        Content::Number(number) => (*number).into(),
        Content::Double(number) => (*number).into(),
        Content::Time(seconds) => {
            format!("1970-01-01T00:{:02}:{:02}Z", seconds / 60, seconds % 60).into()
        }
        Content::Level(number) => level(schema, *number),
        Content::Part(text, number) => {
            let mut part = Map::new();
            if !text.is_empty() {
                part.insert(schema.nested[0].1.clone(), text.as_str().into());
            }
            if *number > 0 {
                part.insert("level".to_owned(), level(schema, *number));
            }
            Value::Object(part)
        }
        Content::Tags(tags) => json!(tags),
    })
}

fn record_json(schema: &Schema, id: &str, record: &Record) -> Value {
    let mut fields = Map::from_iter([("id".to_owned(), id.into())]);
    for field in &schema.fields {
        let held = record[&field.number].as_ref();
        let json = held.and_then(|content| field_json(schema, field, content));
        fields.extend(json.map(|json| (field.name.clone(), json)));
    }
    Value::Object(fields)
}

fn new_record(schema: &Schema, seed: u8) -> Record {
    let mut chosen = false;
    let mut record = Record::new();
    for field in &schema.fields {
        let mixed = seed.wrapping_mul(31).wrapping_add((field.number * 7) as u8);
        let held = match mixed % 4 {
            // What the server sets is no client's.
            _ if field.deleted || field.oneof && chosen => None,
            0 if field.nullable() => None,
            1 => Some(zero(field.kind)),
            _ => Some(content(schema, field.kind, mixed)),
        };
        chosen |= field.oneof && held.is_some();
        record.insert(field.number, held);
    }
    record
}

/// A record after a change of the schema.
fn moved(old: &Schema, new: &Schema, record: &Record) -> Record {
    let of = |field: &Field| {
        let before = old.fields.iter().find(|other| other.number == field.number);
        let Some(before) = before else {
            return (!field.nullable()).then(|| zero(field.kind));
        };
        match record[&field.number].clone() {
            None => (!field.nullable()).then(|| zero(field.kind)),
            Some(held) if field.oneof && !before.nullable() && held == zero(before.kind) => None,
            held => held,
        }
    };
    new.fields.iter().map(|field| (field.number, of(field))).collect()
}

/// Whether records break what a schema asks for, so that its migration has to stop.
fn breaks(schema: &Schema, records: &BTreeMap<String, Record>) -> bool {
    let twice = |field: &&Field| {
        let held = records.values().filter_map(|record| record[&field.number].as_ref());
        let held: Vec<String> = held.map(|content| format!("{content:?}")).collect();
        held.iter().collect::<BTreeSet<_>>().len() < held.len()
    };
    let members = || schema.fields.iter().filter(|field| field.oneof);
    let set = |record: &Record| members().filter(|it| record[&it.number].is_some()).count() > 1;
    schema.fields.iter().filter(|field| field.index == Index::Unique).any(|field| twice(&field))
        || records.values().any(set)
}

fn proto(schema: &Schema) -> String {
    let imports = "import \"google/protobuf/field_mask.proto\";\nimport \"prism/options.proto\";";
    schema.render().replacen("import \"prism/options.proto\";", imports, 1)
        + &service("Thing", "Things", "")
}

/// The version of a schema, accepting what has to be; `None` where no migration leads to it.
fn next(project: &Project, schema: &Schema) -> Option<Version> {
    let error = match project.next(&proto(schema), &[]) {
        Ok(version) => return Some(version),
        Err(error) => error,
    };
    if error.contains("P0608") {
        return None;
    }
    assert!(error.contains("P0609"), "{error}");
    let codes = error.split("--accept ").skip(1);
    let codes: Vec<String> =
        codes.filter_map(|rest| rest.split_whitespace().next().map(str::to_owned)).collect();
    Some(project.next(&proto(schema), &codes).unwrap())
}

/// Puts records; those that break a unique index are refused.
async fn put(
    serving: &Serving,
    schema: &Schema,
    records: &mut BTreeMap<String, Record>,
    (step, seeds): (usize, &[u8]),
) {
    for (position, seed) in seeds.iter().enumerate() {
        let (id, record) = (format!("{step}.{position}"), new_record(schema, *seed));
        let request = json!({"thing": record_json(schema, &id, &record)});
        match serving.call("PutThing", request).await {
            Ok(_) => drop(records.insert(id, record)),
            Err(status) => assert_eq!(status.code(), Code::AlreadyExists, "{status:?}"),
        }
    }
}

async fn compare(serving: &Serving, schema: &Schema, records: &BTreeMap<String, Record>) {
    let mut wanted = Vec::new();
    for (id, record) in records {
        let expected = record_json(schema, id, record);
        let found = serving.call("GetThing", json!({"id": id})).await.unwrap();
        assert_eq!(found, expected, "{}", schema.render());
        wanted.push(expected);
    }
    let page = serving.call("ListThings", json!({})).await.unwrap();
    let found = page.get("things").and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(found, wanted, "in the order of keys");
}

/// Goes through a chain of changes on one database.
async fn chain(database: &str, changes: &[Vec<Change>], seeds: &[u8]) {
    let project = Project::new().unwrap();
    let mut schema = Schema::new();
    schema.add(Kind::Text, false);
    schema.add(Kind::Uint32, true);
    let mut version = next(&project, &schema).unwrap();
    let mut records = BTreeMap::new();
    for (step, changes) in changes.iter().enumerate() {
        let serving = version.serve(database).await.unwrap();
        put(&serving, &schema, &mut records, (step, seeds)).await;
        compare(&serving, &schema, &records).await;
        serving.stop().await;
        let mut changed = schema.clone();
        for (way, at, kind) in changes {
            changed.change(*way, *at, *kind);
        }
        let Some(following) = next(&project, &changed) else { continue };
        let after: BTreeMap<String, Record> = records
            .iter()
            .map(|(id, record)| (id.clone(), moved(&schema, &changed, record)))
            .collect();
        if breaks(&changed, &after) {
            let refused = following.serve(database).await.err().unwrap();
            assert!(refused.contains("two "), "{refused}");
            return;
        }
        (schema, version, records) = (changed, following, after);
    }
    let serving = version.serve(database).await.unwrap();
    compare(&serving, &schema, &records).await;
    serving.stop().await;
}

fn run(chain: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap().block_on(chain);
}

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|it| it.parse().ok()).unwrap_or(8),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn changes() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let step = prop::collection::vec((0..REFUSED, 0..1000_usize, 0..12_usize), 1..5);
    prop::collection::vec(step, 1..=STEPS)
}

fn seeds() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..6)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_value_is_read_through_later_services_on_sqlite(
        changes in changes(),
        seeds in seeds(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        run(chain(folder.path().join("test.db").to_str().unwrap(), &changes, &seeds));
    }

    #[test]
    fn every_value_is_read_through_later_services_on_postgres(
        changes in changes(),
        seeds in seeds(),
    ) {
        let Some(database) = prism_postgres::for_test() else { return Ok(()) };
        run(chain(&database.url(), &changes, &seeds));
    }
}
