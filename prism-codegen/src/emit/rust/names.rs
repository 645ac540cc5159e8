//! Which Rust item each protobuf element becomes.
//!
//! prost derives Rust names from protobuf ones and does not look for clashes: `foo_bar` and
//! `fooBar`, or a message `Admin` beside a package `admin`, would not compile. So elements are
//! renamed in the descriptors before prost sees them; the wire knows only numbers. Of several
//! elements with one Rust name the first keeps it, the others get a number. A name that Rust has
//! no form of (`__`), or that generated code needs itself (a module `bool`), is changed too.

mod members;

use std::collections::{BTreeMap, BTreeSet};

use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto};

use super::comments::Comments;
use super::ident::{PRIMITIVES, camel, lettered, package_part, snake, variant};

/// Rust's view of all messages and enums.
#[derive(Default)]
pub(super) struct Names {
    /// By the package's module path.
    pub packages: BTreeMap<Vec<String>, Scope>,
    /// Module path of the package, and path within it, of each type by its full protobuf name.
    pub types: BTreeMap<String, TypePath>,
    /// The module of each service, by its full protobuf name.
    pub services: BTreeMap<String, String>,
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
    /// Comments of the fields, by number.
    pub fields: BTreeMap<u32, String>,
    /// By the name of the Rust field.
    pub oneofs: BTreeMap<String, Oneof>,
    /// Name of the module that holds the nested types.
    pub module: String,
    pub nested: Scope,
}

/// An enum.
#[derive(Default)]
pub(super) struct Enum {
    pub comment: String,
    /// Comments of the values, by the Rust variant.
    pub values: BTreeMap<String, String>,
    /// Protobuf names of values by those that prost was given, where they differ.
    pub renamed: BTreeMap<String, String>,
}

/// A oneof.
#[derive(Default)]
pub(super) struct Oneof {
    /// Protobuf name.
    pub name: String,
    pub comment: String,
    /// Name of its enum.
    pub type_name: String,
}

/// Names that no type or module may have: prost's output takes them for Rust's own.
fn kept() -> BTreeSet<String> {
    ["Some", "None"].into_iter().chain(PRIMITIVES).map(str::to_owned).collect()
}

/// Renames what would clash in `files`, and tells what everything is called then.
pub(super) fn resolve(files: &mut [FileDescriptorProto]) -> Names {
    let mut resolver = Resolver::default();
    for file in files.iter_mut() {
        resolver.package(file);
    }
    for file in files.iter() {
        resolver.services(file);
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
    let parts = package.split('.').filter(|part| !part.is_empty());
    parts.map(|part| snake(&package_part(part))).collect()
}

#[derive(Default)]
struct Resolver {
    names: Names,
    /// Rust names that are taken, by package.
    taken: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// New full names of renamed types and of those nested in them, by the old ones; with dots.
    renamed: BTreeMap<String, String>,
    /// What prost is told instead of the values of enums, by the enums' old full names.
    values: BTreeMap<String, BTreeMap<String, String>>,
    /// Old names of packages that were renamed, by the new ones.
    packages: BTreeMap<String, String>,
}

/// Where a type is declared.
struct Place<'a> {
    package: &'a [String],
    /// Modules within the package.
    modules: Vec<String>,
    /// Full protobuf name of the parent, before and after renaming.
    old: String,
    new: String,
    /// Whether the file is of proto3.
    proto3: bool,
}

impl Resolver {
    /// Renames a package whose modules could not be named after it, and takes its modules.
    fn package(&mut self, file: &mut FileDescriptorProto) {
        let old = file.package().to_owned();
        let modules = package_modules(&old);
        for depth in 0..modules.len() {
            let taken = self.taken.entry(modules[..depth].to_vec()).or_insert_with(kept);
            taken.insert(modules[depth].clone());
        }
        self.taken.entry(modules).or_insert_with(kept);
        if !old.is_empty() {
            let parts: Vec<String> = old.split('.').map(package_part).collect();
            file.package = Some(parts.join("."));
        }
        self.packages.insert(file.name().to_owned(), old);
    }

    /// The module of each of a file's services.
    fn services(&mut self, file: &FileDescriptorProto) {
        let package = &self.packages[file.name()];
        let taken = self.taken.entry(package_modules(package)).or_insert_with(kept);
        for service in &file.service {
            let name = lettered(service.name(), "Service");
            let name = free_name(&name, |name| vec![snake(name)], taken);
            let full_name = match package.as_str() {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            };
            self.names.services.insert(full_name, snake(&name));
        }
    }

    fn file(&mut self, file: &mut FileDescriptorProto) {
        let comments = Comments::new(file.source_code_info.as_ref());
        let old = &self.packages[file.name()];
        let package = package_modules(old);
        let dotted = |name: &str| match name {
            "" => String::new(),
            name => format!(".{name}"),
        };
        let (old, new) = (dotted(old), dotted(file.package()));
        let place = Place {
            package: &package,
            modules: Vec::new(),
            old,
            new,
            proto3: file.syntax() == "proto3",
        };
        let mut taken = self.taken.remove(&package).unwrap_or_else(kept);
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
        let name = lettered(message.name(), "Message");
        let name = free_name(&name, |name| vec![camel(name), snake(name)], taken);
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
        message.name = Some(name);

        let mut modules = place.modules.clone();
        modules.push(module);
        let proto3 = place.proto3;
        let inner = Place { package: place.package, modules, old, new, proto3 };
        let mut inner_taken = kept();
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
        members::resolve(message, proto3, &mut described, &at);
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
        let name = lettered(declared.name(), "Enum");
        let name = free_name(&name, |name| vec![camel(name)], taken);
        let new = format!("{}.{name}", place.new);
        let rust_name = camel(&name);
        self.declare(place, &old, &new, &rust_name);
        let mut described = Enum { comment: at.comment(), ..Enum::default() };
        let mut variants = BTreeSet::new();
        let mut numbers: BTreeMap<i32, String> = BTreeMap::new();
        let renamed = self.values.entry(old).or_default();
        for (index, value) in declared.value.iter_mut().enumerate() {
            let old = value.name().to_owned();
            // prost leaves out the aliases of a number.
            if let Some(first) = numbers.get(&value.number()) {
                renamed.insert(old, first.clone());
                continue;
            }
            let lettered = lettered(&old, "Value");
            let new = free_name(&lettered, |value| vec![variant(&name, value)], &mut variants);
            numbers.insert(value.number(), new.clone());
            renamed.insert(old.clone(), new.clone());
            let comment = at.child(2, index).comment();
            if new != old {
                described.renamed.insert(new.clone(), old.clone());
            }
            described.values.insert(variant(&name, &new), comment);
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
                let renamed = self.values.get(name);
                let value = field.default_value.as_ref();
                if let Some(new) = value.and_then(|value| renamed?.get(value)) {
                    field.default_value = Some(new.clone());
                }
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

/// The name, or the name with the smallest number after it that makes all of its Rust forms free.
pub(super) fn free_name(
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
