//! Services: what each RPC is, a trait for those that the user writes, and a client.

use std::time::Duration;

use prism_schema::{Binding, Method, RequestField, Response};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::attributes::variant;
use super::ident::{camel, ident, snake};
use super::messages::{docs, path};
use super::names::{Names, TypePath, package_modules};
use crate::model::Service;

/// The module of a service.
pub(super) fn emit(service: &Service, names: &Names) -> TokenStream {
    let context = Context::new(service, names);
    let docs = docs(&service.comment);
    let module = ident(&snake(&service.name));
    let descriptor = context.descriptor();
    let handlers = context.handlers();
    let client = context.client();
    quote! {
        #(#docs)*
        pub mod #module {
            use ::prism_runtime::codegen;
            #descriptor
            #handlers
            #client
        }
    }
}

/// Path of the function that describes a service, from the crate's root.
pub(super) fn service_path(service: &Service) -> TokenStream {
    let mut modules = package_modules(&service.package);
    modules.push(snake(&service.name));
    let modules = modules.iter().map(|module| ident(module));
    quote!(#(#modules)::*::service)
}

struct Context<'a> {
    service: &'a Service,
    names: &'a Names,
    /// Modules of the service's package.
    package: Vec<String>,
    /// Rust names of the methods.
    functions: Vec<proc_macro2::Ident>,
}

impl<'a> Context<'a> {
    fn new(service: &'a Service, names: &'a Names) -> Self {
        // The client's constructor is `new`; methods whose names differ in case alone get a number.
        let mut taken = vec!["new".to_owned()];
        let mut functions = Vec::new();
        for method in &service.schema.methods {
            let name = snake(&method.name);
            let count = (2..).map(|n| format!("{}{n}", snake(&method.name).replace("r#", "")));
            let free = std::iter::once(name).chain(count).find(|name| !taken.contains(name));
            let name = free.unwrap_or_default();
            functions.push(ident(&name));
            taken.push(name);
        }
        Context { service, names, package: package_modules(&service.package), functions }
    }

    fn methods(&self) -> impl Iterator<Item = (usize, &'a Method)> {
        self.service.schema.methods.iter().enumerate()
    }

    /// Methods that the user writes.
    fn custom(&self) -> impl Iterator<Item = (usize, &'a Method)> {
        self.methods().filter(|(_, method)| method.binding.is_none())
    }

