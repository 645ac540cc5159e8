//! squawk, a linter of Postgres migrations, finds nothing in what Prism writes that is not
//! explained in place.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prism_acceptance::tools::{Tool, root};

/// The Postgres files of the cases of `migrate diff`, which their expected output holds.
fn of_cases(files: &mut BTreeMap<String, String>) {
    for case in fs::read_dir(root().join("prism-codegen/tests/evolution")).unwrap() {
        let case = case.unwrap();
        let Ok(text) = fs::read_to_string(case.path().join("expected.txt")) else { continue };
        let name = case.file_name().to_string_lossy().into_owned();
        for part in text.split("\n=== ").skip(1) {
            let (path, sql) = part.split_once('\n').unwrap();
            if let Some(file) = path.strip_prefix("migrations/postgres/") {
                files.insert(format!("{name}_{file}"), sql.to_owned());
            }
        }
    }
}

/// Those of generated crates.
fn of_crates(files: &mut BTreeMap<String, String>) {
    for (name, folder) in [
        ("demo", "generated"),
        ("types", "prism-codegen/tests/goldens/types/generated"),
        ("hostile", "prism-codegen/tests/goldens/hostile/generated"),
        ("own", "prism-runtime/migrate"),
    ] {
        for file in fs::read_dir(root().join(folder).join("migrations/postgres")).unwrap() {
            let path = file.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            files.insert(format!("{name}_{file}"), fs::read_to_string(&path).unwrap());
        }
    }
}

fn lint(squawk: &Path, files: &[PathBuf], in_transaction: bool) {
    assert!(!files.is_empty());
    let mut command = Command::new(squawk);
    command.args(["--reporter", "gcc", "--pg-version", "13.0"]);
    if in_transaction {
        command.arg("--assume-in-transaction");
    }
    let output = command.args(files).output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && found.trim().is_empty(), "{found}{errors}");
}

#[test]
fn squawk_finds_nothing_that_is_not_explained() {
    let Some(squawk) = Tool::Squawk.for_test() else { return };
    let mut files = BTreeMap::new();
    of_cases(&mut files);
    of_crates(&mut files);
    assert!(files.len() > 100, "{}", files.len());
    let folder = tempfile::tempdir().unwrap();
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for (name, sql) in files {
        let path = folder.path().join(name);
        fs::write(&path, &sql).unwrap();
        let list = if sql.starts_with("-- no-transaction") { &mut alone } else { &mut together };
        list.push(path);
    }
    lint(&squawk, &together, true);
    lint(&squawk, &alone, false);
    // It does look: what is explained would be found.
    let path = folder.path().join("bare.sql");
    fs::write(&path, "ALTER TABLE \"things\" DROP COLUMN \"name\";\n").unwrap();
    let output = Command::new(&squawk).args(["--reporter", "gcc"]).arg(path).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("ban-drop-column"), "{output:?}");
}
