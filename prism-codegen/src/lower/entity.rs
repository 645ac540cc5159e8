//! A message with `(prism.message)` as an entity.

use prism_options::spec::{AccessPattern, Backend as Wanted, Consistency, EntitySpec, Managed};
use prism_options::{OptionSet, Span};
use prism_schema::Backend;
use prost_reflect::MessageDescriptor;

use super::context::Context;
use super::field::{self, Part};
use super::{index, key, names, proposal};
use crate::diagnostics::catalog::entity as catalog;
use crate::model;

/// An entity as the services see it.
pub(super) struct Lowered {
    pub message: MessageDescriptor,
    pub model: model::Entity,
    /// In method names, where the schema gives one.
    pub plural: Option<String>,
    /// Errors have been reported: what is bound to it is not judged.
    pub broken: bool,
}

pub(super) fn lower(
    context: &Context,
    message: &MessageDescriptor,
    options: &OptionSet<EntitySpec>,
) -> Lowered {
    let before = context.errors();
    let parts = field::parts(context, message);
    check_size(context, message, &parts);
    let (key, partition) = key::lower(context, message, &parts);
    let columns = field::columns(context, message, &parts, &key);
    let namespace = namespace(context, message, options);
    let (table, table_span) = table(context, options, &namespace);
    let (indexes, index_spans) = index::lower(context, message, options, &parts, &key, &table);
    let schema = prism_schema::Entity {
        message: message.full_name().to_owned(),
        backend: backend(context, options),
        table,
        columns,
        key,
        partition,
        indexes,
        retention_days: retention_days(context, options),
        namespace,
    };
    check_estimates(context, options);
    let plural = plural(context, options);
    let model = model::Entity {
        schema,
        span: context.reader.name_span(message),
        backend_named: options.value.backend != 0,
        namespace_span: options.span("namespace").clone(),
        table_span,
        index_spans,
        fields: parts.iter().map(Part::model).collect(),
        file: message.parent_file().name().to_owned(),
        owner: options.value.owner.clone(),
        reserved: reserved(message),
    };
    let broken = context.errors() > before;
    Lowered { message: message.clone(), model, plural, broken }
}

fn namespace(
    context: &Context,
    message: &MessageDescriptor,
    options: &OptionSet<EntitySpec>,
) -> String {
    let namespace = &options.value.namespace;
    let span = options.span("namespace");
    if namespace.is_empty() && options.is_written("namespace") {
        let suggestion = proposal::default_namespace(message.name());
        context.report(catalog::bad_namespace(span, namespace, &suggestion));
    } else if namespace.is_empty() {
        let suggestion = proposal::default_namespace(message.name());
        let span = context.reader.name_span(message);
        context.report(catalog::no_namespace(&span, message.name(), &suggestion));
    } else if !names::is_namespace(namespace) {
        let suggestion = proposal::namespace(namespace);
        context.report(catalog::bad_namespace(span, namespace, &suggestion));
    } else if namespace.starts_with("prism-") {
        let suggestion = proposal::namespace(namespace);
        context.report(catalog::reserved_namespace(span, namespace, &suggestion));
    }
    namespace.clone()
}

fn table(context: &Context, options: &OptionSet<EntitySpec>, namespace: &str) -> (String, Span) {
    let own = &options.value.table;
    let (table, span) = match own.is_empty() {
        true => (namespace.replace('-', "_"), options.span("namespace").clone()),
        false => (own.clone(), options.span("table").clone()),
    };
    // What is wrong with the table then follows from the namespace.
    if own.is_empty() && !names::is_namespace(namespace) {
        return (table, span);
    }
    if !own.is_empty() && !names::is_identifier(own) {
        context.report(catalog::bad_table(&span, own));
    } else if names::is_reserved(&table) && !namespace.starts_with("prism-") {
        let suggestion = format!("app_{}", table.trim_start_matches('_'));
        context.report(catalog::reserved_table(&span, &table, &suggestion));
    }
    (table, span)
}

/// The backend that is asked for; unspecified is PostgreSQL for every access pattern, because it
/// is the only one of the three that several proxies can share.
fn backend(context: &Context, options: &OptionSet<EntitySpec>) -> Backend {
    let value = &options.value;
    let span = options.span("backend");
    let wanted: Wanted = context.choice(value.backend, span, "prism.message");
    let pattern = options.span("access_pattern");
    let _: AccessPattern = context.choice(value.access_pattern, pattern, "prism.message");
    // A store that runs in one place meets every consistency.
    let consistency = options.span("consistency");
    let _: Consistency = context.choice(value.consistency, consistency, "prism.message");
    match wanted {
        Wanted::Memory => Backend::Memory,
        Wanted::Sqlite => Backend::Sqlite,
        // Unspecified, Postgres, and others that have been refused.
        _ => Backend::Postgres,
    }
}

/// A table has one column a field.
fn check_size(context: &Context, message: &MessageDescriptor, parts: &[Part]) {
    if parts.len() > names::MAX_FIELDS {
        let span = context.reader.name_span(message);
        let (name, count) = (message.name(), parts.len());
        context.report(catalog::too_many_fields(&span, name, count, names::MAX_FIELDS));
    }
}

/// Days between the first and the last time that a google.protobuf.Timestamp holds.
const MAX_RETENTION_DAYS: u32 = 3_652_059;

fn retention_days(context: &Context, options: &OptionSet<EntitySpec>) -> u32 {
    let days = options.value.retention_days;
    let span = options.span("retention_days");
    match u32::try_from(days) {
        Ok(days) if days <= MAX_RETENTION_DAYS => return days,
        Ok(_) => context.report(catalog::too_long_retention(span, days.into(), MAX_RETENTION_DAYS)),
        Err(_) => context.report(catalog::negative(span, "retention_days", days.into())),
    }
    0
}

fn check_estimates(context: &Context, options: &OptionSet<EntitySpec>) {
    let value = &options.value;
    for (option, estimate) in [
        ("estimated_read_rps", value.estimated_read_rps),
        ("estimated_write_rps", value.estimated_write_rps),
        ("estimated_data_size_gb", value.estimated_data_size_gb),
    ] {
        if estimate < 0 {
            context.report(catalog::negative(options.span(option), option, estimate));
        }
    }
}

fn plural(context: &Context, options: &OptionSet<EntitySpec>) -> Option<String> {
    let plural = &options.value.plural;
    if plural.is_empty() {
        return None;
    }
    let capital = plural.starts_with(|c: char| c.is_ascii_uppercase());
    if !capital || !plural.chars().all(|c| c.is_ascii_alphanumeric()) {
        context.report(catalog::bad_plural(options.span("plural"), plural));
    }
    Some(plural.clone())
}

fn reserved(message: &MessageDescriptor) -> model::Reserved {
    model::Reserved {
        names: message.reserved_names().map(str::to_owned).collect(),
        numbers: message.reserved_ranges().map(|range| (range.start, range.end - 1)).collect(),
    }
}

/// `prism.Managed` as the runtime knows it. `MANAGED_TENANT` is refused before.
pub(super) fn managed(managed: Managed) -> Option<prism_schema::Managed> {
    use prism_schema::Managed as Known;
    Some(match managed {
        Managed::Unspecified | Managed::Tenant => return None,
        Managed::CreateTime => Known::CreateTime,
        Managed::UpdateTime => Known::UpdateTime,
        Managed::DeleteTime => Known::DeleteTime,
        Managed::ExpireTime => Known::ExpireTime,
        Managed::Etag => Known::Etag,
        Managed::Id => Known::Id,
    })
}
