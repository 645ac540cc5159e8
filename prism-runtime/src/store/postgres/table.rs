//! An entity's table: its statements, and how values get in and out.

use std::sync::Arc;

use sqlx::AssertSqlSafe;
use sqlx::Postgres;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;

use super::connection::Connection;
use super::error::Failure;
use super::value::{self, Bound, BoundArray};
use crate::entity::layout::Layout;
use crate::entity::record::{Key, Record};
use crate::schema::sql::ddl::{ColumnType, table_column};
use crate::schema::sql::{Dialect, ListShape, Parameter, Statement, Statements, Visibility};
use crate::schema::{Entity, Value};
use crate::store::entity::View;
use crate::{Error, Reason, Result};

/// An entity's statements.
pub(super) struct Table {
    pub(super) layout: Arc<Layout>,
    /// The entity, by the names that the columns have at present; without Prism's own column where
    /// that is gone.
    entity: Entity,
    pub(super) insert: Statement,
    pub(super) replace: Statement,
    pub(super) delete: Statement,
    pub(super) sweep: Option<Statement>,
    /// Statements on many rows.
    pub(super) many: Many,
    /// The look-up of each unique index, by its position.
    pub(super) unique: Vec<(usize, Statement)>,
    live: Statement,
    kept: Statement,
    all: Statement,
    /// The row with a key, whatever its state, until the transaction ends.
    locked: Statement,
    types: Vec<ColumnType>,
}

/// Statements on many rows, whose parameters are arrays.
pub(super) struct Many {
    pub(super) find: Statement,
    pub(super) lock: Statement,
    /// The keys of rows that are locked.
    pub(super) locked: Statement,
    pub(super) insert: Statement,
    pub(super) replace: Statement,
    pub(super) delete: Statement,
}

impl Table {
    pub(super) fn new(layout: Arc<Layout>, entity: Entity) -> Self {
        let statements = Statements::new(&entity, Dialect::Postgres);
        let indexes = entity.indexes.iter().enumerate();
        let unique = indexes
            .filter(|(_, index)| index.unique)
            .map(|(position, index)| (position, locking(statements.unique_conflict(index))))
            .collect();
        let mut types: Vec<ColumnType> =
            layout.entity.columns.iter().map(|column| table_column(column).ty).collect();
        // Prism's own column is a time.
        types.resize(layout.width(), ColumnType::Timestamp);
        Table {
            live: statements.get(Visibility::Live),
            kept: statements.get(Visibility::Kept),
            all: statements.get(Visibility::All),
            locked: locking(statements.get(Visibility::All)),
            insert: statements.insert(),
            replace: statements.replace(),
            delete: statements.delete(),
            sweep: statements.sweep(),
            many: Many {
                find: statements.find_many(),
                lock: statements.lock_many(),
                locked: statements.locked_many(),
                insert: statements.insert_many(),
                replace: statements.replace_many(),
                delete: statements.delete_many(),
            },
            unique,
            types,
            layout,
            entity,
        }
    }

