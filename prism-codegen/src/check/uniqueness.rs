//! Namespaces, tables and indexes are each in one entity.

use std::collections::HashMap;

use prism_options::{Diagnostic, Diagnostics, Span};

use crate::diagnostics::catalog::{entity as catalog, index};
use crate::model::{Entity, Schema};

pub(super) fn check(schema: &Schema, found: &mut Diagnostics) {
    let mut namespaces = Names::default();
    let mut tables = Names::default();
    let mut relations = Names::default();
    let mut entities: Vec<&Entity> = schema.entities.iter().collect();
    entities.sort_by_key(|entity| {
        (schema.files.iter().position(|file| *file == entity.file), entity.span.line)
    });
    for entity in &entities {
        let name = &entity.schema.namespace;
        let span = &entity.namespace_span;
        if let Some(earlier) = namespaces.claim(name, span) {
            found.push(taken(catalog::duplicate_namespace(span, name), earlier));
            // The default table is named after it.
            continue;
        }
        let table = &entity.schema.table;
        if let Some(earlier) = tables.claim(table, &entity.table_span) {
            found.push(taken(catalog::duplicate_table(&entity.table_span, table), earlier));
        }
        // Tables and indexes share their names in both databases.
        relations.claim(table, &entity.table_span);
    }
    for entity in &entities {
        let mut own = Names::default();
        for (declared, span) in entity.schema.indexes.iter().zip(&entity.index_spans) {
            // Two of one entity have been reported already.
            if own.claim(&declared.name, span).is_some() {
                continue;
            }
            if let Some(earlier) = relations.claim(&declared.name, span) {
                found.push(taken(index::duplicate_index(span, &declared.name), earlier));
            }
        }
    }
}

fn taken(diagnostic: Diagnostic, earlier: &Span) -> Diagnostic {
    diagnostic.with(earlier, "the first is here")
}

/// Names that are the same in any letter case.
#[derive(Default)]
struct Names<'a> {
    seen: HashMap<String, &'a Span>,
}

impl<'a> Names<'a> {
    /// Takes a name; where it is taken already the place of the earlier one.
    fn claim(&mut self, name: &str, span: &'a Span) -> Option<&'a Span> {
        let name = name.to_ascii_lowercase();
        let earlier = self.seen.get(&name).copied();
        self.seen.entry(name).or_insert(span);
        earlier
    }
}
