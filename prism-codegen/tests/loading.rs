//! Files, folders and descriptor sets.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Diagnostics, Format, render};
use prism_codegen::lower::lower;
use prism_schema::Access;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage};
use tempfile::TempDir;

const THING: &str = "syntax = \"proto3\";\n\nimport \"prism/options.proto\";\n\nmessage Thing {\n  \
                     option (prism.message).namespace = \"things\";\n\n  \
                     string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n}\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn inputs(includes: &[&Path], files: &[&Path]) -> Inputs {
    Inputs {
        includes: includes.iter().map(|path| path.to_path_buf()).collect(),
        files: files.iter().map(|path| path.to_path_buf()).collect(),
        descriptor_set: None,
    }
}

fn codes(found: &Diagnostics) -> Vec<&str> {
    found.iter().map(|finding| finding.code).collect()
}

#[test]
fn a_file_is_named_by_path_or_as_imports_do() {
    let folder = folder(&[("acme/v1/thing.proto", THING)]);
    let root = folder.path();
    let absolute = root.join("acme/v1/thing.proto");
    let winding = root.join("acme/../acme/v1/thing.proto");
    for file in [absolute.as_path(), winding.as_path(), Path::new("acme/v1/thing.proto")] {
        let loaded = load(&inputs(&[root], &[file])).unwrap();
        assert_eq!(loaded.files, ["acme/v1/thing.proto"]);
        assert_eq!(loaded.read, [root.join("acme/v1/thing.proto")]);
        assert!(loaded.pool.get_message_by_name("prism.EntitySpec").is_some());
    }
}

#[test]
fn what_cannot_be_found_is_said() {
    let folder = folder(&[("a/thing.proto", THING), ("b/other.proto", THING)]);
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let found = load(&inputs(&[&a], &[&b.join("other.proto")])).unwrap_err();
    assert_eq!(codes(&found), ["P0005"]);
    assert!(found.iter().next().unwrap().help.contains(&format!("-I {}", b.display())));
    let found = load(&inputs(&[&a], &[Path::new("nowhere.proto")])).unwrap_err();
    assert_eq!(codes(&found), ["P0004"]);
    assert_eq!(codes(&load(&inputs(&[&a], &[])).unwrap_err()), ["P0016"]);
}

#[test]
fn a_folder_stands_for_the_files_below_it() {
    const USE: &str = "syntax = \"proto3\";\n\n// A comment.\nimport \"acme/v1/thing.proto\";\n\n\
                       message Use {\n  Thing thing = 1;\n}\n";
    let folder = folder(&[
        ("proto/acme/v1/thing.proto", THING),
        ("proto/acme/v1/use.proto", USE),
        ("proto/acme/notes.txt", "no schema"),
        ("proto/.hidden/broken.proto", "no proto"),
        ("empty/notes.txt", ""),
    ]);
    let root = folder.path();
    let expected = ["acme/v1/thing.proto", "acme/v1/use.proto"];
    // Wherever the imports start: the folder itself, one above it, one that is given.
    for named in ["proto", "proto/", "proto/acme", "proto/acme/v1", "."] {
        let loaded = load(&inputs(&[], &[&root.join(named)])).unwrap();
        assert_eq!(loaded.files, expected, "{named}");
        let loaded = load(&inputs(&[&root.join("proto")], &[&root.join(named)])).unwrap();
        assert_eq!(loaded.files, expected, "{named}");
        // A new file in one of the folders is an input: a build script watches them.
        assert!(loaded.read.contains(&root.join("proto/acme/v1")), "{:?}", loaded.read);
    }
    // With one of its files beside it.
    let file = root.join("proto/acme/v1/thing.proto");
    let loaded = load(&inputs(&[&root.join("proto")], &[&file, &root.join("proto")])).unwrap();
    assert_eq!(loaded.files, expected);
    let found = load(&inputs(&[], &[&root.join("empty")])).unwrap_err();
    assert_eq!(codes(&found), ["P0024"]);
}

#[test]
fn a_file_that_an_earlier_folder_hides_is_refused() {
    let folder = folder(&[("a/thing.proto", THING), ("b/thing.proto", THING)]);
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    let found = load(&inputs(&[&a, &b], &[&b.join("thing.proto")])).unwrap_err();
    assert_eq!(codes(&found), ["P0015"]);
}

