//! The resolved schema: what a record and an RPC are once every annotation has been read,
//! every default filled in and every role bound.
//!
//! It is the one vocabulary that the two halves of Prism share. The generator lowers `.proto`
//! files to it, writes it into `schema.lock` and renders migrations from it; generated code
//! builds it again at start; the runtime executes it. What must not differ between the halves
//! lives here too: which index serves a list, and the text of every SQL statement.
//!
//! This crate does no IO and knows neither descriptors nor a database driver.

pub mod entity;
pub mod lines;
pub mod names;
pub mod plan;
pub mod service;
pub mod sql;
pub mod value;

pub use entity::{
    Access, Backend, Cardinality, Column, Entity, FieldType, Index, IndexColumn, Managed, Members,
    Storage,
};
pub use service::{
    Binding, Method, Operation, Permission, RequestField, Response, Role, Rule, Service,
};
pub use value::Value;
