//! Typed access to an entity for the service's own code.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Entity;
use super::batch::{self, Batch, MAX_ANSWER_BYTES};
use super::collection::{Collection, WriteCall, Written};
use super::decide::{Action, Mask, RequestPath, Source, not_found};
use super::key::{IntoKey, Part};
use super::list::{Asked, ListCall, Names, PreparedList};
use super::mask::parse_mask;
use super::record::{Key, Record};
use super::request::Named;
use super::wire::{Audience, Finer, WireRecord};
use crate::schema::Value;
use crate::schema::plan::{Comparison, Condition};
use crate::violations::{Place, Violations};
use crate::{Error, Result, Violation};

/// The entities of a proxy, by message.
#[derive(Debug, Default)]
pub struct Stores(HashMap<String, Arc<Collection>>);

impl Stores {
    /// Of these entities.
    pub fn new(collections: impl IntoIterator<Item = Arc<Collection>>) -> Self {
        let by_message =
            |collection: Arc<Collection>| (collection.entity().message.clone(), collection);
        Stores(collections.into_iter().map(by_message).collect())
    }

    /// An entity by the full name of its message.
    pub fn collection(&self, message: &str) -> Option<&Arc<Collection>> {
        self.0.get(message)
    }

    /// Every entity, in no order: for the sweep.
    pub fn collections(&self) -> impl Iterator<Item = &Arc<Collection>> {
        self.0.values()
    }

    /// Typed access to an entity. `caller` is what its page tokens are bound to.
    ///
    /// # Errors
    ///
    /// INTERNAL where the proxy does not serve the entity.
    pub fn store<E: Entity>(&self, caller: &str) -> Result<Store<E>> {
        let message = &E::schema().message;
        let collection = self.collection(message).ok_or_else(|| {
            Error::internal(format!("{message} is not an entity that this proxy serves"))
        })?;
        Ok(Store {
            collection: Arc::clone(collection),
            caller: caller.to_owned(),
            entity: PhantomData,
        })
    }
}

/// The records of an entity, as the service's own code uses them.
///
/// What it does is what the RPCs of the same names do, with two differences: output-only fields
/// are written, and input-only fields are read. Errors are those of the RPCs, so that a handler
/// may pass them on.
pub struct Store<E> {
    collection: Arc<Collection>,
    caller: String,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> Store<E> {
    /// The record with a key.
    ///
    /// # Errors
    ///
    /// RECORD_NOT_FOUND where there is none, it is deleted or has expired.
    pub async fn get(&self, key: impl IntoKey) -> Result<E> {
        let key = self.key(key)?;
        let found = self.collection.store.get(key, self.collection.view(false)).await?;
        self.read(found.ok_or_else(|| not_found(&self.collection.layout))?)
    }

    /// The records with these keys, as of one moment: in their order, each once, absent ones left
    /// out. At most 1,000 keys, and records of 1 MiB together, or of 8 MiB as they are stored.
    ///
    /// # Errors
    ///
    /// VALUE_TOO_LARGE: INVALID_ARGUMENT of more keys, RESOURCE_EXHAUSTED of larger records.
    pub async fn batch_get<K: IntoKey>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<E>> {
        let mut batch = Batch::new();
        for key in keys {
            batch.push(self.key(key)?.0, "keys")?;
        }
        let found = batch.read(&self.collection, self.collection.view(false)).await?;
        let codec = &self.collection.codec;
        let mut records = Vec::with_capacity(found.records.len());
        let mut bytes = 0;
        for record in batch::whole(&self.collection.layout, found)? {
            let record = codec.prepare(record)?;
            let length = codec.encoded_len(&record, Audience::Service);
            bytes += length;
            if bytes > MAX_ANSWER_BYTES {
                return Err(batch::too_large(length > MAX_ANSWER_BYTES));
            }
            records.push(self.entity(&record)?);
        }
        Ok(records)
    }

    /// A list, to be narrowed and sent.
    pub fn list(&self) -> List<'_, E> {
        List {
            store: self,
            conditions: Vec::new(),
            order_by: String::new(),
            page_size: 0,
            page_token: String::new(),
            show_deleted: false,
        }
    }

    /// Writes a new record; answers with it as stored. A managed id is filled in where empty.
    ///
    /// # Errors
    ///
    /// RECORD_EXISTS or UNIQUE_VIOLATION.
    pub async fn create(&self, entity: &E) -> Result<E> {
        let mut violations = Violations::default();
        let record = self.record(entity, Written::Created, &mut violations)?;
        self.write(None, Action::Create(record), violations).await
    }

    /// Inserts or replaces a whole record; answers with it as stored.
    ///
    /// # Errors
    ///
    /// ETAG_MISMATCH where the entity carries an etag that is not the record's.
    pub async fn put(&self, entity: &E) -> Result<E> {
        let mut violations = Violations::default();
        let record = self.record(entity, Written::Whole, &mut violations)?;
        self.write(None, Action::Put(record), violations).await
    }

