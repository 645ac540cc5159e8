//! `cargo xtask test`: what the tests need, and then the tests.

use std::env;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use prism_acceptance::tools::Tool;
use prism_postgres::{PgBouncer, Programs};

use crate::command::cargo;
use crate::packages::{self, runs};

/// Installs the foreign clients and runs every test of the workspace, with the arguments given.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    install()?;
    let mut child = cargo()
        .args(["test", "--workspace", "--all-features", "--no-fail-fast"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut total = Total::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            total.add(&line);
            writeln!(std::io::stdout(), "{line}")?;
        }
    }
    let status = child.wait()?;
    println!("{} passed, {} failed, {} ignored", total.passed, total.failed, total.ignored);
    if status.success() { Ok(()) } else { Err("tests failed".into()) }
}

/// What is still missing after that lets the tests that need it be skipped, save where `CI` is
/// `true`.
fn install() -> Result<(), Box<dyn Error>> {
    install_packages();
    let strict = env::var_os("CI").is_some_and(|value| value == "true");
    let tools = [Tool::Buf, Tool::Squawk, Tool::Python, Tool::Linters, Tool::Grpcurl];
    for tool in tools.into_iter().chain([Tool::ConnectConformance]) {
        match tool.install() {
            Ok(path) => println!("{tool:?}: {}", path.display()),
            Err(error) if strict && !tool.is_optional() => return Err(error.into()),
            Err(error) => println!("{tool:?}: {error}; the tests that need it are skipped"),
        }
    }
    for found in [Programs::find().map(drop), PgBouncer::find().map(drop)] {
        match found {
            Ok(()) => {}
            Err(error) if strict => return Err(error.into()),
            Err(error) => println!("{error}; the tests that need it are skipped"),
        }
    }
    Ok(())
}

/// Installs the Debian packages of what is not there.
fn install_packages() {
    let mut missing = Vec::new();
    if !runs("npm", &["--version"]) {
        missing.push("npm");
    }
    if !runs("python3", &["-c", "import ensurepip, venv"]) {
        missing.push("python3-venv");
    }
    if Programs::find().is_err() {
        missing.push("postgresql");
    }
    if PgBouncer::find().is_err() {
        missing.push("pgbouncer");
    }
    if !runs("sqlite3", &["--version"]) {
        missing.push("sqlite3");
    }
    if !runs("openssl", &["version"]) {
        missing.push("openssl");
    }
    packages::install(&missing);
}

#[derive(Default)]
struct Total {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Total {
    /// Adds the counts of a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else { return };
        let words: Vec<&str> =
            counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [count, what] = pair else { continue };
            let Ok(count) = count.parse::<u64>() else { continue };
            match *what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Total;

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let mut total = Total::default();
        total.add("running 3 tests");
        total.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.5s");
        total.add("test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 9 filtered out");
        assert_eq!((total.passed, total.failed, total.ignored), (5, 4, 1));
    }
}
