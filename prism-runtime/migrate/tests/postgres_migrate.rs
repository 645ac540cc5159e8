//! Applying migrations to a Postgres database that others use.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use prism_migrate::postgres::{Migrator, Settings};
use prism_migrate::{Error, Migration};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr as _};
use sqlx_core::migrate::{Migration as SqlxMigration, MigrationType, Migrator as SqlxMigrator};
use support::{Live, Postgres};

const TABLE: Migration<'static> = Migration {
    version: 1,
    description: "initial",
    sql: "CREATE TABLE things (id TEXT PRIMARY KEY, name TEXT);\n",
};
const COLUMN: Migration<'static> = Migration {
    version: 2,
    description: "change things",
    sql: "SET LOCAL lock_timeout = '100ms';\nALTER TABLE things ADD COLUMN size BIGINT;\n",
};
const INDEX: Migration<'static> = Migration {
    version: 4,
    description: "index things",
    sql: "-- no-transaction\n-- a cause\nCREATE UNIQUE INDEX CONCURRENTLY \"by_name\" ON \
          \"things\" (\"name\" ASC NULLS FIRST) WHERE \"id\" IS NOT NULL;\n",
};

/// Gives up soon.
fn hasty() -> Settings {
    Settings {
        busy: Duration::from_millis(300),
        patience: Duration::from_millis(600),
        ..Settings::default()
    }
}

fn apply(
    database: &mut Postgres,
    migrations: &[Migration<'_>],
    settings: Settings,
) -> Result<Vec<String>, Error> {
    let migrator = Migrator { database: "`test` at here", migrations, settings };
    let applied = database.runtime.block_on(migrator.apply(&mut database.connection));
    applied.map(|plans| plans.users.outstanding.iter().map(Migration::title).collect())
}

fn run(database: &Postgres, session: &mut PgConnection, sql: &str) {
    let statements = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    database.runtime.block_on(statements.execute(session)).unwrap();
}

fn as_sqlx(migration: Migration<'static>) -> SqlxMigration {
    let kind = MigrationType::Simple;
    let (description, sql) = (migration.description.into(), migration.sql.into_sql_str());
    SqlxMigration::new(migration.version, description, kind, sql, migration.without_transaction())
}

#[test]
fn sqlx_and_prism_work_on_the_same_database() {
    let Some(mut database) = Postgres::create() else { return };
    let applied = apply(&mut database, &[TABLE, COLUMN], Settings::default()).unwrap();
    assert_eq!(applied, ["0001 (initial)", "0002 (change things)"]);
    let sqlx = SqlxMigrator::with_migrations([TABLE, COLUMN, INDEX].map(as_sqlx).to_vec());
    database.runtime.block_on(sqlx.run(&mut database.connection)).unwrap();
    assert_eq!(apply(&mut database, &[TABLE, COLUMN, INDEX], hasty()).unwrap(), [""; 0]);

    // What each writes is what the other would have written.
    let Some(mut other) = Postgres::create() else { return };
    let sqlx = SqlxMigrator::with_migrations([TABLE, COLUMN].map(as_sqlx).to_vec());
    other.runtime.block_on(sqlx.run(&mut other.connection)).unwrap();
    apply(&mut other, &[TABLE, COLUMN, INDEX], Settings::default()).unwrap();
    for sql in [
        "SELECT string_agg(concat_ws(' ', column_name, data_type, is_nullable, column_default), \
         ', ' ORDER BY ordinal_position) FROM information_schema.columns \
         WHERE table_name = '_sqlx_migrations'",
        "SELECT string_agg(concat_ws(' ', version, description, success, checksum, \
         execution_time > 0), ', ' ORDER BY version) FROM _sqlx_migrations",
    ] {
        assert_eq!(database.query::<String>(sql), other.query::<String>(sql));
    }
}

#[test]
fn a_table_that_is_locked_for_long_is_an_error_that_says_so() {
    let Some(mut database) = Postgres::create() else { return };
    apply(&mut database, &[TABLE], hasty()).unwrap();
    let mut session = database.session();
    run(&database, &mut session, "BEGIN; SELECT * FROM things");
    let error = apply(&mut database, &[TABLE, COLUMN], hasty()).unwrap_err();
    assert!(matches!(error, Error::Locked { tries: 2.., .. }), "{error}");
    let error = error.to_string();
    let expected = "migration 0002 (change things) cannot be applied to the database `test` at \
                    here: other sessions locked what it changes in each of ";
    assert!(error.starts_with(expected) && error.contains("pg_stat_activity"), "{error}");
    run(&database, &mut session, "COMMIT");
    assert_eq!(apply(&mut database, &[TABLE, COLUMN], hasty()).unwrap(), ["0002 (change things)"]);
}

#[test]
fn a_migration_that_finds_a_table_locked_is_tried_again() {
    let Some(mut database) = Postgres::create() else { return };
    apply(&mut database, &[TABLE], hasty()).unwrap();
    let (mut session, mut watcher) = (database.session(), database.session());
    run(&database, &mut session, "BEGIN; SELECT * FROM things");
    let migrator =
        Migrator { database: "test", migrations: &[TABLE, COLUMN], settings: Settings::default() };
    let Postgres { runtime, connection, .. } = &mut database;
    let release = async {
        // Until one try has waited and given up.
        for waits in [true, false] {
            let sql = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SET LOCAL%' \
                       AND datname = current_database() AND wait_event_type = 'Lock')";
            while sqlx::query_scalar::<_, bool>(sql).fetch_one(&mut watcher).await.unwrap() != waits
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        sqlx::raw_sql("COMMIT").execute(&mut session).await.unwrap();
    };
    let (applied, ()) =
        runtime.block_on(async { tokio::join!(migrator.apply(connection), release) });
    assert_eq!(applied.unwrap().users.outstanding, [COLUMN]);
}

#[test]
fn another_migrator_is_waited_for_and_named() {
    let Some(mut database) = Postgres::create() else { return };
    let mut session = database.session();
    // What sqlx takes.
    let name: String = database.query("SELECT current_database()::text");
    let id = 0x3d32_ad9e * i64::from(crc32(&name));
    let lock = format!("SET application_name = 'someone'; SELECT pg_advisory_lock({id})");
    run(&database, &mut session, &lock);
    let error = apply(&mut database, &[TABLE], hasty()).unwrap_err().to_string();
    let start = "the database `test` at here is being migrated by another session (pid ";
    assert!(
        error.starts_with(start) && error.contains(", someone), for longer than 300ms"),
        "{error}"
    );
    drop(session);
    assert_eq!(apply(&mut database, &[TABLE], Settings::default()).unwrap(), ["0001 (initial)"]);
}

/// CRC-32, a bit at a time.
fn crc32(text: &str) -> u32 {
    !text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 * (crc & 1)))
    })
}

