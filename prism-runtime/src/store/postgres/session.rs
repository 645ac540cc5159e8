//! What a session has to be like, whatever the server's, the database's or the role's settings say.

use sqlx::{PgConnection, Row as _, raw_sql};

use super::OpenError;
use super::open_error::Place;

/// Settings on which the meaning of a statement or of a value depends. Each session brings them
/// along. sqlx adds `client_encoding`, `DateStyle` and `TimeZone`.
pub(super) const SETTINGS: [(&str, &str); 6] = [
    ("bytea_output", "hex"),
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    // What is read after a lock was waited for has to be what the other transaction wrote.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
];

/// What a session is refused for: what a pooler may have passed over of [`SETTINGS`], and what a
/// session cannot set. Whether it can write is found out with each connection: see
/// `prism_migrate::Servers::connect`.
const NEEDED: [(&str, &str, &str); 5] = [
    (
        "server_encoding",
        "UTF8",
        "create another database with `createdb --encoding=UTF8 --template=template0`",
    ),
    ("bytea_output", "hex", FOR_ROLE),
    ("standard_conforming_strings", "on", FOR_ROLE),
    ("transform_null_equals", "off", FOR_ROLE),
    ("array_nulls", "on", FOR_ROLE),
];

const FOR_ROLE: &str = "set it with ALTER ROLE; a pooler passes over what a connection asks for";

/// Refuses a database that cannot store what is sent, or sessions that mean something else.
///
/// A server that does not know a setting is taken to behave as Postgres does by default.
pub(super) async fn check(connection: &mut PgConnection, place: &Place) -> Result<(), OpenError> {
    // In one statement: behind a pooler the next one may run in another session.
    let query = raw_sql(
        "SELECT current_setting('server_encoding', true), \
         current_setting('bytea_output', true), \
         current_setting('standard_conforming_strings', true), \
         current_setting('transform_null_equals', true), \
         current_setting('array_nulls', true)",
    );
    let row = query.fetch_one(connection).await.map_err(|error| place.statement_error(error))?;
    for (index, (setting, needed, help)) in NEEDED.into_iter().enumerate() {
        let value: Option<String> = row.try_get(index).map_err(|error| place.postgres(error))?;
        if let Some(value) = value.filter(|value| value != needed) {
            let database = place.database();
            return Err(OpenError::Setting { database, setting, value, needed, help });
        }
    }
    Ok(())
}
