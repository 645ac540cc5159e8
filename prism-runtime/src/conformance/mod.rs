//! The suite that every backend passes, written once against the service that callers see.
//!
//! For tests: what does not hold panics.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod keyvalue;
