//! What holds for the fields of every message, entities or not: masking, and annotations where
//! they cannot have an effect.

use std::collections::{BTreeMap, BTreeSet};

use prism_options::OptionSet;
use prism_options::spec::{FieldSpec, Pii, Role};
use prost_reflect::{FieldDescriptor, FileDescriptor, MessageDescriptor};

use super::context::Context;
use crate::descriptors::is_builtin;
use crate::diagnostics::catalog::{field as catalog, role};
use crate::model::{FieldPath, Mask};

/// Why a field is masked, if it is.
pub(super) fn mask(
    context: &Context,
    field: &FieldDescriptor,
    options: &OptionSet<FieldSpec>,
) -> Option<Mask> {
    let pii: Pii = context.choice(options.value.pii, options.span("pii"), "prism.field");
    if pii != Pii::Unspecified {
        let class = pii.as_str_name().trim_start_matches("PII_").to_ascii_lowercase();
        return Some(Mask::Pii(class));
    }
    let masked = options.value.mask_in_logs || context.reader.debug_redact(field);
    masked.then_some(Mask::Masked)
}

/// Masked fields of every message of the pool: nested messages may come from any file.
pub(super) fn masked(context: &Context) -> BTreeMap<FieldPath, Mask> {
    let mut masked = BTreeMap::new();
    for message in context.loaded.pool.all_messages() {
        if is_builtin(message.parent_file().name()) {
            continue;
        }
        for field in
            message.fields().filter(|field| field.field_descriptor_proto().options.is_some())
        {
            if let Some(mask) = mask(context, &field, &context.field(&field)) {
                masked.insert(path(&field), mask);
            }
        }
    }
    masked
}

pub(super) fn path(field: &FieldDescriptor) -> FieldPath {
    let message = field.parent_message().full_name().to_owned();
    FieldPath { message, number: field.number() }
}

/// How the fields of a message may be annotated.
pub(super) struct Uses {
    /// Full names of entities.
    pub entities: BTreeSet<String>,
    /// Full names of requests of bound methods, and of the messages of keys in them.
    pub requests: BTreeSet<String>,
    /// Full names of responses of bound methods.
    pub responses: BTreeSet<String>,
    /// Full names of requests of methods that are written by hand.
    pub custom: BTreeSet<String>,
    /// Full names of responses of those methods.
    pub answers: BTreeSet<String>,
    /// Full names of messages within entities and within those requests.
    pub below: BTreeSet<String>,
    /// Full names of messages within requests and responses of bound methods.
    pub nested: BTreeSet<String>,
    /// Full names of messages of imported services.
    pub elsewhere: BTreeSet<String>,
}

impl Uses {
    /// Whether entities or services use the message.
    pub fn contains(&self, name: &str) -> bool {
        let methods = [&self.requests, &self.responses, &self.custom];
        let mut sets = methods.into_iter().chain([&self.entities, &self.below, &self.nested]);
        sets.any(|set| set.contains(name))
    }

    /// Whether Prism reads or writes the message as a part of another one only.
    fn only_within(&self, name: &str) -> bool {
        let methods = [&self.requests, &self.responses, &self.custom, &self.answers];
        let within = self.below.contains(name) || self.nested.contains(name);
        within && !methods.iter().any(|set| set.contains(name))
    }
}

/// Reports what has no effect where it stands.
pub(super) fn check(context: &Context, message: &MessageDescriptor, uses: &Uses) {
    let name = message.full_name();
    // An entity of which nothing is generated here is judged where it is.
    let entity = uses.entities.contains(name) || context.is_entity(message);
    let request = uses.requests.contains(message.full_name());
    let response = uses.responses.contains(message.full_name());
    for field in message.fields() {
        let options = context.field(&field);
        if entity {
            continue;
        }
        stray(context, message, &options);
        match (request, response) {
            (true, _) => {}
            (false, true) => unused_entity_field(context, &field, &options),
            (false, false) if uses.elsewhere.contains(name) => {}
            (false, false) => stray_roles(context, message, &options, uses.only_within(name)),
        }
    }
}

/// Reports annotated extensions of a file.
pub(super) fn check_extensions(
    context: &Context,
    file: &FileDescriptor,
    own: &[MessageDescriptor],
) {
    let nested = own.iter().flat_map(|message| message.child_extensions().collect::<Vec<_>>());
    for extension in file.extensions().chain(nested) {
        if let Some(options) = context.extension(&extension) {
            context.report(catalog::extension(&options.span, extension.full_name()));
        }
    }
}

fn stray(context: &Context, message: &MessageDescriptor, options: &OptionSet<FieldSpec>) {
    let value = &options.value;
    for (option, is_set) in [
        ("index", value.index != 0),
        ("column", !value.column.is_empty()),
        ("managed", value.managed != 0),
        ("access", value.access != 0),
        ("storage", value.storage != 0),
    ] {
        if is_set {
            context.report(catalog::stray(options.span(option), option, message.name()));
        }
    }
}

/// ROLE_CUSTOM may stand in what methods that are written by hand take and return, and has no
/// effect in a message that is `within` others only.
fn stray_roles(
    context: &Context,
    message: &MessageDescriptor,
    options: &OptionSet<FieldSpec>,
    within: bool,
) {
    let value = &options.value;
    for (option, is_set) in [
        ("role", value.role != 0 && (within || value.role() != Role::Custom)),
        ("entity_field", !value.entity_field.is_empty()),
    ] {
        if is_set {
            context.report(catalog::stray_role(options.span(option), option, message.name()));
        }
    }
}

/// What the fields of a response stand for follows from their types.
fn unused_entity_field(context: &Context, field: &FieldDescriptor, options: &OptionSet<FieldSpec>) {
    if !options.value.entity_field.is_empty() {
        let span = options.span("entity_field");
        context.report(role::entity_field_unused(span, field.name(), "in a response"));
    }
}
