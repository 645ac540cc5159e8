//! Copies of JSON: what they pass over, and what stops them.

use prism_migrate::sqlite::Migrator;
use prism_schema::sql::Dialect;
use rusqlite::Connection;

use crate::{borrowed, migrations, migrations_between};

const BEFORE: &str = r#"
syntax = "proto3";
package a;
import "prism/options.proto";

message Thing {
  option (prism.message) = {namespace: "things"};
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY, (prism.field).mask_in_logs = true];
  repeated Part parts = 2 [(prism.field).storage = STORAGE_JSON];
}

message Part {
  reserved 7;
  reserved "long_gone";
  string label = 1;
  int32 width = 2 [json_name = "w"];
  Level level = 3;
  Part inner = 4;
}

enum Level {
  LOW = 0;
  HIGH = 1;
}
"#;

/// Renames a field and removes another.
fn after() -> String {
    BEFORE
        .replace("label", "title")
        .replace("  int32 width = 2 [json_name = \"w\"];\n", "")
        .replace("reserved 7;", "reserved 2, 7;")
        .replace("\"long_gone\"", "\"long_gone\", \"width\"")
}

/// Copies one value: what it becomes, or why the copy stops.
fn copied(before: &str, after: &str, json: &str) -> Result<String, String> {
    let (files, first) = migrations_between(Dialect::Sqlite, before, after);
    let known = borrowed(&files);
    let connection = Connection::open_in_memory().unwrap();
    Migrator { database: "test", migrations: &known[..first] }.apply(&connection).unwrap();
    let insert = "INSERT INTO things (id, parts) VALUES ('one', ?1)";
    connection.execute(insert, [json]).unwrap();
    let applied = Migrator { database: "test", migrations: &known }.apply(&connection);
    let parts = "SELECT parts FROM things";
    let parts: String = connection.query_row(parts, [], |row| row.get(0)).unwrap();
    match applied {
        Ok(_) => Ok(parts),
        Err(error) => {
            assert_eq!(parts, json, "the value in use is as it was");
            Err(error.to_string())
        }
    }
}

#[test]
fn names_follow_and_what_was_removed_goes() {
    let sent = r#"[{"label":"a","w":1,"level":"HIGH","inner":{"label":"b","longGone":{"x":[1]}}}]"#;
    let copied = copied(BEFORE, &after(), sent).unwrap();
    let copied: serde_json::Value = serde_json::from_str(&copied).unwrap();
    let expected = serde_json::json!([{"title": "a", "level": "HIGH", "inner": {"title": "b"}}]);
    assert_eq!(copied, expected);
}