    /// Writes the named fields of a record, `["*"]` for all; answers with the whole record.
    ///
    /// # Errors
    ///
    /// RECORD_NOT_FOUND, or ETAG_MISMATCH where the entity carries an etag that is not the
    /// record's.
    pub async fn update(&self, entity: &E, fields: &[&str]) -> Result<E> {
        let paths: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        let mut violations = Violations::default();
        let mask = parse_mask(&self.collection, Some(&paths), MASK);
        let mask = violations.absorb(Place::field(MASK_NUMBER), mask)?;
        let mask = mask.unwrap_or_else(|| Mask::Fields(Vec::new()));
        let written = match &mask {
            Mask::All => Written::Whole,
            Mask::Fields(fields) => Written::Fields(fields),
        };
        let record = self.record(entity, written, &mut violations)?;
        self.write(None, Action::Update { record, mask, allow_missing: false }, violations).await
    }

    /// Removes a record, or hides it where the entity has a delete time; answers with it as it
    /// then is, or was.
    ///
    /// # Errors
    ///
    /// RECORD_NOT_FOUND.
    pub async fn delete(&self, key: impl IntoKey) -> Result<E> {
        let key = self.key(key)?;
        self.write(Some(key), Action::Delete { allow_missing: false }, Violations::default()).await
    }

    /// Brings a hidden record back.
    ///
    /// # Errors
    ///
    /// RECORD_NOT_FOUND, RECORD_EXISTS where it is not hidden, UNIQUE_VIOLATION where another
    /// record has taken a unique value since.
    pub async fn undelete(&self, key: impl IntoKey) -> Result<E> {
        let key = self.key(key)?;
        self.write(Some(key), Action::Undelete, Violations::default()).await
    }

    async fn write(&self, key: Option<Key>, action: Action, violations: Violations) -> Result<E> {
        let call = WriteCall {
            key,
            action,
            etag: String::new(),
            source: Source::Service,
            entity: RequestPath::default(),
            mask: RequestPath { number: MASK_NUMBER, path: MASK.into() },
            request: None,
            if_created: Violations::default(),
        };
        let removes = matches!(call.action, Action::Delete { .. });
        let written = self.collection.write(call, violations).await?;
        let record = written.ok_or_else(|| not_found(&self.collection.layout))?;
        if removes {
            return self.entity(&self.collection.codec.prepare_removed(record));
        }
        self.read(record)
    }

    fn record(
        &self,
        entity: &E,
        written: Written<'_>,
        violations: &mut Violations,
    ) -> Result<Record> {
        let message = entity.encode_to_vec();
        self.collection.missing(&message, "", written, Source::Service, violations)?;
        self.collection.codec.decode_checked(&message, &RequestPath::default(), violations)
    }

    fn read(&self, record: Record) -> Result<E> {
        self.entity(&self.collection.codec.prepare(record)?)
    }

    fn entity(&self, record: &WireRecord) -> Result<E> {
        let codec = &self.collection.codec;
        let mut message = Vec::with_capacity(codec.encoded_len(record, Audience::Service));
        codec.encode(record, Audience::Service, &mut message);
        E::decode(&*message).map_err(Error::internal)
    }

    fn key(&self, key: impl IntoKey) -> Result<Key> {
        let parts = key.into_parts();
        let layout = &self.collection.layout;
        if parts.len() != layout.key.len() {
            let what = format!(
                "{} has {} key fields, {} were given",
                layout.entity.message,
                layout.key.len(),
                parts.len()
            );
            return Err(Error::internal(what));
        }
        let mut values = Vec::with_capacity(parts.len());
        let mut violations = Violations::default();
        let place = |number: usize| Place::field(u32::try_from(number).unwrap_or(u32::MAX));
        for (number, (&position, part)) in layout.key.iter().zip(parts).enumerate() {
            let value = part.value(&layout.entity.columns[position], Finer::Refuse);
            values.push(violations.absorb(place(number), value)?.unwrap_or(Value::Null));
        }
        let at = |part: usize| (place(part), self.collection.key_field(part).to_owned());
        self.collection.check_key(&values, at, &mut violations);
        violations.finish()?;
        Ok(Key(values))
    }
}

/// The name of what an update names its fields with.
const MASK: &str = "update_mask";

/// It comes after the fields of the entity.
const MASK_NUMBER: u32 = 1;

/// A list of records, as the service's own code asks for it.
pub struct List<'a, E> {
    store: &'a Store<E>,
    conditions: Vec<(String, Comparison, Vec<Part>)>,
    order_by: String,
    page_size: i64,
    page_token: String,
    show_deleted: bool,
}

/// A page of records.
#[derive(Clone, Debug, PartialEq)]
pub struct Records<E> {
    /// In the list's order.
    pub records: Vec<E>,
    /// Where to go on; empty where nothing is left.
    pub next_page_token: String,
}

