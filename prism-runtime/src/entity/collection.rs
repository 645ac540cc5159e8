//! One entity, served: what every operation needs, whether a call or the service's own code asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost_reflect::DescriptorPool;

use super::beside::beside;
use super::decide::{
    Action, Command, Mask, RequestId, RequestPath, Source, clear_output_only_id, is_empty_key,
};
use super::json::{SHORT_TEXT, is_unjudged};
use super::layout::{DEFAULT_MESSAGE_BYTES, Layout};
use super::record::{Key, Record};
use super::required::Required;
use super::size::{Counted, MAX_INDEXED_BYTES, check_size};
use super::wire::Codec;
use crate::clock::Clock;
use crate::memory::charge;
use crate::page_token::PageTokens;
use crate::path;
use crate::schema::sql::Visibility;
use crate::schema::{Access, Column, Entity, Storage, Value};
use crate::store::StoreFuture;
use crate::store::entity::{EntityBackend, EntityStore, HOLDS_NUL, View, Write, written_bytes};
use crate::violations::{Place, Violations};
use crate::{Error, Reason, Result, Violation};

/// How often a write is handed in again because the record has another long JSON text than before.
const TRIES: usize = 8;
/// When such a write is worth another try.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// What the entities of a proxy share.
#[derive(Clone)]
pub struct Shared {
    /// Descriptors of every message of the schema.
    pub pool: DescriptorPool,
    /// Seals page tokens.
    pub tokens: Arc<PageTokens>,
    /// Tells the time.
    pub clock: Clock,
}

/// An entity with its store.
pub struct Collection {
    pub(crate) layout: Arc<Layout>,
    pub(crate) codec: Codec,
    pub(crate) store: Arc<dyn EntityStore>,
    pub(crate) shared: Shared,
    /// What a record has to hold; none where that is nothing.
    pub(crate) required: Option<Required>,
    etags: Etags,
}

impl Collection {
    /// Opens an entity on a backend that has its table.
    ///
    /// # Errors
    ///
    /// Where the descriptors lack the entity's message, or the backend cannot serve it.
    pub fn open(entity: Entity, backend: &dyn EntityBackend, shared: Shared) -> Result<Arc<Self>> {
        Collection::open_limited(entity, backend, shared, DEFAULT_MESSAGE_BYTES)
    }

    /// Opens an entity whose records fit an answer of so many bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Collection::open`].
    pub fn open_limited(
        entity: Entity,
        backend: &dyn EntityBackend,
        shared: Shared,
        max_message_bytes: usize,
    ) -> Result<Arc<Self>> {
        let layout = Layout::new(entity).with_descriptors(&shared.pool);
        let layout = Arc::new(layout.with_limit(max_message_bytes));
        let codec = Codec::new(Arc::clone(&layout), &shared.pool)?;
        let message = shared.pool.get_message_by_name(&layout.entity.message);
        let required = message.and_then(|message| Required::new(&message, None));
        let store = backend.open(Arc::clone(&layout))?;
        let etags = Etags::new()?;
        Ok(Arc::new(Collection { layout, codec, store, shared, required, etags }))
    }

    /// The entity.
    pub fn entity(&self) -> &Entity {
        &self.layout.entity
    }

    /// Removes up to `limit` records that have expired; answers with how many rows that were, as
    /// many as `limit` where more may be left. Other writes wait for it: callers pause between two
    /// batches. To be called now and then: expired records are hidden already.
    ///
    /// # Errors
    ///
    /// Those of the store. What was removed before stays removed.
    pub async fn sweep(&self, limit: usize) -> Result<usize> {
        self.store.sweep(self.shared.clock.now_micros(), limit).await
    }

    pub(crate) fn view(&self, show_deleted: bool) -> View {
        View {
            visibility: if show_deleted { Visibility::Kept } else { Visibility::Live },
            now_micros: self.shared.clock.now_micros(),
        }
    }

