//! Entities in SQLite.

use std::sync::Arc;

use prism_migrate::sqlite::json;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension as _, Row, ToSql, params,
};

use super::Database;
use super::connection::in_one_snapshot;
use super::keyvalue::REMOVED_BYTES;
use crate::entity::decide::{
    Change, REQUEST_ID_MICROS, Remembered, RequestId, decide, repeat, unique_violation,
};
use crate::entity::layout::Layout;
use crate::entity::record::{Key, Record, decode_values, encode_values};
use crate::memory::charge;
use crate::schema::sql::{Dialect, ListShape, Parameter, Statement, Statements, Visibility};
use crate::schema::{Access, FieldType, Storage, Value};
use crate::store::StoreFuture;
use crate::store::entity::{
    BATCH_BYTES, BatchRead, EntityBackend, EntityStore, ListQuery, Page, View, Write, held_bytes,
    written_bytes,
};
use crate::{Error, Reason, Result};

/// Keys of a batch that are read on the event loop; more are read beside it, and so are records
/// with columns that answers do not show as they are stored.
const INLINE_KEYS: usize = 16;

/// Entities in the tables of a database.
#[derive(Clone, Debug)]
pub struct SqliteEntities(Arc<Database>);

impl SqliteEntities {
    /// In this database, whose migrations have made the tables.
    pub fn new(database: Arc<Database>) -> Self {
        SqliteEntities(database)
    }
}

impl EntityBackend for SqliteEntities {
    fn open(&self, layout: Arc<Layout>) -> Result<Arc<dyn EntityStore>> {
        let table = Arc::new(Table::new(layout));
        Ok(Arc::new(SqliteEntityStore { database: Arc::clone(&self.0), table }))
    }
}

struct SqliteEntityStore {
    database: Arc<Database>,
    table: Arc<Table>,
}

/// An entity's statements.
struct Table {
    layout: Arc<Layout>,
    live: Statement,
    kept: Statement,
    all: Statement,
    insert: Statement,
    replace: Statement,
    delete: Statement,
    expired: Option<Statement>,
    /// The look-up of each unique index, by its position.
    unique: Vec<(usize, Statement)>,
    reading: Vec<Reading>,
    /// Whether a batch ends by what all of its columns hold: a few records are few bytes then.
    is_counted: bool,
}

/// How a column's values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Plain,
    Double,
    Json,
}

impl EntityStore for SqliteEntityStore {
    fn get(&self, key: Key, view: View) -> StoreFuture<Option<Record>> {
        let read = |connection: &Connection| {
            let found = self.table.get(connection, &key, view)?;
            if !self.table.layout.json.is_empty() {
                // Long JSON may wait until it is converted.
                charge(found.as_ref().map_or(0, held_bytes))?;
            }
            Ok(found)
        };
        StoreFuture::ready(self.database.read(read))
    }

    fn batch_get(&self, keys: Vec<Key>, view: View) -> StoreFuture<Page> {
        if keys.len() <= INLINE_KEYS && self.table.is_counted {
            let read = |connection: &Connection| self.table.batch_get(connection, &keys, view);
            return StoreFuture::ready(self.database.read(read));
        }
        let table = Arc::clone(&self.table);
        self.database.read_offloaded(move |connection| table.batch_get(connection, &keys, view))
    }

    fn list(&self, query: ListQuery) -> StoreFuture<Page> {
        let table = Arc::clone(&self.table);
        self.database.read_offloaded(move |connection| table.list(connection, &query))
    }

    fn write(&self, write: Write) -> StoreFuture<Option<Record>> {
        let table = Arc::clone(&self.table);
        let bytes = written_bytes(&write) as u64;
        self.database.write_sized(bytes, move |connection| table.write(connection, &write))
    }

