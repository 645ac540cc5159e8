//! Prism's annotations: descriptors in, typed options out, each value with its place in the
//! source.

pub mod span;

pub use span::{Span, Spanned};