    /// Checks a key whose parts stand at these places of the request. A part that already has a
    /// violation gets no second one. Returns whether the key alone is too large.
    pub(crate) fn check_key(
        &self,
        key: &[Value],
        at: impl Fn(usize) -> (Place, String),
        violations: &mut Violations,
    ) -> bool {
        for (part, value) in key.iter().enumerate() {
            let what = match is_empty_key(value) {
                true => Some("is part of the key and empty"),
                false => self.unstorable(value),
            };
            let Some(what) = what else { continue };
            let (place, path) = at(part);
            if !violations.contains(place) {
                violations.push(place, Violation::new(path, what));
            }
        }
        let size: usize = key.iter().map(Value::size).sum();
        if size <= MAX_INDEXED_BYTES {
            return false;
        }
        let largest = (0..key.len()).max_by_key(|&part| key[part].size()).unwrap_or(0);
        let what = format!("the key has {size} bytes, the limit is {MAX_INDEXED_BYTES}");
        let (place, path) = at(largest);
        violations.push(place, Violation::too_large(path, what));
        true
    }

    /// What an encoded entity leaves out of what a write has to set.
    ///
    /// # Errors
    ///
    /// Bytes that are no message.
    pub(crate) fn missing(
        &self,
        entity: &[u8],
        path: &str,
        written: Written<'_>,
        source: Source,
        violations: &mut Violations,
    ) -> Result<()> {
        let Some(required) = &self.required else { return Ok(()) };
        let counts = |number: u32| {
            let Some(position) = self.layout.entity.position(number) else { return false };
            let column = &self.layout.entity.columns[position];
            let ignored = column.access == Access::OutputOnly && source == Source::Caller;
            let named = match written {
                Written::Created => self.layout.id != Some(position),
                Written::Whole => true,
                Written::Fields(fields) => names(fields, position),
            };
            named && !ignored && !self.layout.is_server_set(position)
        };
        Ok(required.check(entity, path, counts, violations)?)
    }

