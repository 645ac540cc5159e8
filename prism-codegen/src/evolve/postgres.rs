//! PostgreSQL's way to a new schema: nothing that scans or writes a table holds a lock that other
//! sessions wait for, and what is dropped is dropped last.

use prism_schema::sql::Dialect;
use prism_schema::sql::alter::{Change as Alter, ColumnChange, Source};

use super::renames;
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
    if renamed.iter().any(|(_, to)| renames::was_taken(table, to)) {
        steps.pause();
    }
    for (causes, from, to) in renames::order(table, &renamed) {
        let phase = if renames::is_temporary(&to) { Phase::Free } else { Phase::Change };
        let rename = column(ColumnChange::Rename { from, to });
        steps.push(phase, Statement::new(causes, rename));
    }
    for it in &table.columns {
        let mut push = |phase, change| {
            steps.push(phase, Statement::new(it.causes.clone(), column(change)));
        };
        match (&it.old, &it.new) {
            (None, Some(new)) => {
                push(Phase::Change, ColumnChange::Add(new.clone()));
                if let Some(value) = it.source.clone().filter(|value| *value != Source::Now) {
                    let value = current(value, &renamed);
                    push(Phase::Fill, ColumnChange::Fill { column: new.name.clone(), value });
                }
            }
            (Some(_), Some(_)) => changed(it, &mut push),
            _ => {}
        }
    }
    dropped.into_iter().for_each(|statement| steps.push(Phase::Finish, statement));
}

/// A source by the names after the renames.
fn current(source: Source, renamed: &[(String, String)]) -> Source {
    let now = |name: String| {
        let found = renamed.iter().find(|(from, _)| *from == name);
        found.map(|(_, to)| to.clone()).unwrap_or(name)
    };
    match source {
        Source::Column(name) => Source::Column(now(name)),
        Source::OrZero(name, ty, zero) => Source::OrZero(now(name), ty, zero),
        Source::ZeroAsNull(name, ty, zero) => Source::ZeroAsNull(now(name), ty, zero),
        Source::Widened(name) => Source::Widened(now(name)),
        Source::Now => Source::Now,
    }
}

/// A column that stays, once it has its new name.
fn changed(it: &TableChange, push: &mut impl FnMut(Phase, ColumnChange)) {
    let (Some(old), Some(new)) = (&it.old, &it.new) else { return };
    let name = new.name.clone();
    let fill = |value: Source| ColumnChange::Fill { column: name.clone(), value };
    match &it.source {
        Some(Source::Widened(_)) => {
            let value = Source::Widened(name.clone());
            push(Phase::Fill, ColumnChange::Rewrite { column: new.clone(), value });
        }
        Some(Source::OrZero(_, ty, zero)) => {
            let value = Source::OrZero(name.clone(), *ty, *zero);
            push(Phase::Change, ColumnChange::SetDefault(new.clone()));
            push(Phase::Fill, fill(value.clone()));
            push(Phase::Restrict, ColumnChange::CheckNotNull(name.clone()));
            // Rows that were written between the first and the check.
            push(Phase::Validate, fill(value));
            push(Phase::Validate, ColumnChange::ValidateNotNull(name.clone()));
            push(Phase::Tighten, ColumnChange::SetNotNull(name.clone()));
        }
        source if !old.nullable && new.nullable => {
            push(Phase::Change, ColumnChange::Loosen(name.clone()));
            if let Some(Source::ZeroAsNull(_, ty, zero)) = source {
                push(Phase::Fill, fill(Source::ZeroAsNull(name.clone(), *ty, *zero)));
            }
        }
        _ => {}
    }
}

fn indexes(table: &Table<'_>, steps: &mut Steps) {
    let renamed = renames::of(table);
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
            (Some(old), Some(new)) => {
                let named = renames::with_name(old, renames::index_name(new));
                named.render(Dialect::Postgres) == new.render(Dialect::Postgres)
            }
            _ => false,
        };
        let name = |step| renames::index_name(step).to_owned();
        match (&old, &index.new) {
            (Some(old), Some(new)) if same => {
                if name(old) != name(new) {
                    later.push((causes(), name(old), name(new)));
                }
            }
            (old, new) => {
                if let Some(step) = new {
                    let mut built = name(step);
                    if taken.contains(&built.as_str()) {
                        built = format!("_prism_new_{}_{}", table.name, later.len() + 1);
                        built.truncate(63);
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
    for (origin, from, to) in renames::plan(&names, &format!("_prism_index_{}", table.name)) {
        let causes = later.iter().find(|(_, from, _)| *from == origin);
        let causes = causes.map(|(causes, ..)| causes.clone()).unwrap_or_default();
        steps.push(Phase::Finish, Statement::new(causes, Alter::RenameIndex { from, to }));
    }
}