#[test]
fn errors_of_every_file_are_reported() {
    let folder = folder(&[
        ("a.proto", "syntax = \"proto3\";\nmessage A { string id = 1 }\n"),
        ("b.proto", "syntax = \"proto3\";\nimport \"a.proto\";\nimport \"c.proto\";\n"),
        ("d.proto", "syntax = \"proto3\";\nmessage D { Nothing it = 1; }\n"),
    ]);
    let files: Vec<PathBuf> = ["a.proto", "b.proto", "d.proto"].map(Into::into).to_vec();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let found = load(&inputs(&[folder.path()], &paths)).unwrap_err();
    assert_eq!(codes(&found), ["P0001", "P0006"], "{}", render(&found, Format::Plain));
}

#[test]
fn a_copy_of_a_builtin_file_is_not_read() {
    let folder = folder(&[
        ("thing.proto", THING),
        ("prism/options.proto", "syntax = \"proto3\";\npackage prism;\n"),
    ]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    assert_eq!(codes(&loaded.warnings), ["P0008"]);
    let (schema, found) = lower(&loaded);
    assert!(found.is_empty() && schema.entities.len() == 1);
}

#[test]
fn bytes_that_are_no_text_are_reported() {
    let folder = folder(&[]);
    fs::write(folder.path().join("latin.proto"), b"// caf\xe9\nsyntax = \"proto3\";\n").unwrap();
    let found = load(&inputs(&[folder.path()], &[Path::new("latin.proto")])).unwrap_err();
    assert_eq!(codes(&found), ["P0009"]);
}

#[test]
fn a_package_that_is_not_imported_hides_nothing() {
    let folder = folder(&[
        ("config.proto", "syntax = \"proto3\";\npackage acme.config;\nmessage Source {}\n"),
        ("hidden.proto", "syntax = \"proto3\";\npackage acme.ext.config;\nmessage Other {}\n"),
        (
            "user.proto",
            "syntax = \"proto3\";\npackage acme.ext.user;\nimport \"config.proto\";\n\
             message User { config.Source source = 1; }\n",
        ),
    ]);
    let names = ["config.proto", "hidden.proto", "user.proto"];
    let files: Vec<&Path> = names.iter().map(Path::new).collect();
    let loaded = load(&inputs(&[folder.path()], &files)).unwrap();
    assert!(loaded.pool.get_message_by_name("acme.ext.user.User").is_some());
}

/// The set as buf or protoc writes it, but for what `change` does to it.
fn descriptor_set(change: impl FnOnce(&mut prost_types::FileDescriptorSet)) -> (TempDir, Inputs) {
    let folder = folder(&[("thing.proto", THING)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let path = folder.path().join("schema.binpb");
    let mut set = prost_types::FileDescriptorSet::decode(loaded.descriptor_set.as_slice()).unwrap();
    let before = set.clone();
    change(&mut set);
    let bytes = if set == before { loaded.descriptor_set } else { set.encode_to_vec() };
    fs::write(&path, bytes).unwrap();
    (folder, Inputs { descriptor_set: Some(path), ..Inputs::default() })
}

#[test]
fn a_descriptor_set_is_as_good_as_sources() {
    let (_folder, inputs) = descriptor_set(|_| {});
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.files, ["thing.proto"]);
    let (schema, mut found) = lower(&loaded);
    found.extend(check(&schema));
    assert!(found.is_empty(), "{}", render(&found, Format::Plain));
    assert_eq!(schema.entities[0].schema.key, [1]);
    assert_eq!(schema.entities[0].namespace_span.line, 6);
    let wanted = Inputs { files: vec!["other.proto".into()], ..inputs };
    assert_eq!(codes(&load(&wanted).unwrap_err()), ["P0014"]);
}

#[test]
fn a_descriptor_set_may_lack_what_is_built_in() {
    let (_folder, inputs) = descriptor_set(|set| {
        set.file.retain(|file| file.name() == "thing.proto");
    });
    assert!(load(&inputs).is_ok());
}

#[test]
fn editions_and_rubbish_are_refused() {
    let (_folder, inputs) = descriptor_set(|set| {
        let file = set.file.last_mut().unwrap();
        file.syntax = Some("editions".to_owned());
    });
    assert_eq!(codes(&load(&inputs).unwrap_err()), ["P0007"]);
    fs::write(inputs.descriptor_set.as_ref().unwrap(), b"rubbish").unwrap();
    assert_eq!(codes(&load(&inputs).unwrap_err()), ["P0013"]);
    fs::write(inputs.descriptor_set.as_ref().unwrap(), b"").unwrap();
    assert_eq!(codes(&load(&inputs).unwrap_err()), ["P0013"]);
}

#[test]
fn a_byte_order_mark_is_skipped_and_does_not_move_a_finding() {
    let marked = |text: &str| format!("\u{feff}{text}");
    let folder = folder(&[
        ("a.proto", &marked(THING)),
        (
            "b.proto",
            &marked("syntax = \"proto3\"; import \"a.proto\";\nmessage B { Thing it = 1; }\n"),
        ),
        ("c.proto", &marked("syntax = \"proto3\"; message C { Nothing it = 1; }\n")),
        ("d.proto", &marked("edition = \"2023\";\n")),
    ]);
    load(&inputs(&[folder.path()], &[Path::new("b.proto")])).unwrap();
    let refused = |file: &str| load(&inputs(&[folder.path()], &[Path::new(file)])).unwrap_err();
    let found = refused("c.proto");
    let span = &found.iter().next().unwrap().label.span;
    assert_eq!((span.line, span.column), (1, 32));
    assert_eq!(codes(&refused("d.proto")), ["P0007"]);
}

#[test]
fn the_entry_of_a_map_is_called_as_the_field() {
    let text = "syntax = \"proto3\";\nmessage A { map<string, string> _1 = 1; }\n";
    let folder = folder(&[("a.proto", text)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("a.proto")])).unwrap();
    assert!(loaded.pool.get_message_by_name("A.1Entry").unwrap().is_map_entry());
}

#[test]
fn a_crate_has_a_name_that_cargo_takes() {
    let folder = folder(&[("thing.proto", THING)]);
    let file = folder.path().join("thing.proto");
    let generate = |name: &str, out: &str| {
        let builder = prism_codegen::configure().whole_crate().crate_name(name);
        let builder = builder.include(folder.path()).out_dir(folder.path().join(out));
        builder.generate(std::slice::from_ref(&file))
    };
    for name in [
        "",
        "1a",
        "a b",
        "a\nb",
        "../x",
        "type",
        "self",
        "std",
        "prism-runtime",
        "é",
        "a\"b",
        "build",
    ] {
        let refused = generate(name, "refused").unwrap_err();
        assert_eq!(codes(refused.diagnostics()), ["P0023"], "{name:?}");
        let message = &refused.diagnostics().iter().next().unwrap().message;
        assert_eq!(message.contains("Cargo keeps it"), name == "build", "{message}");
    }
    for name in ["a", "my-proxy", "My_Proxy2"] {
        generate(name, name).unwrap();
    }
}

#[test]
fn texts_that_cannot_be_seen_are_refused_in_sources_too() {
    let field = |name: &str| {
        format!("syntax = \"proto3\";\nmessage A {{ string a = 1 [json_name = \"{name}\"]; }}\n")
    };
    let folder = folder(&[
        ("a.proto", &field("x\\ny")),
        ("b.proto", &field("x\u{202e}y")),
        ("c.proto", &field("\u{2615} x")),
    ]);
    for file in ["a.proto", "b.proto"] {
        let found = load(&inputs(&[folder.path()], &[Path::new(file)])).unwrap_err();
        assert_eq!(codes(&found), ["P0019"], "{file}");
    }
    load(&inputs(&[folder.path()], &[Path::new("c.proto")])).unwrap();
}

const BEHAVED: &str = "syntax = \"proto3\";\nimport \"prism/options.proto\";\n\
                       import \"google/api/field_behavior.proto\";\nmessage Thing {\n  \
                       option (prism.message).namespace = \"things\";\n  \
                       string id = 1 [(prism.field).index = INDEX_KIND_PRIMARY];\n  \
                       string label = 2 [(google.api.field_behavior) = INPUT_ONLY];\n}\n";

#[test]
fn annotations_of_google_are_built_in_and_a_copy_comes_first() {
    let copy = "syntax = \"proto3\";\npackage google.api;\n\
                import \"google/protobuf/descriptor.proto\";\n\
                extend google.protobuf.FieldOptions { repeated FieldBehavior field_behavior = 1052; }\n\
                enum FieldBehavior { NONE = 0; INPUT_ONLY = 4; }\n";
    for files in [&[][..], &[("google/api/field_behavior.proto", copy)]] {
        let folder = folder(&[&[("thing.proto", BEHAVED)], files].concat());
        let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
        assert_eq!(loaded.read.len(), 1 + files.len());
        let (schema, found) = lower(&loaded);
        assert!(found.is_empty(), "{}", render(&found, Format::Plain));
        assert_eq!(schema.entities[0].schema.columns[1].access, Access::InputOnly);
    }
}

#[test]
fn a_value_that_only_a_newer_copy_has_is_reported() {
    let copy = "syntax = \"proto3\";\npackage google.api;\n\
                import \"google/protobuf/descriptor.proto\";\n\
                extend google.protobuf.FieldOptions { repeated FieldBehavior field_behavior = 1052; }\n\
                enum FieldBehavior { NONE = 0; INPUT_ONLY = 4; SECRET = 9; }\n";
    let thing = BEHAVED.replace("= INPUT_ONLY", "= SECRET");
    let folder = folder(&[("thing.proto", &thing), ("google/api/field_behavior.proto", copy)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let said = render(&lower(&loaded).1, Format::Plain);
    assert!(said.contains("thing.proto:7:21: warning[P0904]: SECRET of"), "{said}");
}

#[test]
fn another_annotation_of_the_same_number_is_not_googles() {
    let own = "syntax = \"proto3\";\npackage own;\n\
               import \"google/protobuf/descriptor.proto\";\n\
               extend google.protobuf.FieldOptions { repeated Own field_behavior = 1052; }\n\
               enum Own { A = 0; B = 2; C = 3; }\n";
    let thing = BEHAVED
        .replace("google/api/field_behavior.proto", "own.proto")
        .replace("(google.api.field_behavior) = INPUT_ONLY", "(own.field_behavior) = C");
    let folder = folder(&[("thing.proto", &thing), ("own.proto", own)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let (schema, found) = lower(&loaded);
    assert!(found.is_empty(), "{}", render(&found, Format::Plain));
    assert_eq!(schema.entities[0].schema.columns[1].access, Access::Unrestricted);
}

#[test]
fn a_descriptor_set_may_lack_the_annotations_of_google() {
    let folder = folder(&[("thing.proto", BEHAVED)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let file = loaded.pool.get_file_by_name("thing.proto").unwrap();
    // A FileDescriptorSet of the file alone, its options as they are encoded.
    let mut set = Vec::new();
    prost::encoding::bytes::encode(1, &file.encode_to_vec(), &mut set);
    assert_eq!(prost_types::FileDescriptorSet::decode(&*set).unwrap().file.len(), 1);
    let path = folder.path().join("schema.binpb");
    fs::write(&path, set).unwrap();
    let loaded = load(&Inputs { descriptor_set: Some(path), ..Inputs::default() }).unwrap();
    assert_eq!(loaded.files, ["thing.proto"]);
    let (schema, _) = lower(&loaded);
    assert_eq!(schema.entities[0].schema.columns[1].access, Access::InputOnly);
}

#[test]
fn what_is_not_honoured_is_refused_in_imported_files_too() {
    let part = "syntax = \"proto3\";\nimport \"prism/options.proto\";\nmessage Part {\n  \
                string serial = 1 [(prism.field).encrypt_at_rest = true];\n}\n";
    let thing = THING.replace("import", "import \"part.proto\";\nimport");
    let thing = thing.replace("\n}\n", "\n  Part part = 2;\n}\n");
    let folder = folder(&[("part.proto", part), ("thing.proto", &thing)]);
    let loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let (_, found) = lower(&loaded);
    assert_eq!(codes(&found), ["P0114"], "{}", render(&found, Format::Plain));
    assert!(found.iter().all(|finding| &*finding.label.span.file == "part.proto"));
}

#[test]
fn what_is_not_enforced_is_counted_without_places_too() {
    let method = |name: &str| {
        format!(
            "rpc {name}(In) returns (In) {{ option (prism.method).required_permissions = PERMISSION_READ; }}\n"
        )
    };
    let text = format!(
        "syntax = \"proto3\";\nimport \"prism/options.proto\";\nmessage In {{}}\n\
         service S {{\noption (prism.service) = {{}};\n{}{}}}\n",
        method("One"),
        method("Two"),
    );
    let folder = folder(&[("thing.proto", &text)]);
    let mut loaded = load(&inputs(&[folder.path()], &[Path::new("thing.proto")])).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let message = format!("Prism {version} does not act on `required_permissions` (2 times)");
    let messages = |loaded: &prism_codegen::descriptors::Loaded| -> Vec<String> {
        lower(loaded).1.iter().map(|finding| finding.message.clone()).collect()
    };
    assert_eq!(messages(&loaded), [message.as_str()]);
    loaded.pool = without_places(&loaded.pool);
    assert_eq!(messages(&loaded), [message]);
}

/// As a compiler hands it over that keeps no places.
fn without_places(pool: &DescriptorPool) -> DescriptorPool {
    let kind = pool.get_message_by_name("google.protobuf.FileDescriptorProto").unwrap();
    let mut stripped = DescriptorPool::new();
    for file in pool.files() {
        let mut file = DynamicMessage::decode(kind.clone(), &*file.encode_to_vec()).unwrap();
        file.clear_field_by_name("source_code_info");
        stripped.decode_file_descriptor_proto(&*file.encode_to_vec()).unwrap();
    }
    stripped
}
