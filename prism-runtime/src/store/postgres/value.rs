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
        match (self.ty, &self.value) {
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

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(type_info(self.ty))
    }
}

/// Types by their fixed numbers.
/// <https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat>
fn type_info(ty: ColumnType) -> PgTypeInfo {
    PgTypeInfo::with_oid(Oid(match ty {
        ColumnType::Boolean => 16,
        ColumnType::Blob => 17,
        ColumnType::Integer => 20,
        ColumnType::SmallInteger => 23,
        ColumnType::Text => 25,
        ColumnType::Double => 701,
        ColumnType::Timestamp => 1184,
        ColumnType::Json => 3802,
    }))
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
