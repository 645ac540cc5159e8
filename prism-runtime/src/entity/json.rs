//! The columns of an entity that hold JSON, and what is known of long texts in them.
//!
//! To read JSON takes time in proportion to its text. What becomes of a write is decided on a thread
//! that others wait for (SQLite's writer, Postgres' thread), where only short texts are read. Long
//! ones are judged beside it ([`super::beside`]) and remembered by their hash. A decision that meets
//! a long text of which nothing is known fails as [`unjudged`], and the write is made again once the
//! text has been judged.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prism_migrate::json::{self, Converted, Unreadable};
use prost::Message as _;
use prost_reflect::{DescriptorPool, MessageDescriptor};

use super::record::Record;
use crate::schema::{Access, Column, Storage, Value};
use crate::{Error, Result};

/// Length of a text up to which it is read where a write is decided, in bytes.
pub const SHORT_TEXT: usize = 16 << 10;

/// Texts that are remembered per entity at most, with about 120 bytes each.
const MAX_JUDGED: usize = 4_096;

type Hash = [u8; 32];

/// The columns of an entity that hold JSON.
#[derive(Default)]
pub struct JsonColumns {
    /// None if there are no such columns.
    message: Option<MessageDescriptor>,
    columns: Vec<JsonColumn>,
    judged: Mutex<Judged>,
}

#[derive(Clone, Copy)]
struct JsonColumn {
    position: usize,
    number: u32,
    is_immutable: bool,
}

/// What is known of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Judgement {
    /// Length of its wire records.
    wire_bytes: Result<usize, Unreadable>,
    /// Hash of the normal form, in columns where texts are compared.
    normal: Option<Hash>,
}

/// What is known of long texts, by the hash of column and text. The oldest is forgotten first.
#[derive(Default)]
struct Judged {
    known: HashMap<Hash, Judgement>,
    order: VecDeque<Hash>,
}

impl JsonColumns {
    pub(super) fn new(columns: &[Column], message: &str, pool: &DescriptorPool) -> Self {
        let json = columns.iter().enumerate().filter(|(_, it)| it.storage == Storage::Json);
        let columns: Vec<JsonColumn> = json
            .map(|(position, column)| JsonColumn {
                position,
                number: column.number,
                is_immutable: column.access == Access::Immutable,
            })
            .collect();
        let message = pool.get_message_by_name(message).filter(|_| !columns.is_empty());
        JsonColumns { message, columns, judged: Mutex::default() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Positions of the columns.
    pub(super) fn positions(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| column.position)
    }

    /// Length of the JSON in a record, in bytes.
    pub(super) fn bytes(&self, record: &Record) -> usize {
        self.texts(record).map(|(_, text)| text.len()).sum()
    }

    fn texts<'a>(&self, record: &'a Record) -> impl Iterator<Item = (JsonColumn, &'a str)> {
        self.columns.iter().filter_map(|column| match record.0.get(column.position)? {
            Value::Text(text) => Some((*column, text.as_str())),
            _ => None,
        })
    }

    /// Length of the wire records of the text in a column, or why it cannot be read.
    ///
    /// # Errors
    ///
    /// [`unjudged`], if the text is long and was not judged.
    pub(super) fn wire_bytes(
        &self,
        position: usize,
        text: &str,
    ) -> Result<Result<usize, Unreadable>> {
        let (Some(column), Some(message)) = (self.column(position), &self.message) else {
            return Ok(Ok(text.len()));
        };
        if text.len() > SHORT_TEXT {
            return Ok(self.judgement(column, text)?.wire_bytes);
        }
        Ok(json::to_message(message, column.number, text).map(|read| read.encoded_len()))
    }

    /// Whether the text in a column can be read, or why not.
    ///
    /// # Errors
    ///
    /// [`unjudged`], if the text is long and was not judged.
    pub(super) fn check(&self, position: usize, text: &str) -> Result<Result<(), Unreadable>> {
        let (Some(column), Some(message)) = (self.column(position), &self.message) else {
            return Ok(Ok(()));
        };
        if text.len() > SHORT_TEXT {
            return Ok(self.judgement(column, text)?.wire_bytes.map(drop));
        }
        Ok(json::to_message(message, column.number, text).map(drop))
    }

