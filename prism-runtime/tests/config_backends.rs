//! Settings of several backends and of namespaces.
#![allow(clippy::unwrap_used)]

#[path = "support/settings.rs"]
mod settings;

use prism_runtime::config::{Database, Postgres};
use prism_runtime::schema::Backend;
use settings::{load, only, sqlite, valid};

const BACKENDS: &str = "backends:
  main: {url: 'postgres://u:pass-word@db/prod', max_connections: 32}
  archive: {url: 'sqlite:./archive.db'}
postgres: {max_connections: 8, statement_timeout_ms: 100}
namespaces: {orders: main, old-orders: archive}
keyvalue: {backend: memory}
";

#[test]
fn backends_have_names_and_settings_of_their_own() {
    let config = valid(BACKENDS).unwrap();
    let databases = config.databases().unwrap();
    assert_eq!(databases["archive"], sqlite("./archive.db"));
    let Database::Postgres { settings, .. } = &databases["main"] else { panic!("{databases:?}") };
    let expected =
        Postgres { max_connections: 32, statement_timeout_ms: 100, ..Postgres::default() };
    assert_eq!(settings, &expected);
    assert_eq!(databases["main"].kind(), Backend::Postgres);
    assert_eq!(databases["main"].to_string(), "db:5432/prod");
    assert_eq!(config.namespaces["old-orders"], "archive");
    assert_eq!(config.keyvalue.backend.as_deref(), Some("memory"));
    let shown = format!("{config:?} {databases:?}");
    assert!(!shown.contains("pass-word"), "{shown}");
}

#[test]
fn memory_is_no_file() {
    let spellings = [
        "memory",
        ":memory:",
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite::memory:?cache=shared",
    ];
    for database in spellings {
        let config = valid(&format!("database: '{database}'\nnamespaces: {{orders: memory}}"));
        assert!(config.unwrap().databases().unwrap().is_empty(), "{database}");
    }
    for file in ["./memory", "memory.db", "sqlite:./memory", "a/memory"] {
        let config = valid(&format!("database: '{file}'")).unwrap();
        assert_eq!(only(&config), sqlite(file.trim_start_matches("sqlite:")));
    }
}

#[test]
fn variables_and_flags_reach_into_backends_and_namespaces() {
    let environment = [
        ("PRISM_BACKENDS__MAIN__URL", "postgres://u:other-word@host:5433/test"),
        ("PRISM_BACKENDS__MAIN__ACQUIRE_TIMEOUT_MS", "77"),
        ("PRISM_BACKENDS__COLD_STORE__MAX_CONNECTIONS", "5"),
        ("PRISM_BACKENDS__COLD_STORE__URL", "postgres://cold/17"),
        ("PRISM_NAMESPACES__USER_PROFILES", "cold-store"),
        ("PRISM_KEYVALUE__BACKEND", "archive"),
    ];
    let flags = [("namespaces.orders", "archive"), ("backends.main.max_connections", "64")];
    let config = load(BACKENDS, &environment, &flags).unwrap();
    config.validate().unwrap();
    let databases = config.databases().unwrap();
    assert_eq!(databases["main"].to_string(), "host:5433/test");
    let Database::Postgres { settings, .. } = &databases["main"] else { panic!("{databases:?}") };
    assert_eq!((settings.max_connections, settings.acquire_timeout_ms), (64, 77));
    let Database::Postgres { settings, .. } = &databases["cold-store"] else { panic!() };
    assert_eq!((settings.max_connections, settings.statement_timeout_ms), (5, 100));
    let bound = ["orders", "old-orders", "user-profiles"].map(|name| &*config.namespaces[name]);
    assert_eq!(bound, ["archive", "archive", "cold-store"]);
    assert_eq!(config.keyvalue.backend.as_deref(), Some("archive"));
    assert!(!format!("{config:?}").contains("other-word"));
    // A whole map at once, as YAML.
    let whole = [
        ("PRISM_BACKENDS", "{one: {url: a.db}, two: {url: b.db}}"),
        ("PRISM_NAMESPACES", "{orders: two}"),
    ];
    let config = load("", &whole, &[]).unwrap();
    let databases = config.databases().unwrap();
    assert_eq!((&databases["one"], &databases["two"]), (&sqlite("a.db"), &sqlite("b.db")));
}

