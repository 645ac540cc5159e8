//! The benchmark runs and judges; what it measures here means nothing.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn every_in_binary_arm_answers_and_is_judged() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_prism-bench"))
        .args(["echo", "get", "put", "--rounds", "1", "--window", "50", "--rows", "200"])
        .args(["--connections", "2", "--in-flight", "4", "--directory"])
        .arg(directory.path())
        .output()
        .unwrap();
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for goal in [
        "Prism echo / stock tonic echo",
        "SQLite Get / Prism echo",
        "SQLite Get / naive sqlx Get",
        "SQLite durable Put / autocommit",
    ] {
        assert!(printed.contains(goal), "no {goal} in {printed}{errors}");
    }
    assert!(printed.contains("rows read back and right"), "{printed}{errors}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "files are left");
}
