//! Typed services: records, and what each operation does to them.

/// A message that Prism stores. Derived; see `prism_derive::Entity`.
pub trait Entity: prost::Message + Default + 'static {
    /// The resolved entity.
    fn schema() -> &'static crate::schema::Entity;
}
