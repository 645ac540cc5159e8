//! What converted values are made of: descriptors reduced to one entity's fields, under the names
//! of before and under those of afterwards.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prism_schema::names::json_name;
use prism_schema::sql::rewrite::Types;
use prism_schema::{Entity, FieldType};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueDescriptorProto,
    FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet, MessageOptions,
};

use super::lock::{Lock, LockedField};

/// Its messages are of any type.
const ANY: &str = "google.protobuf.Any";

/// Descriptors of some fields of an entity.
///
/// # Errors
///
/// Names of before and afterwards that do not go together in one schema.
pub(super) fn of(
    descriptor_set: &[u8],
    entity: &Entity,
    fields: &BTreeSet<u32>,
    names: &Names<'_>,
) -> Result<Types, String> {
    let set = FileDescriptorSet::decode(descriptor_set).map_err(|error| error.to_string())?;
    let after = Reduced { message: &entity.message, fields, whole: false }.reduce(set);
    let mut before = after.clone();
    let old = names.of_old(entity, fields);
    for file in &mut before.file {
        let package = file.package().to_owned();
        let mut messages = std::mem::take(&mut file.message_type);
        messages.iter_mut().for_each(|message| names.restore(message, &package, &old));
        file.message_type = messages;
        let enums = file.enum_type.iter_mut();
        enums.for_each(|declared| names.restore_enum(declared, &package, &old));
    }
    let encode = |set: &FileDescriptorSet| -> Result<String, String> {
        DescriptorPool::from_file_descriptor_set(set.clone()).map_err(|error| error.to_string())?;
        Ok(STANDARD.encode(set.encode_to_vec()))
    };
    let (before, after) = (encode(&before)?, encode(&after)?);
    Ok(Types { message: entity.message.clone(), before, after })
}

/// A type by its full name, without the dot that descriptors have in front.
fn bare(name: &str) -> &str {
    name.strip_prefix('.').unwrap_or(name)
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// What is left of a descriptor set.
struct Reduced<'a> {
    message: &'a str,
    fields: &'a BTreeSet<u32>,
    /// The message is part of itself: all its fields stay.
    whole: bool,
}

impl Reduced<'_> {
    fn reduce(mut self, mut set: FileDescriptorSet) -> FileDescriptorSet {
        let mut needed = self.needed(&set);
        if self.whole {
            needed = self.needed(&set);
        }
        for file in &mut set.file {
            self.reduce_file(file, &needed);
        }
        set.file.retain(|file| !file.message_type.is_empty() || !file.enum_type.is_empty());
        import(&mut set);
        set
    }

    /// The types that are left.
    fn needed(&mut self, set: &FileDescriptorSet) -> BTreeSet<String> {
        let mut uses = BTreeMap::new();
        for file in &set.file {
            for message in &file.message_type {
                self.uses(message, file.package(), &mut uses);
            }
        }
        let mut needed = BTreeSet::new();
        let mut left = vec![self.message.to_owned()];
        while let Some(name) = left.pop() {
            if !needed.insert(name.clone()) {
                continue;
            }
            let inner: Vec<&String> = match name == ANY {
                true => uses.keys().collect(),
                false => uses.get(&name).into_iter().flatten().collect(),
            };
            self.whole |= inner.iter().any(|inner| *inner == self.message);
            left.extend(inner.into_iter().cloned());
        }
        needed
    }

    /// The types that the fields of a message, and of those within, are of.
    fn uses(
        &self,
        message: &DescriptorProto,
        scope: &str,
        uses: &mut BTreeMap<String, Vec<String>>,
    ) {
        let name = join(scope, message.name());
        let fields = message.field.iter().filter(|field| self.keeps(&name, field));
        let types = fields.filter_map(|field| Some(bare(field.type_name.as_deref()?).to_owned()));
        uses.insert(name.clone(), types.collect());
        message.nested_type.iter().for_each(|inner| self.uses(inner, &name, uses));
    }

    fn keeps(&self, message: &str, field: &FieldDescriptorProto) -> bool {
        let chosen = || self.fields.contains(&field.number().unsigned_abs());
        self.whole || message != self.message || chosen()
    }

    fn reduce_file(&self, file: &mut FileDescriptorProto, needed: &BTreeSet<String>) {
        let package = file.package().to_owned();
        file.message_type.retain_mut(|message| self.reduce_message(message, &package, needed));
        file.enum_type.retain_mut(|declared| reduce_enum(declared, &package, needed));
        file.service.clear();
        file.extension.clear();
        file.public_dependency.clear();
        file.weak_dependency.clear();
        file.options = None;
        file.source_code_info = None;
    }

    /// Whether anything of it is left.
    fn reduce_message(
        &self,
        message: &mut DescriptorProto,
        scope: &str,
        needed: &BTreeSet<String>,
    ) -> bool {
        let name = join(scope, message.name());
        message.nested_type.retain_mut(|inner| self.reduce_message(inner, &name, needed));
        message.enum_type.retain_mut(|declared| reduce_enum(declared, &name, needed));
        let inner = !message.nested_type.is_empty() || !message.enum_type.is_empty();
        let wanted = needed.contains(&name);
        message.field.retain(|field| wanted && self.keeps(&name, field));
        if !wanted || name == self.message && !self.whole {
            // One field is converted at a time: what it is a member of does not matter.
            message.oneof_decl.clear();
            for field in &mut message.field {
                field.oneof_index = None;
                field.proto3_optional = None;
            }
        }
        for field in &mut message.field {
            let packed = field.options.as_ref().and_then(|options| options.packed);
            field.options =
                packed.map(|it| FieldOptions { packed: Some(it), ..Default::default() });
        }
        let entry = message.options.as_ref().and_then(|options| options.map_entry);
        message.options =
            entry.map(|it| MessageOptions { map_entry: Some(it), ..Default::default() });
        message.extension.clear();
        message.extension_range.clear();
        if !wanted {
            message.reserved_range.clear();
            message.reserved_name.clear();
        }
        wanted || inner
    }
}

