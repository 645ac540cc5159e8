//! Deletes and swaps, each a transaction.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::admission::{Admitted, admit, is_known};
use super::connection::Connection;
use super::database::Transact;
use super::error::Failure;
use super::items::{self, Change, LAST_KEY, key_after};
use crate::keyvalue::decide::{self, Current, Reach, Swap};
use crate::keyvalue::selection::Selection;
use crate::memory::charge;
use crate::store::keyvalue::{ItemSwap, RecordDelete, SwapOutcome, Target};

/// Items that a covering delete reads before it writes them.
const CHUNK: usize = 1000;

/// What a write does to a record.
pub(super) trait Operation: Send + Sync + 'static {
    /// What it answers.
    type Output: Send + 'static;

    /// Reads, decides and writes.
    fn run(
        &self,
        record: &mut Record<'_>,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// What it holds.
    fn bytes(&self) -> usize {
        0
    }

    /// Whether it reads more than once what must be of one moment.
    fn is_snapshot(&self) -> bool {
        false
    }

    /// The time of the call, in microseconds.
    fn now(&self) -> i64;
}

/// A write to a record.
pub(super) struct Write<O> {
    target: Target,
    admitted: Arc<Admitted>,
    /// Whether the namespace was looked up, or was admitted, when the operation ran.
    admits: bool,
    operation: O,
}

impl<O: Operation> Write<O> {
    pub(super) fn new(target: Target, admitted: Arc<Admitted>, operation: O) -> Self {
        Write { target, admitted, admits: false, operation }
    }
}

impl<O: Operation> Transact for Write<O> {
    type Output = O::Output;

    async fn run(&mut self, connection: &mut Connection) -> Result<O::Output, Failure> {
        let now = self.operation.now();
        let place = match self.admitted.knows(&self.target, now) {
            true => Place::Known,
            false => Place::Unknown,
        };
        let mut record = Record { connection, target: &self.target, now, place };
        let output = self.operation.run(&mut record).await?;
        self.admits = record.place == Place::LookedUp;
        Ok(output)
    }

    fn bytes(&self) -> usize {
        self.operation.bytes()
    }

    fn subject(&self) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        (&self.target.namespace, &self.target.id).hash(&mut hasher);
        Some(hasher.finish())
    }

    fn is_snapshot(&self) -> bool {
        self.operation.is_snapshot()
    }

    fn committed(&self) {
        if self.admits {
            self.admitted.learn(&self.target, self.operation.now());
        }
    }
}

/// A record within a transaction.
pub(super) struct Record<'a> {
    connection: &'a mut Connection,
    target: &'a Target,
    now: i64,
    place: Place,
}

/// What is known of the place of a record's namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Nothing yet.
    Unknown,
    /// It has one.
    Known,
    /// It has one, which is noted in this transaction.
    LookedUp,
}

impl Operation for RecordDelete {
    type Output = Option<u64>;

    async fn run(&self, record: &mut Record<'_>) -> Result<Option<u64>, Failure> {
        match &self.selection {
            Selection::Keys(keys) => {
                let named: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                let seen = items::lock_named(record.connection, record.name(), &named).await?;
                let items: Vec<_> =
                    named.iter().map(|key| (*key, seen.get(*key).copied())).collect();
                self.delete(record, &items, Reach::Named).await.map(Some)
            }
            covering => self.delete_covered(record, covering).await.map(Some),
        }
    }

    /// A Put that comes between two reads of what is covered is to be deleted whole or not at all.
    fn is_snapshot(&self) -> bool {
        !matches!(self.selection, Selection::Keys(_))
    }

    fn now(&self) -> i64 {
        self.stamp.now
    }
}