    fn descriptor(&self) -> TokenStream {
        let name = &self.service.schema.name;
        let timeout = self.common_timeout();
        let methods = self.service.schema.methods.iter().map(|method| self.method(method, timeout));
        let timeout = timeout.map(|timeout| {
            let milliseconds = milliseconds(timeout);
            quote!(.default_timeout_ms(#milliseconds))
        });
        quote! {
            #[doc = " What each method of the service is."]
            pub fn service() -> &'static codegen::schema::Service {
                #[allow(unused_imports)]
                use codegen::schema::{Operation, Permission, Response, Role, Service};
                static SERVICE: ::std::sync::LazyLock<Service> = ::std::sync::LazyLock::new(|| {
                    Service::new(#name) #(#methods)* #timeout
                });
                &SERVICE
            }
        }
    }

    /// The timeout that most methods have, where all have one.
    fn common_timeout(&self) -> Option<Duration> {
        let methods = &self.service.schema.methods;
        let timeouts: Option<Vec<Duration>> = methods.iter().map(|method| method.timeout).collect();
        let timeouts = timeouts?;
        let count = |wanted: &Duration| timeouts.iter().filter(|one| *one == wanted).count();
        timeouts.iter().rev().max_by_key(|timeout| count(timeout)).copied()
    }

    fn method(&self, method: &Method, common_timeout: Option<Duration>) -> TokenStream {
        let Method { name, .. } = method;
        let (input, output) = (self.relative(&method.input), self.relative(&method.output));
        let mut tokens = quote!(.rpc(#name, #input, #output));
        let mut default_permissions: &[prism_schema::Permission] = &[];
        if let Some(binding) = &method.binding {
            tokens.extend(self.binding(binding));
            default_permissions = binding.operation.permissions();
        }
        if method.server_streaming {
            tokens.extend(quote!(.server_streaming()));
        }
        if method.timeout != common_timeout
            && let Some(timeout) = method.timeout
        {
            let milliseconds = milliseconds(timeout);
            tokens.extend(quote!(.timeout_ms(#milliseconds)));
        }
        if method.idempotent {
            tokens.extend(quote!(.idempotent()));
        }
        if !method.require_auth {
            tokens.extend(quote!(.public()));
        }
        if method.permissions != default_permissions {
            let permissions = method.permissions.iter().map(variant);
            tokens.extend(quote!(.permissions(&[#(Permission::#permissions),*])));
        }
        tokens
    }

    fn binding(&self, binding: &Binding) -> TokenStream {
        let operation = variant(binding.operation);
        let entity = self.relative(&binding.entity);
        let response = match binding.response {
            Response::Entity => quote!(Response::Entity),
            Response::Empty => quote!(Response::Empty),
            Response::Field(number) => {
                let number = Literal::u32_unsuffixed(number);
                quote!(Response::Field(#number))
            }
            Response::List { items, next_page_token } => {
                let items = Literal::u32_unsuffixed(items);
                let token = Literal::u32_unsuffixed(next_page_token);
                quote!(Response::list(#items, #token))
            }
        };
        let fields = binding.request.iter().map(request_field);
        quote!(.binds(Operation::#operation, #entity, #response) #(#fields)*)
    }

    /// A type's name without the service's package, or in full with a leading dot.
    fn relative(&self, name: &str) -> String {
        let package = &self.service.package;
        let own = name.strip_prefix(package.as_str()).and_then(|name| name.strip_prefix('.'));
        match own {
            _ if package.is_empty() => name.to_owned(),
            Some(own) => own.to_owned(),
            None => format!(".{name}"),
        }
    }

    fn handlers(&self) -> TokenStream {
        if self.custom().next().is_none() {
            return TokenStream::new();
        }
        let name = ident(&camel(&self.service.name));
        let server = ident(&format!("{}Server", camel(&self.service.name)));
        let full_name = &self.service.schema.name;
        let functions = self.custom().map(|(index, method)| self.handler(index, method));
        let arms = self.custom().map(|(index, method)| self.arm(index, method));
        let trait_doc = format!(" The methods of `{full_name}` that are written by hand.");
        let server_doc = format!(" Serves `{full_name}` with these handlers.");
        quote! {
            #[doc = #trait_doc]
            pub trait #name: Send + Sync + 'static {
                #(#functions)*
            }

            #[doc = #server_doc]
            pub struct #server<T>(::std::sync::Arc<T>);

            impl<T: #name> #server<T> {
                #[doc = #server_doc]
                pub fn new(handlers: T) -> Self {
                    Self(::std::sync::Arc::new(handlers))
                }
            }

            impl<T: #name> codegen::Handlers for #server<T> {
                fn descriptor(&self) -> &'static codegen::schema::Service {
                    service()
                }
                fn call(
                    &self,
                    method: usize,
                    context: codegen::Context,
                    request: codegen::bytes::Bytes,
                ) -> codegen::Reply {
                    let handlers = self.0.clone();
                    match method {
                        #(#arms)*
                        _ => codegen::unimplemented(service(), method),
                    }
                }
            }
        }
    }

    fn handler(&self, index: usize, method: &Method) -> TokenStream {
        let docs = docs(&self.service.method_comments[index]);
        let deprecated = self.service.deprecated[index].then(|| quote!(#[deprecated]));
        let function = &self.functions[index];
        let (request, response) = (self.rust_type(&method.input), self.rust_type(&method.output));
        let answer = match method.server_streaming {
            true => quote!(codegen::MessageStream<#response>),
            false => response,
        };
        quote! {
            #(#docs)*
            #deprecated
            fn #function(&self, context: codegen::Context, request: #request)
                -> impl Future<Output = codegen::Result<#answer>> + Send;
        }
    }

    fn arm(&self, index: usize, method: &Method) -> TokenStream {
        let function = &self.functions[index];
        let position = Literal::usize_unsuffixed(index);
        let deprecated = self.service.deprecated[index].then(|| quote!(#[allow(deprecated)]));
        let serve = match method.server_streaming {
            true => quote!(codegen::server_streaming),
            false => quote!(codegen::unary),
        };
        quote! {
            #deprecated
            #position => #serve(request, async move |request| {
                handlers.#function(context, request).await
            }),
        }
    }

    fn client(&self) -> TokenStream {
        let full_name = &self.service.schema.name;
        let client = ident(&format!("{}Client", camel(&self.service.name)));
        let doc = format!(" Calls `{full_name}`.");
        let methods = self.methods().map(|(index, method)| self.call(index, method));
        quote! {
            #[doc = #doc]
            #[derive(Clone, Debug)]
            pub struct #client(codegen::Client);

            impl #client {
                #[doc = " A client on a connection."]
                pub fn new(connection: codegen::Client) -> Self {
                    Self(connection)
                }
                #(#methods)*
            }
        }
    }

    fn call(&self, index: usize, method: &Method) -> TokenStream {
        let docs = docs(&self.service.method_comments[index]);
        let deprecated = self.service.deprecated[index].then(|| quote!(#[deprecated]));
        let function = &self.functions[index];
        let path = format!("/{}/{}", self.service.schema.name, method.name);
        let (request, response) = (self.rust_type(&method.input), self.rust_type(&method.output));
        let (call, answer) = match method.server_streaming {
            true => (quote!(server_streaming), quote!(codegen::tonic::Streaming<#response>)),
            false => (quote!(unary), response),
        };
        quote! {
            #(#docs)*
            #deprecated
            pub async fn #function(&self, request: impl codegen::IntoRequest<#request>)
                -> codegen::Answer<#answer>
            {
                self.0.#call(#path, request).await
            }
        }
    }

    /// The Rust type of a message, from within the service's module.
    fn rust_type(&self, name: &str) -> TokenStream {
        if let Some(known) = well_known(name) {
            return path(&known);
        }
        match self.names.types.get(name) {
            Some(TypePath { package, path: within }) => {
                let up = if *package == self.package { 1 } else { self.package.len() + 1 };
                let modules = if *package == self.package { &[] } else { package.as_slice() };
                let parts = modules.iter().chain(within).map(|part| ident(part));
                let supers = vec![quote!(super); up];
                quote!(#(#supers::)* #(#parts)::*)
            }
            // Prism's own messages are in the runtime.
            None => {
                let parts: Vec<&str> = name.split('.').skip(1).collect();
                let (own, modules) = parts.split_last().unwrap_or((&"", &[]));
                let modules = modules.iter().map(|part| ident(&snake(part)));
                let own = ident(&camel(own));
                quote!(::prism_runtime::proto::#(#modules::)* #own)
            }
        }
    }
}

/// prost's types for `google.protobuf`.
fn well_known(name: &str) -> Option<String> {
    let own = name.strip_prefix("google.protobuf.")?;
    let alloc = "::prism_runtime::codegen::prost::alloc";
    Some(match own {
        "Empty" => "()".to_owned(),
        "BoolValue" => "bool".to_owned(),
        "BytesValue" => format!("{alloc}::vec::Vec<u8>"),
        "DoubleValue" => "f64".to_owned(),
        "FloatValue" => "f32".to_owned(),
        "Int32Value" => "i32".to_owned(),
        "Int64Value" => "i64".to_owned(),
        "StringValue" => format!("{alloc}::string::String"),
        "UInt32Value" => "u32".to_owned(),
        "UInt64Value" => "u64".to_owned(),
        _ => {
            let parts: Vec<&str> = own.split('.').collect();
            let (last, parents) = parts.split_last().unwrap_or((&"", &[]));
            let parents: String = parents.iter().map(|part| format!("{}::", snake(part))).collect();
            format!("::prism_runtime::codegen::prost_types::{parents}{}", camel(last))
        }
    })
}

fn request_field(field: &RequestField) -> TokenStream {
    let number = Literal::u32_unsuffixed(field.number);
    let stands_for = Literal::u32_unsuffixed(field.field);
    let name = &field.name;
    let role = variant(field.role);
    let function = ident(if field.presence { "optional" } else { "field" });
    let parts = (!field.parts.is_empty()).then(|| {
        let parts = field.parts.iter().map(|(part, key)| {
            let (part, key) = (Literal::u32_unsuffixed(*part), Literal::u32_unsuffixed(*key));
            quote!((#part, #key))
        });
        quote!(.parts(&[#(#parts),*]))
    });
    quote!(.#function(#number, #name, Role::#role, #stands_for) #parts)
}

fn milliseconds(timeout: Duration) -> impl ToTokens {
    Literal::u64_unsuffixed(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
}
