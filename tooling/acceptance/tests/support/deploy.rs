//! `generated/deploy` as data: documents, command lines, settings.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use prism_acceptance::proxy;
use prism_acceptance::tools::root;
use serde_json::Value;

/// Where the image and the unit have the proxy.
const INSTALLED: &str = "/usr/local/bin/prism-proxy";
/// Where they have its settings.
const SETTINGS: &str = "/etc/prism-proxy/prism.yaml";

/// A file of `generated/deploy`.
pub fn path(name: &str) -> PathBuf {
    root().join("generated/deploy").join(name).canonicalize().unwrap()
}

/// Its text.
pub fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// The documents of a YAML file.
pub fn documents(name: &str) -> Vec<Value> {
    text(name).split("\n---\n").map(|part| serde_saphyr::from_str(part).unwrap()).collect()
}

/// The objects of a kind in the Kubernetes manifests.
pub fn objects(kind: &str) -> Vec<Value> {
    let files = ["config.yaml", "migration.yaml", "proxy.yaml"];
    let all = files.iter().flat_map(|file| documents(&format!("kubernetes/{file}")));
    all.filter(|object| object["kind"] == kind).collect()
}

/// The only object of a kind.
pub fn object(kind: &str) -> Value {
    let mut found = objects(kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

/// The pods' templates of the manifests.
pub fn pods() -> Vec<Value> {
    ["Deployment", "Job"].map(|kind| object(kind)["spec"]["template"].clone()).to_vec()
}

/// The words of an array.
pub fn words(array: &Value) -> Vec<String> {
    array.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// The command line that an instruction of the Dockerfile has in its exec form.
pub fn dockerfile(instruction: &str) -> Vec<String> {
    let text = text("Dockerfile").replace("\\\n", " ");
    let line = text.lines().find(|line| line.starts_with(instruction)).unwrap();
    words(&serde_json::from_str(&line[line.find('[').unwrap()..]).unwrap())
}

/// The value of a key in the unit.
pub fn unit(key: &str) -> String {
    let text = text("systemd/prism-proxy.service");
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
    value.unwrap_or_else(|| panic!("no {key}")).to_owned()
}

/// A command line of the templates, run with the proxy that was built and with `settings` of
/// `generated/deploy` where it names those that are installed, in an environment without
/// anything else.
pub fn command(line: &[String], settings: &str, folder: &Path) -> Command {
    assert_eq!(line[0], INSTALLED);
    let mut command = Command::new(proxy::executable().unwrap());
    command.current_dir(folder).env_clear();
    for word in &line[1..] {
        match word.as_str() {
            SETTINGS => command.arg(path(settings)),
            word => command.arg(word),
        };
    }
    command
}
