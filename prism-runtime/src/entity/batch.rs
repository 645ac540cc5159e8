//! Batches of records: how many, and how large.

use std::collections::BTreeSet;

use super::collection::Collection;
use super::layout::Layout;
use super::record::{Key, Record};
use crate::schema::Value;
use crate::store::StoreFuture;
use crate::store::entity::{BATCH_HELD_BYTES, BatchRead, Page, View};
use crate::{Code, Error, Reason, Result, Violation};

/// Encoded length of a page or a batch at most.
pub(crate) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Keys of a batch at most, before those that repeat are left out.
pub const MAX_BATCH_KEYS: usize = 1_000;

/// Keys of a batch on their way to the store: the one place that counts them.
pub(crate) struct Batch {
    keys: Vec<Key>,
    seen: BTreeSet<Key>,
    count: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Batch { keys: Vec::new(), seen: BTreeSet::new(), count: 0 }
    }

    /// Takes a key, which has been checked. One that repeats is left out.
    ///
    /// # Errors
    ///
    /// VALUE_TOO_LARGE where there are too many.
    pub(crate) fn push(&mut self, key: Vec<Value>, name: &str) -> Result<()> {
        self.count += 1;
        if self.count > MAX_BATCH_KEYS {
            return Err(Error::invalid(vec![too_many(name)]));
        }
        let key = Key(key);
        if self.seen.insert(key.clone()) {
            self.keys.push(key);
        }
        Ok(())
    }

    /// Reads the records.
    pub(crate) fn read(self, collection: &Collection, view: View) -> StoreFuture<Page> {
        collection.store.batch_get(self.keys, view)
    }
}

/// The records of a batch, which are all or none.
///
/// # Errors
///
/// RESOURCE_EXHAUSTED if the store found more than an answer holds, or than is read for one.
pub(crate) fn whole(layout: &Layout, page: Page) -> Result<Vec<Record>> {
    if !page.more {
        return Ok(page.records);
    }
    let mut read = BatchRead::default();
    page.records.iter().for_each(|record| read.add(layout, record));
    if read.fills_answer() {
        return Err(too_large(page.records.len() == 1));
    }
    let message = format!(
        "the records together take more than {BATCH_HELD_BYTES} bytes as they are stored: ask for \
         fewer"
    );
    Err(Error::new(Reason::ValueTooLarge, message).with_code(Code::ResourceExhausted))
}

/// The error of a batch whose records have more than [`MAX_ANSWER_BYTES`].
pub(crate) fn too_large(is_alone: bool) -> Error {
    let message = if is_alone {
        format!("one of the records alone has more than {MAX_ANSWER_BYTES} bytes: use Get for it")
    } else {
        format!("the records together have more than {MAX_ANSWER_BYTES} bytes: ask for fewer")
    };
    Error::new(Reason::ValueTooLarge, message).with_code(Code::ResourceExhausted)
}

/// What is wrong with a batch of more than [`MAX_BATCH_KEYS`].
pub(crate) fn too_many(name: &str) -> Violation {
    Violation::too_large(name, format!("has more than {MAX_BATCH_KEYS} keys"))
}
