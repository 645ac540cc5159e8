//! Limits of the key-value API, the same on every backend.

/// Bytes of a namespace.
pub const NAMESPACE_BYTES: usize = 63;
/// Bytes of a record's id.
pub const ID_BYTES: usize = 512;
/// Bytes of an item's key. The end of a range may be one longer, so that there is an end behind
/// every key.
pub const KEY_BYTES: usize = 1024;
/// Bytes of an item's value.
pub const VALUE_BYTES: usize = 1 << 20;
/// Items of a Put, keys of a Delete or a predicate, records of a PutBatch.
pub const COUNT: usize = 1000;
/// Bytes of an encoded response that is a page, unless one item alone is longer.
pub const PAGE_BYTES: usize = 1 << 20;
