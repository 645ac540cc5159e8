//! Between protobuf's binary form and records: table-driven, so that nothing is decoded into
//! Rust structs on the way to storage, and a nested message that is stored in binary passes
//! through untouched.

mod field;
mod map;
mod nested;
mod reader;
mod scalar;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::BufMut;
use prism_migrate::json;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

pub(crate) use field::{Fault, Field, Form};
pub(crate) use map::{entry, shown_key};
pub(crate) use nested::{NestedTypes, scalar as scalar_of};
pub(crate) use reader::{Malformed, Occurrence, Reader, Wire};
pub(crate) use scalar::{Scalar, delimited_len, put_delimited};
pub(crate) use time::{Finer, TimeKind};

use super::decide::RequestPath;
use super::layout::Layout;
use super::record::{Record, absent};
use crate::path;
use crate::schema::{Access, Cardinality, Column, Storage, Value};
use crate::violations::Violations;
use crate::{Error, Result, Violation};

/// Who reads an encoded record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A caller, from whom input-only fields are kept.
    Caller,
    /// The service's own code.
    Service,
}

/// Transcodes one entity.
pub struct Codec {
    layout: Arc<Layout>,
    message: MessageDescriptor,
    fields: Vec<Field>,
    types: NestedTypes,
    absent: Vec<Value>,
    /// Positions of fields that are stored as JSON.
    json: Vec<usize>,
}

/// A record whose every column is in the form that is encoded.
#[derive(Debug)]
pub struct WireRecord(Record);

impl Codec {
    /// Of an entity whose message is in the pool.
    ///
    /// # Errors
    ///
    /// Where the pool does not have the message.
    pub fn new(layout: Arc<Layout>, pool: &DescriptorPool) -> Result<Self> {
        let entity = &layout.entity;
        let message = pool.get_message_by_name(&entity.message).ok_or_else(|| {
            Error::internal(format!("the descriptors lack the message {}", entity.message))
        })?;
        let mut types = NestedTypes::default();
        let mut fields = Vec::with_capacity(entity.columns.len());
        for (position, column) in entity.columns.iter().enumerate() {
            let mut field = Field::new(column, layout.exact.contains(&position), &message);
            field.add_check(&message, &mut types);
            fields.push(field);
        }
        let json = (0..entity.columns.len())
            .filter(|&position| entity.columns[position].storage == Storage::Json)
            .collect();
        let absent = entity.columns.iter().map(absent).collect();
        Ok(Codec { message, fields, types, absent, json, layout })
    }

    /// The record that an encoded message is. `path` is the message's in the request, for
    /// violations. Columns of Prism's own are not part of it.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT: malformed, or with a violation for each field out of range.
    pub fn decode(&self, message: &[u8], path: &str) -> Result<Record> {
        let mut violations = Violations::default();
        let entity = RequestPath { number: 0, path: path.into() };
        let record = self.decode_checked(message, &entity, &mut violations)?;
        violations.finish()?;
        Ok(record)
    }

    /// The record that an encoded message is, in which a field at fault is absent: it is noted.
    ///
    /// # Errors
    ///
    /// INVALID_REQUEST: it is malformed.
    pub(crate) fn decode_checked(
        &self,
        message: &[u8],
        entity: &RequestPath,
        violations: &mut Violations,
    ) -> Result<Record> {
        let mut decoding = Decoding {
            codec: self,
            values: self.absent.clone(),
            collected: BTreeMap::new(),
            seen: vec![false; self.fields.len()],
            set: BTreeMap::new(),
            faults: BTreeMap::new(),
            within: BTreeMap::new(),
        };
        let mut reader = Reader::new(message);
        while let Some(occurrence) = reader.next()? {
            let Some(position) = self.layout.entity.position(occurrence.number) else { continue };
            decoding.occurrence(position, &occurrence)?;
        }
        decoding.finish()?;
        for (position, what) in std::mem::take(&mut decoding.faults) {
            let (place, path) = entity.column(&self.layout.entity.columns[position]);
            let below = decoding.within.remove(&position);
            let path = below.map_or(path, |below| path::join(&entity.path, &below));
            violations.push(place, Violation::new(path, what));
        }
        Ok(Record(decoding.values))
    }

