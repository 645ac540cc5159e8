//! `schema.lock`: the model that the migrations so far lead to.
//!
//! It is JSON with every key in a fixed order, so that a review shows what a change means for the
//! data, and it holds what a later comparison needs and the `.proto` files no longer say: nested
//! types, chosen names, and numbers that may not be used again.

use std::collections::{BTreeMap, BTreeSet};

use prism_schema::names::json_name;
use prism_schema::{Entity, FieldType};
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
    /// Number of the last migration that leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<i64>,
    /// By namespace.
    pub entities: BTreeMap<String, LockedEntity>,
    /// Messages that stored fields are made of, by full name.
    pub messages: BTreeMap<String, BTreeMap<u32, LockedField>>,
    /// Values of the enums of stored fields, by full name of the enum.
    pub enums: BTreeMap<String, BTreeMap<i32, String>>,
    /// Further names of values (`allow_alias`), by full name of the enum: JSON may hold any of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, BTreeMap<String, i32>>,
    /// What those messages and enums may not use again, by full name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retired: BTreeMap<String, Retired>,
}

/// Names and numbers that were used or reserved before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// Names of fields or values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Numbers, as inclusive ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<(i64, i64)>,
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
    /// The name that JSON has, where it is not what follows from `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_name: Option<String>,
    /// Name of the oneof that it is a member of (not of a synthetic one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oneof: Option<String>,
}

impl Lock {
    /// The lock of a schema that has no earlier one.
    pub fn new(schema: &Schema) -> Self {
        let pool = DescriptorPool::decode(schema.descriptor_set.as_slice()).unwrap_or_default();
        let mut lock = Lock {
            format: FORMAT,
            migration: None,
            entities: BTreeMap::new(),
            messages: BTreeMap::new(),
            enums: BTreeMap::new(),
            aliases: BTreeMap::new(),
            retired: BTreeMap::new(),
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

    /// The lock to write after an earlier one: nothing that was used or reserved is forgotten.
    #[must_use]
    pub fn following(mut self, old: &Lock) -> Self {
        for (namespace, entity) in &mut self.entities {
            if let Some(before) = old.entities.get(namespace) {
                entity.remember(before);
            }
        }
        for (before, after) in pairs(old, &self) {
            let retired = old.follow(&before, &self, &after);
            if !retired.is_empty() {
                self.retired.entry(after).or_default().merge(&retired);
            }
        }
        self
    }

    /// What a type may not use again, given what it is now.
    fn follow(&self, before: &str, new: &Lock, after: &str) -> Retired {
        let mut retired = self.retired.get(before).cloned().unwrap_or_default();
        if let (Some(old), Some(new)) = (self.messages.get(before), new.messages.get(after)) {
            for (number, field) in old {
                let now = new.get(number);
                if now.is_none_or(|now| now.name != field.name) {
                    let number = now.is_none().then_some(i64::from(*number));
                    retired.add(number, &field.name);
                }
            }
        }
        if let (Some(old), Some(new)) = (self.enums.get(before), new.enums.get(after)) {
            for (number, name) in old.iter().filter(|(number, _)| !new.contains_key(number)) {
                retired.add(Some(i64::from(*number)), name);
            }
        }
        retired
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
                json_name: Some(field.json_name())
                    .filter(|name| *name != json_name(field.name()))
                    .map(str::to_owned),
                oneof: field
                    .containing_oneof()
                    .filter(|oneof| !oneof.is_synthetic())
                    .map(|oneof| oneof.name().to_owned()),
            };
            (field.number(), locked)
        });
        self.messages.insert(message.full_name().to_owned(), fields.collect());
        let reserved = message.reserved_ranges();
        let numbers = reserved.map(|it| (i64::from(it.start), i64::from(it.end) - 1)).collect();
        let names = message.reserved_names().map(str::to_owned).collect();
        self.retire(message.full_name(), names, numbers);
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
        let (mut values, mut aliases) = (BTreeMap::new(), BTreeMap::new());
        for value in declared.values() {
            let first = values.entry(value.number()).or_insert_with(|| value.name().to_owned());
            if first != value.name() {
                aliases.insert(value.name().to_owned(), value.number());
            }
        }
        if !aliases.is_empty() {
            self.aliases.insert(declared.full_name().to_owned(), aliases);
        }
        self.enums.insert(declared.full_name().to_owned(), values);
        let reserved = declared.reserved_ranges();
        let numbers = reserved.map(|it| (i64::from(*it.start()), i64::from(*it.end()))).collect();
        let names = declared.reserved_names().map(str::to_owned).collect();
        self.retire(declared.full_name(), names, numbers);
    }

    fn retire(&mut self, name: &str, mut names: Vec<String>, mut numbers: Vec<(i64, i64)>) {
        names.sort();
        numbers.sort_unstable();
        let retired = Retired { names, numbers };
        if !retired.is_empty() {
            self.retired.insert(name.to_owned(), retired);
        }
    }
}

