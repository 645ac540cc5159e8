//! Prism's annotations: descriptors in, typed options out, each value with its place in the
//! source; and the diagnostic that every stage of the generator reports with.
//!
//! [`Reader`] works on any descriptor pool that keeps extension options: one that protox compiled,
//! or one decoded from the bytes of a `FileDescriptorSet` that protoc or buf wrote. A value that is
//! set to its enum's zero by name is an error further on. proto3 does not encode it, so without the
//! source text it is seen only where the descriptors hold its place: buf's do, protoc's do where it
//! was written as an option of its own (`(prism.field).pii = PII_UNSPECIFIED`) and with
//! `--include_source_info`.

mod aggregate;
pub mod builtin;
pub mod catalog;
pub mod diagnostic;
mod option_set;
mod places;
mod reader;
mod setting;
pub mod source;
pub mod span;
mod standard;

/// The annotations as plain structs.
#[allow(missing_docs, clippy::doc_markdown)]
#[rustfmt::skip]
#[path = "generated/prism.rs"]
pub mod spec;

pub use aggregate::place_of_token;
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity};
pub use option_set::OptionSet;
pub use reader::{Element, Reader};
pub use setting::{Set, Setting};
pub use source::{Source, Sources};
pub use span::{Span, Spanned};
pub use standard::{Behavior, Behaviors, Foreign, Idempotency};
