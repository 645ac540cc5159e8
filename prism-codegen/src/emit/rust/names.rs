//! Which Rust item each protobuf element becomes.
//!
//! prost derives Rust names from protobuf ones and does not look for clashes: `foo_bar` and
//! `fooBar`, or a message `Admin` beside a package `admin`, would not compile. So elements are
//! renamed in the descriptors before prost sees them; the wire knows only numbers. Of several
//! elements with one Rust name the first keeps it, the others get a number.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::comments::Comments;
use super::ident::{camel, snake, variant};

/// Rust's view of all messages and enums.
#[derive(Default)]
pub(super) struct Names {
    /// By the package's module path.
    pub packages: BTreeMap<Vec<String>, Scope>,
    /// Module path of the package, and path within it, of each type by its full protobuf name.
    pub types: BTreeMap<String, TypePath>,
}

/// Where a type is.
#[derive(Clone)]
pub(super) struct TypePath {
    /// Modules of its package.
    pub package: Vec<String>,
    /// Modules of its parents, then its own name.
    pub path: Vec<String>,
}

/// The types of a package, or those nested in a message, by Rust name.
#[derive(Default)]
pub(super) struct Scope {
    pub messages: BTreeMap<String, Message>,
    pub enums: BTreeMap<String, Enum>,
}

/// A message.
#[derive(Default)]
pub(super) struct Message {
    /// Full protobuf name.
    pub full_name: String,
    pub comment: String,
    /// By number.
    pub fields: BTreeMap<u32, Member>,
    /// By the name of the Rust field.
    pub oneofs: BTreeMap<String, Member>,
    /// Name of the module that holds the nested types.
    pub module: String,
    pub nested: Scope,
}

/// An enum.
#[derive(Default)]
pub(super) struct Enum {
    pub comment: String,
    /// By the Rust variant: the value's protobuf name and comment.
    pub values: BTreeMap<String, Member>,
    /// Protobuf names of values by those that prost was given, where they differ.
    pub renamed: BTreeMap<String, String>,
}

/// A field, oneof or enum value.
#[derive(Default)]
pub(super) struct Member {
    /// Protobuf name.
    pub name: String,
    pub comment: String,
}

/// Type names that prost's output takes for Rust's own.
const PRELUDE: [&str; 2] = ["Some", "None"];

/// Renames what would clash in `files`, and tells what everything is called then.
pub(super) fn resolve(files: &mut [FileDescriptorProto]) -> Names {
    let mut resolver = Resolver::default();
    for file in files.iter() {
        resolver.reserve_modules(file);
    }
    for file in files.iter_mut() {
        resolver.file(file);
    }
    for file in files.iter_mut() {
        for message in &mut file.message_type {
            resolver.update_references(message);
        }
    }
    resolver.names
}

/// The modules of a package.
pub(super) fn package_modules(package: &str) -> Vec<String> {
    package.split('.').filter(|part| !part.is_empty()).map(snake).collect()
}

#[derive(Default)]
struct Resolver {
    names: Names,
    /// Rust names that are taken, by package.
    taken: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// New full names of renamed types and of those nested in them, by the old ones; with dots.
    renamed: BTreeMap<String, String>,
}

/// Where a type is declared.
struct Place<'a> {
    package: &'a [String],
    /// Modules within the package.
    modules: Vec<String>,
    /// Full protobuf name of the parent, before and after renaming.
    old: String,
    new: String,
}

impl Resolver {
    /// Modules that a package's parts and services need.
    fn reserve_modules(&mut self, file: &FileDescriptorProto) {
        let modules = package_modules(file.package());
        for depth in 0..modules.len() {
            let taken = self.taken.entry(modules[..depth].to_vec()).or_default();
            taken.insert(modules[depth].clone());
        }
        let taken = self.taken.entry(modules).or_default();
        taken.extend(PRELUDE.map(str::to_owned));
        taken.extend(file.service.iter().map(|service| snake(service.name())));
    }

