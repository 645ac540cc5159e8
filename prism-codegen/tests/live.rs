//! `prism migrate status`, `apply` and `verify`, on live databases.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = r#"
syntax = "proto3";
package a;
import "prism/options.proto";

message Thing {
  option (prism.message) = {namespace: "things"};
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
  string name = 2;
}
"#;

struct Project {
    folder: tempfile::TempDir,
    database: String,
}

impl Project {
    fn new(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.proto"), SCHEMA).unwrap();
        fs::write(folder.path().join("prism.gen.yaml"), "files: [a.proto]\nout: out\n").unwrap();
        let file = format!("sqlite:{}", folder.path().join("a.db").display());
        Project { folder, database: database.unwrap_or(file) }
    }

    /// Exit code, what it answered, and what it said.
    fn prism(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_prism"))
            .args(arguments)
            .env("DATABASE_URL", &self.database)
            .current_dir(self.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

#[test]
fn what_is_no_database_is_refused_and_not_shown() {
    let places = [
        "host=h password=s3cret",
        "postgres:s3cret",
        "jdbc:postgresql://h/d?password=s3cret",
        " postgres://u:s3cret@h/d",
        "postgres://u:s3cret@h/d?s3cret=s3cret",
        "mysql://u:s3cret@h/d",
    ];
    let project = Project::new(None);
    assert_eq!(project.prism(&["generate"]).0, 0);
    let check = |arguments: &[&str], code: i32| {
        let (exit, shown, said) = project.prism(arguments);
        assert_eq!(exit, code, "{said}");
        assert!(!shown.contains("s3cret") && !said.contains("s3cret"), "{said}");
    };
    for place in places {
        for action in ["status", "apply", "verify"] {
            check(&["migrate", action, "--database", place], 1);
        }
        check(&["migrate", "apply", "--dry-run", "--database", place], 1);
        check(&["migrate", "status", place], 2);
    }
    for place in places.into_iter().chain(["./s3cret.db"]) {
        let project = Project { database: place.to_owned(), ..Project::new(None) };
        assert_eq!(project.prism(&["generate"]).0, 0);
        let before = fs::read_dir(project.path()).unwrap().count();
        let (exit, _, said) = project.prism(&["migrate", "apply"]);
        assert_eq!(exit, 1, "{said}");
        assert!(said.contains("DATABASE_URL") && !said.contains("s3cret"), "{said}");
        assert_eq!(fs::read_dir(project.path()).unwrap().count(), before, "a file was made");
    }
}

#[test]
fn a_refused_file_is_left_alone() {
    let project = Project::new(None);
    assert_eq!(project.prism(&["generate"]).0, 0);
    let names = || {
        let files = fs::read_dir(project.path()).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    fs::write(project.path().join("notes.txt"), "no database\n".repeat(1000)).unwrap();
    fs::write(project.path().join("gone.db-wal"), "a log").unwrap();
    let before = names();
    for place in ["notes.txt", "gone.db", "none/a.db"] {
        for arguments in [&["status"][..], &["verify"], &["apply", "--dry-run"], &["apply"]] {
            let command = [&["migrate"], arguments, &["--database", place]].concat();
            project.prism(&command);
            assert_eq!(names(), before, "{command:?}");
        }
        assert_eq!(project.prism(&["migrate", "apply", "--database", place]).0, 1);
    }
    let text = fs::read_to_string(project.path().join("notes.txt")).unwrap();
    assert!(text.starts_with("no database"));
    // A migration that is refused before anything is applied.
    let initial = project.path().join("out/migrations/sqlite/0001_initial.sql");
    fs::write(&initial, "no SQL").unwrap();
    assert_eq!(project.prism(&["migrate", "apply", "--database", "new.db"]).0, 1);
    assert!(!names().iter().any(|name| name == "new.db-lock"), "{:?}", names());
}

/// From no database at all to one that follows a changed schema; `own` are the names of Prism's own
/// migrations, and `execute` is another program.
fn a_database_is_led_along(project: &Project, own: &[&str], execute: impl Fn(&str)) {
    let (code, _, said) = project.prism(&["migrate", "status"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("out does not exist: name the folder with --out"), "{said}");
    assert_eq!(project.prism(&["generate"]).0, 0);

    let count = own.len() + 1;
    let would = format!("{count} would be applied\n");
    let (code, shown, said) = project.prism(&["migrate", "apply", "--dry-run"]);
    assert_eq!((code, said.as_str()), (0, would.as_str()), "{shown}");
    assert!(shown.starts_with("-- 0001 (keyvalue)\n"), "{shown}");
    assert!(shown.contains("-- 0001 (initial)\n-- @generated by prism generate."), "{shown}");
    let (code, _, said) = project.prism(&["migrate", "apply"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("migration applied migration=0001 (initial)"), "{said}");
    assert!(said.contains(&format!("{count} applied to ")), "{said}");
    assert!(!said.contains("throw-away"), "the password is not shown: {said}");
    let own = own.iter().zip(1..).map(|(name, n)| format!("prism   000{n}  applied      {name}\n"));
    let applied = own.collect::<String>() + "schema  0001  applied      initial\n";
    assert_eq!(project.prism(&["migrate", "status"]), (0, applied, String::new()));
    let (code, shown, said) = project.prism(&["migrate", "verify"]);
    assert_eq!((code, shown.as_str()), (0, ""), "{said}");
    assert!(said.contains("is as the schema says"), "{said}");

    let field = "string name = 2 [(prism.field).index = INDEX_KIND_SECONDARY];\n  int32 size = 3;";
    let changed = SCHEMA.replace("string name = 2;", field);
    fs::write(project.path().join("a.proto"), changed).unwrap();
    assert_eq!(project.prism(&["migrate", "diff"]).0, 0);
    let (code, shown, said) = project.prism(&["migrate", "status", "--format", "json"]);
    assert_eq!(code, 2, "{said}");
    let pending = r#"{"description":"change things","of":"schema","state":"pending","version":2}"#;
    assert!(shown.lines().any(|line| line == pending), "{shown}");
    let (code, shown, said) = project.prism(&["migrate", "verify"]);
    assert_eq!(code, 1, "{said}");
    let expected = "error: table things: column size is missing\n\
                    warning: table things: index idx_things_name is missing\n";
    assert_eq!(shown, expected);
    assert!(said.contains("run `prism migrate apply`"), "{said}");
    assert_eq!(project.prism(&["migrate", "apply"]).0, 0);
    assert_eq!(project.prism(&["migrate", "verify"]).0, 0);
    let (code, _, said) = project.prism(&["migrate", "apply"]);
    assert!(code == 0 && said.starts_with("0 applied to "), "{said}");

    execute("DROP INDEX idx_things_name");
    execute("ALTER TABLE things ADD COLUMN more INTEGER");
    let (code, shown, _) = project.prism(&["migrate", "verify"]);
    let expected = "notice: table things: column more is not in the schema\n\
                    warning: table things: index idx_things_name is missing\n";
    assert_eq!((code, shown.as_str()), (1, expected));

    let folder = if project.database.contains("://") { "postgres" } else { "sqlite" };
    let initial = project.path().join(format!("out/migrations/{folder}/0001_initial.sql"));
    let text = fs::read_to_string(&initial).unwrap();
    fs::write(&initial, text + "-- edited\n").unwrap();
    for command in ["status", "apply"] {
        let (code, _, said) = project.prism(&["migrate", command]);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("error: migration 0001 (initial) was edited after"), "{said}");
    }
}

#[test]
fn a_sqlite_database_is_led_along() {
    let project = Project::new(None);
    let path = project.database.trim_start_matches("sqlite:").to_owned();
    a_database_is_led_along(&project, &["keyvalue", "requests", "deletes"], |sql| {
        rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    });
    let (code, _, said) = project.prism(&["migrate", "status", "--database", "none.db"]);
    assert!(
        code == 1 && said.contains("none.db cannot be opened: the file does not exist"),
        "{said}"
    );
    // A server has the file.
    let lock = fs::File::create(format!("{path}-lock")).unwrap();
    lock.lock().unwrap();
    let (code, _, said) = project.prism(&["migrate", "apply"]);
    assert!(code == 1 && said.contains("is in use by a server: stop it first"), "{said}");
}

#[test]
fn a_postgres_database_is_led_along() {
    let Some(database) = prism_postgres::for_test() else { return };
    let project = Project::new(Some(database.url()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let execute = |sql: &str| {
        runtime.block_on(async {
            use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
            let mut connection = sqlx::PgConnection::connect(&database.url()).await.unwrap();
            connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        });
    };
    // What is set for the database changes neither statements nor checksums.
    for setting in ["bytea_output = escape", "standard_conforming_strings = off"] {
        execute(&format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting}', current_database()); \
             END $$"
        ));
    }
    a_database_is_led_along(&project, &["keyvalue", "requests", "namespaces"], execute);
    let nowhere = ["migrate", "status", "--database", "postgres://u:secret@127.0.0.1:1/d"];
    let (code, _, said) = project.prism(&nowhere);
    assert!(code == 1 && said.contains("`d` at 127.0.0.1:1 cannot be opened"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn memory_has_nothing_to_migrate() {
    let project = Project::new(None);
    assert_eq!(project.prism(&["generate"]).0, 0);
    let files = || fs::read_dir(project.path()).unwrap().count();
    let before = files();
    for place in ["memory", ":memory:", "sqlite::memory:"] {
        for command in ["status", "apply", "verify"] {
            let (code, _, said) = project.prism(&["migrate", command, "--database", place]);
            assert!(code == 1 && said.contains("has nothing to migrate"), "{said}");
        }
    }
    assert_eq!(files(), before);
}

#[test]
fn a_command_without_a_database_is_wrong() {
    let project = Project::new(Some(String::new()));
    let (code, _, said) = project.prism(&["migrate", "status"]);
    assert_eq!(code, 2);
    assert!(said.contains("no database: name it with --database URL|PATH"), "{said}");
}
