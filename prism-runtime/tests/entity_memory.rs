//! Typed services on the memory store.

use prism_runtime::conformance::entity::Opened;
use prism_runtime::entity_conformance;
use prism_runtime::schema::Entity;
use prism_runtime::store::memory::MemoryEntities;

fn open(_: &[Entity]) -> Opened {
    Opened { backend: Box::new(MemoryEntities), guard: Box::new(()) }
}

entity_conformance!(open);
