//! Column values on their way into Postgres and back, in its binary format.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgRow, PgTypeInfo, PgValueFormat};
use sqlx::{Encode, Postgres, Row as _, Type, ValueRef as _};

use crate::schema::Value;
use crate::schema::sql::ddl::ColumnType;

/// Microseconds from 1970, where ours begin, to 2000, where those of Postgres do.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// The version that stands before the text of a JSONB.
const JSONB_VERSION: u8 = 1;

/// A value with the type of its column.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) ty: ColumnType,
    pub(super) value: Value,
}

impl Type<Postgres> for Bound {
    fn type_info() -> PgTypeInfo {
        type_info(ColumnType::Text)
    }
}

impl Encode<'_, Postgres> for Bound {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        encode(self.ty, &self.value, buffer)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(type_info(self.ty))
    }
}

/// Values of a column, as an array.
#[derive(Debug)]
pub(super) struct BoundArray<'a> {
    pub(super) ty: ColumnType,
    pub(super) values: Vec<&'a Value>,
}

impl Type<Postgres> for BoundArray<'_> {
    fn type_info() -> PgTypeInfo {
        array_type_info(ColumnType::Text)
    }
}

impl Encode<'_, Postgres> for BoundArray<'_> {
    /// Number of dimensions, whether there may be NULLs, the type; length and first index of the
    /// only dimension; then each value behind its length, which is -1 for NULL.
    /// <https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c>
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let put = |buffer: &mut PgArgumentBuffer, number: i32| {
            buffer.extend_from_slice(&number.to_be_bytes());
        };
        put(buffer, 1);
        put(buffer, 1);
        buffer.extend_from_slice(&oids(self.ty).0.to_be_bytes());
        put(buffer, i32::try_from(self.values.len())?);
        put(buffer, 1);
        for value in &self.values {
            let at = buffer.len();
            put(buffer, -1);
            if let IsNull::No = encode(self.ty, value, buffer)? {
                let start = at + size_of::<i32>();
                let length = i32::try_from(buffer.len() - start)?;
                buffer[at..start].copy_from_slice(&length.to_be_bytes());
            }
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(array_type_info(self.ty))
    }
}

fn encode(
    ty: ColumnType,
    value: &Value,
    buffer: &mut PgArgumentBuffer,
) -> Result<IsNull, BoxDynError> {
    match (ty, value) {
        (_, Value::Null) => return Ok(IsNull::Yes),
        (ColumnType::Boolean, Value::Int(flag)) => buffer.push(u8::from(*flag != 0)),
        (ColumnType::Integer, Value::Int(number)) => {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        (ColumnType::SmallInteger, Value::Int(number)) => {
            buffer.extend_from_slice(&i32::try_from(*number)?.to_be_bytes());
        }
        (ColumnType::Timestamp, Value::Int(micros)) => {
            buffer.extend_from_slice(&micros.saturating_sub(EPOCH_MICROS).to_be_bytes());
        }
        (ColumnType::Double, Value::Double(number)) => {
            buffer.extend_from_slice(&number.to_bits().to_be_bytes());
        }
        (ColumnType::Text, Value::Text(text)) => buffer.extend_from_slice(text.as_bytes()),
        (ColumnType::Blob, Value::Blob(bytes)) => buffer.extend_from_slice(bytes),
        (ColumnType::Json, Value::Text(text)) => {
            buffer.push(JSONB_VERSION);
            buffer.extend_from_slice(text.as_bytes());
        }
        (ty, _) => return Err(format!("a value is not of its column's type, {ty:?}").into()),
    }
    Ok(IsNull::No)
}

fn type_info(ty: ColumnType) -> PgTypeInfo {
    PgTypeInfo::with_oid(Oid(oids(ty).0))
}

fn array_type_info(ty: ColumnType) -> PgTypeInfo {
    PgTypeInfo::with_oid(Oid(oids(ty).1))
}

/// Types by their fixed numbers, and arrays of them.
/// <https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat>
fn oids(ty: ColumnType) -> (u32, u32) {
    match ty {
        ColumnType::Boolean => (16, 1000),
        ColumnType::Blob => (17, 1001),
        ColumnType::Integer => (20, 1016),
        ColumnType::SmallInteger => (23, 1007),
        ColumnType::Text => (25, 1009),
        ColumnType::Double => (701, 1022),
        ColumnType::Timestamp => (1184, 1185),
        ColumnType::Json => (3802, 3807),
    }
}

/// The value in a column of a row; none where it is not one of the type.
pub(super) fn read(row: &PgRow, column: usize, ty: ColumnType) -> Option<Value> {
    let stored = row.try_get_raw(column).ok()?;
    if stored.is_null() {
        return Some(Value::Null);
    }
    if stored.format() != PgValueFormat::Binary {
        return None;
    }
    let bytes = stored.as_bytes().ok()?;
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(|t| Value::Text(t.to_owned()));
    Some(match ty {
        ColumnType::Boolean => Value::Int(i64::from(*bytes.first()?)),
        ColumnType::Integer => Value::Int(i64::from_be_bytes(bytes.try_into().ok()?)),
        ColumnType::SmallInteger => Value::Int(i32::from_be_bytes(bytes.try_into().ok()?).into()),
        ColumnType::Timestamp => {
            Value::Int(i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_MICROS)?)
        }
        ColumnType::Double => {
            Value::Double(f64::from_bits(u64::from_be_bytes(bytes.try_into().ok()?)))
        }
        ColumnType::Text => text(bytes)?,
        ColumnType::Blob => Value::Blob(bytes.to_vec()),
        ColumnType::Json => text(bytes.strip_prefix(&[JSONB_VERSION])?)?,
    })
}
