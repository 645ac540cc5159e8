//! Services: what each RPC is, a trait for those that the user writes, and a client.

use std::collections::BTreeSet;
use std::time::Duration;

use prism_schema::{Binding, Method, RequestField, Response, Role};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::attributes::variant;
use super::ident::{camel, ident, lettered, snake};
use super::messages::{docs, path};
use super::names::{Names, TypePath, free_name, package_modules};
use crate::model::Service;

/// The module of a service.
pub(super) fn emit(service: &Service, names: &Names) -> TokenStream {
    let context = Context::new(service, names);
    let docs = docs(&service.comment);
    let module = ident(&names.services[&service.schema.name]);
    let descriptor = context.descriptor();
    let handlers = context.handlers();
    let client = context.client();
    let imports = context.imports();
    quote! {
        #(#docs)*
        pub mod #module {
            use ::prism_runtime::codegen;
            #imports
            #descriptor
            #handlers
            #client
        }
    }
}

/// Path of the function that describes a service, from the crate's root.
pub(super) fn service_path(service: &Service, names: &Names) -> TokenStream {
    let mut modules = package_modules(&service.package);
    modules.push(names.services[&service.schema.name].clone());
    let modules = modules.iter().map(|module| ident(module));
    quote!(#(#modules)::*::service)
}

struct Context<'a> {
    service: &'a Service,
    names: &'a Names,
    /// Modules of the service's package.
    package: Vec<String>,
    /// The service's name as that of a type.
    type_name: String,
    /// Rust names of the methods.
    functions: Vec<proc_macro2::Ident>,
}

impl<'a> Context<'a> {
    fn new(service: &'a Service, names: &'a Names) -> Self {
        // What a client has anyway; methods whose names differ in case alone get a number.
        let mut taken: BTreeSet<String> = ["new", "clone"].map(str::to_owned).into();
        let function = |method: &Method| {
            let name = lettered(&method.name, "Method");
            ident(&snake(&free_name(&name, |name| vec![snake(name)], &mut taken)))
        };
        let functions = service.schema.methods.iter().map(function).collect();
        // What the service's own module names without a path.
        let mut taken: BTreeSet<String> = ["Future", "Send", "Sync", "T"].map(str::to_owned).into();
        let type_name = lettered(&service.name, "Service");
        let type_name = camel(&free_name(&type_name, |name| vec![camel(name)], &mut taken));
        Context { service, names, package: package_modules(&service.package), type_name, functions }
    }

    /// A type that is named after the service. `Self_` ends like that because it stands alone.
    fn beside(&self, word: &str) -> String {
        format!("{}{word}", self.type_name.trim_end_matches('_'))
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
                static SERVICE: codegen::Descriptor = codegen::Descriptor::new(describe);
                &SERVICE
            }

