//! Rewriting copies that are interrupted, and beside which the table is written to.
#![allow(clippy::unwrap_used)]

mod json;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::fs;

use prism_codegen::evolve::{History, MigrationFile};
use prism_migrate::Migration;
use prism_schema::sql::Dialect;

const BEFORE: &str = r#"
syntax = "proto3";
package a;
import "google/protobuf/wrappers.proto";
import "prism/options.proto";

message Thing {
  option (prism.message) = {namespace: "things"};
  string shop = 1 [(prism.field).index = INDEX_KIND_PARTITION_KEY];
  uint32 number = 2 [(prism.field).index = INDEX_KIND_CLUSTERING_KEY];
  Part part = 3;
  uint32 size = 4 [(prism.field).index = INDEX_KIND_SECONDARY];
}

message Part {
  string label = 1;
  google.protobuf.DoubleValue weight = 2;
}
"#;

/// What a record has: by key, the label and the size.
pub type Records = BTreeMap<(String, i64), (Option<String>, i64)>;

/// The migrations to a schema with wider numbers, also in the key, and JSON; how many of them lead
/// to the first one.
pub fn migrations(dialect: Dialect) -> (Vec<MigrationFile>, usize) {
    let after = BEFORE
        .replace("uint32", "uint64")
        .replace("part = 3", "part = 3 [(prism.field).storage = STORAGE_JSON]")
        .replace("label", "title");
    migrations_between(dialect, BEFORE, &after)
}

/// The migrations from one schema to another; how many of them lead to the first one.
pub fn migrations_between(
    dialect: Dialect,
    before: &str,
    after: &str,
) -> (Vec<MigrationFile>, usize) {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.proto");
    let builder = prism_codegen::configure()
        .whole_crate()
        .include(root.path())
        .out_dir(root.path().join("out"));
    let migrate = |schema: &str| {
        fs::write(&file, schema).unwrap();
        let plan = builder.migrate(std::slice::from_ref(&file), &[]).unwrap();
        let codes: Vec<String> = plan.diff.changes.iter().map(|change| change.code()).collect();
        let plan = builder.migrate(std::slice::from_ref(&file), &codes).unwrap();
        assert!(plan.diff.pending.is_empty());
        let history = History::read(&root.path().join("out")).unwrap();
        let of_dialect = history.migrations.into_iter().filter(|it| it.dialect == dialect);
        of_dialect.collect::<Vec<_>>()
    };
    let first = migrate(before).len();
    (migrate(after), first)
}

/// Files as the migrator takes them.
pub fn borrowed(files: &[MigrationFile]) -> Vec<Migration<'_>> {
    let mut migrations = Vec::new();
    for MigrationFile { version, description, sql, .. } in files {
        migrations.push(Migration { version: *version, description, sql });
    }
    migrations
}

/// The encoding of a part.
pub fn part(label: &str) -> Vec<u8> {
    let mut bytes = vec![0x0a, u8::try_from(label.len()).unwrap()];
    bytes.extend(label.as_bytes());
    bytes
}

/// The JSON of a part, as the new schema has it.
pub fn label(json: Option<String>) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&json?).unwrap();
    let fields = json.as_object().unwrap();
    assert!(fields.keys().all(|name| name == "title"), "{json}");
    Some(fields["title"].as_str().unwrap().to_owned())
}
