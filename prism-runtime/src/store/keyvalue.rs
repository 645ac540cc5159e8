//! What a store does for key-value records.
