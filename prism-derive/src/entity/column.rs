//! One column, from a field's two attributes and its Rust type.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Ident, LitStr, Type};

use crate::attributes::Field;
use crate::names;
use crate::prost_field::{Kind, Label, ProstField, element, is_ident};
use crate::report::Report;

/// A column of the entity.
pub(super) struct Column {
    pub number: u32,
    pub field: String,
    name: String,
    ty: ColumnType,
    wrapper: bool,
    cardinality: &'static str,
    storage: &'static str,
    managed: Option<Ident>,
    access: Option<Ident>,
    masked: bool,
}

/// A variant of `FieldType`, with the full name of its type where it has one.
struct ColumnType {
    variant: &'static str,
    name: Option<String>,
}

/// Resolves a field that is not a oneof. `None` where an error was noted.
pub(super) fn resolve(
    message: &str,
    ident: &Ident,
    rust_type: &Type,
    prost: &ProstField,
    attributes: &Field,
    report: &mut Report,
) -> Option<Column> {
    let field = match &attributes.field {
        Some(field) => field.value(),
        None => names::field_name(ident),
    };
    let known = if matches!(prost.kind, Kind::Message) { well_known(rust_type) } else { None };
    let given = attributes.ty.as_ref().map(LitStr::value);
    let (ty, wrapper) = match known {
        Some(known) if given.is_none() => known,
        _ => (column_type(message, &field, rust_type, prost, given), false),
    };
    let column = Column {
        number: *prost.tags.first()?,
        name: attributes.column.as_ref().map_or_else(|| field.clone(), LitStr::value),
        cardinality: cardinality(&ty, wrapper, prost, attributes),
        storage: "Native",
        managed: super::word(attributes.managed.as_ref(), &MANAGED, report),
        access: super::word(attributes.access.as_ref(), &ACCESS, report),
        masked: attributes.masked,
        field,
        ty,
        wrapper,
    };
    column.check_managed(attributes, report);
    let storage = column.storage(attributes, report);
    Some(Column { storage, ..column })
}

fn cardinality(
    ty: &ColumnType,
    wrapper: bool,
    prost: &ProstField,
    attributes: &Field,
) -> &'static str {
    // prost has an `Option` for every message; a time in the key is always there.
    let time = matches!(ty.variant, "Timestamp" | "Duration") && !wrapper;
    match (&prost.kind, prost.label) {
        (Kind::Map(_), _) => "Map",
        (_, Label::Repeated) => "Repeated",
        (_, Label::Required) => "Required",
        (_, Label::Optional) if time && attributes.key.is_some() => "Required",
        (_, Label::Optional) => "Optional",
        (_, Label::Implicit) => "Implicit",
    }
}

const MANAGED: [(&str, &str); 6] = [
    ("create_time", "CreateTime"),
    ("update_time", "UpdateTime"),
    ("delete_time", "DeleteTime"),
    ("expire_time", "ExpireTime"),
    ("etag", "Etag"),
    ("id", "Id"),
];

const ACCESS: [(&str, &str); 3] =
    [("immutable", "Immutable"), ("output_only", "OutputOnly"), ("input_only", "InputOnly")];

/// Rust types that prost uses for wrappers.
/// <https://protobuf.dev/reference/protobuf/google.protobuf/>
const WRAPPERS: [(&str, &str); 8] = [
    ("bool", "Bool"),
    ("i32", "Int32"),
    ("i64", "Int64"),
    ("u32", "Uint32"),
    ("u64", "Uint64"),
    ("f32", "Float"),
    ("f64", "Double"),
    ("String", "String"),
];

/// A timestamp, a duration or a wrapper, and whether it is a wrapper.
fn well_known(rust_type: &Type) -> Option<(ColumnType, bool)> {
    let inner = element(rust_type);
    let plain = |variant| ColumnType { variant, name: None };
    for variant in ["Timestamp", "Duration"] {
        if is_ident(inner, variant) && is_google(inner) {
            return Some((plain(variant), false));
        }
    }
    if let Some((_, variant)) = WRAPPERS.iter().find(|(name, _)| is_ident(inner, name)) {
        return Some((plain(variant), true));
    }
    let bytes = is_ident(inner, "Vec") || is_ident(inner, "Bytes");
    bytes.then(|| (plain("Bytes"), true))
}

/// Whether a path goes through `prost_types`, or is a bare name that was imported from there.
fn is_google(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let segments = &path.path.segments;
    segments.len() == 1 || segments.iter().any(|segment| segment.ident == "prost_types")
}

