//! Statements in their order, and the files that they come in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use prism_schema::sql::Dialect;
use prism_schema::sql::alter::Change as Alter;
use prism_schema::sql::ddl;

use super::change::{Change, Kind, Level};
use super::lock::Lock;
use super::rewrites::{self, Planned};
use super::table::Table;
use super::types::Names;
use super::{MigrationFile, postgres, sqlite, squawk};

/// A statement and the changes of the schema that cause it.
pub(super) struct Statement {
    causes: Vec<String>,
    pub change: Alter,
}

impl Statement {
    pub fn new(causes: Vec<String>, change: Alter) -> Self {
        Statement { causes, change }
    }

    fn created(&self) -> Option<&ddl::Step> {
        match &self.change {
            Alter::Create(step) => Some(step),
            _ => None,
        }
    }

    fn render(&self, dialect: Dialect) -> String {
        let causes: String = self.causes.iter().map(|cause| format!("-- {cause}\n")).collect();
        let exceptions = match dialect {
            Dialect::Postgres => squawk::exceptions(&self.change),
            Dialect::Sqlite => String::new(),
        };
        causes + &exceptions + &self.change.render(dialect)
    }
}

/// Part of a migration that is committed on its own, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Stops where the rows that are there do not fit.
    Check,
    /// Names that other columns get are taken away.
    Free,
    /// Servers notice that they are.
    Pause,
    /// Tables and columns.
    Change,
    /// New values.
    Fill,
    /// Values written anew, by Prism's migrator.
    Rewrite,
    /// Constraints on what is written from now on.
    Restrict,
    /// The same on what is there.
    Validate,
    /// NOT NULL.
    Tighten,
    /// New indexes.
    Index,
    /// Old indexes.
    DropIndex,
    /// What nothing uses any more, and final names.
    Finish,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Check => "check",
            Phase::Free => "free names",
            Phase::Pause => "pause",
            Phase::Change => "change",
            Phase::Fill => "fill",
            Phase::Rewrite => "rewrite",
            Phase::Restrict => "restrict",
            Phase::Validate => "validate",
            Phase::Tighten => "tighten",
            Phase::Index => "index",
            Phase::DropIndex => "drop_index",
            Phase::Finish => "finish",
        }
    }

    /// How long a statement may run in Postgres; those that visit every row may run longer.
    fn statement_timeout(self) -> &'static str {
        match self {
            Phase::Check | Phase::Validate => "1h",
            _ => "60s",
        }
    }
}

/// The statements of one dialect.
#[derive(Default)]
pub(super) struct Steps {
    together: BTreeMap<Phase, Vec<Statement>>,
    alone: BTreeMap<Phase, Vec<Statement>>,
    /// By table: a table has the same number in both dialects.
    rewrites: BTreeMap<String, Planned>,
}

impl Steps {
    /// Adds to the phase's transaction.
    pub fn push(&mut self, phase: Phase, statement: Statement) {
        self.together.entry(phase).or_default().push(statement);
    }

    /// Waits for servers to notice that names are gone; once is enough for all.
    pub fn pause(&mut self) {
        let cause = "a server that has used a name until now must not mean another column by it";
        let pause = Statement::new(vec![cause.to_owned()], Alter::Pause);
        self.together.insert(Phase::Pause, vec![pause]);
    }

    /// Adds a statement that no transaction may hold.
    pub fn alone(&mut self, phase: Phase, causes: Vec<String>, change: Alter) {
        self.alone.entry(phase).or_default().push(Statement::new(causes, change));
    }
}

/// The migrations from one state to the next. Their versions go on after `newest`, and one number
/// means the same in both dialects: where a dialect has nothing to do, it skips the number.
///
/// # Errors
///
/// Stored values that would have to be converted between types that do not go together.
pub(super) fn migrations(
    old: &Lock,
    new: &Lock,
    changes: &[Change],
    newest: i64,
    descriptor_set: &[u8],
) -> Result<Vec<MigrationFile>, String> {
    let mut plans = Vec::new();
    for dialect in Dialect::ALL {
        plans.push((dialect, plan(old, new, changes, dialect, descriptor_set)?));
    }
    let subject = subject(new, changes);
    let accepted = accepted(changes);
    let mut files = Vec::new();
    let mut version = newest;
    for phase in PHASES {
        if phase == Phase::Rewrite {
            rewritten(&plans, &accepted, &mut version, &mut files);
        }
        let transaction =
            |steps: &Steps| steps.together.get(&phase).is_some_and(|it| !it.is_empty());
        if plans.iter().any(|(_, steps)| transaction(steps)) {
            version += 1;
            for (dialect, steps) in plans.iter().filter(|(_, steps)| transaction(steps)) {
                let statements = steps.together.get(&phase).map(Vec::as_slice).unwrap_or_default();
                let sql = together(*dialect, phase, statements, &accepted);
                let description = format!("{} {subject}", phase.name().replace('_', " "));
                files.push(MigrationFile { dialect: *dialect, version, description, sql });
            }
        }
        for (dialect, steps) in &plans {
            for statement in steps.alone.get(&phase).into_iter().flatten() {
                version += 1;
                let description = format!("{} {subject}", phase.name().replace('_', " "));
                let sql = alone(*dialect, statement);
                files.push(MigrationFile { dialect: *dialect, version, description, sql });
            }
        }
    }
    if files.is_empty() && !accepted.is_empty() {
        // What was accepted is on record, also where the tables stay as they are.
        let record = |dialect| MigrationFile {
            dialect,
            version: newest + 1,
            description: format!("accept {subject}"),
            sql: format!("{HEADER}{accepted}\n-- The tables stay as they are.\n"),
        };
        files.extend(Dialect::ALL.map(record));
    }
    Ok(files)
}