    fn file(&mut self, file: &mut FileDescriptorProto) {
        let comments = Comments::new(file.source_code_info.as_ref());
        let package = package_modules(file.package());
        let name =
            if file.package().is_empty() { String::new() } else { format!(".{}", file.package()) };
        let place = Place { package: &package, modules: Vec::new(), old: name.clone(), new: name };
        let mut taken = self.taken.remove(&package).unwrap_or_default();
        let mut scope = self.names.packages.remove(&package).unwrap_or_default();
        for (index, message) in file.message_type.iter_mut().enumerate() {
            let at = Source { comments: &comments, path: vec![4, position(index)] };
            self.message(message, &place, &mut taken, &mut scope, at);
        }
        for (index, declared) in file.enum_type.iter_mut().enumerate() {
            let at = Source { comments: &comments, path: vec![5, position(index)] };
            self.enumeration(declared, &place, &mut taken, &mut scope, at);
        }
        self.taken.insert(package.clone(), taken);
        self.names.packages.insert(package, scope);
    }

    fn message(
        &mut self,
        message: &mut DescriptorProto,
        place: &Place<'_>,
        taken: &mut BTreeSet<String>,
        scope: &mut Scope,
        at: Source<'_>,
    ) {
        let old = format!("{}.{}", place.old, message.name());
        let name = free_name(message.name(), |name| vec![camel(name), snake(name)], taken);
        let new = format!("{}.{name}", place.new);
        let rust_name = camel(&name);
        let module = snake(&name);
        self.declare(place, &old, &new, &rust_name);
        let mut described = Message {
            full_name: old.trim_start_matches('.').to_owned(),
            comment: at.comment(),
            module: module.clone(),
            ..Message::default()
        };
        members(message, &mut described, &at);
        message.name = Some(name);

        let mut modules = place.modules.clone();
        modules.push(module);
        let inner = Place { package: place.package, modules, old, new };
        let mut inner_taken: BTreeSet<String> = PRELUDE.map(str::to_owned).into();
        // prost tells a oneof from a nested type of its name, not from another oneof; and from a
        // nested type only while that keeps its name.
        for (index, nested) in message.nested_type.iter_mut().enumerate() {
            let is_entry = nested.options.as_ref().is_some_and(|options| options.map_entry());
            if !is_entry {
                let at = at.child(3, index);
                self.message(nested, &inner, &mut inner_taken, &mut described.nested, at);
            }
        }
        for (index, nested) in message.enum_type.iter_mut().enumerate() {
            let at = at.child(4, index);
            self.enumeration(nested, &inner, &mut inner_taken, &mut described.nested, at);
        }
        scope.messages.insert(rust_name, described);
    }

    fn enumeration(
        &mut self,
        declared: &mut EnumDescriptorProto,
        place: &Place<'_>,
        taken: &mut BTreeSet<String>,
        scope: &mut Scope,
        at: Source<'_>,
    ) {
        let old = format!("{}.{}", place.old, declared.name());
        let name = free_name(declared.name(), |name| vec![camel(name)], taken);
        let new = format!("{}.{name}", place.new);
        let rust_name = camel(&name);
        self.declare(place, &old, &new, &rust_name);
        let mut described = Enum { comment: at.comment(), ..Enum::default() };
        let mut variants = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for (index, value) in declared.value.iter_mut().enumerate() {
            // prost leaves out the aliases of a number.
            if !numbers.insert(value.number()) {
                continue;
            }
            let old = value.name().to_owned();
            let new = free_name(&old, |value| vec![variant(&name, value)], &mut variants);
            let comment = at.child(2, index).comment();
            if new != old {
                described.renamed.insert(new.clone(), old.clone());
            }
            described.values.insert(variant(&name, &new), Member { name: old, comment });
            value.name = Some(new);
        }
        declared.name = Some(name);
        scope.enums.insert(rust_name, described);
    }

