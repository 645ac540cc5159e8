//! Python's grpcio, with stubs that it generated itself, calls everything that the proxy serves.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use prism_acceptance::backend::Backend;
use prism_acceptance::python;
use prism_acceptance::tools::Tool;

on_every_backend! {
    health_reflection_and_protocol_errors,
    key_value,
    profiles,
    orders,
}

fn run(backend: &Backend, module: &str) {
    let Some(python) = Tool::Python.for_test() else { return };
    let proxy = backend.start().unwrap();
    if let Err(output) = python::run(&python, &proxy, module) {
        panic!("{output}");
    }
}

async fn health_reflection_and_protocol_errors(backend: Backend) {
    run(&backend, "test_server");
}

async fn key_value(backend: Backend) {
    run(&backend, "test_keyvalue");
}

async fn profiles(backend: Backend) {
    run(&backend, "test_profiles");
}

async fn orders(backend: Backend) {
    run(&backend, "test_orders");
}