    /// Why a value of a key or a condition is none that the store takes.
    pub(crate) fn unstorable(&self, value: &Value) -> Option<&'static str> {
        let Value::Text(text) = value else { return None };
        (self.store.refuses_nul() && text.contains('\0')).then_some(HOLDS_NUL)
    }

    /// What is wrong with the value of a column that the store does not take, and where in the
    /// entity.
    fn unstorable_in(&self, column: &Column, value: &Value) -> Option<(String, &'static str)> {
        match value {
            Value::Text(json) if column.storage == Storage::Json => (self.store.refuses_nul()
                && escapes_nul(json))
            .then(|| (self.codec.path_of_nul(column, json), HOLDS_NUL)),
            value => self.unstorable(value).map(|what| (column.field.clone(), what)),
        }
    }

    /// Hands a write to the store, unless something is wrong with it: what was found so far and
    /// what is found here is one error.
    pub(crate) fn write(
        self: &Arc<Self>,
        call: WriteCall,
        violations: Violations,
    ) -> StoreFuture<Option<Record>> {
        let write = match self.prepare(call, violations) {
            Ok(write) => write,
            Err(error) => return StoreFuture::ready(Err(error)),
        };
        if !self.may_be_unjudged(&write) {
            return self.store.write(write);
        }
        if let Err(error) = charge(written_bytes(&write)) {
            return StoreFuture::ready(Err(error));
        }
        let again = write.clone();
        match self.store.write(write) {
            StoreFuture::Ready(Some(Err(error))) if is_unjudged(&error) => {
                StoreFuture::pending(Arc::clone(self).write_again(again))
            }
            StoreFuture::Ready(result) => StoreFuture::Ready(result),
            StoreFuture::Pending(written) => {
                let collection = Arc::clone(self);
                StoreFuture::pending(async move {
                    match written.await {
                        Err(error) if is_unjudged(&error) => {
                            Box::pin(collection.write_again(again)).await
                        }
                        result => result,
                    }
                })
            }
        }
    }

    /// Whether a decision on a write may need to know of a long JSON text that is not judged.
    fn may_be_unjudged(&self, write: &Write) -> bool {
        let json = &self.layout.json;
        match &write.command.action {
            Action::Delete { .. } => false,
            Action::Create(record) => json.bytes(record) > SHORT_TEXT,
            Action::Put(_) | Action::Update { .. } | Action::Undelete => !json.is_empty(),
        }
    }

    /// Judges the long JSON texts of a write and of the record that it is for, beside the event
    /// loops, and hands the write in again.
    async fn write_again(self: Arc<Self>, write: Write) -> Result<Option<Record>> {
        for _ in 0..TRIES {
            let view = View { visibility: Visibility::All, now_micros: write.command.now_micros };
            let current = self.store.get(write.key.clone(), view).await?;
            let (collection, judged) = (Arc::clone(&self), write.clone());
            beside(move || {
                let sent = match &judged.command.action {
                    Action::Create(record) | Action::Put(record) => Some(record),
                    Action::Update { record, .. } => Some(record),
                    Action::Delete { .. } | Action::Undelete => None,
                };
                let texts = sent.into_iter().chain(&current);
                texts.for_each(|record| collection.layout.json.judge(record));
                Ok(())
            })
            .await?;
            match self.store.write(write.clone()).await {
                Err(error) if is_unjudged(&error) => {}
                result => return result,
            }
        }
        let message = "the record is changed by others faster than it can be read";
        Err(Error::new(Reason::Conflict, message).with_retry_after(RETRY_AFTER))
    }

    fn prepare(&self, mut call: WriteCall, mut violations: Violations) -> Result<Write> {
        if let Action::Create(record) = &mut call.action {
            if call.source == Source::Caller {
                clear_output_only_id(&self.layout, record);
            }
            self.fill_id(record);
        }
        let (key, expected_etag) = match &call.action {
            Action::Create(record) => (self.layout.key_of(record), None),
            Action::Put(record) | Action::Update { record, .. } => {
                let etag = std::mem::take(&mut call.etag);
                let etag = self.expected_etag(record, etag, &call.entity, &mut violations);
                (self.layout.key_of(record), etag)
            }
            Action::Delete { .. } | Action::Undelete => (
                call.key.take().unwrap_or_else(|| Key(Vec::new())),
                (!call.etag.is_empty()).then(|| std::mem::take(&mut call.etag)),
            ),
        };
        self.check_written(&mut call, &key, &mut violations)?;
        violations.finish()?;
        let command = Command {
            action: call.action,
            expected_etag,
            new_etag: self.etags.next(),
            now_micros: self.shared.clock.now_micros(),
            source: call.source,
            entity: call.entity,
            if_created: call.if_created,
            mask: call.mask,
        };
        Ok(Write { key, command, request: call.request })
    }

    /// Checks what a write sets: the key, texts and sizes. What it sets only if it creates the
    /// record is wrong only then.
    fn check_written(
        &self,
        call: &mut WriteCall,
        key: &Key,
        violations: &mut Violations,
    ) -> Result<()> {
        let (record, mask, creates) = match &call.action {
            Action::Create(record) | Action::Put(record) => (record, &Mask::All, false),
            Action::Update { record, mask, allow_missing } => (record, mask, *allow_missing),
            Action::Delete { .. } | Action::Undelete => return Ok(()),
        };
        let layout = &self.layout;
        let at = |part: usize| match layout.column(layout.key[part]) {
            Some(column) => call.entity.column(column),
            None => (call.entity.place(), call.entity.path.to_string()),
        };
        let large_key = self.check_key(&key.0, at, violations);
        let sent = Sent { layout, mask, source: call.source };
        if self.store.refuses_nul() {
            for (position, column) in layout.entity.columns.iter().enumerate() {
                let found = self.unstorable_in(column, &record.0[position]);
                let Some((path, what)) = found else { continue };
                let violation = Violation::new(path::join(&call.entity.path, &path), what);
                let (place, _) = call.entity.column(column);
                match sent.sets(position) {
                    _ if layout.is_key(position) || sent.keeps(position) => {}
                    true => violations.push(place, violation),
                    false if creates => call.if_created.push(place, violation),
                    false => {}
                }
            }
        }
        if !large_key {
            let counts = |position: usize| layout.is_key(position) || sent.sets(position);
            let counted = match mask {
                Mask::All => Counted { counts: &counts, sent: &counts },
                Mask::Fields(_) => Counted { counts: &counts, sent: &|at| sent.sets(at) },
            };
            match check_size(layout, record, counted, &call.entity, violations) {
                // What was read of the request has been forgotten since.
                Err(error) if is_unjudged(&error) => {
                    layout.json.judge(record);
                    check_size(layout, record, counted, &call.entity, violations)?;
                }
                checked => checked?,
            }
        }
        Ok(())
    }

    /// The entity's name of a part of the key.
    pub(crate) fn key_field(&self, part: usize) -> &str {
        let position = self.layout.key[part];
        self.layout.column(position).map_or("", |column| &column.field)
    }

    /// Chooses a managed id that is empty.
    pub(crate) fn fill_id(&self, record: &mut Record) {
        if let Some(position) = self.layout.id
            && is_empty_key(&record.0[position])
        {
            record.0[position] = Value::Text(uuid::Uuid::now_v7().to_string());
        }
    }

    /// The etag that the entity or the request carries. None sent is unconditional.
    fn expected_etag(
        &self,
        record: &Record,
        sent: String,
        entity: &RequestPath,
        violations: &mut Violations,
    ) -> Option<String> {
        let position = self.layout.etag?;
        let own = match &record.0[position] {
            Value::Text(etag) if !etag.is_empty() => Some(etag.clone()),
            _ => None,
        };
        if sent.is_empty() {
            return own;
        }
        if let (Some(own), Some(column)) = (own, self.layout.column(position))
            && own != sent
        {
            let (place, path) = entity.column(column);
            violations.push(place, Violation::new(path, "differs from the request's own etag"));
        }
        Some(sent)
    }
}

