//! Stage 2: descriptors and options in, the model out.

mod behavior;
mod complete;
mod condition;
mod context;
mod entity;
mod field;
mod foreign;
mod hints;
mod index;
mod key;
mod keys;
mod managed;
mod messages;
mod names;
mod needs;
mod oneofs;
mod operation;
mod proposal;
mod protection;
mod request;
mod response;
mod service;
mod spelling;
pub mod support;
mod types;
mod unbindable;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};

use prism_options::{Diagnostics, Span};
use prism_schema::Role;
use prost_reflect::{
    DescriptorPool, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use crate::descriptors::{Loaded, builtin_file_of, is_builtin};
use crate::diagnostics::catalog::entity::duplicate_namespace;
use crate::diagnostics::catalog::{field as catalog, load};
use crate::model::{FieldPath, Mask, Schema, Service};
use context::Context;
use entity::Lowered;

/// Lowers the files to generate for, and reports everything that is wrong in them. After an
/// error the schema is incomplete.
pub fn lower(loaded: &Loaded) -> (Schema, Diagnostics) {
    let context = Context::new(loaded);
    let files: Vec<FileDescriptor> =
        loaded.files.iter().filter_map(|name| loaded.pool.get_file_by_name(name)).collect();
    let messages: Vec<MessageDescriptor> = files.iter().flat_map(all_messages).collect();
    for file in &files {
        let own: Vec<_> = messages.iter().filter(|it| it.parent_file() == *file).cloned().collect();
        protection::check_extensions(&context, file, &own);
    }
    check_builtin(&context);
    let entities = entities(&context, &messages);
    check_imported(&context, &entities);
    let services = services(&context, &files, &entities);
    let uses = uses(&context, &entities, &services);
    entities.iter().for_each(|entity| hints::copies(&context, &entity.message));
    hints::zero_keys(&context, &entities, &services);
    let services: Vec<Service> = services.into_iter().map(|lowered| lowered.model).collect();
    let judged = judged(&context, &messages, &uses);
    judged.iter().for_each(|message| protection::check(&context, message, &uses));
    judged.iter().for_each(|message| behavior::check(&context, message, &uses));
    let carrying = judged.iter().filter(|message| uses.contains(message.full_name()));
    carrying.for_each(|message| foreign::message(&context, message));
    let mut masked = protection::masked(&context);
    mask_requests(&services, &entities, &loaded.pool, &mut masked);
    let mut entities: Vec<_> = entities.into_iter().map(|lowered| lowered.model).collect();
    entities.sort_by(|a, b| a.schema.message.cmp(&b.schema.message));
    let schema = Schema {
        files: loaded.files.clone(),
        entities,
        services,
        masked,
        descriptor_set: loaded.descriptor_set.clone(),
    };
    (schema, context.finish())
}

/// The messages whose annotations are judged: those of the files to generate for, and those of
/// imported files that they use.
fn judged(
    context: &Context,
    own: &[MessageDescriptor],
    uses: &protection::Uses,
) -> Vec<MessageDescriptor> {
    let files = &context.loaded.files;
    let imported = context.loaded.pool.all_messages().filter(|message| {
        let file = message.parent_file();
        uses.contains(message.full_name())
            && !message.is_map_entry()
            && !is_builtin(file.name())
            && !files.iter().any(|name| name == file.name())
    });
    own.iter().cloned().chain(imported).collect()
}

/// A type that is built in is declared by its own file alone, whose Rust type and meaning it has.
fn check_builtin(context: &Context) {
    let files = context.loaded.pool.files().filter(|file| !is_builtin(file.name()));
    for file in files {
        for message in file.messages() {
            if let Some(own) = builtin_file_of(message.full_name()) {
                let span = context.reader.name_span(&message);
                context.report(load::declares_builtin(&span, message.full_name(), &own));
            }
        }
        for declared in file.enums() {
            if let Some(own) = builtin_file_of(declared.full_name()) {
                let span = Span::file(file.name());
                context.report(load::declares_builtin(&span, declared.full_name(), &own));
            }
        }
    }
}

/// A namespace is one entity's in all that was read, also where another file is generated apart.
fn check_imported(context: &Context, entities: &[Lowered]) {
    let own = |message: &MessageDescriptor| entities.iter().any(|it| it.message == *message);
    for message in context.loaded.pool.all_messages().filter(|message| !own(message)) {
        let Ok(Some(other)) = context.reader.entity(&message) else { continue };
        for entity in entities {
            let namespace = &entity.model.schema.namespace;
            if !namespace.is_empty() && *namespace == other.value.namespace {
                let found = duplicate_namespace(&entity.model.namespace_span, namespace);
                context.report(found.with(other.span("namespace"), "the other is here"));
            }
        }
    }
}

fn entities(context: &Context, messages: &[MessageDescriptor]) -> Vec<Lowered> {
    let lower = |message: &MessageDescriptor| {
        let options = context.entity(message)?;
        Some(entity::lower(context, message, &options))
    };
    messages.iter().filter_map(lower).collect()
}

fn services(
    context: &Context,
    files: &[FileDescriptor],
    entities: &[Lowered],
) -> Vec<service::Lowered> {
    let mut services = Vec::new();
    for service in files.iter().flat_map(|file| file.services().collect::<Vec<_>>()) {
        match context.service(&service) {
            Some(options) => {
                foreign::service(context, &service);
                let scope =
                    service::Scope { context, entities, service: &service, options: &options };
                services.push(service::lower(&scope));
            }
            None if stray_methods(context, &service, entities) => {}
            None => hints::unserved(context, &service, entities),
        }
    }
    services
}

/// Whether methods of a service that is not served have annotations, which is reported.
fn stray_methods(context: &Context, service: &ServiceDescriptor, entities: &[Lowered]) -> bool {
    let mut stray = false;
    for method in service.methods() {
        if let Some(options) = context.method(&method) {
            let help = hints::serve_help(service, entities);
            let (span, name) = (&options.span, service.name());
            let found = catalog::service_option_stray(span, "(prism.method)", name, &help);
            context.report(found);
            stray = true;
        }
    }
    stray
}

/// Messages of a file, nested ones behind their parents, without map entries.
fn all_messages(file: &FileDescriptor) -> Vec<MessageDescriptor> {
    let mut found = Vec::new();
    let mut open: Vec<MessageDescriptor> = file.messages().collect();
    open.reverse();
    while let Some(message) = open.pop() {
        let mut nested: Vec<_> = message.child_messages().filter(|it| !it.is_map_entry()).collect();
        nested.reverse();
        open.extend(nested);
        found.push(message);
    }
    found
}

fn uses(
    context: &Context,
    entities: &[Lowered],
    services: &[service::Lowered],
) -> protection::Uses {
    let (mut requests, mut responses) = (BTreeSet::new(), BTreeSet::new());
    for method in services.iter().flat_map(|service| &service.bound) {
        requests.insert(method.input().full_name().to_owned());
        responses.insert(method.output().full_name().to_owned());
        for field in method.input().fields() {
            let keys = context.field(&field).value.role() == prism_options::spec::Role::Keys;
            if let (true, Kind::Message(message)) = (keys, field.kind()) {
                requests.insert(message.full_name().to_owned());
            }
        }
    }
    let (bound, custom): (Vec<_>, Vec<_>) =
        services.iter().map(|service| (&service.bound, &service.custom)).unzip();
    let ends = |methods: Vec<&Vec<MethodDescriptor>>| {
        let methods = methods.into_iter().flatten();
        methods.map(|method| (method.input(), method.output())).unzip::<_, _, Vec<_>, Vec<_>>()
    };
    let (inputs, outputs) = ends(bound);
    let (custom, answers) = ends(custom);
    let below = behavior::below(entities.iter().map(|it| it.message.clone()).chain(custom.clone()));
    let nested = behavior::below(inputs.into_iter().chain(outputs));
    let names = |messages: Vec<MessageDescriptor>| {
        messages.iter().map(|message| message.full_name().to_owned()).collect::<BTreeSet<_>>()
    };
    let entities = entities.iter().map(|it| it.message.full_name().to_owned()).collect();
    let (custom, answers) = (names(custom), names(answers));
    let elsewhere = elsewhere(context);
    protection::Uses { entities, requests, responses, custom, answers, below, nested, elsewhere }
}

/// Requests and responses of services in files that nothing is generated for, and the messages in
/// their fields: roles in them are judged where these files are generated.
fn elsewhere(context: &Context) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let services = context.loaded.pool.services().filter(|service| {
        let file = service.parent_file();
        !context.loaded.files.iter().any(|name| name == file.name())
            && matches!(context.reader.service(service), Ok(Some(_)))
    });
    for method in services.flat_map(|service| service.methods().collect::<Vec<_>>()) {
        for message in [method.input(), method.output()] {
            let kinds: Vec<Kind> = message.fields().map(|field| field.kind()).collect();
            let fields = kinds.iter().filter_map(Kind::as_message);
            found.extend(fields.map(|inner| inner.full_name().to_owned()));
            found.insert(message.full_name().to_owned());
        }
    }
    found
}

