//! Settings: where they come from, and what a wrong one says.
#![allow(clippy::unwrap_used)]

#[path = "support/settings.rs"]
mod settings;

use prism_runtime::config::{AuthMode, Config, Database, LogFormat, Postgres, Sources};
use prism_runtime::server::UnknownFields;
use settings::{load, only, sqlite, valid};

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

#[test]
fn nothing_need_be_set() {
    for text in ["", "# nothing\n", "server: {}\n"] {
        assert_eq!(valid(text).unwrap(), Config::default(), "{text:?}");
    }
    let config = Config::default();
    assert_eq!(config.server.listen, "127.0.0.1:8980");
    assert_eq!(only(&config), sqlite("./prism.db"));
}

#[test]
fn every_setting_is_read() {
    let text = format!(
        "server:\n  listen: 0.0.0.0:80\n  threads: 3\n  max_message_bytes: 1000\n  \
         max_connections: 7\n  max_concurrent_streams: 9\n  default_timeout_ms: 100\n  \
         drain_seconds: 5\n  unknown_fields: drop\n  token_keys: [{KEY}]\n\
         database: sqlite:/data/a.db\n\
         keyvalue:\n  namespaces: [a, b]\n  max_namespaces: 5\n  tombstone_hours: 48\n  \
         max_clock_skew_seconds: 5\n\
         auth: {{mode: insecure}}\nlog: {{level: debug, format: json}}\n"
    );
    let config = valid(&text).unwrap();
    assert_eq!(config.server.threads, 3);
    assert_eq!(config.server.unknown_fields, UnknownFields::Drop);
    assert_eq!(config.token_keys().unwrap(), [*b"01234567890123456789012345678901"]);
    assert_eq!(only(&config), sqlite("/data/a.db"));
    assert_eq!(config.keyvalue.namespaces, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(config.auth.mode, Some(AuthMode::Insecure));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!format!("{config:?}").contains(KEY), "a secret is shown");
}

#[test]
fn variables_override_the_file_and_flags_override_both() {
    let text = "server:\n  threads: 1\n  drain_seconds: 1\nlog: {level: warn}\n";
    let environment = [
        ("PRISM_SERVER__THREADS", "2"),
        ("PRISM_SERVER__DRAIN_SECONDS", "2"),
        ("PRISM_SERVER__TOKEN_KEYS", KEY),
        ("PRISM_KEYVALUE__NAMESPACES", "[a, \"17\"]"),
        ("PRISM_DATABASE", "17"),
        ("DATABASE_URL", "sqlite:other.db"),
        ("OTHER_THREADS", "x"),
    ];
    let environment: Vec<_> =
        environment.into_iter().filter(|(name, _)| *name != "PRISM_SERVER__TOKEN_KEYS").collect();
    let config = load(text, &environment, &[("server.drain_seconds", "3")]).unwrap();
    assert_eq!((config.server.threads, config.server.drain_seconds), (2, 3));
    assert_eq!(config.log.level, "warn");
    assert_eq!(config.keyvalue.namespaces, Some(vec!["a".to_owned(), "17".to_owned()]));
    // Prism's own variable goes before the common one, and a name may look like a number.
    assert_eq!(config.database, "17");
    let config = load("", &[("DATABASE_URL", "sqlite:other.db")], &[]).unwrap();
    assert_eq!(only(&config), sqlite("other.db"));
}

