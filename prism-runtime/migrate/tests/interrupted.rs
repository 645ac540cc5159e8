//! A migrator that is killed at any statement: the next one ends right.
//!
//! The migrator is this program once more, as a process of its own that can be killed.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prism_migrate::postgres::{Migrator, Settings};
use prism_migrate::{Migration, sqlite};
use prism_schema::sql::Dialect;
use rusqlite::hooks::{AuthContext, Authorization};
use sqlx::{Connection as _, PgConnection};
use support::{Live, Postgres, Sqlite, fresh, things};

/// Which migrator the process is to be: a URL, or a path and how many steps it may take.
const TARGET: &str = "TEST_TARGET";

const POSTGRES: [(&str, &str); 9] = [
    (
        "initial",
        "CREATE TABLE things (id TEXT COLLATE \"C\" NOT NULL DEFAULT '', mail TEXT COLLATE \"C\", \
         size BIGINT, deleted TIMESTAMPTZ, PRIMARY KEY (id));
         CREATE UNIQUE INDEX idx_things_mail ON things (mail NULLS FIRST) WHERE deleted IS NULL;",
    ),
    (
        "change things",
        "SET LOCAL lock_timeout = '5s';
         ALTER TABLE things ADD COLUMN count BIGINT NOT NULL DEFAULT 0;
         ALTER TABLE things ALTER COLUMN size SET DEFAULT 0;",
    ),
    ("fill things", "UPDATE things SET size = 0 WHERE size IS NULL;"),
    (
        "restrict things",
        "ALTER TABLE things ADD CONSTRAINT not_null_size CHECK (size IS NOT NULL) NOT VALID;",
    ),
    (
        "validate things",
        "UPDATE things SET size = 0 WHERE size IS NULL;
         ALTER TABLE things VALIDATE CONSTRAINT not_null_size;",
    ),
    (
        "tighten things",
        "ALTER TABLE things ALTER COLUMN size SET NOT NULL;
         ALTER TABLE things DROP CONSTRAINT not_null_size;",
    ),
    (
        "index things",
        "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS \"_prism_new_things_1\";",
    ),
    (
        "index things",
        "-- no-transaction\n\
         CREATE INDEX CONCURRENTLY \"_prism_new_things_1\" ON \"things\" (\"count\" DESC, \"id\");",
    ),
    ("finish things", "ALTER INDEX _prism_new_things_1 RENAME TO idx_things_count;"),
];

const SQLITE: [(&str, &str); 2] = [
    (
        "initial",
        "CREATE TABLE things (id TEXT NOT NULL DEFAULT '', mail TEXT, size INTEGER, \
         deleted INTEGER, PRIMARY KEY (id)) WITHOUT ROWID;
         CREATE UNIQUE INDEX idx_things_mail ON things (mail) WHERE deleted IS NULL;",
    ),
    (
        "change things",
        "CREATE TABLE _prism_new_things (id TEXT NOT NULL DEFAULT '', mail TEXT, \
         size INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0, deleted INTEGER, \
         PRIMARY KEY (id)) WITHOUT ROWID;
         INSERT INTO _prism_new_things (id, mail, size, deleted) \
         SELECT id, mail, COALESCE(size, 0), deleted FROM things;
         DROP TABLE things;
         ALTER TABLE _prism_new_things RENAME TO things;
         CREATE UNIQUE INDEX idx_things_mail ON things (mail) WHERE deleted IS NULL;
         CREATE INDEX idx_things_count ON things (count DESC, id);",
    ),
];

fn chain(files: &'static [(&'static str, &'static str)]) -> Vec<Migration<'static>> {
    let numbered = files.iter().zip(1..);
    numbered.map(|((description, sql), version)| Migration { version, description, sql }).collect()
}

fn settings() -> Settings {
    Settings { client_check: Duration::from_millis(100), ..Settings::default() }
}

/// The process that is killed. It says what it does, and never ends where it has to wait.
#[test]
#[ignore = "run by the others"]
fn the_migrator() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let Some((path, steps)) = target.split_once(" after ") else {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let migrations = chain(&POSTGRES);
        let migrator = Migrator { database: "test", migrations: &migrations, settings: settings() };
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&target).await.unwrap();
            sqlx::raw_sql("SET application_name = 'victim'")
                .execute(&mut connection)
                .await
                .unwrap();
            migrator.apply(&mut connection).await.unwrap();
        });
        return;
    };
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut left: u32 = steps.parse().unwrap();
    connection
        .authorizer(Some(move |_: AuthContext<'_>| {
            if left == 0 {
                println!("waiting");
                std::thread::park();
            }
            left = left.saturating_sub(1);
            Authorization::Allow
        }))
        .unwrap();
    let migrations = chain(&SQLITE);
    sqlite::Migrator { database: "test", migrations: &migrations }.apply(&connection).unwrap();
}

