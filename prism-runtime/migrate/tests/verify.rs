//! What of a live database differs from the model, and what that means for a server.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use prism_migrate::Migration;
use prism_schema::Entity;
use prism_schema::sql::Dialect;
use support::{Live, Postgres, Sqlite, fresh, things};

/// A table that was made in another way than the schema says: what is replaced in SQLite, in
/// Postgres, by what; and what is found.
struct Case {
    sqlite: (&'static str, &'static str),
    postgres: (&'static str, &'static str),
    found: &'static str,
}

const BOTH: fn(&'static str, &'static str, &'static str) -> Case =
    |from, to, found| Case { sqlite: (from, to), postgres: (from, to), found };

fn cases() -> Vec<Case> {
    vec![
        BOTH("CREATE TABLE \"things\"", "CREATE TABLE \"other\"", ""),
        Case {
            sqlite: ("  \"size\" INTEGER NOT NULL DEFAULT 0,\n", ""),
            postgres: ("  \"size\" BIGINT NOT NULL DEFAULT 0,\n", ""),
            found: "error: table things: column size is missing",
        },
        Case {
            sqlite: ("\"size\" INTEGER", "\"size\" TEXT"),
            postgres: ("\"size\" BIGINT", "\"size\" SMALLINT"),
            found: "error: table things: column size is TYPE and should be EXPECTED",
        },
        Case {
            sqlite: ("\"id\" TEXT", "\"id\" TEXT COLLATE NOCASE"),
            postgres: ("\"id\" TEXT COLLATE \"C\"", "\"id\" TEXT COLLATE \"ucs_basic\""),
            found: "error: table things: column id has collation ITS and should have OURS",
        },
        Case {
            sqlite: ("\"mail\" TEXT", "\"mail\" TEXT NOT NULL"),
            postgres: ("\"mail\" TEXT COLLATE \"C\"", "\"mail\" TEXT COLLATE \"C\" NOT NULL"),
            found: "error: table things: column mail is NOT NULL and should take NULL",
        },
        Case {
            sqlite: ("\"size\" INTEGER NOT NULL", "\"size\" INTEGER"),
            postgres: ("\"size\" BIGINT NOT NULL", "\"size\" BIGINT"),
            found: "warning: table things: column size takes NULL and should be NOT NULL",
        },
        Case {
            sqlite: ("\"size\" INTEGER NOT NULL DEFAULT 0", "\"size\" INTEGER NOT NULL DEFAULT 7"),
            postgres: ("\"size\" BIGINT NOT NULL DEFAULT 0", "\"size\" BIGINT NOT NULL DEFAULT 7"),
            found: "warning: table things: column size defaults to 7 and should have 0",
        },
        BOTH(
            "  PRIMARY KEY (\"id\")",
            "  \"extra\" INTEGER,\n  PRIMARY KEY (\"id\")",
            "notice: table things: column extra is not in the schema",
        ),
        BOTH(
            "  PRIMARY KEY (\"id\")",
            "  \"extra\" INTEGER NOT NULL,\n  PRIMARY KEY (\"id\")",
            "error: table things: column extra is not in the schema, and refuses rows without a \
             value for it",
        ),
        BOTH(
            "  PRIMARY KEY (\"id\")",
            "  PRIMARY KEY (\"id\", \"count\")",
            "error: table things: its key is (id, count) and should be (id)",
        ),
        BOTH(
            "CREATE UNIQUE INDEX \"idx_things_mail\"",
            "CREATE UNIQUE INDEX \"mine\"",
            "error: table things: unique index idx_things_mail is missing, \
             notice: table things: index mine is not in the schema",
        ),
        BOTH(
            "CREATE UNIQUE INDEX \"idx_things_mail\"",
            "CREATE INDEX \"idx_things_mail\"",
            "error: table things: unique index idx_things_mail is (mail) where deleted IS NULL \
             and should be unique (mail) where deleted IS NULL",
        ),
        BOTH(
            " WHERE \"deleted\" IS NULL",
            "",
            "error: table things: unique index idx_things_mail is unique (mail) \
             and should be unique (mail) where deleted IS NULL",
        ),
        Case {
            sqlite: ("(\"count\" DESC, \"id\")", "(\"count\" DESC)"),
            postgres: ("(\"count\" DESC, \"id\")", "(\"count\" DESC)"),
            found: "warning: table things: index idx_things_count is INDEX",
        },
    ]
}

fn found(database: &mut impl Live, entities: &[&Entity]) -> String {
    let differences = database.verify(entities);
    let text = |it: &prism_migrate::verify::Difference| format!("{}: {it}", it.severity().name());
    differences.iter().map(text).collect::<Vec<_>>().join(", ")
}

/// What reads differently in the two databases.
fn in_words_of(dialect: Dialect, text: &str) -> String {
    let words = match dialect {
        Dialect::Sqlite => [
            ("TYPE", "TEXT"),
            ("EXPECTED", "INTEGER"),
            ("ITS", "NOCASE"),
            ("OURS", "BINARY"),
            ("INDEX", "(count desc) and should be (count desc, id)"),
        ],
        Dialect::Postgres => [
            ("TYPE", "smallint"),
            ("EXPECTED", "bigint"),
            ("ITS", "ucs_basic"),
            ("OURS", "C"),
            (
                "INDEX",
                "(count desc nulls first) and should be (count desc nulls first, id nulls last)",
            ),
        ],
    };
    words.iter().fold(text.to_owned(), |text, (word, meaning)| text.replace(word, meaning))
}

fn each_difference_is_found<D: Live>() {
    let entity = things();
    let Some(mut database) = D::create() else { return };
    database.prepare(&[], &[], true).unwrap();
    assert_eq!(found(&mut database, &[&entity]), "error: table things is missing");
    let whole = fresh(&entity, D::DIALECT);
    database.execute(&whole);
    assert_eq!(found(&mut database, &[&entity]), "");
    for case in cases().iter().skip(1) {
        let (from, to) = match D::DIALECT {
            Dialect::Sqlite => case.sqlite,
            Dialect::Postgres => case.postgres,
        };
        let changed = whole.replacen(from, to, 1);
        assert_ne!(changed, whole, "{from}");
        database.execute(&format!("DROP TABLE things; {changed}"));
        assert_eq!(found(&mut database, &[&entity]), in_words_of(D::DIALECT, case.found));
    }
    database.execute("DROP TABLE kv_items");
    assert!(found(&mut database, &[]).contains("error: table kv_items is missing"));
}

#[test]
fn each_difference_is_found_in_sqlite() {
    each_difference_is_found::<Sqlite>();
}

#[test]
fn each_difference_is_found_in_postgres() {
    each_difference_is_found::<Postgres>();
}

/// The entities of a lock, and the migration that makes them.
fn generated(folder: &str, dialect: Dialect) -> (Vec<Entity>, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let lock = fs::read_to_string(root.join("schema.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let entities = lock["entities"].as_object().unwrap().values();
    let entities = entities.map(|it| serde_json::from_value(it["schema"].clone()).unwrap());
    let file = format!("migrations/{}/0001_initial.sql", dialect.name());
    (entities.collect(), fs::read_to_string(root.join(file)).unwrap())
}

fn a_fresh_database_is_as_the_schema_says<D: Live>() {
    for folder in [
        "generated",
        "examples/inventory",
        "prism-codegen/tests/goldens/types/generated",
        "prism-codegen/tests/goldens/hostile/generated",
    ] {
        let Some(mut database) = D::create() else { return };
        let (entities, sql) = generated(folder, D::DIALECT);
        let entities: Vec<&Entity> = entities.iter().collect();
        let migration = Migration { version: 1, description: "initial", sql: &sql };
        database.prepare(&[migration], &entities, true).unwrap();
        assert_eq!(found(&mut database, &entities), "", "{folder}");
        database.prepare(&[migration], &entities, false).unwrap();
    }
}

#[test]
fn a_fresh_sqlite_database_is_as_the_schema_says() {
    a_fresh_database_is_as_the_schema_says::<Sqlite>();
}

#[test]
fn a_fresh_postgres_database_is_as_the_schema_says() {
    a_fresh_database_is_as_the_schema_says::<Postgres>();
}

#[test]
fn an_invalid_index_is_found() {
    let Some(mut database) = Postgres::create() else { return };
    let entity = things();
    database.prepare(&[], &[], true).unwrap();
    database.execute(&fresh(&entity, Dialect::Postgres));
    database.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN \
         ('idx_things_mail'::regclass, 'idx_things_count'::regclass)",
    );
    assert_eq!(
        found(&mut database, &[&entity]),
        "error: table things: unique index idx_things_mail is invalid, as its build did not end, \
         warning: table things: index idx_things_count is invalid, as its build did not end"
    );
}

fn a_database_that_differs_is_refused_at_start<D: Live>() {
    let Some(mut database) = D::create() else { return };
    let entity = things();
    let sql = fresh(&entity, D::DIALECT);
    let initial = [Migration { version: 1, description: "initial", sql: &sql }];
    let refused = database.prepare(&initial, &[&entity], false).unwrap_err().to_string();
    // The schema's, and those of Prism's own tables.
    let missing = match D::DIALECT {
        Dialect::Sqlite => 3,
        Dialect::Postgres => 4,
    };
    let behind = format!(" is behind the schema: {missing} of its migrations are missing");
    assert!(refused.contains(&behind), "{refused}");
    assert!(
        refused.contains("--migrate") && refused.contains("`prism migrate apply`"),
        "{refused}"
    );
    database.prepare(&initial, &[&entity], true).unwrap();
    // Slower, not wrong.
    database.execute("DROP INDEX idx_things_count");
    database.prepare(&initial, &[&entity], false).unwrap();
    database.execute("ALTER TABLE things DROP COLUMN size");
    let refused = database.prepare(&initial, &[&entity], true).unwrap_err().to_string();
    let expected = "differs from the schema: table things: column size is missing; \
                    `prism migrate verify` shows everything that differs";
    assert!(refused.contains(expected), "{refused}");
    database.execute("DROP TABLE things");
    let refused = database.prepare(&initial, &[&entity], false).unwrap_err().to_string();
    assert!(refused.contains("differs from the schema: table things is missing;"), "{refused}");
}

#[test]
fn a_sqlite_database_that_differs_is_refused_at_start() {
    a_database_that_differs_is_refused_at_start::<Sqlite>();
}

#[test]
fn a_postgres_database_that_differs_is_refused_at_start() {
    a_database_that_differs_is_refused_at_start::<Postgres>();
}

/// A newer migration, and what an older server says of it; nothing where it serves.
fn a_database_ahead_is_served_where_nothing_breaks<D: Live>(newer: &[(&str, &str, &str)]) {
    let entity = things();
    let sql = fresh(&entity, D::DIALECT);
    let initial = Migration { version: 1, description: "initial", sql: &sql };
    for (description, sql, reason) in newer {
        let Some(mut database) = D::create() else { return };
        let newer = Migration { version: 3, description, sql };
        database.prepare(&[initial, newer], &[], true).unwrap();
        match database.prepare(&[initial], &[&entity], true) {
            Ok(()) => assert_eq!(*reason, "", "{description}"),
            Err(refused) => {
                let refused = refused.to_string();
                let expected = format!(
                    " has migration 0003 ({description}), which this server does not know, and \
                     cannot be served by it: {reason}; start a server as new as the database"
                );
                assert!(!reason.is_empty() && refused.contains(&expected), "{refused}");
            }
        }
        // An older one still, which lacks what the newer does not: another history.
        let other = Migration { version: 2, description: "other", sql: "SELECT 1" };
        let refused = database.prepare(&[initial, other], &[&entity], true).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains("as migration 0002 (other) is not in it"), "{refused}");
    }
}

#[test]
fn a_sqlite_database_ahead_is_served_where_nothing_breaks() {
    a_database_ahead_is_served_where_nothing_breaks::<Sqlite>(&[
        ("change things", "ALTER TABLE things ADD COLUMN more TEXT", ""),
        ("change things", "ALTER TABLE things ADD COLUMN more TEXT NOT NULL DEFAULT ''", ""),
        ("index things", "CREATE INDEX more ON things (size, id)", ""),
        ("drop index things", "DROP INDEX idx_things_count", ""),
        ("change schema", "CREATE TABLE others (id TEXT)", ""),
        (
            "pause things",
            "SELECT 1",
            "after migration 0003 (pause things) columns have names that others had before",
        ),
        (
            "rewrite things",
            "SELECT 1",
            "migration 0003 (rewrite things) wrote values in another encoding",
        ),
        (
            "change things",
            "ALTER TABLE things RENAME COLUMN size TO length",
            "table things: column size is missing",
        ),
    ]);
}

#[test]
fn a_postgres_database_ahead_is_served_where_nothing_breaks() {
    a_database_ahead_is_served_where_nothing_breaks::<Postgres>(&[
        ("change things", "ALTER TABLE things ADD COLUMN more TEXT", ""),
        ("change things", "ALTER TABLE things ALTER COLUMN size DROP NOT NULL", ""),
        ("finish things", "DROP TABLE things", "table things is missing"),
        (
            "finish things",
            "DROP INDEX idx_things_mail; \
             CREATE UNIQUE INDEX idx_things_mail ON things (mail NULLS FIRST)",
            "",
        ),
        (
            "tighten things",
            "ALTER TABLE things ALTER COLUMN mail SET NOT NULL",
            "table things: column mail is NOT NULL and should take NULL",
        ),
        (
            "change things",
            "ALTER TABLE things ADD COLUMN more TEXT NOT NULL",
            "table things: column more is not in the schema, and refuses rows without a value for it",
        ),
        (
            "fill things",
            "ALTER TABLE things ALTER COLUMN size SET DEFAULT '-9223372036854775808'",
            "table things: column size defaults to '-9223372036854775808'::bigint and should have 0",
        ),
    ]);
}