fn column_type(
    message: &str,
    field: &str,
    rust_type: &Type,
    prost: &ProstField,
    given: Option<String>,
) -> ColumnType {
    let of_path = |path| names::message_of_path(path, message);
    let of_type = || match element(rust_type) {
        Type::Path(path) => of_path(&path.path),
        Type::Tuple(_) => "google.protobuf.Empty".to_owned(),
        _ => String::new(),
    };
    let (variant, name) = match &prost.kind {
        Kind::Scalar(variant) => (*variant, None),
        Kind::Enumeration(path) => ("Enum", Some(given.unwrap_or_else(|| of_path(path)))),
        Kind::Group => ("Group", Some(given.unwrap_or_else(of_type))),
        Kind::Map(_) => {
            let entry = || format!("{message}.{}", names::map_entry(field));
            ("Message", Some(given.unwrap_or_else(entry)))
        }
        Kind::Message | Kind::Oneof(_) => ("Message", Some(given.unwrap_or_else(of_type))),
    };
    ColumnType { variant, name }
}

impl Column {
    /// The column as an expression; `oneof` is the name of the oneof that it is a member of.
    pub(super) fn tokens(&self, oneof: Option<&str>) -> TokenStream {
        let Column { number, field, name, wrapper, masked, .. } = self;
        let ident = |name: &str| Ident::new(name, proc_macro2::Span::call_site());
        let variant = ident(self.ty.variant);
        let type_name = self.ty.name.iter();
        // Members of a oneof have presence, whatever their type.
        let cardinality = ident(if oneof.is_some() { "Optional" } else { self.cardinality });
        let storage = ident(self.storage);
        let managed = option(self.managed.as_ref().map(|kind| quote!(schema::Managed::#kind)));
        let oneof = option(oneof.map(|name| quote!(::std::string::String::from(#name))));
        let unrestricted = ident("Unrestricted");
        let access = self.access.as_ref().unwrap_or(&unrestricted);
        quote! {
            schema::Column {
                number: #number,
                field: ::std::string::String::from(#field),
                name: ::std::string::String::from(#name),
                ty: schema::FieldType::#variant #((::std::string::String::from(#type_name)))*,
                cardinality: schema::Cardinality::#cardinality,
                wrapper: #wrapper,
                oneof: #oneof,
                storage: schema::Storage::#storage,
                managed: #managed,
                access: schema::Access::#access,
                masked: #masked,
            }
        }
    }

    /// Notes an error where the type has no order that every backend agrees on.
    pub(super) fn require_ordered(&self, at: impl ToTokens, what: &str, report: &mut Report) {
        let list = matches!(self.cardinality, "Repeated" | "Map");
        if list || matches!(self.ty.variant, "Float" | "Double" | "Message" | "Group") {
            report.error(
                at,
                format!("`{}` cannot be part of {what}: its type has no order", self.field),
                "a bool, integer, enum, string, bytes, timestamp or duration can",
            );
        }
    }

    /// Whether every record has a value.
    pub(super) fn always_present(&self) -> bool {
        matches!(self.cardinality, "Implicit" | "Required")
    }

    fn check_managed(&self, attributes: &Field, report: &mut Report) {
        let (Some(managed), Some(at)) = (&self.managed, &attributes.managed) else { return };
        let wanted = match managed.to_string().as_str() {
            "Etag" | "Id" => "String",
            _ => "Timestamp",
        };
        let list = matches!(self.cardinality, "Repeated" | "Map");
        if self.ty.variant != wanted || self.wrapper || list {
            let help = match wanted {
                "String" => "the field is a string",
                _ => "the field is a google.protobuf.Timestamp",
            };
            report.error(at, format!("`{}` has the wrong type for this", self.field), help);
        }
    }

    fn storage(&self, attributes: &Field, report: &mut Report) -> &'static str {
        let list = matches!(self.cardinality, "Repeated" | "Map");
        let composite = list || matches!(self.ty.variant, "Message" | "Group");
        let Some(at) = &attributes.storage else {
            return if composite { "Binary" } else { "Native" };
        };
        if at.value() != "json" {
            report.error(at, format!("unknown storage `{}`", at.value()), "write \"json\"");
        } else if !composite {
            report.error(
                at,
                format!("`{}` has a column type of its own", self.field),
                "storage is for messages, lists and maps",
            );
        }
        "Json"
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