#[test]
fn a_wrong_file_says_where_and_what() {
    let corpus = [
        (
            "server:\n  listne: 1\n",
            "prism.yaml:2:3: unknown setting `listne`; did you mean `listen`?",
        ),
        ("sever: {}\n", "prism.yaml:1:1: unknown setting `sever`; did you mean `server`?"),
        (
            "log:\n  colour: true\n",
            "prism.yaml:2:3: unknown setting `colour`; known are level, format",
        ),
        (
            "server:\n  unknown_fields: refsue\n",
            "prism.yaml:2:19: server.unknown_fields has an unknown value `refsue`; did you mean \
             `refuse`?",
        ),
        ("listen: a\n", "prism.yaml:1:1: unknown setting `listen`; did you mean `server.listen`?"),
        (
            "acquire_timeout_ms: 5\n",
            "prism.yaml:1:1: unknown setting `acquire_timeout_ms`; did you mean \
             `postgres.acquire_timeout_ms`?",
        ),
        (
            "server:\n  threads: many\n",
            "prism.yaml:2:12: server.threads expects a whole number from 0 on, of at most 19 digits",
        ),
        (
            "server:\n  listen: [1]\n",
            "prism.yaml:2:11: server.listen expects a single value, which needs quotation marks if it begins \
             with [ or {",
        ),
        (
            "server:\n  drain_seconds: 30s\n",
            "prism.yaml:2:18: server.drain_seconds expects a whole number of seconds from 0 on, of \
             at most 19 digits, without a unit",
        ),
        (
            "server:\n  max_message_bytes: 4MiB\n",
            "prism.yaml:2:22: server.max_message_bytes expects a whole number of bytes from 0 on, of \
             at most 19 digits, without a unit",
        ),
        (
            "server: {max_concurrent_streams: 5000000000}\n",
            "prism.yaml:1:34: server.max_concurrent_streams expects a whole number from 0 to \
             4294967295",
        ),
        ("server: 5\n", "prism.yaml:1:9: server expects further settings, each as `name: value`"),
        ("server:\n", "prism.yaml:1:7: server expects further settings, each as `name: value`"),
        (
            "backends: [main]\n",
            "prism.yaml:1:11: backends expects further settings, each as `name: value`",
        ),
        (
            "keyvalue:\n  namespaces: all\n",
            "prism.yaml:2:15: keyvalue.namespaces expects a list, such as [one, two]",
        ),
        (
            "namespaces: {orders: {main: true}}\n",
            "prism.yaml:1:22: namespaces.orders expects a single value, which needs quotation marks if it \
             begins with [ or {",
        ),
        ("migrate: maybe\n", "prism.yaml:1:10: migrate expects true or false"),
        ("database:\n", "prism.yaml:1:9: database has no value"),
        (
            "server:\n  threads: 1\n  threads: 2\n",
            "prism.yaml:3:3: server.threads is there twice; remove one of the two",
        ),
        ("hello\n", "prism.yaml:1:1: the text expects further settings, each as `name: value`"),
    ];
    for (text, expected) in corpus {
        assert_eq!(valid(text).unwrap_err(), expected, "{text}");
    }
    for (text, place) in [
        ("server:\n  drain_seconds: -1\n", "prism.yaml:2:18: server.drain_seconds expects "),
        ("server:\n\tthreads: 1\n", "prism.yaml:2:2: not readable as YAML: "),
        ("server: [\n", "prism.yaml:1:9: not readable as YAML: "),
    ] {
        let error = valid(text).unwrap_err();
        assert!(error.starts_with(place), "{text}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let error = load("", &[("PRISM_SERVER__LISTNE", "x")], &[]).unwrap_err();
    assert_eq!(error, "PRISM_SERVER__LISTNE: unknown setting `listne`; did you mean `listen`?");
    let error = load("", &[("PRISM_SERVER__THREADS", "s3cret")], &[]).unwrap_err();
    assert!(error.starts_with("PRISM_SERVER__THREADS: server.threads expects "), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
    let error = load("", &[], &[("server.threads", "many")]).unwrap_err();
    assert!(error.starts_with("--server.threads: server.threads expects "), "{error}");
}

#[test]
fn a_variable_or_flag_says_what_it_should_be() {
    for (name, value, expected) in [
        (
            "PRISM_SERVER_LISTEN",
            "x",
            "no setting; did you mean PRISM_SERVER__LISTEN? Two underscores stand between levels",
        ),
        (
            "PRISM_BACKENDS_COLD_STORE_URL",
            "x",
            "no setting; did you mean PRISM_BACKENDS__COLD_STORE__URL? Two underscores stand between \
             levels",
        ),
        ("PRISM_LISTEN", "x", "unknown setting `listen`; did you mean `server.listen`?"),
        ("PRISM_", "x", "a level of the setting has no name"),
        ("PRISM_SERVER__", "x", "a level of the setting has no name"),
        (
            "PRISM_SERVER__THREADS",
            "",
            "server.threads expects a whole number from 0 on, of at most 19 digits",
        ),
        ("PRISM_LOG__FORMAT", "", "log.format has no value; known are auto, json, text"),
        ("PRISM_SERVER", "5", "server expects further settings, each as `name: value`"),
        ("PRISM_KEYVALUE__NAMESPACES", "[a, a", "not readable as YAML: "),
        (
            "PRISM_BACKENDS",
            "{main: {url: a.db}, main: {url: b.db}}",
            "main is there twice; remove one of the two",
        ),
    ] {
        let error = load("", &[(name, value)], &[]).unwrap_err();
        assert!(error.starts_with(&format!("{name}: {expected}")), "{error}");
    }
    let error = load("", &[], &[("server..listen", "x")]).unwrap_err();
    assert_eq!(error, "--server..listen: a level of the setting has no name");
    let error = load("", &[], &[("SERVER.listen", "x")]).unwrap_err();
    assert_eq!(error, "--SERVER.listen: unknown setting `SERVER`; did you mean `server`?");
}

#[test]
fn numbers_have_a_range_that_is_told() {
    for (setting, least, most) in [
        ("server.threads", 0, 1024),
        ("server.max_message_bytes", 1, u64::from(u32::MAX)),
        ("server.max_connections", 1, 1_000_000_000),
        ("server.max_connections_per_peer", 0, 1_000_000_000),
        ("server.idle_timeout_seconds", 0, 315_360_000),
        ("server.max_connection_age_seconds", 0, 315_360_000),
        ("server.max_connection_grace_seconds", 0, 315_360_000),
        ("server.max_concurrent_streams", 1, u64::from(u32::MAX)),
        ("server.default_timeout_ms", 1, 2_147_483_647),
        ("server.drain_seconds", 0, 315_360_000),
        ("keyvalue.max_namespaces", 0, 1_000_000_000),
        ("keyvalue.tombstone_hours", 1, 87_600),
        ("keyvalue.max_clock_skew_seconds", 0, 315_360_000),
        ("postgres.max_connections", 1, 1_000_000_000),
        ("postgres.acquire_timeout_ms", 1, 2_147_483_647),
        ("postgres.statement_timeout_ms", 1, 2_147_483_647),
    ] {
        let refused = |value: u64| {
            let flags = [
                (setting, &*value.to_string()),
                ("server.max_buffered_bytes", "18446744073709551615"),
            ];
            let config = load("", &[], &flags);
            config.and_then(|config| config.validate().map_err(|error| error.to_string()))
        };
        assert!(refused(least).is_ok() && refused(most).is_ok(), "{setting}");
        for value in [most + 1, u64::MAX] {
            let error = refused(value).unwrap_err();
            let expected = format!("{setting} must be at most {most}");
            let is_u32 = error.contains(" expects a whole number ")
                && error.contains("from 0 to 4294967295");
            assert!(error == expected || is_u32, "{error}");
        }
        if least == 1 {
            assert_eq!(refused(0).unwrap_err(), format!("{setting} must be at least 1"));
        }
    }
}

#[test]
fn rules_between_settings() {
    let corpus = [
        ("server: {listen: 8980}", "server.listen is not an address and a port"),
        ("server: {listen: '0.0.0.0:1'}", "server.listen is not a loopback address, and no"),
        (
            "server: {listen: '0.0.0.0:1'}\nauth: {mode: insecure}",
            "server.token_keys is needed on an address that is not loopback",
        ),
        (
            "server: {listen: '127.0.0.1:99999'}",
            "server.listen has a port that is not a whole number from 0 to 65535",
        ),
        ("server: {listen: '127.0.0.1:-1'}", "server.listen has a port that is not a whole number"),
        ("server: {listen: ':8980'}", "server.listen is not an address and a port"),
        ("server: {listen: '::1:80'}", "server.listen has an IPv6 address without brackets"),
        ("server: {listen: 'http://u:short@h'}", "server.listen is a URL"),
        (
            "server: {listen: 'host.invalid:1'}",
            "server.listen names a host whose address is not found",
        ),
        ("log: {level: verbose}", "log.level has a level that is not known; a filter is one of"),
        (
            "keyvalue: {namespaces: [a, A_B]}",
            "keyvalue.namespaces[1] `A_B` must be of a to z, 0 to 9 and -",
        ),
        ("keyvalue: {namespaces: ['']}", "keyvalue.namespaces[0] `` must be of 1 to 63 bytes"),
        (
            "keyvalue: {namespaces: [prism-own]}",
            "keyvalue.namespaces[0] `prism-own` begins with prism-, which is kept for Prism itself",
        ),
        (
            "keyvalue: {namespaces: ['postgres://u:short@h/d']}",
            "keyvalue.namespaces[0] must be of a to z, 0 to 9 and -",
        ),
        ("server: {token_keys: [short]}", "server.token_keys[0] is not base64 of 32 bytes"),
        ("server: {max_connections: 0}", "server.max_connections must be at least 1"),
        (
            "server: {max_buffered_bytes: 1000}",
            "server.max_buffered_bytes must be at least server.max_message_bytes",
        ),
        ("postgres: {max_connections: 0}", "postgres.max_connections must be at least 1"),
        (
            "database: mysql://db/prod",
            "database is neither a path, nor sqlite:path, nor a postgres",
        ),
        ("database: ''", "database is not the path of a file"),
    ];
    for (text, expected) in corpus {
        let error = valid(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains("short"), "a secret is shown: {error}");
    }
}

#[test]
fn a_database_url_is_a_postgres_whose_password_is_not_shown() {
    let url = "postgres://u:pass-word@db/prod";
    let config = load("", &[("DATABASE_URL", url)], &[]).unwrap();
    config.validate().unwrap();
    let database = only(&config);
    let Database::Postgres { url: read, settings } = &database else { panic!("{database:?}") };
    assert_eq!((read.expose(), settings), (url, &Postgres::default()));
    assert_eq!(database.to_string(), "db:5432/prod");
    for shown in [format!("{config:?}"), format!("{database:?} {database}")] {
        assert!(!shown.contains("pass-word"), "{shown}");
    }
}

/// Values of `DATABASE_URL` that are no URL, or not one that is known.
const NO_URLS: [&str; 16] = [
    "host=s3cret password=s3cret",
    "postgres:s3cret",
    "postgres:u:s3cret@h/d",
    "postgres:/u:s3cret@h/d",
    "jdbc:postgresql://h/d?password=s3cret",
    "mysql://u:s3cret@h/d",
    "u:s3cret@h:5432/d",
    "//u:s3cret@h/d",
    "  postgres://u:s3cret@h/d",
    "postgres://u:s3cret@h/d\n",
    "'postgres://u:s3cret@h/d'",
    "postgres://u:s3cret@h:port/d",
    "postgres://u:s3cret@h/d?sslmod=require",
    "postgres://u:p@h/d?s3cret=s3cret",
    "sqlite:a.db?key=s3cret",
    "sqlite:postgres://u:s3cret@h/d",
];

#[test]
fn what_is_no_url_is_refused_and_not_shown() {
    let places = NO_URLS.into_iter().chain(["./s3cret.db", "s3cret", "/s3cret/prism.db", ""]);
    for text in places {
        let error = load("", &[("DATABASE_URL", text)], &[]).unwrap_err();
        assert!(error.starts_with("DATABASE_URL "), "{text}: {error}");
        assert!(!error.contains("s3cret") && error.lines().count() == 1, "{text}: {error}");
    }
    // A path is one where the settings take it.
    for text in NO_URLS {
        let sources = [
            load("", &[("PRISM_DATABASE", text)], &[]),
            load("", &[], &[("database", text)]),
            load("", &[("PRISM_BACKENDS__MAIN__URL", text)], &[]),
            load(&format!("database: {text:?}\n"), &[], &[]),
        ];
        for config in sources {
            let config = config.unwrap();
            let error = config.validate().unwrap_err().to_string();
            assert!(!error.contains("s3cret") && error.lines().count() == 1, "{text}: {error}");
            assert!(!format!("{config:?}").contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn no_error_of_a_file_shows_a_secret() {
    let url = "postgres://u:s3cret@h/d";
    for text in [
        format!("database: {url}: x\n"),
        format!("database:\n  {url}:\n"),
        format!("database:\n  {url}: x\n"),
        format!("database: [{url}\n"),
        format!("database: {{{url}\n"),
        format!("database: {{{url}}}\n"),
        format!("database: [{url}]\n"),
        format!("database: \"{url}\n"),
        format!("database: '{url}\n"),
        format!("database: !s3cret {url}\n"),
        "database: *s3cret\n".to_owned(),
        format!("database: *{url}\n"),
        "database: &s3cret\n".to_owned(),
        "database: %s3cret\n".to_owned(),
        "database: @s3cret\n".to_owned(),
        "database: |s3cret\n".to_owned(),
        "database: >s3cret\n".to_owned(),
        format!("database: \"\\{url}\"\n"),
        format!("database: \"\\x{url}\"\n"),
        "%s3cret\n---\ndatabase: a.db\n".to_owned(),
        format!("{url}\n"),
        format!("{url}: a\n"),
        format!("- {url}\n"),
        format!("backends: {url}\n"),
        format!("backends: {{main: {url}}}\n"),
        format!("backends: {{main: [{url}]}}\n"),
        format!("backends: {{{url}: {{url: a.db}}}}\n"),
        format!("backends: {{main: {{{url}: a.db}}}}\n"),
        format!("backends: {{main: {{url: a.db, max_connections: {url}}}}}\n"),
        format!("backends: {{main: {{url: a.db, prepared_statements: {url}}}}}\n"),
        format!("namespaces: {{orders: {url}}}\n"),
        format!("keyvalue: {{backend: {url}}}\n"),
        format!("migrate: {url}\n"),
        format!("server: {{threads: {url}}}\n"),
        format!("server: {{token_keys: {url}}}\n"),
        format!("server: {{token_keys: [{url}]}}\n"),
        format!("server: {{unknown_fields: {url}}}\n"),
        format!("server: {{listen: {url}}}\n"),
        format!("auth: {{mode: {url}}}\n"),
        format!("log: {{format: {url}}}\n"),
        format!("database: a.db\n{url}\n"),
        format!("database: a.db\n  {url}\n"),
        format!("database: {url}\ndatabase: {url}\n"),
        format!("database: {url}\n---\ndatabase: {url}\n"),
        format!("database: {url}\n\tx\n"),
        format!("? {url}\n"),
        format!("<<: {url}\n"),
        format!("\u{1}{url}\n"),
    ] {
        // Some are valid: a tag is ignored.
        let shown = valid(&text).map_or_else(|error| error, |config| format!("{config:?}"));
        assert!(!shown.contains("s3cret"), "{text}: {shown}");
        assert_eq!(shown.lines().count(), 1, "{text}: {shown}");
    }
    for name in ["PRISM_BACKENDS", "PRISM_BACKENDS__MAIN", "PRISM_SERVER", "PRISM_SERVER__THREADS"]
    {
        for value in [url.to_owned(), format!("{{{url}: x}}"), format!("{{main: {{{url}: x}}}}")] {
            let error = load("", &[(name, &value)], &[]).unwrap_err();
            assert!(error.starts_with(name) && !error.contains("s3cret"), "{error}");
        }
    }
}

#[test]
fn a_file_that_was_named_must_exist() {
    let sources = Sources { file: Some("/nonexistent/prism.yaml".into()), ..Sources::default() };
    let error = sources.load().unwrap_err().to_string();
    assert!(error.starts_with("cannot read /nonexistent/prism.yaml: "), "{error}");
}

#[test]
fn what_the_documentation_shows_is_read() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks: Vec<&str> =
        page.split("\n```yaml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty());
    for block in &blocks {
        valid(block).unwrap();
    }
    // The page says that it shows the defaults.
    assert_eq!(valid(blocks[0]).unwrap(), Config::default());
    assert!(blocks.iter().any(|block| valid(block).unwrap().backends.len() > 1));
    // What is shown as a comment is a setting too.
    let commented = blocks[0]
        .replace("  # namespaces", "  namespaces")
        .replace("  # backend", "  backend")
        .replace("# auth:", "auth:")
        .replace("#   mode", "  mode");
    let config = load(&commented, &[], &[]).unwrap();
    assert_eq!(config.auth.mode, Some(AuthMode::Insecure));
    assert!(config.keyvalue.namespaces.is_some() && config.keyvalue.backend.is_some());
}
