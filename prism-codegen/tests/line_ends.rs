//! A checkout whose line ends are CR LF: what is generated is the same, no migration counts as
//! edited, and what was applied from one checkout is known in the other.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCHEMA: &str = "\
// A thing,
// with two lines of comment.
syntax = \"proto3\";
package a;
import \"prism/options.proto\";

/* A comment
   of lines. */
message Thing {
  option (prism.message) = {namespace: \"things\"};
  // The key.
  // It is a text.
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
  Part part = 2;
}

message Part {
  string label = 1;
}
";

fn prism(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = prism(folder, arguments);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
    text
}

/// Every text below a folder.
fn texts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_text = |name: &str| {
            [".rs", ".sql", ".lock", ".proto", ".toml", ".md"].iter().any(|end| name.ends_with(end))
        };
        match path.is_dir() {
            true => found.extend(texts(&path)),
            false if is_text(path.to_str().unwrap()) => found.push(path),
            false => {}
        }
    }
    found
}

fn check_out(folder: &Path, line_end: &str) {
    for path in texts(folder) {
        let text = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
        fs::write(&path, text.replace('\n', line_end)).unwrap();
    }
}

const GENERATE: [&str; 4] = ["generate", "--out", "out", "schema.proto"];

#[test]
fn a_checkout_with_other_line_ends_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let status = |database: &str| {
        succeeds(root, &["migrate", "status", "--out", "out", "--database", database])
    };
    let apply = |database: &str| {
        succeeds(root, &["migrate", "apply", "--out", "out", "--database", database])
    };
    fs::write(root.join("schema.proto"), SCHEMA).unwrap();
    succeeds(root, &GENERATE);
    apply("lf.db");
    for (line_end, applied, other) in [("\r\n", "lf.db", "crlf.db"), ("\n", "crlf.db", "lf.db")] {
        check_out(root, line_end);
        succeeds(root, &[&GENERATE[..], &["--check"]].concat());
        let diff = succeeds(root, &["migrate", "diff", "--out", "out", "schema.proto"]);
        assert!(!diff.contains("wrote"), "{diff}");
        assert!(!status(applied).contains("edited"));
        apply(applied);
        apply(other);
        status(other);
    }
    // A change of the schema, and a rewriting copy, from a checkout with CR LF.
    let after =
        SCHEMA.replace("Part part = 2;", "Part part = 2 [(prism.field).storage = STORAGE_JSON];");
    fs::write(root.join("schema.proto"), after).unwrap();
    check_out(root, "\r\n");
    let accept = ["--accept", "change-storage:things.2"];
    let diff = ["migrate", "diff", "--out", "out", "schema.proto"];
    succeeds(root, &[&diff[..], &accept].concat());
    check_out(root, "\r\n");
    apply("crlf.db");
    check_out(root, "\n");
    status("crlf.db");
    apply("lf.db");
    succeeds(root, &GENERATE);
    succeeds(root, &[&GENERATE[..], &["--check"]].concat());
}

#[test]
fn an_edited_migration_is_still_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("schema.proto"), SCHEMA).unwrap();
    succeeds(root, &GENERATE);
    let apply = ["migrate", "apply", "--out", "out", "--database", "a.db"];
    succeeds(root, &apply);
    let path = root.join("out/migrations/sqlite/0001_initial.sql");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace('\n', "\r\n") + "-- edited\r\n").unwrap();
    let output = prism(root, &apply);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("edited"));
}
