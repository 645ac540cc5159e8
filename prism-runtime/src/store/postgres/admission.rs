//! Namespaces that are not declared: how many there may be.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::Connection;
use super::database::Transact;
use super::error::Failure;
use crate::store::keyvalue::{Target, too_many_namespaces};

/// Undeclared namespaces that are known to have been written to. None is ever forgotten by the
/// database.
#[derive(Debug, Default)]
pub(super) struct Admitted(Mutex<HashSet<Arc<str>>>);

impl Admitted {
    /// Whether a write to the record needs no admission.
    pub(super) fn knows(&self, target: &Target) -> bool {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        target.max_namespaces.is_none() || known().contains(&target.namespace)
    }

    /// A transaction that admitted the record's namespace has been committed.
    pub(super) fn learn(&self, target: &Target) {
        if target.max_namespaces.is_some() {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(Arc::clone(&target.namespace));
        }
    }
}

/// Admits the namespace of a record, as a transaction.
pub(super) struct Admission<'a> {
    admitted: &'a Admitted,
    target: Target,
}

impl<'a> Admission<'a> {
    pub(super) fn new(admitted: &'a Admitted, target: Target) -> Self {
        Admission { admitted, target }
    }
}

impl Transact for Admission<'_> {
    type Output = ();

    async fn run(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        admit(connection, &self.target).await
    }

    fn committed(&self) {
        self.admitted.learn(&self.target);
    }
}

/// Refuses a first write to an undeclared namespace beyond the number allowed.
pub(super) async fn admit(connection: &mut Connection, target: &Target) -> Result<(), Failure> {
    let Some(max) = target.max_namespaces else { return Ok(()) };
    if is_known(connection, target).await? {
        return Ok(());
    }
    // Whoever adds a namespace waits here for whoever else does.
    let turn = "SELECT 1 FROM kv_namespaces WHERE namespace = '' FOR UPDATE";
    sqlx::query(turn).execute(&mut *connection).await?;
    if is_known(connection, target).await? {
        return Ok(());
    }
    let count = "SELECT count(*) FROM kv_namespaces WHERE namespace <> ''";
    let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
    if count.unsigned_abs() >= max {
        return Err(too_many_namespaces(max).into());
    }
    let insert = sqlx::query("INSERT INTO kv_namespaces (namespace) VALUES ($1)");
    insert.bind(&*target.namespace).execute(connection).await?;
    Ok(())
}

async fn is_known(connection: &mut Connection, target: &Target) -> Result<bool, Failure> {
    let sql = "SELECT EXISTS (SELECT 1 FROM kv_namespaces WHERE namespace = $1)";
    Ok(sqlx::query_scalar(sql).bind(&*target.namespace).fetch_one(connection).await?)
}
