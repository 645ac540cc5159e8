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
    let keys = keys(&entities);
    // PostgreSQL gives a key another name where the table itself has it.
    let key_of_another = |name: &str, own: &Span| {
        let tables = keys.get(&name.to_ascii_lowercase()).into_iter().flatten();
        tables.copied().find(|table| !std::ptr::eq(*table, own))
    };
    for entity in &entities {
        let (table, span) = (&entity.schema.table, &entity.table_span);
        if let Some(other) = key_of_another(table, span) {
            found.push(catalog::table_of_key(span, table).with(other, "the key of this one"));
        }
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
            } else if let Some(table) = key_of_another(&declared.name, span) {
                let key = index::index_of_key(span, &declared.name);
                found.push(key.with(table, "the key of this one"));
            }
        }
    }
}

/// The places of the tables by the names, in lower case, that PostgreSQL gives to the indexes of
/// their keys: `<table>_pkey`, with the table's name cut to what 63 bytes leave of it.
fn keys<'a>(entities: &[&'a Entity]) -> HashMap<String, Vec<&'a Span>> {
    const LIMIT: usize = 63;
    const END: &str = "_pkey";
    let name = |table: &str| {
        let kept = (0..=table.len().min(LIMIT - END.len())).rev();
        let kept = kept.filter_map(|end| table.get(..end)).next().unwrap_or_default();
        format!("{kept}{END}").to_ascii_lowercase()
    };
    let mut keys: HashMap<String, Vec<&Span>> = HashMap::new();
    for entity in entities {
        keys.entry(name(&entity.schema.table)).or_default().push(&entity.table_span);
    }
    keys
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