/// The rewriting copies, a table after the other.
fn rewritten(
    plans: &[(Dialect, Steps)],
    accepted: &str,
    version: &mut i64,
    files: &mut Vec<MigrationFile>,
) {
    let tables: BTreeSet<&String> =
        plans.iter().flat_map(|(_, steps)| steps.rewrites.keys()).collect();
    for table in tables {
        *version += 1;
        for (dialect, steps) in plans {
            let Some(Planned { causes, rewrite }) = steps.rewrites.get(table) else { continue };
            let causes: String = causes.iter().map(|cause| format!("-- {cause}\n")).collect();
            let comments = format!(
                "{HEADER}{accepted}\n\
                 -- Values written anew in batches, beside those in use: `prism migrate apply`, or\n\
                 -- a server with --migrate, does it, and no other tool can.\n\n{causes}"
            );
            files.push(MigrationFile {
                dialect: *dialect,
                version: *version,
                description: format!("rewrite {}", table.to_lowercase().replace('_', " ")),
                sql: rewrite.render(&comments),
            });
        }
    }
}

const PHASES: [Phase; 12] = [
    Phase::Check,
    Phase::Free,
    Phase::Pause,
    Phase::Change,
    Phase::Fill,
    Phase::Rewrite,
    Phase::Restrict,
    Phase::Validate,
    Phase::Tighten,
    Phase::Index,
    Phase::DropIndex,
    Phase::Finish,
];

pub(super) const HEADER: &str =
    "-- @generated by prism migrate diff. Do not edit: the database remembers its checksum.\n";

fn together(dialect: Dialect, phase: Phase, statements: &[Statement], accepted: &str) -> String {
    let mut sql = format!("{HEADER}{accepted}");
    if dialect == Dialect::Postgres {
        sql += &squawk::of_file(statements.iter().filter_map(Statement::created));
        let _ = write!(
            sql,
            "\n-- Gives up instead of queueing behind, or in front of, other sessions.\n\
             SET LOCAL lock_timeout = '5s';\nSET LOCAL statement_timeout = '{}';\n",
            phase.statement_timeout()
        );
    }
    for statement in statements {
        let _ = write!(sql, "\n{}\n", statement.render(dialect));
    }
    sql
}

/// sqlx's marker has to come first.
fn alone(dialect: Dialect, statement: &Statement) -> String {
    format!("-- no-transaction\n{HEADER}\n{}\n", statement.render(dialect))
}

/// The codes that were accepted, as comments.
fn accepted(changes: &[Change]) -> String {
    let accepted = changes.iter().filter(|change| change.level == Level::Confirm);
    accepted.map(|change| format!("-- accepted: {}\n", change.code())).collect()
}

/// What the migrations are about, for their names.
fn subject(new: &Lock, changes: &[Change]) -> String {
    let mut namespaces: Vec<&str> =
        changes.iter().map(|change| change.namespace.as_str()).collect();
    namespaces.dedup();
    match namespaces.as_slice() {
        [one] => match new.entities.get(*one) {
            Some(entity) => entity.schema.table.to_lowercase().replace('_', " "),
            None => one.replace('-', " "),
        },
        _ => "schema".to_owned(),
    }
}

fn plan(
    old: &Lock,
    new: &Lock,
    changes: &[Change],
    dialect: Dialect,
    descriptor_set: &[u8],
) -> Result<Steps, String> {
    let mut steps = Steps::default();
    for change in changes {
        let create = |entity| ddl::create(entity).into_iter().map(Alter::Create).collect();
        let (phase, alters): (Phase, Vec<Alter>) = match change.kind {
            Kind::EntityAdded => match new.entities.get(&change.namespace) {
                Some(entity) => (Phase::Change, create(&entity.schema)),
                None => continue,
            },
            Kind::EntityRemoved => match old.entities.get(&change.namespace) {
                Some(entity) => {
                    (Phase::Finish, vec![Alter::DropTable(entity.schema.table.clone())])
                }
                None => continue,
            },
            _ => continue,
        };
        // SQLite needs no second transaction.
        let phase = if dialect == Dialect::Sqlite { Phase::Change } else { phase };
        for alter in alters {
            steps.push(phase, Statement::new(vec![change.cause.clone()], alter));
        }
    }
    for (namespace, before) in &old.entities {
        let Some(after) = new.entities.get(namespace) else { continue };
        let mut table = Table::new(&before.schema, &after.schema, changes);
        table.retired_names = &before.retired_names;
        for refused in &table.refused {
            let alter = Alter::Refuse {
                table: table.name.to_owned(),
                reason: refused.reason.clone(),
                rows: refused.rows.clone(),
            };
            steps.push(Phase::Check, Statement::new(vec![refused.cause.clone()], alter));
        }
        let types = rewrites::types(&table, descriptor_set, &Names { old, new })?;
        let rewrite = match dialect {
            Dialect::Postgres => {
                postgres::table(&table, &mut steps);
                rewrites::postgres(&table, types)
            }
            Dialect::Sqlite => {
                for statement in sqlite::table(&table) {
                    steps.push(Phase::Change, statement);
                }
                rewrites::sqlite(&table, types)
            }
        };
        steps.rewrites.extend(rewrite.map(|planned| (table.name.to_owned(), planned)));
    }
    Ok(steps)
}
