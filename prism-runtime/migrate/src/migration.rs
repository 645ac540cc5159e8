//! A migration's file.

use std::borrow::Cow;
use std::fmt::Write as _;

use prism_schema::lines::with_lf;
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
    /// The file's text, with whatever line ends it was checked out.
    pub sql: &'a str,
}

impl Migration<'_> {
    /// The text that is executed: line ends are LF.
    pub fn text(&self) -> Cow<'_, str> {
        with_lf(self.sql)
    }

    /// SHA-384 of the text with LF: what is stored with an applied migration, by sqlx too where it
    /// has such a file or ignores CR.
    pub fn checksum(&self) -> [u8; 48] {
        Sha384::digest(&*self.text()).into()
    }

    /// Whether a stored checksum is of this text, whatever line ends the file had that was applied:
    /// sqlx, and Prism in earlier versions, stored the checksum of the bytes that they found.
    pub fn has_checksum(&self, stored: &[u8]) -> bool {
        let same = |text: &str| Sha384::digest(text)[..] == *stored;
        same(self.sql) || same(&self.text()) || same(&self.text().replace('\n', "\r\n"))
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
                && statement::split(&self.text())
                    .iter()
                    .all(|text| repeatable(text) || is_fill(text))
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