fn type_name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(declared) => declared.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// Types of two states that stand for one another: those of fields with one number.
fn pairs(old: &Lock, new: &Lock) -> BTreeSet<(String, String)> {
    let mut left = Vec::new();
    for (namespace, before) in &old.entities {
        let Some(after) = new.entities.get(namespace) else { continue };
        for column in &before.schema.columns {
            let now = after.schema.column(column.number);
            left.extend(type_of(&column.ty).zip(now.and_then(|now| type_of(&now.ty))));
        }
    }
    let mut found = BTreeSet::new();
    while let Some((before, after)) = left.pop() {
        let fields = old.messages.get(&before).into_iter().flatten();
        let now = new.messages.get(&after);
        if found.insert((before.clone(), after.clone())) {
            left.extend(fields.filter_map(|(number, field)| {
                Some((field.ty.clone(), now?.get(number)?.ty.clone()))
            }));
        }
    }
    found
}

fn type_of(ty: &FieldType) -> Option<String> {
    match ty {
        FieldType::Message(name) | FieldType::Group(name) | FieldType::Enum(name) => {
            Some(name.clone())
        }
        _ => None,
    }
}

impl LockedEntity {
    fn remember(&mut self, before: &LockedEntity) {
        self.retired_numbers.extend(&before.retired_numbers);
        self.retired_names.extend(before.retired_names.iter().cloned());
        for column in &before.schema.columns {
            let now = self.schema.column(column.number);
            if now.is_none() {
                self.retired_numbers.push((column.number, column.number));
            }
            if now.is_none_or(|now| now.field != column.field) {
                self.retired_names.push(column.field.clone());
            }
        }
        self.retired_numbers.sort_unstable();
        // A range within an earlier one adds nothing.
        let mut end = 0;
        self.retired_numbers.retain(|(_, last)| {
            let more = *last > end;
            end = end.max(*last);
            more
        });
        self.retired_names.sort();
        self.retired_names.dedup();
    }
}

impl Retired {
    /// Whether the number may not be used again.
    pub fn has_number(&self, number: i64) -> bool {
        self.numbers.iter().any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// Whether the name may not be given to another number.
    pub fn has_name(&self, name: &str) -> bool {
        self.names.iter().any(|retired| retired == name)
    }

    fn is_empty(&self) -> bool {
        self.names.is_empty() && self.numbers.is_empty()
    }

    fn add(&mut self, number: Option<i64>, name: &str) {
        let number = number.filter(|number| !self.has_number(*number));
        self.numbers.extend(number.map(|number| (number, number)));
        self.numbers.sort_unstable();
        if !self.has_name(name) {
            self.names.push(name.to_owned());
            self.names.sort();
        }
    }

    fn merge(&mut self, other: &Retired) {
        self.numbers.extend(&other.numbers);
        self.numbers.sort_unstable();
        self.numbers.dedup();
        self.names.extend(other.names.iter().cloned());
        self.names.sort();
        self.names.dedup();
    }
}

/// What a type's name stands for.
pub(super) enum Named {
    Message,
    Enum,
    Scalar,
}

impl Lock {
    pub(super) fn kind(&self, ty: &str) -> Named {
        match ty {
            _ if self.messages.contains_key(ty) => Named::Message,
            _ if self.enums.contains_key(ty) => Named::Enum,
            _ => Named::Scalar,
        }
    }
}