#[test]
fn wrong_backends_say_where_and_what() {
    let corpus = [
        (
            "backends:\n  main:\n    url: a.db\n    max_conections: 3\n",
            "prism.yaml:4:5: unknown setting `max_conections`; did you mean `max_connections`?",
        ),
        (
            "backends:\n  main: {url: a.db}\n  main: {url: b.db}\n",
            "prism.yaml:3:3: backends.main is there twice; remove one of the two",
        ),
        (
            "backends: {main: {}}",
            "backends.main.url is not set: the path of a SQLite file, or a postgres:// URL",
        ),
        (
            "backends: {main: {url: 'mysql://u:pass-word@db/prod'}}",
            "backends.main.url is neither a path, nor sqlite:path, nor a postgres:// URL",
        ),
        (
            "backends: {main: {url: 'sqlite::memory:'}}",
            "backends.main.url is not the path of a file: the backend `memory` is always there, under \
             that name",
        ),
        (
            "backends: {main: {url: memory}}",
            "backends.main.url is not the path of a file: the backend `memory` is always there, under \
             that name",
        ),
        (
            "backends: {Main: {url: a.db}}",
            "backends.Main is not a valid name: 1 to 63 of a to z, 0 to 9 and -",
        ),
        (
            "backends: {memory: {url: a.db}}",
            "backends.memory has the name of the memory backend, which is always there",
        ),
        (
            "backends: {main: {url: a.db, acquire_timeout_ms: 5}}",
            "backends.main.acquire_timeout_ms is for Postgres, and main is a SQLite file",
        ),
        (
            "backends: {main: {url: 'postgres://db/a', statement_timeout_ms: 0}}",
            "backends.main.statement_timeout_ms must be at least 1",
        ),
        (
            "backends: {a: {url: 'postgres://u:pass-word@db/a'}, \
                        b: {url: 'postgres://u:pass-word@db/a'}}",
            "backends.b.url is that of backends.a: a database has one name",
        ),
        (
            "backends: {main: {url: a.db}}\nnamespaces: {orders: mein}",
            "namespaces.orders: no backend is named `mein`; did you mean `main`?",
        ),
        (
            "backends: {main: {url: a.db}, spare: {url: b.db}}\nkeyvalue: {backend: redis}",
            "keyvalue.backend: no backend is named `redis`; there are main, spare, memory",
        ),
        (
            "namespaces: {orders: archive}",
            "namespaces.orders: no backend is named `archive`; there are main, memory",
        ),
        (
            "database: a.db\nbackends: {main: {url: b.db}}",
            "prism.yaml: database is for one backend alone, and backends are set; write it as one \
             of them, `backends: {main: {url: …}}`",
        ),
    ];
    for (text, expected) in corpus {
        let error = valid(text).unwrap_err();
        assert_eq!(error, expected, "{text}");
    }
    let error = valid("backends:\n  main: a.db\n").unwrap_err();
    assert!(error.starts_with("prism.yaml:2:9: "), "{error}");
}

#[test]
fn one_database_beside_several_says_who_sets_it() {
    let url = "postgres://u:pass-word@db/prod";
    let error = load(BACKENDS, &[("DATABASE_URL", url)], &[]).unwrap_err();
    let expected = "DATABASE_URL: database is for one backend alone, and backends are set; set \
                    PRISM_BACKENDS__MAIN__URL, with the backend's name, in its place";
    assert_eq!(error, expected);
    let both = [("PRISM_DATABASE", url), ("PRISM_BACKENDS__A__URL", "a.db")];
    let error = load("", &both, &[]).unwrap_err();
    assert!(error.starts_with("PRISM_DATABASE: database is for one backend alone"), "{error}");
    let error = load(BACKENDS, &[], &[("database", url)]).unwrap_err();
    assert!(error.starts_with("--database: database is for one backend alone"), "{error}");
    let mut config = valid(BACKENDS).unwrap();
    config.database = "other.db".to_owned();
    let error = config.validate().unwrap_err().to_string();
    assert!(error.starts_with("config.database: database is for one backend alone"), "{error}");
}
