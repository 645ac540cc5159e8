//! Copies that write values anew: migrations that only this migrator runs, in bounded batches.
//!
//! The file begins with [`MARKER`] and holds a statement that any other tool fails on; what it says
//! is a [`Rewrite`](prism_schema::sql::rewrite::Rewrite). A copy that was interrupted is run again
//! and ends right: what it is done with is in the database, and its last transaction also records
//! the migration.
//!
//! On Postgres the table is read and written meanwhile. The new values go into columns beside those
//! in use; a trigger empties them where a value changes, and such rows are copied again. The last
//! transaction locks the table, copies what is left, and lets the columns change places: that takes
//! a scan of the table where a column is NOT NULL. From then on a server of the old schema misreads
//! the values, or is refused by the column's type.
//!
//! On SQLite the rows go into another table, which takes the old one's place. Nothing else may
//! write to the file meanwhile: where something does, the copy starts over, and gives up after a
//! few times.

mod convert;
mod pace;
mod postgres;
mod sqlite;

pub use postgres::run as postgres;
pub use prism_schema::sql::rewrite::MARKER;
pub use sqlite::run as sqlite;
