//! A migration's file.

use std::fmt::Write as _;

use sha2::{Digest, Sha384};

use crate::rewrite;
use crate::statement::{self, IndexStatement};

/// One file of `migrations/<dialect>/`, embedded in a program or read from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration<'a> {
    /// The number that the file's name begins with.
    pub version: i64,
    /// The rest of the file's name, with spaces for underscores and without `.sql`.
    pub description: &'a str,
    /// The file's text, to the byte.
    pub sql: &'a str,
}

impl Migration<'_> {
    /// SHA-384 of the file's text: what sqlx stores with an applied migration.
    pub fn checksum(&self) -> [u8; 48] {
        Sha384::digest(self.sql).into()
    }

    /// Whether the file asks to run outside a transaction, with sqlx's marker.
    pub fn without_transaction(&self) -> bool {
        self.sql.starts_with("-- no-transaction")
    }

    /// Whether the file is one that [`rewrite`] executes.
    pub fn is_rewrite(&self) -> bool {
        self.sql.starts_with(rewrite::MARKER)
    }

    /// Whether the file may be run again where it broke off halfway, and ends right.
    pub fn is_repeatable(&self) -> bool {
        let repeatable =
            |text: &&str| IndexStatement::parse(text).is_some_and(|it| it.is_repeatable());
        self.is_rewrite()
            || self.without_transaction()
                && statement::split(self.sql).iter().all(|text| repeatable(text) || is_fill(text))
    }

    /// `0002 (change orders)`, for messages.
    pub fn title(&self) -> String {
        title(self.version, self.description)
    }
}

/// Whether a statement fills a column in batches: a row that is done with is passed over. The only
/// block that `prism migrate diff` writes without a transaction.
fn is_fill(statement: &str) -> bool {
    statement.starts_with("DO $prism$")
}

/// `0002 (change orders)`, for messages.
pub(crate) fn title(version: i64, description: &str) -> String {
    format!("{version:04} ({description})")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
