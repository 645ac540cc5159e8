//! Renames that may go round in a circle.

use prism_schema::sql::Dialect;
use prism_schema::sql::ddl::Step;

use super::table::Table;

/// Whether a column is between two names, or about to be dropped: those are names of Prism's own.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with("_prism_")
}

/// Whether a name may be known to servers as that of another column: it is now, or was. What
/// columns were called that had names other than their fields' is not on record.
pub(super) fn was_taken(table: &Table<'_>, name: &str) -> bool {
    let has = |column: &super::table::TableChange| {
        column.old.as_ref().is_some_and(|old| old.name.eq_ignore_ascii_case(name))
    };
    table.columns.iter().any(has) || table.retired_names.iter().any(|it| it == name)
}

/// The columns of a table that are called otherwise afterwards: old and new name.
pub(super) fn of(table: &Table<'_>) -> Vec<(String, String)> {
    let pairs = table.columns.iter().filter_map(|column| {
        let (old, new) = (column.old.as_ref()?, column.new.as_ref()?);
        (old.name != new.name).then(|| (old.name.clone(), new.name.clone()))
    });
    pairs.collect()
}

/// The renames one after the other, with their causes: a name that is still taken is reached by
/// way of another one.
pub(super) fn order(
    table: &Table<'_>,
    renamed: &[(String, String)],
) -> Vec<(Vec<String>, String, String)> {
    let causes = |from: &str| {
        let of = |column: &&super::table::TableChange| {
            column.old.as_ref().is_some_and(|old| old.name == from)
        };
        table.columns.iter().find(of).map(|column| column.causes.clone()).unwrap_or_default()
    };
    plan(renamed, |position| format!("_prism_column_{position}"))
        .into_iter()
        .map(|(origin, from, to)| (causes(&origin), from, to))
        .collect()
}

/// Renames as origin, from, to: first those whose target is taken step aside, then the direct
/// ones, then the last leg of the first.
pub(super) fn plan(
    renamed: &[(String, String)],
    temporary: impl Fn(usize) -> String,
) -> Vec<(String, String, String)> {
    let taken = |to: &str| renamed.iter().any(|(from, _)| from.eq_ignore_ascii_case(to));
    let (mut aside, mut direct, mut last) = (Vec::new(), Vec::new(), Vec::new());
    for (position, (from, to)) in renamed.iter().enumerate() {
        if taken(to) {
            let between = temporary(position + 1);
            aside.push((from.clone(), from.clone(), between.clone()));
            last.push((from.clone(), between, to.clone()));
        } else {
            direct.push((from.clone(), from.clone(), to.clone()));
        }
    }
    aside.extend(direct);
    aside.extend(last);
    aside
}

/// An index after the renames of its columns.
pub(super) fn apply(step: &Step, renamed: &[(String, String)]) -> Step {
    let to = |name: &str| renamed.iter().find(|(from, _)| from == name).map(|(_, to)| to.clone());
    map(step, |name| to(name))
}

/// An index with other names for some of its columns.
pub(super) fn map(step: &Step, other: impl Fn(&str) -> Option<String>) -> Step {
    let mut step = step.clone();
    let now = |name: &mut String| {
        if let Some(to) = other(name) {
            *name = to;
        }
    };
    if let Step::CreateIndex { columns, where_null, .. } = &mut step {
        columns.iter_mut().for_each(|column| now(&mut column.name));
        where_null.iter_mut().for_each(now);
    }
    step
}

/// Whether an index, once its columns are renamed, is another one but for its name.
pub(super) fn same(renamed: &Step, other: &Step) -> bool {
    let named = with_name(renamed, index_name(other));
    named.render(Dialect::Postgres) == other.render(Dialect::Postgres)
}

/// The name of an index.
pub(super) fn index_name(step: &Step) -> &str {
    match step {
        Step::CreateTable { table: name, .. } | Step::CreateIndex { name, .. } => name,
    }
}

/// The same index under another name.
pub(super) fn with_name(step: &Step, other: &str) -> Step {
    let mut step = step.clone();
    if let Step::CreateIndex { name, .. } = &mut step {
        other.clone_into(name);
    }
    step
}
