//! The `prism` command: exit codes, formats, `prism.gen.yaml`, `--check`.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

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

const LISTED: &str = r#"
syntax = "proto3";
package a;
import "prism/options.proto";

message Thing {
  option (prism.message) = {
    namespace: "things"
    indexes: {fields: ["kind", "note"]}
  };
  string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];
  string kind = 2;
  string note = 3;
  optional string code = 4 [(prism.field).index = INDEX_KIND_UNIQUE];
}

service ThingService {
  option (prism.service) = {entity: "Thing"};
  rpc ListThings(ListThingsRequest) returns (ListThingsResponse);
}

message ListThingsRequest {
  string page_token = 1;
  string order_by = 2;
  string kind = 3;
  optional string note_prefix = 4 [(prism.field) = {role: ROLE_PREFIX, entity_field: "note"}];
}

message ListThingsResponse {
  repeated Thing things = 1;
  string next_page_token = 2;
}
"#;

/// The orders that are taken, the index that is read, and both bounds of a prefix.
#[test]
fn explain_shows_how_a_list_is_read() {
    let root = project(LISTED);
    let output = prism(root.path(), &["explain", "ThingService/ListThings", "a.proto"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let index = "a_things_kind_note";
    let index = text.split("by index ").nth(1).map_or(index, |rest| rest.lines().next().unwrap());
    for line in [
        "order_by takes the beginning of id (not reversed); note, id".to_owned(),
        "in the order id, by a sort or a filter on each page".to_owned(),
        format!(
            r#"FROM "things" INDEXED BY "{index}" WHERE "kind" = ?1 ORDER BY "note", "id" LIMIT ?2;"#
        ),
        r#"WHERE "kind" = ?1 AND "note" >= ?2 AND "note" < ?3 ORDER BY "id" LIMIT ?4;"#.to_owned(),
        r#"WHERE "kind" = $1 AND "note" >= $2 AND "note" < $3 ORDER BY "id" LIMIT $4;"#.to_owned(),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn explain_finds_a_method_by_what_is_close_to_its_name() {
    let root = project(SCHEMA);
    let dotted = prism(root.path(), &["explain", "a.ThingService.GetThing", "a.proto"]);
    assert_eq!(code(&dotted), 0, "{}", stderr(&dotted));
    for name in ["a.thingservice/getthing", "GetThing", "b.ThingService/GetThing", "GteThing"] {
        let output = prism(root.path(), &["explain", name, "a.proto"]);
        let text = stderr(&output);
        assert_eq!(code(&output), 2, "{text}");
        assert!(text.contains("did you mean `a.ThingService/GetThing`?"), "{text}");
    }
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

/// What a command says of its arguments, and that it has made nothing.
fn refused(root: &Path, arguments: &[&str], expected: (i32, &str)) {
    let entries = || fs::read_dir(root).unwrap().count();
    let before = entries();
    let output = prism(root, arguments);
    let text = stderr(&output);
    assert_eq!(code(&output), expected.0, "{arguments:?}: {text}");
    assert!(text.contains(expected.1), "{arguments:?}: {text}");
    assert_eq!(entries(), before, "{arguments:?} made a file");
}

#[test]
fn a_wrong_input_is_named() {
    let root = project(SCHEMA);
    fs::write(root.path().join("schema.json"), "{\"file\": []}").unwrap();
    fs::write(root.path().join("other.binpb"), [0xff, 0x00, 0xfe]).unwrap();
    fs::create_dir(root.path().join("folder")).unwrap();
    let corpus: [(&[&str], &str); 14] = [
        (&["-I", "nope", "a.proto"], "the include folder 'nope' does not exist"),
        (&["-I", "nope", "-I", ".", "a.proto"], "the include folder 'nope' does not exist"),
        (&["-I", "a.proto", "a.proto"], "the include folder 'a.proto' is not a folder"),
        (&["nope.proto"], "file 'nope.proto' not found"),
        (&["*.nope"], "the file '*.nope' does not exist, and patterns are not expanded"),
        (&["a.prot?"], "name the folder in place of the pattern"),
        (&["other.binpb"], "a descriptor set is named with --descriptor-set"),
        (&["--descriptor-set", "nope"], "'nope' is not a descriptor set: the file does not exist"),
        (&["--descriptor-set", "folder"], "'folder' is not a descriptor set: it is a folder"),
        (&["--descriptor-set", "a.proto"], "it is a text; .proto files are named without"),
        (&["--descriptor-set", "schema.json"], "it is JSON, and not the binary form"),
        (&["--descriptor-set", "other.binpb"], "it is not an encoded google.protobuf.FileDescr"),
        (&["--descriptor-set", "a.proto/x"], "'a.proto/x' is not a descriptor set: "),
        (&["folder"], "there is no .proto file below the folder 'folder'"),
    ];
    for (inputs, expected) in corpus {
        for command in [&["check"][..], &["generate"], &["explain", "M"], &["migrate", "diff"]] {
            refused(root.path(), &[command, inputs].concat(), (1, expected));
        }
    }
    for (settings, expected) in [
        (
            "files: ['*.proto']\n",
            "the file '*.proto' does not exist, and patterns are not expanded",
        ),
        ("files: [a.proto]\nincludes: [nope]\n", "the include folder 'nope' does not exist"),
        ("descriptor_set: folder\n", "'folder' is not a descriptor set: it is a folder"),
    ] {
        fs::write(root.path().join("prism.gen.yaml"), settings).unwrap();
        refused(root.path(), &["check"], (1, expected));
    }
}

#[test]
fn a_wrong_output_is_named() {
    let root = project(SCHEMA);
    fs::create_dir_all(root.path().join("folder/other")).unwrap();
    fs::write(root.path().join("folder/other/Cargo.toml"), "[package]\nname = \"x\"\n").unwrap();
    let corpus: [(&[&str], &str); 7] = [
        (&["--out", "a.proto"], "the output cannot be written: a.proto: it is not a folder"),
        (&["--out", "a.proto/b"], "the output cannot be written: a.proto: it is not a folder"),
        (&["--runtime-path", "nope"], "prism-runtime is not at 'nope': the folder '"),
        (&["--runtime-path", "../a.proto"], "prism-runtime is not at '../a.proto': the folder '"),
        (&["--runtime-path", "../folder"], "prism-runtime is not at '../folder': the file '"),
        (&["--runtime-path", "../folder/other"], "Cargo.toml' belongs to another package"),
        (&["--crate-name", "1a"], "'1a' is not a valid crate name"),
    ];
    for (arguments, expected) in corpus {
        for command in [&["generate", "a.proto"][..], &["generate", "--check", "a.proto"]] {
            refused(root.path(), &[command, arguments].concat(), (1, expected));
        }
    }
    let diff = ["migrate", "diff", "--out", "a.proto", "a.proto"];
    refused(root.path(), &diff, (1, "a.proto: it is not a folder"));
    for (settings, expected) in [
        ("out: ''\n", "the output cannot be written: the folder has no name"),
        ("runtime_path: ''\n", "prism-runtime is not at '': it is empty"),
    ] {
        fs::write(root.path().join("prism.gen.yaml"), settings).unwrap();
        refused(root.path(), &["generate", "a.proto"], (1, expected));
    }
}

#[test]
fn a_runtime_is_found_from_an_output_folder_that_is_not_there_yet() {
    let root = project(SCHEMA);
    fs::create_dir_all(root.path().join("prism/prism-runtime")).unwrap();
    let manifest = root.path().join("prism/prism-runtime/Cargo.toml");
    fs::write(manifest, "[package]\nname = \"prism-runtime\"\n").unwrap();
    let path = ["--out", "a/service", "--runtime-path", "../../prism/prism-runtime"];
    let output = prism(root.path(), &[&["generate", "a.proto"], &path[..]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_wrong_database_is_named() {
    let root = project(SCHEMA);
    assert_eq!(code(&prism(root.path(), &["generate", "--out", "service", "a.proto"])), 0);
    fs::write(root.path().join("text.db"), "no database, but a text that is long enough").unwrap();
    let status = |arguments: &[&'static str]| [&["migrate", "status"], arguments].concat();
    for (arguments, expected) in [
        (status(&["--out", "nope", "--database", "a.db"]), "nope does not exist: name the folder"),
        (status(&["--out", "a.proto", "--database", "a.db"]), "a.proto is not a folder: name the"),
        (
            status(&["--out", "service", "--database", "nope.db"]),
            "nope.db cannot be opened: the file does not exist",
        ),
        (
            status(&["--out", "service", "--database", "service"]),
            "cannot be opened: it is a folder",
        ),
        (
            status(&["--out", "service", "--database", "text.db"]),
            "text.db cannot be opened: file is",
        ),
    ] {
        refused(root.path(), &arguments, (1, expected));
    }
    let apply = ["migrate", "apply", "--out", "service", "--database", "nope/a.db"];
    refused(root.path(), &apply, (1, "nope/a.db cannot be opened: its folder does not exist"));
    let nowhere = ["migrate", "status", "--out", "service", "--database", ""];
    refused(root.path(), &nowhere, (2, "name it with --database URL|PATH"));
}

/// A URL that was typed in the place of something else may have a password.
#[test]
fn no_argument_shows_a_url() {
    let root = project(SCHEMA);
    let url = "postgres://u:s3cret@h/d";
    let corpus: [&[&str]; 11] = [
        &["check", url],
        &["check", "-I", url, "a.proto"],
        &["check", "--descriptor-set", url],
        &["check", "u:s3cret@h"],
        &["generate", "--out", url, "a.proto"],
        &["generate", "--crate-name", url, "a.proto"],
        &["generate", "--runtime-path", url, "a.proto"],
        &["explain", url, "a.proto"],
        &["migrate", "diff", "--accept", url, "a.proto"],
        &["migrate", "status", "--out", url],
        &["migrate", "status", "--databse", url],
    ];
    for arguments in corpus {
        let output = prism(root.path(), arguments);
        let text = stderr(&output);
        assert_eq!(code(&output), 2, "{arguments:?}: {text}");
        assert!(!text.contains("s3cret") && text.contains("error: "), "{arguments:?}: {text}");
    }
}

#[test]
fn an_empty_argument_is_named() {
    let root = project(SCHEMA);
    for (arguments, name) in [
        (&["check", ""][..], "[FILE]..."),
        (&["check", "-I", "", "a.proto"], "--include <DIR>"),
        (&["check", "--descriptor-set", ""], "--descriptor-set <FILE>"),
        (&["generate", "--out", "", "a.proto"], "--out <DIR>"),
        (&["generate", "--crate-name", "", "a.proto"], "--crate-name <NAME>"),
        (&["generate", "--runtime-path", "", "a.proto"], "--runtime-path <PATH>"),
        (&["explain", "", "a.proto"], "<SERVICE/METHOD>"),
        (&["migrate", "diff", "--accept", "", "a.proto"], "--accept <CODE>"),
    ] {
        let expected = format!("a value is required for '{name}' but none was supplied");
        refused(root.path(), arguments, (2, &expected));
    }
}

#[test]
fn a_reader_that_has_gone_stops_nothing() {
    let root = project(SCHEMA);
    for arguments in [
        &["explain", "ThingService/GetThing", "a.proto"][..],
        &["generate", "--out", "service", "a.proto"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_prism"))
            .args(arguments)
            .current_dir(root.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
    assert!(root.path().join("service/schema.lock").exists());
}