/// Whether JSON holds a NUL, which is written `\u0000` behind an even number of backslashes.
fn escapes_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\');
        before.count() % 2 == 0
    })
}

impl std::fmt::Debug for Collection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collection").field("entity", &self.layout.entity.message).finish()
    }
}

/// A write as a call asks for it.
pub(crate) struct WriteCall {
    /// Of Delete and Undelete; the others have it in their record.
    pub key: Option<Key>,
    pub action: Action,
    /// The request's own etag; empty where it has none.
    pub etag: String,
    pub source: Source,
    /// The entity in the request.
    pub entity: RequestPath,
    /// The update mask in the request.
    pub mask: RequestPath,
    pub request: Option<RequestId>,
    /// As [`Command::if_created`].
    pub if_created: Violations,
}

/// What the request of a write sets.
struct Sent<'a> {
    layout: &'a Layout,
    mask: &'a Mask,
    source: Source,
}

impl Sent<'_> {
    /// Whether a column gets the value of the request.
    fn sets(&self, position: usize) -> bool {
        let named = match self.mask {
            Mask::All => true,
            Mask::Fields(fields) => names(fields, position),
        };
        named && !self.keeps(position)
    }

    /// Whether what the request says of a column is ignored.
    fn keeps(&self, position: usize) -> bool {
        let column = self.layout.column(position);
        let output_only = column.is_some_and(|column| column.access == Access::OutputOnly);
        self.layout.is_server_set(position) || output_only && self.source == Source::Caller
    }
}

/// Whether a mask names a column.
fn names(fields: &[(usize, usize)], position: usize) -> bool {
    fields.binary_search_by_key(&position, |(named, _)| *named).is_ok()
}

/// The fields of an entity that a write sets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written<'a> {
    /// All, and a managed id that is empty gets a value.
    Created,
    /// All.
    Whole,
    /// Those at these positions, as in [`Mask::Fields`].
    Fields(&'a [(usize, usize)]),
}

/// Makes etags that are never used twice, and that say nothing.
struct Etags {
    key: [u8; 32],
    count: AtomicU64,
}

impl Etags {
    fn new() -> Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Etags { key, count: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.key, &count.to_be_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_bytes()[..12])
    }
}
