//! Lock and schema in, changes out. An entity is known by its namespace, a field by its number.

use std::collections::BTreeSet;

use prism_schema::{Backend, Cardinality, Column, Entity, FieldType, Managed, Storage};

use super::change::{Change, Kind, Level, Place, REWRITTEN};
use super::indexes;
use super::lock::{Lock, LockedEntity, Retired};
use super::nested::Nested;

/// Every change between two states, in the order of namespaces and numbers.
pub fn changes(old: &Lock, new: &Lock) -> Vec<Change> {
    let mut found = Vec::new();
    for (namespace, before) in &old.entities {
        match new.entities.get(namespace) {
            Some(after) => Comparison { old, new, before, after, found: &mut found }.run(),
            None => removed(namespace, before, old, new, &mut found),
        }
    }
    for (namespace, after) in &new.entities {
        if !old.entities.contains_key(namespace) {
            let cause = format!("message {}, namespace {namespace}: added", after.schema.message);
            found.push(Change {
                namespace: namespace.clone(),
                path: String::new(),
                kind: Kind::EntityAdded,
                level: Level::Safe,
                cause,
                help: String::new(),
                place: Place::Entity,
            });
        }
    }
    found
}

fn removed(
    namespace: &str,
    before: &LockedEntity,
    old: &Lock,
    new: &Lock,
    found: &mut Vec<Change>,
) {
    let schema = &before.schema;
    let successor = new.entities.iter().find(|(name, after)| {
        let same = after.schema.message == schema.message || after.schema.table == schema.table;
        same && !old.entities.contains_key(*name)
    });
    let message = &schema.message;
    let (kind, level, cause, help, at) = match successor {
        Some((name, after)) => (
            Kind::EntityRenamed,
            Level::Error,
            format!(
                "message {}: its namespace was {namespace} and is {name}",
                after.schema.message
            ),
            format!(
                "keep `namespace: \"{namespace}\"`; for another one add a new message with a table \
                 of its own, copy the records, then remove the old message"
            ),
            Some(name),
        ),
        None => (
            Kind::EntityRemoved,
            Level::Confirm,
            format!("message {message}, namespace {namespace}: removed"),
            format!("the table `{}` and all its records are deleted", schema.table),
            None,
        ),
    };
    found.push(Change {
        namespace: at.map_or(namespace, |name| name.as_str()).to_owned(),
        path: String::new(),
        kind,
        level,
        cause,
        help,
        place: if at.is_some() { Place::Entity } else { Place::Nowhere },
    });
}

/// Compares the two states of an entity.
struct Comparison<'a> {
    old: &'a Lock,
    new: &'a Lock,
    before: &'a LockedEntity,
    after: &'a LockedEntity,
    found: &'a mut Vec<Change>,
}

