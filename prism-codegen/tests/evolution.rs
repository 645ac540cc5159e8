//! Schema changes, one folder a case in `tests/evolution`: `before.proto`, `after.proto`, and
//! `expected.txt` with the exit code, what the user is told, and the migrations of both
//! dialects. After a change that is meant:
//!
//! ```text
//! PRISM_BLESS=1 cargo test -p prism-codegen --test evolution
//! ```
//!
//! Lines of `after.proto` that begin with `// accept: ` are codes for a second run, whose
//! migrations are the expected ones.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use prism_codegen::evolve::change::Kind;

const CASES: &str = "tests/evolution";

fn prism(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

/// The lock and the migrations below a folder.
fn tree(root: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".sql") || name == "schema.lock" {
                files.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(root, root, &mut files);
    files
}

/// Runs `migrate diff` and reports: exit code, findings, files.
fn report(root: &Path, accepted: &[&str]) -> (i32, String) {
    let history = root.join("out");
    let before = tree(&history);
    let mut arguments = vec!["migrate", "diff", "--out", "out", "schema.proto"];
    accepted.iter().for_each(|code| arguments.extend(["--accept", code]));
    let output = prism(root, &arguments);
    let code = output.status.code().unwrap();
    let mut text = "$ prism migrate diff".to_owned();
    accepted.iter().for_each(|code| write!(text, " --accept {code}").unwrap());
    writeln!(text, "\nexit code {code}").unwrap();
    text += &String::from_utf8(output.stderr).unwrap();
    let after = tree(&history);
    for (path, contents) in after.iter().filter(|(path, _)| path.ends_with(".sql")) {
        match before.get(path) {
            Some(old) => assert_eq!(old, contents, "{path} was there before"),
            None => write!(text, "\n=== {path}\n{contents}").unwrap(),
        }
    }
    if code == 0 {
        let generate = prism(root, &["generate", "--out", "out", "schema.proto"]);
        assert_eq!(generate.status.code(), Some(0), "{generate:?}");
        let again = prism(root, &["migrate", "diff", "--out", "out", "schema.proto"]);
        assert_eq!(again.status.code(), Some(0), "{again:?}");
        let again = String::from_utf8(again.stderr).unwrap();
        assert!(!again.contains("wrote"), "a second run finds changes: {again}");
    } else {
        assert!(before == after, "nothing is written without acceptance");
    }
    (code, text)
}

fn run(case: &Path) -> String {
    let root = tempfile::tempdir().unwrap();
    let schema = root.path().join("schema.proto");
    fs::copy(case.join("before.proto"), &schema).unwrap();
    let first = prism(root.path(), &["migrate", "diff", "--out", "out", "schema.proto"]);
    assert_eq!(first.status.code(), Some(0), "{}: {first:?}", case.display());
    let after = fs::read_to_string(case.join("after.proto")).unwrap();
    fs::write(&schema, &after).unwrap();
    let changed = prism(root.path(), &["generate", "--out", "out", "schema.proto"]);
    if changed.status.code() != Some(0) {
        let text = String::from_utf8(changed.stderr).unwrap();
        assert!(text.contains("P0603") && text.contains("prism migrate diff"), "{text}");
    }
    let (code, mut text) = report(root.path(), &[]);
    let accepted: Vec<&str> =
        after.lines().filter_map(|line| line.strip_prefix("// accept: ")).collect();
    assert_eq!(code == 2, !accepted.is_empty(), "{}: {text}", case.display());
    if code == 2 {
        for code in &accepted {
            assert!(text.contains(&format!("--accept {code}")), "{code}: {text}");
        }
        let (code, accepted) = report(root.path(), &accepted);
        assert_eq!(code, 0, "{accepted}");
        text = text + "\n" + &accepted;
    }
    text
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    cases.sort();
    cases
}

#[test]
fn every_change_is_met_as_expected() {
    let bless = std::env::var_os("PRISM_BLESS").is_some();
    let mut failures = Vec::new();
    for case in cases() {
        let text = run(&case);
        let expected = case.join("expected.txt");
        if bless {
            fs::write(&expected, &text).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != text {
            failures.push(format!("{}:\n{text}", case.display()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_code_that_can_be_accepted_is_in_a_case() {
    let confirmed = [
        Kind::EntityRemoved,
        Kind::BackendChanged,
        Kind::FieldRemoved,
        Kind::EncodingChanged,
        Kind::PresenceRemoved,
        Kind::OneofChanged,
        Kind::StorageChanged,
        Kind::FieldRenamed,
        Kind::ValueRenamed,
        Kind::ManagementChanged,
        Kind::UniqueAdded,
        Kind::ValueRemoved,
    ];
    let all: String =
        cases().iter().map(|case| fs::read_to_string(case.join("expected.txt")).unwrap()).collect();
    let missing: BTreeSet<&str> = confirmed
        .iter()
        .map(|kind| kind.code())
        .filter(|code| !all.contains(&format!("-- accepted: {code}:")))
        .collect();
    assert_eq!(missing, BTreeSet::new());
}
