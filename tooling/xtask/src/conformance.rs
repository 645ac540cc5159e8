//! `cargo xtask conformance`: suites that nobody here wrote.

use std::error::Error;

use prism_acceptance::tools::Tool;

use crate::command::{cargo, run as run_command};

/// Installs the runner of connectrpc's suite, and runs its cases for gRPC against Prism's server.
///
/// # Errors
///
/// Where Go is missing, or a case does not pass.
pub fn grpc() -> Result<(), Box<dyn Error>> {
    println!("{}", Tool::ConnectConformance.install()?.display());
    let test = ["test", "--package", "prism-conformance", "--test", "grpc"];
    run_command(cargo().args(test).args(["--", "--nocapture"]))
}