/// Messages that are repeated as keys.
fn key_messages(method: &prism_schema::Method, pool: &DescriptorPool) -> Vec<String> {
    let Some(binding) = &method.binding else { return Vec::new() };
    let Some(input) = pool.get_message_by_name(&method.input) else { return Vec::new() };
    let keys = binding.request.iter().filter(|field| field.role == Role::Keys);
    let kinds = keys.filter_map(|field| Some(input.get_field(field.number)?.kind()));
    kinds.filter_map(|kind| Some(kind.as_message()?.full_name().to_owned())).collect()
}

/// A request field inherits the mask of the entity's field that it stands for.
fn mask_requests(
    services: &[Service],
    entities: &[Lowered],
    pool: &DescriptorPool,
    masked: &mut BTreeMap<FieldPath, Mask>,
) {
    for method in services.iter().flat_map(|service| &service.schema.methods) {
        let Some(binding) = &method.binding else { continue };
        let entity = entities.iter().find(|it| it.message.full_name() == binding.entity);
        let Some(entity) = entity else { continue };
        let mask = |number: u32| masked.get(&path(entity.message.full_name(), number)).cloned();
        let mut inherited: Vec<(FieldPath, Mask)> = Vec::new();
        let keys = key_messages(method, pool);
        for field in &binding.request {
            if let Some(mask) = mask(field.field) {
                inherited.push((path(&method.input, field.number), mask));
            }
            for (part, key) in &field.parts {
                if let Some(mask) = mask(*key) {
                    inherited.extend(keys.iter().map(|name| (path(name, *part), mask.clone())));
                }
            }
        }
        for (path, mask) in inherited {
            masked.entry(path).or_insert(mask);
        }
    }
}

fn path(message: &str, number: u32) -> FieldPath {
    FieldPath { message: message.to_owned(), number }
}
