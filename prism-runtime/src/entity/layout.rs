//! Where things stand in an entity's records, found once at start.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use prost_reflect::DescriptorPool;

pub use super::json::JsonColumns;
use super::record::{Key, Record};
use crate::Result;
use crate::schema::{Column, Entity, Index, Managed, Storage, Value};

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// 0001-01-01T00:00:00Z, the first time that a google.protobuf.Timestamp holds.
const FIRST_MICROS: i64 = -62_135_596_800 * 1_000_000;

/// An entity with the positions of what the operations act upon.
#[derive(Debug)]
pub struct Layout {
    /// The resolved entity.
    pub entity: Entity,
    /// Positions of the primary key.
    pub key: Vec<usize>,
    /// Positions of everything that is part of the key or of an index.
    pub sized: Vec<usize>,
    /// Positions of fields in the key or a unique index: times in them are exact.
    pub exact: BTreeSet<usize>,
    /// Position of `MANAGED_CREATE_TIME`.
    pub create_time: Option<usize>,
    /// Position of `MANAGED_UPDATE_TIME`.
    pub update_time: Option<usize>,
    /// Position of `MANAGED_DELETE_TIME`.
    pub delete_time: Option<usize>,
    /// Position of `MANAGED_EXPIRE_TIME`.
    pub expire_time: Option<usize>,
    /// Position of `MANAGED_ETAG`.
    pub etag: Option<usize>,
    /// Position of `MANAGED_ID`.
    pub id: Option<usize>,
    /// Position of Prism's own column with the time of the last write.
    pub written_at: Option<usize>,
    /// The columns that hold JSON; empty until the descriptors are there.
    pub json: JsonColumns,
    /// How long an encoded record may be that is written, in bytes.
    pub max_record_bytes: usize,
    /// How long an encoded record may be that is returned, in bytes.
    pub max_answer_bytes: usize,
    /// Positions of the fields by their names in the entity.
    fields: HashMap<String, usize>,
    /// For each column, the positions of its oneof's members.
    oneofs: Vec<Arc<[usize]>>,
}

/// Longest message that clients take and send if they are not told otherwise, in bytes.
pub const DEFAULT_MESSAGE_BYTES: usize = 4 << 20;

/// Room in an answer for what stands beside a record: its key and length, a page token.
const BESIDE_RECORD: usize = 8 << 10;

/// What a write finds under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No row.
    Absent,
    /// A row that has expired and was not swept yet. It counts as absent.
    Gone,
    /// A deleted record that is kept.
    Deleted,
    /// A record that everybody sees.
    Live,
}

impl Layout {
    /// Of a resolved entity.
    pub fn new(entity: Entity) -> Self {
        let position = |number: u32| {
            entity.position(number).expect("a resolved entity holds the columns it names")
        };
        let managed =
            |kind: Managed| entity.columns.iter().position(|column| column.managed == Some(kind));
        let key: Vec<usize> = entity.key.iter().map(|&number| position(number)).collect();
        let of = |index: &Index| -> Vec<usize> {
            index.columns.iter().map(|column| position(column.number)).collect()
        };
        let indexed = entity.indexes.iter().flat_map(of);
        let sized: BTreeSet<usize> = key.iter().copied().chain(indexed).collect();
        let unique = entity.indexes.iter().filter(|index| index.unique).flat_map(of);
        let exact = key.iter().copied().chain(unique).collect();
        Layout {
            sized: sized.into_iter().collect(),
            exact,
            create_time: managed(Managed::CreateTime),
            update_time: managed(Managed::UpdateTime),
            delete_time: managed(Managed::DeleteTime),
            expire_time: managed(Managed::ExpireTime),
            etag: managed(Managed::Etag),
            id: managed(Managed::Id),
            written_at: entity.last_write_column().map(|_| entity.columns.len()),
            max_record_bytes: record_bytes(DEFAULT_MESSAGE_BYTES),
            max_answer_bytes: record_bytes(DEFAULT_MESSAGE_BYTES),
            json: JsonColumns::default(),
            fields: fields(&entity),
            oneofs: oneofs(&entity),
            key,
            entity,
        }
    }

    /// Sets what a message may take, in bytes.
    #[must_use]
    pub fn with_limit(mut self, max_message_bytes: usize) -> Self {
        self.max_record_bytes = record_bytes(max_message_bytes);
        self.max_answer_bytes = record_bytes(max_message_bytes.max(DEFAULT_MESSAGE_BYTES));
        self
    }

    /// Whether a record is short enough to be answered with; only the columns count of whose
    /// positions `counts` says so. What is stored as JSON is looked at only if it decides.
    ///
    /// # Errors
    ///
    /// One that no caller is told, if a long text was not judged before (`json.rs`).
    pub fn fits_answer(&self, record: &Record, counts: &dyn Fn(usize) -> bool) -> Result<bool> {
        let columns = || {
            let columns = self.entity.columns.iter().zip(&record.0).enumerate();
            columns.filter(|(position, _)| counts(*position))
        };
        let total = columns().map(|(_, (column, value))| longest(column, value)).sum::<usize>();
        if total <= self.max_record_bytes {
            return Ok(true);
        }
        let measured = columns().map(|(position, (column, value))| match value {
            Value::Text(text) if column.storage == Storage::Json => {
                Ok(self.json.wire_bytes(position, text)?.unwrap_or(text.len()))
            }
            value => Ok(longest(column, value)),
        });
        Ok(measured.sum::<Result<usize>>()? <= self.max_record_bytes)
    }

