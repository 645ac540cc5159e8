//! Stored records that cannot be read: what is said of them, and what keeps them from being
//! written on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prism_migrate::json::Unreadable;
use serde_json::Value as Json;

use super::layout::Layout;
use super::record::Record;
use crate::schema::value::decode_u64;
use crate::schema::{Column, FieldType, Storage, Value};
use crate::telemetry::redact::MASKED;
use crate::{Error, Reason, Result};

/// Bytes of one part of a key that an error shows at most: an error has to fit into the trailers
/// that clients accept.
const MAX_PART_BYTES: usize = 256;

impl Layout {
    /// What a store gives for a value that cannot be one of the column: the record's reader refuses
    /// it, and knows which record it is.
    pub fn unfit(&self, position: usize) -> Value {
        let other = Value::Text(String::new());
        match self.column(position) {
            // Prism's own time of the last write, which is not a field.
            None => Value::Null,
            Some(column) if fits(column, &other) => Value::Int(0),
            Some(_) => other,
        }
    }

    /// Checks what a write keeps of the row that is there. What cannot be read could not be
    /// returned either, so the write is refused before it is made.
    ///
    /// # Errors
    ///
    /// CORRUPT_RECORD, which names the record's key; and an error that no caller is told, if a long
    /// text was not judged before (`json.rs`).
    pub fn check_kept(&self, written: &Record, current: &Record) -> Result<()> {
        let columns = self.entity.columns.iter().zip(&written.0);
        if let Some(position) = columns.into_iter().position(|(column, it)| !fits(column, it)) {
            return Err(self.unreadable(current, position, Unreadable::Damaged));
        }
        for position in self.json.positions() {
            let (value, before) = (&written.0[position], &current.0[position]);
            if let (Value::Text(text), true) = (value, value == before) {
                self.json
                    .check(position, text)?
                    .map_err(|why| self.unreadable(current, position, why))?;
            }
        }
        Ok(())
    }

    /// CORRUPT_RECORD of a record whose value in a column cannot be read. The key is in the
    /// message, and as `key` in the metadata.
    pub fn unreadable(&self, record: &Record, position: usize, why: Unreadable) -> Error {
        let key = self.key_text(record);
        let field = self.column(position).map_or("time of the last write", |it| &it.field);
        let namespace = &self.entity.namespace;
        let message = format!("{namespace}: the stored {field} of the record with key {key} {why}");
        Error::new(Reason::CorruptRecord, message).with_metadata("key", key)
    }

    /// The key of a record as JSON: a value, or an array of the parts.
    fn key_text(&self, record: &Record) -> String {
        let part = |&position: &usize| {
            let column = &self.entity.columns[position];
            if column.masked { Json::from(MASKED) } else { part(&column.ty, &record.0[position]) }
        };
        let mut parts: Vec<Json> = self.key.iter().map(part).collect();
        match parts.len() {
            1 => parts.swap_remove(0).to_string(),
            _ => Json::from(parts).to_string(),
        }
    }
}

/// Whether a stored value is of the kind that a column holds.
fn fits(column: &Column, value: &Value) -> bool {
    let text = match (column.storage, &column.ty) {
        (Storage::Json, _) => true,
        (Storage::Binary, _) => false,
        (Storage::Native, ty) => *ty == FieldType::String,
    };
    match value {
        Value::Null => true,
        Value::Text(_) => text,
        Value::Double(_) => {
            column.storage == Storage::Native
                && matches!(column.ty, FieldType::Float | FieldType::Double)
        }
        Value::Blob(_) => {
            column.storage == Storage::Binary
                || column.storage == Storage::Native && column.ty == FieldType::Bytes
        }
        Value::Int(_) => {
            column.storage == Storage::Native
                && !matches!(
                    column.ty,
                    FieldType::String | FieldType::Bytes | FieldType::Float | FieldType::Double
                )
        }
    }
}

/// One part of a key, in protobuf's JSON form with numbers as such.
fn part(ty: &FieldType, value: &Value) -> Json {
    match (ty, value) {
        (_, Value::Null) => Json::Null,
        (FieldType::Bool, Value::Int(flag)) => Json::from(*flag != 0),
        (FieldType::Uint64 | FieldType::Fixed64, Value::Int(stored)) => {
            Json::from(decode_u64(*stored))
        }
        (FieldType::Timestamp, Value::Int(micros)) => {
            let (seconds, nanos) = split(*micros);
            Json::from(prost_types::Timestamp { seconds, nanos }.to_string())
        }
        (FieldType::Duration, Value::Int(micros)) => {
            let (seconds, nanos) = split(*micros);
            let mut duration = prost_types::Duration { seconds, nanos };
            duration.normalize();
            Json::from(duration.to_string())
        }
        (_, Value::Int(number)) => Json::from(*number),
        (_, Value::Double(number)) => Json::from(*number),
        (_, Value::Text(text)) => Json::from(cut(text.clone())),
        (_, Value::Blob(bytes)) => Json::from(cut(STANDARD.encode(bytes))),
    }
}

/// Seconds and nanoseconds of microseconds.
fn split(micros: i64) -> (i64, i32) {
    let nanos = micros.rem_euclid(1_000_000) * 1_000;
    (micros.div_euclid(1_000_000), i32::try_from(nanos).unwrap_or_default())
}

fn cut(mut text: String) -> String {
    if text.len() <= MAX_PART_BYTES {
        return text;
    }
    let end = (0..=MAX_PART_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
    text + "…"
}
