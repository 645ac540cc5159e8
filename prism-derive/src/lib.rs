//! Derives for messages that Prism stores.
//!
//! `prism generate` puts them on the structs that prost makes; they work on hand-written prost
//! structs in the same way:
//!
//! ```ignore
//! #[derive(Clone, PartialEq, prost::Message, prism_runtime::Entity, prism_runtime::Redact)]
//! #[prost(skip_debug)]
//! #[prism(message = "acme.users.v1.User", namespace = "users")]
//! #[prism(index(name = "by_age", fields("country", "birth_time desc")))]
//! pub struct User {
//!     #[prost(string, tag = "1")]
//!     #[prism(key = "primary", managed = "id")]
//!     pub user_id: String,
//!     #[prost(string, tag = "2")]
//!     #[prism(unique, masked)]
//!     pub email: String,
//!     #[prost(string, tag = "3")]
//!     pub country: String,
//!     #[prost(message, tag = "4")]
//!     pub birth_time: Option<prost_types::Timestamp>,
//! }
//! ```
//!
//! # `#[prism(...)]` on a struct
//!
//! | key | meaning | default |
//! | --- | --- | --- |
//! | `message = "…"` | full protobuf name | required by `Entity` |
//! | `namespace = "…"` | the logical dataset | required by `Entity` |
//! | `backend = "…"` | `memory`, `sqlite` or `postgres` | `sqlite` |
//! | `table = "…"` | physical table | the namespace in snake_case |
//! | `retention_days = n` | days that a record is kept after its last write | kept |
//! | `index(name = "…", fields("a", "b desc"), unique)` | a secondary index; a field is a protobuf field name or number | |
//! | `oneof = "…"` | on a oneof's enum: the oneof's protobuf name | the enum's in snake_case |
//! | `crate = "…"` | path of prism-runtime | `::prism_runtime` |
//!
//! # `#[prism(...)]` on a field
//!
//! | key | meaning | default |
//! | --- | --- | --- |
//! | `field = "…"` | protobuf field name | the Rust name |
//! | `column = "…"` | physical column | the protobuf name |
//! | `type = "…"` | full protobuf name of the field's message or enum, or of a map's entry | from the Rust path |
//! | `key = "…"` | `primary`, `partition` or `clustering` | |
//! | `index`, `index = "…"` | a secondary index over the field, and its name | `idx_<table>_<field>` |
//! | `unique`, `unique = "…"` | a unique index | `idx_<table>_<field>` |
//! | `managed = "…"` | `create_time`, `update_time`, `delete_time`, `expire_time`, `etag` or `id` | |
//! | `access = "…"` | `immutable`, `output_only` or `input_only` | |
//! | `storage = "json"` | a message, list or map as protobuf JSON | protobuf binary |
//! | `masked` | shown as `[redacted]`, and masked in logs | |
//!
//! Timestamps, durations and wrappers are known by their Rust types. Members of a oneof are
//! described by deriving `Entity` on the oneof's enum too, with `message` on it.

mod attributes;
mod entity;
mod names;
mod prost_field;
mod redact;
mod report;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Implements `Entity`, the schema of a stored message, on a prost message; or, on a prost oneof,
/// what its members add to the message's schema.
#[proc_macro_derive(Entity, attributes(prism))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    entity::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Implements `Debug` so that fields marked `#[prism(masked)]` print as `[redacted]`. Goes with
/// `#[prost(skip_debug)]`, on messages and on oneofs.
#[proc_macro_derive(Redact, attributes(prism))]
pub fn derive_redact(input: TokenStream) -> TokenStream {
    redact::derive(&parse_macro_input!(input as DeriveInput)).into()
}
