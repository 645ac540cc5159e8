//! Message types: prost's output, with comments and what the derives need.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenStream;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use quote::{ToTokens, quote};
use syn::{Attribute, Item, ItemEnum, ItemImpl, ItemStruct, Meta, parse_quote};

use super::attributes::{self, Annotations};
use super::comments::doc_lines;
use super::derives::{self, Derives};
use super::ident::{camel, snake};
use super::names::{self, Enum, Message, Names, Scope};
use super::services::wrapped;
use crate::descriptors::is_builtin;
use crate::model::Schema;

/// The code of all packages, by module path.
pub(super) struct Messages {
    pub modules: BTreeMap<Vec<String>, Vec<Item>>,
    pub names: Names,
}

/// What generated code names.
pub(super) const CODEGEN: &str = "::prism_runtime::codegen";

/// Emits the messages and enums of the packages that the schema's files are made of.
pub(super) fn emit(schema: &Schema, descriptors: &FileDescriptorSet) -> Messages {
    let (mut external, mut files): (Vec<_>, Vec<_>) =
        reachable(schema, descriptors).into_iter().partition(is_external);
    let derives = Derives::new(files.iter().chain(&external));
    let names = names::resolve(&mut files);
    let paths: Vec<(String, String)> = external
        .iter()
        .flat_map(declared_types)
        .filter_map(|name| Some((external_path(&name)?, name)))
        .map(|(path, name)| (name, path))
        .collect();
    // prost generates nothing for the external ones, but looks into them.
    files.append(&mut external);
    files.iter_mut().for_each(derives::mark);
    let annotations = Annotations::new(schema);
    let mut modules = BTreeMap::new();
    for (package, source) in prost(files, paths) {
        let scope = names.packages.get(&package);
        let mut items = match syn::parse_file(&source) {
            Ok(file) => file.items,
            Err(error) => unreachable!("prost's output is Rust: {error}"),
        };
        if let Some(scope) = scope {
            complete(
                &mut items,
                scope,
                None,
                &Known { annotations: &annotations, derives: &derives },
            );
        }
        modules.insert(package, items);
    }
    // A package of services alone has no types.
    for package in names.packages.keys() {
        modules.entry(package.clone()).or_default();
    }
    Messages { modules, names }
}

/// The user's files and those whose types they use.
fn reachable(schema: &Schema, descriptors: &FileDescriptorSet) -> Vec<FileDescriptorProto> {
    let mut declared_in: BTreeMap<String, usize> = BTreeMap::new();
    for (index, file) in descriptors.file.iter().enumerate() {
        for name in declared_types(file) {
            declared_in.insert(name, index);
        }
    }
    let named = |file: &FileDescriptorProto| schema.files.iter().any(|name| name == file.name());
    let mut pending: Vec<usize> =
        (0..descriptors.file.len()).filter(|&index| named(&descriptors.file[index])).collect();
    let mut reached: BTreeSet<usize> = BTreeSet::new();
    while let Some(index) = pending.pop() {
        if reached.insert(index) {
            let used = used_types(&descriptors.file[index]);
            pending.extend(used.iter().filter_map(|name| declared_in.get(name)));
        }
    }
    reached.into_iter().map(|index| descriptors.file[index].clone()).collect()
}