    /// Looks beside the event loops for what has expired, which no index says, so that the writer
    /// is asked for what there is to remove and nothing else.
    fn sweep(&self, now_micros: i64, limit: usize) -> StoreFuture<usize> {
        let (database, table) = (Arc::clone(&self.database), Arc::clone(&self.table));
        let searched = Arc::clone(&self.table);
        let find = move |connection: &Connection| searched.outdated(connection, now_micros, limit);
        let found = self.database.read_offloaded(find);
        StoreFuture::pending(async move {
            let Outdated { mut records, requests } = found.await?;
            let mut removed = 0;
            while !records.is_empty() {
                let table = Arc::clone(&table);
                let remove = move |connection: &Connection| {
                    let removed = table.remove(connection, &mut records, now_micros)?;
                    Ok((removed, records))
                };
                let of_part;
                (of_part, records) = database.write(remove).await?;
                removed += of_part;
            }
            if !requests.is_empty() {
                let before = now_micros.saturating_sub(REQUEST_ID_MICROS);
                let forget = move |connection: &Connection| forget(connection, &requests, before);
                removed += database.write(forget).await?;
            }
            Ok(removed)
        })
    }
}

/// What a sweep removes.
struct Outdated {
    records: Vec<Key>,
    /// Request ids that are not remembered any longer, by the columns of their key.
    requests: Vec<[String; 4]>,
}

impl Table {
    fn new(layout: Arc<Layout>) -> Self {
        let statements = Statements::new(&layout.entity, Dialect::Sqlite);
        let indexes = layout.entity.indexes.iter().enumerate();
        let unique = indexes
            .filter(|(_, index)| index.unique)
            .map(|(position, index)| (position, statements.unique_conflict(index)))
            .collect();
        let mut reading: Vec<Reading> = layout
            .entity
            .columns
            .iter()
            .map(|column| match (column.storage, &column.ty) {
                (Storage::Json, _) => Reading::Json,
                (Storage::Native, FieldType::Float | FieldType::Double) => Reading::Double,
                _ => Reading::Plain,
            })
            .collect();
        reading.resize(layout.width(), Reading::Plain);
        let is_counted =
            layout.entity.columns.iter().all(|column| {
                column.storage != Storage::Json && column.access != Access::InputOnly
            });
        Table {
            live: statements.get(Visibility::Live),
            kept: statements.get(Visibility::Kept),
            all: statements.get(Visibility::All),
            insert: statements.insert(),
            replace: statements.replace(),
            delete: statements.delete(),
            expired: statements.expired(),
            unique,
            reading,
            is_counted,
            layout,
        }
    }

    fn get(&self, connection: &Connection, key: &Key, view: View) -> Result<Option<Record>> {
        let statement = match view.visibility {
            Visibility::Live => &self.live,
            Visibility::Kept => &self.kept,
            Visibility::All => &self.all,
        };
        let values = Values { key: Some(key), now_micros: view.now_micros, ..self.values() };
        let mut bound = self.bind(connection, statement, &values)?;
        let mut rows = bound.raw_query();
        rows.next()?.map(|row| self.record(row)).transpose()
    }

    /// All of them as of one moment.
    fn batch_get(&self, connection: &Connection, keys: &[Key], view: View) -> Result<Page> {
        in_one_snapshot(connection, |connection| {
            let mut batch = Page::default();
            let mut read = BatchRead::default();
            for key in keys {
                let Some(record) = self.get(connection, key, view)? else { continue };
                if read.is_full() {
                    batch.more = true;
                    break;
                }
                charge(held_bytes(&record))?;
                read.add(&self.layout, &record);
                batch.records.push(record);
            }
            Ok(batch)
        })
    }

