//! Rust code: message types, services, and the file that holds them together.

mod attributes;
mod comments;
mod derives;
mod ident;
mod messages;
mod names;
mod services;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use quote::quote;
use sha2::{Digest, Sha256};

use self::messages::Messages;
use super::{Input, Layout};
use crate::evolve::MigrationFile;
use crate::output::File;

/// Where the encoded descriptors are, beside the code.
const DESCRIPTORS: &str = "descriptors.binpb";

/// All Rust files and the descriptors that they embed.
pub fn emit(input: Input<'_>) -> Vec<File> {
    let descriptors = match FileDescriptorSet::decode(input.schema.descriptor_set.as_slice()) {
        Ok(descriptors) => descriptors,
        Err(error) => unreachable!("the model holds an encoded descriptor set: {error}"),
    };
    let Messages { modules, names } = messages::emit(input.schema, &descriptors);
    let mut packages: BTreeMap<Vec<String>, TokenStream> = BTreeMap::new();
    for (package, items) in modules {
        packages.insert(package, quote!(#(#items)*));
    }
    for service in &input.schema.services {
        let module = packages.entry(names::package_modules(&service.package)).or_default();
        module.extend(services::emit(service, &names));
    }
    packages.retain(|_, tokens| !tokens.is_empty());

    let (folder, entry) = match input.options.layout {
        Layout::Crate { .. } => ("src/", "lib.rs"),
        Layout::BuildScript => ("", "prism.rs"),
    };
    let origin = &input.options.origin;
    let mut files = vec![File::bytes(
        format!("{folder}{DESCRIPTORS}"),
        without_source_info(&input.schema.descriptor_set),
    )];
    for (package, tokens) in &packages {
        let path = format!("{folder}{}", file_name(package, &input.options.layout));
        let of_package = descriptors
            .file
            .iter()
            .filter(|file| names::package_modules(file.package()) == *package)
            .map(|file| file.name());
        files.push(File::rust(path, &super::origin(of_package), &format(tokens.clone())));
    }
    let root = root(input, &packages, &names);
    files.push(File::rust(format!("{folder}{entry}"), origin, &format(root)));
    if let Layout::Crate { name, .. } = &input.options.layout {
        files.push(File::rust("src/main.rs".to_owned(), origin, &format(binary(name))));
    }
    files
}

/// Whether Rust keeps a word for itself, so that no crate can be called so.
pub fn is_keyword(word: &str) -> bool {
    ident::is_keyword(word)
}

/// Of the code of a package: its modules, or their beginning and a hash where a file system would
/// not take that many bytes.
fn file_name(package: &[String], layout: &Layout) -> String {
    const LONGEST: usize = 200;
    let name = package.join(".").replace("r#", "");
    let others: &[&str] = match layout {
        Layout::Crate { .. } => &["lib", "main"],
        Layout::BuildScript => &["prism"],
    };
    match name.as_str() {
        "" => "_.rs".to_owned(),
        other if others.contains(&other) => format!("{other}_.rs"),
        _ if name.len() > LONGEST => {
            let hash = Sha256::digest(&name);
            let hash: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("{}.{hash}.rs", &name[..LONGEST])
        }
        _ => format!("{name}.rs"),
    }
}

/// The entry file: the packages as modules, and the schema.
fn root(
    input: Input<'_>,
    packages: &BTreeMap<Vec<String>, TokenStream>,
    names: &names::Names,
) -> TokenStream {
    let mut tree = Tree::default();
    for package in packages.keys() {
        tree.insert(package, package);
    }
    let layout = &input.options.layout;
    let modules = tree.tokens(layout, true);
    let head = matches!(layout, Layout::Crate { .. }).then(|| {
        quote! {
            #![doc = " The data service that `prism generate` made of this schema."]
        }
    });
    let entities = input.schema.entities.iter().filter_map(|entity| {
        let path = names.types.get(&entity.schema.message)?;
        let parts = path.package.iter().chain(&path.path).map(|part| ident::ident(part));
        Some(quote!(.entity::<#(#parts)::*>()))
    });
    let services = input.schema.services.iter().map(|it| services::service_path(it, names));
    let migrations = migrations(input.migrations, layout);
    let descriptors = included(layout, DESCRIPTORS);
    quote! {
        #head
        #modules

        #[doc = " The schema's files and all that they import, as an encoded `FileDescriptorSet`."]
        pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(#descriptors);

        #migrations

        #[doc = " Everything that the proxy serves. Custom methods answer UNIMPLEMENTED until"]
        #[doc = " `service` is given their handlers."]
        pub fn schema() -> ::prism_runtime::codegen::Schema {
            ::prism_runtime::codegen::Schema::new(FILE_DESCRIPTOR_SET)
                .migrations(MIGRATIONS)
                #(#entities)*
                #(.service(::prism_runtime::codegen::Unimplemented(#services)))*
        }
    }
}

/// The SQL of every migration, embedded.
fn migrations(files: &[MigrationFile], layout: &Layout) -> TokenStream {
    let of = |dialect: &str| {
        let entries = files.iter().filter(|file| file.dialect.name() == dialect).map(|file| {
            let version = proc_macro2::Literal::i64_unsuffixed(file.version);
            let description = &file.description;
            let path = match layout {
                Layout::Crate { .. } => {
                    let path = format!("../{}", file.path());
                    quote!(#path)
                }
                Layout::BuildScript => {
                    let path = format!("/{}", file.path());
                    quote!(concat!(env!("CARGO_MANIFEST_DIR"), #path))
                }
            };
            quote! {
                ::prism_runtime::codegen::Migration {
                    version: #version,
                    description: #description,
                    sql: include_str!(#path),
                }
            }
        });
        quote!(&[#(#entries),*])
    };
    let (sqlite, postgres) = (of("sqlite"), of("postgres"));
    quote! {
        #[doc = " The migrations that make the tables."]
        pub const MIGRATIONS: ::prism_runtime::codegen::Migrations =
            ::prism_runtime::codegen::Migrations { sqlite: #sqlite, postgres: #postgres };
    }
}

/// The argument of an `include` of a file beside the entry.
fn included(layout: &Layout, name: &str) -> TokenStream {
    match layout {
        Layout::Crate { .. } => quote!(#name),
        Layout::BuildScript => {
            let name = format!("/{name}");
            quote!(concat!(env!("OUT_DIR"), #name))
        }
    }
}

fn binary(crate_name: &str) -> TokenStream {
    let library = ident::ident(&crate_name.replace('-', "_"));
    quote! {
        #![doc = " The data proxy of this schema."]

        #[global_allocator]
        static ALLOCATOR: ::prism_runtime::codegen::MiMalloc = ::prism_runtime::codegen::MiMalloc;

        #[doc = " Serves until the process is told to stop."]
        fn main() -> ::std::process::ExitCode {
            ::prism_runtime::codegen::main(#library::schema())
        }
    }
}

/// Modules of packages, nested.
#[derive(Default)]
struct Tree {
    /// The package whose code is here.
    package: Option<Vec<String>>,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, rest: &[String], package: &[String]) {
        match rest {
            [] => self.package = Some(package.to_vec()),
            [first, rest @ ..] => {
                self.children.entry(first.clone()).or_default().insert(rest, package);
            }
        }
    }

    fn tokens(&self, layout: &Layout, top: bool) -> TokenStream {
        let own = self.package.as_ref().map(|package| {
            let file = included(layout, &file_name(package, layout));
            quote!(include!(#file);)
        });
        let children = self.children.iter().map(|(name, child)| {
            let name = ident::ident(name);
            let inner = child.tokens(layout, false);
            // Names and comments are the schema's.
            let allow = top.then(|| quote!(#[allow(clippy::all, missing_docs)]));
            quote!(#allow pub mod #name { #inner })
        });
        quote!(#own #(#children)*)
    }
}

fn format(tokens: TokenStream) -> String {
    match syn::parse2(tokens) {
        Ok(file) => spaced(&prettyplease::unparse(&file)),
        Err(error) => unreachable!("emitted tokens are Rust: {error}"),
    }
}

/// Puts an empty line between items, which prettyplease does not.
fn spaced(code: &str) -> String {
    const ITEMS: [&str; 10] =
        ["///", "#[", "pub ", "impl", "fn ", "trait ", "const ", "static ", "async ", "mod "];
    let mut text = String::with_capacity(code.len() + code.len() / 16);
    let mut previous = "";
    for line in code.lines() {
        let start = line.trim_start();
        let begins_item = ITEMS.iter().any(|word| start.starts_with(word));
        let ends_item = previous.ends_with('}') || previous.ends_with(';');
        let header = previous.starts_with("//!") && !line.starts_with("//!");
        if header || (begins_item && ends_item) {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        previous = line;
    }
    text
}

/// The descriptor set without comments and positions, which only the generator needs. Options
/// that prost does not know stay as they are, so the bytes are cut, not decoded.
fn without_source_info(set: &[u8]) -> Vec<u8> {
    const FILE: u32 = 1;
    const SOURCE_CODE_INFO: u32 = 9;
    let mut stripped = Vec::with_capacity(set.len() / 2);
    for (number, file) in fields(set) {
        if number != FILE {
            continue;
        }
        let mut kept = Vec::with_capacity(file.content.len());
        for (number, field) in fields(file.content) {
            // Services and messages are read by content; every field of a file but `syntax` and
            // `edition` is length-delimited, and all are kept as they stand.
            if number != SOURCE_CODE_INFO {
                kept.extend_from_slice(field.whole);
            }
        }
        prost::encoding::encode_key(
            FILE,
            prost::encoding::WireType::LengthDelimited,
            &mut stripped,
        );
        prost::encoding::encode_varint(kept.len() as u64, &mut stripped);
        stripped.extend_from_slice(&kept);
    }
    stripped
}

/// A field on the wire.
struct Field<'a> {
    /// With its key.
    whole: &'a [u8],
    /// Without key and length, where it is length-delimited.
    content: &'a [u8],
}

fn fields(message: &[u8]) -> Vec<(u32, Field<'_>)> {
    use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
    let mut fields = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let whole = rest;
        let Ok((number, wire_type)) = decode_key(&mut rest) else { break };
        let mut content: &[u8] = &[];
        if wire_type == WireType::LengthDelimited {
            let mut inner = rest;
            if let Ok(length) = decode_varint(&mut inner) {
                content = inner.get(..length as usize).unwrap_or_default();
            }
        }
        if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
            break;
        }
        fields.push((number, Field { whole: &whole[..whole.len() - rest.len()], content }));
    }
    fields
}