#[test]
fn of_ten_at_once_one_migrates() {
    let Some(mut database) = Postgres::create() else { return };
    let marker = Migration {
        version: 3,
        description: "marker",
        sql: "INSERT INTO things (id) SELECT 'a' || g FROM generate_series(1, 20000) g",
    };
    let url = database.url.clone();
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let one = || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let migrations = [TABLE, COLUMN, marker, INDEX];
            let settings = Settings::default();
            let migrator = Migrator { database: "test", migrations: &migrations, settings };
            runtime.block_on(async {
                use sqlx::Connection as _;
                let mut connection = PgConnection::connect(&url).await.unwrap();
                migrator.apply(&mut connection).await.unwrap().outstanding().count()
            })
        };
        let all: Vec<_> = (0..10).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().filter(|count| **count == 7).count(), 1, "{applied:?}");
    assert_eq!(applied.iter().filter(|count| **count == 0).count(), 9, "{applied:?}");
    assert_eq!(database.query::<i64>("SELECT count(*) FROM things"), 20_000);
}

const VALID: &str = "SELECT concat(indisvalid, ' ', indexrelid, ' ', pg_get_indexdef(indexrelid)) \
                     FROM pg_index WHERE indexrelid = 'by_name'::regclass";

#[test]
fn what_an_interrupted_build_left_is_not_in_the_way() {
    let Some(mut database) = Postgres::create() else { return };
    let all = [TABLE, INDEX];
    apply(&mut database, &[TABLE], hasty()).unwrap();
    database.execute("INSERT INTO things VALUES ('a', 'x'), ('b', 'x')");
    let error = apply(&mut database, &all, hasty()).unwrap_err().to_string();
    let expected = "migration 0004 (index things) cannot be applied to the database `test` at \
                    here: could not create unique index \"by_name\"";
    assert!(error.starts_with(expected), "{error}");
    let left = "SELECT count(*) FROM pg_class WHERE relname = 'by_name'";
    assert_eq!(database.query::<i64>(left), 0, "it would refuse writes");
    database.execute("UPDATE things SET name = id");

    // Invalid.
    let build = INDEX.sql.split_once("cause\n").unwrap().1;
    let invalid = format!(
        "{build} UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_name'::regclass"
    );
    database.execute(&invalid.replace("CONCURRENTLY", ""));
    apply(&mut database, &all, hasty()).unwrap();
    let built: String = database.query(VALID);
    assert!(built.starts_with('t') && built.contains("UNIQUE"), "{built}");

    // Complete, but not recorded.
    database.execute("DELETE FROM _sqlx_migrations WHERE version = 4");
    assert_eq!(apply(&mut database, &all, hasty()).unwrap(), ["0004 (index things)"]);
    assert_eq!(database.query::<String>(VALID), built, "it is kept");

    // Complete, and another one.
    for other in [
        build.replace("UNIQUE", ""),
        build.replace("NULLS FIRST", "NULLS LAST"),
        build.replace("\"name\"", "\"id\""),
        build.replace(" WHERE \"id\" IS NOT NULL", ""),
    ] {
        database.execute("DELETE FROM _sqlx_migrations WHERE version = 4; DROP INDEX by_name");
        database.execute(&other.replace("CONCURRENTLY", ""));
        apply(&mut database, &all, hasty()).unwrap();
        let definition = |text: &str| text.splitn(3, ' ').last().unwrap().to_owned();
        assert_eq!(definition(&database.query::<String>(VALID)), definition(&built));
    }
}

