//! The primary key, from `key = "…"` on fields.

use syn::{DeriveInput, Ident, LitStr};

use super::column::Column;
use crate::report::Report;

/// Fields of the key, in the order of the struct.
#[derive(Default)]
pub(super) struct Keys {
    primary: Vec<(Ident, u32)>,
    partition: Vec<u32>,
    clustering: Vec<(Ident, u32)>,
}

impl Keys {
    /// Notes a field's part in the key, where it has one.
    pub(super) fn add(
        &mut self,
        ident: &Ident,
        column: &Column,
        kind: Option<&LitStr>,
        report: &mut Report,
    ) {
        let Some(kind) = kind else { return };
        match kind.value().as_str() {
            "primary" => self.primary.push((ident.clone(), column.number)),
            "partition" => self.partition.push(column.number),
            "clustering" => self.clustering.push((ident.clone(), column.number)),
            other => report.error(
                kind,
                format!("unknown kind of key `{other}`"),
                "one of primary, partition, clustering",
            ),
        }
        column.require_ordered(kind, "a key", report);
        if !column.always_present() {
            report.error(
                ident,
                "a key is a scalar, timestamp or duration that is always present",
                "use a field without `optional` and `repeated`",
            );
        }
    }

    /// Field numbers of the key: partition keys, then clustering keys, each by number.
    pub(super) fn numbers(&self, input: &DeriveInput, report: &mut Report) -> Vec<u32> {
        let composite = !self.partition.is_empty() || !self.clustering.is_empty();
        match self.primary.as_slice() {
            [] if !composite => report.error(
                &input.ident,
                "the entity has no key",
                "write #[prism(key = \"primary\")] on the field that identifies a record",
            ),
            [] if self.partition.is_empty() => report.error(
                &self.clustering[0].0,
                "a clustering key without a partition key",
                "write key = \"partition\" on the first part, or key = \"primary\" on the only one",
            ),
            [] => {}
            [_, second, ..] => report.error(
                &second.0,
                "a second primary key",
                "parts of one key are key = \"partition\" and key = \"clustering\"",
            ),
            [only] if composite => report.error(
                &only.0,
                "a primary key beside partition or clustering keys",
                "a primary key is the whole key: use partition and clustering for its parts",
            ),
            [_] => {}
        }
        let sorted = |mut numbers: Vec<u32>| {
            numbers.sort_unstable();
            numbers
        };
        let clustering = self.clustering.iter().map(|(_, number)| *number).collect();
        let mut key: Vec<u32> = self.primary.iter().map(|(_, number)| *number).collect();
        key.extend(sorted(self.partition.clone()));
        key.extend(sorted(clustering));
        key
    }

    /// How many of the numbers are partition keys.
    pub(super) fn partition_count(&self) -> usize {
        self.primary.len() + self.partition.len()
    }
}