fn start(target: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_migrator", "--ignored", "--nocapture"])
        .env(TARGET, target)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A database whose first migration is applied, with rows.
fn prepared() -> Option<Postgres> {
    let mut database = Postgres::create()?;
    database.prepare(&chain(&POSTGRES)[..1], &[], true).unwrap();
    database.execute(
        "INSERT INTO things (id, size) SELECT g, NULLIF(g, 7) FROM generate_series(1, 9) g",
    );
    Some(database)
}

/// Waits for a query to answer true.
fn wait_for(database: &mut Postgres, condition: &str) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !database.query::<bool>(&format!("SELECT {condition}")) {
        assert!(std::time::Instant::now() < end, "never: {condition}");
        std::thread::yield_now();
    }
}

fn complete(database: &mut Postgres) {
    database.prepare(&chain(&POSTGRES), &[&things()], true).unwrap();
    assert_eq!(database.verify(&[&things()]), []);
    let rows = "SELECT string_agg(concat_ws(' ', id, size, count), ', ' ORDER BY id) FROM things";
    let expected = "1 1 0, 2 2 0, 3 3 0, 4 4 0, 5 5 0, 6 6 0, 7 0 0, 8 8 0, 9 9 0";
    assert_eq!(database.query::<String>(rows), expected);
    let rows = "SELECT count(*) FROM _sqlx_migrations WHERE success";
    assert_eq!(database.query::<i64>(rows), 9);
}

/// Every statement of every file asks `pause` before it runs.
const PAUSES: &str = "
    CREATE SEQUENCE statements;
    CREATE FUNCTION pause() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('statements') = current_setting('test.pause_at')::bigint THEN
            PERFORM pg_sleep(600);
        END IF;
    END $$;
    CREATE FUNCTION pause_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pause(); END $$;
    CREATE FUNCTION pause_rows() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pause(); RETURN NULL; END $$;
    CREATE TRIGGER pause BEFORE UPDATE ON things EXECUTE FUNCTION pause_rows();
    CREATE TRIGGER pause BEFORE INSERT ON _sqlx_migrations EXECUTE FUNCTION pause_rows();
    CREATE EVENT TRIGGER pause ON ddl_command_start EXECUTE FUNCTION pause_ddl();";

const ASLEEP: &str = "EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'victim' \
                      AND datname = current_database() AND wait_event = 'PgSleep')";
const GONE: &str = "NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'victim' \
                    AND datname = current_database())";
const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE \
                   application_name = 'victim' AND datname = current_database()";

/// Statements and rows of the files after the first.
const STATEMENTS: u32 = 11 + 8;

#[test]
fn killed_at_any_statement_of_postgres() {
    let halves = [1..=STATEMENTS / 2, STATEMENTS / 2 + 1..=STATEMENTS];
    std::thread::scope(|scope| {
        for half in halves {
            scope.spawn(move || half.for_each(killed_at));
        }
    });
}

fn killed_at(statement: u32) {
    let Some(mut database) = prepared() else { return };
    database.execute(PAUSES);
    let name: String = database.query("SELECT current_database()::text");
    database.execute(&format!("ALTER DATABASE {name} SET test.pause_at = {statement}"));
    let mut migrator = start(&database.url);
    wait_for(&mut database, ASLEEP);
    migrator.kill().unwrap();
    migrator.wait().unwrap();
    // What the server still does for it comes to its end, in one way or another.
    database.execute(END);
    wait_for(&mut database, GONE);
    database.execute(
        "DROP EVENT TRIGGER pause; DROP TRIGGER pause ON things; \
         DROP TRIGGER pause ON _sqlx_migrations",
    );
    complete(&mut database);
}

