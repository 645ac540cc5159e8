//! The generator: annotated `.proto` files in, a data service out.

pub mod check;
pub mod descriptors;
pub mod diagnostics;
pub mod lower;
pub mod model;
