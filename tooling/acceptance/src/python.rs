//! Running the tests in `python/` against a proxy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::proxy::Proxy;
use crate::tools::root;

/// Runs one module of `python/`, with stubs that grpcio's own generator makes from the protos.
///
/// # Errors
///
/// The output of Python, where a test or the generator failed.
pub fn run(python: &Path, proxy: &Proxy, module: &str) -> Result<(), String> {
    let stubs = proxy.directory().join("stubs");
    generate(python, &stubs)?;
    let tests = root().join("tooling/acceptance/python");
    let path = std::env::join_paths([&stubs, &tests]).map_err(|error| error.to_string())?;
    succeed(
        Command::new(python)
            .args(["-B", "-m", "unittest", "--verbose", module])
            .current_dir(proxy.directory())
            .env("PRISM_ADDRESS", proxy.address().to_string())
            .env("PYTHONPATH", path),
    )
}

fn generate(python: &Path, stubs: &Path) -> Result<(), String> {
    fs::create_dir_all(stubs).map_err(|error| error.to_string())?;
    let folders = [root().join("proto"), root().join("examples/acme/proto")];
    let mut command = Command::new(python);
    command.args(["-m", "grpc_tools.protoc"]);
    for folder in &folders {
        command.arg("-I").arg(folder);
    }
    for kind in ["--python_out", "--grpc_python_out"] {
        command.arg(format!("{kind}={}", stubs.display()));
    }
    for folder in &folders {
        command.args(protos(folder).map_err(|error| format!("{folder:?}: {error}"))?);
    }
    succeed(&mut command)
}

/// Every `.proto` file below a folder.
fn protos(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(protos(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&text).into_owned())
}
