//! Conditions of a List.

use prism_schema::{FieldType, Role};

use super::request::{Bound, Candidate};
use super::{keys, operation, types};
use crate::diagnostics::{catalog::role as catalog, suggest};

/// Number of the entity's field that a condition compares with.
pub(super) fn target(bound: &Bound, candidate: &Candidate, role: Role) -> Option<u32> {
    let name = candidate.target();
    let entity = &bound.entity.message;
    let Some(field) = entity.get_field_by_name(name) else {
        let known: Vec<String> = entity.fields().map(|it| it.name().to_owned()).collect();
        let help = match suggest::closest(name, known.iter().map(String::as_str)) {
            Some(close) => format!("write `(prism.field).entity_field = \"{close}\"`"),
            None => format!("name one of {} with `(prism.field).entity_field`", known.join(", ")),
        };
        let span = candidate.target_span();
        bound.context.report(catalog::unknown_entity_field(span, name, entity.name(), &help));
        return None;
    };
    if let Some(why) = types::unordered(&field) {
        let help = "compare a string, bytes, an integer, a bool, an enum, a Timestamp or a \
                    Duration, or remove the field";
        let span = &candidate.span;
        bound.context.report(catalog::condition_type(span, "no condition can", name, &why, help));
        return None;
    }
    let (ty, _) = types::field_type(&field);
    if role == Role::Prefix && !matches!(ty, FieldType::String | FieldType::Bytes) {
        let why = format!(
            "compares the beginning of a string or of bytes, and `{name}` is of type {}",
            types::declared(&field)
        );
        let help = "compare it with ROLE_EQUALS, ROLE_AT_LEAST or ROLE_LESS_THAN, or remove the \
                    field";
        let span = &candidate.span;
        bound.context.report(catalog::condition_type(span, "ROLE_PREFIX cannot", name, &why, help));
        return None;
    }
    if is_wrapped_any_of(candidate, role) {
        let role = operation::role_name(role);
        let actual = types::declared(&candidate.field);
        let wanted = format!("repeated {}", types::declared(&field));
        let span = bound.context.reader.name_span(&candidate.field);
        let found = catalog::role_type(&span, candidate.name(), role, &wanted, &actual);
        bound.context.report(found);
        return None;
    }
    keys::same_type(bound, candidate, field.number(), role == Role::AnyOf)?;
    Some(field.number())
}

/// A list of one value is not what a client means by ROLE_ANY_OF.
fn is_wrapped_any_of(candidate: &Candidate, role: Role) -> bool {
    role == Role::AnyOf && !candidate.field.is_list()
}