    fn list(&self, connection: &Connection, query: &ListQuery) -> Result<Page> {
        let (shape, conditions) = query.shape(&self.layout);
        let statement = Statements::new(&self.layout.entity, Dialect::Sqlite).list(&shape);
        let values = Values {
            conditions: &conditions,
            after: query.after.as_deref().unwrap_or_default(),
            now_micros: query.view.now_micros,
            // One more tells whether there is a page after this one.
            limit: query.limit.saturating_add(1),
            ..self.values()
        };
        let mut bound = match self.bind(connection, &statement, &values) {
            Err(_) if shape.index.is_some() && !prepares(connection, &statement) => {
                // A newer schema has dropped the index.
                let shape = ListShape { index: None, ..shape };
                let statement = Statements::new(&self.layout.entity, Dialect::Sqlite).list(&shape);
                self.bind(connection, &statement, &values)?
            }
            bound => bound?,
        };
        let mut rows = bound.raw_query();
        let mut page = Page::default();
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            if page.records.len() == query.limit || bytes > BATCH_BYTES {
                page.more = true;
                break;
            }
            let record = self.record(row)?;
            let held = held_bytes(&record);
            charge(held)?;
            bytes += held;
            page.records.push(record);
        }
        Ok(page)
    }

    fn write(&self, connection: &Connection, write: &Write) -> Result<Option<Record>> {
        let now = write.command.now_micros;
        if let Some(request) = &write.request
            && let Some(remembered) = self.remembered(connection, request)?
            && !remembered.is_forgotten(now)
        {
            let current = self.current(connection, &remembered.key)?;
            charge(current.as_ref().map_or(0, held_bytes))?;
            return repeat(&self.layout, request, &remembered, current, now).map(Some);
        }
        let current = self.current(connection, &write.key)?;
        charge(current.as_ref().map_or(0, held_bytes))?;
        let change = decide(&self.layout, &write.command, current.as_ref())?;
        self.carry_out(connection, write, &change)?;
        if let Some(request) = &write.request {
            self.remember(connection, request, write)?;
        }
        Ok(change.into_record())
    }

    /// The row with a key, whatever its state.
    fn current(&self, connection: &Connection, key: &Key) -> Result<Option<Record>> {
        self.get(connection, key, View { visibility: Visibility::All, now_micros: 0 })
    }

    fn carry_out(&self, connection: &Connection, write: &Write, change: &Change) -> Result<()> {
        let updating;
        let statement = match change {
            Change::Nothing => return Ok(()),
            Change::Delete(_) => &self.delete,
            Change::Insert(_) => &self.insert,
            Change::Replace(_) => &self.replace,
            Change::Update { columns, .. } => {
                let number = |&position: &usize| self.layout.entity.columns[position].number;
                let numbers: Vec<u32> = columns.iter().map(number).collect();
                if numbers.is_empty() && self.layout.written_at.is_none() {
                    return Ok(());
                }
                updating = Statements::new(&self.layout.entity, Dialect::Sqlite).update(&numbers);
                &updating
            }
        };
        let values = Values { key: Some(&write.key), record: change.written(), ..self.values() };
        loop {
            let executed = self.bind(connection, statement, &values)?.raw_execute();
            match executed {
                Ok(_) => return Ok(()),
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                    // Ends: every turn removes a row or fails.
                    self.make_way(connection, write, &values, error)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes an expired row that holds a unique value; fails where the row has not expired.
    fn make_way(
        &self,
        connection: &Connection,
        write: &Write,
        values: &Values<'_>,
        error: rusqlite::Error,
    ) -> Result<()> {
        for (index, statement) in &self.unique {
            let mut bound = self.bind(connection, statement, values)?;
            let mut rows = bound.raw_query();
            let Some(other) = rows.next()?.map(|row| self.record(row)).transpose()? else {
                continue;
            };
            if !self.layout.is_expired(&other, write.command.now_micros) {
                return Err(unique_violation(&self.layout, &write.command, *index));
            }
            let key = self.layout.key_of(&other);
            let values = Values { key: Some(&key), ..self.values() };
            self.bind(connection, &self.delete, &values)?.raw_execute()?;
            return Ok(());
        }
        Err(error.into())
    }

    /// Finds expired records and forgotten request ids, at most `limit` of each.
    fn outdated(&self, connection: &Connection, now_micros: i64, limit: usize) -> Result<Outdated> {
        let mut records = Vec::new();
        if let Some(statement) = &self.expired {
            let values = Values { now_micros, limit, ..self.values() };
            let mut bound = self.bind(connection, statement, &values)?;
            let mut rows = bound.raw_query();
            while let Some(row) = rows.next()? {
                let part = |(column, &position): (usize, &usize)| {
                    read(row.get_ref(column)?, Reading::Plain).ok_or_else(|| self.damaged(position))
                };
                let parts = self.layout.key.iter().enumerate().map(part);
                records.push(Key(parts.collect::<Result<_>>()?));
            }
        }
        let mut forgotten = connection.prepare_cached(
            "SELECT caller, method, namespace, request_id FROM prism_requests \
             WHERE created_at <= ?1 LIMIT ?2",
        )?;
        let before = now_micros.saturating_sub(REQUEST_ID_MICROS);
        let row = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
        let requests = forgotten.query_map(params![before, signed(limit)], row)?;
        Ok(Outdated { records, requests: requests.collect::<rusqlite::Result<_>>()? })
    }

    /// Removes records from the end of the list, unless they were written again since, until it is
    /// empty or they were long. Returns how many were removed.
    fn remove(
        &self,
        connection: &Connection,
        records: &mut Vec<Key>,
        now_micros: i64,
    ) -> Result<usize> {
        let (mut removed, mut bytes) = (0, 0);
        while bytes < REMOVED_BYTES
            && let Some(key) = records.pop()
        {
            let Some(record) = self.current(connection, &key)? else { continue };
            bytes += held_bytes(&record);
            if self.layout.is_expired(&record, now_micros) {
                let values = Values { key: Some(&key), ..self.values() };
                removed += self.bind(connection, &self.delete, &values)?.raw_execute()?;
            }
        }
        Ok(removed)
    }

    fn remembered(
        &self,
        connection: &Connection,
        request: &RequestId,
    ) -> Result<Option<Remembered>> {
        let mut find = connection.prepare_cached(
            "SELECT body_hash, record_key, created_at FROM prism_requests \
             WHERE caller = ?1 AND method = ?2 AND namespace = ?3 AND request_id = ?4",
        )?;
        let scope = &request.scope;
        let key = params![scope.caller, scope.method, self.layout.entity.namespace, scope.id];
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?));
        let Some((content, key, created_micros)) = find.query_row(key, row).optional()? else {
            return Ok(None);
        };
        let key = decode_values(&key).map(Key).ok_or_else(|| corrupt("request id"))?;
        Ok(Some(Remembered { content, key, created_micros }))
    }

    fn remember(&self, connection: &Connection, request: &RequestId, write: &Write) -> Result<()> {
        let mut key = Vec::new();
        encode_values(&write.key.0, &mut key);
        let mut insert = connection.prepare_cached(
            "INSERT INTO prism_requests \
             (caller, method, namespace, request_id, body_hash, record_key, created_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (caller, method, namespace, request_id) DO UPDATE SET \
             body_hash = excluded.body_hash, record_key = excluded.record_key, \
             created_at = excluded.created_at",
        )?;
        insert.execute(params![
            request.scope.caller,
            request.scope.method,
            self.layout.entity.namespace,
            request.scope.id,
            request.content,
            key,
            write.command.now_micros
        ])?;
        Ok(())
    }

    fn values(&self) -> Values<'_> {
        Values {
            layout: &self.layout,
            key: None,
            record: None,
            conditions: &[],
            after: &[],
            now_micros: 0,
            limit: 0,
        }
    }

    fn bind<'a>(
        &self,
        connection: &'a Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> Result<CachedStatement<'a>> {
        let mut prepared = connection.prepare_cached(&statement.sql)?;
        for (position, parameter) in statement.parameters.iter().enumerate() {
            values.bind(*parameter, position + 1, &mut prepared)?;
        }
        Ok(prepared)
    }

    fn record(&self, row: &Row<'_>) -> Result<Record> {
        let mut values = Vec::with_capacity(self.reading.len());
        for (position, reading) in self.reading.iter().enumerate() {
            let value = read(row.get_ref(position)?, *reading);
            values.push(value.unwrap_or_else(|| self.layout.unfit(position)));
        }
        Ok(Record(values))
    }

    fn damaged(&self, position: usize) -> Error {
        corrupt(self.layout.column(position).map_or("time of the last write", |c| &c.field))
    }
}

