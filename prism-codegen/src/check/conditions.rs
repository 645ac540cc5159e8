//! Every condition of a List is served by the key or an index.

use prism_options::{Diagnostic, Diagnostics, Span};
use prism_schema::plan::{Comparison, conditions, unserved};
use prism_schema::{Binding, Entity, RequestField};

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
    let declared: Vec<(&RequestField, &Span)> = binding
        .request
        .iter()
        .zip(&spans.request)
        .filter(|(field, _)| Comparison::of(field.role).is_some())
        .collect();
    // Both lists are in the order of the request's fields.
    for position in unserved(entity, &conditions(binding)) {
        let (field, span) = declared[position];
        found.push(finding(entity, field, span));
    }
}

fn finding(entity: &Entity, field: &RequestField, span: &Span) -> Diagnostic {
    let name = entity.column(field.field).map_or("", |column| column.field.as_str());
    let message = entity.message.rsplit('.').next().unwrap_or_default();
    let indexed = entity.indexes.iter().flat_map(|index| &index.columns);
    let reached =
        entity.is_key(field.field) || indexed.into_iter().any(|it| it.number == field.field);
    let help = if reached {
        format!(
            "add `indexes: {{fields: \"{name}\"}}` to `{message}`, or always give the fields before \
             it in the key or index, for equality and without presence"
        )
    } else {
        format!("index it: `{name} [(prism.field).index = INDEX_KIND_SECONDARY]` in `{message}`")
    };
    catalog::unindexed(span, &field.name, message, &help)
}
