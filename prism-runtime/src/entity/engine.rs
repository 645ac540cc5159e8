//! Bound methods: a request's bytes in, a reply out.

mod check;

use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint, key_len};
use prost_reflect::MessageDescriptor;

use super::batch::{self, Batch, MAX_ANSWER_BYTES, MAX_BATCH_KEYS};
use super::beside::{INLINE_JSON, INLINE_REQUEST, beside};
use super::collection::{Collection, WriteCall};
use super::decide::{Action, Mask, RequestId, RequestScope, Source, not_found};
use super::layout::JsonColumns;
use super::list::{Asked, ListCall, Names, PreparedList};
use super::record::{Key, Record, encode_values};
use super::request::{Request, RequestCodec};
use super::required::Required;
use super::wire::{Audience, WireRecord, delimited_len};
use crate::path;
use crate::schema::{Binding, Cardinality, Operation, Response, Role, Storage, Value};
use crate::service::{Context, Encoded, Reply};
use crate::store::StoreFuture;
use crate::store::entity::Page;
use crate::violations::{Place, Violations};
use crate::{Error, Result};
use check::Call;

/// Answers the calls of one bound method.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Method>);

#[derive(Debug)]
struct Method {
    collection: Arc<Collection>,
    /// Full name, which page tokens and request ids are bound to.
    name: String,
    binding: Binding,
    request: RequestCodec,
    /// What the request has to hold, the entity in it aside; none where that is nothing.
    required: Option<Required>,
}

impl Engine {
    /// Prepares a method. `name` is `package.Service/Method`; `input` describes its request.
    ///
    /// # Errors
    ///
    /// Where binding, request and entity do not fit each other.
    pub fn new(
        collection: Arc<Collection>,
        name: impl Into<String>,
        binding: Binding,
        input: &MessageDescriptor,
    ) -> Result<Self> {
        let request = RequestCodec::new(&collection.layout, &binding, input)?;
        let entity = binding.role(Role::Entity).map(|field| field.number);
        let required = Required::new(input, entity);
        let name = name.into();
        Ok(Engine(Arc::new(Method { collection, name, binding, request, required })))
    }

    /// Answers a call. The answer is ready where the store's is.
    pub fn call(&self, context: &Context, request: &Bytes) -> Reply {
        match self.0.read(request) {
            Err(error) => Reply::Ready(Err(error)),
            Ok(call) if self.0.is_long_request(&call.request) => {
                self.carry_out_beside(context, call)
            }
            Ok(call) => self.carry_out(context, call),
        }
    }

    fn carry_out(&self, context: &Context, call: Call) -> Reply {
        self.operate(context, call).unwrap_or_else(|error| Reply::Ready(Err(error)))
    }

    fn carry_out_beside(&self, context: &Context, call: Call) -> Reply {
        let (engine, context) = (self.clone(), context.clone());
        Reply::future(async move {
            match beside(move || Ok(engine.carry_out(&context, call))).await? {
                Reply::Ready(answer) => answer,
                Reply::Future(answer) => answer.await,
                Reply::Stream(_) | Reply::Opening(_) => {
                    Err(Error::internal("a bound method does not stream"))
                }
            }
        })
    }

    /// Each operation adds what it finds wrong with the request, and ends with all of it before
    /// the store is asked.
    fn operate(&self, context: &Context, call: Call) -> Result<Reply> {
        match self.0.binding.operation {
            Operation::Get => self.read(call),
            Operation::BatchGet => self.batch_get(call),
            Operation::List => self.list(context, call),
            Operation::Create => self.create(context, call),
            Operation::Put => self.put(call),
            Operation::Update => self.update(call),
            Operation::Delete => self.delete(call),
            Operation::Undelete => self.undelete(call),
        }
    }

    fn read(&self, call: Call) -> Result<Reply> {
        let collection = &self.0.collection;
        let Call { request, mut violations, .. } = call;
        self.check_key(&request.key, &mut violations);
        violations.finish()?;
        let view = collection.view(request.show_deleted);
        let found = collection.store.get(Key(request.key), view);
        Ok(self.answer(found, |method, found| {
            let record = found.ok_or_else(|| not_found(&method.collection.layout))?;
            method.encode(Some(record))
        }))
    }

