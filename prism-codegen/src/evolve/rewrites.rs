//! Rewriting copies: values that are written anew in bounded batches, by Prism's migrator.

use std::collections::BTreeSet;

use prism_schema::sql::alter::{Change as Alter, Source};
use prism_schema::sql::ddl::{self, Step};
use prism_schema::sql::rewrite::{IndexBuild, KeyColumn, Rewrite, Target, Types};
use prism_schema::sql::shadow::{Shadows, key_from_index};
use prism_schema::sql::{Dialect, prefixed, quote};
use prism_schema::{Column, Entity};

use super::renames;
use super::sqlite::{Rebuild, plan_rebuild};
use super::table::{Table, TableChange};
use super::types::{self, Names};

/// A rewriting copy, and the changes of the schema that cause it.
pub(super) struct Planned {
    pub causes: Vec<String>,
    pub rewrite: Rewrite,
}

/// What the conversions of a table need; none where there are none.
///
/// # Errors
///
/// Names of the two states that do not go together.
pub(super) fn types(
    table: &Table<'_>,
    descriptor_set: &[u8],
    names: &Names<'_>,
) -> Result<Option<Types>, String> {
    let converted = |change: &TableChange| match &change.source {
        Some(Source::Converted(conversion)) => Some(conversion.field),
        _ => None,
    };
    let fields: BTreeSet<u32> = table.columns.iter().filter_map(converted).collect();
    if fields.is_empty() {
        return Ok(None);
    }
    types::of(descriptor_set, table.new, &fields, names).map(Some)
}

/// SQLite's: a new table, filled in batches, that takes the place of the old one.
pub(super) fn sqlite(table: &Table<'_>, types: Option<Types>) -> Option<Planned> {
    let Rebuild { causes, create, name, copied, finish } =
        plan_rebuild(table).filter(|_| table.is_rewritten())?;
    let dialect = Dialect::Sqlite;
    let mut rewrite = Rewrite::new(table.name, key(table.old, dialect));
    rewrite.prepare =
        vec![format!("DROP TABLE IF EXISTS {};", quote(&name)), create.render(dialect)];
    rewrite.into = Some(name);
    let target =
        |(column, source): (String, Source)| Target { column, value: source.to_value(dialect) };
    rewrite.columns = copied.into_iter().map(target).collect();
    rewrite.finish = finish.iter().map(|statement| statement.change.render(dialect)).collect();
    rewrite.types = types;
    Some(Planned { causes, rewrite })
}

/// Postgres': columns beside those in use, kept up to date by a trigger, that take their places
/// in a short transaction.
pub(super) fn postgres(table: &Table<'_>, types: Option<Types>) -> Option<Planned> {
    let dialect = Dialect::Postgres;
    let changes = || table.columns.iter().filter(|change| change.rewritten());
    let columns = || changes().filter_map(|change| change.new.clone());
    let shadows = Shadows::new(table.name, columns());
    // The copy comes after the renames.
    let mut rewrite = Rewrite::new(table.name, key(table.new, dialect));
    rewrite.prepare = shadows.prepare();
    rewrite.columns = changes()
        .filter_map(|change| {
            let name = &change.new.as_ref()?.name;
            let value = change.source.clone()?.over(|_| name.clone()).to_value(dialect);
            Some(Target { column: shadows.name(name).to_owned(), value })
        })
        .collect();
    if rewrite.columns.is_empty() {
        return None;
    }
    rewrite.outstanding = Some(shadows.outstanding());
    rewrite.finish = shadows.swap();
    for (step, built) in copied_indexes(table) {
        let step = renames::map(&step, |name| Some(shadows.name(name).to_owned()));
        rewrite.indexes.push(build(&step, built));
    }
    let in_key = |name: &str| rewrite.key.iter().any(|column| column.name == name);
    if columns().any(|column| in_key(&column.name)) {
        let name = prefixed("_prism_key_", table.name);
        let step = renames::map(&key_index(table), |name| Some(shadows.name(name).to_owned()));
        rewrite.indexes.push(build(&step, name.clone()));
        rewrite.finish.push(key_from_index(table.name, &name));
    }
    rewrite.types = types;
    Some(Planned { causes: table.causes_of_rewrite(), rewrite })
}

/// The indexes that a copy builds again, as they are afterwards, each with the name that it has
/// until then: those over a column that is replaced, and no other change.
pub(super) fn copied_indexes(table: &Table<'_>) -> Vec<(Step, String)> {
    let renamed = renames::of(table);
    let replaced = |name: &str| {
        let mut changes = table.columns.iter().filter(|change| change.rewritten());
        changes.any(|change| change.new.as_ref().is_some_and(|column| column.name == name))
    };
    let pairs = table.indexes.iter().filter_map(|it| Some((it.old.as_ref()?, it.new.as_ref()?)));
    pairs
        .filter(|(old, new)| renames::same(&renames::apply(old, &renamed), new))
        .filter(|(_, new)| match new {
            Step::CreateIndex { columns, .. } => columns.iter().any(|it| replaced(&it.name)),
            Step::CreateTable { .. } => false,
        })
        .enumerate()
        .map(|(position, (_, new))| {
            (new.clone(), prefixed(&format!("_prism_copy_{}_", position + 1), table.name))
        })
        .collect()
}

fn build(step: &Step, name: String) -> IndexBuild {
    let step = renames::with_name(step, &name);
    IndexBuild { name, create: Alter::CreateIndexConcurrently(step).render(Dialect::Postgres) }
}

/// The index of the primary key.
fn key_index(table: &Table<'_>) -> Step {
    let ordered = |column: &Column| ddl::OrderedColumn {
        name: column.name.clone(),
        descending: false,
        nullable: false,
    };
    let columns = table.new.key.iter().filter_map(|number| table.new.column(*number));
    Step::CreateIndex {
        name: String::new(),
        table: table.name.to_owned(),
        columns: columns.map(ordered).collect(),
        unique: true,
        where_null: None,
    }
}

fn key(entity: &Entity, dialect: Dialect) -> Vec<KeyColumn> {
    let columns = entity.key.iter().filter_map(|number| entity.column(*number));
    columns
        .map(|column| KeyColumn {
            name: column.name.clone(),
            ty: ddl::column_type(column).render(dialect).to_owned(),
            masked: column.masked,
        })
        .collect()
}
