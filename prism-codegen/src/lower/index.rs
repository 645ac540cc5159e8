//! Secondary indexes: those that fields declare, and those of the entity.

use std::collections::HashMap;

use prism_options::spec::{EntitySpec, IndexKind};
use prism_options::{OptionSet, Span};
use prism_schema::{Index, IndexColumn, Managed};
use prost_reflect::MessageDescriptor;

use super::context::Context;
use super::field::Part;
use super::proposal::Declaration;
use super::{names, spelling, types};
use crate::diagnostics::{catalog::index as catalog, suggest};

/// The indexes in the order of the schema, fields' own first, and the place of each.
pub(super) fn lower(
    context: &Context,
    message: &MessageDescriptor,
    options: &OptionSet<EntitySpec>,
    parts: &[Part],
    key: &[u32],
    table: &str,
) -> (Vec<Index>, Vec<Span>) {
    let mut found: Vec<(Index, Span)> = Vec::new();
    for part in parts {
        let unique = match part.index {
            IndexKind::Secondary => false,
            IndexKind::Unique => true,
            _ => continue,
        };
        let span = part.options.span("index");
        check_type(context, part, span);
        let columns = vec![IndexColumn { number: part.number(), descending: false }];
        let name = names::index(table, &[part.name().to_owned()]);
        if unique {
            warn_of_zeros(context, &[part], span);
        }
        found.push((Index { name, columns, unique }, span.clone()));
    }
    for (position, index) in options.value.indexes.iter().enumerate() {
        let path = format!("indexes[{position}]");
        let list = List { context, message, options, parts, path };
        let (columns, default) = list.columns(&index.fields, table);
        let name = list.name(&index.name, default);
        // What else could be said of it follows from the fields that are wrong.
        if columns.is_empty() || columns.len() < index.fields.len() {
            continue;
        }
        if index.unique {
            let members: Vec<&Part> = columns.iter().filter_map(|it| list.part(it)).collect();
            warn_of_zeros(context, &members, options.span(&list.path));
        }
        found.push((
            Index { name, columns, unique: index.unique },
            options.span(&list.path).clone(),
        ));
    }
    check_names(context, &found);
    found.iter().for_each(|(index, span)| check_width(context, index, key, span));
    found.into_iter().unzip()
}

/// One of the entity's `indexes`.
struct List<'a> {
    context: &'a Context<'a>,
    message: &'a MessageDescriptor,
    options: &'a OptionSet<EntitySpec>,
    parts: &'a [Part],
    path: String,
}

