//! What each operation does to a record: the command and the row that is there in, the change to
//! make or the error out. Pure, so that every backend decides alike.

use std::sync::Arc;

use super::layout::{Layout, State};
use super::record::{Key, Record, absent, zero};
use crate::schema::{Access, Storage, Value};
use crate::{Error, Reason, Result, Violation};

/// The key and all indexed values of a record together, in bytes.
pub const MAX_INDEXED_BYTES: usize = 2_048;

/// A write, ready to be decided.
#[derive(Clone, Debug)]
pub struct Command {
    /// What to do.
    pub action: Action,
    /// The etag that the caller has read.
    pub expected_etag: Option<String>,
    /// The etag that the record gets.
    pub new_etag: String,
    /// The time of the call, in microseconds since the Unix epoch.
    pub now_micros: i64,
    /// Who writes.
    pub source: Source,
    /// Path of the entity in the request, for violations: `order`. Empty where the fields stand
    /// at the top.
    pub path: Arc<str>,
    /// What is wrong with the entity if an update with `allow_missing` creates the record.
    pub if_created: Vec<Violation>,
    /// Path of the update mask in the request, for violations.
    pub mask_path: Arc<str>,
}

/// What a command does to the record.
#[derive(Clone, Debug)]
pub enum Action {
    /// Writes a record that is not there.
    Create(Record),
    /// Inserts or replaces a whole record.
    Put(Record),
    /// Changes fields.
    Update {
        /// The new values.
        record: Record,
        /// Which of them count.
        mask: Mask,
        /// Whether an absent record is created.
        allow_missing: bool,
    },
    /// Removes the record, or hides it where it has a delete time.
    Delete {
        /// Whether an absent record is fine.
        allow_missing: bool,
    },
    /// Brings a hidden record back.
    Undelete,
}

/// Fields that an update writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// `*`: all of them.
    All,
    /// Positions of columns, each once, with the position of its path in the mask.
    Fields(Vec<(usize, usize)>),
}

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A caller: output-only fields are ignored.
    Caller,
    /// The service's own code.
    Service,
}

/// What a store makes of the row.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Leaves it as it is.
    Nothing,
    /// Writes the first row with this key.
    Insert(Record),
    /// Writes every column of the row that is there.
    Replace(Record),
    /// Writes these columns of the row that is there.
    Update {
        /// The whole row as it will be.
        record: Record,
        /// Positions of the columns to write. Prism's own column is always written.
        columns: Vec<usize>,
    },
    /// Removes the row, which is this one.
    Delete(Record),
}

impl Change {
    /// The row as it will be or, where it is removed, as it was.
    pub fn into_record(self) -> Option<Record> {
        match self {
            Change::Nothing => None,
            Change::Insert(record)
            | Change::Replace(record)
            | Change::Update { record, .. }
            | Change::Delete(record) => Some(record),
        }
    }

    /// The row that is written.
    pub fn written(&self) -> Option<&Record> {
        match self {
            Change::Nothing | Change::Delete(_) => None,
            Change::Insert(record) | Change::Replace(record) => Some(record),
            Change::Update { record, .. } => Some(record),
        }
    }
}

/// Decides a command on the row under its key, which may be deleted or expired.
///
/// # Errors
///
/// What the caller is told: the record is there or not, the etag differs, a field may not change
/// or is too large, or what is kept of the row cannot be read. And an error that the store hands
/// back as it is: a long JSON text was not judged before, so that the collection judges it and hands
/// the write in again.
pub fn decide(layout: &Layout, command: &Command, current: Option<&Record>) -> Result<Change> {
    let state = layout.state(current, command.now_micros);
    let decision = Decision { layout, command, state, current };
    let change = match &command.action {
        Action::Create(record) => decision.create(record),
        Action::Put(record) => decision.put(record),
        Action::Update { record, mask, allow_missing } => {
            decision.update(record, mask, *allow_missing)
        }
        // A record that cannot be read can be removed.
        Action::Delete { allow_missing } => return decision.delete(*allow_missing),
        Action::Undelete => decision.undelete(),
    }?;
    if let (Some(written), Some(current)) = (change.written(), current) {
        layout.check_kept(written, current)?;
    }
    Ok(change)
}

/// A request that may be sent again: `request_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// What the id is unique in, and the id.
    pub scope: RequestScope,
    /// Hash of the request's content.
    pub content: [u8; 32],
    /// Name of the id's field in the request, for violations.
    pub field: Arc<str>,
}

/// A request id with what it is unique in, beside the entity's namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestScope {
    /// Who called.
    pub caller: String,
    /// `package.Service/Method`.
    pub method: String,
    /// The caller's `request_id`.
    pub id: String,
}

