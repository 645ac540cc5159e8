//! What ARCHITECTURE.md promises of the repository, as tests.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn members(metadata: &Value) -> Vec<&Value> {
    let ids = metadata["workspace_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages.filter(|package| ids.contains(&package["id"])).collect()
}

/// For each package of the workspace, those that it is built with: development dependencies
/// do not count.
fn arrows(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let arrow = |package: &&Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let built_with = dependencies
            .filter(|dependency| dependency["kind"] != "dev")
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect();
        (package["name"].as_str().unwrap().to_owned(), built_with)
    };
    members(metadata).iter().map(arrow).collect()
}

/// Tracked files, without what another list of files of the same name would check.
fn tracked(extensions: &[&str]) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "not a git working copy");
    let names = String::from_utf8(output.stdout).unwrap();
    let wanted = |path: &PathBuf| {
        path.extension().is_some_and(|found| extensions.iter().any(|one| found == *one))
    };
    names
        .split_terminator('\0')
        .map(|name| root().join(name))
        .filter(wanted)
        .filter(|path| path.exists())
        .collect()
}

#[test]
fn the_two_halves_do_not_know_each_other() {
    let metadata = metadata();
    let arrows = arrows(&metadata);
    let never = [
        (
            "prism-schema",
            &["prism-options", "prism-codegen", "prism-derive", "prism-runtime", "prism-migrate"][..],
        ),
        (
            "prism-settings",
            &["prism-options", "prism-codegen", "prism-derive", "prism-runtime", "prism-migrate"],
        ),
        ("prism-migrate", &["prism-options", "prism-codegen", "prism-derive", "prism-runtime"]),
        ("prism-options", &["prism-codegen", "prism-derive", "prism-runtime", "prism-migrate"]),
        ("prism-codegen", &["prism-derive", "prism-runtime"]),
        ("prism-derive", &["prism-options", "prism-codegen", "prism-runtime"]),
        ("prism-runtime", &["prism-options", "prism-codegen"]),
    ];
    for (package, forbidden) in never {
        let built_with = arrows.get(package).unwrap_or_else(|| panic!("no package {package}"));
        for other in forbidden {
            assert!(!built_with.contains(*other), "{package} must not depend on {other}");
        }
    }
}

#[test]
fn stages_do_without_what_their_neighbours_are_for() {
    let metadata = metadata();
    let arrows = arrows(&metadata);
    for (package, dependency, reason) in [
        ("prism-options", "quote", "it reads; emitting is the generator's"),
        ("prism-options", "tokio", "it does no IO"),
        ("prism-schema", "rusqlite", "it plans; a driver executes"),
        ("prism-schema", "prost-reflect", "it holds plain data, no descriptors"),
        ("prism-schema", "tokio", "it does no IO"),
        ("prism-runtime", "syn", "generating code is build time's"),
        ("prism-schema", "sqlx", "it plans; a driver executes"),
        ("prism-derive", "rusqlite", "it writes no SQL"),
    ] {
        assert!(!arrows[package].contains(dependency), "{package} uses {dependency}: {reason}");
    }
}

/// The drivers of databases come with the command alone.
#[test]
fn a_build_script_does_without_drivers() {
    let metadata = metadata();
    let members = members(&metadata);
    let generator = members.iter().find(|package| package["name"] == "prism-codegen").unwrap();
    assert!(generator["features"].get("default").is_none());
    for dependency in generator["dependencies"].as_array().unwrap() {
        let of_command =
            ["prism-migrate", "prism-settings", "clap", "tracing-subscriber"].map(Some);
        let (name, is_dev) = (dependency["name"].as_str(), dependency["kind"] == "dev");
        assert!(
            is_dev || !of_command.contains(&name) || dependency["optional"] == true,
            "{name:?}"
        );
        assert!(is_dev || !["sqlx", "rusqlite", "tokio"].map(Some).contains(&name), "{name:?}");
    }
}

#[test]
fn the_service_layer_knows_no_transport() {
    let service = root().join("prism-runtime/src/service");
    for path in tracked(&["rs"]).into_iter().filter(|path| path.starts_with(&service)) {
        let text = fs::read_to_string(&path).unwrap();
        for transport in ["tonic::", "hyper::"] {
            assert!(!text.contains(transport), "{} names {transport}", path.display());
        }
    }
}

#[test]
fn the_model_knows_neither_descriptors_nor_tokens() {
    let model = root().join("prism-codegen/src/model");
    for path in tracked(&["rs"]).into_iter().filter(|path| path.starts_with(&model)) {
        let text = fs::read_to_string(&path).unwrap();
        for foreign in ["prost_types", "prost_reflect", "quote!", "proc_macro2", "syn::"] {
            assert!(!text.contains(foreign), "{} names {foreign}", path.display());
        }
    }
}

