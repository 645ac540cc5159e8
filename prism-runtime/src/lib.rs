//! The data proxy's runtime: the gRPC server, policies and stores that generated code plugs into.

pub mod client;
pub mod clock;
#[doc(hidden)]
pub mod codegen;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod entity;
pub mod error;
pub mod keyvalue;
pub(crate) mod memory;
pub mod page_token;
mod path;
pub mod proto;
pub mod proxy;
pub mod server;
pub mod service;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod violations;

pub use error::{Code, Error, Reason, Result, Violation};
pub use prism_schema as schema;
pub use proxy::{Proxy, Schema, main};

/// The version of Prism.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Includes what `prism_codegen::configure().compile(…)` generated in `build.rs`.
#[macro_export]
macro_rules! include_schema {
    () => {
        include!(concat!(env!("OUT_DIR"), "/prism.rs"));
    };
}