/// Whether SQLite knows all that a statement names.
fn prepares(connection: &Connection, statement: &Statement) -> bool {
    connection.prepare(&statement.sql).is_ok()
}

/// A stored value; none where it is none that a column has.
fn read(stored: ValueRef<'_>, reading: Reading) -> Option<Value> {
    Some(match (reading, stored) {
        (_, ValueRef::Null) => Value::Null,
        (Reading::Double, ValueRef::Real(number)) => Value::Double(number),
        (Reading::Double, ValueRef::Integer(number)) => Value::Double(number as f64),
        (Reading::Double, ValueRef::Blob(bytes)) => {
            Value::Double(f64::from_bits(u64::from_be_bytes(bytes.try_into().ok()?)))
        }
        (Reading::Json, ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_)) => {
            Value::Text(json::text(stored)?)
        }
        (_, ValueRef::Integer(number)) => Value::Int(number),
        (_, ValueRef::Text(text)) => Value::Text(std::str::from_utf8(text).ok()?.to_owned()),
        (Reading::Plain, ValueRef::Blob(bytes)) => Value::Blob(bytes.to_vec()),
        _ => return None,
    })
}

/// Forgets request ids, unless they were used again since.
fn forget(connection: &Connection, requests: &[[String; 4]], before: i64) -> Result<usize> {
    let mut forget = connection.prepare_cached(
        "DELETE FROM prism_requests WHERE caller = ?1 AND method = ?2 AND namespace = ?3 \
         AND request_id = ?4 AND created_at <= ?5",
    )?;
    let mut forgotten = 0;
    for [caller, method, namespace, id] in requests {
        forgotten += forget.execute(params![caller, method, namespace, id, before])?;
    }
    Ok(forgotten)
}

