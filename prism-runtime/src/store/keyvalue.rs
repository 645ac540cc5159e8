//! What a store does for key-value records.

use std::sync::Arc;

use crate::keyvalue::decide::{Content, Stamp};
use crate::keyvalue::page::PageRead;
use crate::keyvalue::selection::Selection;
use crate::proto::keyvalue::v1::Item;
use crate::store::StoreFuture;
use crate::{Error, Reason, Violation};

/// A backend for key-value records. Commands have been validated; what they do to an item is
/// decided by [`crate::keyvalue::decide`], under a lock or in a transaction of the store's.
pub trait KeyValueStore: Send + Sync + 'static {
    /// Offers the rows of a query to its page, in the order of id and key, beginning after
    /// [`Page::after`](crate::keyvalue::page::Page::after), until the page is done: it says stop, or
    /// there is no further row. The page is one snapshot, whatever its size and however many rows
    /// it passes over: a store that has to stop on an event loop begins
    /// [another attempt](crate::keyvalue::page::Page::attempt) elsewhere. Sees every write that was
    /// acknowledged before.
    fn read(&self, read: PageRead) -> StoreFuture<PageRead>;

    /// Writes the items of a record, all or none.
    fn put(&self, put: RecordPut) -> StoreFuture<()>;

    /// Deletes items of a record. Answers how many were there and are gone. Those that are named are
    /// deleted all or none. Very many that a predicate covers may be deleted in parts, each all or
    /// none, between which writes to other records are made; those to the same record wait.
    fn delete(&self, delete: RecordDelete) -> StoreFuture<Option<u64>>;

    /// Compares an item with what is expected of it, and replaces or deletes it.
    fn swap(&self, swap: ItemSwap) -> StoreFuture<SwapOutcome>;

    /// Removes up to `limit` items of which nothing need be known since before `before`, in
    /// microseconds since the Unix epoch. Answers how many were removed. Where no more are left, the
    /// namespaces in which nothing is stored give their places back, beside first writes to them.
    fn sweep(&self, before: i64, limit: u32) -> StoreFuture<u64>;
}

/// Which record a write is for.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The record.
    pub id: String,
    /// Where the namespace is not declared: how many of those there may be.
    pub max_namespaces: Option<u64>,
}

/// A Put, or one write of a PutBatch.
#[derive(Clone, Debug)]
pub struct RecordPut {
    /// The record.
    pub target: Target,
    /// Each key once.
    pub items: Vec<Item>,
    /// Orders the write.
    pub stamp: Stamp,
}

/// A Delete.
#[derive(Clone, Debug)]
pub struct RecordDelete {
    /// The record.
    pub target: Target,
    /// [`Selection::Keys`] names the items; the others cover them.
    pub selection: Selection,
    /// Orders the write.
    pub stamp: Stamp,
}

/// A CompareAndSwap.
#[derive(Clone, Debug)]
pub struct ItemSwap {
    /// The record.
    pub target: Target,
    /// The item.
    pub key: Vec<u8>,
    /// Absent: the item is expected not to exist.
    pub expected: Option<Vec<u8>>,
    /// Absent: the item is deleted.
    pub new: Option<Vec<u8>>,
    /// Of the new value.
    pub content: Content,
    /// With the server's token.
    pub stamp: Stamp,
}

/// What a CompareAndSwap found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwapOutcome {
    /// The item was as expected.
    Swapped,
    /// The item was not as expected; its value, where it exists.
    Differs(Option<Vec<u8>>),
}

/// What a client says of an item's value.
pub(crate) fn content_of(item: &Item) -> Content {
    item.metadata.as_ref().map_or_else(Content::default, |metadata| Content {
        compression: metadata.compression,
        ttl_seconds: metadata.ttl_seconds,
    })
}

/// The error of a first write to an undeclared namespace beyond `max`.
pub(crate) fn too_many_namespaces(max: u64) -> Error {
    let text = format!("a new namespace beyond keyvalue.max_namespaces, which is {max}");
    Error::new(Reason::StorageFull, text.clone())
        .with_violations(vec![Violation::new("namespace", text)])
}
