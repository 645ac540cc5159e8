//! `google.api.field_behavior`. <https://google.aip.dev/203>
//!
//! On the fields of an entity, a value says what `access` says. REQUIRED is a rule on the fields of
//! any request and of what an entity holds; the runtime reads it from the descriptors.

use std::collections::BTreeSet;

use prism_options::{Behavior, spec};
use prism_schema::Managed;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::context::Context;
use super::field::Part;
use super::protection::Uses;
use crate::diagnostics::catalog::{field as catalog, warning};

/// The access of an entity's field, by its own annotation and its behavior together.
pub(super) fn access(context: &Context, part: &Part, own: spec::Access, key: bool) -> spec::Access {
    let (behaviors, _) = &part.behaviors;
    let mut said: Vec<spec::Access> = behaviors.iter().filter_map(|it| access_of(*it)).collect();
    check_required(context, part, own);
    if behaviors.contains(&Behavior::Identifier) && !key {
        let message = part.field.parent_message();
        context.report(catalog::not_identifier(span(part), part.name(), message.name()));
    }
    said.retain(|access| has_effect(context, part, *access, key));
    if own != spec::Access::Unspecified {
        said.insert(0, own);
    }
    if said.contains(&spec::Access::OutputOnly) {
        said.retain(|access| *access != spec::Access::Immutable || own == *access);
    }
    said.dedup();
    match said.as_slice() {
        [] => spec::Access::Unspecified,
        [one] => *one,
        [spec::Access::Immutable, spec::Access::OutputOnly] => spec::Access::OutputOnly,
        [one, two, ..] => {
            let (one, two) = (short(*one), short(*two));
            context.report(catalog::contradiction(span(part), part.name(), one, two));
            own
        }
    }
}

fn span(part: &Part) -> &prism_options::Span {
    &part.behaviors.1
}

fn access_of(behavior: Behavior) -> Option<spec::Access> {
    Some(match behavior {
        Behavior::OutputOnly => spec::Access::OutputOnly,
        Behavior::InputOnly => spec::Access::InputOnly,
        Behavior::Immutable => spec::Access::Immutable,
        _ => return None,
    })
}

/// As `google.api.FieldBehavior` names it.
fn short(access: spec::Access) -> &'static str {
    access.as_str_name().trim_start_matches("ACCESS_")
}

/// Whether a behavior restricts the field; what the field cannot be is reported.
fn has_effect(context: &Context, part: &Part, access: spec::Access, key: bool) -> bool {
    let (name, at) = (short(access), span(part));
    match part.managed {
        _ if key && access == spec::Access::Immutable => false,
        _ if key => {
            context.report(catalog::key_access(at, part.name(), name));
            false
        }
        Some(Managed::Id) | None => true,
        Some(Managed::ExpireTime) if access != spec::Access::OutputOnly => true,
        Some(Managed::ExpireTime) => {
            context.report(catalog::managed_access(at, managed(part), name));
            false
        }
        Some(_) if access == spec::Access::OutputOnly => false,
        Some(_) => {
            context.report(catalog::managed_access(at, managed(part), name));
            false
        }
    }
}

fn managed(part: &Part) -> &'static str {
    part.options.value.managed().as_str_name()
}

/// What a caller does not send, or may leave out, is not required.
fn check_required(context: &Context, part: &Part, own: spec::Access) {
    let (behaviors, at) = &part.behaviors;
    if !behaviors.contains(&Behavior::Required) {
        return;
    }
    let has = |behavior| behaviors.contains(&behavior);
    let other = match () {
        () if has(Behavior::OutputOnly) || own == spec::Access::OutputOnly => "OUTPUT_ONLY",
        () if has(Behavior::Optional) => "OPTIONAL",
        () => "",
    };
    let server = !matches!(part.managed, None | Some(Managed::Id | Managed::ExpireTime));
    if server {
        context.report(catalog::required_managed(at, part.name(), managed(part)));
    } else if !other.is_empty() {
        context.report(catalog::contradiction(at, part.name(), "REQUIRED", other));
    }
}

/// Reports behaviors of the fields of a message where they have no effect, or the wrong one.
pub(super) fn check(context: &Context, message: &MessageDescriptor, uses: &Uses) {
    let name = message.full_name();
    for field in message.fields() {
        let (behaviors, span) = context.reader.behaviors(&field);
        if behaviors.contains(&Behavior::Required) && is_plain_bool(&field) {
            context.report(warning::required_bool(&span, field.name()));
        }
        if uses.entities.contains(name) {
            continue;
        }
        let request = uses.requests.contains(name);
        let checked = request || uses.custom.contains(name) || uses.below.contains(name);
        let (optional, required) =
            (behaviors.contains(&Behavior::Optional), behaviors.contains(&Behavior::Required));
        if optional && required {
            context.report(catalog::contradiction(&span, field.name(), "REQUIRED", "OPTIONAL"));
        }
        if required && !checked && uses.responses.contains(name) {
            let why = "nothing checks a response";
            context.report(warning::no_effect(&span, "REQUIRED", message.name(), why));
        }
        for behavior in behaviors.into_iter().filter(|_| checked) {
            let restricts = access_of(behavior).is_some() || behavior == Behavior::Identifier;
            if request && behavior == Behavior::OutputOnly {
                context.report(catalog::output_only_request(&span, field.name(), message.name()));
            } else if restricts {
                let why = "not on a field of an entity itself";
                context.report(warning::no_effect(&span, behavior.name(), message.name(), why));
            }
        }
    }
}

fn is_plain_bool(field: &FieldDescriptor) -> bool {
    field.kind() == Kind::Bool && !field.supports_presence() && !field.is_list()
}

/// Full names of the messages within some messages, at any depth.
pub(super) fn below(messages: impl IntoIterator<Item = MessageDescriptor>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<MessageDescriptor> = messages.into_iter().collect();
    while let Some(message) = open.pop() {
        for field in message.fields() {
            if let Kind::Message(inner) = field.kind()
                && found.insert(inner.full_name().to_owned())
            {
                open.push(inner);
            }
        }
    }
    found
}
