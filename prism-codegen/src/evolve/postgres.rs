//! PostgreSQL's way to a new schema: nothing that scans or writes a table holds a lock that other
//! sessions wait for, and what is dropped is dropped last.

use prism_schema::sql::alter::{Change as Alter, ColumnChange, Source};
use prism_schema::sql::prefixed;

use super::renames;
use super::rewrites::copied_indexes;
use super::steps::{Phase, Statement, Steps};
use super::table::{Table, TableChange};

/// The statements that change one table, by phase.
pub(super) fn table(table: &Table<'_>, steps: &mut Steps) {
    columns(table, steps);
    indexes(table, steps);
}

fn columns(table: &Table<'_>, steps: &mut Steps) {
    let column = |change| Alter::Column { table: table.name.to_owned(), change };
    let mut renamed = renames::of(table);
    // A column that goes last must not stand in the way of one that comes first.
    let mut dropped = Vec::new();
    for it in table.columns.iter().filter(|it| it.new.is_none()) {
        let Some(old) = &it.old else { continue };
        let taken = table.columns.iter().filter_map(|other| other.new.as_ref());
        let in_the_way = taken.into_iter().any(|new| new.name == old.name);
        let name = match in_the_way {
            true => {
                let aside = format!("_prism_old_{}", dropped.len() + 1);
                renamed.push((old.name.clone(), aside.clone()));
                aside
            }
            false => old.name.clone(),
        };
        dropped.push(Statement::new(it.causes.clone(), column(ColumnChange::Drop(name))));
    }
    let added =
        || table.columns.iter().filter(|it| it.old.is_none()).filter_map(|it| it.new.as_ref());
    let given = renamed.iter().map(|(_, to)| to).chain(added().map(|column| &column.name));
    if given.into_iter().any(|name| renames::was_taken(table, name)) {
        steps.pause();
    }
    for (causes, from, to) in renames::order(table, &renamed) {
        let free = renames::is_temporary(&to) || added().any(|column| column.name == from);
        let phase = if free { Phase::Free } else { Phase::Change };
        let rename = column(ColumnChange::Rename { from, to });
        steps.push(phase, Statement::new(causes, rename));
    }
    for it in &table.columns {
        match (&it.old, &it.new) {
            (None, Some(new)) => {
                let add = column(ColumnChange::Add(new.clone()));
                steps.push(Phase::Change, Statement::new(it.causes.clone(), add));
                if let Some(value) = it.source.clone().filter(|value| *value != Source::Now) {
                    let value = current(value, &renamed);
                    let name = new.name.clone();
                    fill(table, it, value.clone(), steps);
                    // Rows that were written since; what they come from may be dropped then.
                    let again = column(ColumnChange::Fill { column: name, value });
                    steps.push(Phase::Finish, Statement::new(it.causes.clone(), again));
                }
            }
            (Some(_), Some(_)) => changed(table, it, steps),
            _ => {}
        }
    }
    dropped.into_iter().for_each(|statement| steps.push(Phase::Finish, statement));
}

/// A source by the names after the renames.
fn current(source: Source, renamed: &[(String, String)]) -> Source {
    source.over(|name| {
        let found = renamed.iter().find(|(from, _)| *from == name);
        found.map(|(_, to)| to.clone()).unwrap_or(name)
    })
}

/// A column that stays, once it has its new name.
fn changed(table: &Table<'_>, it: &TableChange, steps: &mut Steps) {
    let (Some(old), Some(new)) = (&it.old, &it.new) else { return };
    let name = new.name.clone();
    let push = |steps: &mut Steps, phase, change| {
        let change = Alter::Column { table: table.name.to_owned(), change };
        steps.push(phase, Statement::new(it.causes.clone(), change));
    };
    match &it.source {
        Some(Source::OrZero(_, ty, zero)) => {
            let value = Source::OrZero(name.clone(), *ty, *zero);
            push(steps, Phase::Change, ColumnChange::SetDefault(new.clone()));
            fill(table, it, value.clone(), steps);
            push(steps, Phase::Restrict, ColumnChange::CheckNotNull(name.clone()));
            // Rows that were written between the first and the check.
            let again = ColumnChange::Fill { column: name.clone(), value };
            push(steps, Phase::Validate, again);
            push(steps, Phase::Validate, ColumnChange::ValidateNotNull(name.clone()));
            push(steps, Phase::Tighten, ColumnChange::SetNotNull(name));
        }
        source if !old.nullable && new.nullable => {
            push(steps, Phase::Change, ColumnChange::Loosen(name.clone()));
            if let Some(Source::ZeroAsNull(_, ty, zero)) = source {
                fill(table, it, Source::ZeroAsNull(name, *ty, *zero), steps);
            }
        }
        _ => {}
    }
}

/// New values in the rows that need one, however many these are.
fn fill(table: &Table<'_>, it: &TableChange, value: Source, steps: &mut Steps) {
    let Some(new) = &it.new else { return };
    let key = table.new.key.iter().filter_map(|number| table.new.column(*number));
    let change = Alter::FillInBatches {
        table: table.name.to_owned(),
        key: key.map(|column| column.name.clone()).collect(),
        column: new.name.clone(),
        value,
    };
    steps.alone(Phase::Fill, it.causes.clone(), change);
}

fn indexes(table: &Table<'_>, steps: &mut Steps) {
    let renamed = renames::of(table);
    let copied = copied_indexes(table);
    let taken: Vec<&str> = table
        .indexes
        .iter()
        .filter_map(|index| index.old.as_ref().map(renames::index_name))
        .collect();
    let mut later = Vec::new();
    for index in &table.indexes {
        let causes = || index.causes.clone();
        let old = index.old.as_ref().map(|step| renames::apply(step, &renamed));
        let same = match (&old, &index.new) {
            (Some(old), Some(new)) => renames::same(old, new),
            _ => false,
        };
        let copy = index.new.as_ref().and_then(|new| copied.iter().find(|(it, _)| it == new));
        let name = |step| renames::index_name(step).to_owned();
        match (&old, &index.new) {
            (Some(old), Some(new)) if same => {
                if let Some((_, built)) = copy {
                    let mut causes = causes();
                    if causes.is_empty() {
                        causes = table.causes_of_rewrite();
                    }
                    later.push((causes, built.clone(), name(new)));
                    continue;
                }
                if name(old) != name(new) {
                    later.push((causes(), name(old), name(new)));
                }
            }
            (old, new) => {
                if let Some(step) = new {
                    let mut built = name(step);
                    if taken.contains(&built.as_str()) {
                        built = prefixed(&format!("_prism_new_{}_", later.len() + 1), table.name);
                        later.push((causes(), built.clone(), name(step)));
                    }
                    let step = renames::with_name(step, &built);
                    steps.alone(Phase::Index, causes(), Alter::DropIndexConcurrently(built));
                    steps.alone(Phase::Index, causes(), Alter::CreateIndexConcurrently(step));
                }
                if let Some(old) = old {
                    let drop = Alter::DropIndexConcurrently(name(old));
                    steps.alone(Phase::DropIndex, causes(), drop);
                }
            }
        }
    }
    let names: Vec<(String, String)> =
        later.iter().map(|(_, from, to)| (from.clone(), to.clone())).collect();
    for (origin, from, to) in
        renames::plan(&names, |position| prefixed(&format!("_prism_index_{position}_"), table.name))
    {
        let causes = later.iter().find(|(_, from, _)| *from == origin);
        let causes = causes.map(|(causes, ..)| causes.clone()).unwrap_or_default();
        steps.push(Phase::Finish, Statement::new(causes, Alter::RenameIndex { from, to }));
    }
}
