//! Sources, compiled by protox.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use prism_options::{Diagnostic, Diagnostics, Span};
use protox::Compiler;
use protox::file::GoogleFileResolver;

use super::resolver::{Progress, Resolver, find};
use super::{Inputs, Loaded, explain};
use crate::diagnostics::catalog::load as catalog;

pub(super) fn load(inputs: &Inputs) -> Result<Loaded, Diagnostics> {
    let includes = match inputs.includes.is_empty() {
        true => vec![PathBuf::from(".")],
        false => inputs.includes.clone(),
    };
    let progress = Rc::new(RefCell::new(Progress::default()));
    if inputs.files.is_empty() {
        progress.borrow_mut().found.push(catalog::nothing_to_read(&Span::default()));
    }
    let mut compiler = Compiler::with_file_resolver(Resolver {
        includes: includes.clone(),
        progress: progress.clone(),
        google: GoogleFileResolver::new(),
    });
    compiler.include_imports(true).include_source_info(true);
    let mut files: Vec<String> = Vec::new();
    for path in &inputs.files {
        match file_name(&includes, path) {
            Ok(name) if files.contains(&name) => {}
            Ok(name) => {
                open(&mut compiler, &name, &progress);
                files.push(name);
            }
            Err(diagnostic) => progress.borrow_mut().found.push(*diagnostic),
        }
    }
    let progress = progress.take();
    if progress.found.has_errors() {
        let mut found = progress.found;
        found.sort();
        return Err(found);
    }
    Ok(Loaded {
        pool: compiler.descriptor_pool(),
        files,
        sources: progress.found.sources.clone(),
        descriptor_set: compiler.encode_file_descriptor_set(),
        read: progress.read,
        warnings: progress.found,
    })
}

fn open(compiler: &mut Compiler, name: &str, progress: &Rc<RefCell<Progress>>) {
    progress.borrow_mut().recorded = false;
    let Err(error) = compiler.open_file(name) else { return };
    let mut progress = progress.borrow_mut();
    if !progress.recorded {
        let pool = compiler.descriptor_pool();
        let found = explain::compiler_error(&error, &progress.found.sources, &pool);
        found.into_iter().for_each(|diagnostic| progress.found.push(diagnostic));
    }
}

/// The name under which imports know a file that the user named.
fn file_name(includes: &[PathBuf], path: &Path) -> Result<String, Box<Diagnostic>> {
    let nowhere = Span::default();
    if let Ok(absolute) = path.canonicalize()
        && absolute.is_file()
    {
        let below = includes.iter().find_map(|include| {
            let relative = absolute.strip_prefix(include.canonicalize().ok()?).ok()?.to_owned();
            Some(relative)
        });
        if let Some(relative) = below {
            return match find(includes, &relative) {
                Some(first) if first.canonicalize().ok().as_ref() != Some(&absolute) => {
                    Err(Box::new(catalog::shadowed(&nowhere, path.display(), first.display())))
                }
                _ => Ok(slashes(&relative)),
            };
        }
    }
    if find(includes, path).is_some() || super::is_builtin(&slashes(path)) {
        return Ok(slashes(path));
    }
    if path.is_file() {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).display();
        return Err(Box::new(catalog::not_included(&nowhere, path.display(), parent)));
    }
    Err(Box::new(catalog::file_not_found(&nowhere, path.display())))
}

/// A path as imports are spelled.
pub(super) fn slashes(path: &Path) -> String {
    let parts: Vec<_> = path
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}
