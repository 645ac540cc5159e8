//! Typed services: records, and what each operation does to them.
//!
//! A [`Collection`] is an entity on a store; an [`Engine`] answers one method of it:
//! `request` cuts the message into the values of its roles, [`wire`] turns an entity's bytes into
//! a [`record`], [`decide`] says what becomes of the row under its key (the store calls it, within
//! a transaction), and the engine encodes the record that comes back. `list` plans pages. A
//! [`Store`] does the same for the service's own code, with structs.
//!
//! Errors name fields, lengths and limits, and never show a value, whether it is masked or not.
//! One exception: the error of a stored record that cannot be read names its key, unless that is
//! masked.

mod batch;
mod beside;
mod collection;
pub mod decide;
mod engine;
mod json;
mod key;
pub mod layout;
mod list;
mod mask;
pub mod record;
mod request;
mod required;
mod size;
mod store;
mod unreadable;
pub mod wire;

pub use batch::MAX_BATCH_KEYS;
pub use collection::{Collection, Shared};
pub use engine::Engine;
pub use key::{IntoKey, Part};
pub(crate) use list::prefix_bounds;
pub(crate) use required::Required;
pub use store::{List, Records, Store, Stores};

/// A message that Prism stores. Derived; see `prism_derive::Entity`.
pub trait Entity: prost::Message + Default + 'static {
    /// The resolved entity.
    fn schema() -> &'static crate::schema::Entity;
}