#[test]
fn a_row_that_says_it_broke_off_is_no_dead_end_where_the_file_can_be_repeated() {
    let Some(mut database) = Postgres::create() else { return };
    apply(&mut database, &[TABLE, INDEX], hasty()).unwrap();
    database.execute("UPDATE _sqlx_migrations SET success = false WHERE version = 4");
    assert_eq!(apply(&mut database, &[TABLE, INDEX], hasty()).unwrap(), ["0004 (index things)"]);
    database.execute("UPDATE _sqlx_migrations SET success = false WHERE version = 1");
    let error = apply(&mut database, &[TABLE, INDEX], hasty()).unwrap_err().to_string();
    let expected = "migration 1 of the database `test` at here broke off halfway: complete or \
                    undo it by hand, then set `success` in its row of _sqlx_migrations or delete \
                    the row";
    assert_eq!(error, expected);
}

#[test]
fn a_file_without_a_transaction_holds_one_statement() {
    let Some(mut database) = Postgres::create() else { return };
    let two = Migration { sql: "-- no-transaction\nSELECT 1; SELECT 2;", ..TABLE };
    let error = apply(&mut database, &[two], hasty()).unwrap_err().to_string();
    let expected = "migration 0001 (initial) is marked `-- no-transaction` and holds 2 statements";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn statements_are_limited_and_the_connection_is_given_back_as_it_was() {
    let Some(mut database) = Postgres::create() else { return };
    database.execute("CREATE TABLE seen (lock TEXT, statement TEXT)");
    let see = "INSERT INTO seen VALUES (current_setting('lock_timeout'), \
               current_setting('statement_timeout'))";
    let alone = format!("-- no-transaction\n{see}");
    let migrations = [
        Migration { version: 1, description: "together", sql: see },
        Migration { version: 2, description: "alone", sql: &alone },
    ];
    apply(&mut database, &migrations, Settings::default()).unwrap();
    let seen = "SELECT string_agg(concat_ws(' ', lock, statement), ', ') FROM seen";
    assert_eq!(database.query::<String>(seen), "5s 1h, 1min 12h");
    assert_eq!(database.query::<String>("SELECT current_setting('lock_timeout')"), "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' \
                 AND pid = pg_backend_pid()";
    assert_eq!(database.query::<i64>(locks), 0);
}
