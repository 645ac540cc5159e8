//! Typed services: records, and what each operation does to them.

mod collection;
pub mod decide;
mod engine;
mod key;
pub mod layout;
mod list;
pub mod record;
mod request;
mod store;
pub mod wire;

pub use collection::{Collection, Shared};
pub use engine::Engine;
pub use key::{IntoKey, Part};
pub(crate) use list::prefix_bounds;
pub use store::{List, Records, Store, Stores};

/// A message that Prism stores. Derived; see `prism_derive::Entity`.
pub trait Entity: prost::Message + Default + 'static {
    /// The resolved entity.
    fn schema() -> &'static crate::schema::Entity;
}