    fn batch_get(&self, call: Call) -> Result<Reply> {
        let collection = &self.0.collection;
        let Call { request, mut violations, .. } = call;
        let keys = self.0.request.field(Role::Keys);
        if request.keys.len() > MAX_BATCH_KEYS {
            violations.push(keys.place(), batch::too_many(keys.name));
        }
        let scalars = self.0.request.keys_field(0).is_none();
        for (position, key) in request.keys.iter().enumerate() {
            if violations.is_full() {
                break;
            }
            // A scalar is always there: NULL is one that is at fault already.
            if scalars && key.iter().all(Value::is_null) {
                continue;
            }
            let at = |part: usize| self.place_in_batch(position, part);
            collection.check_key(key, at, &mut violations);
        }
        violations.finish()?;
        let mut batch = Batch::new();
        for key in request.keys {
            batch.push(key, keys.name)?;
        }
        let found = batch.read(collection, collection.view(request.show_deleted));
        Ok(self.answer(found, Method::encode_batch))
    }

    /// Where a part of a key of a BatchGet stands, and its path.
    fn place_in_batch(&self, position: usize, part: usize) -> (Place, String) {
        let keys = self.0.request.field(Role::Keys);
        let (place, path) = (keys.place().element(position), path::item(keys.name, position));
        match self.0.request.keys_field(part) {
            Some(field) => (place.part(field.number), path::join(&path, field.name)),
            None => (place, path),
        }
    }

    fn list(&self, context: &Context, call: Call) -> Result<Reply> {
        let method = &self.0;
        let Call { request, violations, .. } = call;
        let declared = method.request.conditions().zip(request.conditions);
        let conditions = declared
            .filter_map(|((condition, field), values)| {
                Some(Asked { condition, values: values?, field })
            })
            .collect();
        let prepared = PreparedList::new(
            &method.collection,
            ListCall {
                scope: [&method.name, context.caller().identity()],
                conditions,
                order_by: &request.order_by,
                page_size: request.page_size,
                page_token: &request.page_token,
                show_deleted: request.show_deleted,
                names: Names {
                    order_by: method.request.field(Role::OrderBy),
                    page_size: method.request.field(Role::PageSize),
                    page_token: method.request.field(Role::PageToken),
                },
            },
            violations,
        )?;
        let found = match &prepared.query {
            Some(query) => method.collection.store.list(query.clone()),
            None => StoreFuture::ready(Ok(Page::default())),
        };
        Ok(self.answer(found, move |method, page| method.encode_page(&prepared, page)))
    }

    fn create(&self, context: &Context, mut call: Call) -> Result<Reply> {
        let id = std::mem::take(&mut call.request.request_id);
        self.0.check_request_id(&id, &mut call.violations);
        let record = self.0.entity(&mut call)?;
        let request = self.request_id(context, id, &record);
        let write = self.write_call(Action::Create(record), &mut call);
        Ok(self.write(WriteCall { request, ..write }, call.violations))
    }

    fn put(&self, mut call: Call) -> Result<Reply> {
        let record = self.0.entity(&mut call)?;
        let write = self.write_call(Action::Put(record), &mut call);
        Ok(self.write(write, call.violations))
    }

    fn update(&self, mut call: Call) -> Result<Reply> {
        let record = self.0.entity(&mut call)?;
        // A mask that is refused names nothing.
        let mask = call.mask.take().unwrap_or_else(|| Mask::Fields(Vec::new()));
        let action = Action::Update { record, mask, allow_missing: call.request.allow_missing };
        let write = self.write_call(action, &mut call);
        Ok(self.write(write, call.violations))
    }

    fn delete(&self, mut call: Call) -> Result<Reply> {
        let action = Action::Delete { allow_missing: call.request.allow_missing };
        self.remove(action, &mut call)
    }

    fn undelete(&self, mut call: Call) -> Result<Reply> {
        self.remove(Action::Undelete, &mut call)
    }

    /// A write of the record with the request's key.
    fn remove(&self, action: Action, call: &mut Call) -> Result<Reply> {
        self.check_key(&call.request.key, &mut call.violations);
        let mut write = self.write_call(action, call);
        write.key = Some(Key(std::mem::take(&mut call.request.key)));
        Ok(self.write(write, std::mem::take(&mut call.violations)))
    }

