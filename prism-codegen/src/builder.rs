//! The builder that `build.rs` and the `prism` command share.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use prism_options::{Diagnostic, Diagnostics, Span};

use crate::descriptors::Inputs;
use crate::diagnostics::catalog::{evolve as catalog, load};
use crate::diagnostics::{self, Format};
use crate::emit::deploy::BuildContext;
use crate::emit::{self, Layout, Options};
use crate::output;
use crate::pipeline::{self, Checked, Migrated, Mode, Outcome, Targets};
use crate::printable::shown;
use crate::runtime;

/// How to generate; begun by [`configure`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    out_dir: Option<PathBuf>,
    includes: Vec<PathBuf>,
    descriptor_set: Option<PathBuf>,
    crate_name: String,
    runtime_path: Option<String>,
    whole_crate: bool,
    deploy: bool,
    check: bool,
    deny_warnings: bool,
}

/// A builder with every knob at its default. In `build.rs`:
///
/// ```no_run
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     prism_codegen::configure().compile(&["proto/acme/v1/acme.proto"], &["proto"])?;
///     Ok(())
/// }
/// ```
///
/// and in the library `prism_runtime::include_schema!();`. No protoc is needed, and the script
/// runs again only when a file changed that it read.
pub fn configure() -> Builder {
    Builder {
        out_dir: None,
        includes: Vec::new(),
        descriptor_set: None,
        crate_name: "prism-proxy".to_owned(),
        runtime_path: None,
        whole_crate: false,
        deploy: false,
        check: false,
        deny_warnings: false,
    }
}

/// Why nothing was generated: every finding, with its place and a help line.
pub struct Error(Diagnostics);

impl Error {
    /// The findings.
    pub fn diagnostics(&self) -> &Diagnostics {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = diagnostics::render(&self.0, Format::Plain);
        write!(f, "{}\n{text}", diagnostics::summary(&self.0))
    }
}

/// A build script that returns the error shows this form.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

impl From<Diagnostics> for Error {
    fn from(diagnostics: Diagnostics) -> Self {
        Error(diagnostics)
    }
}

impl Builder {
    /// Where to write. Default: `OUT_DIR` in a build script, `generated` for a whole crate.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Adds a folder that imports are looked up in, after those added before. Default: the
    /// current folder.
    pub fn include(mut self, folder: impl Into<PathBuf>) -> Self {
        self.includes.push(folder.into());
        self
    }

    /// Reads a `FileDescriptorSet` that buf or protoc wrote, instead of sources.
    pub fn descriptor_set(mut self, path: impl Into<PathBuf>) -> Self {
        self.descriptor_set = Some(path.into());
        self
    }

    /// Makes a whole crate, with a proxy binary: what `prism generate` does. Default: the files
    /// that `prism_runtime::include_schema!()` includes.
    pub fn whole_crate(mut self) -> Self {
        self.whole_crate = true;
        self
    }

    /// Name of the generated package, and so of its binary. Default: `prism-proxy`.
    pub fn crate_name(mut self, name: impl Into<String>) -> Self {
        self.crate_name = name.into();
        self
    }

    /// Path of prism-runtime from the generated crate. Default: the published version.
    pub fn runtime_path(mut self, path: impl Into<String>) -> Self {
        self.runtime_path = Some(path.into());
        self
    }

    /// Adds `deploy/` to a whole crate: Dockerfile, compose file, systemd unit, Kubernetes
    /// manifests. Default: it is left out. Needs a runtime path that is not absolute.
    pub fn deploy(mut self, deploy: bool) -> Self {
        self.deploy = deploy;
        self
    }

    /// Writes nothing, and fails where a file on disk is not what would be written.
    pub fn check_only(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Takes warnings for errors. Default: they are shown, and that is all.
    pub fn deny_warnings(mut self, deny: bool) -> Self {
        self.deny_warnings = deny;
        self
    }

    /// Generates in a build script, from files below `includes`.
    ///
    /// `schema.lock` and `migrations/` are kept beside the crate's `Cargo.toml`: commit them.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the schema.
    pub fn compile(
        mut self,
        files: &[impl AsRef<Path>],
        includes: &[impl AsRef<Path>],
    ) -> Result<(), Error> {
        self.includes.extend(includes.iter().map(|folder| folder.as_ref().to_owned()));
        let files: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_owned()).collect();
        // Cargo takes what is newer than the start of the run for changed, and what is not there
        // for changed always: what this run makes is watched by the next one.
        let mut watched: Vec<PathBuf> =
            ["schema.lock", "migrations"].map(PathBuf::from).into_iter().collect();
        watched.retain(|path| path.exists());
        let outcome = self.generate(&files)?;
        if env::var_os("CARGO_MANIFEST_DIR").is_some() {
            watched.extend(outcome.read);
            for path in watched {
                cargo(&format!("cargo::rerun-if-changed={}", path.display()));
            }
            for line in warnings(&outcome.diagnostics) {
                cargo(&format!("cargo::warning={line}"));
            }
        }
        Ok(())
    }

    /// Loads and checks the files, and generates nothing.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the schema.
    pub fn check(&self, files: &[PathBuf]) -> Result<Checked, Error> {
        Ok(pipeline::check(&self.inputs(files), self.deny_warnings)?)
    }

    /// Generates from these files.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the schema, its history or the output folder.
    pub fn generate(&self, files: &[PathBuf]) -> Result<Outcome, Error> {
        let checked = self.check(files)?;
        let targets = self.targets(files, &checked.schema.files)?;
        let mode = if self.check { Mode::Check } else { Mode::Write };
        let outcome = pipeline::generate(checked, &targets, mode)?;
        if self.check && !outcome.changed.is_empty() {
            let list: String =
                outcome.changed.iter().map(|path| format!("\n  {}", path.display())).collect();
            let stale = catalog::stale(&Span::default(), outcome.changed.len(), &list);
            return Err(Error(Diagnostics::from_one(stale)));
        }
        Ok(outcome)
    }

