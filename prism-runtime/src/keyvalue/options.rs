//! How the key-value service is set up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::page_token::PageTokens;

/// How the key-value service is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What tells the time.
    pub clock: Clock,
    /// What seals page tokens.
    pub page_tokens: Arc<PageTokens>,
    /// `keyvalue.namespaces`: the namespaces that are served. `None`: every one.
    pub namespaces: Option<BTreeSet<String>>,
    /// Namespaces that are declared where not all are listed.
    pub declared: BTreeSet<String>,
    /// `keyvalue.max_namespaces`: how many namespaces that are not declared may be written to.
    /// Default: 10,000.
    pub max_namespaces: u64,
    /// Namespaces that belong to entities, which this service does not serve.
    pub entity_namespaces: BTreeSet<String>,
    /// `keyvalue.tombstone_hours`: for how long deletes are remembered, and how old a priority
    /// token may be. Default: 24 h. A change counts for what is written after it.
    pub tombstones: Duration,
    /// `keyvalue.max_clock_skew_seconds`: how far a priority token may be ahead of the server's
    /// clock. Default: 60 s.
    pub max_clock_skew: Duration,
}

impl Options {
    /// The defaults, with what seals page tokens.
    pub fn new(page_tokens: Arc<PageTokens>) -> Self {
        Options {
            clock: Clock::system(),
            page_tokens,
            namespaces: None,
            declared: BTreeSet::new(),
            max_namespaces: 10_000,
            entity_namespaces: BTreeSet::new(),
            tombstones: Duration::from_secs(24 * 60 * 60),
            max_clock_skew: Duration::from_secs(60),
        }
    }
}

/// Microseconds of a configured duration.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
