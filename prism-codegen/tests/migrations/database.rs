//! A database that migrations are run in.

use std::collections::BTreeMap;

use prism_migrate::verify::Difference;
use prism_schema::Entity;
use rusqlite::types::Value;

/// Rows by key, each with its values by column.
pub type Rows = BTreeMap<String, BTreeMap<String, Value>>;

/// What the property needs of a database: the same for every dialect.
pub trait Database {
    /// Name of the migrations' folder.
    const FOLDER: &'static str;
    /// An empty database; `None` where this machine has none of the kind.
    fn create() -> Option<Self>
    where
        Self: Sized;
    /// Runs a migration as the migrator does: in a transaction unless the file opts out.
    fn apply(&self, sql: &str) -> Result<(), String>;
    /// Everything that says what the tables are, without the order of columns.
    fn describe(&self) -> Vec<String>;
    /// What `prism migrate verify` says of the tables.
    fn verify(&self, entities: &[&Entity]) -> Vec<Difference>;
    fn insert(&self, table: &str, key: &str, values: &BTreeMap<String, Value>);
    fn rows(&self, table: &str) -> Rows;
}