fn reduce_enum(declared: &mut EnumDescriptorProto, scope: &str, needed: &BTreeSet<String>) -> bool {
    let alias = declared.options.as_ref().and_then(|options| options.allow_alias);
    declared.options = alias.map(|it| EnumOptions { allow_alias: Some(it), ..Default::default() });
    declared.value.iter_mut().for_each(|value| value.options = None);
    declared.reserved_range.clear();
    declared.reserved_name.clear();
    needed.contains(&join(scope, declared.name()))
}

/// Imports of the types that are used, in place of what was imported.
fn import(set: &mut FileDescriptorSet) {
    fn collect(message: &DescriptorProto, scope: &str, names: &mut dyn FnMut(String)) {
        let name = join(scope, message.name());
        message.nested_type.iter().for_each(|inner| collect(inner, &name, names));
        message.enum_type.iter().for_each(|declared| names(join(&name, declared.name())));
        names(name);
    }
    fn used(message: &DescriptorProto, names: &mut BTreeSet<String>) {
        let types = message.field.iter().filter_map(|field| field.type_name.as_deref());
        names.extend(types.map(|name| bare(name).to_owned()));
        message.nested_type.iter().for_each(|inner| used(inner, names));
    }
    let mut home = BTreeMap::new();
    for file in &set.file {
        let mut add = |name| drop(home.insert(name, file.name().to_owned()));
        file.message_type.iter().for_each(|message| collect(message, file.package(), &mut add));
        file.enum_type.iter().for_each(|it| add(join(file.package(), it.name())));
    }
    for file in &mut set.file {
        let mut names = BTreeSet::new();
        file.message_type.iter().for_each(|message| used(message, &mut names));
        let files: BTreeSet<&String> = names.iter().filter_map(|name| home.get(name)).collect();
        let others = files.into_iter().filter(|name| *name != file.name());
        file.dependency = others.cloned().collect();
    }
}

/// The names of two states.
pub(super) struct Names<'a> {
    pub old: &'a Lock,
    pub new: &'a Lock,
}

