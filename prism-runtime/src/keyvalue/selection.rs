//! Which items of a record a request means.

use crate::proto::keyvalue::v1::key_predicate::Predicate;

/// Which items of a record: a valid predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every item.
    All,
    /// The items with these keys: in order, each once.
    Keys(Vec<Vec<u8>>),
    /// The items of a range of keys.
    Range {
        /// Inclusive; empty: from the first key.
        start: Vec<u8>,
        /// Exclusive; absent: to the last key.
        end: Option<Vec<u8>>,
    },
}

impl Selection {
    /// The items with these keys, which may be in any order and repeat.
    pub fn keys(mut keys: Vec<Vec<u8>>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Selection::Keys(keys)
    }

    /// What a valid predicate selects.
    pub fn of(predicate: Predicate) -> Self {
        match predicate {
            Predicate::MatchAll(_) => Selection::All,
            Predicate::MatchKeys(keys) => Selection::keys(keys.keys),
            Predicate::MatchRange(range) => {
                Selection::Range { start: range.start_key.unwrap_or_default(), end: range.end_key }
            }
        }
    }

    /// Whether it selects an item.
    pub fn contains(&self, key: &[u8]) -> bool {
        match self {
            Selection::All => true,
            Selection::Keys(keys) => keys.binary_search_by(|own| own.as_slice().cmp(key)).is_ok(),
            Selection::Range { start, end } => {
                start.as_slice() <= key && end.as_deref().is_none_or(|end| key < end)
            }
        }
    }

    /// The first key that it can select, and the key before which it ends.
    pub fn bounds(&self) -> (&[u8], Option<&[u8]>) {
        match self {
            Selection::All => (&[], None),
            Selection::Keys(keys) => (keys.first().map_or(&[], Vec::as_slice), None),
            Selection::Range { start, end } => (start, end.as_deref()),
        }
    }
}
