//! `cargo xtask schemas`: reads real schemas that nobody wrote for Prism, and reports what the
//! generator makes of them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use prism_codegen::check::check;
use prism_codegen::descriptors::{Inputs, Loaded, load};
use prism_codegen::diagnostics::{Diagnostics, Format, Severity, render, summary};
use prism_codegen::emit::{self, Input, Layout, Options};
use prism_codegen::lower::lower;

/// Reads every `.proto` below `folder` that can be read, generates from it in memory, and prints
/// counts. Imports are looked
/// up in `includes` and in `folder`.
///
/// # Errors
///
/// Where a file that can be read makes `lower` or `check` report an error: a schema without
/// annotations is right.
pub fn run(folder: &Path, includes: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let includes: Vec<PathBuf> =
        std::iter::once(folder.to_owned()).chain(includes.iter().cloned()).collect();
    let files = protos(folder)?;
    let total = files.len();
    let (loaded, refused) = load_all(includes, files);
    print!("{}", render(&refused, Format::Plain));
    let codes = refused.iter().fold(BTreeMap::new(), |mut codes: BTreeMap<_, usize>, finding| {
        *codes.entry(finding.code).or_default() += 1;
        codes
    });
    let Some(loaded) = loaded else {
        println!("0 of {total} files read; {codes:?}");
        return Ok(());
    };
    let read = loaded.files.len();
    let (schema, mut found) = lower(&loaded);
    found.extend(check(&schema));
    print!("{}", render(&found, Format::Plain));
    let options = Options { layout: Layout::BuildScript, origin: "cargo xtask schemas".to_owned() };
    let generated = emit::files(Input { schema: &schema, migrations: &[], options: &options });
    println!(
        "{} files generated, {} bytes",
        generated.len(),
        generated.iter().map(|file| file.contents.len()).sum::<usize>()
    );
    println!(
        "{read} of {total} files read, {} messages, {} services, {} entities in {:.1} s; refused: {codes:?}",
        loaded.pool.all_messages().len(),
        loaded.pool.services().len(),
        schema.entities.len(),
        start.elapsed().as_secs_f64(),
    );
    match found.has_errors() {
        true => Err(summary(&found).into()),
        false => Ok(()),
    }
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
