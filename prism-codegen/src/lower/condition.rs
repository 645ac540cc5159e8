//! Conditions of a List.

use prism_schema::plan::{Comparison, Condition, unserved};
use prism_schema::{FieldType, Role};
use prost_reflect::FieldDescriptor;

use super::proposal::Declaration;
use super::request::{Bound, Candidate};
use super::{keys, operation, types};
use crate::diagnostics::{catalog::role as catalog, suggest};

/// Number of the entity's field that a condition compares with.
pub(super) fn target(bound: &Bound, candidate: &Candidate, role: Role) -> Option<u32> {
    let name = candidate.target();
    let entity = &bound.entity.message;
    let Some(field) = entity.get_field_by_name(name) else {
        let help = unknown(bound, candidate, role);
        let span = candidate.target_span();
        bound.context.report(catalog::unknown_entity_field(span, name, entity.name(), &help));
        return None;
    };
    if let Some(why) = types::unordered(&field) {
        let help = "remove the field; strings, bytes, integers, bools, enums, Timestamps and \
                    Durations can be compared";
        bound.context.report(catalog::condition_type(
            &candidate.span,
            "a condition",
            name,
            &why,
            help,
        ));
        return None;
    }
    let (ty, _) = types::field_type(&field);
    if role == Role::Prefix && !matches!(ty, FieldType::String | FieldType::Bytes) {
        let declared = types::declared(&field);
        let why = format!("it compares text, and `{name}` is of type {declared}");
        let help = prefix_help(candidate, &declared);
        bound.context.report(catalog::condition_type(
            &candidate.span,
            "ROLE_PREFIX",
            name,
            &why,
            &help,
        ));
        return None;
    }
    if is_wrapped_any_of(candidate, role) {
        let role = operation::role_name(role);
        let actual = types::declared(&candidate.field);
        let wanted = format!("repeated {}", types::declared(&field));
        let span = bound.context.reader.name_span(&candidate.field);
        let import = types::import(&candidate.field.parent_file(), &wanted);
        let found = catalog::role_type(&span, candidate.name(), role, &wanted, &actual, &import);
        bound.context.report(found);
        return None;
    }
    keys::same_type(bound, candidate, field.number(), role == Role::AnyOf)?;
    Some(field.number())
}

/// What to write instead of a field that the entity does not have.
fn unknown(bound: &Bound, candidate: &Candidate, role: Role) -> String {
    let (ty, _) = types::field_type(&candidate.field);
    let listed = role == Role::AnyOf;
    let fits = |field: &FieldDescriptor| {
        let fits = types::field_type(field).0 == ty && candidate.field.is_list() == listed;
        types::unordered(field).is_none() && fits
    };
    let fields: Vec<FieldDescriptor> = bound.entity.message.fields().filter(fits).collect();
    let served = fields.iter().filter(|it| is_served(bound, candidate, role, it.number()));
    let mut known: Vec<String> = served.map(|it| it.name().to_owned()).collect();
    if known.is_empty() {
        known.extend(fields.iter().map(|it| it.name().to_owned()));
    }
    // Of a path, the part that the entity itself may have.
    let name = candidate.target().rsplit('.').next().unwrap_or_default();
    let close = suggest::closest(name, known.iter().map(String::as_str));
    match (close, known.as_slice()) {
        (Some(close), _) => format!("write `(prism.field).entity_field = \"{close}\"`"),
        (None, []) => "remove the field: no field of its type can be compared".to_owned(),
        (None, known) => {
            format!("name one of {} with `(prism.field).entity_field`", known.join(", "))
        }
    }
}

/// Whether the key or an index serves a further condition on a field beside the request's others, none
/// of which says the same.
pub(super) fn is_served(bound: &Bound, candidate: &Candidate, role: Role, field: u32) -> bool {
    let Some(comparison) = Comparison::of(role) else { return false };
    let schema = &bound.entity.model.schema;
    // An index of what is not deleted serves no list that shows deleted records as well.
    let visibility = bound.visibility(candidate.field.parent_message());
    let mut conditions = bound.conditions_beside(candidate);
    let twin = conditions.iter().any(|it| it.field == field && it.comparison == comparison);
    let before = unserved(schema, &conditions, visibility).len();
    let always = !candidate.field.supports_presence();
    conditions.push(Condition { field, comparison, always });
    !twin && unserved(schema, &conditions, visibility).len() == before
}

/// What to write instead of a prefix of a value that is not text.
fn prefix_help(candidate: &Candidate, declared: &str) -> String {
    let field =
        Declaration::new(declared, candidate.name()).with("(prism.field).role = ROLE_AT_LEAST");
    let field = match candidate.options.value.entity_field.as_str() {
        "" => field,
        other => field.with(format!("(prism.field).entity_field = \"{other}\"")),
    };
    format!(
        "write `{}` for values from one on, with ROLE_LESS_THAN for those below one, or with \
         ROLE_EQUALS for one",
        field.numbered(&candidate.field.parent_file(), candidate.field.number())
    )
}

/// A list of one value is not what a client means by ROLE_ANY_OF.
fn is_wrapped_any_of(candidate: &Candidate, role: Role) -> bool {
    role == Role::AnyOf && !candidate.field.is_list()
}
