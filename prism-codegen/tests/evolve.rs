//! `schema.lock`: what counts as a change, and what a run does about one.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use prism_codegen::{Error, pipeline::Outcome};

const SCHEMA: &str = r#"
syntax = "proto3";
package a;
import "prism/options.proto";

message Thing {
  option (prism.message) = {namespace: "things"};
  reserved 20 to 25;
  reserved "old";

  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
  string name = 2;
  Part part = 3;
  Level level = 4;
}

message Part {
  string label = 1;
  Part inner = 2;
}

enum Level {
  LEVEL_UNSPECIFIED = 0;
  LEVEL_LOW = 1;
}
"#;

fn generate(root: &Path, schema: &str) -> Result<Outcome, Error> {
    let file = root.join("a.proto");
    fs::write(&file, schema).unwrap();
    prism_codegen::configure()
        .whole_crate()
        .include(root)
        .out_dir(root.join("out"))
        .generate(&[file])
}

/// Generates, changes the schema, and generates again.
fn change(from: &str, to: &str) -> Result<Outcome, String> {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), SCHEMA).unwrap();
    let changed = SCHEMA.replace(from, to);
    assert_ne!(changed, SCHEMA, "the change changes nothing");
    let lock = root.path().join("out/schema.lock");
    let before = fs::read(&lock).unwrap();
    let result = generate(root.path(), &changed).map_err(|error| error.to_string());
    assert!(fs::read(&lock).unwrap() == before, "only a migration may change the lock");
    result
}

#[test]
fn what_stored_data_does_not_depend_on_is_no_change() {
    change("message Part {", "// A comment.\nmessage Part {").unwrap();
    change("Part", "Piece").unwrap();
    change("message Thing", "message Object").unwrap();
    change("enum Level", "message Unused {}\nenum Level").unwrap();
    change("string label = 1;\n  Part inner = 2;", "Part inner = 2;\n  string label = 1;").unwrap();
}

#[test]
fn every_change_of_stored_data_is_named() {
    for (from, to, named) in [
        // Binary storage knows numbers, not names; the lock does, for what is new later.
        ("string label", "string title", "field title = 1: renamed from label"),
        ("LEVEL_LOW", "LEVEL_SMALL", "value LEVEL_LOW = 1: called LEVEL_SMALL now"),
        ("string name = 2;", "", "field name = 2: removed, and not reserved"),
        ("string name = 2;", "string title = 2;", "field title = 2: renamed from name"),
        ("string name = 2;", "bytes name = 2;", "field name = 2: its type was string and is bytes"),
        ("string name = 2;", "optional string name = 2;", "field name = 2: has presence now"),
        ("string name = 2;", "string name = 2; bool more = 5;", "field more = 5: added"),
        (
            "string name = 2;",
            "string name = 2 [(prism.field).index = INDEX_KIND_SECONDARY];",
            "index on name: added",
        ),
        (
            "namespace: \"things\"",
            "namespace: \"objects\"",
            "its namespace was things and is objects",
        ),
        (
            "string label = 1;",
            "int32 label = 1;",
            "field label = 1: its type was string and is int32",
        ),
        (
            "string label = 1;",
            "repeated string label = 1;",
            "field label = 1: its type was string and is repeated string",
        ),
        ("  LEVEL_LOW = 1;", "", "value LEVEL_LOW = 1: removed"),
        ("LEVEL_LOW = 1;", "LEVEL_LOW = 1; LEVEL_HIGH = 2;", "value LEVEL_HIGH = 2: added"),
        (
            "namespace: \"things\"",
            "namespace: \"things\" retention_days: 3",
            "retention_days was 0 and is 3",
        ),
    ] {
        let error = change(from, to).expect_err(to);
        assert!(error.contains("P0603") && error.contains("prism migrate diff"), "{error}");
        assert!(error.contains(named), "wanted `{named}`, got {error}");
        assert!(!error.contains("(1 changes)"), "{error}");
    }
}

#[test]
fn the_lock_remembers_what_is_reserved() {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), SCHEMA).unwrap();
    let lock = fs::read_to_string(root.path().join("out/schema.lock")).unwrap();
    let lock = prism_codegen::evolve::Lock::parse(&lock).unwrap();
    let thing = &lock.entities["things"];
    assert_eq!(thing.retired_names, ["old"]);
    assert_eq!(thing.retired_numbers, [(20, 25)]);
    assert_eq!(lock.messages["a.Part"].len(), 2);
}

/// Changes a schema and writes the migration.
fn migrate(root: &Path, schema: &str) -> Result<Vec<String>, String> {
    let file = root.join("a.proto");
    fs::write(&file, schema).unwrap();
    let builder = prism_codegen::configure().whole_crate().include(root).out_dir(root.join("out"));
    let accepted: Vec<String> = match builder.migrate(std::slice::from_ref(&file), &[]) {
        Ok(plan) => plan.diff.changes.iter().map(|change| change.code()).collect(),
        Err(error) => return Err(error.to_string()),
    };
    let plan = builder.migrate(&[file], &accepted).map_err(|error| error.to_string())?;
    assert!(plan.diff.pending.is_empty());
    Ok(plan.diff.changes.iter().map(|change| change.cause.clone()).collect())
}

