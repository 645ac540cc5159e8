//! Writes that are made in parts, and what waits for them.
//!
//! A write to very many rows would keep the writer from all others for as long as it takes. It is
//! made in parts, between which the writer turns to what has come meanwhile. Writes to the same
//! record wait for its end, so that they stay in their order.

use std::collections::{HashSet, VecDeque};

use super::error::overloaded;
use super::writer::Job;

/// Writes in parts, between two of which the writer is.
pub(super) struct Parts {
    /// They take turns.
    unfinished: VecDeque<Box<dyn Job>>,
    /// Records that they write to.
    records: HashSet<u64>,
    /// Other writes to these records, in the order in which they came.
    waiting: VecDeque<Box<dyn Job>>,
    /// How many of those there may be.
    most: usize,
}

impl Parts {
    pub(super) fn new(most: usize) -> Self {
        Parts {
            unfinished: VecDeque::new(),
            records: HashSet::new(),
            waiting: VecDeque::new(),
            most,
        }
    }

    /// Whether all writes that have begun have ended, and nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished.is_empty() && self.waiting.is_empty()
    }

    /// A job that may run now; another one waits here.
    pub(super) fn admit(&mut self, job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        let waits = !self.records.is_empty()
            && !job.is_unfinished()
            && job.record().is_some_and(|record| self.records.contains(&record));
        if !waits {
            return Some(job);
        }
        if self.waiting.len() < self.most {
            self.waiting.push_back(job);
        } else {
            job.refuse(overloaded());
        }
        None
    }

    /// Has others wait for a job that has run but has not ended.
    pub(super) fn hold(&mut self, job: &dyn Job) {
        if job.is_unfinished()
            && let Some(record) = job.record()
        {
            self.records.insert(record);
        }
    }

    /// Keeps a job whose part was committed and is not the last one. Gives back one that has ended.
    pub(super) fn keep(&mut self, mut job: Box<dyn Job>, committed: bool) -> Option<Box<dyn Job>> {
        if committed && job.is_unfinished() {
            job.part_committed();
            self.unfinished.push_back(job);
            return None;
        }
        Some(job)
    }

    /// Forgets the records of writes that have ended. To be called after each transaction.
    pub(super) fn settle(&mut self) {
        if !self.records.is_empty() {
            self.records = self.unfinished.iter().filter_map(|job| job.record()).collect();
        }
    }

    /// The job whose next part is to be made.
    pub(super) fn next(&mut self) -> Option<Box<dyn Job>> {
        self.unfinished.pop_front()
    }

    /// What need not wait any longer, in its order.
    pub(super) fn freed(&mut self) -> Vec<Box<dyn Job>> {
        let mut freed = Vec::new();
        if self.waiting.is_empty() {
            return freed;
        }
        for job in std::mem::take(&mut self.waiting) {
            match job.record() {
                Some(record) if self.records.contains(&record) => self.waiting.push_back(job),
                _ if job.is_abandoned() => {}
                _ => freed.push(job),
            }
        }
        freed
    }
}
