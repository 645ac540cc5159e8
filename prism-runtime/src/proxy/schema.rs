//! What generated code tells the runtime: entities, services, migrations, descriptors.

use crate::codegen::Handlers;
use crate::entity::Entity;
use crate::store::Migration;

/// A schema to serve. Generated code builds it; users add their own handlers.
pub struct Schema {
    pub(super) descriptor_set: &'static [u8],
    pub(super) migrations: Migrations,
    pub(super) entities: Vec<&'static crate::schema::Entity>,
    pub(super) services: Vec<Box<dyn Handlers>>,
}

/// The SQL migrations of a schema, for each dialect in the order of their versions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Migrations {
    /// `migrations/sqlite`.
    pub sqlite: &'static [Migration],
    /// `migrations/postgres`.
    pub postgres: &'static [Migration],
}

impl Schema {
    /// A schema without entities and services, by its encoded `FileDescriptorSet`, imports
    /// included.
    pub fn new(descriptor_set: &'static [u8]) -> Self {
        Schema {
            descriptor_set,
            migrations: Migrations::default(),
            entities: Vec::new(),
            services: Vec::new(),
        }
    }

    /// Sets the migrations.
    #[must_use]
    pub fn migrations(mut self, migrations: Migrations) -> Self {
        self.migrations = migrations;
        self
    }

    /// Adds an entity; it replaces an earlier one of the same message.
    #[must_use]
    pub fn entity<E: Entity>(self) -> Self {
        self.entity_schema(E::schema())
    }

    /// As [`Schema::entity`], for one that no Rust type stands for.
    #[must_use]
    pub fn entity_schema(mut self, entity: &'static crate::schema::Entity) -> Self {
        self.entities.retain(|earlier| earlier.message != entity.message);
        self.entities.push(entity);
        self
    }

    /// Adds a service; it replaces an earlier one of the same name, so that handlers that a user
    /// writes take the place of generated ones that answer UNIMPLEMENTED.
    #[must_use]
    pub fn service(mut self, handlers: impl Handlers) -> Self {
        let name = &handlers.descriptor().name;
        self.services.retain(|earlier| earlier.descriptor().name != *name);
        self.services.push(Box::new(handlers));
        self
    }
}
