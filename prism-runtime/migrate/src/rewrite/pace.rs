//! How large a batch is.

use std::time::Duration;

/// Rows of a batch: as many as take a short while, so that nobody waits long for a row, and at
/// first few, as one may be megabytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    rows: usize,
}

const ROWS: (usize, usize) = (16, 4096);

/// What a batch should take, at least and at most.
const TIME: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

impl Pace {
    pub fn new() -> Self {
        Pace { rows: ROWS.0 }
    }

    /// How many rows the next batch goes over.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// After a batch that took so long.
    pub fn took(&mut self, time: Duration) {
        if time < TIME.0 {
            self.rows = (self.rows * 2).min(ROWS.1);
        } else if time > TIME.1 {
            self.rows = (self.rows / 2).max(ROWS.0);
        }
    }
}
