//! Every condition of a List is served by the key or an index.

use prism_options::{Diagnostics, Span};
use prism_schema::{Binding, Entity, RequestField, Role};

use crate::diagnostics::catalog::role as catalog;
use crate::model::{MethodSpans, Schema};

pub(super) fn check(schema: &Schema, found: &mut Diagnostics) {
    for service in &schema.services {
        for (method, spans) in service.schema.methods.iter().zip(&service.method_spans) {
            let Some(binding) = &method.binding else { continue };
            let entity = schema.entities.iter().find(|it| it.schema.message == binding.entity);
            if let Some(entity) = entity {
                check_method(&entity.schema, binding, spans, found);
            }
        }
    }
}

fn check_method(entity: &Entity, binding: &Binding, spans: &MethodSpans, found: &mut Diagnostics) {
    for (field, span) in binding.request.iter().zip(&spans.request) {
        if is_condition(field.role) && !is_served(entity, &binding.request, field.field) {
            found.push(unserved(entity, field, span));
        }
    }
}

fn unserved(entity: &Entity, field: &RequestField, span: &Span) -> prism_options::Diagnostic {
    let name = entity.column(field.field).map_or("", |column| column.field.as_str());
    let message = entity.message.rsplit('.').next().unwrap_or_default();
    let reached = candidates(entity).any(|columns| columns.contains(&field.field));
    let help = if reached {
        format!(
            "add an index that begins with it: `{name} [(prism.field).index = \
             INDEX_KIND_SECONDARY]`, or one over the fields that the request always gives and then it"
        )
    } else {
        format!("index it: `{name} [(prism.field).index = INDEX_KIND_SECONDARY]` in `{message}`")
    };
    catalog::unindexed(span, &field.name, message, &help)
}

/// Whether the key or an index has the column behind nothing but columns that the request always
/// compares for equality.
fn is_served(entity: &Entity, request: &[RequestField], column: u32) -> bool {
    let holds = |number: &u32| {
        request.iter().any(|it| it.role == Role::Equals && !it.presence && it.field == *number)
    };
    candidates(entity).any(|columns| {
        let position = columns.iter().position(|number| *number == column);
        position.is_some_and(|position| columns[..position].iter().all(holds))
    })
}

/// The columns of the key and of each index, in order.
fn candidates(entity: &Entity) -> impl Iterator<Item = Vec<u32>> {
    let indexes = entity.indexes.iter();
    let indexes = indexes.map(|index| index.columns.iter().map(|column| column.number).collect());
    std::iter::once(entity.key.clone()).chain(indexes)
}

fn is_condition(role: Role) -> bool {
    matches!(role, Role::Equals | Role::AtLeast | Role::LessThan | Role::AnyOf | Role::Prefix)
}
