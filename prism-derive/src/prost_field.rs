//! `#[prost(...)]`: what a Rust field is on the wire.

use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, GenericArgument, Lit, Meta, Path, PathArguments, Token, Type};

use crate::report::error;

/// A field of a message, or a member of a oneof.
pub(crate) struct ProstField {
    pub kind: Kind,
    pub label: Label,
    /// Field numbers: one, or those of a oneof's members.
    pub tags: Vec<u32>,
}

/// The wire type, as prost's attribute spells it.
#[derive(Clone)]
pub(crate) enum Kind {
    /// `int32`, `string`, `bytes`, …: a variant of `FieldType` of the same name in PascalCase.
    Scalar(&'static str),
    Enumeration(Path),
    Message,
    Group,
    /// A map whose values are an enumeration where there is one.
    Map(Option<Path>),
    Oneof(Path),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Implicit,
    Optional,
    Required,
    Repeated,
}

const SCALARS: [(&str, &str); 14] = [
    ("bool", "Bool"),
    ("int32", "Int32"),
    ("int64", "Int64"),
    ("uint32", "Uint32"),
    ("uint64", "Uint64"),
    ("sint32", "Sint32"),
    ("sint64", "Sint64"),
    ("fixed32", "Fixed32"),
    ("fixed64", "Fixed64"),
    ("sfixed32", "Sfixed32"),
    ("sfixed64", "Sfixed64"),
    ("float", "Float"),
    ("double", "Double"),
    ("string", "String"),
];

impl ProstField {
    /// Reads the attributes of a field or variant. `at` is what an error points to.
    pub(crate) fn parse(attributes: &[Attribute], at: &syn::Ident) -> syn::Result<Self> {
        let mut kind = None;
        let mut label = Label::Implicit;
        let mut tags = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("prost")) {
            let metas =
                attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
            for meta in &metas {
                let Some(word) = meta.path().get_ident().map(syn::Ident::to_string) else {
                    continue;
                };
                match word.as_str() {
                    "optional" => label = Label::Optional,
                    "required" => label = Label::Required,
                    "repeated" => label = Label::Repeated,
                    "tag" | "tags" => tags.extend(numbers(meta)?),
                    _ => kind = kind.or(parse_kind(&word, meta)?),
                }
            }
        }
        let missing = |what| {
            error(
                at,
                format!("`{at}` has no {what}"),
                "write #[prost(string, tag = \"1\")] with the field's protobuf type and number",
            )
        };
        let kind = kind.ok_or_else(|| missing("protobuf type"))?;
        if tags.is_empty() {
            return Err(missing("field number"));
        }
        // A message without a label has presence; `map` and `oneof` have no label.
        if matches!(kind, Kind::Message | Kind::Group) && label == Label::Implicit {
            label = Label::Optional;
        }
        Ok(ProstField { kind, label, tags })
    }
}

fn parse_kind(word: &str, meta: &Meta) -> syn::Result<Option<Kind>> {
    if let Some((_, variant)) = SCALARS.iter().find(|(name, _)| *name == word) {
        return Ok(Some(Kind::Scalar(variant)));
    }
    Ok(match word {
        "bytes" => Some(Kind::Scalar("Bytes")),
        "message" => Some(Kind::Message),
        "group" => Some(Kind::Group),
        "enumeration" => Some(Kind::Enumeration(path(meta)?)),
        "oneof" => Some(Kind::Oneof(path(meta)?)),
        "map" | "hash_map" | "btree_map" => Some(Kind::Map(map_enumeration(meta)?)),
        _ => None,
    })
}

/// The enumeration in `map = "string, enumeration(Path)"`.
fn map_enumeration(meta: &Meta) -> syn::Result<Option<Path>> {
    let Ok(text) = string(meta) else { return Ok(None) };
    let value = text.value();
    let inner = value
        .split_once(',')
        .and_then(|(_, value)| value.trim().strip_prefix("enumeration("))
        .and_then(|value| value.strip_suffix(')'));
    inner.map(|path| syn::LitStr::new(path, text.span()).parse()).transpose()
}

fn path(meta: &Meta) -> syn::Result<Path> {
    match meta {
        Meta::List(list) => list.parse_args(),
        _ => string(meta)?.parse(),
    }
}

fn numbers(meta: &Meta) -> syn::Result<Vec<u32>> {
    if let Meta::NameValue(pair) = meta
        && let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &pair.value
    {
        return Ok(vec![number.base10_parse()?]);
    }
    let text = string(meta)?;
    let parse = |part: &str| part.trim().parse().ok();
    let numbers: Option<Vec<u32>> = text.value().split(',').map(parse).collect();
    numbers.ok_or_else(|| error(text, "not a list of field numbers", "write tag = \"1\""))
}

fn string(meta: &Meta) -> syn::Result<&syn::LitStr> {
    match meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
            other => Err(syn::Error::new_spanned(other, "expected a string")),
        },
        other => Err(syn::Error::new_spanned(other, "expected `= \"…\"`")),
    }
}

/// What is inside `Option`, `Vec` and `Box`. `Vec<u8>`, which is a value, stays.
pub(crate) fn element(ty: &Type) -> &Type {
    let Type::Path(path) = ty else { return ty };
    let Some(last) = path.path.segments.last() else { return ty };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return ty };
    let Some(GenericArgument::Type(inner)) = arguments.args.first() else { return ty };
    match last.ident.to_string().as_str() {
        "Option" | "Box" => element(inner),
        "Vec" if !is_ident(inner, "u8") => element(inner),
        _ => ty,
    }
}

/// Whether a type is a path that ends in this name.
pub(crate) fn is_ident(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}
