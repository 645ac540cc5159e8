//! Random schemas, one after the other: a database that has gone through the migrations is one
//! that was made for the last schema, and has every row. `PROPTEST_CASES` sets how many chains.
#![allow(clippy::unwrap_used)]

mod database;
mod part;
mod postgres;
mod schema;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use prism_codegen::evolve::{History, Level, Lock};
use prism_codegen::pipeline::Migrated;
use proptest::prelude::*;
use rusqlite::types::Value;

use database::{Database, Rows};
use postgres::Postgres;
use schema::{Field, Index, Kind, REFUSED, Schema};
use sqlite::Sqlite;

const STEPS: usize = 5;
/// All ways of changing a schema.
const WAYS: u8 = 19;

/// One change: the way, where, and of which type.
type Change = (u8, usize, usize);

fn migrate(root: &Path, schema: &Schema, accepted: &[String]) -> Result<Migrated, String> {
    let file = root.join("a.proto");
    fs::write(&file, schema.render()).unwrap();
    prism_codegen::configure()
        .whole_crate()
        .include(root)
        .out_dir(root.join("out"))
        .migrate(&[file], accepted)
        .map_err(|error| error.to_string())
}

fn history(root: &Path) -> (Option<String>, BTreeMap<String, String>) {
    let history = History::read(&root.join("out")).unwrap();
    let files = history.migrations.into_iter().map(|file| (file.path(), file.sql)).collect();
    (history.lock, files)
}

/// Runs the migrations that are not in `applied`; the first that stops stops it.
fn apply<D: Database>(
    database: &D,
    root: &Path,
    applied: &mut BTreeSet<String>,
) -> Result<(), String> {
    for (path, sql) in history(root).1 {
        if path.contains(D::FOLDER) && !applied.contains(&path) {
            database.apply(&sql).map_err(|error| format!("{error}\n{path}:\n{sql}"))?;
            applied.insert(path);
        }
    }
    Ok(())
}

fn zero(field: &Field) -> Value {
    match field.kind {
        Kind::Tags if field.json => Value::Text("[]".to_owned()),
        Kind::Part if field.json => Value::Text("{}".to_owned()),
        Kind::Text => Value::Text(String::new()),
        Kind::Bytes | Kind::Tags | Kind::Part => Value::Blob(Vec::new()),
        Kind::Uint64 => Value::Integer(i64::MIN),
        Kind::Double => Value::Real(0.0),
        _ => Value::Integer(0),
    }
}

fn value(schema: &Schema, field: &Field, seed: u8) -> Value {
    let number = i64::from(seed);
    match field.kind {
        Kind::Text => Value::Text(format!("text {seed}")),
        Kind::Bytes => Value::Blob(vec![seed, 0]),
        Kind::Bool => Value::Integer(number % 2),
        Kind::Uint32 => Value::Integer(4_294_967_295 - number),
        Kind::Uint64 => Value::Integer(i64::MAX - number),
        Kind::Double => Value::Real(f64::from(seed) + 0.5),
        Kind::Level => Value::Integer(number % 3),
        Kind::Part | Kind::Tags => {
            let text = char::from(b'a' + seed % 26).to_string();
            let values = &schema.values;
            let level = values[usize::from(seed) % values.len()].0 * u32::from(seed % 3);
            let level = values.iter().find(|(number, _)| *number == level).map_or(0, |it| it.0);
            part::encode(schema, field, &(Some(text), level))
        }
        _ => Value::Integer(-number),
    }
}

/// Adds rows with values of every kind: zeros, absent ones, others; of a oneof at most one, and
/// no two equal ones in a unique index.
fn fill<D: Database>(database: &D, schema: &Schema, seeds: &[u8], step: usize) {
    for (position, &seed) in seeds.iter().enumerate() {
        let mut values = BTreeMap::new();
        let mut chosen = false;
        for field in &schema.fields {
            let mixed = seed.wrapping_mul(31).wrapping_add((field.number * 7) as u8);
            let stored = match mixed % 4 {
                0 if field.nullable() => Value::Null,
                1 => zero(field),
                _ => value(schema, field, mixed),
            };
            let stored = if field.oneof && chosen { Value::Null } else { stored };
            chosen |= field.oneof && stored != Value::Null;
            values.insert(field.name.clone(), stored);
        }
        if schema.retention {
            values.insert("_prism_written_at".to_owned(), Value::Integer(1));
        }
        database.insert("things", &format!("{step}.{position}"), &values);
    }
}

