//! `cargo xtask bench`: the benchmark, as a release build.

use std::error::Error;
use std::path::PathBuf;

use prism_acceptance::tools::root;

use crate::command::{cargo, run as run_command};

/// Builds the benchmark and what it measures, then runs it with the arguments given.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let packages = ["prism-bench", "prism-proxy", "prism-codegen"];
    run_command(
        cargo()
            .args(["build", "--release", "--features", "prism-codegen/command"])
            .args(packages.iter().flat_map(|package| ["--package", package])),
    )?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    // Not through `cargo run`: cargo would wait beside it and count as foreign load.
    run_command(
        std::process::Command::new(target.join("release/prism-bench"))
            .args(arguments)
            .current_dir(root()),
    )
}
