//! What README.md and docs/ show, given to the command as a reader would.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn prism(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism")).args(arguments).current_dir(folder).output().unwrap()
}

#[track_caller]
fn assert_runs(folder: &Path, arguments: &[&str]) -> String {
    let output = prism(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "prism {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The blocks of a language in a page.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("\n```{language}\n");
    page.split(&start).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    pages.push(root().join("README.md"));
    pages
}

/// Runs a command that warns of nothing but options that this version does not enforce.
#[track_caller]
fn assert_sound(folder: &Path, arguments: &[&str]) {
    let output = prism(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "prism {arguments:?}: {errors}");
    let others: Vec<&str> = errors
        .lines()
        .filter(|line| line.contains("warning[") && !line.contains("warning[P0903]"))
        .collect();
    assert_eq!(others, Vec::<&str>::new(), "prism {arguments:?}");
}

#[test]
fn every_schema_generates_without_a_warning() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for block in blocks(&text, "proto") {
            let scratch = tempfile::tempdir().unwrap();
            fs::write(scratch.path().join("page.proto"), block).unwrap();
            assert_sound(scratch.path(), &["check", "--format", "plain", "page.proto"]);
            assert_sound(scratch.path(), &["generate", "--format", "plain", "page.proto"]);
            assert!(scratch.path().join("generated/src/main.rs").exists(), "{}", page.display());
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen} schemas were looked at");
}

#[test]
fn the_tour_of_the_readme_runs() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let shell = blocks(&readme, "sh");
    let heredoc = shell.iter().find(|block| block.contains("<<'PROTO'")).unwrap();
    let (head, schema) = heredoc.split_once("<<'PROTO'\n").unwrap();
    let file = scratch.path().join(head.rsplit("> ").next().unwrap().trim());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, schema.strip_suffix("PROTO").unwrap()).unwrap();

    // The tour runs in the repository, where the runtime is.
    let runtime = scratch.path().join("prism-runtime");
    fs::create_dir(&runtime).unwrap();
    fs::copy(root().join("prism-runtime/Cargo.toml"), runtime.join("Cargo.toml")).unwrap();

    let commands = shell.iter().flat_map(|block| block.lines());
    let mut ran = Vec::new();
    for command in commands.filter_map(|line| line.strip_prefix("cargo prism ")) {
        let arguments: Vec<&str> = command.split(' ').collect();
        let printed = assert_runs(scratch.path(), &[&arguments[..], &["--deny-warnings"]].concat());
        assert!(arguments[0] != "explain" || printed.contains("SELECT"), "{printed}");
        ran.push(arguments[0]);
    }
    assert_eq!(ran, ["check", "explain", "generate"]);
    let manifest = scratch.path().join("tour/service/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let path = text.split("path = \"").nth(1).unwrap().split('"').next().unwrap();
    let runtime = Path::new("tour/service").join(path);
    assert_eq!(runtime, Path::new("tour/service/../../prism-runtime"), "from the root: {text}");
    assert!(readme.contains("--manifest-path tour/service/Cargo.toml"));
}

/// Fields of each row of the table of columns, by the beginning of the row.
const COLUMNS: &[(&str, &[&str])] = &[
    ("bool", &["bool"]),
    (
        "32-bit integers, int64, sint64, sfixed64",
        &["int32", "uint32", "sint32", "fixed32", "sfixed32", "int64", "sint64", "sfixed64"],
    ),
    ("enum", &["Level"]),
    ("uint64, fixed64", &["uint64", "fixed64"]),
    ("float, double", &["float", "double"]),
    ("string", &["string"]),
    ("bytes", &["bytes"]),
    ("Timestamp", &["google.protobuf.Timestamp"]),
    ("Duration", &["google.protobuf.Duration"]),
    ("any other message, lists and maps", &["Part", "repeated string", "map<string, Part>"]),
    ("the same with `STORAGE_JSON`", &["Part", "repeated string", "map<string, Part>"]),
];

/// The rows below a heading of the table of columns: its cells.
fn columns_table() -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("docs/schema.md")).unwrap();
    let (_, section) = page.split_once("\n## Columns\n\n").unwrap();
    let table = section.split("\n\n").next().unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect();
    table.lines().skip(2).map(cells).collect()
}

#[test]
fn the_table_of_columns_is_what_migrations_create() {
    let mut rows = columns_table();
    rows.retain(|row| row[1] != "scalar wrappers");
    assert_eq!(rows.len(), COLUMNS.len());
    let mut fields = String::new();
    let mut wanted: Vec<(String, String, String)> = Vec::new();
    for ((begin, types), row) in COLUMNS.iter().zip(&rows) {
        assert!(row[1].starts_with(begin), "{row:?} is not {begin}");
        for ty in *types {
            let number = wanted.len() + 2;
            let json =
                if begin.contains("JSON") { " [(prism.field).storage = STORAGE_JSON]" } else { "" };
            fields.push_str(&format!("  {ty} f{number} = {number}{json};\n"));
            let ty = |cell: &str| cell.split([',', '(']).next().unwrap().trim().to_owned();
            wanted.push((format!("f{number}"), ty(&row[2]), ty(&row[3])));
        }
    }
    let entity = |name: &str, backend: &str| {
        format!(
            "message {name} {{\n  option (prism.message) = {{namespace: \"{}s\", backend: \
             BACKEND_{backend}}};\n  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n\
             {fields}}}\n",
            name.to_lowercase()
        )
    };
    let schema = format!(
        "syntax = \"proto3\";\npackage acme.v1;\nimport \"prism/options.proto\";\nimport \
         \"google/protobuf/timestamp.proto\";\nimport \"google/protobuf/duration.proto\";\n\
         enum Level {{ LEVEL_UNSPECIFIED = 0; }}\nmessage Part {{ string a = 1; }}\n{}{}",
        entity("Lite", "SQLITE"),
        entity("Large", "POSTGRES")
    );
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("page.proto"), schema).unwrap();
    assert_sound(scratch.path(), &["generate", "--format", "plain", "page.proto"]);
    let migrations = |dialect: &str| {
        let folder = scratch.path().join("generated/migrations").join(dialect);
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        files.map(|file| fs::read_to_string(file).unwrap()).collect::<String>()
    };
    let (lite, large) = (migrations("sqlite"), migrations("postgres"));
    for (name, sqlite, postgres) in wanted {
        for (sql, ty) in [(&lite, sqlite), (&large, postgres)] {
            let column = sql.lines().find(|line| line.trim().starts_with(&format!("\"{name}\" ")));
            let column = column.unwrap().trim().trim_start_matches(&format!("\"{name}\" "));
            let declared = column.split(" NOT NULL").next().unwrap();
            let declared = declared.split(" DEFAULT").next().unwrap().trim_end_matches(',');
            assert_eq!(declared, ty, "{name}");
        }
    }
}
