//! The `prism` command: exit codes, formats, `prism.gen.yaml`, `--check`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const SCHEMA: &str = r#"
syntax = "proto3";
package a;
import "prism/options.proto";

message Thing {
  option (prism.message) = {namespace: "things"};
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
}

service ThingService {
  option (prism.service) = {entity: "Thing"};
  rpc GetThing(GetThingRequest) returns (Thing);
}

message GetThingRequest {
  string id = 1;
}
"#;

fn project(schema: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("a.proto"), schema).unwrap();
    root
}

fn prism(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_prism"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn check_answers_by_its_exit_code() {
    let right = project(SCHEMA);
    let output = prism(right.path(), &["check", "a.proto"]);
    assert_eq!((code(&output), stderr(&output)), (0, String::new()));

    let wrong = project(&SCHEMA.replace("INDEX_KIND_PRIMARY", "INDEX_KIND_SECONDARY"));
    let output = prism(wrong.path(), &["check", "a.proto"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("a.proto:6:9: error[P01"), "{}", stderr(&output));

    let output = prism(wrong.path(), &["check", "--format", "json", "a.proto"]);
    let line = stderr(&output).lines().next().unwrap().to_owned();
    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(json["code"].as_str().unwrap().starts_with("P01"), "{line}");

    assert_eq!(code(&prism(right.path(), &["check"])), 2);
    assert_eq!(code(&prism(right.path(), &["frobnicate"])), 2);
}

#[test]
fn every_command_takes_folders() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("proto/a")).unwrap();
    fs::write(root.path().join("proto/a/a.proto"), SCHEMA).unwrap();
    let commands: [&[&str]; 6] = [
        &["check", "proto"],
        &["check", "-I", "proto", "proto/a"],
        &["check", "."],
        &["generate", "--out", "service", "proto"],
        &["explain", "ThingService/GetThing", "proto"],
        &["migrate", "diff", "--out", "service", "proto"],
    ];
    for arguments in commands {
        let output = prism(root.path(), arguments);
        assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
    }
    fs::write(root.path().join("prism.gen.yaml"), "files: [proto]\n").unwrap();
    assert_eq!(code(&prism(root.path(), &["check"])), 0);
    fs::create_dir(root.path().join("empty")).unwrap();
    let output = prism(root.path(), &["check", "empty"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("no .proto file below the folder 'empty'"));
}

#[test]
fn a_warning_stops_only_where_it_is_denied() {
    let schema = SCHEMA.replace(
        "message GetThingRequest",
        "message Other {\n  option (prism.message) = {namespace: \"others\"};\n  string id = 1 \
         [(prism.field).index = INDEX_KIND_PRIMARY];\n  string mail = 2 \
         [(prism.field).index = INDEX_KIND_UNIQUE];\n}\nmessage GetThingRequest",
    );
    let root = project(&schema);
    let output = prism(root.path(), &["check", "a.proto"]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("warning[P09"), "{}", stderr(&output));
    assert_eq!(code(&prism(root.path(), &["check", "--deny-warnings", "a.proto"])), 1);
}

#[test]
fn generate_check_finds_what_is_stale() {
    let root = project(SCHEMA);
    let generate = ["generate", "--out", "service", "a.proto"];
    let check = ["generate", "--check", "--out", "service", "a.proto"];
    let output = prism(root.path(), &check);
    assert_eq!(code(&output), 1);
    assert!(!root.path().join("service").exists(), "--check writes nothing");

    assert_eq!(code(&prism(root.path(), &generate)), 0);
    assert_eq!(code(&prism(root.path(), &check)), 0);

    let library = root.path().join("service/src/lib.rs");
    let text = fs::read_to_string(&library).unwrap();
    fs::write(&library, text + "\n").unwrap();
    let output = prism(root.path(), &check);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("lib.rs"), "{}", stderr(&output));
}

#[test]
fn the_project_file_stands_for_arguments() {
    let root = project(SCHEMA);
    let file = root.path().join("prism.gen.yaml");
    fs::write(&file, "files: [a.proto]\nout: service\ncrate_name: my-things\n").unwrap();
    assert_eq!(code(&prism(root.path(), &["generate"])), 0);
    let manifest = fs::read_to_string(root.path().join("service/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"my-things\""), "{manifest}");

    fs::write(&file, "files: [a.proto]\nouput: service\n").unwrap();
    let output = prism(root.path(), &["generate"]);
    assert_eq!(code(&output), 2);
    let text = stderr(&output);
    let expected = "prism: prism.gen.yaml:2:1: unknown setting `ouput`; did you mean `out`?\n";
    assert_eq!(text, expected);
    for (settings, expected) in [
        ("files: a.proto\n", "prism.gen.yaml:1:8: files expects a list, such as [one, two]"),
        ("deploy: maybe\n", "prism.gen.yaml:1:9: deploy expects true or false"),
        ("files: [\n", "prism.gen.yaml:"),
    ] {
        fs::write(&file, settings).unwrap();
        let output = prism(root.path(), &["check"]);
        assert_eq!(code(&output), 2, "{settings}");
        let text = stderr(&output);
        assert!(text.starts_with(&format!("prism: {expected}")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn explain_shows_the_statement() {
    let root = project(SCHEMA);
    let output = prism(root.path(), &["explain", "ThingService/GetThing", "a.proto"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("SELECT \"id\" FROM \"things\" WHERE \"id\" = ?1"), "{text}");
    assert!(text.contains("\"id\" = $1"), "{text}");

    let output = prism(root.path(), &["explain", "GetNothing", "a.proto"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("a.ThingService/GetThing"), "{}", stderr(&output));
}

#[test]
fn the_command_that_a_changed_schema_asks_for_can_be_pasted_into_a_shell() {
    let root = project("");
    let folder = root.path().join("my protos");
    fs::create_dir(&folder).unwrap();
    let schema = folder.join("a.proto");
    fs::write(&schema, SCHEMA).unwrap();
    let generate = ["generate", "-I", "my protos", "--out", "the output", "my protos/a.proto"];
    let output = prism(root.path(), &generate);
    assert_eq!(code(&output), 0, "{}", stderr(&output));

    let added = SCHEMA.replace("KIND_PRIMARY];", "KIND_PRIMARY];\n  string label = 2;");
    fs::write(&schema, added).unwrap();
    let output = prism(root.path(), &generate);
    assert_eq!(code(&output), 1);
    let text = stderr(&output);
    let command = text.split("run `").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_prism")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let pasted = Command::new("sh")
        .args(["-c", command])
        .current_dir(root.path())
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(code(&pasted), 0, "{command}: {}", stderr(&pasted));
    let output = prism(root.path(), &generate);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}
