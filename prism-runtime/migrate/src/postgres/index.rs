//! Indexes that an interrupted build left behind.

use sqlx::{Connection as _, PgConnection, Row as _};

use super::query::{self, literal};

/// Whether an index has to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// There is none of the name, from now on.
    None,
    /// A build that nobody waited for has made it.
    Same,
}

/// Makes room for an index: drops one of its name that is not valid, or is another one. A build
/// whose migrator was killed goes on in the server, and may have ended since: its index is kept.
pub(super) async fn make_room(
    connection: &mut PgConnection,
    name: &str,
    table: &str,
    plain: &str,
) -> sqlx::Result<Existing> {
    let valid = format!(
        "SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass({})",
        literal(name)
    );
    let Some(row) = query::rows(connection, valid).await?.into_iter().next() else {
        return Ok(Existing::None);
    };
    let is_valid: bool = row.try_get(0)?;
    if is_valid && is_same(connection, name, table, plain).await.unwrap_or(false) {
        tracing::info!(index = name, "the index is there, complete: an interrupted build made it");
        return Ok(Existing::Same);
    }
    tracing::info!(index = name, "dropping what an interrupted build left");
    query::execute(connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
    Ok(Existing::None)
}

/// Drops an index that was not completed, so that it neither slows writes nor refuses them.
pub(super) async fn drop_invalid(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let invalid = format!(
        "SELECT 1 FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass({})",
        literal(name)
    );
    if !query::rows(connection, invalid).await?.is_empty() {
        query::execute(connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {name}")).await?;
    }
    Ok(())
}

/// Compares an index with what its statement makes on an empty copy of the table, of the same
/// name, which is rolled back.
async fn is_same(
    connection: &mut PgConnection,
    name: &str,
    table: &str,
    plain: &str,
) -> sqlx::Result<bool> {
    let mut transaction = connection.begin().await?;
    let there = definition(&mut transaction, name).await?;
    let bare = table.rsplit_once('.').map_or(table, |(_, bare)| bare);
    // Temporary tables are found first.
    let copy = format!("CREATE TEMPORARY TABLE {bare} (LIKE {table}) ON COMMIT DROP; {plain}");
    query::execute(&mut transaction, copy).await?;
    let wanted = definition(&mut transaction, name).await?;
    transaction.rollback().await?;
    Ok(!there.is_empty() && there == wanted)
}

/// What an index is, in terms that do not depend on its table.
async fn definition(connection: &mut PgConnection, name: &str) -> sqlx::Result<Vec<String>> {
    let sql = format!(
        "SELECT concat_ws(' ', i.indisunique, c.relam, i.indclass, i.indcollation, i.indoption, \
                          pg_get_expr(i.indpred, i.indrelid)) \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
         WHERE i.indexrelid = to_regclass({name}) \
         UNION ALL \
         SELECT pg_get_indexdef(i.indexrelid, part, true) \
         FROM pg_index i, generate_series(1, i.indnatts) part \
         WHERE i.indexrelid = to_regclass({name})",
        name = literal(name)
    );
    query::rows(connection, sql).await?.iter().map(|row| row.try_get(0)).collect()
}