impl Comparison<'_> {
    fn run(mut self) {
        self.entity();
        let (before, after) = (&self.before.schema, &self.after.schema);
        for column in &before.columns {
            match after.column(column.number) {
                Some(now) => self.column(column, now),
                None => self.field_removed(column),
            }
        }
        for column in after.columns.iter().filter(|it| before.column(it.number).is_none()) {
            self.field_added(column);
        }
        let indexes = indexes::changes(before, after);
        self.found.extend(indexes);
    }

    fn push(&mut self, kind: Kind, level: Level, cause: String, help: &str) {
        self.found.push(Change {
            namespace: self.after.schema.namespace.clone(),
            path: String::new(),
            kind,
            level,
            cause: format!("message {}: {cause}", self.after.schema.message),
            help: help.to_owned(),
            place: Place::Entity,
        });
    }

    fn field(&mut self, column: &Column, kind: Kind, level: Level, what: &str, help: &str) {
        let place = match self.after.schema.column(column.number) {
            Some(_) => Place::Field(column.number),
            None => Place::Entity,
        };
        self.found.push(Change {
            namespace: self.after.schema.namespace.clone(),
            path: column.number.to_string(),
            kind,
            level,
            cause: format!(
                "message {}, field {} = {}: {what}",
                self.after.schema.message, column.field, column.number
            ),
            help: help.to_owned(),
            place,
        });
    }

    fn entity(&mut self) {
        let (before, after) = (&self.before.schema, &self.after.schema);
        if before.table != after.table {
            let help = format!(
                "write `table: \"{}\"`; for another table add a new message and copy the records",
                before.table
            );
            let cause = format!("its table was {} and is {}", before.table, after.table);
            self.push(Kind::EntityRenamed, Level::Error, cause, &help);
        }
        if (&before.key, before.partition) != (&after.key, after.partition) {
            let help = "leave the key as it was; for another key add a new message with a \
                        namespace of its own, copy the records, then remove the old message";
            let cause = format!("its key was ({}) and is ({})", key(before), key(after));
            self.push(Kind::KeyChanged, Level::Error, cause, help);
        }
        if before.backend != after.backend {
            let cause =
                format!("its backend was {} and is {}", name(before.backend), name(after.backend));
            let help = "its records stay where they are: copy them before the new proxy starts";
            self.push(Kind::BackendChanged, Level::Confirm, cause, help);
        }
        if before.retention_days != after.retention_days {
            let cause = format!(
                "retention_days was {} and is {}",
                before.retention_days, after.retention_days
            );
            let added = after.last_write_column().is_some() && before.last_write_column().is_none();
            let level = if added { Level::Online } else { Level::Safe };
            self.push(Kind::RetentionChanged, level, cause, "");
        }
    }

    fn field_removed(&mut self, column: &Column) {
        let retired = &self.after.retired();
        if retired.has_number(column.number.into()) && retired.has_name(&column.field) {
            let help = format!("the column `{}` and its values are deleted", column.name);
            self.field(column, Kind::FieldRemoved, Level::Confirm, "removed", &help);
        } else {
            let help = format!(
                "add `reserved {};` and `reserved \"{}\";` to `{}`",
                column.number, column.field, self.after.schema.message
            );
            let what = "removed, and not reserved";
            self.field(column, Kind::FieldNotReserved, Level::Error, what, &help);
        }
    }

    fn field_added(&mut self, column: &Column) {
        let retired = self.before.retired();
        let fields = self.before.schema.columns.iter();
        let mut others = fields.filter(|other| other.number != column.number);
        if retired.has_number(column.number.into()) {
            let help =
                "take a number that was never used: stored and sent messages may hold this one";
            let what = "its number was used or reserved before";
            self.field(column, Kind::FieldReused, Level::Error, what, help);
        } else if retired.has_name(&column.field) || others.any(|it| it.field == column.field) {
            let help = "take a name that was never used: under this one another number was stored";
            let what = "its name belongs or belonged to another number";
            self.field(column, Kind::FieldReused, Level::Error, what, help);
        } else {
            self.field(column, Kind::FieldAdded, Level::Safe, "added", "");
        }
    }

    fn column(&mut self, before: &Column, after: &Column) {
        if before.field != after.field || before.name != after.name {
            let what = match before.field == after.field {
                true => format!("its column was {} and is {}", before.name, after.name),
                false => format!("renamed from {}", before.field),
            };
            self.field(after, Kind::FieldRenamed, Level::Safe, &what, "");
        }
        if self.column_type(before, after) {
            self.presence(before, after);
        }
        self.management(before, after);
    }

    /// Whether the types can be told apart by presence alone.
    fn column_type(&mut self, before: &Column, after: &Column) -> bool {
        let what = format!("its type was {} and is {}", declared(before), declared(after));
        if shape(before.cardinality) != shape(after.cardinality) || before.wrapper != after.wrapper
        {
            self.type_changed(after, &what);
            return false;
        }
        if before.storage != after.storage && !self.storage(before, after) {
            return false;
        }
        match (&before.ty, &after.ty) {
            (FieldType::Message(one), FieldType::Message(other))
            | (FieldType::Group(one), FieldType::Group(other)) => {
                self.nested(before, after).message(one, other);
            }
            (FieldType::Enum(one), FieldType::Enum(other)) => {
                self.nested(before, after).enumeration(one, other);
            }
            (one, other) if one == other => {}
            (FieldType::Uint32, FieldType::Uint64)
                if after.storage == Storage::Native && before.nullable() != after.nullable() =>
            {
                let help = "change the type in one migration and the presence in the next";
                let what = what + ", and its presence changed with it";
                self.field(after, Kind::EncodingChanged, Level::Error, &what, help);
            }
            (FieldType::Uint32, FieldType::Uint64) if after.storage == Storage::Native => {
                self.field(after, Kind::EncodingChanged, Level::Confirm, &what, REWRITTEN);
            }
            (FieldType::Int32, FieldType::Int64)
            | (FieldType::Sint32, FieldType::Sint64)
            | (FieldType::Uint32, FieldType::Uint64) => {
                self.field(after, Kind::TypeWidened, Level::Safe, &what, "");
            }
            _ => {
                self.type_changed(after, &what);
                return false;
            }
        }
        true
    }

    /// Whether values can be brought from one storage into another.
    fn storage(&mut self, before: &Column, after: &Column) -> bool {
        let protobuf = |column: &Column| column.storage != Storage::Native;
        if !protobuf(before) || !protobuf(after) {
            let what = "its storage changed";
            self.type_changed(after, what);
            return false;
        }
        let moved = moved(&self.before.schema, &self.after.schema, after.number);
        if before.nullable() != after.nullable() || moved {
            let help = "change the storage in one migration and the presence in the next";
            let what = "its storage changed, and its presence with it";
            self.field(after, Kind::StorageChanged, Level::Error, what, help);
            return false;
        }
        let name = |column: &Column| format!("{:?}", column.storage).to_lowercase();
        let what = format!("its storage was {} and is {}", name(before), name(after));
        self.field(after, Kind::StorageChanged, Level::Confirm, &what, REWRITTEN);
        true
    }

    fn type_changed(&mut self, column: &Column, what: &str) {
        let help = "add a new field of the new type, copy, and reserve the old one";
        self.field(column, Kind::TypeChanged, Level::Error, what, help);
    }

    fn nested<'s>(&'s mut self, before: &Column, after: &Column) -> Nested<'s> {
        Nested {
            old: self.old,
            new: self.new,
            namespace: self.after.schema.namespace.clone(),
            column: after.number,
            json: before.storage == Storage::Json,
            path: after.number.to_string(),
            compared: BTreeSet::new(),
            found: self.found,
        }
    }

    fn presence(&mut self, before: &Column, after: &Column) {
        let differs = before.nullable() != after.nullable()
            || moved(&self.before.schema, &self.after.schema, after.number);
        if differs && renamed_within(before, self.found.iter(), &self.after.schema.namespace) {
            let help = "change the names in one migration and the presence in the next";
            let what = "names within it change, and its presence with them";
            self.field(after, Kind::OneofChanged, Level::Error, what, help);
            return;
        }
        if moved(&self.before.schema, &self.after.schema, after.number) {
            let what = match (&before.oneof, &after.oneof) {
                (_, Some(oneof)) => format!("moved into oneof {oneof}"),
                (Some(oneof), None) => format!("moved out of oneof {oneof}"),
                (None, None) => return,
            };
            let help = "where the field gains presence its zero becomes absent, where it loses it \
                        absent becomes zero; rows in which two members are set stop the migration";
            self.field(after, Kind::OneofChanged, Level::Confirm, &what, help);
        } else if !before.nullable() && after.nullable() {
            let what = "has presence now";
            self.field(after, Kind::PresenceAdded, Level::Safe, what, "");
        } else if before.nullable() && !after.nullable() {
            let help = "records without a value get the type's zero";
            let what = "has no presence any more";
            self.field(after, Kind::PresenceRemoved, Level::Confirm, what, help);
        }
    }

    fn management(&mut self, before: &Column, after: &Column) {
        if before.managed == after.managed {
            return;
        }
        let hides = |managed| matches!(managed, Some(Managed::DeleteTime | Managed::ExpireTime));
        let level = match hides(before.managed) || hides(after.managed) {
            true => Level::Confirm,
            false => Level::Safe,
        };
        let help = "the values that are stored decide which records are seen from now on";
        let what = "is managed in another way";
        self.field(after, Kind::ManagementChanged, level, what, help);
    }
}

