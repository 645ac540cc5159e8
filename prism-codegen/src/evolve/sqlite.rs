//! SQLite's way to a new schema: `ALTER TABLE` where it can, else the documented rebuild: a new
//! table, the rows copied, the old one dropped, the new one renamed.

use prism_schema::sql::Dialect;
use prism_schema::sql::alter::{Change as Alter, ColumnChange, Source};
use prism_schema::sql::ddl::{Step, TableColumn};

use super::renames;
use super::steps::Statement;
use super::table::Table;

/// The statements that change one table, to be run in one transaction; none where a rewriting copy
/// does it all.
pub(super) fn table(table: &Table<'_>) -> Vec<Statement> {
    if table.is_rewritten() {
        return Vec::new();
    }
    if needs_rebuild(table) { rebuild(table) } else { alter(table) }
}

fn needs_rebuild(table: &Table<'_>) -> bool {
    let unset = |column: &TableColumn| {
        !column.nullable && column.default_clause(Dialect::Sqlite).is_empty()
    };
    table.columns.iter().any(|column| {
        let added = column.old.is_none() && column.new.as_ref().is_some_and(unset);
        column.redefined() || column.computed() || added
    })
}

/// A rebuild by statements: the new table, what the columns that are copied hold, what comes after
/// the copy.
pub(super) struct Rebuild {
    pub causes: Vec<String>,
    pub create: Step,
    pub name: String,
    pub copied: Vec<(String, Source)>,
    pub finish: Vec<Statement>,
}

fn rebuild(table: &Table<'_>) -> Vec<Statement> {
    let Some(Rebuild { causes, create, name, copied, finish }) = plan_rebuild(table) else {
        return Vec::new();
    };
    let copy = Alter::Copy { from: table.name.to_owned(), to: name, columns: copied };
    let mut statements = vec![Statement::new(causes, Alter::Create(create))];
    statements.push(Statement::new(Vec::new(), copy));
    statements.extend(finish);
    statements
}

pub(super) fn plan_rebuild(table: &Table<'_>) -> Option<Rebuild> {
    let mut causes: Vec<String> = Vec::new();
    for column in table.columns.iter().filter(|column| !unchanged(column)) {
        causes.extend(column.causes.iter().cloned());
    }
    causes.dedup();
    let Some(Step::CreateTable { columns, key, .. }) = table.create() else { return None };
    let name = format!("_prism_new_{}", table.name);
    let sources = |name: &str| -> Option<Source> {
        let of = |column: &TableColumn| column.name == name;
        let column = table.columns.iter().find(|it| it.new.as_ref().is_some_and(of))?;
        column.source.clone()
    };
    let copied = columns
        .iter()
        .filter_map(|column| Some((column.name.clone(), sources(&column.name)?)))
        .collect();
    let create = Step::CreateTable { table: name.clone(), columns, key };
    let old = table.name.to_owned();
    let from = name.clone();
    let rest = [Alter::DropTable(old.clone()), Alter::RenameTable { from, to: old }];
    let mut finish: Vec<_> = rest.map(|change| Statement::new(Vec::new(), change)).into();
    for index in &table.indexes {
        let step = index.new.clone().map(Alter::Create);
        // An index that nothing else changes goes with the old table.
        let own = if index.causes.is_empty() { &causes } else { &index.causes };
        finish.extend(step.map(|step| Statement::new(own.clone(), step)));
    }
    Some(Rebuild { causes, create, name, copied, finish })
}

fn unchanged(column: &super::table::TableChange) -> bool {
    column.old == column.new && !column.computed()
}

fn alter(table: &Table<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    let text = |step: &Step| step.render(Dialect::Sqlite);
    let column = |change| Alter::Column { table: table.name.to_owned(), change };
    // The database renames the columns of an index along.
    let renamed: Vec<(String, String)> = renames::of(table);
    let follow = |step: &Step| text(&renames::apply(step, &renamed));
    let (mut dropped, mut created) = (Vec::new(), Vec::new());
    for index in &table.indexes {
        let stays = match (&index.old, &index.new) {
            (Some(old), Some(new)) => follow(old) == text(new),
            _ => false,
        };
        if stays {
            continue;
        }
        dropped.extend(index.old.iter().map(|step| {
            let name = renames::index_name(step).to_owned();
            Statement::new(index.causes.clone(), Alter::DropIndex(name))
        }));
        created.extend(
            index
                .new
                .iter()
                .map(|step| Statement::new(index.causes.clone(), Alter::Create(step.clone()))),
        );
    }
    statements.extend(dropped);
    for it in &table.columns {
        if let (Some(old), None) = (&it.old, &it.new) {
            let change = column(ColumnChange::Drop(old.name.clone()));
            statements.push(Statement::new(it.causes.clone(), change));
        }
    }
    let steps = renames::order(table, &renamed);
    statements.extend(steps.into_iter().map(|(causes, from, to)| {
        Statement::new(causes, column(ColumnChange::Rename { from, to }))
    }));
    for it in &table.columns {
        if let (None, Some(new)) = (&it.old, &it.new) {
            let change = column(ColumnChange::Add(new.clone()));
            statements.push(Statement::new(it.causes.clone(), change));
        }
    }
    statements.extend(created);
    statements
}