#[test]
fn the_server_notices_that_a_migrator_is_gone() {
    let Some(mut database) = prepared() else { return };
    database.execute(PAUSES);
    let name: String = database.query("SELECT current_database()::text");
    database.execute(&format!("ALTER DATABASE {name} SET test.pause_at = 4"));
    let mut migrator = start(&database.url);
    wait_for(&mut database, ASLEEP);
    migrator.kill().unwrap();
    migrator.wait().unwrap();
    wait_for(&mut database, GONE);
    database.execute("DROP EVENT TRIGGER pause; DROP TRIGGER pause ON things");
    database.execute("DROP TRIGGER pause ON _sqlx_migrations");
    complete(&mut database);
}

/// Kills the migrator while its index waits for an older transaction.
fn killed_while_an_index_is_built() -> Option<(Postgres, PgConnection)> {
    let mut database = prepared()?;
    let mut session = database.session();
    database.prepare(&chain(&POSTGRES)[..7], &[], true).unwrap();
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM things";
    database.runtime.block_on(sqlx::raw_sql(old).execute(&mut session)).unwrap();
    let mut migrator = start(&database.url);
    wait_for(
        &mut database,
        "EXISTS (SELECT 1 FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for old%' \
         AND datname = current_database())",
    );
    migrator.kill().unwrap();
    migrator.wait().unwrap();
    Some((database, session))
}

const INDEX: &str = "SELECT oid::bigint FROM pg_class WHERE relname = '_prism_new_things_1'";

#[test]
fn an_index_that_the_server_goes_on_building_is_waited_for_and_kept() {
    let Some((mut database, mut session)) = killed_while_an_index_is_built() else { return };
    let begun: i64 = database.query(INDEX);
    let url = database.url.clone();
    std::thread::scope(|scope| {
        let other = scope.spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let migrations = chain(&POSTGRES);
            let migrator =
                Migrator { database: "test", migrations: &migrations, settings: settings() };
            runtime.block_on(async {
                let mut second = PgConnection::connect(&url).await.unwrap();
                migrator.apply(&mut second).await.unwrap();
            });
        });
        database.runtime.block_on(sqlx::raw_sql("COMMIT").execute(&mut session)).unwrap();
        other.join().unwrap();
    });
    let renamed = INDEX.replace("_prism_new_things_1", "idx_things_count");
    assert_eq!(database.query::<i64>(&renamed), begun);
    complete(&mut database);
}

#[test]
fn an_index_that_the_server_stopped_building_is_built_anew() {
    let Some((mut database, session)) = killed_while_an_index_is_built() else { return };
    database.execute(END);
    wait_for(&mut database, GONE);
    let invalid = "SELECT NOT indisvalid FROM pg_index \
                   WHERE indexrelid = '_prism_new_things_1'::regclass";
    assert!(database.query::<bool>(invalid));
    drop(session);
    complete(&mut database);
}

#[test]
fn killed_at_any_step_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let mut ended = false;
    // Steps of SQLite's compiler: several for each statement.
    for step in (0..).step_by(6) {
        let path = folder.path().join(format!("{step}.db"));
        let mut connection = Sqlite(rusqlite::Connection::open(&path).unwrap());
        connection.execute("PRAGMA journal_mode = WAL");
        connection.prepare(&chain(&SQLITE)[..1], &[], true).unwrap();
        connection.execute("INSERT INTO things (id, size) VALUES ('a', 5), ('b', NULL)");
        drop(connection);
        let mut migrator = start(&format!("{} after {step}", path.display()));
        let lines = BufReader::new(migrator.stdout.take().unwrap()).lines();
        ended = !lines.map_while(Result::ok).any(|line| line.ends_with("waiting"));
        migrator.kill().unwrap();
        migrator.wait().unwrap();
        let mut connection = Sqlite(rusqlite::Connection::open(&path).unwrap());
        connection.prepare(&chain(&SQLITE), &[&things()], true).unwrap();
        assert_eq!(connection.verify(&[&things()]), [], "{step}");
        let sum =
            connection.0.query_row("SELECT count(*) || ' ' || sum(size) FROM things", [], |row| {
                row.get::<_, String>(0)
            });
        assert_eq!(sum.unwrap(), "2 5", "{step}");
        if ended {
            break;
        }
    }
    assert!(ended);
}

#[test]
fn the_chains_lead_to_the_schema() {
    let mut database = Sqlite::create().unwrap();
    database.prepare(&chain(&SQLITE), &[&things()], true).unwrap();
    assert_eq!(database.verify(&[&things()]), []);
    assert!(fresh(&things(), Dialect::Sqlite).contains("idx_things_count"));
}