/// How long a request id is remembered: 24 hours, in microseconds.
pub const REQUEST_ID_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// What is remembered of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Hash of its content.
    pub content: [u8; 32],
    /// Key of the record that it made.
    pub key: Key,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_micros: i64,
}

impl Remembered {
    /// Whether it no longer counts: after [`REQUEST_ID_MICROS`].
    pub fn is_forgotten(&self, now_micros: i64) -> bool {
        self.created_micros <= now_micros.saturating_sub(REQUEST_ID_MICROS)
    }
}

/// Answers a request that was made before: the record that it made, as it is now.
///
/// # Errors
///
/// REQUEST_ID_REUSED where the content is another, RECORD_NOT_FOUND where the record was deleted
/// since.
pub fn repeat(
    layout: &Layout,
    request: &RequestId,
    remembered: &Remembered,
    current: Option<Record>,
    now_micros: i64,
) -> Result<Record> {
    if request.content != remembered.content {
        let field = &*request.field;
        let what = "was used for another request in the last 24 hours";
        let error = Error::new(Reason::RequestIdReused, format!("{field}: {what}"));
        return Err(error.with_violations(vec![Violation::new(field, what)]));
    }
    match layout.state(current.as_ref(), now_micros) {
        State::Live => current.ok_or_else(|| not_found(layout)),
        State::Absent | State::Gone | State::Deleted => Err(not_found(layout)),
    }
}

/// RECORD_NOT_FOUND of an entity.
pub fn not_found(layout: &Layout) -> Error {
    let message = format!("{}: there is no record with this key", layout.entity.namespace);
    Error::new(Reason::RecordNotFound, message)
}

/// UNIQUE_VIOLATION that names the index's fields.
pub fn unique_violation(layout: &Layout, command: &Command, index: usize) -> Error {
    let index = &layout.entity.indexes[index];
    let fields: Vec<&str> = index
        .columns
        .iter()
        .filter_map(|column| layout.entity.column(column.number))
        .map(|column| column.field.as_str())
        .collect();
    // The request of an Undelete has none of the fields.
    let named = !matches!(command.action, Action::Undelete);
    let violations = fields
        .iter()
        .filter(|_| named)
        .map(|field| Violation::new(join(&command.path, field), "another record has this value"))
        .collect();
    let message = format!(
        "{}: another record has the same {}",
        layout.entity.namespace,
        fields.join(" and ")
    );
    Error::new(Reason::UniqueViolation, message).with_violations(violations)
}

/// The path of a field below another.
pub fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Checks that what is keyed and indexed stays below [`MAX_INDEXED_BYTES`], which every backend
/// can store.
pub fn check_indexed_size(layout: &Layout, record: &Record, path: &str) -> Result<()> {
    let sized = || layout.sized.iter().copied();
    let total: usize = sized().map(|position| record.0[position].size()).sum();
    if total <= MAX_INDEXED_BYTES {
        return Ok(());
    }
    let largest = sized().max_by_key(|&position| record.0[position].size());
    let field = largest.and_then(|position| layout.column(position)).map_or("", |c| &c.field);
    let description = format!(
        "the key and the indexed fields together have {total} bytes, the limit is \
         {MAX_INDEXED_BYTES}"
    );
    Err(Error::invalid(vec![Violation::too_large(join(path, field), description)]))
}

/// Checks that an answer can hold the record.
fn check_record_size(layout: &Layout, record: &Record, path: &str) -> Result<()> {
    if layout.fits_answer(record)? {
        return Ok(());
    }
    let columns = layout.entity.columns.iter().zip(&record.0);
    let largest = columns.max_by_key(|(_, value)| value.size());
    let field = largest.map_or("", |(column, _)| column.field.as_str());
    let description = format!(
        "the record would have more than the {} bytes that fit an answer",
        layout.max_record_bytes
    );
    Err(Error::invalid(vec![Violation::too_large(join(path, field), description)]))
}

/// A decision in the making.
struct Decision<'a> {
    layout: &'a Layout,
    command: &'a Command,
    state: State,
    current: Option<&'a Record>,
}