#[test]
fn what_a_newer_schema_wrote_stops_a_copy() {
    for json in [
        r#"[{"label":"a"},{"newer":1}]"#,
        r#"[{"inner":{"inner":{"newer":1}}}]"#,
        r#"[{"level":"HIGHEST"}]"#,
    ] {
        let error = copied(BEFORE, &after(), json).unwrap_err();
        let expected = "things, the row with key \"[masked]\": a stored parts was written by a \
                        newer schema";
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_name_of_a_value_that_went_is_copied_as_the_other() {
    let aliases =
        BEFORE.replace("  HIGH = 1;", "  option allow_alias = true;\n  HIGH = 1;\n  UPPER = 1;");
    for gone in ["HIGH", "UPPER"] {
        let kept = if gone == "HIGH" { "UPPER" } else { "HIGH" };
        let after = aliases
            .replace("  option allow_alias = true;\n", "")
            .replace(&format!("  {gone} = 1;\n"), "")
            .replace(&format!("  {gone} = 1;"), "");
        for stored in ["HIGH", "UPPER"] {
            let json = format!(r#"[{{"level":"{stored}"}}]"#);
            let expected = format!(r#"[{{"level":"{kept}"}}]"#);
            assert_eq!(copied(&aliases, &after, &json), Ok(expected), "{stored} without {gone}");
        }
    }
}

/// A Value may be a number alone, of which SQLite would make another one, or a text.
#[test]
fn numbers_alone_are_copied_as_the_server_stores_them() {
    let binary = r#"
        syntax = "proto3";
        package a;
        import "google/protobuf/struct.proto";
        import "prism/options.proto";
        message Thing {
          option (prism.message) = {namespace: "things"};
          string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
          google.protobuf.Value value = 2;
        }
    "#;
    let json = binary.replace("value = 2", "value = 2 [(prism.field).storage = STORAGE_JSON]");
    let number = |value: f64| [&[0x11][..], &value.to_le_bytes()].concat();
    let text = |value: &str| [&[0x1a, value.len() as u8], value.as_bytes()].concat();
    let all = [
        (number(1.0), "integer", "1"),
        (number(0.1), "real", "0.1"),
        (number(-0.0), "blob", "x'8000000000000000'"),
        (number(1e300), "real", "1.0e+300"),
        (number(123_456_789_012_345_680.0), "integer", "123456789012345680"),
        (text("5"), "text", "'\"5\"'"),
        (vec![0x20, 1], "text", "'true'"),
    ];
    for (wire, kind, stored) in all {
        let (files, first) = migrations_between(Dialect::Sqlite, binary, &json);
        let known = borrowed(&files);
        let connection = Connection::open_in_memory().unwrap();
        Migrator { database: "test", migrations: &known[..first] }.apply(&connection).unwrap();
        connection.execute("INSERT INTO things VALUES ('one', ?1)", [&wire]).unwrap();
        Migrator { database: "test", migrations: &known }.apply(&connection).unwrap();
        let found = connection
            .query_row("SELECT typeof(value), quote(value) FROM things", [], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .unwrap();
        assert_eq!(found.0, kind, "{found:?}");
        assert!(found.1.eq_ignore_ascii_case(stored), "{found:?} instead of {stored}");

        let (files, first) = migrations_between(Dialect::Sqlite, &json, binary);
        let known = borrowed(&files);
        let connection = Connection::open_in_memory().unwrap();
        Migrator { database: "test", migrations: &known[..first] }.apply(&connection).unwrap();
        let insert = format!("INSERT INTO things VALUES ('one', {stored})");
        connection.execute(&insert, []).unwrap();
        Migrator { database: "test", migrations: &known }.apply(&connection).unwrap();
        let back: Vec<u8> =
            connection.query_row("SELECT value FROM things", [], |row| row.get(0)).unwrap();
        assert_eq!(back, wire, "{stored}");
    }
}

/// 2: weight, a DoubleValue.
#[test]
fn a_value_without_json_stops_a_copy_and_the_error_names_its_row() {
    let (files, first) = migrations(Dialect::Sqlite);
    let known = borrowed(&files);
    let connection = Connection::open_in_memory().unwrap();
    Migrator { database: "test", migrations: &known[..first] }.apply(&connection).unwrap();
    for (number, double) in [(1, 0.5_f64), (2, f64::NAN), (3, f64::INFINITY)] {
        let part = [&[0x12, 9, 9][..], &double.to_le_bytes()].concat();
        let insert = "INSERT INTO things (shop, number, part, size) VALUES ('s', ?1, ?2, 0)";
        connection.execute(insert, rusqlite::params![number, part]).unwrap();
    }
    let migrator = Migrator { database: "test", migrations: &known };
    for number in [2, 3] {
        let error = migrator.apply(&connection).unwrap_err().to_string();
        let row =
            format!(r#"things, the row with key ["s","{number}"]: a stored part has no JSON"#);
        assert!(error.contains(&row), "{error}");
        let repair = "UPDATE things SET part = NULL WHERE number = ?1";
        connection.execute(repair, [number]).unwrap();
    }
    migrator.apply(&connection).unwrap();
    let part = "SELECT part FROM things WHERE part IS NOT NULL";
    let part: String = connection.query_row(part, [], |row| row.get(0)).unwrap();
    assert_eq!(part, r#"{"weight":0.5}"#);
}
