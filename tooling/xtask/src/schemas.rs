//! `cargo xtask schemas`: reads real schemas that nobody wrote for Prism, and reports what the
//! generator makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, Loaded, load};
use prism_codegen::diagnostics::{Diagnostics, Format, Severity, render, summary};
use prism_codegen::emit::{self, Input, Layout, Options};
use prism_codegen::lower::lower;

/// Reads every `.proto` below `folder`, each by itself and then all together, and generates from
/// it in memory. Says on standard error where it is, prints what is refused, and counts. Imports
/// are looked up in `includes` and in `folder`.
///
/// # Errors
///
/// Where a file that can be read makes `lower` or `check` report an error: a schema without
/// annotations is right.
pub fn run(folder: &Path, includes: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let includes: Vec<PathBuf> =
        std::iter::once(folder.to_owned()).chain(includes.iter().cloned()).collect();
    let files = protos(folder)?;
    let start = Instant::now();
    let mut counts = Counts::default();
    let mut sound = Vec::new();
    for (index, file) in files.iter().enumerate() {
        eprint!("\r\x1b[K{} of {}: {}", index + 1, files.len(), file.display());
        let begun = Instant::now();
        if counts.add(&includes, file)? {
            sound.push(file.clone());
        }
        let seconds = begun.elapsed().as_secs_f64();
        if seconds > SLOW_SECONDS {
            eprintln!(": {seconds:.1} s");
        }
    }
    eprintln!();
    println!("one by one: {counts}; {:.1} s", start.elapsed().as_secs_f64());
    together(includes, sound)
}

/// A file that takes longer is named on a line of its own.
const SLOW_SECONDS: f64 = 2.0;

/// What became of files that were read one by one.
#[derive(Default)]
struct Counts {
    generated: usize,
    bytes: usize,
    refused: usize,
    /// Codes of the findings about refused files.
    codes: BTreeMap<&'static str, usize>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { generated, bytes, refused, codes } = self;
        write!(f, "{generated} files generated ({bytes} bytes), {refused} refused {codes:?}")
    }
}

impl Counts {
    /// Generates from one file; whether it could be read.
    fn add(&mut self, includes: &[PathBuf], file: &Path) -> Result<bool, Box<dyn Error>> {
        let inputs = Inputs {
            includes: includes.to_owned(),
            files: vec![file.to_owned()],
            descriptor_set: None,
        };
        match load(&inputs) {
            Ok(loaded) => {
                self.bytes += generate(&loaded)?;
                self.generated += 1;
                Ok(true)
            }
            Err(found) if found.is_empty() => Err(format!("{file:?}: refused silently").into()),
            Err(found) => {
                let text = render(&found, Format::Plain);
                println!("{}", text.lines().next().unwrap_or_default());
                found.iter().for_each(|it| *self.codes.entry(it.code).or_default() += 1);
                self.refused += 1;
                Ok(false)
            }
        }
    }
}

/// How many bytes are generated from files that were read.
fn generate(loaded: &Loaded) -> Result<usize, Box<dyn Error>> {
    let (schema, mut found) = lower(loaded);
    found.extend(check(&schema));
    if found.has_errors() {
        return Err(format!("{}{}", render(&found, Format::Plain), summary(&found)).into());
    }
    let options = Options { layout: Layout::BuildScript, origin: "cargo xtask schemas".to_owned() };
    let files = emit::files(Input { schema: &schema, migrations: &[], options: &options });
    Ok(files.iter().map(|file| file.contents.len()).sum())
}

/// Generates from all files at once, without those that do not go together.
fn together(includes: Vec<PathBuf>, files: Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let total = files.len();
    let (loaded, refused) = load_all(includes, files);
    for code in refused.iter().map(|finding| finding.code).collect::<BTreeSet<_>>() {
        let count = refused.iter().filter(|finding| finding.code == code).count();
        println!("together: {count} x {code}");
    }
    let Some(loaded) = loaded else {
        println!("together: 0 of {total} files");
        return Ok(());
    };
    let bytes = generate(&loaded)?;
    println!(
        "together: {} of {total} files, {} messages, {} services, {bytes} bytes; {:.1} s",
        loaded.files.len(),
        loaded.pool.all_messages().len(),
        loaded.pool.services().len(),
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}

fn protos(folder: &Path) -> Result<Vec<PathBuf>, std::io::Error> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Loads what can be loaded, and the findings about the rest. Files that import a refused one
/// are left out with it.
fn load_all(includes: Vec<PathBuf>, mut files: Vec<PathBuf>) -> (Option<Loaded>, Diagnostics) {
    let mut refused = Diagnostics::default();
    let mut culprits: BTreeSet<String> = BTreeSet::new();
    while !files.is_empty() {
        let inputs =
            Inputs { includes: includes.clone(), files: files.clone(), descriptor_set: None };
        let found = match load(&inputs) {
            Ok(loaded) => return (Some(loaded), refused),
            Err(found) => found,
        };
        let errors = found.iter().filter(|finding| finding.severity == Severity::Error);
        culprits.extend(errors.map(|finding| finding.label.span.file.to_string()));
        let before = files.len();
        files.retain(|file| !is_touched(file, &includes, &mut culprits));
        refused.extend(found);
        if files.len() == before {
            return (None, refused);
        }
    }
    (None, refused)
}

/// Whether a file is refused, or imports one that is; it is then one itself.
fn is_touched(file: &Path, includes: &[PathBuf], culprits: &mut BTreeSet<String>) -> bool {
    let names: Vec<String> = includes
        .iter()
        .filter_map(|include| file.strip_prefix(include).ok())
        .map(|name| name.display().to_string())
        .collect();
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let imports = text.lines().filter(|line| line.trim_start().starts_with("import"));
    let imports: BTreeSet<&str> =
        imports.filter_map(|line| line.split(['"', '\'']).nth(1)).collect();
    let touched = names.iter().any(|name| culprits.contains(name))
        || culprits.iter().any(|culprit| imports.contains(culprit.as_str()));
    if touched {
        culprits.extend(names);
    }
    touched
}
