//! `#[derive(Redact)]`: a `Debug` that masks.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Fields, FieldsNamed, Path};

use crate::attributes::Field;
use crate::prost_field::{Kind, Label, ProstField};
use crate::report::Report;

/// The implementation, or the errors and a stub.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut report = Report::default();
    let body = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => message(input, fields, &mut report),
            _ => unsupported(input, &mut report),
        },
        Data::Enum(data) => oneof(data, &mut report),
        Data::Union(_) => unsupported(input, &mut report),
    };
    let body = if report.is_empty() { body } else { quote!(::core::unreachable!()) };
    let errors = report.into_tokens();
    let name = &input.ident;
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    quote! {
        #errors
        #[automatically_derived]
        impl #generics ::core::fmt::Debug for #name #arguments #bounds {
            #[allow(deprecated)]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                #body
            }
        }
    }
}

fn unsupported(input: &DeriveInput, report: &mut Report) -> TokenStream {
    report.error(
        &input.ident,
        "Redact is derived on messages and oneofs",
        "a prost message is a struct with named fields",
    );
    TokenStream::new()
}

fn message(input: &DeriveInput, fields: &FieldsNamed, report: &mut Report) -> TokenStream {
    let mut shown = Vec::new();
    for field in &fields.named {
        let Some(ident) = &field.ident else { continue };
        let attributes = Field::parse(&field.attrs, report);
        let Some(prost) = report.ok(ProstField::parse(&field.attrs, ident)) else { continue };
        let label = crate::names::field_name(ident);
        let value = if attributes.masked {
            quote!(&::core::format_args!("[redacted]"))
        } else {
            visible(&prost, quote!(self.#ident))
        };
        shown.push(quote!(.field(#label, #value)));
    }
    let name = input.ident.to_string();
    quote! { f.debug_struct(#name) #(#shown)* .finish() }
}

fn oneof(data: &DataEnum, report: &mut Report) -> TokenStream {
    let mut arms = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let attributes = Field::parse(&variant.attrs, report);
        let Some(prost) = report.ok(ProstField::parse(&variant.attrs, ident)) else { continue };
        let label = ident.to_string();
        let (pattern, value) = if attributes.masked {
            (quote!(_), quote!(&::core::format_args!("[redacted]")))
        } else {
            (quote!(value), visible(&prost, quote!((*value))))
        };
        arms.push(quote! {
            Self::#ident(#pattern) => f.debug_tuple(#label).field(#value).finish()
        });
    }
    quote! { match self { #(#arms),* } }
}

/// A value as an argument of `field`: enumerations by name, everything else by its own `Debug`.
fn visible(prost: &ProstField, value: TokenStream) -> TokenStream {
    match &prost.kind {
        Kind::Enumeration(path) => {
            let name = by_name(path);
            match prost.label {
                Label::Implicit | Label::Required => quote!(&(#name)(&#value)),
                Label::Optional => quote!(&#value.as_ref().map(#name)),
                Label::Repeated => {
                    quote!(&#value.iter().map(#name).collect::<::std::vec::Vec<_>>())
                }
            }
        }
        Kind::Map(Some(path)) => {
            let name = by_name(path);
            quote! {
                &#value.iter()
                    .map(|(key, value)| (key, (#name)(value)))
                    .collect::<::std::collections::BTreeMap<_, _>>()
            }
        }
        _ => quote!(&#value),
    }
}

/// A function from a number to what shows it: the enum's value, or the number where the enum has
/// no such value.
fn by_name(path: &Path) -> TokenStream {
    quote! {
        |number: &i32| -> ::std::boxed::Box<dyn ::core::fmt::Debug> {
            match <#path as ::core::convert::TryFrom<i32>>::try_from(*number) {
                ::core::result::Result::Ok(value) => ::std::boxed::Box::new(value),
                ::core::result::Result::Err(_) => ::std::boxed::Box::new(*number),
            }
        }
    }
}
