//! Namespaces that are not declared: how many there may be.
//!
//! A namespace has a place from its first write on until nothing is stored in it any more, not even
//! a delete that is remembered. Proxies remember for a [`LEASE`] that a namespace has its place, so
//! that not every write has to look, and the table says when one has looked last. A sweep gives
//! back places that are empty and that no proxy has looked up for [`UNUSED`], which is longer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::connection::Connection;
use super::database::Transact;
use super::error::Failure;
use crate::store::keyvalue::{Target, too_many_namespaces};

const MINUTE: i64 = 60 * 1_000_000;

/// For how long a proxy writes to a namespace without another look, in microseconds.
const LEASE: i64 = 10 * MINUTE;

/// For how long nobody has looked a namespace up whose place is given back, in microseconds: a
/// lease, and more than clocks differ and a write takes.
const UNUSED: i64 = 30 * MINUTE;

/// Notes a look, where the namespaces have their places. Answers which do.
const USE: &str = "
    UPDATE kv_namespaces SET used_at = greatest(used_at, $2) WHERE namespace = ANY($1)
    RETURNING namespace";

/// The same, without those that another transaction has locked.
const USE_FREE: &str = "
    UPDATE kv_namespaces SET used_at = greatest(used_at, $2) WHERE namespace IN
        (SELECT namespace FROM kv_namespaces WHERE namespace = ANY($1) FOR UPDATE SKIP LOCKED)
    RETURNING namespace";

/// Removes what is empty. One look into the index for each namespace: a join would read all items.
const GIVE_BACK: &str = "
    DELETE FROM kv_namespaces AS known WHERE namespace <> '' AND used_at < $1 AND
        (SELECT 1 FROM kv_items AS item WHERE item.namespace = known.namespace LIMIT 1) IS NULL
    RETURNING namespace";

/// Undeclared namespaces that have their places, with when that was looked up.
#[derive(Debug, Default)]
pub(super) struct Admitted(Mutex<HashMap<Arc<str>, i64>>);

impl Admitted {
    /// Whether a write to the record needs no admission. `now` is in microseconds.
    pub(super) fn knows(&self, target: &Target, now: i64) -> bool {
        if target.max_namespaces.is_none() {
            return true;
        }
        let looked_up = self.lock().get(&target.namespace).copied();
        // Clocks differ from call to call, and may go back.
        looked_up.is_some_and(|at| (-LEASE..LEASE).contains(&now.saturating_sub(at)))
    }

    /// What has admitted the record's namespace, or noted a look, has been committed.
    pub(super) fn learn(&self, target: &Target, now: i64) {
        if target.max_namespaces.is_some() {
            self.lock().insert(Arc::clone(&target.namespace), now);
        }
    }

    /// Forgets namespaces whose places were given back.
    pub(super) fn forget(&self, namespaces: &[String]) {
        let mut known = self.lock();
        for namespace in namespaces {
            known.remove(namespace.as_str());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, i64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Admits the namespace of a record, as a transaction.
pub(super) struct Admission<'a> {
    admitted: &'a Admitted,
    target: Target,
    now: i64,
}

impl<'a> Admission<'a> {
    pub(super) fn new(admitted: &'a Admitted, target: Target, now: i64) -> Self {
        Admission { admitted, target, now }
    }
}

impl Transact for Admission<'_> {
    type Output = ();

    async fn run(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        admit(connection, &self.target, self.now).await
    }

    fn committed(&self) {
        self.admitted.learn(&self.target, self.now);
    }
}

/// Refuses a first write to an undeclared namespace beyond the number allowed, and notes the look
/// at one that has its place.
pub(super) async fn admit(
    connection: &mut Connection,
    target: &Target,
    now: i64,
) -> Result<(), Failure> {
    let Some(max) = target.max_namespaces else { return Ok(()) };
    let this = [&*target.namespace];
    if !look_up(connection, &this, now).await?.is_empty() {
        return Ok(());
    }
    // Whoever adds a namespace waits here for whoever else does.
    let turn = "SELECT 1 FROM kv_namespaces WHERE namespace = '' FOR UPDATE";
    sqlx::query(turn).execute(&mut *connection).await?;
    if !look_up(connection, &this, now).await?.is_empty() {
        return Ok(());
    }
    let count = "SELECT count(*) FROM kv_namespaces WHERE namespace <> ''";
    let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *connection).await?;
    if count.unsigned_abs() >= max {
        return Err(too_many_namespaces(max).into());
    }
    let insert = sqlx::query("INSERT INTO kv_namespaces (namespace, used_at) VALUES ($1, $2)");
    insert.bind(&*target.namespace).bind(now).execute(connection).await?;
    Ok(())
}

/// Which of these namespaces have their places: that is noted.
pub(super) async fn look_up(
    connection: &mut Connection,
    namespaces: &[&str],
    now: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(USE).bind(namespaces).bind(now).fetch_all(connection).await
}

/// The same for namespaces that are not locked: it waits for no lock.
pub(super) async fn look_up_free(
    connection: &mut Connection,
    namespaces: &[&str],
    now: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(USE_FREE).bind(namespaces).bind(now).fetch_all(connection).await
}

/// Whether a namespace has its place. It keeps it for as long as something is stored in it.
pub(super) async fn is_known(connection: &mut Connection, target: &Target) -> sqlx::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM kv_namespaces WHERE namespace = $1)";
    sqlx::query_scalar(sql).bind(&*target.namespace).fetch_one(connection).await
}

/// Gives back the places of namespaces in which nothing is stored. Answers which those were.
pub(super) async fn give_back(
    connection: &mut Connection,
    before: i64,
) -> sqlx::Result<Vec<String>> {
    let before = before.saturating_sub(UNUSED);
    sqlx::query_scalar(GIVE_BACK).bind(before).fetch_all(connection).await
}
