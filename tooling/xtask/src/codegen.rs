//! `cargo xtask codegen`: what `prism generate` makes of the demo schema.

use std::error::Error;

use crate::command::{cargo, run as run_command};

/// Generates `generated/`, or with `check` compares it with the files on disk.
pub fn run(check: bool) -> Result<(), Box<dyn Error>> {
    let mut command = cargo();
    command.args(["run", "--package", "prism-codegen", "--features", "command"]);
    command.args(["--bin", "prism", "--", "generate"]);
    if check {
        command.arg("--check");
    }
    run_command(&mut command)
}