    pub(super) fn statements(&self) -> Statements<'_> {
        Statements::new(&self.entity, Dialect::Postgres)
    }

    /// Whether the time of the last write is stored in a column of its own.
    pub(super) fn has_written_at(&self) -> bool {
        self.entity.last_write_column().is_some()
    }

    /// Whether the columns are those of another look at the same table.
    pub(super) fn has_columns_of(&self, other: &Table) -> bool {
        self.entity == other.entity
    }

    pub(super) async fn get(
        &self,
        connection: &mut Connection,
        key: &Key,
        view: View,
    ) -> Result<Option<Record>> {
        let statement = match view.visibility {
            Visibility::Live => &self.live,
            Visibility::Kept => &self.kept,
            Visibility::All => &self.all,
        };
        let values = Values { key: Some(key), now_micros: view.now_micros, ..self.values() };
        let row = self.query(statement, &values)?.fetch_optional(connection).await?;
        row.map(|row| self.record(&row)).transpose()
    }

    /// The row with a key, whatever its state; nobody else writes it until the transaction ends.
    pub(super) async fn lock(
        &self,
        connection: &mut Connection,
        key: &Key,
    ) -> Result<Option<Record>, Failure> {
        let values = Values { key: Some(key), ..self.values() };
        let row = self.query(&self.locked, &values)?.fetch_optional(connection).await?;
        Ok(row.map(|row| self.record(&row)).transpose()?)
    }

    /// Nothing to bind yet.
    pub(super) fn values(&self) -> Values<'_> {
        Values {
            table: self,
            key: None,
            keys: &[],
            record: None,
            shape: None,
            conditions: &[],
            after: &[],
            now_micros: 0,
            limit: 0,
        }
    }

    /// A statement with its values.
    pub(super) fn query(
        &self,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<Query<'static, Postgres, PgArguments>> {
        let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
        for parameter in &statement.parameters {
            let bound = values.bound(*parameter).ok_or_else(lacking)?;
            query = query.bind(bound);
        }
        Ok(query)
    }

    /// A statement on many rows, with the values of each: of its key, and of the record where the
    /// statement writes it.
    pub(super) fn query_many<'v>(
        &self,
        statement: &Statement,
        rows: &[(&'v Key, Option<&'v Record>)],
    ) -> Result<Query<'static, Postgres, PgArguments>> {
        let mut query = sqlx::query(AssertSqlSafe(statement.sql.clone()));
        for parameter in &statement.parameters {
            let (ty, part, position) = match *parameter {
                Parameter::Column(field) => {
                    let position = self.layout.entity.position(field).ok_or_else(lacking)?;
                    let part = self.layout.entity.key.iter().position(|number| *number == field);
                    (self.types[position], part, Some(position))
                }
                Parameter::WrittenAt => (ColumnType::Timestamp, None, self.layout.written_at),
                _ => return Err(lacking()),
            };
            let value = |(key, record): (&'v Key, Option<&'v Record>)| match (record, part) {
                (Some(record), _) => record.0.get(position?),
                (None, Some(part)) => key.0.get(part),
                (None, None) => None,
            };
            let values: Option<Vec<&Value>> = rows.iter().copied().map(value).collect();
            query = query.bind(BoundArray { ty, values: values.ok_or_else(lacking)? });
        }
        Ok(query)
    }

    /// The key in a row that begins with it.
    pub(super) fn key(&self, row: &PgRow) -> Result<Key> {
        let value = |(column, &position): (usize, &usize)| {
            value::read(row, column, self.types[position]).ok_or_else(|| self.damaged(position))
        };
        self.layout.key.iter().enumerate().map(value).collect::<Result<_>>().map(Key)
    }

    pub(super) fn record(&self, row: &PgRow) -> Result<Record> {
        let lacks = self.layout.written_at.filter(|_| !self.has_written_at());
        let value = |(position, ty): (usize, &ColumnType)| {
            if lacks == Some(position) {
                return Value::Null;
            }
            value::read(row, position, *ty).unwrap_or_else(|| self.layout.unfit(position))
        };
        Ok(Record(self.types.iter().enumerate().map(value).collect()))
    }

    fn damaged(&self, position: usize) -> Error {
        let what = self.layout.column(position).map_or("time of the last write", |c| &c.field);
        Error::new(Reason::CorruptRecord, format!("the stored {what} cannot be read"))
    }
}

/// What the parameters of a statement stand for.
pub(super) struct Values<'a> {
    pub(super) table: &'a Table,
    pub(super) key: Option<&'a Key>,
    /// Of a batch; the last one stands for those that are missing.
    pub(super) keys: &'a [Key],
    pub(super) record: Option<&'a Record>,
    pub(super) shape: Option<&'a ListShape>,
    pub(super) conditions: &'a [Vec<Value>],
    pub(super) after: &'a [Value],
    pub(super) now_micros: i64,
    pub(super) limit: usize,
}

impl Values<'_> {
    fn bound(&self, parameter: Parameter) -> Option<Bound> {
        let layout = &self.table.layout;
        let of_field = |field: u32, value: &Value| {
            let ty = self.table.types[layout.entity.position(field)?];
            Some(Bound { ty, value: value.clone() })
        };
        let time = |micros: i64| Bound { ty: ColumnType::Timestamp, value: Value::Int(micros) };
        match parameter {
            Parameter::Column(field) => of_field(field, self.column(field)?),
            Parameter::Key { row, number } => {
                let key = self.keys.get(row).or(self.keys.last())?;
                let part = layout.entity.key.iter().position(|field| *field == number)?;
                of_field(number, key.0.get(part)?)
            }
            Parameter::Condition { condition, value } => {
                let field = self.shape?.conditions.get(condition)?.field;
                of_field(field, self.conditions.get(condition)?.get(value)?)
            }
            Parameter::After(column) => {
                let (field, _) = *self.shape?.order.get(column)?;
                of_field(field, self.after.get(column)?)
            }
            Parameter::WrittenAt => {
                let value = self.record?.0.get(layout.written_at?)?.clone();
                Some(Bound { ty: ColumnType::Timestamp, value })
            }
            Parameter::Now => Some(time(self.now_micros)),
            Parameter::RetentionCutoff => Some(time(layout.retention_cutoff(self.now_micros))),
            Parameter::Limit => {
                let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
                Some(Bound { ty: ColumnType::Integer, value: Value::Int(limit) })
            }
        }
    }

    /// The value of a field in the record, or in the key.
    fn column(&self, field: u32) -> Option<&Value> {
        let layout = &self.table.layout;
        if let Some(record) = self.record {
            return record.0.get(layout.entity.position(field)?);
        }
        let part = layout.entity.key.iter().position(|number| *number == field)?;
        self.key?.0.get(part)
    }
}

fn locking(mut statement: Statement) -> Statement {
    statement.sql.push_str(" FOR UPDATE");
    statement
}

fn lacking() -> Error {
    Error::internal("a statement asks for what it lacks")
}