fn corrupt(what: &str) -> Error {
    Error::new(Reason::CorruptRecord, format!("the stored {what} cannot be read"))
}

/// What the parameters of a statement stand for.
struct Values<'a> {
    layout: &'a Layout,
    key: Option<&'a Key>,
    record: Option<&'a Record>,
    conditions: &'a [Vec<Value>],
    after: &'a [Value],
    now_micros: i64,
    limit: usize,
}

impl Values<'_> {
    fn bind(
        &self,
        parameter: Parameter,
        position: usize,
        statement: &mut CachedStatement<'_>,
    ) -> Result<()> {
        let number = |number: i64| Value::Int(number);
        let owned;
        let value = match parameter {
            Parameter::Column(field) => self.column(field),
            Parameter::Condition { condition, value } => {
                self.conditions.get(condition).and_then(|values| values.get(value))
            }
            Parameter::After(column) => self.after.get(column),
            Parameter::WrittenAt => self.layout.written_at.and_then(|at| self.record?.0.get(at)),
            Parameter::Now => {
                owned = number(self.now_micros);
                Some(&owned)
            }
            Parameter::RetentionCutoff => {
                owned = number(self.layout.retention_cutoff(self.now_micros));
                Some(&owned)
            }
            Parameter::Limit => {
                owned = number(signed(self.limit));
                Some(&owned)
            }
            // This driver reads the keys of a batch one by one.
            Parameter::Key { .. } => None,
        };
        let value = value.ok_or_else(|| Error::internal("a statement asks for what it lacks"))?;
        if let Some(number) = self.json_number(parameter, value) {
            return Ok(statement.raw_bind_parameter(position, Bound(&Value::Double(number)))?);
        }
        Ok(statement.raw_bind_parameter(position, Bound(value))?)
    }

    /// The number that a JSON column is to hold if its text is a number alone.
    fn json_number(&self, parameter: Parameter, value: &Value) -> Option<f64> {
        let (Parameter::Column(field), Value::Text(text)) = (parameter, value) else {
            return None;
        };
        let number = json::number(text)?;
        (self.layout.entity.column(field)?.storage == Storage::Json).then_some(number)
    }

    /// The value of a field in the record, or in the key.
    fn column(&self, field: u32) -> Option<&Value> {
        if let Some(record) = self.record {
            return record.0.get(self.layout.entity.position(field)?);
        }
        let part = self.layout.entity.key.iter().position(|number| *number == field)?;
        self.key?.0.get(part)
    }
}

/// A value on its way into SQLite.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Value::Double(number) => match json::bits(*number) {
                Some(bits) => ToSqlOutput::Owned(rusqlite::types::Value::Blob(bits.to_vec())),
                None => ToSqlOutput::Borrowed(ValueRef::Real(*number)),
            },
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
