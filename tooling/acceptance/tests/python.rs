//! Python's grpcio, with stubs that it generated itself, calls everything that the proxy serves.
#![allow(clippy::unwrap_used)]

use prism_acceptance::proxy::Proxy;
use prism_acceptance::python;
use prism_acceptance::tools::Tool;

fn run(module: &str) {
    let Some(python) = Tool::Python.for_test() else { return };
    let proxy = Proxy::start().unwrap();
    if let Err(output) = python::run(&python, &proxy, module) {
        panic!("{output}");
    }
}

#[test]
fn health_reflection_and_protocol_errors() {
    run("test_server");
}

#[test]
fn key_value() {
    run("test_keyvalue");
}

#[test]
fn profiles() {
    run("test_profiles");
}

#[test]
fn orders() {
    run("test_orders");
}
