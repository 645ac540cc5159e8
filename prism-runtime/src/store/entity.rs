//! What a store does for entities.
//!
//! A store is opened for one entity. It finds records and carries out decisions; what a call
//! means is in [`crate::entity::decide`].

use std::sync::Arc;

use super::StoreFuture;
use crate::Result;
use crate::entity::decide::{Action, Command, RequestId};
use crate::entity::layout::Layout;
use crate::entity::prefix_bounds;
use crate::entity::record::{Key, Record};
use crate::schema::Value;
use crate::schema::plan::Comparison;
use crate::schema::sql::{ListShape, Shape, Visibility};

/// Opens entities on one backend.
pub trait EntityBackend: Send + Sync + 'static {
    /// A store for an entity whose table is there.
    ///
    /// # Errors
    ///
    /// Where the backend cannot serve the entity.
    fn open(&self, layout: Arc<Layout>) -> Result<Arc<dyn EntityStore>>;
}

/// The records of one entity.
///
/// Every write is one transaction: the row under the command's key is read, whatever its state,
/// [`decide`](crate::entity::decide::decide) says what becomes of it, and that is written. Its
/// answer comes once the write is durable.
pub trait EntityStore: Send + Sync + 'static {
    /// Whether a text with a NUL cannot be stored, nor looked for: what calls the store has made
    /// sure that there is none.
    fn refuses_nul(&self) -> bool {
        false
    }

    /// The record with a key, where the view sees it.
    fn get(&self, key: Key, view: View) -> StoreFuture<Option<Record>>;

    /// The records with these keys that the view sees, in the order of the keys, which are
    /// distinct and at most [`MAX_BATCH_KEYS`](crate::entity::MAX_BATCH_KEYS). The page ends early
    /// once what callers see of their text and blobs passes [`BATCH_BYTES`], or all of them pass
    /// [`BATCH_HELD_BYTES`], and says that there are more.
    fn batch_get(&self, keys: Vec<Key>, view: View) -> StoreFuture<Page>;

    /// A page of records.
    fn list(&self, query: ListQuery) -> StoreFuture<Page>;

    /// Reads, decides and writes. Answers with the record after the write or, where it was
    /// removed, before it; none where there was nothing to do.
    ///
    /// Where a unique index refuses the write, the row in its way is looked at: one that has
    /// expired is removed and the write made again, any other is
    /// [`unique_violation`](crate::entity::decide::unique_violation).
    fn write(&self, write: Write) -> StoreFuture<Option<Record>>;

    /// Removes at most `limit` expired records, and as many request ids that are not remembered
    /// any longer. Answers with how many were removed.
    fn sweep(&self, now_micros: i64, limit: usize) -> StoreFuture<usize>;
}

/// What is wrong with a text that [`EntityStore::refuses_nul`].
pub const HOLDS_NUL: &str = "holds a NUL, which Postgres does not store";

/// Bytes of text and blobs after which a batch or a page needs no more records.
pub const BATCH_BYTES: usize = 1 << 20;

/// Bytes of all columns of the records of a batch after which no more are read. An answer of
/// [`BATCH_BYTES`] may take several times as much as JSON, and columns that callers do not see are
/// read too.
pub const BATCH_HELD_BYTES: usize = 8 << 20;

/// Which records a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether deleted ones are among them.
    pub visibility: Visibility,
    /// The time of the call, in microseconds since the Unix epoch.
    pub now_micros: i64,
}

/// A page to read.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// All of them hold.
    pub conditions: Vec<Filter>,
    /// The whole order, ties broken by the key: positions of columns, and whether each is
    /// reversed. NULL is the smallest value.
    pub order: Vec<(usize, bool)>,
    /// Position of the index that gives this order, if one does.
    pub index: Option<usize>,
    /// The last record's values in the columns of the order; none on the first page.
    pub after: Option<Vec<Value>>,
    /// How many records at most.
    pub limit: usize,
    /// Which records.
    pub view: View,
}

