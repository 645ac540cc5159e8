//! What generated code uses, and nothing else should: it may change in any version.

pub use bytes;
pub use prism_derive::*;
pub use prism_schema as schema;
pub use prost;
pub use prost_types;