    fn write_call(&self, action: Action, call: &mut Call) -> WriteCall {
        WriteCall {
            key: None,
            action,
            etag: std::mem::take(&mut call.request.etag),
            source: Source::Caller,
            entity: self.0.request.entity.clone(),
            mask: self.0.request.mask.clone(),
            request: None,
            if_created: std::mem::take(&mut call.if_created),
        }
    }

    fn write(&self, call: WriteCall, violations: Violations) -> Reply {
        self.answer(self.0.collection.write(call, violations), Method::encode)
    }

    fn check_key(&self, key: &[Value], violations: &mut Violations) {
        let at = |part: usize| {
            let field = self.0.request.key_field(part);
            (field.place(), field.name.to_owned())
        };
        self.0.collection.check_key(key, at, violations);
    }

    fn request_id(&self, context: &Context, id: String, record: &Record) -> Option<RequestId> {
        if id.is_empty() {
            return None;
        }
        let caller = context.caller().identity().to_owned();
        let scope = RequestScope { caller, method: self.0.name.clone(), id };
        let field = self.0.request.field(Role::RequestId).name.into();
        Some(RequestId { scope, content: content_hash(&self.0.collection, record), field })
    }

    /// Encodes what the store answers: now where it has, later where it will. Long JSON is converted
    /// beside.
    fn answer<T: Found>(
        &self,
        found: StoreFuture<T>,
        encode: impl FnOnce(&Method, T) -> Result<Encoded> + Send + 'static,
    ) -> Reply {
        match found {
            StoreFuture::Ready(result) => {
                match result.unwrap_or_else(|| Err(Error::internal("no answer"))) {
                    Err(error) => Reply::Ready(Err(error)),
                    Ok(found) if self.0.is_long(&found) => {
                        let method = Arc::clone(&self.0);
                        Reply::future(beside(move || encode(&method, found)))
                    }
                    Ok(found) => Reply::Ready(encode(&self.0, found)),
                }
            }
            StoreFuture::Pending(future) => {
                let method = Arc::clone(&self.0);
                Reply::future(async move {
                    let found = future.await?;
                    if method.is_long(&found) {
                        return Box::pin(beside(move || encode(&method, found))).await;
                    }
                    encode(&method, found)
                })
            }
        }
    }
}

/// What a store has found.
trait Found: Send + Unpin + 'static {
    /// Length of the JSON in it, in bytes.
    fn json_bytes(&self, columns: &JsonColumns) -> usize;
}

impl Found for Option<Record> {
    fn json_bytes(&self, columns: &JsonColumns) -> usize {
        self.as_ref().map_or(0, |record| columns.bytes(record))
    }
}

impl Found for Page {
    fn json_bytes(&self, columns: &JsonColumns) -> usize {
        self.records.iter().map(|record| columns.bytes(record)).sum()
    }
}

impl Method {
    /// Whether what was found takes long to be encoded.
    fn is_long(&self, found: &impl Found) -> bool {
        let json = &self.collection.layout.json;
        !json.is_empty()
            && !matches!(self.binding.response, Response::Empty)
            && found.json_bytes(json) > INLINE_JSON
    }

    /// Whether the entity in a request takes long to be decoded.
    fn is_long_request(&self, request: &Request) -> bool {
        let Some(entity) = &request.entity else { return false };
        entity.len() > INLINE_REQUEST && self.collection.codec.json_bytes(entity) > INLINE_REQUEST
    }

    /// The answer with an entity; without one where there was nothing to delete.
    fn encode(&self, record: Option<Record>) -> Result<Encoded> {
        let Some(record) = record else { return Ok(Encoded::default()) };
        let codec = &self.collection.codec;
        match self.binding.response {
            Response::Empty | Response::List { .. } => Ok(Encoded::default()),
            Response::Entity => {
                let record = self.prepare(record)?;
                let mut encoded =
                    Encoded::with_capacity(codec.encoded_len(&record, Audience::Caller));
                codec.encode(&record, Audience::Caller, encoded.buffer());
                Ok(encoded)
            }
            Response::Field(number) => {
                let record = self.prepare(record)?;
                let length = codec.encoded_len(&record, Audience::Caller);
                let mut encoded = Encoded::with_capacity(key_len(number) + delimited_len(length));
                self.append(number, &record, length, &mut encoded);
                Ok(encoded)
            }
        }
    }