/// Built-in files whose Rust types exist already. Others may be in the same packages.
fn is_external(file: &FileDescriptorProto) -> bool {
    const PACKAGES: [&str; 3] = ["google.protobuf", "prism.common", "prism.keyvalue"];
    let within = |own: &&str| {
        let rest = file.package().strip_prefix(*own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    is_builtin(file.name()) && PACKAGES.iter().any(within)
}

/// The Rust type of a type of an external file, by its full name with a leading dot.
fn external_path(name: &str) -> Option<String> {
    let name = name.strip_prefix('.')?;
    if let Some(scalar) = name.strip_prefix("google.protobuf.").and_then(wrapped) {
        return Some(scalar.replace("::std::", &format!("{CODEGEN}::prost::alloc::")));
    }
    let (root, rest) = match name.strip_prefix("google.protobuf.") {
        Some(rest) => ("prost_types", rest),
        None => ("proto", name.strip_prefix("prism.")?),
    };
    let (modules, own) = rest.rsplit_once('.').map_or((None, rest), |(it, own)| (Some(it), own));
    let modules = modules.into_iter().flat_map(|it| it.split('.')).map(snake);
    let parts = [CODEGEN.to_owned(), root.to_owned()].into_iter().chain(modules);
    Some(parts.chain([camel(own)]).collect::<Vec<_>>().join("::"))
}

fn declared_types(file: &FileDescriptorProto) -> Vec<String> {
    fn nested(parent: &str, message: &prost_types::DescriptorProto, names: &mut Vec<String>) {
        let name = format!("{parent}.{}", message.name());
        names.extend(message.enum_type.iter().map(|inner| format!("{name}.{}", inner.name())));
        for inner in &message.nested_type {
            nested(&name, inner, names);
        }
        names.push(name);
    }
    let package = match file.package() {
        "" => String::new(),
        package => format!(".{package}"),
    };
    let mut names: Vec<String> =
        file.enum_type.iter().map(|declared| format!("{package}.{}", declared.name())).collect();
    for message in &file.message_type {
        nested(&package, message, &mut names);
    }
    names
}

fn used_types(file: &FileDescriptorProto) -> Vec<String> {
    fn nested(message: &prost_types::DescriptorProto, names: &mut Vec<String>) {
        names.extend(message.field.iter().filter_map(|field| field.type_name.clone()));
        for inner in &message.nested_type {
            nested(inner, names);
        }
    }
    let mut names = Vec::new();
    for message in &file.message_type {
        nested(message, &mut names);
    }
    for method in file.service.iter().flat_map(|service| &service.method) {
        names.extend([method.input_type().to_owned(), method.output_type().to_owned()]);
    }
    names
}

/// prost's code of each package.
fn prost(
    files: Vec<FileDescriptorProto>,
    external: Vec<(String, String)>,
) -> Vec<(Vec<String>, String)> {
    let requests = files
        .into_iter()
        .map(|mut file| {
            // Comments are added afterwards: prost stops where places are incomplete, as those
            // of descriptor sets can be, and passes on what rustdoc takes for code.
            file.source_code_info = None;
            (prost_build::Module::from_protobuf_package_name(file.package()), file)
        })
        .collect();
    let mut config = prost_build::Config::new();
    // Otherwise prost takes the whole package google.protobuf for its own.
    config.format(false).prost_path(format!("{CODEGEN}::prost")).compile_well_known_types();
    for (name, path) in external {
        config.extern_path(name, path);
    }
    let modules = match config.generate(requests) {
        Ok(modules) => modules,
        Err(error) => unreachable!("a resolved descriptor set generates: {error}"),
    };
    let path = |module: &prost_build::Module| module.parts().map(str::to_owned).collect();
    let mut sources: Vec<(Vec<String>, String)> =
        modules.into_iter().map(|(module, source)| (path(&module), shortened(&source))).collect();
    sources.sort();
    sources
}

/// prost's code with the names that a reader knows, where nothing in the package has the same.
fn shortened(source: &str) -> String {
    let alloc = format!("{CODEGEN}::prost::alloc::");
    let known = [
        ("Option", "::core::option::Option".to_owned()),
        ("String", format!("{alloc}string::String")),
        ("Vec", format!("{alloc}vec::Vec")),
        ("Box", format!("{alloc}boxed::Box")),
    ];
    let declares = |name: &str| {
        ["struct", "enum"].iter().any(|word| source.contains(&format!("{word} {name} ")))
    };
    let mut short = source.to_owned();
    for (name, path) in known.iter().filter(|(name, _)| !declares(name)) {
        short = short.replace(path.as_str(), name);
    }
    short
}

/// What the items are completed from.
struct Known<'a> {
    annotations: &'a Annotations<'a>,
    derives: &'a Derives,
}

/// Adds comments and derives to the items of a package, or of a message's module.
fn complete(items: &mut [Item], scope: &Scope, parent: Option<&Message>, known: &Known<'_>) {
    // Rust fields of the oneofs, by the name of their enum, which prost chooses.
    let oneofs = parent.map(oneof_types).unwrap_or_default();
    for item in items {
        match item {
            Item::Struct(item) => {
                if let Some(message) = scope.messages.get(&item.ident.to_string()) {
                    complete_struct(item, message, known);
                }
            }
            Item::Enum(item) => {
                let name = item.ident.to_string();
                if let Some(declared) = scope.enums.get(&name) {
                    complete_enum(item, declared);
                } else if let (Some(parent), Some(oneof)) = (parent, oneofs.get(&name)) {
                    complete_oneof(item, parent, oneof, known);
                }
            }
            Item::Impl(item) => {
                let name = item.self_ty.to_token_stream().to_string();
                if let Some(declared) = scope.enums.get(&name)
                    && !declared.renamed.is_empty()
                {
                    restore_names(item, declared);
                }
            }
            Item::Mod(module) => {
                let name = module.ident.to_string();
                let message = scope.messages.values().find(|message| message.module == name);
                if let (Some(message), Some((_, items))) = (message, &mut module.content) {
                    module.attrs = docs(&format!("Nested types of `{}`.", message.full_name));
                    complete(items, &message.nested, Some(message), known);
                }
            }
            _ => {}
        }
    }
}

/// The oneofs' Rust fields, by the names of their enums.
fn oneof_types(message: &Message) -> BTreeMap<String, String> {
    let oneofs = message.oneofs.iter();
    oneofs.map(|(field, oneof)| (oneof.type_name.clone(), field.clone())).collect()
}

fn complete_struct(item: &mut ItemStruct, message: &Message, known: &Known<'_>) {
    let Known { annotations, derives } = known;
    derives::unmark(&mut item.fields);
    derives::apply(&mut item.attrs, derives.message(&message.full_name));
    prepend_docs(&mut item.attrs, &message.comment);
    let mut masks = false;
    for field in &mut item.fields {
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        match number(&field.attrs) {
            Some(number) => {
                let Some(comment) = message.fields.get(&number) else { continue };
                prepend_docs(&mut field.attrs, comment);
                let keys = annotations.field(&message.full_name, number, &name);
                masks |= attributes::masks(&keys);
                field.attrs.extend(attributes::prism(keys));
            }
            None => {
                if let Some(oneof) = message.oneofs.get(&name) {
                    prepend_docs(&mut field.attrs, &oneof.comment);
                }
            }
        }
    }
    let entity = annotations.entity(&message.full_name);
    add_derives(&mut item.attrs, entity.is_some(), masks);
    if let Some(entity) = entity {
        item.attrs.extend(attributes::container(&entity.schema));
    }
}

fn complete_oneof(item: &mut ItemEnum, parent: &Message, oneof: &str, known: &Known<'_>) {
    let Known { annotations, derives } = known;
    let Some(member) = parent.oneofs.get(oneof) else { return };
    derives::apply(&mut item.attrs, derives.oneof(&parent.full_name, &member.name));
    prepend_docs(&mut item.attrs, &member.comment);
    let entity = annotations.entity(&parent.full_name);
    // prost's `skip_debug` is the message's and its oneofs'; ours is for each alone.
    let mut masks = false;
    for variant in &mut item.variants {
        let Some(number) = number(&variant.attrs) else { continue };
        if let Some(comment) = parent.fields.get(&number) {
            prepend_docs(&mut variant.attrs, comment);
        }
        let keys = annotations.field(&parent.full_name, number, "");
        masks |= attributes::masks(&keys);
        variant.attrs.extend(attributes::prism(keys));
    }
    add_derives(&mut item.attrs, entity.is_some(), masks);
    if entity.is_some() {
        let (message, name) = (&parent.full_name, &member.name);
        item.attrs.push(parse_quote!(#[prism(message = #message, oneof = #name)]));
    }
}

fn complete_enum(item: &mut ItemEnum, declared: &Enum) {
    prepend_docs(&mut item.attrs, &declared.comment);
    for variant in &mut item.variants {
        if let Some(comment) = declared.values.get(&variant.ident.to_string()) {
            prepend_docs(&mut variant.attrs, comment);
        }
    }
}

/// Puts the protobuf names back into `as_str_name` and `from_str_name`.
fn restore_names(item: &mut ItemImpl, declared: &Enum) {
    let tokens = replace_strings(item.to_token_stream(), &declared.renamed);
    if let Ok(restored) = syn::parse2(tokens) {
        *item = restored;
    }
}

fn replace_strings(tokens: TokenStream, names: &BTreeMap<String, String>) -> TokenStream {
    use proc_macro2::{Group, Literal, TokenTree};
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let inner = replace_strings(group.stream(), names);
                TokenTree::Group(Group::new(group.delimiter(), inner))
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                match names.get(text.trim_matches('"')) {
                    Some(name) => TokenTree::Literal(Literal::string(name)),
                    None => TokenTree::Literal(literal),
                }
            }
            other => other,
        })
        .collect()
}

