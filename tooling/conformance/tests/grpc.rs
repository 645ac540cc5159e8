//! The suite of connectrpc against the server, where its runner is installed.
#![allow(clippy::print_stderr)] // what the runner says is shown

use std::path::Path;

use prism_acceptance::tools::Tool;
use prism_conformance::runner;

fn server() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_prism-conformance"))
}

#[test]
fn every_case_of_grpc_passes() {
    let Some(path) = Tool::ConnectConformance.for_test() else { return };
    match runner::grpc(&path, server()) {
        Ok(said) => eprintln!("{said}"),
        Err(said) => panic!("{said}"),
    }
}

#[test]
fn details_of_errors_are_all_that_the_default_server_adds() {
    let Some(path) = Tool::ConnectConformance.for_test() else { return };
    match runner::grpc_with_details(&path, server()) {
        Ok(with_details) => assert!(with_details > 0, "Prism's errors have details"),
        Err(said) => panic!("{said}"),
    }
}