    /// Path of the first text with a NUL in a column that holds JSON, below the entity.
    pub(crate) fn path_of_nul(&self, column: &Column, json: &str) -> String {
        let read = json::to_message(&self.message, column.number, json);
        let path = read.map(|message| path::of_way(json::way_to_nul(&message)));
        path.ok().filter(|path| !path.is_empty()).unwrap_or_else(|| column.field.clone())
    }

    /// Length of what is stored as JSON in an encoded message, in bytes. 0 for one that is no
    /// message.
    pub(super) fn json_bytes(&self, message: &[u8]) -> usize {
        let mut bytes = 0;
        let mut reader = Reader::new(message);
        while let Ok(Some(occurrence)) = reader.next() {
            let position = self.layout.entity.position(occurrence.number);
            if position.is_some_and(|position| self.json.contains(&position)) {
                bytes += occurrence.raw.len();
            }
        }
        bytes
    }

    /// Brings a stored record into the form that is encoded.
    ///
    /// # Errors
    ///
    /// CORRUPT_RECORD, which names the record's key: a column holds what its field cannot be, or
    /// what a newer schema wrote.
    pub fn prepare(&self, mut record: Record) -> Result<WireRecord> {
        for &position in &self.json {
            self.read_json(&mut record, position)
                .map_err(|why| self.layout.unreadable(&record, position, why))?;
        }
        match (0..self.fields.len()).find(|&position| !self.holds(&record, position)) {
            Some(position) => {
                Err(self.layout.unreadable(&record, position, json::Unreadable::Damaged))
            }
            None => Ok(WireRecord(record)),
        }
    }

    /// Brings a record that was removed into the form that is encoded, without the fields that
    /// cannot be read.
    pub fn prepare_removed(&self, mut record: Record) -> WireRecord {
        for &position in &self.json {
            if self.read_json(&mut record, position).is_err() {
                record.0[position] = Value::Null;
            }
        }
        for position in 0..self.fields.len() {
            if !self.holds(&record, position) {
                record.0[position] = Value::Null;
            }
        }
        WireRecord(record)
    }

    /// Leaves the largest fields out, one by one, until callers can be sent the encoded message. Those
    /// of the key stay.
    pub fn shorten(&self, record: &mut WireRecord, max_bytes: usize) {
        while self.encoded_len(record, Audience::Caller) > max_bytes {
            let length =
                |&position: &usize| self.fields[position].encoded_len(&record.0.0[position]);
            let columns = self.layout.entity.columns.iter().enumerate();
            let largest = columns
                .filter(|(_, column)| column.access != Access::InputOnly)
                .map(|(position, _)| position)
                .filter(|&position| !self.layout.is_key(position))
                .max_by_key(length)
                .filter(|position| length(position) > 0);
            let Some(largest) = largest else { return };
            record.0.0[largest] = Value::Null;
        }
    }

    /// Makes wire records of the JSON in a column.
    fn read_json(&self, record: &mut Record, position: usize) -> Result<(), json::Unreadable> {
        record.0[position] = match &record.0[position] {
            Value::Null => return Ok(()),
            Value::Text(json) => {
                Value::Blob(json::to_wire(&self.message, self.fields[position].number, json)?)
            }
            _ => return Err(json::Unreadable::Damaged),
        };
        Ok(())
    }

    /// Whether a column holds what its field can be.
    fn holds(&self, record: &Record, position: usize) -> bool {
        let value = &record.0[position];
        self.fields[position].holds(value) && !(value.is_null() && self.layout.is_key(position))
    }

    /// Length of the encoded message.
    pub fn encoded_len(&self, record: &WireRecord, audience: Audience) -> usize {
        self.shown(record, audience).map(|(field, value)| field.encoded_len(value)).sum()
    }

    /// Appends the encoded message.
    pub fn encode(&self, record: &WireRecord, audience: Audience, out: &mut impl BufMut) {
        for (field, value) in self.shown(record, audience) {
            field.encode(value, out);
        }
    }

