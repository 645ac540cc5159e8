//! `#[derive(Entity)]`.

mod column;
mod key;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, FieldsNamed};

use self::column::Column;
use self::key::Keys;
use crate::attributes::{Container, Field, Index};
use crate::names;
use crate::prost_field::{Kind, ProstField};
use crate::report::Report;

/// The implementation, or the errors and a stub so that uses of the type report nothing more.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut report = Report::default();
    let container = Container::parse(&input.attrs, &mut report);
    let implementation = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => message(input, &container, fields, &mut report),
            _ => unsupported(input, &mut report),
        },
        Data::Enum(data) => oneof(input, &container, data, &mut report),
        Data::Union(_) => unsupported(input, &mut report),
    };
    if report.is_empty() {
        return implementation;
    }
    let errors = report.into_tokens();
    let stub = stub(input, &container);
    quote!(#errors #stub)
}

fn unsupported(input: &DeriveInput, report: &mut Report) -> TokenStream {
    report.error(
        &input.ident,
        "Entity is derived on messages and oneofs",
        "a prost message is a struct with named fields",
    );
    TokenStream::new()
}

fn stub(input: &DeriveInput, container: &Container) -> TokenStream {
    let codegen = container.codegen();
    let name = &input.ident;
    match input.data {
        Data::Enum(_) => quote! {
            impl #codegen::schema::Members for #name {
                fn columns() -> ::std::vec::Vec<#codegen::schema::Column> {
                    ::core::unreachable!()
                }
            }
        },
        _ => quote! {
            impl #codegen::Entity for #name {
                fn schema() -> &'static #codegen::schema::Entity {
                    ::core::unreachable!()
                }
            }
        },
    }
}

/// What the fields of a struct say, before it is put together.
#[derive(Default)]
struct Message {
    columns: Vec<Column>,
    /// Paths of the oneofs' enums.
    oneofs: Vec<syn::Path>,
    /// Numbers of the oneofs' members.
    members: Vec<u32>,
    keys: Keys,
    indexes: Vec<TokenStream>,
}

