//! The calls that README.md shows, made with the client that it names, and what it prints.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use prism_acceptance::backend::Backend;
use prism_acceptance::proxy::Proxy;
use prism_acceptance::tools::{self, Tool, root};

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The blocks of a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("\n```{language}\n");
    page.split(&start).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

/// The words of a command line of the README, which quotes with `'` alone.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('\'').enumerate();
    parts
        .flat_map(|(index, part)| match index % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

/// Whether a text is as shown; `…` stands for anything.
fn is_as_shown(mut printed: &str, shown: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap();
    let Some(rest) = printed.strip_prefix(first) else { return false };
    printed = rest;
    for part in parts {
        let Some(at) = printed.find(part) else { return false };
        printed = &printed[at + part.len()..];
    }
    printed.trim().is_empty()
}

/// Makes the calls of a block on a proxy.
fn run(block: &str, buf: &Path, address: SocketAddr, folder: &Path) -> usize {
    let calls: Vec<&str> = block.split("$ ").skip(1).collect();
    for call in &calls {
        let (command, shown) = call.split_once('\n').unwrap();
        let mut words = words(command);
        assert_eq!(words.remove(0), "buf", "{command}");
        let url = words.pop().unwrap();
        let method = url.splitn(4, '/').nth(3).unwrap();
        let output = Command::new(buf)
            .args(&words)
            .arg(format!("http://{address}/{method}"))
            .current_dir(folder)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
        assert!(is_as_shown(&printed, shown.trim_end()), "{command} prints\n{printed}");
    }
    calls.len()
}

on_every_backend! {
    the_first_calls_print_what_is_shown,
}

async fn the_first_calls_print_what_is_shown(backend: Backend) {
    let Some(buf) = Tool::Buf.for_test() else { return };
    let readme = readme();
    let proxy = backend.start().unwrap();
    let calls = run(blocks(&readme, "console")[0], &buf, proxy.address(), proxy.directory());
    assert_eq!(calls, 4);
}

#[test]
fn the_tour_prints_what_is_shown() {
    let Some(buf) = Tool::Buf.for_test() else { return };
    let readme = readme();
    let scratch = tempfile::tempdir().unwrap();
    let root = root().canonicalize().unwrap();
    for block in blocks(&readme, "sh") {
        if block.contains("<<'PROTO'") {
            let mut shell = Command::new("sh");
            shell.args(["-e", "-c", block]).current_dir(scratch.path());
            assert!(shell.status().unwrap().success());
        }
        for command in block.lines().filter_map(|line| line.strip_prefix("cargo prism ")) {
            let runtime = root.join("prism-runtime").display().to_string();
            let command = command.replace("../../prism-runtime", &runtime);
            let done = cargo(&root)
                .args(["run", "--quiet", "--package", "prism-codegen", "--features", "command"])
                .args(["--bin", "prism"])
                .arg("--manifest-path")
                .arg(root.join("Cargo.toml"))
                .arg("--")
                .args(command.split(' '))
                .current_dir(scratch.path())
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        }
    }
    let service = scratch.path().join("tour/service");
    // The versions of this workspace, so that what is built for it serves.
    std::fs::copy(root.join("Cargo.lock"), service.join("Cargo.lock")).unwrap();
    let mut build = cargo(&root);
    build.args(["build", "--quiet"]).current_dir(&service);
    assert!(build.status().unwrap().success());
    for backend in [Some(Backend::Sqlite), Backend::postgres()].into_iter().flatten() {
        let proxy = Proxy::start_on(&backend, &target(&root).join("debug/notes")).unwrap();
        let calls = run(blocks(&readme, "console")[1], &buf, proxy.address(), proxy.directory());
        assert_eq!(calls, 2);
    }
}

fn target(root: &Path) -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into)
}

/// Cargo, with the target folder and the profile of this workspace.
fn cargo(root: &Path) -> Command {
    let mut command = tools::cargo();
    command
        .env("CARGO_TARGET_DIR", target(root))
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    command
}