/// What a stored value is after a change of its field.
fn moved(schemas: (&Schema, &Schema), old: &Field, new: &Field, value: Value) -> Value {
    let value = match value {
        Value::Null if !new.nullable() => zero(old),
        value if new.oneof && !old.oneof && !old.nullable() && value == zero(old) => Value::Null,
        value => value,
    };
    match (old.kind, new.kind, value) {
        (Kind::Uint32, Kind::Uint64, Value::Integer(number)) => Value::Integer(number + i64::MIN),
        (Kind::Part | Kind::Tags, _, value) if value != Value::Null => {
            part::encode(schemas.1, new, &part::decode(schemas.0, old, &value))
        }
        (_, _, value) => value,
    }
}

/// The rows as they have to be after the migration.
fn expected(old: &Schema, new: &Schema, rows: &Rows) -> Rows {
    let of = |row: &BTreeMap<String, Value>| {
        let mut values = BTreeMap::from([("id".to_owned(), row["id"].clone())]);
        for field in &new.fields {
            let before = old.fields.iter().find(|other| other.number == field.number);
            let stored = match before {
                Some(before) => moved((old, new), before, field, row[&before.name].clone()),
                None if field.nullable() => Value::Null,
                None => zero(field),
            };
            values.insert(field.name.clone(), stored);
        }
        values
    };
    rows.iter().map(|(key, row)| (key.clone(), of(row))).collect()
}

/// Whether rows break what the schema asks for, so that the migration has to stop.
fn breaks(new: &Schema, rows: &Rows) -> bool {
    let deleted = new.fields.iter().find(|field| field.deleted);
    let live = |row: &&BTreeMap<String, Value>| {
        deleted.is_none_or(|field| row[&field.name] == Value::Null)
    };
    let twice = new.fields.iter().filter(|field| field.index == Index::Unique).any(|field| {
        let values = rows.values().filter(live).map(|row| &row[&field.name]);
        let values: Vec<String> =
            values.filter(|it| **it != Value::Null).map(|value| format!("{value:?}")).collect();
        values.iter().collect::<BTreeSet<_>>().len() < values.len()
    });
    let members = || new.fields.iter().filter(|field| field.oneof);
    let set = |row: &BTreeMap<String, Value>| {
        members().filter(|field| row[&field.name] != Value::Null).count()
    };
    twice || rows.values().any(|row| set(row) > 1)
}

fn compare<D: Database>(database: &D, old: &Schema, new: &Schema, before: &Rows) {
    let fresh_root = tempfile::tempdir().unwrap();
    migrate(fresh_root.path(), new, &[]).unwrap();
    let fresh = D::create().unwrap();
    apply(&fresh, fresh_root.path(), &mut BTreeSet::new()).unwrap();
    assert_eq!(database.describe(), fresh.describe(), "the tables differ from fresh ones");
    let lock = Lock::parse(&history(fresh_root.path()).0.unwrap()).unwrap();
    let entities: Vec<_> = lock.entities.values().map(|entity| &entity.schema).collect();
    let mut differences = database.verify(&entities);
    // Prism's own tables are not made here.
    differences.retain(|it| it.table == "things");
    assert_eq!(differences, [], "the tables differ from the model");

    let mut found = database.rows("things");
    for row in found.values_mut() {
        assert_ne!(row.remove("_prism_written_at"), Some(Value::Null));
    }
    assert_eq!(found, expected(old, new, before), "the rows differ");
}

