//! Bound methods: a request's bytes in, a reply out.

mod check;

use std::sync::Arc;

use bytes::Bytes;
use prost::encoding::{WireType, encode_key, encode_varint, key_len};
use prost_reflect::MessageDescriptor;

use super::batch::{self, Batch, MAX_ANSWER_BYTES, MAX_BATCH_KEYS};
use super::beside::{INLINE_JSON, INLINE_REQUEST, beside};
use super::collection::{Collection, WriteCall};
use super::decide::{Action, RequestId, RequestScope, Source, not_found};
use super::layout::JsonColumns;
use super::list::{Asked, ListCall, Names, PreparedList};
use super::mask::parse_mask;
use super::record::{Key, Record, encode_values};
use super::request::{Request, RequestCodec};
use super::required::Required;
use super::wire::{Audience, WireRecord, delimited_len};
use crate::schema::{Binding, Cardinality, Operation, Response, Role, Storage, Value};
use crate::service::{Context, Encoded, Reply};
use crate::store::StoreFuture;
use crate::store::entity::Page;
use crate::{Error, Result, Violation};

/// Length of a `request_id` at most, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

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
        match self.0.request.decode(request) {
            Err(error) => Reply::Ready(Err(error)),
            Ok(parsed) if self.0.is_long_request(&parsed) => {
                self.carry_out_beside(context, request, parsed)
            }
            Ok(parsed) => self.carry_out(context, request, parsed),
        }
    }

    fn carry_out(&self, context: &Context, request: &Bytes, parsed: Request) -> Reply {
        let checked = self.0.check_required(request, &parsed);
        let reply = checked.and_then(|if_created| self.operate(context, parsed, if_created));
        reply.unwrap_or_else(|error| Reply::Ready(Err(error)))
    }

    fn carry_out_beside(&self, context: &Context, request: &Bytes, parsed: Request) -> Reply {
        let (engine, context, request) = (self.clone(), context.clone(), request.clone());
        Reply::future(async move {
            let carry_out = move || Ok(engine.carry_out(&context, &request, parsed));
            match beside(carry_out).await? {
                Reply::Ready(answer) => answer,
                Reply::Future(answer) => answer.await,
                Reply::Stream(_) | Reply::Opening(_) => {
                    Err(Error::internal("a bound method does not stream"))
                }
            }
        })
    }

    fn operate(
        &self,
        context: &Context,
        request: Request,
        if_created: Vec<Violation>,
    ) -> Result<Reply> {
        match self.0.binding.operation {
            Operation::Get => self.read(request),
            Operation::BatchGet => self.batch_get(request),
            Operation::List => self.list(context, request),
            Operation::Create => self.create(context, request),
            Operation::Put => self.put(request),
            Operation::Update => self.update(request, if_created),
            Operation::Delete => self.delete(request),
            Operation::Undelete => self.undelete(request),
        }
    }

    fn read(&self, request: Request) -> Result<Reply> {
        let collection = &self.0.collection;
        self.check_key(&request.key)?;
        let view = collection.view(request.show_deleted);
        let found = collection.store.get(Key(request.key), view);
        Ok(self.answer(found, |method, found| {
            let record = found.ok_or_else(|| not_found(&method.collection.layout))?;
            method.encode(Some(record))
        }))
    }

    fn batch_get(&self, request: Request) -> Result<Reply> {
        let collection = &self.0.collection;
        let name = self.0.request.name_of(Role::Keys);
        let mut batch = Batch::new();
        if request.keys.len() > MAX_BATCH_KEYS {
            return Err(batch::too_many(name));
        }
        for (position, key) in request.keys.into_iter().enumerate() {
            collection.check_key(&key, |part| {
                let whole = format!("{name}[{position}]");
                if self.0.collection.layout.key.len() == 1 {
                    whole.into()
                } else {
                    format!("{whole}.{}", collection.key_field(part)).into()
                }
            })?;
            batch.push(key, name)?;
        }
        let found = batch.read(collection, collection.view(request.show_deleted));
        Ok(self.answer(found, Method::encode_batch))
    }

    fn list(&self, context: &Context, request: Request) -> Result<Reply> {
        let method = &self.0;
        let declared = method.request.conditions().zip(request.conditions);
        let conditions = declared
            .filter_map(|((condition, name), values)| {
                Some(Asked { condition, values: values?, name })
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
                    order_by: method.request.name_of(Role::OrderBy),
                    page_size: method.request.name_of(Role::PageSize),
                    page_token: method.request.name_of(Role::PageToken),
                },
            },
        )?;
        let found = match &prepared.query {
            Some(query) => method.collection.store.list(query.clone()),
            None => StoreFuture::ready(Ok(Page::default())),
        };
        Ok(self.answer(found, move |method, page| method.encode_page(&prepared, page)))
    }

    fn create(&self, context: &Context, mut request: Request) -> Result<Reply> {
        let record = self.entity(&mut request)?;
        let id = std::mem::take(&mut request.request_id);
        let request_id = self.request_id(context, &id, &record)?;
        let mut call = self.write_call(Action::Create(record), request.etag);
        call.request = request_id;
        Ok(self.write(call))
    }

    fn put(&self, mut request: Request) -> Result<Reply> {
        let record = self.entity(&mut request)?;
        Ok(self.write(self.write_call(Action::Put(record), request.etag)))
    }

    fn update(&self, mut request: Request, if_created: Vec<Violation>) -> Result<Reply> {
        let record = self.entity(&mut request)?;
        let name = self.0.request.name_of(Role::UpdateMask);
        let mask = parse_mask(&self.0.collection, request.update_mask.as_deref(), name)?;
        let action = Action::Update { record, mask, allow_missing: request.allow_missing };
        let call = self.write_call(action, request.etag);
        Ok(self.write(WriteCall { if_created, ..call }))
    }

    fn delete(&self, request: Request) -> Result<Reply> {
        self.check_key(&request.key)?;
        let action = Action::Delete { allow_missing: request.allow_missing };
        let mut call = self.write_call(action, request.etag);
        call.key = Some(Key(request.key));
        Ok(self.write(call))
    }

    fn undelete(&self, request: Request) -> Result<Reply> {
        self.check_key(&request.key)?;
        let mut call = self.write_call(Action::Undelete, request.etag);
        call.key = Some(Key(request.key));
        Ok(self.write(call))
    }

    fn write_call(&self, action: Action, etag: String) -> WriteCall {
        WriteCall {
            key: None,
            action,
            etag,
            source: Source::Caller,
            path: Arc::clone(&self.0.request.entity_path),
            mask_path: Arc::clone(&self.0.request.mask_path),
            request: None,
            if_created: Vec::new(),
        }
    }

    fn write(&self, call: WriteCall) -> Reply {
        self.answer(self.0.collection.write(call), Method::encode)
    }

    fn entity(&self, request: &mut Request) -> Result<Record> {
        let path = &self.0.request.entity_path;
        let Some(bytes) = request.entity.take() else {
            return Err(Error::invalid_field(&**path, "is required"));
        };
        self.0.collection.codec.decode(&bytes, path)
    }

    fn check_key(&self, key: &[Value]) -> Result<()> {
        self.0.collection.check_key(key, |part| self.0.request.key_name(part).into())
    }

    fn request_id(
        &self,
        context: &Context,
        id: &str,
        record: &Record,
    ) -> Result<Option<RequestId>> {
        if id.is_empty() {
            return Ok(None);
        }
        if id.len() > MAX_REQUEST_ID_BYTES {
            let what = format!("has {} bytes, the limit is {MAX_REQUEST_ID_BYTES}", id.len());
            let name = self.0.request.name_of(Role::RequestId);
            return Err(Error::invalid(vec![Violation::too_large(name, what)]));
        }
        let scope = RequestScope {
            caller: context.caller().identity().to_owned(),
            method: self.0.name.clone(),
            id: id.to_owned(),
        };
        let field = self.0.request.name_of(Role::RequestId).into();
        Ok(Some(RequestId { scope, content: content_hash(&self.0.collection, record), field }))
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