    /// Whether two texts of a column are the same JSON. A database may write it in another way.
    ///
    /// # Errors
    ///
    /// [`unjudged`], if a text is long and was not judged.
    pub(super) fn is_same(&self, position: usize, one: &str, other: &str) -> Result<bool> {
        if one == other {
            return Ok(true);
        }
        let column = self.column(position).filter(|column| column.is_immutable);
        let Some(column) = column.filter(|_| one.len().max(other.len()) > SHORT_TEXT) else {
            return Ok(json::same_text(one, other));
        };
        let one = self.normal(column, one)?;
        Ok(one.is_some() && one == self.normal(column, other)?)
    }

    fn normal(&self, column: JsonColumn, text: &str) -> Result<Option<Hash>> {
        if text.len() <= SHORT_TEXT {
            return Ok(normal_hash(text));
        }
        Ok(self.judgement(column, text)?.normal)
    }

    fn judgement(&self, column: JsonColumn, text: &str) -> Result<Judgement> {
        let judged = self.lock().known.get(&hash(column, text)).copied();
        judged.ok_or_else(unjudged)
    }

    /// Judges the long texts of a record, which takes long: not to be called on a thread that others
    /// wait for.
    pub(crate) fn judge(&self, record: &Record) {
        let Some(message) = &self.message else { return };
        for (column, text) in self.texts(record).filter(|(_, text)| text.len() > SHORT_TEXT) {
            let hash = hash(column, text);
            if !self.lock().known.contains_key(&hash) {
                let read = json::to_message(message, column.number, text);
                self.remember(column, hash, text, read.map(|read| read.encoded_len()));
            }
        }
    }

    /// Remembers a text that has just been made.
    pub(super) fn made(&self, position: usize, made: &Converted) {
        let text = &made.text;
        if let Some(column) = self.column(position).filter(|_| text.len() > SHORT_TEXT) {
            self.remember(column, hash(column, text), text, Ok(made.wire_bytes()));
        }
    }

    fn remember(
        &self,
        column: JsonColumn,
        hash: Hash,
        text: &str,
        wire_bytes: Result<usize, Unreadable>,
    ) {
        let normal = column.is_immutable.then(|| normal_hash(text)).flatten();
        let mut judged = self.lock();
        let judgement = Judgement { wire_bytes, normal };
        if judged.known.insert(hash, judgement).is_none() {
            judged.order.push_back(hash);
        }
        if judged.order.len() > MAX_JUDGED
            && let Some(oldest) = judged.order.pop_front()
        {
            judged.known.remove(&oldest);
        }
    }

    fn column(&self, position: usize) -> Option<JsonColumn> {
        self.columns.iter().find(|column| column.position == position).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Judged> {
        // Whatever a panic leaves half done is forgotten, or judged again.
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JsonColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The descriptor is left out: that of a recursive message prints itself for ever.
        let positions: Vec<usize> = self.positions().collect();
        f.debug_struct("JsonColumns").field("positions", &positions).finish()
    }
}

fn hash(column: JsonColumn, text: &str) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&column.number.to_be_bytes()).update(text.as_bytes());
    *hasher.finalize().as_bytes()
}

fn normal_hash(text: &str) -> Option<Hash> {
    let mut hasher = blake3::Hasher::new();
    json::normal_form(text, &mut |part| {
        hasher.update(part);
    })?;
    Some(*hasher.finalize().as_bytes())
}

#[derive(Debug, thiserror::Error)]
#[error("a write was decided on a long text that was not judged")]
struct Unjudged;

/// The error of a decision that meets a long text of which nothing is known. Nothing was written,
/// and no caller is told.
fn unjudged() -> Error {
    Error::internal(Unjudged)
}

/// Whether a write failed because a long text was not judged before.
pub(super) fn is_unjudged(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<Unjudged>())
}