    /// Tells the columns that hold JSON from the entity's descriptor, so that writes can be checked
    /// for what they keep of it.
    #[must_use]
    pub fn with_descriptors(mut self, pool: &DescriptorPool) -> Self {
        self.json = JsonColumns::new(&self.entity.columns, &self.entity.message, pool);
        self
    }

    /// How many values a record has.
    pub fn width(&self) -> usize {
        self.entity.columns.len() + usize::from(self.written_at.is_some())
    }

    /// The column at a position; none where that is Prism's own.
    pub fn column(&self, position: usize) -> Option<&Column> {
        self.entity.columns.get(position)
    }

    /// The position of a field, by its name in the entity.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.get(name).copied()
    }

    /// Positions of the members of a column's oneof; none where it is in no oneof.
    pub fn members(&self, position: usize) -> &[usize] {
        self.oneofs.get(position).map_or(&[], |members| members)
    }

    /// Positions of the other members of a column's oneof.
    pub fn siblings(&self, position: usize) -> impl Iterator<Item = usize> + '_ {
        self.members(position).iter().copied().filter(move |member| *member != position)
    }

    /// The key of a record.
    pub fn key_of(&self, record: &Record) -> Key {
        Key(self.key.iter().map(|&position| record.0[position].clone()).collect())
    }

    /// Whether a column is part of the key.
    pub fn is_key(&self, position: usize) -> bool {
        self.key.contains(&position)
    }

    /// Whether the server alone sets a column: create, update and delete time, and the etag.
    pub fn is_server_set(&self, position: usize) -> bool {
        let managed = [self.create_time, self.update_time, self.delete_time, self.etag];
        managed.contains(&Some(position))
    }

    /// A last write at or before this time is too old to keep; in microseconds. It is never before
    /// the first time that a Timestamp holds, which is one that every database holds.
    pub fn retention_cutoff(&self, now_micros: i64) -> i64 {
        let retained = i64::from(self.entity.retention_days).saturating_mul(DAY_MICROS);
        now_micros.saturating_sub(retained).max(FIRST_MICROS)
    }

    /// Whether a row has expired: its expire time has come, or it was last written longer ago
    /// than it is retained.
    pub fn is_expired(&self, record: &Record, now_micros: i64) -> bool {
        let reached = |position: usize, limit: i64| matches!(record.0.get(position), Some(Value::Int(time)) if *time <= limit);
        if self.expire_time.is_some_and(|position| reached(position, now_micros)) {
            return true;
        }
        let last_write = self.update_time.or(self.written_at);
        self.entity.retention_days > 0
            && last_write.is_some_and(|at| reached(at, self.retention_cutoff(now_micros)))
    }

    /// Whether a row is marked as deleted.
    pub fn is_deleted(&self, record: &Record) -> bool {
        self.delete_time.is_some_and(|position| !record.0[position].is_null())
    }

    /// What a row is at a time.
    pub fn state(&self, record: Option<&Record>, now_micros: i64) -> State {
        match record {
            None => State::Absent,
            Some(record) if self.is_expired(record, now_micros) => State::Gone,
            Some(record) if self.is_deleted(record) => State::Deleted,
            Some(_) => State::Live,
        }
    }
}

/// Longest record that fits a message.
fn record_bytes(max_message_bytes: usize) -> usize {
    max_message_bytes - BESIDE_RECORD.min(max_message_bytes / 8)
}

/// How long a field's encoding is at most: its value, tag and length. JSON is at most as short as
/// a list of zeros, of which each may take ten bytes otherwise.
fn longest(column: &Column, value: &Value) -> usize {
    const TAG_AND_LENGTH: usize = 10;
    const NUMBER: usize = 24;
    const JSON: usize = 6;
    match value {
        Value::Null => 0,
        Value::Int(_) | Value::Double(_) => NUMBER,
        Value::Text(json) if column.storage == Storage::Json => TAG_AND_LENGTH + JSON * json.len(),
        value => TAG_AND_LENGTH + value.size(),
    }
}

fn fields(entity: &Entity) -> HashMap<String, usize> {
    let names = entity.columns.iter().enumerate();
    names.map(|(position, column)| (column.field.clone(), position)).collect()
}

fn oneofs(entity: &Entity) -> Vec<Arc<[usize]>> {
    let mut members: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, column) in entity.columns.iter().enumerate() {
        if let Some(oneof) = &column.oneof {
            members.entry(oneof).or_default().push(position);
        }
    }
    let members: HashMap<&str, Arc<[usize]>> =
        members.into_iter().map(|(oneof, positions)| (oneof, positions.into())).collect();
    let of_column = |column: &Column| {
        let of_oneof = column.oneof.as_deref().and_then(|oneof| members.get(oneof));
        of_oneof.map_or_else(|| Arc::from([]), Arc::clone)
    };
    entity.columns.iter().map(of_column).collect()
}
