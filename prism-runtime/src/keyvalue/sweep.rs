//! Removing what nothing need be known of any more.

use crate::Result;
use crate::store::keyvalue::KeyValueStore;

/// How much longer than promised deletes are remembered, in microseconds: the time for which a
/// write that has been checked may wait before it is made.
pub const SWEEP_MARGIN: i64 = 60 * 1_000_000;

/// Removes up to `limit` items that have expired or were deleted so long ago that no write with
/// an older token is accepted any more. Answers how many were removed: as many as `limit` where
/// more may be left. `now` is in microseconds since the Unix epoch.
///
/// # Errors
///
/// Those of the store; what is left is removed by the next sweep.
pub async fn sweep(store: &dyn KeyValueStore, now: i64, limit: u32) -> Result<u64> {
    store.sweep(now.saturating_sub(SWEEP_MARGIN), limit).await
}
