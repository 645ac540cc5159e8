//! Migrations of the user's schema, as the generator embeds them.

use sha2::{Digest, Sha384};

/// One file of `migrations/<dialect>/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The number that the file's name begins with.
    pub version: i64,
    /// The rest of the file's name, with spaces for underscores and without `.sql`.
    pub description: &'static str,
    /// The file's text, to the byte.
    pub sql: &'static str,
}

impl Migration {
    /// SHA-384 of the file's text: what sqlx stores with an applied migration.
    pub fn checksum(&self) -> [u8; 48] {
        Sha384::digest(self.sql).into()
    }

    /// Whether the file asks to run outside a transaction, with sqlx's marker.
    pub fn without_transaction(&self) -> bool {
        self.sql.starts_with("-- no-transaction")
    }
}
