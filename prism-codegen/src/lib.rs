//! The generator: annotated `.proto` files in, a data service out.

pub mod model;
