//! Acceptance: a real `prism-proxy`, called by clients that nobody here wrote.
//!
//! [`tools`] finds and installs the clients, [`proxy`] runs the server, on any [`backend`], in a [`cgroup`] if its memory is the question. The
//! calls themselves are in `tests/` (buf curl, grpcurl) and `python/` (grpcio). [`dynamic`] serves
//! a schema without compiling it.
#![allow(clippy::print_stderr)] // a skipped test says so

pub mod backend;
pub mod cgroup;
#[cfg(feature = "dynamic")]
pub mod dynamic;
pub mod proxy;
pub mod python;
pub mod tools;