/// Whether the JSON in a column has to be written anew, for names within it that changed or went.
pub(super) fn renamed_within<'c>(
    column: &Column,
    changes: impl IntoIterator<Item = &'c Change>,
    namespace: &str,
) -> bool {
    let within = format!("{}.", column.number);
    let named = |change: &Change| {
        let kinds =
            [Kind::FieldRenamed, Kind::FieldRemoved, Kind::ValueRenamed, Kind::ValueRemoved];
        kinds.contains(&change.kind)
            && change.level == Level::Confirm
            && change.namespace == namespace
            && change.path.starts_with(&within)
    };
    column.storage == Storage::Json && changes.into_iter().any(named)
}

/// Whether a field became, or is no longer, a member of a oneof. A oneof's name does not count.
pub(super) fn moved(old: &Entity, new: &Entity, number: u32) -> bool {
    let oneof = |entity: &Entity, number| entity.column(number).and_then(|it| it.oneof.clone());
    let (before, after) = (oneof(old, number), oneof(new, number));
    if before.is_none() || after.is_none() {
        return before != after;
    }
    let siblings = new.columns.iter().filter(|column| column.oneof == after);
    siblings.filter_map(|column| oneof(old, column.number)).any(|other| Some(other) != before)
}

/// What tells a singular field from a list and from a map.
fn shape(cardinality: Cardinality) -> u8 {
    match cardinality {
        Cardinality::Implicit | Cardinality::Optional | Cardinality::Required => 0,
        Cardinality::Repeated => 1,
        Cardinality::Map => 2,
    }
}

/// A column's type as its declaration spells it.
fn declared(column: &Column) -> String {
    let ty = match &column.ty {
        FieldType::Message(name) | FieldType::Group(name) | FieldType::Enum(name) => name.clone(),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    match column.cardinality {
        Cardinality::Repeated => format!("repeated {ty}"),
        Cardinality::Map => format!("map {ty}"),
        _ if column.wrapper => format!("wrapper of {ty}"),
        _ => ty,
    }
}

fn name(backend: Backend) -> String {
    format!("{backend:?}").to_lowercase()
}

fn key(entity: &Entity) -> String {
    let names = entity.key.iter().filter_map(|number| entity.column(*number));
    let names: Vec<&str> = names.map(|column| column.field.as_str()).collect();
    let (partition, clustering) = names.split_at(entity.partition.min(names.len()));
    match clustering {
        [] => partition.join(", "),
        _ => format!("{} | {}", partition.join(", "), clustering.join(", ")),
    }
}

impl LockedEntity {
    fn retired(&self) -> Retired {
        let widen = |&(first, last): &(u32, u32)| (i64::from(first), i64::from(last));
        Retired {
            names: self.retired_names.clone(),
            numbers: self.retired_numbers.iter().map(widen).collect(),
        }
    }
}