impl Decision<'_> {
    fn create(&self, record: &Record) -> Result<Change> {
        match self.state {
            State::Absent => self.fresh(record).map(Change::Insert),
            State::Gone => self.fresh(record).map(Change::Replace),
            State::Deleted | State::Live => Err(self.exists()),
        }
    }

    fn put(&self, record: &Record) -> Result<Change> {
        self.check_etag()?;
        match (self.state, self.current) {
            (State::Absent, _) | (_, None) => self.fresh(record).map(Change::Insert),
            (State::Gone | State::Deleted, _) => self.fresh(record).map(Change::Replace),
            (State::Live, Some(current)) => {
                self.replaced(record, current, None).map(Change::Replace)
            }
        }
    }

    fn update(&self, record: &Record, mask: &Mask, allow_missing: bool) -> Result<Change> {
        self.check_etag()?;
        match (self.state, self.current) {
            (State::Live, Some(current)) => match mask {
                Mask::All => {
                    let record = self.replaced(record, current, Some(0))?;
                    let columns = 0..self.layout.entity.columns.len();
                    let columns = columns.filter(|&position| !self.layout.is_key(position));
                    Ok(Change::Update { record, columns: columns.collect() })
                }
                Mask::Fields(fields) => self.patched(record, current, fields),
            },
            (State::Absent | State::Gone, _)
                if allow_missing && !self.command.if_created.is_empty() =>
            {
                Err(Error::invalid(self.command.if_created.clone()))
            }
            (State::Absent, _) if allow_missing => self.fresh(record).map(Change::Insert),
            (State::Gone, _) if allow_missing => self.fresh(record).map(Change::Replace),
            _ => Err(not_found(self.layout)),
        }
    }

    fn delete(&self, allow_missing: bool) -> Result<Change> {
        let (State::Live, Some(current)) = (self.state, self.current) else {
            return if allow_missing { Ok(Change::Nothing) } else { Err(not_found(self.layout)) };
        };
        self.check_etag()?;
        let Some(delete_time) = self.layout.delete_time else {
            return Ok(Change::Delete(current.clone()));
        };
        Ok(self.marked(current, delete_time, Value::Int(self.command.now_micros)))
    }

    fn undelete(&self) -> Result<Change> {
        match (self.state, self.current, self.layout.delete_time) {
            (State::Live, ..) => Err(self.exists()),
            (State::Deleted, Some(current), Some(delete_time)) => {
                self.check_etag()?;
                check_record_size(self.layout, current, &self.command.path)?;
                Ok(self.marked(current, delete_time, Value::Null))
            }
            _ => Err(not_found(self.layout)),
        }
    }

    /// The row with another delete time.
    fn marked(&self, current: &Record, delete_time: usize, value: Value) -> Change {
        let mut record = current.clone();
        record.0[delete_time] = value;
        self.stamp(&mut record);
        let stamped = [Some(delete_time), self.layout.update_time, self.layout.etag];
        Change::Update { record, columns: stamped.into_iter().flatten().collect() }
    }

    /// A record that nothing was there for, or only what does not count any more.
    fn fresh(&self, record: &Record) -> Result<Record> {
        let mut record = self.full(record);
        for (position, column) in self.layout.entity.columns.iter().enumerate() {
            let ignored = self.ignores(column.access) && !self.layout.is_key(position);
            if ignored || self.layout.delete_time == Some(position) {
                record.0[position] = absent(column);
            }
        }
        if let Some(position) = self.layout.create_time {
            record.0[position] = Value::Int(self.command.now_micros);
        }
        self.stamp(&mut record);
        check_indexed_size(self.layout, &record, &self.command.path)?;
        check_record_size(self.layout, &record, &self.command.path)?;
        Ok(record)
    }

    /// A whole record over a live one. `path` is the position in an update mask that says so.
    fn replaced(&self, new: &Record, current: &Record, path: Option<usize>) -> Result<Record> {
        let mut record = self.full(new);
        let mut violations = Vec::new();
        for (position, column) in self.layout.entity.columns.iter().enumerate() {
            let old = &current.0[position];
            let sent = &new.0[position];
            // Setting a member of a oneof clears the others.
            let displaced = || self.layout.siblings(position).any(|other| !new.0[other].is_null());
            if self.layout.is_server_set(position) || self.ignores(column.access) {
                record.0[position] = if displaced() { Value::Null } else { old.clone() };
            } else if column.access == Access::Immutable && !self.is_same(position, sent, old)? {
                // What was set stays where nothing is sent.
                if *sent != absent(column) || displaced() {
                    violations.push(self.immutable(&column.field, path));
                }
                record.0[position].clone_from(old);
            }
        }
        self.finish(record, violations)
    }

    /// Some fields of a live record.
    fn patched(&self, new: &Record, current: &Record, fields: &[(usize, usize)]) -> Result<Change> {
        let mut record = current.clone();
        let mut columns = Vec::with_capacity(fields.len() + 2);
        let mut violations = Vec::new();
        let mut named = vec![false; self.layout.width()];
        fields.iter().for_each(|(position, _)| named[*position] = true);
        for &(position, path) in fields {
            let Some(column) = self.layout.column(position) else { continue };
            if self.layout.is_server_set(position) || self.ignores(column.access) {
                continue;
            }
            let value = &new.0[position];
            if column.access == Access::Immutable
                && !self.is_same(position, value, &current.0[position])?
            {
                violations.push(self.immutable(&column.field, Some(path)));
            }
            record.0[position].clone_from(value);
            columns.push(position);
            if value.is_null() {
                continue;
            }
            // One that the mask names too is set to what the request says of it: absent.
            for sibling in self.layout.siblings(position).filter(|sibling| !named[*sibling]) {
                let other = &self.layout.entity.columns[sibling];
                let set = !record.0[sibling].is_null();
                if set && other.access == Access::Immutable {
                    violations.push(self.immutable(&other.field, Some(path)));
                }
                record.0[sibling] = Value::Null;
                columns.push(sibling);
            }
        }
        columns.extend([self.layout.update_time, self.layout.etag].into_iter().flatten());
        columns.sort_unstable();
        columns.dedup();
        let record = self.finish(record, violations)?;
        Ok(Change::Update { record, columns })
    }

    fn finish(&self, mut record: Record, violations: Vec<Violation>) -> Result<Record> {
        if !violations.is_empty() {
            return Err(Error::invalid(violations));
        }
        self.stamp(&mut record);
        check_indexed_size(self.layout, &record, &self.command.path)?;
        check_record_size(self.layout, &record, &self.command.path)?;
        Ok(record)
    }

    /// Sets what every write changes.
    fn stamp(&self, record: &mut Record) {
        let now = self.command.now_micros;
        if let Some(position) = self.layout.update_time {
            record.0[position] = Value::Int(now);
        }
        if let Some(position) = self.layout.written_at {
            record.0[position] = Value::Int(now);
        }
        if let Some(position) = self.layout.etag {
            record.0[position] = Value::Text(self.command.new_etag.clone());
        }
    }

    /// A copy with room for Prism's own column.
    fn full(&self, record: &Record) -> Record {
        let mut values = record.0.clone();
        values.resize(self.layout.width(), Value::Null);
        Record(values)
    }

    fn ignores(&self, access: Access) -> bool {
        access == Access::OutputOnly && self.command.source == Source::Caller
    }

    /// An etag that was read and is not the record's any more, or of a record that is not there.
    fn check_etag(&self) -> Result<()> {
        let Some(expected) = &self.command.expected_etag else { return Ok(()) };
        let found = match self.state {
            State::Absent | State::Gone => None,
            State::Deleted | State::Live => self.current,
        };
        let etag = found.zip(self.layout.etag).map(|(record, position)| &record.0[position]);
        match etag {
            Some(Value::Text(etag)) if etag == expected => Ok(()),
            _ => Err(Error::new(
                Reason::EtagMismatch,
                format!(
                    "{}: the record has changed since the etag was read",
                    self.layout.entity.namespace
                ),
            )),
        }
    }

    /// Whether two values of a column are the same.
    fn is_same(&self, position: usize, one: &Value, other: &Value) -> Result<bool> {
        let storage = self.layout.entity.columns[position].storage;
        match (storage, one, other) {
            (Storage::Json, Value::Text(one), Value::Text(other)) => {
                self.layout.json.is_same(position, one, other)
            }
            (_, one, other) => Ok(one == other),
        }
    }

    fn immutable(&self, field: &str, path: Option<usize>) -> Violation {
        let at = match path {
            Some(path) => format!("{}.paths[{path}]", self.command.mask_path),
            None => join(&self.command.path, field),
        };
        Violation::new(at, format!("{field} is immutable: it keeps the value it was created with"))
    }

    fn exists(&self) -> Error {
        let fields: Vec<&str> = self
            .layout
            .key
            .iter()
            .filter_map(|&position| self.layout.column(position))
            .map(|column| column.field.as_str())
            .collect();
        let kept = if self.state == State::Deleted { ", deleted but kept" } else { "" };
        let message = format!(
            "{}: there is a record with this {}{kept}",
            self.layout.entity.namespace,
            fields.join(" and ")
        );
        Error::new(Reason::RecordExists, message)
    }
}

/// Whether a value is no key: empty text or bytes, or absent. Zero is one.
pub fn is_empty_key(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::Blob(bytes) => bytes.is_empty(),
        Value::Int(_) | Value::Double(_) => false,
    }
}

/// Clears what a caller may not choose before a record is created: an output-only key.
pub fn clear_output_only_id(layout: &Layout, record: &mut Record) {
    if let Some(position) = layout.id {
        let column = &layout.entity.columns[position];
        if column.access == Access::OutputOnly {
            record.0[position] = zero(column);
        }
    }
}
