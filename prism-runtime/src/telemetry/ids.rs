//! Ids of calls and of errors.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Hexadecimal digits of a 64-bit number at most.
const MAX_DIGITS: usize = 16;

/// A new id, unique among all processes as far as 48 random bits go. It tells nothing but the
/// order within a process.
pub fn new_id() -> String {
    static PROCESS: OnceLock<String> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let process = PROCESS.get_or_init(|| {
        let random = getrandom::u64().unwrap_or_else(|_| clock()) >> 16;
        format!("{random:012x}-")
    });
    let mut id = String::with_capacity(process.len() + MAX_DIGITS);
    id.push_str(process);
    // Writing into a String cannot fail.
    let _ = write!(id, "{:x}", NEXT.fetch_add(1, Ordering::Relaxed));
    id
}

/// In place of randomness, where the system has none.
fn clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_nanos() as u64)
}