    fn shown<'a>(
        &'a self,
        record: &'a WireRecord,
        audience: Audience,
    ) -> impl Iterator<Item = (&'a Field, &'a Value)> {
        let columns = self.layout.entity.columns.iter();
        columns.zip(&self.fields).zip(&record.0.0).filter_map(move |((column, field), value)| {
            let hidden = audience == Audience::Caller && column.access == Access::InputOnly;
            (!hidden).then_some((field, value))
        })
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The descriptor is left out: that of a recursive message prints itself for ever.
        f.debug_struct("Codec").field("message", &self.layout.entity.message).finish()
    }
}

/// A message on its way to a record.
struct Decoding<'a> {
    codec: &'a Codec,
    values: Vec<Value>,
    /// What was collected of singular messages: several occurrences of one merge, and merging
    /// is concatenating. <https://protobuf.dev/programming-guides/encoding/#last-one-wins>
    collected: BTreeMap<usize, Vec<u8>>,
    seen: Vec<bool>,
    /// The member of each oneof that is set, by the first member's position.
    set: BTreeMap<usize, usize>,
    /// What is wrong with the value that a field has so far, by its position.
    faults: BTreeMap<usize, String>,
    /// The path of what is wrong, if it is a value within the field.
    within: BTreeMap<usize, String>,
}

impl Decoding<'_> {
    fn occurrence(&mut self, position: usize, occurrence: &Occurrence<'_>) -> Result<()> {
        let field = &self.codec.fields[position];
        self.seen[position] = true;
        if let Some(&oneof) = self.codec.layout.members(position).first()
            && let Some(sibling) = self.set.insert(oneof, position)
            && sibling != position
        {
            self.values[sibling] = Value::Null;
            self.seen[sibling] = false;
            self.collected.remove(&sibling);
            self.faults.remove(&sibling);
        }
        let collects = field.is_collected() || field.form == Form::Raw;
        if collects {
            let bytes = field.collect(occurrence, &self.codec.types)?;
            self.collected.entry(position).or_default().extend_from_slice(bytes);
            return Ok(());
        }
        let value = field.value(occurrence.wire);
        self.set(position, value)
    }

    /// Sets a value in place of an earlier one. The column of one at fault holds what it would if
    /// the field were absent.
    fn set(&mut self, position: usize, value: Result<Value, Fault>) -> Result<()> {
        self.faults.remove(&position);
        match value {
            Ok(value) => self.values[position] = value,
            Err(Fault::Malformed) => return Err(Malformed.into()),
            Err(Fault::Invalid(what)) => {
                self.values[position] = self.codec.absent[position].clone();
                self.faults.insert(position, what);
            }
        }
        Ok(())
    }

    /// The JSON of a field. Of one that has none, the value to blame is looked for.
    fn json(&mut self, position: usize, raw: &[u8]) -> Result<Value, Fault> {
        let message = &self.codec.message;
        let made = json::from_wire(message, self.codec.fields[position].number, raw);
        if matches!(made, Err(json::Error::NoForm))
            && let Ok(decoded) = DynamicMessage::decode(message.clone(), raw)
        {
            let path = path::of_way(json::way_to_fault(&decoded));
            if !path.is_empty() {
                self.within.insert(position, path);
            }
        }
        let made = made?;
        self.codec.layout.json.made(position, &made);
        Ok(Value::Text(made.text))
    }

    fn finish(&mut self) -> Result<()> {
        for (position, bytes) in std::mem::take(&mut self.collected) {
            let field = &self.codec.fields[position];
            let value = match (field.form, field.storage) {
                (Form::Raw, Storage::Json) => self.json(position, &bytes),
                (Form::Raw | Form::Message | Form::Group, _) => Ok(Value::Blob(bytes)),
                _ => field.value(Wire::Len(&bytes)),
            };
            self.set(position, value)?;
        }
        for (position, field) in self.codec.fields.iter().enumerate() {
            if field.cardinality == Cardinality::Required && !self.seen[position] {
                self.faults.insert(position, "is required".to_owned());
            }
        }
        Ok(())
    }
}
