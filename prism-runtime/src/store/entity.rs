//! What a store does for entities.
