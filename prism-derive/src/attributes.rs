//! `#[prism(...)]`: what the author says about a struct, an enum or a field.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Ident, Lit, LitInt, LitStr, Path, Token, parenthesized};

use crate::report::Report;

/// What stands on the struct or enum.
#[derive(Default)]
pub(crate) struct Container {
    pub message: Option<LitStr>,
    pub namespace: Option<LitStr>,
    pub backend: Option<LitStr>,
    pub table: Option<LitStr>,
    pub oneof: Option<LitStr>,
    pub retention_days: Option<LitInt>,
    pub indexes: Vec<Index>,
    pub runtime: Option<Path>,
}

/// `index(name = "…", fields("a", "b desc"), unique)`.
pub(crate) struct Index {
    pub span: Span,
    pub name: Option<LitStr>,
    pub fields: Vec<IndexField>,
    pub unique: bool,
}

/// A field of an index, by name or number.
pub(crate) struct IndexField {
    pub literal: Lit,
    pub field: String,
    pub descending: bool,
}

/// What stands on a field or a oneof's member.
#[derive(Default)]
pub(crate) struct Field {
    pub field: Option<LitStr>,
    pub column: Option<LitStr>,
    pub ty: Option<LitStr>,
    pub key: Option<LitStr>,
    pub index: Option<SingleIndex>,
    pub managed: Option<LitStr>,
    pub access: Option<LitStr>,
    pub storage: Option<LitStr>,
    pub masked: bool,
}

/// `index` or `unique` on a field.
pub(crate) struct SingleIndex {
    pub ident: Ident,
    pub name: Option<LitStr>,
    pub unique: bool,
}

const CONTAINER_KEYS: &str =
    "message, namespace, backend, table, retention_days, index(...), oneof and crate";
const FIELD_KEYS: &str =
    "field, column, type, key, index, unique, managed, access, storage and masked";

impl Container {
    /// Reads the attributes; notes what is not understood.
    pub(crate) fn parse(attributes: &[Attribute], report: &mut Report) -> Self {
        let mut container = Container::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("prism")) {
            let parsed = attribute.parse_nested_meta(|meta| container.key(&meta));
            report.ok(parsed);
        }
        container
    }

    /// Path of the module that generated code names.
    pub(crate) fn codegen(&self) -> proc_macro2::TokenStream {
        match &self.runtime {
            Some(path) => quote::quote!(#path::codegen),
            None => quote::quote!(::prism_runtime::codegen),
        }
    }

    fn key(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        match key_of(meta).as_str() {
            "message" => set(&mut self.message, meta),
            "namespace" => set(&mut self.namespace, meta),
            "backend" => set(&mut self.backend, meta),
            "table" => set(&mut self.table, meta),
            "oneof" => set(&mut self.oneof, meta),
            "retention_days" => set(&mut self.retention_days, meta),
            "crate" => {
                self.runtime = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                Ok(())
            }
            "index" => {
                self.indexes.push(Index::parse(meta)?);
                Ok(())
            }
            other => Err(unknown(meta, other, CONTAINER_KEYS)),
        }
    }
}

impl Index {
    fn parse(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let mut index =
            Index { span: span_of(meta), name: None, fields: Vec::new(), unique: false };
        meta.parse_nested_meta(|part| match key_of(&part).as_str() {
            "name" => set(&mut index.name, &part),
            "unique" => {
                index.unique = true;
                Ok(())
            }
            "fields" => {
                let content;
                parenthesized!(content in part.input);
                let fields = content.parse_terminated(parse_index_field, Token![,])?;
                index.fields.extend(fields);
                Ok(())
            }
            other => Err(unknown(&part, other, "name, fields(...) and unique")),
        })?;
        Ok(index)
    }
}

fn parse_index_field(input: syn::parse::ParseStream<'_>) -> syn::Result<IndexField> {
    let literal: Lit = input.parse()?;
    let text = match &literal {
        Lit::Str(text) => text.value(),
        Lit::Int(number) => number.base10_digits().to_owned(),
        _ => return Err(syn::Error::new_spanned(&literal, "expected a field name or number")),
    };
    let (field, descending) = match text.trim().strip_suffix(" desc") {
        Some(field) => (field.trim_end(), true),
        None => (text.trim(), false),
    };
    Ok(IndexField { field: field.to_owned(), descending, literal })
}

impl Field {
    /// Reads the attributes; notes what is not understood.
    pub(crate) fn parse(attributes: &[Attribute], report: &mut Report) -> Self {
        let mut field = Field::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("prism")) {
            let parsed = attribute.parse_nested_meta(|meta| field.key(&meta));
            report.ok(parsed);
        }
        field
    }

    fn key(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        match key_of(meta).as_str() {
            "field" => set(&mut self.field, meta),
            "column" => set(&mut self.column, meta),
            "type" => set(&mut self.ty, meta),
            "key" => set(&mut self.key, meta),
            "managed" => set(&mut self.managed, meta),
            "access" => set(&mut self.access, meta),
            "storage" => set(&mut self.storage, meta),
            "masked" => {
                self.masked = true;
                Ok(())
            }
            word @ ("index" | "unique") => self.single_index(meta, word == "unique"),
            other => Err(unknown(meta, other, FIELD_KEYS)),
        }
    }

    fn single_index(&mut self, meta: &ParseNestedMeta<'_>, unique: bool) -> syn::Result<()> {
        if self.index.is_some() {
            return Err(meta.error(
                "a field declares one index\nhelp: write further ones as index(...) on the struct",
            ));
        }
        let name = match meta.input.peek(Token![=]) {
            true => Some(meta.value()?.parse()?),
            false => None,
        };
        let ident = Ident::new(&key_of(meta), span_of(meta));
        self.index = Some(SingleIndex { ident, name, unique });
        Ok(())
    }
}

fn key_of(meta: &ParseNestedMeta<'_>) -> String {
    meta.path.get_ident().map(Ident::to_string).unwrap_or_default()
}

fn span_of(meta: &ParseNestedMeta<'_>) -> Span {
    meta.path.get_ident().map_or_else(Span::call_site, Ident::span)
}

fn set<T: syn::parse::Parse>(slot: &mut Option<T>, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let value = meta.value()?.parse()?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error(format!("`{}` is given twice", key_of(meta)))),
    }
}

fn unknown(meta: &ParseNestedMeta<'_>, key: &str, known: &str) -> syn::Error {
    // What follows the key would be an error of its own, after the one that matters.
    if meta.input.peek(Token![=]) {
        let _ = meta.value().and_then(|value| value.parse::<Lit>());
    }
    meta.error(format!("unknown key `{key}`\nhelp: the keys here are {known}"))
}