impl RecordDelete {
    async fn delete_covered(
        &self,
        record: &mut Record<'_>,
        selection: &Selection,
    ) -> Result<u64, Failure> {
        let (start, end) = selection.bounds();
        let end = end.unwrap_or(&LAST_KEY);
        let mut from = start.to_vec();
        let mut gone = 0;
        loop {
            let range = (from.as_slice(), end);
            let name = record.name();
            let found = items::lock_covered(record.connection, name, range, CHUNK).await?;
            let items: Vec<_> =
                found.iter().map(|(key, seen)| (key.as_slice(), Some(*seen))).collect();
            gone += self.delete(record, &items, Reach::Covered).await?;
            match found.last() {
                Some((last, _)) if found.len() == CHUNK => from = key_after(last),
                _ => return Ok(gone),
            }
        }
    }

    async fn delete(
        &self,
        record: &mut Record<'_>,
        items: &[(&[u8], Option<Current>)],
        reach: Reach,
    ) -> Result<u64, Failure> {
        let mut changes = Vec::with_capacity(items.len());
        let mut gone = 0;
        for (key, seen) in items {
            let deletion = decide::delete(seen.as_ref(), reach, &self.stamp);
            gone += u64::from(deletion.gone);
            if let Some(version) = deletion.version {
                changes.push(record.change(key, version, None, *seen));
            }
        }
        record.store(&changes).await?;
        Ok(gone)
    }
}

impl Operation for ItemSwap {
    type Output = SwapOutcome;

    async fn run(&self, record: &mut Record<'_>) -> Result<SwapOutcome, Failure> {
        let key = self.key.as_slice();
        let mut found = items::lock_named(record.connection, record.name(), &[key]).await?;
        let seen = found.remove(key);
        let actual = match &seen {
            Some(seen) if seen.is_visible(self.stamp.now) => record.value(key).await?,
            _ => None,
        };
        let matches = actual == self.expected;
        let content = self.new.is_some().then_some(self.content);
        match decide::swap(seen.as_ref(), matches, content, &self.stamp) {
            Swap::Fails => {
                charge(actual.as_ref().map_or(0, Vec::len))?;
                return Ok(SwapOutcome::Differs(actual));
            }
            Swap::Succeeds(None) => {}
            Swap::Succeeds(Some(version)) => {
                let change = record.change(key, version, self.new.as_deref(), seen);
                record.store(&[change]).await?;
            }
        }
        Ok(SwapOutcome::Swapped)
    }

    fn bytes(&self) -> usize {
        let length = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        length(&self.expected) + length(&self.new)
    }

    fn now(&self) -> i64 {
        self.stamp.now
    }
}

impl<'a> Record<'a> {
    fn name(&self) -> (&'a str, &'a [u8]) {
        (&self.target.namespace, self.target.id.as_bytes())
    }

    fn change<'c>(
        &self,
        key: &'c [u8],
        version: decide::Version,
        value: Option<&'c [u8]>,
        seen: Option<Current>,
    ) -> Change<'c>
    where
        'a: 'c,
    {
        let (namespace, id) = self.name();
        Change { namespace, id, key, version, value, seen }
    }

    async fn value(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let sql = "SELECT value FROM kv_items WHERE namespace = $1 AND id = $2 AND key = $3";
        let (namespace, id) = self.name();
        let query = sqlx::query_scalar(sql).bind(namespace).bind(id).bind(key);
        Ok(query.fetch_one(&mut *self.connection).await?)
    }

    /// Has the namespace admitted. What is stored in it and locked here keeps its place, so that a
    /// long transaction need not lock that too.
    async fn admit(&mut self, changes: &[Change<'_>]) -> Result<Place, Failure> {
        let holds = changes.iter().any(|change| change.seen.is_some());
        if holds && is_known(self.connection, self.target).await? {
            return Ok(Place::Known);
        }
        admit(self.connection, self.target, self.now).await?;
        Ok(Place::LookedUp)
    }

    /// Writes all changes; an item that came into being meanwhile is a conflict.
    async fn store(&mut self, changes: &[Change<'_>]) -> Result<(), Failure> {
        if changes.is_empty() {
            return Ok(());
        }
        if self.place == Place::Unknown {
            self.place = self.admit(changes).await?;
        }
        let stored = items::store(self.connection, changes).await?;
        if stored.len() == changes.len() { Ok(()) } else { Err(Failure::Conflict) }
    }
}
