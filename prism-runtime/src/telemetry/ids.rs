//! Ids of calls and of errors.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// A new id, unique among all processes as far as 48 random bits go. It tells nothing but the
/// order within a process.
pub fn new_id() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = *PROCESS.get_or_init(|| getrandom::u64().unwrap_or_else(|_| clock()) >> 16);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{process:012x}-{next:x}")
}

/// In place of randomness, where the system has none.
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}
