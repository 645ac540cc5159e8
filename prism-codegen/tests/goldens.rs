//! Generated crates, compared file by file with committed ones, which the workspace compiles and
//! `tests/compiled` runs. After a change that is meant:
//!
//! ```text
//! PRISM_BLESS=1 cargo test -p prism-codegen --test goldens
//! ```
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CASES: [&str; 2] = ["hostile", "types"];

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name)
}

/// An output folder that lies to a copy of prism-runtime's manifest as the committed one to
/// prism-runtime, and the folder that has both.
fn scratch(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("prism-runtime");
    fs::create_dir(&runtime).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../prism-runtime/Cargo.toml");
    fs::copy(manifest, runtime.join("Cargo.toml")).unwrap();
    let out = folder.path().join("prism-codegen/tests/goldens").join(name).join("generated");
    (folder, out)
}

/// Generates a case from nothing.
fn generate(name: &str, out: &Path) {
    let protos = case(name).join("proto");
    let mut files: Vec<PathBuf> = tree(&protos).into_keys().map(|path| protos.join(path)).collect();
    files.sort();
    prism_codegen::configure()
        .whole_crate()
        .crate_name(format!("golden-{name}"))
        .runtime_path("../../../../../prism-runtime")
        .include(&protos)
        .out_dir(out)
        .generate(&files)
        .unwrap();
}

/// Every file below a folder.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(root, root, &mut files);
    files
}

#[test]
fn generated_crates_are_as_committed() {
    for name in CASES {
        let (_scratch, out) = scratch(name);
        generate(name, &out);
        let golden = case(name).join("generated");
        if std::env::var_os("PRISM_BLESS").is_some() {
            let _ = fs::remove_dir_all(&golden);
            for (path, contents) in tree(&out) {
                let path = golden.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, contents).unwrap();
            }
        }
        let (expected, found) = (tree(&golden), tree(&out));
        let names = |tree: &BTreeMap<String, Vec<u8>>| tree.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&expected), names(&found), "{name}");
        for (path, contents) in found {
            assert!(
                expected[&path] == contents,
                "{name}/generated/{path} differs; see the head of this file\n{}",
                String::from_utf8_lossy(&contents)
            );
        }
    }
}

#[test]
fn two_runs_give_the_same_bytes_and_the_second_writes_nothing() {
    for name in CASES {
        let ((_folder, one), (_other_folder, other)) = (scratch(name), scratch(name));
        generate(name, &one);
        generate(name, &other);
        assert!(tree(&one) == tree(&other), "{name}");

        let modified = |path: &str| fs::metadata(one.join(path)).unwrap().modified().unwrap();
        let files = tree(&one);
        let before: Vec<_> = files.keys().map(|path| modified(path)).collect();
        generate(name, &one);
        let after: Vec<_> = files.keys().map(|path| modified(path)).collect();
        assert!(before == after, "{name}: a run without a change has written");
    }
}

/// Lines that are neither empty nor comments.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// What stands between two texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_default();
    rest.split_once(end).map_or("", |(inside, _)| inside)
}

/// The code of each service that was generated into the repository, by its module.
fn services() -> Vec<String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut crates: Vec<PathBuf> =
        CASES.iter().map(|name| case(name).join("generated/src")).collect();
    crates.push(repository.join("generated/src"));
    let sources = crates.iter().flat_map(|folder| {
        let rust = tree(folder).into_iter().filter(|(path, _)| path.ends_with(".rs"));
        rust.map(|(_, contents)| String::from_utf8(contents).unwrap())
    });
    sources
        .filter(|text| text.contains("Service::new("))
        .map(|text| text[text.rfind("\npub mod ").unwrap() + 1..].to_owned())
        .collect()
}

/// Lines of the item that begins with a text: attributes, signature and body.
fn item_lines(service: &str, start: &str, ends: &[&str]) -> usize {
    let Some(at) = service.find(start) else { return 0 };
    let attributes = service[..at].lines().rev().skip(1);
    let attributes = attributes.take_while(|line| line.trim_start().starts_with("#[")).count();
    let is_end = |line: &str| ends.iter().any(|end| line.ends_with(end));
    let lines: Vec<_> = service[at..].lines().collect();
    attributes + 1 + lines.iter().position(|line| is_end(line)).unwrap()
}

#[test]
fn an_rpc_takes_at_most_fifteen_lines() {
    let services = services();
    assert_eq!(services.len(), 5);
    let mut seen = 0;
    for service in &services {
        let descriptor = between(service, "Service::new(", "\n    }");
        let descriptors: Vec<_> = descriptor.split(".rpc(").skip(1).collect();
        let (_, client) = service.rsplit_once("Client {\n").unwrap();
        let functions: Vec<_> = client.split("pub async fn ").skip(1).collect();
        assert_eq!(descriptors.len(), functions.len(), "{service}");
        for (index, (described, function)) in descriptors.iter().zip(functions).enumerate() {
            let name = function.split('(').next().unwrap();
            let common = code_lines(described).filter(|line| line.contains("default_timeout"));
            let lines = code_lines(described).count() - common.count()
                + item_lines(service, &format!("        fn {name}("), &[";"])
                + item_lines(service, &format!("                {index} => "), &["),"])
                + item_lines(client, &format!("        pub async fn {name}("), &["        }"]);
            assert!(lines >= 8, "{name} was not found: {lines} lines");
            assert!(lines <= 15, "{name} takes {lines} lines:\n{service}");
            seen += 1;
        }
    }
    assert!(seen >= 22, "{seen} RPCs were looked at");
}

#[test]
fn a_field_takes_at_most_three_lines() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../generated/src");
    let mut structs = 0;
    for file in ["acme.orders.v1.rs", "acme.profiles.v1.rs"] {
        let text = fs::read_to_string(demo.join(file)).unwrap();
        for item in text.split("\npub struct ").skip(1) {
            let body = between(item, "{", "\n}");
            let fields = body.matches("    pub ").count();
            let lines = code_lines(body).count();
            assert!(lines <= 3 * fields, "{file}: {lines} lines for {fields} fields of {item}");
            structs += 1;
        }
    }
    assert!(structs > 20, "{structs} structs were looked at");
}
