//! What opening a SQLite database refuses, and what it says.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use prism_migrate::Error;
use prism_runtime::store::Migration;
use prism_runtime::store::sqlite::{Database, OpenError, Options};

const FIRST: Migration =
    Migration { version: 1, description: "orders", sql: "CREATE TABLE orders (id TEXT);\n" };
const SECOND: Migration = Migration {
    version: 2,
    description: "orders total",
    sql: "ALTER TABLE orders ADD COLUMN total INTEGER;\n",
};

fn refusal(options: &Options) -> OpenError {
    Database::open(options).expect_err("the database is refused")
}

fn with_migrations(path: &Path, migrations: &[Migration]) -> Options {
    let mut options = Options::new(path);
    options.migrations = migrations.to_vec();
    options
}

fn query<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    rusqlite::Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_second_server_on_the_same_file_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let database = Database::open(&Options::new(&path)).unwrap();
    let error = refusal(&Options::new(&path));
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("a.db"), "{error}");

    // Another name of the same file has the same lock.
    #[cfg(unix)]
    {
        let link = folder.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(refusal(&Options::new(&link)), OpenError::InUse { .. }));
    }

    drop(database);
    Database::open(&Options::new(&path)).unwrap();
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let text = "not a database\n".repeat(1000);
    fs::write(&path, &text).unwrap();
    let error = refusal(&Options::new(&path));
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    // The header stays, the schema's page does not.
    bytes[100..4096].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let error = refusal(&with_migrations(&path, &[FIRST]));
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = refusal(&Options::new(folder.path().join("nowhere/a.db")));
    assert!(matches!(error, OpenError::NoFolder { .. }), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_folder_in_place_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    fs::create_dir(&path).unwrap();
    let error = refusal(&Options::new(&path));
    assert!(matches!(error, OpenError::NotAFile { .. }), "{error}");
}

#[test]
fn migrations_are_applied_once_and_tracked_as_sqlx_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
    drop(Database::open(&with_migrations(&path, &[FIRST, SECOND])).unwrap());
    drop(Database::open(&with_migrations(&path, &[FIRST, SECOND])).unwrap());

    let applied: String = query(
        &path,
        "SELECT group_concat(version || ':' || description || ':' || success || ':' ||
                             lower(hex(checksum)), ' ' ORDER BY version)
         FROM _sqlx_migrations WHERE execution_time >= 0",
    );
    // printf 'CREATE TABLE orders (id TEXT);\n' | sha384sum, and the other
    let expected = concat!(
        "1:orders:1:",
        "71b3fd7ca286451584de0da7cd85e92a46e58fe850f3ce5e",
        "83b40dc92ee79ce953f9520fff97758123f94acb26b16205",
        " 2:orders total:1:",
        "086b9e0ac561606770b62dfc6bfc831df4da726f94da1458",
        "064877c9ac49aa01c1af63e69a22de234271cf6d1615500d",
    );
    assert_eq!(applied, expected);
    let columns: i64 = query(&path, "SELECT count(*) FROM pragma_table_info('orders')");
    assert_eq!(columns, 2);
}

#[test]
fn an_edited_migration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
    let edited = Migration { sql: "CREATE TABLE orders (id BLOB);\n", ..FIRST };
    let error = refusal(&with_migrations(&path, &[edited, SECOND]));
    assert!(matches!(error, OpenError::Migration(Error::Edited { .. })), "{error}");
    assert!(error.to_string().contains("0001 (orders)"), "{error}");
}

#[test]
fn a_missing_migration_is_refused_and_a_newer_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST, SECOND])).unwrap());
    let error = refusal(&with_migrations(&path, &[SECOND]));
    assert!(matches!(error, OpenError::Migration(Error::Missing { version: 1, .. })), "{error}");
    // Of an entity that the newer one breaks nothing is known here.
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
}

#[test]
fn a_refused_database_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                 installed_on TIMESTAMP, success BOOLEAN, checksum BLOB, execution_time BIGINT);
             INSERT INTO _sqlx_migrations VALUES (99, 'later', NULL, TRUE, x'00', 1);",
        )
        .unwrap();
    drop(connection);
    let error = refusal(&with_migrations(&path, &[FIRST]));
    assert!(matches!(error, OpenError::Migration(Error::Ahead { .. })), "{error}");
    let tables: i64 = query(&path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
    assert_eq!(tables, 1);
}

/// The files of a folder, and what is in them.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_refused_start_leaves_everything_as_it_was() {
    let behind = |path: &Path| {
        let mut options = with_migrations(path, &[FIRST]);
        options.migrate = false;
        options
    };
    let other_history =
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT
        NOT NULL, installed_on TIMESTAMP, success BOOLEAN, checksum BLOB, execution_time BIGINT);
        INSERT INTO _sqlx_migrations VALUES (1, 'other', NULL, TRUE, x'00', 1);";
    let sqlite = |path: &Path, sql: &str| {
        rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
    };
    let damaged = |path: &Path| {
        sqlite(path, "CREATE TABLE t (v); INSERT INTO t VALUES (1)");
        let mut bytes = fs::read(path).unwrap();
        bytes[100..].fill(0xff);
        fs::write(path, bytes).unwrap();
    };
    type Prepare<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Prepare<'_>, bool); 8] = [
        ("text", &|path| fs::write(path, "no database\n".repeat(1000)).unwrap(), true),
        ("a folder", &|path| fs::create_dir(path).unwrap(), true),
        ("nothing", &|_| {}, false),
        ("an empty file", &|path| fs::write(path, "").unwrap(), false),
        ("a log", &|path| fs::write(path.with_extension("db-wal"), "log").unwrap(), true),
        ("another history", &|path| sqlite(path, other_history), true),
        ("another database", &|path| sqlite(path, "CREATE TABLE t (v)"), false),
        ("damage", &damaged, true),
    ];
    for (name, prepare, migrate) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        prepare(&path);
        let before = contents(folder.path());
        let options = if migrate { with_migrations(&path, &[FIRST]) } else { behind(&path) };
        let error = refusal(&options);
        assert_eq!(contents(folder.path()), before, "{name}: {error}");
        // The lock of a proxy that has served the database stays.
        let lock = folder.path().join("a.db-lock");
        fs::write(&lock, "").unwrap();
        refusal(&options);
        assert!(lock.exists(), "{name}");
    }
}

