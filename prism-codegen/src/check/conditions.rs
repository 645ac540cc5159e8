//! Every condition of a List is served by the key or an index.

use prism_options::{Diagnostic, Diagnostics, Span};
use prism_schema::plan::{Access, Comparison, Condition, conditions, unserved};
use prism_schema::sql::Visibility;
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
    let declared: Vec<(&RequestField, &Span)> = binding
        .request
        .iter()
        .zip(&spans.request)
        .filter(|(field, _)| Comparison::of(field.role).is_some())
        .collect();
    let conditions = conditions(binding);
    // Both lists are in the order of the request's fields.
    let live = unserved(entity, &conditions, Visibility::Live);
    for &position in &live {
        let (field, span) = declared[position];
        found.push(finding(entity, &conditions, field, span));
    }
    if binding.role(Role::ShowDeleted).is_none() {
        return;
    }
    let kept = unserved(entity, &conditions, Visibility::Kept);
    for position in kept.into_iter().filter(|position| !live.contains(position)) {
        let (field, span) = declared[position];
        found.push(unique_alone(entity, &conditions, field, span));
    }
}

/// Of a condition that only a unique index serves, which does not hold deleted records.
fn unique_alone(
    entity: &Entity,
    conditions: &[Condition],
    field: &RequestField,
    span: &Span,
) -> Diagnostic {
    let message = entity.message.rsplit('.').next().unwrap_or_default();
    let fixed = always_equal(entity, conditions);
    let names = quoted(entity, &proposed(&fixed, field.field));
    let help = format!(
        "remove `show_deleted`, or add `indexes: {{name: \"{}_with_deleted\", fields: [{names}]}}` to \
         `{message}`",
        name_of(entity, field.field)
    );
    let cost = format!(
        "{} with show_deleted, because a unique index has no deleted records",
        cost(entity, &fixed)
    );
    catalog::unindexed(span, &field.name, message, &cost, &help)
}

fn quoted(entity: &Entity, numbers: &[u32]) -> String {
    let names = numbers.iter().map(|number| format!("\"{}\"", name_of(entity, *number)));
    names.collect::<Vec<_>>().join(", ")
}

fn finding(
    entity: &Entity,
    conditions: &[Condition],
    field: &RequestField,
    span: &Span,
) -> Diagnostic {
    let message = entity.message.rsplit('.').next().unwrap_or_default();
    let fixed = always_equal(entity, conditions);
    let name = name_of(entity, field.field);
    let indexed = entity.indexes.iter().flat_map(|index| &index.columns);
    let reached =
        entity.is_key(field.field) || indexed.into_iter().any(|it| it.number == field.field);
    let proposed = proposed(&fixed, field.field);
    let help = if proposed.len() > 1 {
        format!("add `indexes: {{fields: [{}]}}` to `{message}`", quoted(entity, &proposed))
    } else if reached {
        format!(
            "add `indexes: {{fields: \"{name}\"}}` to `{message}`, or always give the fields before \
             it in the key or index, for equality and without presence"
        )
    } else {
        format!("mark `{name}` of `{message}` with `(prism.field).index = INDEX_KIND_SECONDARY`")
    };
    catalog::unindexed(span, &field.name, message, &cost(entity, &fixed), &help)
}

/// The fields that an equality fixes in every request, those of the key first.
fn always_equal(entity: &Entity, conditions: &[Condition]) -> Vec<u32> {
    let mut fixed: Vec<u32> = conditions
        .iter()
        .filter(|it| it.always && it.comparison == Comparison::Equals)
        .map(|it| it.field)
        .collect();
    let place = |number: &u32| entity.key.iter().position(|it| it == number);
    fixed.sort_by_key(|number| place(number).unwrap_or(usize::MAX));
    fixed
}

/// The fields of an index that a plan of this List uses: all equalities, then the condition's own
/// field.
fn proposed(fixed: &[u32], field: u32) -> Vec<u32> {
    let mut fields = fixed.to_vec();
    if !fields.contains(&field) {
        fields.push(field);
    }
    fields
}

/// What the List would read to find the records without a further index.
fn cost(entity: &Entity, fixed: &[u32]) -> String {
    let partition = &entity.key[..entity.partition.min(entity.key.len())];
    if entity.key.len() > partition.len() && partition.iter().all(|it| fixed.contains(it)) {
        return "would read the whole partition".to_owned();
    }
    let leading = Access::all(entity)
        .filter_map(|access| access.columns(entity).first().map(|column| column.number))
        .find(|number| fixed.contains(number));
    match leading {
        Some(number) => {
            format!("would read every record with the same `{}`", name_of(entity, number))
        }
        None => "would read the whole table".to_owned(),
    }
}

fn name_of(entity: &Entity, number: u32) -> &str {
    entity.column(number).map_or("", |column| column.field.as_str())
}
