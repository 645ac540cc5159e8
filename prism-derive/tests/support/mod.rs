//! What the derives name, without the runtime.

/// Stands for `prism_runtime::codegen`.
pub mod codegen {
    pub use prism_schema as schema;

    /// As the runtime has it.
    pub trait Entity {
        fn schema() -> &'static schema::Entity;
    }
}