fn message(
    input: &DeriveInput,
    container: &Container,
    fields: &FieldsNamed,
    report: &mut Report,
) -> TokenStream {
    let codegen = container.codegen();
    let name = &input.ident;
    let head = Head::new(input, container, report);
    let read = read_fields(&head, fields, report);
    let further: Vec<TokenStream> =
        container.indexes.iter().map(|index| index_tokens(index, &head, &read, report)).collect();
    let Message { columns, oneofs, keys, indexes, .. } = &read;
    let indexes = indexes.iter().chain(&further);
    let key = keys.numbers(input, report);
    let partition = keys.partition_count();
    let Head { message, namespace, table, backend } = &head;
    let retention = container.retention_days.iter();
    let columns = columns.iter().map(|column| column.tokens(None));
    quote! {
        impl #codegen::Entity for #name {
            fn schema() -> &'static #codegen::schema::Entity {
                // Outside of the block below: the message's own module may be called `schema`.
                fn members() -> ::std::vec::Vec<#codegen::schema::Column> {
                    let of_oneofs: &[::std::vec::Vec<#codegen::schema::Column>] =
                        &[#(<#oneofs as #codegen::schema::Members>::columns()),*];
                    of_oneofs.concat()
                }
                {
                use #codegen::schema;
                static SCHEMA: ::std::sync::LazyLock<schema::Entity> =
                    ::std::sync::LazyLock::new(|| {
                        let mut columns = ::std::vec![#(#columns),*];
                        columns.extend(members());
                        columns.sort_by_key(|column: &schema::Column| column.number);
                        schema::Entity {
                            message: ::std::string::String::from(#message),
                            namespace: ::std::string::String::from(#namespace),
                            backend: schema::Backend::#backend,
                            table: ::std::string::String::from(#table),
                            columns,
                            key: ::std::vec![#(#key),*],
                            partition: #partition,
                            indexes: ::std::vec![#(#indexes),*],
                            retention_days: 0 #(+ #retention)*,
                        }
                    });
                &SCHEMA
                }
            }
        }
    }
}

fn oneof(
    input: &DeriveInput,
    container: &Container,
    data: &syn::DataEnum,
    report: &mut Report,
) -> TokenStream {
    let codegen = container.codegen();
    let name = &input.ident;
    let Some(message) = container.message.as_ref().map(syn::LitStr::value) else {
        report.error(
            name,
            "the oneof's message is not known",
            "write #[prism(message = \"acme.v1.Order\")] on the enum",
        );
        return TokenStream::new();
    };
    let mut columns = Vec::new();
    for variant in &data.variants {
        let attributes = Field::parse(&variant.attrs, report);
        let Some(prost) = report.ok(ProstField::parse(&variant.attrs, &variant.ident)) else {
            continue;
        };
        let Some(ty) = variant.fields.iter().next().map(|field| &field.ty) else { continue };
        let rust_name = names::snake_case(&variant.ident.to_string());
        let default_name = syn::Ident::new(&rust_name, variant.ident.span());
        if let Some(key) = &attributes.key {
            report.error(
                key,
                "a member of a oneof cannot be part of the key",
                "a key is always present",
            );
        }
        if let Some(column) =
            column::resolve(&message, &default_name, ty, &prost, &attributes, report)
        {
            columns.push(column);
        }
    }
    let oneof = match &container.oneof {
        Some(oneof) => oneof.value(),
        None => names::snake_case(&name.to_string()),
    };
    let columns = columns.iter().map(|column| column.tokens(Some(&oneof)));
    quote! {
        impl #codegen::schema::Members for #name {
            fn columns() -> ::std::vec::Vec<#codegen::schema::Column> {
                use #codegen::schema;
                ::std::vec![#(#columns),*]
            }
        }
    }
}

/// What stands on the struct, with defaults filled in.
struct Head {
    message: String,
    namespace: String,
    table: String,
    backend: syn::Ident,
}

impl Head {
    fn new(input: &DeriveInput, container: &Container, report: &mut Report) -> Self {
        let mut required = |given: &Option<syn::LitStr>, key: &str, example: &str| match given {
            Some(value) => value.value(),
            None => {
                report.error(
                    &input.ident,
                    format!("the entity has no {key}"),
                    &format!("write #[prism({key} = \"{example}\")] on the struct"),
                );
                String::new()
            }
        };
        let message = required(&container.message, "message", "acme.users.v1.User");
        let namespace = required(&container.namespace, "namespace", "users");
        let table = match &container.table {
            Some(table) => table.value(),
            None => namespace.replace('-', "_"),
        };
        let words = [("memory", "Memory"), ("sqlite", "Sqlite"), ("postgres", "Postgres")];
        let backend = word(container.backend.as_ref(), &words, report)
            .unwrap_or_else(|| syn::Ident::new("Sqlite", input.ident.span()));
        Head { message, namespace, table, backend }
    }
}

fn read_fields(head: &Head, fields: &FieldsNamed, report: &mut Report) -> Message {
    let mut read = Message::default();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let attributes = Field::parse(&field.attrs, report);
        let Some(prost) = report.ok(ProstField::parse(&field.attrs, ident)) else { continue };
        if let Kind::Oneof(path) = &prost.kind {
            read.oneofs.push(path.clone());
            read.members.extend(&prost.tags);
            continue;
        }
        let resolved =
            column::resolve(&head.message, ident, &field.ty, &prost, &attributes, report);
        let Some(column) = resolved else { continue };
        if let Some(twin) = read.columns.iter().find(|other| other.number == column.number) {
            report.error(
                ident,
                format!("field number {} is `{}` already", column.number, twin.field),
                "a number belongs to one field",
            );
        }
        read.keys.add(ident, &column, attributes.key.as_ref(), report);
        if let Some(index) = &attributes.index {
            column.require_ordered(&index.ident, "an index", report);
            let name = index.name.as_ref().map(syn::LitStr::value);
            let name = name.unwrap_or_else(|| format!("idx_{}_{}", head.table, column.field));
            let (number, unique) = (column.number, index.unique);
            read.indexes.push(quote! {
                schema::Index {
                    name: ::std::string::String::from(#name),
                    columns: ::std::vec![
                        schema::IndexColumn { number: #number, descending: false }
                    ],
                    unique: #unique,
                }
            });
        }
        read.columns.push(column);
    }
    read
}

fn index_tokens(index: &Index, head: &Head, read: &Message, report: &mut Report) -> TokenStream {
    let at = proc_macro2::Ident::new("index", index.span);
    if index.fields.is_empty() {
        report.error(&at, "the index has no fields", "write fields(\"country\", \"age desc\")");
    }
    let mut columns = Vec::new();
    for field in &index.fields {
        let number = match field.field.parse::<u32>() {
            Ok(number) if read.members.contains(&number) => Some(number),
            Ok(number) => {
                read.columns.iter().find(|column| column.number == number).map(|column| {
                    column.require_ordered(&field.literal, "an index", report);
                    number
                })
            }
            Err(_) => {
                read.columns.iter().find(|column| column.field == field.field).map(|column| {
                    column.require_ordered(&field.literal, "an index", report);
                    column.number
                })
            }
        };
        let Some(number) = number else {
            report.error(
                &field.literal,
                format!("no field `{}`", field.field),
                "an index names the message's own fields; a member of a oneof by its number",
            );
            continue;
        };
        let descending = field.descending;
        columns.push(quote!(schema::IndexColumn { number: #number, descending: #descending }));
    }
    let name = index.name.as_ref().map(syn::LitStr::value).unwrap_or_else(|| {
        let fields: Vec<&str> = index.fields.iter().map(|field| field.field.as_str()).collect();
        format!("idx_{}_{}", head.table, fields.join("_"))
    });
    let unique = index.unique;
    quote! {
        schema::Index {
            name: ::std::string::String::from(#name),
            columns: ::std::vec![#(#columns),*],
            unique: #unique,
        }
    }
}

/// The variant that a word stands for; notes a word that is none of them.
fn word(
    given: Option<&syn::LitStr>,
    words: &[(&str, &str)],
    report: &mut Report,
) -> Option<syn::Ident> {
    let given = given?;
    let value = given.value();
    if let Some((_, variant)) = words.iter().find(|(word, _)| *word == value) {
        return Some(syn::Ident::new(variant, given.span()));
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    report.error(
        given,
        format!("unknown value `{value}`"),
        &format!("one of {}", known.join(", ")),
    );
    None
}