#[test]
fn a_database_that_another_program_has_locked_is_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE t (v); BEGIN EXCLUSIVE").unwrap();
    let before = contents(folder.path());
    let mut options = with_migrations(&path, &[FIRST]);
    options.busy_timeout = std::time::Duration::from_millis(10);
    let error = refusal(&options);
    assert_eq!(contents(folder.path()), before, "{error}");
    other.execute_batch("COMMIT").unwrap();
    drop(other);
    drop(Database::open(&options).unwrap());
    assert!(folder.path().join("a.db-lock").exists());
}

#[test]
fn a_migration_that_broke_off_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE _sqlx_migrations SET success = FALSE", []).unwrap();
    drop(connection);
    let error = refusal(&with_migrations(&path, &[FIRST]));
    assert!(matches!(error, OpenError::Migration(Error::Dirty { version: 1, .. })), "{error}");
}

#[test]
fn a_database_behind_the_schema_is_refused_without_leave_to_migrate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &[FIRST])).unwrap());
    let mut options = with_migrations(&path, &[FIRST, SECOND]);
    options.migrate = false;
    let error = refusal(&options);
    assert!(matches!(error, OpenError::Migration(Error::Behind { count: 1, .. })), "{error}");
    assert!(error.to_string().contains("--migrate"), "{error}");
    options.migrate = true;
    Database::open(&options).unwrap();
}

#[test]
fn a_migration_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let broken = Migration {
        version: 2,
        description: "broken",
        sql: "CREATE TABLE half (n INTEGER);\nINSERT INTO nowhere VALUES (1);\n",
    };
    let error = refusal(&with_migrations(&path, &[FIRST, broken]));
    assert!(matches!(error, OpenError::Migration(Error::Failed { .. })), "{error}");
    assert!(error.to_string().contains("0002 (broken)"), "{error}");
    let tables: i64 = query(&path, "SELECT count(*) FROM sqlite_schema WHERE name = 'half'");
    assert_eq!(tables, 0);
    drop(Database::open(&with_migrations(&path, &[FIRST, SECOND])).unwrap());
}

#[test]
fn a_migration_may_run_without_a_transaction() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let outside =
        Migration { version: 2, description: "vacuum", sql: "-- no-transaction\nVACUUM;\n" };
    drop(Database::open(&with_migrations(&path, &[FIRST, outside])).unwrap());
}

/// What `prism migrate diff` writes where a column becomes unique and another loses presence.
const CHECK: &str = r#"
CREATE TEMP TABLE "_prism_refuse" ("found" INTEGER, CONSTRAINT "things: two records are equal in idx_things_mail" CHECK ("found" = 0));
INSERT INTO "_prism_refuse" SELECT EXISTS (SELECT 1 FROM "things" WHERE "mail" IS NOT NULL GROUP BY "mail" HAVING count(*) > 1);
DROP TABLE temp."_prism_refuse";
"#;
const REBUILD: &str = r#"
CREATE TABLE "_prism_new_things" ("id" TEXT NOT NULL DEFAULT '', "mail" TEXT, "count" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("id")) WITHOUT ROWID;
INSERT INTO "_prism_new_things" ("id", "mail", "count")
SELECT "id", "mail", COALESCE("count", 0)
FROM "things";
DROP TABLE "things";
ALTER TABLE "_prism_new_things" RENAME TO "things";
CREATE UNIQUE INDEX "idx_things_mail" ON "things" ("mail");
"#;

#[test]
fn a_table_is_built_anew_unless_its_rows_do_not_fit() {
    let migrations = [
        Migration {
            version: 1,
            description: "initial",
            sql: r#"CREATE TABLE "things" ("id" TEXT NOT NULL DEFAULT '', "mail" TEXT, "count" INTEGER, PRIMARY KEY ("id")) WITHOUT ROWID;"#,
        },
        Migration { version: 2, description: "check things", sql: CHECK },
        // SQLite had nothing to do for version 3.
        Migration { version: 4, description: "change things", sql: REBUILD },
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    drop(Database::open(&with_migrations(&path, &migrations[..1])).unwrap());
    let execute = |sql: &str| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    };
    execute("INSERT INTO things VALUES ('a', 'x', NULL), ('b', 'x', 7)");

    let error = refusal(&with_migrations(&path, &migrations));
    assert!(error.to_string().contains("0002 (check things)"), "{error}");
    let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let told = format!("{error} {reason}");
    assert!(told.contains("two records are equal in idx_things_mail"), "{told}");
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM things WHERE count IS NULL"), 1);

    execute("UPDATE things SET mail = 'y' WHERE id = 'b'");
    drop(Database::open(&with_migrations(&path, &migrations)).unwrap());
    assert_eq!(query::<i64>(&path, "SELECT sum(count) FROM things"), 7);
    assert_eq!(query::<i64>(&path, "SELECT count(*) FROM things WHERE count IS NULL"), 0);
    drop(Database::open(&with_migrations(&path, &migrations)).unwrap());
}
