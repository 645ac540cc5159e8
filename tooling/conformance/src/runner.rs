//! The suite's runner, which calls a server that it starts.

use std::path::Path;
use std::process::{Command, Output};

/// How many cases `grpc-h2c.yaml` selects.
pub const GRPC_CASES: usize = 198;

/// What the runner says where a status has other details than the suite's own.
const DETAILS: &str = "actual error contain ";

/// Runs the suite's cases for gRPC over HTTP/2 against a server, and returns what the runner said
/// of them.
///
/// # Errors
///
/// What the runner said, where a case failed, or others were run than are expected.
pub fn grpc(runner: &Path, server: &Path) -> Result<String, String> {
    let (output, said) = run(runner, server, &[])?;
    let all = format!("{GRPC_CASES} passed, 0 failed");
    match output.status.success() && said.contains(&all) {
        true => Ok(said),
        false => Err(said),
    }
}

/// Runs the same cases against a server that sends the details of its errors, as Prism does by
/// default. The runner takes a detail that a case does not name for a failure; returns how many
/// cases it says that of.
///
/// # Errors
///
/// What the runner said, where anything else is wrong.
pub fn grpc_with_details(runner: &Path, server: &Path) -> Result<usize, String> {
    let (_, said) = run(runner, server, &["--details"])?;
    let failed = said.lines().filter(|line| line.starts_with("FAILED: ")).count();
    let (details, others): (Vec<_>, Vec<_>) =
        said.lines().filter(|line| line.starts_with('\t')).partition(|line| {
            line.trim_start().starts_with(DETAILS) && line.ends_with("; expecting 0")
        });
    let counted = format!("{} passed, {failed} failed", GRPC_CASES.saturating_sub(failed));
    match others.is_empty() && details.len() == failed && said.contains(&counted) {
        true => Ok(failed),
        false => Err(said),
    }
}

fn run(runner: &Path, server: &Path, arguments: &[&str]) -> Result<(Output, String), String> {
    let configuration = Path::new(env!("CARGO_MANIFEST_DIR")).join("grpc-h2c.yaml");
    let output = Command::new(runner)
        .args(["--mode", "server", "--conf"])
        .arg(configuration)
        .arg("--")
        .arg(server)
        .args(arguments)
        .output()
        .map_err(|error| format!("{}: {error}", runner.display()))?;
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok((output, said))
}