#[test]
fn what_was_used_stays_retired_over_later_migrations() {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), SCHEMA).unwrap();
    let removed = SCHEMA
        .replace("  string name = 2;\n", "")
        .replace("reserved \"old\";", "reserved 2;\n  reserved \"old\", \"name\";")
        .replace("string label = 1;", "reserved 1;\n  reserved \"label\";")
        .replace("  LEVEL_LOW = 1;", "  reserved 1;")
        .replace("Part", "Piece");
    migrate(root.path(), &removed).unwrap();
    // The lines may go: the lock remembers, also under another name of the message.
    let cleared = removed
        .replace("  reserved 2;\n  reserved \"old\", \"name\";\n", "")
        .replace("  reserved 20 to 25;\n", "")
        .replace("reserved 1;\n  reserved \"label\";\n", "")
        .replace("  reserved 1;", "")
        .replace("Piece", "Part");
    assert_eq!(migrate(root.path(), &cleared).unwrap(), Vec::<String>::new());
    generate(root.path(), &cleared).unwrap();
    for (from, to) in [
        ("Part part = 3;", "Part part = 3; bool again = 2;"),
        ("Part part = 3;", "Part part = 3; bool again = 22;"),
        ("Part part = 3;", "Part part = 3; bool name = 7;"),
        ("Part part = 3;", "Part part = 3; bool old = 7;"),
        ("Part inner = 2;", "Part inner = 2; string again = 1;"),
        ("Part inner = 2;", "Part inner = 2; string label = 3;"),
        ("LEVEL_UNSPECIFIED = 0;", "LEVEL_UNSPECIFIED = 0; LEVEL_AGAIN = 1;"),
    ] {
        let reused = cleared.replace(from, to);
        assert_ne!(reused, cleared, "{from}");
        let error = migrate(root.path(), &reused).expect_err(to);
        assert!(error.contains("P0608") && error.contains("before") || error.contains("belonged"));
    }
}

#[test]
fn a_run_that_broke_off_is_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    generate(root.path(), SCHEMA).unwrap();
    let lock = out.join("schema.lock");
    let before = fs::read(&lock).unwrap();
    let changed = SCHEMA.replace(
        "string name = 2;",
        "string name = 2 [(prism.field).index = INDEX_KIND_SECONDARY];",
    );
    migrate(root.path(), &changed).unwrap();
    let after = fs::read(&lock).unwrap();
    let last = out.join("migrations/postgres/0004_index_things.sql");
    let first = out.join("migrations/postgres/0003_index_things.sql");
    // It had written the first file of several, and not the lock.
    fs::write(&lock, &before).unwrap();
    let text = fs::read_to_string(&last).unwrap();
    fs::remove_file(&last).unwrap();
    let error = generate(root.path(), SCHEMA).unwrap_err().to_string();
    assert!(error.contains("P0610") && error.contains("0002_change_things.sql"), "{error}");
    migrate(root.path(), &changed).unwrap();
    assert!(fs::read(&lock).unwrap() == after && fs::read_to_string(&last).unwrap() == text);
    // What does not lead to the schema any more is named.
    let planned = fs::read_to_string(&first).unwrap();
    fs::write(&lock, &before).unwrap();
    fs::write(&first, format!("{planned}-- another\n")).unwrap();
    let error = migrate(root.path(), &changed).unwrap_err();
    assert!(error.contains("P0610") && error.contains("0003_index_things.sql"), "{error}");
    // A migration that was written by hand is the user's own.
    fs::write(&lock, &after).unwrap();
    fs::write(&first, &planned).unwrap();
    fs::write(out.join("migrations/postgres/0005_own.sql"), "SELECT 1;\n").unwrap();
    assert_eq!(migrate(root.path(), &changed).unwrap(), Vec::<String>::new());
    generate(root.path(), &changed).unwrap();
    // The lock is newer than what is there.
    fs::remove_file(out.join("migrations/postgres/0005_own.sql")).unwrap();
    assert!(generate(root.path(), &changed).unwrap_err().to_string().contains("P0607"));
}

#[test]
fn a_damaged_history_is_refused() {
    let root = tempfile::tempdir().unwrap();
    generate(root.path(), SCHEMA).unwrap();
    let lock = root.path().join("out/schema.lock");
    let text = fs::read_to_string(&lock).unwrap();

    fs::write(&lock, "{}").unwrap();
    assert!(generate(root.path(), SCHEMA).unwrap_err().to_string().contains("P0601"));
    fs::remove_file(&lock).unwrap();
    assert!(generate(root.path(), SCHEMA).unwrap_err().to_string().contains("P0602"));
    fs::write(&lock, text).unwrap();
    fs::remove_file(root.path().join("out/migrations/postgres/0001_initial.sql")).unwrap();
    assert!(generate(root.path(), SCHEMA).unwrap_err().to_string().contains("P0607"));
}

#[test]
fn a_file_that_prism_did_not_write_is_not_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let manifest = root.path().join("out/Cargo.toml");
    fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    fs::write(&manifest, "[package]\n").unwrap();
    let error = generate(root.path(), SCHEMA).unwrap_err().to_string();
    assert!(error.contains("P0604") && error.contains("Cargo.toml"), "{error}");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), "[package]\n");
    assert!(!root.path().join("out/src").exists(), "nothing else is written either");
}