    fn declare(&mut self, place: &Place<'_>, old: &str, new: &str, rust_name: &str) {
        let mut path = place.modules.clone();
        path.push(rust_name.to_owned());
        let full_name = old.trim_start_matches('.').to_owned();
        self.names.types.insert(full_name, TypePath { package: place.package.to_vec(), path });
        if old != new {
            self.renamed.insert(old.to_owned(), new.to_owned());
        }
    }

    fn update_references(&self, message: &mut DescriptorProto) {
        for field in &mut message.field {
            if let Some(name) = &mut field.type_name {
                self.update(name);
            }
        }
        for nested in &mut message.nested_type {
            self.update_references(nested);
        }
    }

    /// Map entries are not renamed themselves, but a message around them may be.
    fn update(&self, name: &mut String) {
        if let Some(new) = self.renamed.get(name) {
            *name = new.clone();
        } else if let Some((parent, own)) = name.rsplit_once('.')
            && let Some(new) = self.renamed.get(parent)
        {
            *name = format!("{new}.{own}");
        }
    }
}

/// An element's place in its file.
struct Source<'a> {
    comments: &'a Comments,
    path: Vec<i32>,
}

impl<'a> Source<'a> {
    fn child(&self, kind: i32, index: usize) -> Source<'a> {
        let mut path = self.path.clone();
        path.extend([kind, position(index)]);
        Source { comments: self.comments, path }
    }

    fn comment(&self) -> String {
        self.comments.at(&self.path)
    }
}

fn position(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// Renames fields and oneofs that would clash, and describes them.
fn members(message: &mut DescriptorProto, described: &mut Message, at: &Source<'_>) {
    let mut taken = BTreeSet::new();
    let mut variants: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
    for (index, field) in message.field.iter_mut().enumerate() {
        let number = u32::try_from(field.number()).unwrap_or_default();
        let name = field.name().to_owned();
        let new = match oneof_of(field) {
            // A oneof's members are variants of its enum, not fields.
            Some(oneof) => {
                free_name(&name, |name| vec![camel(name)], variants.entry(oneof).or_default())
            }
            None => numbered_name(&name, number, &mut taken),
        };
        field.name = Some(new);
        let comment = at.child(2, index).comment();
        described.fields.insert(number, Member { name, comment });
    }
    let real: BTreeSet<i32> = message.field.iter().filter_map(oneof_of).collect();
    let mut types = BTreeSet::new();
    for (index, oneof) in message.oneof_decl.iter_mut().enumerate() {
        if !real.contains(&position(index)) {
            continue;
        }
        let name = oneof.name().to_owned();
        let mut both = taken.clone();
        both.extend(types.iter().cloned());
        let new = free_name(&name, |name| vec![snake(name), camel(name)], &mut both);
        taken.insert(snake(&new));
        types.insert(camel(&new));
        let comment = at.child(8, index).comment();
        described.oneofs.insert(snake(&new), Member { name, comment });
        oneof.name = Some(new);
    }
}

fn oneof_of(field: &FieldDescriptorProto) -> Option<i32> {
    if field.proto3_optional() { None } else { field.oneof_index }
}

/// The name, with its number where another field has it already.
fn numbered_name(name: &str, number: u32, taken: &mut BTreeSet<String>) -> String {
    if taken.insert(snake(name)) {
        return name.to_owned();
    }
    free_name(&format!("{name}_{number}"), |name| vec![snake(name)], taken)
}

/// The name, or the name with the smallest number after it that makes all of its Rust forms free.
fn free_name(
    name: &str,
    forms: impl Fn(&str) -> Vec<String>,
    taken: &mut BTreeSet<String>,
) -> String {
    let candidates = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}{n}")));
    let mut chosen = name.to_owned();
    for candidate in candidates {
        if forms(&candidate).iter().all(|form| !taken.contains(form)) {
            chosen = candidate;
            break;
        }
    }
    taken.extend(forms(&chosen));
    chosen
}
