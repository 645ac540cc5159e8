//! `google.api.field_behavior`. <https://google.aip.dev/203>
//!
//! On the fields of an entity, a value says what `access` says. REQUIRED is a rule on the fields of
//! any request and of what an entity holds; the runtime reads it from the descriptors.

use std::collections::BTreeSet;

use prism_options::{Behavior, Behaviors, Span, spec};
use prism_schema::Managed;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::context::{Context, VERSION};
use super::field::Part;
use super::protection::Uses;
use crate::diagnostics::catalog::{field as catalog, warning};

/// The access of an entity's field, by its own annotation and its behavior together.
pub(super) fn access(context: &Context, part: &Part, own: spec::Access, key: bool) -> spec::Access {
    let behaviors = &part.behaviors;
    let said: BTreeSet<spec::Access> =
        behaviors.known.iter().filter_map(|it| access_of(*it)).collect();
    check_required(context, part, own);
    if behaviors.contains(Behavior::Identifier) && !key {
        let message = part.field.parent_message();
        context.report(catalog::not_identifier(span(part), part.name(), message.name()));
    }
    let mut said: BTreeSet<spec::Access> =
        said.into_iter().filter(|access| has_effect(context, part, *access, key)).collect();
    if own != spec::Access::Unspecified {
        said.insert(own);
    }
    // What callers cannot set, they cannot change either.
    if said.contains(&spec::Access::OutputOnly) {
        said.remove(&spec::Access::Immutable);
    }
    match said.iter().copied().collect::<Vec<_>>().as_slice() {
        [] => spec::Access::Unspecified,
        [one] => *one,
        [one, two, ..] => {
            // The annotation that is Prism's own is named first.
            let (one, two) = if *two == own { (two, one) } else { (one, two) };
            let (one, two) = (short(*one), short(*two));
            context.report(catalog::contradiction(span(part), part.name(), one, two));
            own
        }
    }
}

fn span(part: &Part) -> &Span {
    &part.behaviors.span
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
    let (behaviors, at) = (&part.behaviors, span(part));
    if !behaviors.contains(Behavior::Required) {
        return;
    }
    let has = |behavior| behaviors.contains(behavior);
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
    // An entity of which nothing is generated here is judged where it is.
    let entity = uses.entities.contains(name) || context.is_entity(message);
    for field in message.fields() {
        let behaviors = context.reader.behaviors(&field);
        let span = behaviors.span.clone();
        unknown(context, message, &behaviors);
        let (optional, required) =
            (behaviors.contains(Behavior::Optional), behaviors.contains(Behavior::Required));
        if required && is_plain_bool(&field) {
            context.report(warning::required_bool(&span, field.name()));
        }
        if required {
            check_oneof(context, &field, &span);
        }
        if entity {
            continue;
        }
        let request = uses.requests.contains(name);
        let checked = request || uses.custom.contains(name) || uses.below.contains(name);
        if optional && required {
            context.report(catalog::contradiction(&span, field.name(), "REQUIRED", "OPTIONAL"));
        }
        if required && !checked && uses.responses.contains(name) {
            let why = "nothing checks a response";
            context.report(warning::no_effect(&span, "REQUIRED", message.name(), why));
        }
        for behavior in behaviors.known.into_iter().filter(|_| checked) {
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

/// Reports values that say nothing, and those that only a newer copy of google.api has.
fn unknown(context: &Context, message: &MessageDescriptor, behaviors: &Behaviors) {
    for value in &behaviors.others {
        let why = match value.ends_with("_UNSPECIFIED") || value == "0" {
            true => "says nothing".to_owned(),
            false => format!("not a value that Prism {VERSION} knows"),
        };
        let what = format!("{value} of (google.api.field_behavior)");
        context.report(warning::no_effect(&behaviors.span, &what, message.name(), &why));
    }
}

/// Of the fields of a oneof one is set at most.
fn check_oneof(context: &Context, field: &FieldDescriptor, at: &Span) {
    let Some(oneof) = field.containing_oneof().filter(|it| !it.is_synthetic()) else { return };
    let before = oneof.fields().take_while(|other| other != field);
    let mut required =
        before.filter(|other| context.reader.behaviors(other).contains(Behavior::Required));
    if let Some(other) = required.next() {
        let beside = format!("in a oneof with `{}`, which is REQUIRED too", other.name());
        context.report(catalog::contradiction(at, field.name(), "REQUIRED", &beside));
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