impl List<'_> {
    fn part(&self, column: &IndexColumn) -> Option<&Part> {
        self.parts.iter().find(|part| part.number() == column.number)
    }

    /// The columns, and the index's default name.
    fn columns(&self, fields: &[String], table: &str) -> (Vec<IndexColumn>, String) {
        let mut columns: Vec<IndexColumn> = Vec::new();
        let mut words: Vec<String> = Vec::new();
        if fields.is_empty() {
            let example = self.indexable().next().map_or("name", Part::name);
            self.context.report(catalog::no_fields(self.options.span(&self.path), example));
        }
        for (position, text) in fields.iter().enumerate() {
            let span = self.options.span(&format!("{}.fields[{position}]", self.path));
            let Some((field, descending)) = self.field(text, span) else { continue };
            let Some(part) = self.parts.iter().find(|part| part.name() == field) else {
                self.unknown(field, descending, span);
                continue;
            };
            if columns.iter().any(|column| column.number == part.number()) {
                self.context.report(catalog::field_twice(span, field));
                continue;
            }
            check_type(self.context, part, span);
            columns.push(IndexColumn { number: part.number(), descending });
            words.push(if descending { format!("{field}_desc") } else { field.to_owned() });
        }
        (columns, names::index(table, &words))
    }

    /// A name and whether ` desc` follows it.
    fn field<'t>(&self, text: &'t str, span: &Span) -> Option<(&'t str, bool)> {
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            [field] if is_path(field) => Some((field, false)),
            [field, "desc"] if is_path(field) => Some((field, true)),
            _ => {
                let known: Vec<&str> = self.indexable().map(Part::name).collect();
                let (form, help) = spelling::advice(text, &known);
                self.context.report(catalog::bad_index_field(span, text, form, &help));
                None
            }
        }
    }

    fn indexable(&self) -> impl Iterator<Item = &Part> + Clone {
        self.parts.iter().filter(|part| types::unordered(&part.field).is_none())
    }

    fn unknown(&self, field: &str, descending: bool, span: &Span) {
        let known = self.indexable().map(Part::name);
        let desc = if descending { " desc" } else { "" };
        let path = field.rsplit_once('.');
        let name = path.map_or(field, |(_, last)| last);
        let close = suggest::closest(name, known.clone());
        let message = self.message.name();
        let (label, help) = match (path, close) {
            (Some((outer, last)), _) if self.is_field(outer) => {
                let help = match self.inner(outer, last) {
                    Some(declaration) => format!(
                        "index a field of `{message}` itself, as in `{declaration}`, or remove this \
                         one"
                    ),
                    None => {
                        match outer.split('.').next().filter(|it| known.clone().any(|k| k == *it)) {
                            Some(first) => format!("write \"{first}{desc}\", or remove it"),
                            None => {
                                format!("index a field of `{message}` itself, or remove this one")
                            }
                        }
                    }
                };
                ("an index names fields of the entity itself, and no path", help)
            }
            (_, Some(close)) => ("named by an index", format!("write \"{close}{desc}\"")),
            (_, None) => {
                let known: Vec<&str> = known.collect();
                ("named by an index", format!("name one of {}, or remove it", known.join(", ")))
            }
        };
        let found = catalog::unknown_index_field(span, field, message, label, &help);
        self.context.report(found);
    }

    fn is_field(&self, path: &str) -> bool {
        let first = path.split('.').next().unwrap_or_default();
        self.message.get_field_by_name(first).is_some()
    }

    /// A field of the entity that could hold what a path leads to: its declaration. `None` if the
    /// path leads to nothing.
    fn inner(&self, outer: &str, last: &str) -> Option<String> {
        let mut message = self.message.clone();
        for name in outer.split('.') {
            message = message.get_field_by_name(name)?.kind().as_message()?.clone();
        }
        let field = message.get_field_by_name(last)?;
        let name = format!("{}_{last}", outer.replace('.', "_"));
        let number = self.context.free_number(self.message, &name);
        Some(Declaration::new(types::declared(&field), name).placed(self.message, number))
    }

    fn name(&self, own: &str, default: String) -> String {
        if own.is_empty() {
            return default;
        }
        if names::is_reserved(own) || !names::is_identifier(own) {
            let span = self.options.span(&format!("{}.name", self.path));
            self.context.report(catalog::bad_index_name(span, own));
        }
        own.to_owned()
    }
}

/// Names with dots between them.
fn is_path(text: &str) -> bool {
    text.split('.').all(|name| {
        !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_')
    })
}

fn check_type(context: &Context, part: &Part, span: &Span) {
    if let Some(why) = types::unordered(&part.field) {
        context.report(catalog::index_type(span, part.name(), &why));
    }
}

/// Two empty strings are equal: without presence they collide. A part of the key is never empty,
/// and cannot be given presence either; an etag is never that of another record.
fn warn_of_zeros(context: &Context, parts: &[&Part], span: &Span) {
    if parts.iter().any(|part| part.managed == Some(Managed::Etag)) {
        return;
    }
    let others: Vec<&&Part> = parts.iter().filter(|part| !part.is_key()).collect();
    let empties = others.iter().all(|part| {
        let text = matches!(part.field.kind(), prost_reflect::Kind::String);
        text && !part.field.supports_presence() && !part.field.is_list()
    });
    if let (true, Some(part)) = (empties, others.first()) {
        context.report(catalog::unique_without_presence(span, part.name()));
    }
}

/// An index that is not unique ends with the parts of the key that are not in it.
fn check_width(context: &Context, index: &Index, key: &[u32], span: &Span) {
    let own = |number: &&u32| index.columns.iter().any(|column| column.number == **number);
    let appended = match index.unique {
        true => 0,
        false => key.iter().filter(|number| !own(number)).count(),
    };
    let count = index.columns.len() + appended;
    if count > names::MAX_INDEX_COLUMNS {
        context.report(catalog::too_wide(span, &index.name, index.columns.len(), appended));
    }
}

fn check_names(context: &Context, indexes: &[(Index, Span)]) {
    let mut seen: HashMap<String, &Span> = HashMap::new();
    for (index, span) in indexes {
        match seen.get(&index.name.to_ascii_lowercase()) {
            Some(first) => {
                let found = catalog::duplicate_index(span, &index.name);
                context.report(found.with(first, "the first is here"));
            }
            None => {
                seen.insert(index.name.to_ascii_lowercase(), span);
            }
        }
    }
}