    /// What was removed is returned as far as it can be read and fits an answer: it is gone.
    fn prepare(&self, record: Record) -> Result<WireRecord> {
        let Collection { codec, layout, .. } = &*self.collection;
        match self.binding.operation {
            Operation::Delete => {
                let mut removed = codec.prepare_removed(record);
                codec.shorten(&mut removed, layout.max_answer_bytes);
                Ok(removed)
            }
            _ => codec.prepare(record),
        }
    }

    fn encode_batch(&self, page: Page) -> Result<Encoded> {
        let Response::List { items, .. } = self.binding.response else {
            return Err(Error::internal("a batch is answered with a list"));
        };
        let mut encoded = Encoded::default();
        for record in batch::whole(&self.collection.layout, page)? {
            let record = self.collection.codec.prepare(record)?;
            let length = self.collection.codec.encoded_len(&record, Audience::Caller);
            let total = encoded.len() + key_len(items) + delimited_len(length);
            if total > MAX_ANSWER_BYTES {
                return Err(batch::too_large(
                    delimited_len(length) + key_len(items) > MAX_ANSWER_BYTES,
                ));
            }
            self.append(items, &record, length, &mut encoded);
        }
        Ok(encoded)
    }

    /// A page ends before a record that cannot be read; one that would begin with it fails, and
    /// its error says where the list goes on.
    fn encode_page(&self, list: &PreparedList, page: Page) -> Result<Encoded> {
        let Response::List { items, next_page_token } = self.binding.response else {
            return Err(Error::internal("a list is answered with a list"));
        };
        let mut encoded = Encoded::default();
        let mut more = page.more;
        let mut last = None;
        let mut records = page.records.into_iter();
        while let Some(record) = records.next() {
            let place = list.place(&record);
            let record = match self.collection.codec.prepare(record) {
                Ok(record) => record,
                Err(error) if last.is_none() => {
                    more |= records.len() > 0;
                    return Err(list.unreadable(&self.collection, error, more.then_some(&place)));
                }
                Err(_) => {
                    more = true;
                    break;
                }
            };
            let length = self.collection.codec.encoded_len(&record, Audience::Caller);
            let total = encoded.len() + key_len(items) + delimited_len(length);
            if !encoded.is_empty() && total > MAX_ANSWER_BYTES {
                more = true;
                break;
            }
            self.append(items, &record, length, &mut encoded);
            last = Some(place);
        }
        if let (true, Some(last)) = (more, last) {
            let token = list.token(&self.collection, &last)?;
            let buffer = encoded.buffer();
            encode_key(next_page_token, WireType::LengthDelimited, buffer);
            super::wire::put_delimited(token.as_bytes(), buffer);
        }
        Ok(encoded)
    }

    fn append(&self, number: u32, record: &WireRecord, length: usize, encoded: &mut Encoded) {
        let buffer = encoded.buffer();
        encode_key(number, WireType::LengthDelimited, buffer);
        encode_varint(length as u64, buffer);
        self.collection.codec.encode(record, Audience::Caller, buffer);
    }
}

/// A hash of what a Create writes, its key included. Maps have no order, so theirs does not
/// count.
fn content_hash(collection: &Collection, record: &Record) -> [u8; 32] {
    let mut bytes = Vec::new();
    for (column, value) in collection.entity().columns.iter().zip(&record.0) {
        match (column.cardinality, column.storage, value) {
            (Cardinality::Map, Storage::Binary, Value::Blob(raw)) => {
                let entries = sorted_entries(raw);
                encode_values([&Value::Blob(entries)], &mut bytes);
            }
            _ => encode_values([value], &mut bytes),
        }
    }
    *blake3::hash(&bytes).as_bytes()
}

/// The entries of an encoded map, sorted.
fn sorted_entries(raw: &[u8]) -> Vec<u8> {
    let mut reader = super::wire::Reader::new(raw);
    let mut entries = Vec::new();
    while let Ok(Some(entry)) = reader.next() {
        entries.push(entry.raw);
    }
    entries.sort_unstable();
    entries.concat()
}
