//! The foreign clients: where they are, and how they get there.
//!
//! They are installed under `target/tools`, at the versions that `package.json` and
//! `python/requirements.txt` pin, so that nothing outside the working copy changes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A client that does not come with Rust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// buf: lints the contract, and `buf curl` calls it. From npm.
    Buf,
    /// squawk: lints migrations of Postgres. From npm.
    Squawk,
    /// A Python that has grpcio and its code generator. From PyPI, in a virtual environment.
    Python,
    /// A Python environment with linters of deployment files: hadolint, kubernetes-validate and
    /// check-jsonschema, which bring the schemas of Kubernetes and of compose files. From PyPI.
    Linters,
    /// grpcurl, where somebody has installed it: no registry that we install from has it.
    Grpcurl,
    /// The runner of connectrpc's conformance suite. From its Go module, where there is Go.
    ConnectConformance,
}

/// The root of the working copy.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The cargo that runs this program, as a shell would start it: what cargo tells this program of
/// its own package would make build scripts that look at it run again.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(of_package) {
            command.env_remove(name);
        }
    }
    command
}

impl Tool {
    /// The installed tool, if it is there and at the pinned version.
    pub fn find(self) -> Option<PathBuf> {
        match self {
            Tool::Grpcurl => on_path("grpcurl"),
            _ => {
                let current = fs::read_to_string(self.pin()).ok()?;
                let installed = fs::read_to_string(self.stamp()).ok()?;
                (current == installed).then(|| self.executable()).filter(|path| path.exists())
            }
        }
    }

    /// The tool for a test. `None` where it is missing, which the test answers by returning.
    ///
    /// # Panics
    ///
    /// Where it is missing although `CI` is `true`: there a skipped test would go unnoticed.
    pub fn for_test(self) -> Option<PathBuf> {
        let found = self.find();
        if found.is_none() {
            let strict = env::var_os("CI").is_some_and(|value| value == "true");
            assert!(self.is_optional() || !strict, "{self:?} is missing: run `cargo xtask test`");
            eprintln!("SKIPPED: {self:?} is missing; `cargo xtask test` installs what it can");
        }
        found
    }

    /// Whether the tests may do without the tool where `CI` is `true`: what it is made of or comes
    /// with is not installed there.
    pub fn is_optional(self) -> bool {
        matches!(self, Tool::Grpcurl | Tool::ConnectConformance)
    }

    /// Installs the tool, unless it is there.
    ///
    /// # Errors
    ///
    /// Names the command that failed: without Node, Python or a network.
    pub fn install(self) -> Result<PathBuf, String> {
        if let Some(found) = self.find() {
            return Ok(found);
        }
        let directory = directory();
        eprintln!("installing {self:?}");
        fs::create_dir_all(&directory).map_err(|error| format!("{directory:?}: {error}"))?;
        match self {
            Tool::Grpcurl => return Err("grpcurl is not on the PATH".to_owned()),
            Tool::Buf | Tool::Squawk => {
                fs::copy(self.pin(), directory.join("package.json"))
                    .map_err(|error| format!("{:?}: {error}", self.pin()))?;
                run(Command::new("npm")
                    .args(["install", "--ignore-scripts", "--no-package-lock"])
                    .args(["--no-audit", "--no-fund", "--silent"])
                    .current_dir(&directory))?;
            }
            Tool::ConnectConformance => {
                let module = fs::read_to_string(self.pin())
                    .map_err(|error| format!("{:?}: {error}", self.pin()))?;
                run(Command::new("go")
                    .args(["install", module.trim()])
                    .env("GOBIN", directory.join("go"))
                    .env("GOFLAGS", "-mod=mod")
                    .current_dir(&directory))?;
            }
            Tool::Python | Tool::Linters => {
                let environment = match self {
                    Tool::Linters => directory.join("linters"),
                    _ => directory.join("python"),
                };
                run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
                run(Command::new(self.executable())
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                    .arg(self.pin()))?;
            }
        }
        fs::copy(self.pin(), self.stamp()).map_err(|error| format!("stamp: {error}"))?;
        self.find().ok_or_else(|| format!("{self:?} was installed and is not there"))
    }

    fn executable(self) -> PathBuf {
        directory().join(match self {
            Tool::Buf => "node_modules/.bin/buf",
            Tool::Squawk => "node_modules/.bin/squawk",
            Tool::Python => "python/bin/python",
            Tool::Linters => "linters/bin/python",
            Tool::Grpcurl => "grpcurl",
            Tool::ConnectConformance => "go/connectconformance",
        })
    }

    /// The file that says which version is wanted.
    fn pin(self) -> PathBuf {
        root().join("tooling").join(match self {
            Tool::Python => "acceptance/python/requirements.txt",
            Tool::Linters => "acceptance/python/linters.txt",
            Tool::Buf | Tool::Squawk | Tool::Grpcurl => "acceptance/package.json",
            Tool::ConnectConformance => "conformance/runner.txt",
        })
    }

    /// A copy of the pin as it was when the tool was installed.
    fn stamp(self) -> PathBuf {
        directory().join(match self {
            Tool::Python => "python/installed.txt",
            Tool::Linters => "linters/installed.txt",
            Tool::Buf | Tool::Squawk | Tool::Grpcurl => "node_modules/installed.json",
            Tool::ConnectConformance => "go/installed.txt",
        })
    }
}

fn directory() -> PathBuf {
    root().join("target/tools")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