            #[allow(unused_imports)]
            fn describe() -> codegen::schema::Service {
                use codegen::schema::{Operation, Response, Role, Rule::*, Service};
                Service::new(#name) #(#methods)* #timeout
            }
        }
    }

    /// The timeout that most unary methods have, where all have one.
    fn common_timeout(&self) -> Option<Duration> {
        let unary = self.service.schema.methods.iter().filter(|method| !method.is_streaming());
        let timeouts: Option<Vec<Duration>> = unary.map(|method| method.timeout).collect();
        let timeouts = timeouts?;
        let count = |wanted: &Duration| timeouts.iter().filter(|one| *one == wanted).count();
        timeouts.iter().rev().max_by_key(|timeout| count(timeout)).copied()
    }

    fn method(&self, method: &Method, common_timeout: Option<Duration>) -> TokenStream {
        let (input, output) = (self.relative(&method.input), self.relative(&method.output));
        let signature = signature(method, &input, &output);
        let binding = method.binding.as_ref().map(|binding| self.binding(binding));
        let rules = rules(method, common_timeout);
        quote!(.rpc(#signature) #binding #rules)
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
        let fields = request_fields(&binding.request);
        quote!(.binds(Operation::#operation, #entity, #response) #fields)
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
        let name = ident(&self.type_name);
        let server = ident(&self.beside("Server"));
        let full_name = &self.service.schema.name;
        let functions = self.custom().map(|(index, method)| self.handler(index, method));
        let (streaming, single): (Vec<_>, Vec<_>) =
            self.custom().partition(|(_, method)| method.client_streaming);
        let call = self.dispatch("call", "request", quote!(bytes::Bytes), &single);
        let call_streaming = (!streaming.is_empty()).then(|| {
            self.dispatch("call_streaming", "requests", quote!(RequestStream), &streaming)
        });
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
                #call
                #call_streaming
            }
        }
    }

    /// The function that hands a call to the method that it is for. `sent` is what callers send,
    /// of the type `ty`.
    fn dispatch(
        &self,
        function: &str,
        sent: &str,
        ty: TokenStream,
        methods: &[(usize, &Method)],
    ) -> TokenStream {
        let (function, sent) = (ident(function), ident(sent));
        let body = if methods.is_empty() {
            quote! {
                let _ = (context, #sent);
                codegen::unimplemented(service(), method)
            }
        } else {
            let arms = methods.iter().map(|(index, method)| self.arm(*index, method));
            quote! {
                let call = codegen::Call::new(&self.0, context, #sent);
                match method {
                    #(#arms)*
                    _ => codegen::unimplemented(service(), method),
                }
            }
        };
        quote! {
            fn #function(
                &self,
                method: usize,
                context: codegen::Context,
                #sent: codegen::#ty,
            ) -> codegen::Reply {
                #body
            }
        }
    }

    fn handler(&self, index: usize, method: &Method) -> TokenStream {
        let docs = docs(&self.service.method_comments[index]);
        let function = &self.functions[index];
        let (request, response) = (self.rust_type(&method.input), self.rust_type(&method.output));
        let result = ident(if method.server_streaming { "StreamResult" } else { "Result" });
        let sent = match method.client_streaming {
            true => quote!(requests: codegen::Requests<#request>),
            false => quote!(request: #request),
        };
        quote! {
            #(#docs)*
            fn #function(&self, context: codegen::Context, #sent)
                -> impl Future<Output = codegen::#result<#response>> + Send;
        }
    }

    fn arm(&self, index: usize, method: &Method) -> TokenStream {
        let function = &self.functions[index];
        let position = Literal::usize_unsuffixed(index);
        let shape = shape(method);
        quote!(#position => call.#shape(T::#function),)
    }

    fn client(&self) -> TokenStream {
        let full_name = &self.service.schema.name;
        let client = ident(&self.beside("Client"));
        let doc = format!(" Calls `{full_name}`.");
        let methods = self.methods().map(|(index, method)| self.call(index, method));
        quote! {
            #[doc = #doc]
            #[derive(Clone, Debug)]
            pub struct #client(codegen::ServiceClient);

            impl #client {
                #[doc = " A client on a connection."]
                pub fn new(connection: codegen::Client) -> Self {
                    Self(connection.service(#full_name))
                }
                #(#methods)*
            }
        }
    }

    fn call(&self, index: usize, method: &Method) -> TokenStream {
        let docs = docs(&self.service.method_comments[index]);
        let deprecated = self.service.deprecated[index].then(|| quote!(#[deprecated]));
        let function = &self.functions[index];
        let name = &method.name;
        let (request, response) = (self.rust_type(&method.input), self.rust_type(&method.output));
        let shape = shape(method);
        let answer = ident(if method.server_streaming { "StreamAnswer" } else { "Answer" });
        let (sent, ty) = match method.client_streaming {
            true => ("requests", quote!(IntoRequests<#request>)),
            false => ("request", quote!(IntoRequest<#request>)),
        };
        let sent = ident(sent);
        quote! {
            #(#docs)*
            #deprecated
            pub async fn #function(&self, #sent: impl codegen::#ty)
                -> codegen::#answer<#response>
            {
                self.0.#shape(#name, #sent).await
            }
        }
    }

    /// The Rust type of a message, from within the service's module.
    fn rust_type(&self, name: &str) -> TokenStream {
        match self.names.types.get(name) {
            Some(TypePath { package, path: within }) => {
                let own = *package == self.package;
                let from = ident(if own { "super" } else { "root" });
                let modules = if own { &[] } else { package.as_slice() };
                let parts = modules.iter().chain(within).map(|part| ident(part));
                quote!(#from #(::#parts)*)
            }
            None if well_known(name).is_some() => {
                well_known(name).map(|known| path(&known)).unwrap_or_default()
            }
            // Prism's own messages are in the runtime.
            None => {
                let parts: Vec<&str> = name.split('.').skip(1).collect();
                let (own, modules) = parts.split_last().unwrap_or((&"", &[]));
                let modules = modules.iter().map(|part| ident(&snake(part)));
                let own = ident(&camel(own));
                quote!(proto::#(#modules::)* #own)
            }
        }
    }

    /// Short names for the modules that types of other packages are in.
    fn imports(&self) -> TokenStream {
        let types = self.methods().flat_map(|(_, method)| [&method.input, &method.output]);
        let (mut elsewhere, mut prisms) = (false, false);
        for name in types {
            match self.names.types.get(name) {
                Some(path) => elsewhere |= path.package != self.package,
                None => prisms |= well_known(name).is_none(),
            }
        }
        let up = vec![quote!(super); self.package.len()];
        let root = elsewhere.then(|| quote!(use #(#up::)* super as root;));
        let proto = prisms.then(|| {
            quote!(
                use codegen::proto;
            )
        });
        quote!(#root #proto)
    }
}

/// prost's types for the built-in files of `google.protobuf`.
fn well_known(name: &str) -> Option<String> {
    let own = name.strip_prefix("google.protobuf.")?;
    if let Some(scalar) = wrapped(own) {
        return Some(scalar.to_owned());
    }
    let parts: Vec<&str> = own.split('.').collect();
    let (last, parents) = parts.split_last().unwrap_or((&"", &[]));
    let parents: String = parents.iter().map(|part| format!("{}::", snake(part))).collect();
    Some(format!("codegen::prost_types::{parents}{}", camel(last)))
}

/// The type of Rust that prost has for a message of `google.protobuf`.
pub(super) fn wrapped(name: &str) -> Option<&'static str> {
    Some(match name {
        "Empty" => "()",
        "BoolValue" => "bool",
        "BytesValue" => "::std::vec::Vec<u8>",
        "DoubleValue" => "f64",
        "FloatValue" => "f32",
        "Int32Value" => "i32",
        "Int64Value" => "i64",
        "StringValue" => "::std::string::String",
        "UInt32Value" => "u32",
        "UInt64Value" => "u64",
        _ => return None,
    })
}

/// The roles of a request's fields.
fn request_fields(fields: &[RequestField]) -> TokenStream {
    let mut tokens = TokenStream::new();
    let mut rest = fields;
    while let [first, others @ ..] = rest {
        rest = others;
        if let [second, others @ ..] = others
            && (first.role, second.role) == (Role::PageSize, Role::PageToken)
            && !first.presence
            && !second.presence
        {
            rest = others;
            let size = Literal::u32_unsuffixed(first.number);
            let token = Literal::u32_unsuffixed(second.number);
            let (size_name, token_name) = (&first.name, &second.name);
            tokens.extend(quote!(.pages(#size, #size_name, #token, #token_name)));
        } else {
            tokens.extend(request_field(first));
        }
    }
    tokens
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

/// A method's name and types, as `Service::rpc` reads them.
fn signature(method: &Method, input: &str, output: &str) -> String {
    let name = &method.name;
    let mut signature = name.clone();
    if method.client_streaming {
        signature.push_str(&format!("(stream {input})"));
    } else if input != format!("{name}Request") {
        signature.push_str(&format!("({input})"));
    }
    if method.server_streaming {
        signature.push_str(&format!(" -> stream {output}"));
    } else if output != format!("{name}Response") {
        signature.push_str(&format!(" -> {output}"));
    }
    signature
}

/// What of a method is not the default.
fn rules(method: &Method, common_timeout: Option<Duration>) -> Option<TokenStream> {
    let mut rules: Vec<TokenStream> = Vec::new();
    let inherited = common_timeout.filter(|_| !method.is_streaming());
    if method.timeout != inherited
        && let Some(timeout) = method.timeout
    {
        let milliseconds = milliseconds(timeout);
        rules.push(quote!(TimeoutMs(#milliseconds)));
    }
    if method.idempotent {
        rules.push(quote!(Idempotent));
    }
    if !method.require_auth {
        rules.push(quote!(Public));
    }
    let default = method.binding.as_ref().map_or(&[][..], |it| it.operation.permissions());
    if method.permissions != default {
        rules.extend(method.permissions.iter().map(|it| variant(it).into_token_stream()));
    }
    (!rules.is_empty()).then(|| quote!(.rules(&[#(#rules),*])))
}

/// What both the client and the server call a method by.
fn shape(method: &Method) -> proc_macro2::Ident {
    ident(match (method.client_streaming, method.server_streaming) {
        (false, false) => "unary",
        (false, true) => "server_streaming",
        (true, false) => "client_streaming",
        (true, true) => "bidirectional",
    })
}

fn milliseconds(timeout: Duration) -> impl ToTokens {
    Literal::u64_unsuffixed(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
}
