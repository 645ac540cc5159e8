//! `schema.lock`: the model that the migrations so far lead to.
//!
//! It is JSON with every key in a fixed order, so that a review shows what a change means for the
//! data, and it holds what a later comparison needs and the `.proto` files no longer say: nested
//! types, chosen names, and numbers that may not be used again.

use std::collections::{BTreeMap, BTreeSet};

use prism_schema::{Entity, FieldType, Storage};
use prost_reflect::{DescriptorPool, EnumDescriptor, Kind, MessageDescriptor};
use serde::{Deserialize, Serialize};

use crate::model::{Reserved, Schema};

/// Version of the file's format.
const FORMAT: u32 = 1;

/// Everything that stored data depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version of the file's format.
    pub format: u32,
    /// By namespace.
    pub entities: BTreeMap<String, LockedEntity>,
    /// Messages that stored fields are made of, by full name.
    pub messages: BTreeMap<String, BTreeMap<u32, LockedField>>,
    /// Values of the enums of stored fields, by full name of the enum.
    pub enums: BTreeMap<String, BTreeMap<i32, String>>,
}

/// An entity, and what it may not use again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedEntity {
    /// The entity.
    pub schema: Entity,
    /// Field names that were used or reserved before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired_names: Vec<String>,
    /// Field numbers that were used or reserved before, as inclusive ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired_numbers: Vec<(u32, u32)>,
}

/// A field of a nested message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedField {
    /// Protobuf name.
    pub name: String,
    /// Protobuf type: a keyword, or the full name of a message or enum.
    #[serde(rename = "type")]
    pub ty: String,
    /// `optional`, `required`, `repeated`, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

impl Lock {
    /// The lock of a schema that has no earlier one.
    pub fn new(schema: &Schema) -> Self {
        let pool = DescriptorPool::decode(schema.descriptor_set.as_slice()).unwrap_or_default();
        let mut lock = Lock {
            format: FORMAT,
            entities: BTreeMap::new(),
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
        };
        for entity in &schema.entities {
            for column in &entity.schema.columns {
                match &column.ty {
                    FieldType::Message(name) | FieldType::Group(name) => {
                        lock.add_message(pool.get_message_by_name(name));
                    }
                    FieldType::Enum(name) => lock.add_enum(pool.get_enum_by_name(name)),
                    _ => {}
                }
            }
            let Reserved { mut names, mut numbers } = entity.reserved.clone();
            names.sort();
            numbers.sort_unstable();
            let locked = LockedEntity {
                schema: entity.schema.clone(),
                retired_names: names,
                retired_numbers: numbers,
            };
            lock.entities.insert(entity.schema.namespace.clone(), locked);
        }
        lock
    }

    /// Reads the file's text.
    ///
    /// # Errors
    ///
    /// Text that is no lock, or one of a later version of Prism.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lock: Lock = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if lock.format > FORMAT {
            return Err(format!("its format is {}, this version reads {FORMAT}", lock.format));
        }
        Ok(lock)
    }

    /// The file's text.
    pub fn render(&self) -> String {
        match serde_json::to_string_pretty(self) {
            Ok(text) => text + "\n",
            Err(error) => unreachable!("a lock has string keys only: {error}"),
        }
    }

    /// What differs from a later schema, in words; empty where stored data means the same. An
    /// entity is known by its namespace and a field by its number, so names of messages do not
    /// count.
    pub fn differences(&self, new: &Lock) -> Vec<String> {
        let mut found = Vec::new();
        for (namespace, old) in &self.entities {
            match new.entities.get(namespace) {
                Some(new_entity) => {
                    let mut comparison = Comparison { old: self, new, compared: BTreeSet::new() };
                    comparison.entity(&old.schema, &new_entity.schema, &mut found);
                }
                None => found.push(format!("entity `{namespace}` is gone")),
            }
        }
        let added = new.entities.keys().filter(|name| !self.entities.contains_key(*name));
        found.extend(added.map(|namespace| format!("entity `{namespace}` is new")));
        found
    }

    fn add_message(&mut self, message: Option<MessageDescriptor>) {
        let Some(message) = message else { return };
        if self.messages.contains_key(message.full_name()) {
            return;
        }
        let fields = message.fields().map(|field| {
            let label = match (field.is_required(), field.is_list() || field.is_map()) {
                (true, _) => "required",
                (_, true) => "repeated",
                _ if field.supports_presence()
                    && field.field_descriptor_proto().proto3_optional() =>
                {
                    "optional"
                }
                _ => "",
            };
            let locked = LockedField {
                name: field.name().to_owned(),
                ty: type_name(&field.kind()),
                label: label.to_owned(),
            };
            (field.number(), locked)
        });
        self.messages.insert(message.full_name().to_owned(), fields.collect());
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) => self.add_message(Some(inner)),
                Kind::Enum(inner) => self.add_enum(Some(inner)),
                _ => {}
            }
        }
    }

    fn add_enum(&mut self, declared: Option<EnumDescriptor>) {
        let Some(declared) = declared else { return };
        let mut values = BTreeMap::new();
        for value in declared.values() {
            // Of aliases the first counts.
            values.entry(value.number()).or_insert_with(|| value.name().to_owned());
        }
        self.enums.insert(declared.full_name().to_owned(), values);
    }
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(declared) => declared.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// Compares what two locks say of an entity.
struct Comparison<'a> {
    old: &'a Lock,
    new: &'a Lock,
    /// Pairs of messages that were compared, or are being compared.
    compared: BTreeSet<(String, String)>,
}