impl Names<'_> {
    /// The old type for each new one that some fields of an entity are made of.
    fn of_old(&self, entity: &Entity, fields: &BTreeSet<u32>) -> BTreeMap<String, String> {
        let before = self.old.entities.get(&entity.namespace).map(|locked| &locked.schema);
        let mut left: Vec<(String, String)> = Vec::new();
        for column in entity.columns.iter().filter(|it| fields.contains(&it.number)) {
            let was = before.and_then(|before| before.column(column.number));
            left.extend(was.and_then(|was| Some((named(&was.ty)?, named(&column.ty)?))));
        }
        let mut found = BTreeMap::new();
        while let Some((old, new)) = left.pop() {
            if found.contains_key(&new) {
                continue;
            }
            let before = self.old.messages.get(&old).into_iter().flatten();
            let after = self.new.messages.get(&new);
            left.extend(before.filter_map(|(number, field)| {
                Some((field.ty.clone(), after?.get(number)?.ty.clone()))
            }));
            found.insert(new, old);
        }
        found
    }

    /// Gives fields and values their old names, and leaves out the fields that are new.
    fn restore(&self, message: &mut DescriptorProto, scope: &str, old: &BTreeMap<String, String>) {
        let name = join(scope, message.name());
        let before = old.get(&name).and_then(|old| self.old.messages.get(old));
        if let Some(before) = before.filter(|_| !name.starts_with("google.protobuf.")) {
            let field = |field: &FieldDescriptorProto| before.get(&field.number().unsigned_abs());
            message.field.retain(|it| field(it).is_some());
            for it in &mut message.field {
                if let Some(was) = before.get(&it.number().unsigned_abs()) {
                    it.name = Some(was.name.clone());
                    it.json_name = Some(was.json_name());
                }
            }
            self.retire(message, before, old.get(&name).map_or("", String::as_str));
            drop_empty_oneofs(message);
        }
        message.nested_type.iter_mut().for_each(|inner| self.restore(inner, &name, old));
        message.enum_type.iter_mut().for_each(|inner| self.restore_enum(inner, &name, old));
    }

    /// Reserves the names that stored JSON may have and that no field of before and afterwards has:
    /// what was removed, now or earlier. Any other name is of a newer schema, and stops the copy.
    fn retire(
        &self,
        message: &mut DescriptorProto,
        before: &BTreeMap<u32, LockedField>,
        old: &str,
    ) {
        let kept: BTreeSet<u32> =
            message.field.iter().map(|it| it.number().unsigned_abs()).collect();
        let gone = before.iter().filter(|(number, _)| !kept.contains(number));
        let mut names: BTreeSet<String> = message.reserved_name.drain(..).collect();
        names.extend(gone.flat_map(|(_, field)| [field.name.clone(), field.json_name()]));
        names.extend(self.old.retired.get(old).into_iter().flat_map(|it| it.names.clone()));
        names.retain(|name| message.field.iter().all(|it| it.name() != name));
        message.reserved_name = names.into_iter().collect();
    }

    fn restore_enum(
        &self,
        declared: &mut EnumDescriptorProto,
        scope: &str,
        old: &BTreeMap<String, String>,
    ) {
        let name = join(scope, declared.name());
        let Some(before) = old.get(&name).and_then(|old| self.old.enums.get(old)) else { return };
        let value = |number: i32, name: &str| EnumValueDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            options: None,
        };
        // An open enum begins with its zero.
        let first = declared.value.first().map(|value| value.number()).unwrap_or_default();
        let mut values: Vec<_> = before.iter().map(|(number, name)| value(*number, name)).collect();
        values.sort_by_key(|value| (value.number() != first, value.number()));
        let known = |name: &str| before.values().any(|other| other == name);
        let aliases = declared.value.iter().filter(|it| {
            before.contains_key(&it.number()) && !known(it.name()) && declared.options.is_some()
        });
        let mut aliases: Vec<_> = aliases.cloned().collect();
        let earlier = old.get(&name).and_then(|old| self.old.aliases.get(old));
        for (name, number) in earlier.into_iter().flatten() {
            let twin = aliases.iter().chain(&values).any(|it| it.name() == name);
            if !twin && before.contains_key(number) {
                aliases.push(value(*number, name));
                declared.options =
                    Some(EnumOptions { allow_alias: Some(true), ..Default::default() });
            }
        }
        values.extend(aliases);
        declared.value = values;
    }
}

/// A oneof whose members are all new.
fn drop_empty_oneofs(message: &mut DescriptorProto) {
    let used: BTreeSet<i32> = message.field.iter().filter_map(|field| field.oneof_index).collect();
    let kept: Vec<i32> = used.into_iter().collect();
    for field in &mut message.field {
        let position = field.oneof_index.and_then(|index| kept.iter().position(|it| *it == index));
        field.oneof_index = position.and_then(|position| i32::try_from(position).ok());
    }
    let mut index = -1;
    message.oneof_decl.retain(|_| {
        index += 1;
        kept.contains(&index)
    });
}

fn named(ty: &FieldType) -> Option<String> {
    match ty {
        FieldType::Message(name) | FieldType::Group(name) | FieldType::Enum(name) => {
            Some(name.clone())
        }
        _ => None,
    }
}

impl LockedField {
    /// The name that JSON has.
    pub fn json_name(&self) -> String {
        self.json_name.clone().unwrap_or_else(|| json_name(&self.name))
    }
}
