//! A page of items on its way from a store's rows into an encoded response.

use std::ops::ControlFlow;

use bytes::BufMut;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::decide::Current;
use super::limits::PAGE_BYTES;
use super::selection::Selection;
use crate::proto::common::ItemMetadata;
use crate::service::Encoded;

/// Room for the longest page token: a sealed id and key.
const TOKEN_BYTES: usize = 2304;

/// A read that a store is to do, with the page that it fills.
#[derive(Debug)]
pub struct PageRead {
    /// Which items.
    pub query: Query,
    /// Where they go.
    pub page: Page,
}

/// Which items a page is made of.
#[derive(Debug)]
pub struct Query {
    /// The namespace.
    pub namespace: String,
    /// The record; absent: every record of the namespace.
    pub id: Option<String>,
    /// Which of the items.
    pub selection: Selection,
    /// The server's time, in microseconds since the Unix epoch: what has expired is not found.
    pub now: i64,
}

/// How much an attempt at a page may look at before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    rows: u32,
    bytes: usize,
}

impl Effort {
    /// What an event loop may be kept waiting for: 128 rows, or 64 KiB of values.
    pub const SHORT: Effort = Effort { rows: 128, bytes: 64 << 10 };

    /// All that the page takes.
    pub const WHOLE: Effort = Effort { rows: u32::MAX, bytes: usize::MAX };

    /// As many rows as this, of any size.
    pub const fn rows(rows: u32) -> Self {
        Effort { rows, bytes: usize::MAX }
    }
}

/// The message that items go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `GetResponse`.
    Items,
    /// `ScanResponse`, which has the id with each item.
    Scanned,
}

/// A place in the order of id and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The record.
    pub id: String,
    /// The item.
    pub key: Vec<u8>,
}

/// An item as a store has it.
#[derive(Clone, Copy, Debug)]
pub struct StoredItem<'a> {
    /// The record.
    pub id: &'a str,
    /// The item's key.
    pub key: &'a [u8],
    /// The value; absent where the item is deleted.
    pub value: Option<&'a [u8]>,
    /// From when on it is gone.
    pub expires_at: Option<i64>,
    /// As it is read back.
    pub metadata: ItemMetadata,
}

/// A page that is being filled.
///
/// A page is one snapshot: all rows that it is offered are read as of one moment. An attempt that
/// looks at more than it may is given up as a whole, and the next one begins where the page does.
#[derive(Debug)]
pub struct Page {
    shape: Shape,
    body: Encoded,
    items: u64,
    limit: u64,
    /// The page holds what comes after it.
    start: Option<Position>,
    /// The last item of the page. What is passed over after it may be written before the next page is
    /// asked for, which begins here.
    position: Option<Position>,
    effort: Effort,
    looked_at: u32,
    /// Bytes of values that were looked at and not taken.
    passed: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The attempt was too long.
    GivenUp,
    /// Another item follows.
    Full,
    /// No item follows.
    Ended,
}

impl Page {
    /// An empty page that takes up to `limit` items after a position.
    pub fn new(shape: Shape, limit: u64, after: Option<Position>) -> Self {
        Page {
            shape,
            body: Encoded::default(),
            items: 0,
            limit,
            start: after,
            position: None,
            effort: Effort::WHOLE,
            looked_at: 0,
            passed: 0,
            state: State::Open,
        }
    }

    /// Begins an attempt, from the start of the page: what an earlier one was offered is gone.
    pub fn attempt(&mut self, effort: Effort) {
        self.body = Encoded::default();
        self.items = 0;
        self.position = None;
        self.effort = effort;
        self.looked_at = 0;
        self.passed = 0;
        self.state = State::Open;
    }

    /// After which row the page begins.
    pub fn after(&self) -> Option<&Position> {
        self.start.as_ref()
    }

    /// Rows after which it is known how the page ends, if all of them are ones that it takes.
    pub fn most_rows(&self) -> u64 {
        self.limit.saturating_add(1)
    }

    /// Rows that the attempt may look at.
    pub fn effort_rows(&self) -> u32 {
        self.effort.rows
    }

    /// Whether it is a response of a Scan.
    pub fn is_of_scan(&self) -> bool {
        self.shape == Shape::Scanned
    }

