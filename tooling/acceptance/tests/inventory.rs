//! `examples/inventory` as somebody else's crate: in a workspace of its own, without protoc.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use prism_acceptance::tools::{cargo, root};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Checks the example from another folder than its own, and says what cargo did.
fn check(workspace: &Path, root: &Path) -> String {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let output: Output = cargo()
        .args(["check", "--verbose", "--color", "never", "--manifest-path"])
        .arg(workspace.join("inventory/Cargo.toml"))
        .current_dir(std::env::temp_dir())
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("PROTOC", "/does/not/exist")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

fn is_fresh(said: &str) -> bool {
    let line = said.lines().find(|line| line.contains(" inventory v")).unwrap();
    line.trim_start().starts_with("Fresh")
}

#[test]
fn it_builds_in_a_foreign_workspace_and_only_when_it_must() {
    let root = root().canonicalize().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let workspace = scratch.path();
    copy(&root.join("examples/inventory"), &workspace.join("inventory"));
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"inventory\"]\n";
    fs::write(workspace.join("Cargo.toml"), members).unwrap();
    fs::copy(root.join("Cargo.lock"), workspace.join("Cargo.lock")).unwrap();
    let manifest = workspace.join("inventory/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("../..", root.to_str().unwrap())).unwrap();

    assert!(!is_fresh(&check(workspace, &root)));
    let again = check(workspace, &root);
    assert!(is_fresh(&again), "a build without a change has run something: {again}");

    let proto = workspace.join("inventory/proto/inventory/v1/inventory.proto");
    let later = SystemTime::now() + Duration::from_secs(2);
    fs::File::options().append(true).open(&proto).unwrap().set_modified(later).unwrap();
    assert!(!is_fresh(&check(workspace, &root)), "a change of the schema was not seen");
}