impl Comparison<'_> {
    fn entity(&mut self, old: &Entity, new: &Entity, found: &mut Vec<String>) {
        let at = format!("entity `{}`", old.namespace);
        let mut changed = |what: &str, old: &str, new: &str| {
            if old != new {
                found.push(format!("{at}: {what} was `{old}` and is `{new}`"));
            }
        };
        changed("table", &old.table, &new.table);
        changed("backend", &format!("{:?}", old.backend), &format!("{:?}", new.backend));
        changed("key", &key(old), &key(new));
        changed("retention", &old.retention_days.to_string(), &new.retention_days.to_string());
        for column in &old.columns {
            match new.column(column.number) {
                None => {
                    found.push(format!("{at}: field {} `{}` is gone", column.number, column.field))
                }
                Some(new) => self.column(&at, column, new, found),
            }
        }
        for column in new.columns.iter().filter(|column| old.column(column.number).is_none()) {
            found.push(format!("{at}: field {} `{}` is new", column.number, column.field));
        }
        for index in &old.indexes {
            match new.indexes.iter().find(|other| other.name == index.name) {
                None => found.push(format!("{at}: index `{}` is gone", index.name)),
                Some(other) if other != index => {
                    found.push(format!("{at}: index `{}` is another one", index.name));
                }
                Some(_) => {}
            }
        }
        let had = |name: &str| old.indexes.iter().any(|index| index.name == name);
        for index in new.indexes.iter().filter(|index| !had(&index.name)) {
            found.push(format!("{at}: index `{}` is new", index.name));
        }
    }

    fn column(
        &mut self,
        at: &str,
        old: &prism_schema::Column,
        new: &prism_schema::Column,
        found: &mut Vec<String>,
    ) {
        let number = old.number;
        let mut changed = |what: &str, old: String, new: String| {
            if old != new {
                found.push(format!("{at}: {what} of field {number} was `{old}` and is `{new}`"));
            }
        };
        changed("column", old.name.clone(), new.name.clone());
        changed("name", old.field.clone(), new.field.clone());
        changed("presence", format!("{:?}", old.cardinality), format!("{:?}", new.cardinality));
        changed("storage", format!("{:?}", old.storage), format!("{:?}", new.storage));
        changed("oneof", format!("{:?}", old.oneof), format!("{:?}", new.oneof));
        changed("management", format!("{:?}", old.managed), format!("{:?}", new.managed));
        let json = old.storage == Storage::Json;
        let place = format!("{at}: field {number} `{}`", new.field);
        match (&old.ty, &new.ty) {
            (FieldType::Message(old), FieldType::Message(new))
            | (FieldType::Group(old), FieldType::Group(new)) => {
                self.message(&place, old, new, json, found);
            }
            (FieldType::Enum(old), FieldType::Enum(new)) => {
                self.enumeration(&place, old, new, json, found);
            }
            (old, new) => changed("type", format!("{old:?}"), format!("{new:?}")),
        }
    }

    fn message(&mut self, at: &str, old: &str, new: &str, json: bool, found: &mut Vec<String>) {
        if !self.compared.insert((old.to_owned(), new.to_owned())) {
            return;
        }
        let (old_lock, new_lock) = (self.old, self.new);
        let empty = BTreeMap::new();
        let old_fields = old_lock.messages.get(old).unwrap_or(&empty);
        let new_fields = new_lock.messages.get(new).unwrap_or(&empty);
        for (number, old_field) in old_fields {
            let Some(new_field) = new_fields.get(number) else {
                found.push(format!("{at}: `{}.{}` is gone", old, old_field.name));
                continue;
            };
            let name = format!("`{new}.{}`", new_field.name);
            let renamed = json && old_field.name != new_field.name;
            if renamed || old_field.label != new_field.label {
                found.push(format!("{at}: {name} is another field"));
            }
            match (old_lock.kind(&old_field.ty), new_lock.kind(&new_field.ty)) {
                (Named::Message, Named::Message) => {
                    self.message(at, &old_field.ty, &new_field.ty, json, found);
                }
                (Named::Enum, Named::Enum) => {
                    self.enumeration(at, &old_field.ty, &new_field.ty, json, found);
                }
                _ if old_field.ty != new_field.ty => {
                    found.push(format!(
                        "{at}: {name} was `{}` and is `{}`",
                        old_field.ty, new_field.ty
                    ));
                }
                _ => {}
            }
        }
        for (number, field) in new_fields {
            if !old_fields.contains_key(number) {
                found.push(format!("{at}: `{new}.{}` is new", field.name));
            }
        }
    }

    fn enumeration(&mut self, at: &str, old: &str, new: &str, json: bool, found: &mut Vec<String>) {
        let empty = BTreeMap::new();
        let new_values = self.new.enums.get(new).unwrap_or(&empty);
        let old_values = self.old.enums.get(old).unwrap_or(&empty);
        for (number, name) in old_values {
            match new_values.get(number) {
                None => found.push(format!("{at}: value `{name}` of `{old}` is gone")),
                Some(other) if json && other != name => {
                    found.push(format!("{at}: value `{name}` of `{old}` is called `{other}`"));
                }
                Some(_) => {}
            }
        }
        for (number, name) in new_values {
            if !old_values.contains_key(number) {
                found.push(format!("{at}: value `{name}` of `{new}` is new"));
            }
        }
    }
}

enum Named {
    Message,
    Enum,
    Scalar,
}

impl Lock {
    fn kind(&self, ty: &str) -> Named {
        match ty {
            _ if self.messages.contains_key(ty) => Named::Message,
            _ if self.enums.contains_key(ty) => Named::Enum,
            _ => Named::Scalar,
        }
    }
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