    /// Takes the next row in the order of id and key: a store offers every row that it finds,
    /// until it is told to stop. Rows that the query does not mean, and deleted and expired items,
    /// are passed over here.
    pub fn offer(&mut self, query: &Query, item: &StoredItem<'_>) -> ControlFlow<()> {
        if let Some(value) = item.value
            && is_visible(item, query.now)
            && query.selection.contains(item.key)
        {
            let encoded = EncodedItem::new(self.shape, item, value);
            if self.is_full_for(encoded.len()) {
                self.state = State::Full;
                return ControlFlow::Break(());
            }
            encoded.write(&mut self.body);
            self.items += 1;
            self.move_to(item);
        } else {
            self.passed += item.value.map_or(0, <[u8]>::len);
        }
        self.looked_at = self.looked_at.saturating_add(1);
        let bytes = self.body.len() + self.passed;
        if self.looked_at >= self.effort.rows || bytes >= self.effort.bytes {
            self.state = State::GivenUp;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// The store has no further row.
    pub fn end(&mut self) {
        self.state = State::Ended;
    }

    /// Whether it is known how the page ends.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Full | State::Ended)
    }

    /// Bytes that the page takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.body.capacity()
    }

    /// How many items the page holds.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Where the next page begins, if there is one.
    pub fn next(&self) -> Option<&Position> {
        self.position.as_ref().filter(|_| self.state == State::Full)
    }

    /// The encoded response, with the token of the next page.
    pub fn into_response(mut self, next_page_token: Option<&[u8]>) -> Encoded {
        if let Some(token) = next_page_token {
            put_bytes(2, token, self.body.buffer());
        }
        self.body
    }

    fn is_full_for(&self, bytes: usize) -> bool {
        self.items >= self.limit
            || (self.items > 0 && self.body.len() + bytes + TOKEN_BYTES > PAGE_BYTES)
    }

    fn move_to(&mut self, item: &StoredItem<'_>) {
        let position = self.position.get_or_insert_default();
        if self.shape == Shape::Scanned && position.id != item.id {
            item.id.clone_into(&mut position.id);
        }
        position.key.clear();
        position.key.extend_from_slice(item.key);
    }
}

impl Position {
    /// The position as bytes, for a page token.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 + self.id.len() + self.key.len());
        // An id is at most 512 bytes long.
        bytes.put_u16(u16::try_from(self.id.len()).unwrap_or(u16::MAX));
        bytes.put_slice(self.id.as_bytes());
        bytes.put_slice(&self.key);
        bytes
    }

    /// The position in a page token; `None` where the bytes are none.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (id, key) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some(Position { id: String::from_utf8(id.to_vec()).ok()?, key: key.to_vec() })
    }
}

fn is_visible(item: &StoredItem<'_>, now: i64) -> bool {
    let current =
        Current { token: 0, deleted: false, expires_at: item.expires_at, created_at_millis: 0 };
    current.is_visible(now)
}

/// An item with the lengths of its encoding. Tags are those of `Item`, `ScannedItem` and of the
/// first field of `GetResponse` and `ScanResponse`.
struct EncodedItem<'a> {
    shape: Shape,
    item: &'a StoredItem<'a>,
    value: &'a [u8],
    metadata: usize,
    inner: usize,
}

impl<'a> EncodedItem<'a> {
    fn new(shape: Shape, item: &'a StoredItem<'a>, value: &'a [u8]) -> Self {
        let metadata = item.metadata.encoded_len();
        let inner = bytes_len(item.key) + bytes_len(value) + message_len(metadata);
        EncodedItem { shape, item, value, metadata, inner }
    }

    /// Length of the entry of the repeated field.
    fn entry(&self) -> usize {
        match self.shape {
            Shape::Items => self.inner,
            Shape::Scanned => bytes_len(self.item.id.as_bytes()) + message_len(self.inner),
        }
    }

    fn len(&self) -> usize {
        message_len(self.entry())
    }

    fn write(&self, body: &mut Encoded) {
        if body.is_empty() {
            // Most pages are one item: room for just that.
            *body = Encoded::with_capacity(self.len());
        }
        let buffer = body.buffer();
        buffer.reserve(self.len());
        put_length(1, self.entry(), buffer);
        if self.shape == Shape::Scanned {
            put_bytes(1, self.item.id.as_bytes(), buffer);
            put_length(2, self.inner, buffer);
        }
        put_bytes(1, self.item.key, buffer);
        put_bytes(2, self.value, buffer);
        put_length(3, self.metadata, buffer);
        self.item.metadata.encode_raw(buffer);
    }
}

/// All tags here are below 16, so every key is one byte.
fn message_len(length: usize) -> usize {
    key_len(1) + encoded_len_varint(length as u64) + length
}

fn bytes_len(bytes: &[u8]) -> usize {
    if bytes.is_empty() { 0 } else { message_len(bytes.len()) }
}

fn put_length(tag: u32, length: usize, buffer: &mut impl BufMut) {
    encode_key(tag, WireType::LengthDelimited, buffer);
    encode_varint(length as u64, buffer);
}

fn put_bytes(tag: u32, bytes: &[u8], buffer: &mut impl BufMut) {
    if !bytes.is_empty() {
        put_length(tag, bytes.len(), buffer);
        buffer.put_slice(bytes);
    }
}
