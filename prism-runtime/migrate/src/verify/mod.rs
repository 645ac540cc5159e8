//! A live database against the model.
//!
//! What a database should have is not described here a second time: it is what the steps of
//! [`prism_schema::sql::ddl`] make of an entity in a fresh one.

mod compare;
mod difference;
mod live;

pub use difference::{Difference, Kind, Severity};
pub(crate) use live::{Column, Index, Part, Table};

use prism_schema::Entity;
use prism_schema::sql::Dialect;

use crate::check::{Plans, Status};
use crate::{Error, own};

/// The tables to look at.
pub(crate) fn tables<'a>(entities: &[&'a Entity], dialect: Dialect) -> Vec<&'a str> {
    let mut names: Vec<&str> = entities.iter().map(|entity| entity.table.as_str()).collect();
    names.extend(own::tables(dialect));
    names
}

/// Compares what a look at a database found, by table.
pub(crate) fn differences(
    entities: &[&Entity],
    dialect: Dialect,
    found: impl Fn(&str) -> Option<Table>,
) -> Vec<Difference> {
    let missing = own::tables(dialect).iter().filter(|name| found(name).is_none());
    let missing =
        missing.map(|name| Difference { table: (*name).to_owned(), kind: Kind::MissingTable });
    let of_entity =
        |entity: &&Entity| compare::entity(entity, dialect, found(&entity.table).as_ref());
    missing.chain(entities.iter().flat_map(of_entity)).collect()
}

/// Whether a server can serve a database: one that is as the model says, or ahead of it by
/// changes that the server need not know.
///
/// # Errors
///
/// Where calls would fail or read something else than what was written.
pub(crate) fn admit(
    database: &str,
    plans: &Plans<'_>,
    differences: &[Difference],
) -> Result<(), Error> {
    let ahead: Vec<&Status<'_>> = plans.own.ahead.iter().chain(&plans.users.ahead).collect();
    if let Some(newest) = ahead.last() {
        can_serve(plans, differences).map_err(|reason| Error::Ahead {
            database: database.to_owned(),
            migration: newest.title(),
            reason,
        })?;
        tracing::warn!(
            database,
            migration = %newest.title(),
            "the database is ahead of this server, which can serve it all the same"
        );
    } else {
        let fatal = differences.iter().filter(|it| it.severity() == Severity::Fatal);
        let differences: Vec<Difference> = fatal.cloned().collect();
        if !differences.is_empty() {
            return Err(Error::Differs { database: database.to_owned(), differences });
        }
    }
    for difference in differences {
        match difference.severity() {
            Severity::Notice => tracing::debug!(database, "{difference}"),
            _ => tracing::warn!(database, "the database differs from the schema: {difference}"),
        }
    }
    Ok(())
}

/// Whether a server can serve a database that a newer one has migrated: everything that its model
/// needs is there and means the same, and none of its writes fails.
///
/// # Errors
///
/// What it cannot read, or why it cannot write.
pub fn can_serve(plans: &Plans<'_>, differences: &[Difference]) -> Result<(), String> {
    if !plans.own.ahead.is_empty() {
        return Err("Prism's own tables are those of a newer version".to_owned());
    }
    if let Some(pending) = plans.outstanding().next() {
        let title = pending.title();
        return Err(format!("its history is another one, as migration {title} is not in it"));
    }
    let rewritten = plans.users.ahead.iter().find(|status| status.is_rewrite());
    if let Some(rewritten) = rewritten {
        return Err(format!("migration {} wrote values in another encoding", rewritten.title()));
    }
    let renamed = plans.users.ahead.iter().find(|status| status.gives_names_away());
    if let Some(renamed) = renamed {
        let title = renamed.title();
        return Err(format!("after migration {title} columns have names that others had before"));
    }
    let fatal: Vec<String> = differences
        .iter()
        .filter(|it| it.severity() == Severity::Fatal && !it.kind.is_bearable_ahead())
        .map(ToString::to_string)
        .collect();
    if fatal.is_empty() { Ok(()) } else { Err(fatal.join("; ")) }
}
