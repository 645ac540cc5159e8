//! The generator: annotated `.proto` files in, a data service out.
//!
//! [`configure`] begins a run, from `build.rs` or from the `prism` command. [`pipeline`] shows the
//! stages.

pub mod builder;
pub mod check;
pub mod descriptors;
pub mod diagnostics;
pub mod emit;
pub mod evolve;
pub mod explain;
pub mod lower;
pub mod model;
pub mod output;
pub mod pipeline;
mod printable;
mod runtime;

pub use builder::{Builder, Error, configure};