impl<E: Entity> List<'_, E> {
    /// Only records in which a field compares so with a value; with any of several for
    /// [`Comparison::AnyOf`]. The field is part of the key or of an index.
    #[must_use]
    pub fn filter<P: Into<Part>>(
        mut self,
        field: &str,
        comparison: Comparison,
        values: impl IntoIterator<Item = P>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.conditions.push((field.to_owned(), comparison, values));
        self
    }

    /// Only records in which a field has a value.
    #[must_use]
    pub fn equals(self, field: &str, value: impl Into<Part>) -> Self {
        self.filter(field, Comparison::Equals, [value.into()])
    }

    /// The order, as in an RPC's `order_by`.
    #[must_use]
    pub fn order_by(mut self, order: &str) -> Self {
        order.clone_into(&mut self.order_by);
        self
    }

    /// Records on the page at most; 50 where it is 0, never more than 1,000.
    #[must_use]
    pub fn page_size(mut self, size: u32) -> Self {
        self.page_size = size.into();
        self
    }

    /// Goes on where a page ended.
    #[must_use]
    pub fn page_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.page_token);
        self
    }

    /// Deleted records too.
    #[must_use]
    pub fn show_deleted(mut self) -> Self {
        self.show_deleted = true;
        self
    }

    /// Reads the page.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT where no index serves a condition or the order, or the token is of
    /// another list. CORRUPT_RECORD if the page would begin with a record that cannot be read: the
    /// error's metadata has its `key` and, as `next_page_token`, where the list goes on after it.
    pub async fn send(self) -> Result<Records<E>> {
        let collection = &self.store.collection;
        let mut violations = Violations::default();
        let conditions = conditions(collection, self.conditions, &mut violations)?;
        let holding: Vec<Condition> = conditions.iter().map(|asked| asked.condition).collect();
        let visibility = collection.view(self.show_deleted).visibility;
        for position in crate::schema::plan::unserved(collection.entity(), &holding, visibility) {
            let field = conditions[position].field;
            let what = "is in no index that serves the condition";
            violations.push(field.place(), Violation::new(field.name, what));
        }
        if !violations.is_empty() {
            // No order is served either.
            return Err(violations.into_error());
        }
        // The conditions come first.
        let conditioned = u32::try_from(conditions.len()).unwrap_or(u32::MAX);
        let after = |place: u32, name| Named { number: conditioned.saturating_add(place), name };
        let prepared = PreparedList::new(
            collection,
            ListCall {
                scope: ["prism.Store", &self.store.caller],
                conditions,
                order_by: &self.order_by,
                page_size: self.page_size,
                page_token: &self.page_token,
                show_deleted: self.show_deleted,
                names: Names {
                    order_by: after(1, "order_by"),
                    page_size: after(2, "page_size"),
                    page_token: after(3, "page_token"),
                },
            },
            violations,
        )?;
        let Some(query) = prepared.query.clone() else {
            return Ok(Records { records: Vec::new(), next_page_token: String::new() });
        };
        let page = collection.store.list(query).await?;
        let (mut records, mut more, mut last) = (Vec::new(), page.more, None);
        let mut found = page.records.into_iter();
        while let Some(record) = found.next() {
            let place = prepared.place(&record);
            match self.store.read(record) {
                Ok(record) => records.push(record),
                Err(error) if last.is_none() => {
                    more |= found.len() > 0;
                    return Err(prepared.unreadable(collection, error, more.then_some(&place)));
                }
                Err(_) => {
                    more = true;
                    break;
                }
            }
            last = Some(place);
        }
        let next_page_token = match last {
            Some(last) if more => prepared.token(collection, &last)?,
            _ => String::new(),
        };
        Ok(Records { records, next_page_token })
    }
}

/// The conditions of a list, numbered as they were asked for.
fn conditions<'a>(
    collection: &'a Collection,
    asked: Vec<(String, Comparison, Vec<Part>)>,
    violations: &mut Violations,
) -> Result<Vec<Asked<'a>>> {
    let mut conditions = Vec::with_capacity(asked.len());
    for (number, (field, comparison, parts)) in (1..).zip(asked) {
        let entity = collection.entity();
        let place = Place::field(number);
        let position = entity.columns.iter().position(|column| column.field == field);
        let Some(position) = position else {
            violations.push(place, Violation::new(field, "is not a field of the entity"));
            continue;
        };
        if comparison != Comparison::AnyOf && parts.len() != 1 {
            violations.push(place, Violation::new(field, "is compared with one value"));
            continue;
        }
        let column = &entity.columns[position];
        let exact = collection.layout.exact.contains(&position);
        let finer = if exact { Finer::Refuse } else { Finer::compared(comparison) };
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            let value = violations.absorb(place, part.value(column, finer))?;
            values.push(value.unwrap_or(Value::Null));
        }
        let condition = Condition { field: column.number, comparison, always: true };
        conditions.push(Asked { condition, values, field: Named { number, name: &column.field } });
    }
    Ok(conditions)
}
