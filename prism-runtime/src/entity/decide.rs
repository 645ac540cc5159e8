//! What each operation does to a record: the command and the row that is there in, the change to
//! make or the error out. Pure, so that every backend decides alike.

use std::sync::Arc;

use super::layout::{Layout, State};
use super::record::{Key, Record, absent, zero};
use super::size::{Counted, check_size};
use crate::path::join;
use crate::schema::{Access, Column, Storage, Value};
use crate::violations::{Place, Violations};
use crate::{Error, Reason, Result, Violation};

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
    /// The entity in the request, for violations.
    pub entity: RequestPath,
    /// What is wrong with the entity if an update with `allow_missing` creates the record.
    pub if_created: Violations,
    /// The update mask in the request, for violations.
    pub mask: RequestPath,
}

/// A field of a request, for violations.
#[derive(Clone, Debug, Default)]
pub struct RequestPath {
    /// Its number.
    pub number: u32,
    /// Its path: `order`. Empty if the request has no such field.
    pub path: Arc<str>,
}

impl RequestPath {
    /// Where it stands among the fields of the request.
    pub fn place(&self) -> Place {
        Place::field(self.number)
    }

    /// Where a field of the entity stands that the field is, and its path.
    pub(crate) fn column(&self, column: &Column) -> (Place, String) {
        (self.place().part(column.number), join(&self.path, &column.field))
    }
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
    /// Positions of columns, in their order and each once, with the position of its path in the
    /// mask.
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
        .map(|field| {
            Violation::new(join(&command.entity.path, field), "another record has this value")
        })
        .collect();
    let message = format!(
        "{}: another record has the same {}",
        layout.entity.namespace,
        fields.join(" and ")
    );
    Error::new(Reason::UniqueViolation, message).with_violations(violations)
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
                self.check_size(current, Violations::default(), &|_| false)?;
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
        let sent = |position: usize| self.is_sent(&record, position);
        self.check_size(&record, self.command.if_created.clone(), &sent)?;
        Ok(record)
    }

    /// A whole record over a live one. `path` is the position in an update mask that says so.
    fn replaced(&self, new: &Record, current: &Record, path: Option<usize>) -> Result<Record> {
        let mut record = self.full(new);
        let mut violations = Violations::default();
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
                    self.violate(column, path, &mut violations);
                }
                record.0[position].clone_from(old);
            }
        }
        self.stamp(&mut record);
        self.check_size(&record, violations, &|position| self.is_sent(new, position))?;
        Ok(record)
    }

    /// Some fields of a live record.
    fn patched(&self, new: &Record, current: &Record, fields: &[(usize, usize)]) -> Result<Change> {
        let mut record = current.clone();
        let mut columns = Vec::with_capacity(fields.len() + 2);
        let mut violations = Violations::default();
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
                self.violate(column, Some(path), &mut violations);
                continue;
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
                    self.violate(other, Some(path), &mut violations);
                }
                record.0[sibling] = Value::Null;
                columns.push(sibling);
            }
        }
        columns.extend([self.layout.update_time, self.layout.etag].into_iter().flatten());
        columns.sort_unstable();
        columns.dedup();
        self.stamp(&mut record);
        let sent = |position: usize| named[position] && self.is_sent(new, position);
        self.check_size(&record, violations, &sent)?;
        Ok(Change::Update { record, columns })
    }

    /// All that is wrong with the record that would be written.
    fn check_size(
        &self,
        record: &Record,
        mut violations: Violations,
        sent: &dyn Fn(usize) -> bool,
    ) -> Result<()> {
        let counted = Counted { counts: &|_| true, sent };
        check_size(self.layout, record, counted, &self.command.entity, &mut violations)?;
        violations.finish()
    }

    /// Whether the request sets a column, as far as its entity tells.
    fn is_sent(&self, sent: &Record, position: usize) -> bool {
        let Some(column) = self.layout.column(position) else { return false };
        let ignored = self.layout.is_server_set(position) || self.ignores(column.access);
        sent.0[position] != absent(column) && (!ignored || self.layout.is_key(position))
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

    /// `path` is the position in an update mask that names the field.
    fn violate(&self, column: &Column, path: Option<usize>, violations: &mut Violations) {
        let (place, at) = match path {
            Some(path) => {
                let mask = &self.command.mask;
                (mask.place().element(path), format!("{}.paths[{path}]", mask.path))
            }
            None => self.command.entity.column(column),
        };
        let what = format!("{} is immutable: it keeps the value it was created with", column.field);
        violations.push(place, Violation::new(at, what));
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

/// Whether a value is not a key: empty text or bytes, or absent. Zero is one.
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