/// Goes through a chain of changes; how many were migrated, and how many stopped or refused.
/// `None` where there is no database.
fn chain<D: Database>(changes: &[Vec<Change>], seeds: &[u8]) -> Option<(usize, usize)> {
    let database = D::create()?;
    let root = tempfile::tempdir().unwrap();
    let mut applied = BTreeSet::new();
    let mut schema = Schema::new();
    schema.add(Kind::Text, false);
    schema.add(Kind::Uint32, true);
    migrate(root.path(), &schema, &[]).unwrap();
    apply(&database, root.path(), &mut applied).unwrap();
    let (mut migrated, mut stopped) = (0, 0);
    for (step, changes) in changes.iter().enumerate() {
        fill(&database, &schema, seeds, step);
        let mut next = schema.clone();
        let made: Vec<u8> = changes
            .iter()
            .filter(|(way, at, kind)| next.change(*way, *at, *kind))
            .map(|change| change.0)
            .collect();
        let files = history(root.path());
        let plan = match migrate(root.path(), &next, &[]) {
            Err(error) => {
                assert!(error.contains("P0608"), "{error}\n{}", next.render());
                assert_eq!(history(root.path()), files, "an error writes nothing");
                stopped += 1;
                continue;
            }
            Ok(plan) => plan,
        };
        assert!(made.iter().all(|way| *way < REFUSED), "not refused: {}", next.render());
        let confirmed = plan.diff.changes.iter().filter(|change| change.level == Level::Confirm);
        let codes: Vec<String> = confirmed.map(|change| change.code()).collect();
        assert_eq!(plan.diff.pending.is_empty(), codes.is_empty());
        if !codes.is_empty() {
            assert_eq!(history(root.path()), files, "nothing is written without acceptance");
            let plan = migrate(root.path(), &next, &codes).unwrap();
            assert!(plan.diff.pending.is_empty() && plan.diff.unused.is_empty());
        }
        let again = migrate(root.path(), &next, &[]).unwrap();
        assert!(again.diff.changes.is_empty() && again.changed.is_empty());

        let before = database.rows("things");
        let broken = breaks(&next, &expected(&schema, &next, &before));
        match apply(&database, root.path(), &mut applied) {
            Ok(()) => assert!(!broken, "rows that break the schema went through"),
            Err(error) => {
                assert!(broken, "{error}\nfrom\n{}\nto\n{}", schema.render(), next.render());
                assert_eq!(database.rows("things"), before, "a stopped migration changes nothing");
                return Some((migrated, stopped + 1));
            }
        }
        compare(&database, &schema, &next, &before);
        schema = next;
        migrated += 1;
    }
    Some((migrated, stopped))
}

/// As many cases as asked for, else so many.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig {
        cases: asked.and_then(|it| it.parse().ok()).unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Changes of a step.
fn step() -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec((0..REFUSED, 0..1000_usize, 0..12_usize), 1..5)
}

fn seeds() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..6)
}

proptest! {
    #![proptest_config(config(25))]

    #[test]
    fn migrations_lead_to_the_schema_and_lose_no_row_on_sqlite(
        changes in prop::collection::vec(step(), 1..=STEPS),
        seeds in seeds(),
    ) {
        chain::<Sqlite>(&changes, &seeds);
    }

    #[test]
    fn what_no_migration_can_do_is_refused_on_sqlite(
        first in step(),
        refused in (REFUSED..WAYS, 0..1000_usize, 0..12_usize),
        seeds in seeds(),
    ) {
        chain::<Sqlite>(&[first, vec![refused]], &seeds);
    }
}

proptest! {
    #![proptest_config(config(10))]

    #[test]
    fn migrations_lead_to_the_schema_and_lose_no_row_on_postgres(
        changes in prop::collection::vec(step(), 1..=STEPS),
        seeds in seeds(),
    ) {
        chain::<Postgres>(&changes, &seeds);
    }
}

/// Every way of changing a schema, for these types: none is left out by chance.
fn every_way<D: Database>(kinds: impl Fn(u8) -> Vec<usize>) {
    for way in 0..REFUSED {
        let kinds = kinds(way);
        let changes = kinds.iter().map(|&kind| [vec![(0, kind, kind)], vec![(way, 2, kind)]]);
        let ends: Vec<_> = changes.filter_map(|changes| chain::<D>(&changes, &[3, 77])).collect();
        let migrated: usize = ends.iter().map(|(migrated, _)| migrated).sum();
        assert!(ends.is_empty() || migrated > kinds.len(), "way {way}: {migrated}");
    }
}

#[test]
fn every_way_of_changing_a_schema_is_migrated_on_sqlite() {
    // A third of the types for each way, and what may be stored as JSON.
    every_way::<Sqlite>(|way| {
        (0..12).filter(|kind| *kind > 9 || kind % 3 == usize::from(way) % 3).collect()
    });
}

#[test]
fn every_way_of_changing_a_schema_is_migrated_on_postgres() {
    // A scalar, and what may be stored as JSON: the other scalars are changed by the same steps.
    every_way::<Postgres>(|way| vec![usize::from(way) % 10, 10, 11]);
}