impl ListQuery {
    /// What its statement depends on, and the values of each condition.
    pub(crate) fn shape(&self, layout: &Layout) -> (ListShape, Vec<Vec<Value>>) {
        let number = |position: usize| layout.entity.columns[position].number;
        let mut conditions = Vec::with_capacity(self.conditions.len());
        let mut shapes = Vec::with_capacity(self.conditions.len());
        for filter in &self.conditions {
            let mut values = filter.values.clone();
            if filter.comparison == Comparison::Prefix
                && let Some(Some(end)) = filter.values.first().map(|prefix| prefix_bounds(prefix).1)
            {
                values.push(end);
            }
            let (field, comparison) = (number(filter.position), filter.comparison);
            shapes.push(Shape { field, comparison, values: values.len() });
            conditions.push(values);
        }
        let shape = ListShape {
            conditions: shapes,
            order: self.order.iter().map(|&(at, reversed)| (number(at), reversed)).collect(),
            index: self.index,
            after: self.after.as_ref().map(|after| after.iter().map(Value::is_null).collect()),
            visibility: self.view.visibility,
        };
        (shape, conditions)
    }
}

/// A condition with its values. A NULL column meets none.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Position of the column.
    pub position: usize,
    /// How it is compared.
    pub comparison: Comparison,
    /// One value; any number for [`Comparison::AnyOf`], of which one is enough.
    pub values: Vec<Value>,
}

/// A page, or the records of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// At least one where there is any; ends early once their columns together pass
    /// [`BATCH_BYTES`], also those that are kept from callers.
    pub records: Vec<Record>,
    /// Whether there is a record after the last one.
    pub more: bool,
}

/// A write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Key of the record.
    pub key: Key,
    /// What to do to it.
    pub command: Command,
    /// Where the caller may send the request again: it is looked up first, and remembered for
    /// [`REQUEST_ID_MICROS`](crate::entity::decide::REQUEST_ID_MICROS) in the same transaction.
    pub request: Option<RequestId>,
}

/// What a record takes in memory, and adds to a page: all its columns, whoever sees them and in
/// whatever form they are stored.
pub(crate) fn held_bytes(record: &Record) -> usize {
    record.0.iter().map(|value| size_of::<Value>() + value.size()).sum()
}

/// What the record of a write takes in memory.
pub(crate) fn written_bytes(write: &Write) -> usize {
    match &write.command.action {
        Action::Create(record) | Action::Put(record) | Action::Update { record, .. } => {
            held_bytes(record)
        }
        Action::Delete { .. } | Action::Undelete => 0,
    }
}

/// How much of a batch has been read.
#[derive(Debug, Default)]
pub(crate) struct BatchRead {
    /// Length of the answer at least.
    payload: usize,
    held: usize,
}

impl BatchRead {
    /// Adds a record.
    pub(crate) fn add(&mut self, layout: &Layout, record: &Record) {
        self.payload += payload_bytes(layout, record);
        self.held += held_bytes(record);
    }

    /// Whether the answer would be too long.
    pub(crate) fn fills_answer(&self) -> bool {
        self.payload > BATCH_BYTES
    }

    /// Whether no more records are read.
    pub(crate) fn is_full(&self) -> bool {
        self.fills_answer() || self.held > BATCH_HELD_BYTES
    }
}

/// Length of what an encoded record has at least: of text and of protobuf binary.
fn payload_bytes(layout: &Layout, record: &Record) -> usize {
    use crate::schema::Storage;
    let columns = layout.entity.columns.iter().zip(&record.0);
    columns
        .filter(|(column, _)| {
            column.storage != Storage::Json && column.access != crate::schema::Access::InputOnly
        })
        .map(|(_, value)| match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            Value::Null | Value::Int(_) | Value::Double(_) => 0,
        })
        .sum()
}