#[test]
fn generated_code_names_only_the_codegen_module() {
    let mut seen = 0;
    for path in tracked(&["rs"]) {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("// @generated by prism") {
            continue;
        }
        seen += 1;
        for (number, line) in text.lines().enumerate() {
            // Crates that are depended on are named in full: `::name::…` or `= "::name::…`.
            for (at, _) in line.match_indices("::") {
                let absolute =
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>');
                let rest = &line[at + 2..];
                let known = ["prism_runtime::codegen", "core::", "std::"];
                assert!(
                    !absolute || known.iter().any(|name| rest.starts_with(name)),
                    "{}:{}: {line}",
                    path.display(),
                    number + 1
                );
            }
            for (at, name) in line.match_indices("prism_runtime") {
                assert!(
                    line[at + name.len()..].starts_with("::codegen"),
                    "{}:{}: {line}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
    assert!(seen >= 10, "{seen} generated files were looked at");
}

/// Whether a package is as a user would have it: an example, or what the generator emits.
fn is_a_users(package: &Value) -> bool {
    let path = package["manifest_path"].as_str().unwrap();
    path.contains("/examples/") || fs::read_to_string(path).unwrap().starts_with("# @generated")
}

#[test]
fn every_manifest_says_what_the_package_is() {
    let metadata = metadata();
    for package in members(&metadata).into_iter().filter(|package| !is_a_users(package)) {
        let name = &package["name"];
        let description = package["description"].as_str().unwrap_or_default();
        assert!(!description.trim().is_empty(), "{name} has no description");
        assert_eq!(package["license"], "Apache-2.0", "{name}");
        assert!(package["rust_version"].is_string(), "{name} has no rust-version");
    }
}

#[test]
fn every_package_takes_the_workspace_lints() {
    let metadata = metadata();
    for package in members(&metadata) {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        let lints = manifest.contains("[lints]\nworkspace = true") || is_a_users(package);
        assert!(lints, "{} does not inherit [workspace.lints]", package["name"]);
    }
}

/// Packages that are in the build more than once, each with the reason.
const DUPLICATES: &[(&str, &str)] = &[
    ("block-buffer", "follows digest"),
    ("base64", "serde-saphyr is ahead of prost-reflect, sqlx and tonic"),
    ("chacha20", "proptest is ahead of chacha20poly1305"),
    ("cpufeatures", "blake3 is ahead of the stable RustCrypto releases"),
    ("crypto-common", "follows digest"),
    ("digest", "sqlx-postgres is ahead of sqlx-core and chacha20poly1305"),
    ("foldhash", "follows hashbrown"),
    ("getrandom", "crypto-common is behind"),
    ("hashbrown", "petgraph and sqlx are behind indexmap"),
    ("itertools", "prost-build is behind prost-derive"),
    ("rand_core", "crypto-common is behind"),
    ("sha2", "sqlx-postgres is ahead of sqlx-core"),
    ("syn", "prost's crates are behind serde_derive; ours follow prost's"),
    ("unicode-width", "miette is behind"),
];

#[test]
fn no_package_is_built_in_two_versions_without_a_reason() {
    let metadata = metadata();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let ids: BTreeSet<&str> = reachable(&metadata);
    for package in metadata["packages"].as_array().unwrap() {
        if ids.contains(package["id"].as_str().unwrap()) {
            versions
                .entry(package["name"].as_str().unwrap())
                .or_default()
                .insert(package["version"].as_str().unwrap());
        }
    }
    let found: BTreeSet<&str> =
        versions.iter().filter(|(_, versions)| versions.len() > 1).map(|(name, _)| *name).collect();
    let accepted: BTreeSet<&str> = DUPLICATES.iter().map(|(name, _)| *name).collect();
    let new: Vec<_> = found.difference(&accepted).map(|name| (name, &versions[*name])).collect();
    assert!(new.is_empty(), "new duplicates: {new:?}");
    let gone: Vec<_> = accepted.difference(&found).collect();
    assert!(gone.is_empty(), "no longer duplicated, remove from the list: {gone:?}");
}

/// What the workspace's packages reach: metadata also lists what nothing uses.
fn reachable(metadata: &Value) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), node))
        .collect();
    let mut open: Vec<&str> = metadata["workspace_members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes[id]["deps"].as_array().unwrap().iter();
        open.extend(dependencies.map(|dependency| dependency["pkg"].as_str().unwrap()));
    }
    seen
}

#[test]
fn no_notes_to_self() {
    // Assembled, so that this file does not find itself.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["HA", "CK:"]].map(|word| word.concat());
    let foreign = root().join("tooling/conformance/proto");
    let kinds = ["rs", "proto", "toml", "md", "yml", "yaml", "sql", "py", "tera"];
    for path in tracked(&kinds).into_iter().filter(|path| !path.starts_with(&foreign)) {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            let found = words.iter().find(|word| {
                line.split(|c: char| !c.is_alphanumeric() && c != ':').any(|part| part == **word)
            });
            assert!(found.is_none(), "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn unsafe_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    assert!(manifest.contains("missing_docs = \"warn\""));
}

#[test]
fn nothing_is_built_in_silence() {
    // A first build takes minutes: whoever waits for it sees what goes on, on standard error.
    let aliases = fs::read_to_string(root().join(".cargo/config.toml")).unwrap();
    assert!(!aliases.contains("quiet"), "{aliases}");
}