/// The field number in a `#[prost(…, tag = "1")]`.
pub(super) fn number(attributes: &[Attribute]) -> Option<u32> {
    let mut number = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("prost")) {
        // What follows a key that is of no interest is skipped by parsing it.
        let _ = attribute.parse_nested_meta(|meta| {
            let value = meta.value().and_then(|value| value.parse::<syn::LitStr>());
            if meta.path.is_ident("tag") {
                number = value?.value().parse().ok();
            }
            Ok(())
        });
    }
    number
}

fn add_derives(attributes: &mut Vec<Attribute>, entity: bool, masks: bool) {
    if entity {
        attributes.push(parse_quote!(#[derive(::prism_runtime::codegen::Entity)]));
    }
    if masks {
        attributes.push(parse_quote!(#[derive(::prism_runtime::codegen::Redact)]));
        attributes.push(parse_quote!(#[prost(skip_debug)]));
    }
}

fn prepend_docs(attributes: &mut Vec<Attribute>, comment: &str) {
    // prost marks what is deprecated; its own doc comments are about prost.
    attributes.retain(
        |attribute| !matches!(&attribute.meta, Meta::NameValue(pair) if pair.path.is_ident("doc")),
    );
    attributes.splice(0..0, docs(comment));
}

/// A comment as doc attributes.
pub(super) fn docs(comment: &str) -> Vec<Attribute> {
    doc_lines(comment).into_iter().map(|line| parse_quote!(#[doc = #line])).collect()
}

/// Tokens of a path, absolute or relative.
pub(super) fn path(text: &str) -> TokenStream {
    match text.parse() {
        Ok(tokens) => tokens,
        Err(_) => quote!(),
    }
}