    /// Writes the migrations from `schema.lock` to these files, and the lock: what
    /// `prism migrate diff` does. `accepted` holds the codes of changes that lose or reinterpret
    /// data; where one is missing nothing is written, and `diff.pending` says which.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the schema or its history, and changes that no migration can
    /// make.
    pub fn migrate(&self, files: &[PathBuf], accepted: &[String]) -> Result<Migrated, Error> {
        let checked = self.check(files)?;
        let targets = self.targets(files, &checked.schema.files)?;
        Ok(pipeline::migrate(checked, &targets, accepted)?)
    }

    fn inputs(&self, files: &[PathBuf]) -> Inputs {
        Inputs {
            includes: self.includes.clone(),
            files: files.to_vec(),
            descriptor_set: self.descriptor_set.clone(),
        }
    }

    fn targets(&self, given: &[PathBuf], files: &[String]) -> Result<Targets, Error> {
        let folder = |name: &str| env::var_os(name).map(PathBuf::from);
        let out = match (&self.out_dir, self.whole_crate) {
            (Some(folder), _) => folder.clone(),
            (None, true) => PathBuf::from("generated"),
            (None, false) => folder("OUT_DIR").unwrap_or_else(|| PathBuf::from("generated")),
        };
        output::check_folder(&out).map_err(|error| one(catalog::disk(&Span::default(), error)))?;
        if let (true, Err(why)) = (self.whole_crate, crate_name(&self.crate_name)) {
            let found = load::bad_crate_name(&Span::default(), &shown(&self.crate_name), why);
            return Err(one(found));
        }
        let layout = match self.whole_crate {
            true => Layout::Crate {
                name: self.crate_name.clone(),
                runtime_path: self.runtime_path.clone(),
                deploy: self.build_context(&out)?,
            },
            false => Layout::BuildScript,
        };
        if let (true, Some(path)) = (self.whole_crate, &self.runtime_path) {
            runtime::check(&out, path)
                .map_err(|why| one(catalog::no_runtime(&Span::default(), path, why)))?;
        }
        let history = match self.whole_crate {
            true => out.clone(),
            false => folder("CARGO_MANIFEST_DIR").unwrap_or_else(|| out.clone()),
        };
        Ok(Targets {
            arguments: self.arguments(given, &history),
            out,
            history,
            options: Options { layout, origin: emit::origin(files.iter().map(String::as_str)) },
        })
    }

    /// The inputs and the folder of the history as a shell takes them.
    fn arguments(&self, files: &[PathBuf], history: &Path) -> String {
        let mut words: Vec<String> = Vec::new();
        for folder in &self.includes {
            words.extend(["-I".to_owned(), shell(folder)]);
        }
        if let Some(set) = &self.descriptor_set {
            words.extend(["--descriptor-set".to_owned(), shell(set)]);
        }
        words.extend(["--out".to_owned(), shell(history)]);
        words.extend(files.iter().map(|file| shell(file)));
        words.iter().map(|word| format!(" {word}")).collect()
    }

    fn build_context(&self, out: &Path) -> Result<Option<BuildContext>, Error> {
        if !self.deploy {
            return Ok(None);
        }
        let runtime_path = self.runtime_path.as_deref();
        let context = BuildContext::of(out, runtime_path).ok_or_else(|| {
            catalog::runtime_out_of_reach(&Span::default(), runtime_path.unwrap_or_default())
        });
        context.map(Some).map_err(one)
    }
}

fn one(found: Diagnostic) -> Error {
    Error(Diagnostics::from_one(found))
}

/// Why Cargo or rustc would not take a package of this name, which its library and its binary
/// have too.
fn crate_name(name: &str) -> Result<(), &'static str> {
    /// Folders that Cargo writes into.
    const FOLDERS: [&str; 4] = ["build", "deps", "examples", "incremental"];
    /// Crates that the generated one names, or that come with Rust.
    const CRATES: [&str; 6] = ["alloc", "core", "prism_runtime", "proc_macro", "std", "test"];
    const LONGEST: usize = 64;
    let library = name.replace('-', "_");
    if name.is_empty() {
        Err("it is empty")
    } else if name.len() > LONGEST {
        Err("it is longer than 64 bytes")
    } else if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        Err("it holds another character than letters, digits, `-` and `_`")
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        Err("it does not begin with a letter")
    } else if FOLDERS.contains(&library.as_str()) {
        Err("Cargo keeps it for itself")
    } else if CRATES.contains(&library.as_str()) {
        Err("it is another crate's")
    } else if emit::rust::is_keyword(&library) {
        Err("it is a keyword of Rust")
    } else {
        Ok(())
    }
}

/// A path as a shell takes it, from the current folder if it is below it.
fn shell(path: &Path) -> String {
    let current = env::current_dir().unwrap_or_default();
    let text = match path.strip_prefix(&current) {
        Ok(below) if below.as_os_str().is_empty() => ".".to_owned(),
        Ok(below) => below.display().to_string(),
        Err(_) => path.display().to_string(),
    };
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+,@%:=".contains(it);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn warnings(diagnostics: &Diagnostics) -> Vec<String> {
    diagnostics::render(diagnostics, Format::Plain).lines().map(str::to_owned).collect()
}

/// Tells Cargo something: build scripts speak to it on their standard output.
#[allow(clippy::print_stdout)]
fn cargo(line: &str) {
    println!("{line}");
}
