//! `#[prism(...)]`, as prism-derive reads it: only what does not follow from prost's attributes.

use std::collections::BTreeMap;

use prism_schema::{Access, Backend, Cardinality, Column, FieldType, Managed, Storage};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, parse_quote};

use crate::model::{Entity, FieldPath, Schema};

/// What the schema says of messages and fields.
pub(super) struct Annotations<'a> {
    schema: &'a Schema,
    entities: BTreeMap<&'a str, &'a Entity>,
}

impl<'a> Annotations<'a> {
    pub(super) fn new(schema: &'a Schema) -> Self {
        let by_name = |entity: &'a Entity| (entity.schema.message.as_str(), entity);
        Annotations { schema, entities: schema.entities.iter().map(by_name).collect() }
    }

    /// The entity that a message is.
    pub(super) fn entity(&self, message: &str) -> Option<&'a Entity> {
        self.entities.get(message).copied()
    }

    /// The keys of a field; `rust_name` is empty for a member of a oneof.
    pub(super) fn field(&self, message: &str, number: u32, rust_name: &str) -> Vec<TokenStream> {
        let path = FieldPath { message: message.to_owned(), number };
        let mut masked = self.schema.masked.contains_key(&path);
        let mut keys = Vec::new();
        if let Some(entity) = self.entity(message)
            && let Some(column) = entity.schema.column(number)
        {
            masked |= column.masked;
            column_keys(&entity.schema, column, rust_name, &mut keys);
        }
        if masked {
            keys.push(quote!(masked));
        }
        keys
    }
}

/// Whether the keys mask the field.
pub(super) fn masks(keys: &[TokenStream]) -> bool {
    keys.iter().any(|key| key.to_string() == "masked")
}

/// One attribute of all keys; none where there are none.
pub(super) fn prism(keys: Vec<TokenStream>) -> Option<Attribute> {
    (!keys.is_empty()).then(|| parse_quote!(#[prism(#(#keys),*)]))
}

/// The attributes of an entity's struct.
pub(super) fn container(entity: &prism_schema::Entity) -> Vec<Attribute> {
    let (message, namespace) = (&entity.message, &entity.namespace);
    let mut keys = vec![quote!(message = #message), quote!(namespace = #namespace)];
    match entity.backend {
        Backend::Sqlite => {}
        Backend::Memory => keys.push(quote!(backend = "memory")),
        Backend::Postgres => keys.push(quote!(backend = "postgres")),
    }
    if entity.table != entity.namespace.replace('-', "_") {
        let table = &entity.table;
        keys.push(quote!(table = #table));
    }
    if entity.retention_days > 0 {
        let days = proc_macro2::Literal::u32_unsuffixed(entity.retention_days);
        keys.push(quote!(retention_days = #days));
    }
    let mut attributes: Vec<Attribute> = prism(keys).into_iter().collect();
    for index in &entity.indexes {
        let name = &index.name;
        let fields = index.columns.iter().map(|part| {
            let column = entity.column(part.number);
            // The derive does not see the members of a oneof, only their numbers.
            let field = match column {
                Some(column) if column.oneof.is_none() => column.field.clone(),
                _ => part.number.to_string(),
            };
            if part.descending { format!("{field} desc") } else { field }
        });
        let unique = index.unique.then(|| quote!(, unique));
        attributes.push(parse_quote!(#[prism(index(name = #name, fields(#(#fields),*) #unique))]));
    }
    attributes
}

fn column_keys(
    entity: &prism_schema::Entity,
    column: &Column,
    rust_name: &str,
    keys: &mut Vec<TokenStream>,
) {
    if rust_name.strip_prefix("r#").unwrap_or(rust_name) != column.field {
        let field = &column.field;
        keys.push(quote!(field = #field));
    }
    if column.name != column.field {
        let name = &column.name;
        keys.push(quote!(column = #name));
    }
    if let FieldType::Enum(name) | FieldType::Message(name) | FieldType::Group(name) = &column.ty {
        keys.push(quote!(type = #name));
    }
    if let Some(position) = entity.key.iter().position(|number| *number == column.number) {
        let kind = match entity.key.len() {
            1 => "primary",
            _ if position < entity.partition => "partition",
            _ => "clustering",
        };
        keys.push(quote!(key = #kind));
    }
    if let Some(managed) = column.managed {
        let word = match managed {
            Managed::CreateTime => "create_time",
            Managed::UpdateTime => "update_time",
            Managed::DeleteTime => "delete_time",
            Managed::ExpireTime => "expire_time",
            Managed::Etag => "etag",
            Managed::Id => "id",
        };
        keys.push(quote!(managed = #word));
    }
    let access = match column.access {
        Access::Unrestricted => None,
        Access::Immutable => Some("immutable"),
        Access::OutputOnly => Some("output_only"),
        Access::InputOnly => Some("input_only"),
    };
    keys.extend(access.map(|word| quote!(access = #word)));
    if column.storage == Storage::Json {
        keys.push(quote!(storage = "json"));
    }
    debug_assert!(is_described(column), "{} is not what the derive would make", column.field);
}

/// Whether the derive comes to the same storage from the type alone.
fn is_described(column: &Column) -> bool {
    let composite = matches!(column.cardinality, Cardinality::Repeated | Cardinality::Map)
        || matches!(column.ty, FieldType::Message(_) | FieldType::Group(_));
    match column.storage {
        Storage::Native => !composite,
        Storage::Binary | Storage::Json => composite,
    }
}

/// A variant of one of prism-schema's enums, by its `Debug` form.
pub(super) fn variant(value: impl std::fmt::Debug) -> proc_macro2::Ident {
    format_ident!("{value:?}")
}
