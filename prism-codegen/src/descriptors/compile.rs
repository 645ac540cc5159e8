//! Sources, compiled by protox.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use prism_options::{Diagnostic, Diagnostics, Span};
use prost_reflect::DescriptorPool;
use protox::Compiler;
use protox::file::GoogleFileResolver;

use super::folders::{Expanded, expand};
use super::resolver::{Progress, Resolver, find};
use super::{Inputs, Loaded, explain, names};
use crate::diagnostics::catalog::load as catalog;

pub(super) fn load(inputs: &Inputs) -> Result<Loaded, Diagnostics> {
    check_includes(&inputs.includes)?;
    let Expanded { inputs, folders, empty } = expand(inputs);
    let includes = inputs.includes;
    let progress = Rc::new(RefCell::new(Progress::default()));
    progress.borrow_mut().read.extend(folders);
    for folder in &empty {
        let finding = catalog::empty_folder(&Span::default(), folder.display());
        progress.borrow_mut().found.push(finding);
    }
    if inputs.files.is_empty() && empty.is_empty() {
        progress.borrow_mut().found.push(catalog::nothing_to_read(&Span::default()));
    }
    let mut compilation = Compilation::new(includes.clone(), progress.clone());
    let mut files: Vec<String> = Vec::new();
    for path in &inputs.files {
        match file_name(&includes, path) {
            Ok(name) if files.contains(&name) => {}
            Ok(name) => {
                compilation.open(&name);
                files.push(name);
            }
            Err(diagnostic) => progress.borrow_mut().found.push(*diagnostic),
        }
    }
    let pool = compilation.finish();
    let mut progress = progress.take();
    pool.file_descriptor_protos().for_each(|file| names::check(file, &mut progress.found));
    progress.read.sort();
    progress.read.dedup();
    if progress.found.has_errors() {
        let mut found = progress.found;
        found.sort();
        return Err(found);
    }
    Ok(Loaded {
        descriptor_set: pool.encode_to_vec(),
        pool,
        files,
        sources: progress.found.sources.clone(),
        read: progress.read,
        warnings: progress.found,
    })
}

/// What else is wrong follows from an include folder that is not there.
fn check_includes(includes: &[PathBuf]) -> Result<(), Diagnostics> {
    let mut found = Diagnostics::default();
    for folder in includes.iter().filter(|folder| !folder.is_dir()) {
        let why = if folder.exists() { "is not a folder" } else { "does not exist" };
        found.push(catalog::no_include_folder(&Span::default(), folder.display(), why));
    }
    if found.has_errors() { Err(found) } else { Ok(()) }
}

/// The files compiled so far.
struct Compilation {
    includes: Vec<PathBuf>,
    progress: Rc<RefCell<Progress>>,
    /// Usually one. prost-reflect takes packages of files that a file does not import for scopes
    /// of it, which protoc does not; such a file goes to a compiler that lacks those packages.
    compilers: Vec<Compiler>,
}

impl Compilation {
    fn new(includes: Vec<PathBuf>, progress: Rc<RefCell<Progress>>) -> Self {
        Compilation { includes, progress, compilers: Vec::new() }
    }

    fn open(&mut self, name: &str) {
        for compiler in &mut self.compilers {
            self.progress.borrow_mut().recorded = false;
            match compiler.open_file(name) {
                Err(error) if is_hidden(&error) => {}
                result => {
                    return report(result.err(), compiler, &self.progress, &self.includes);
                }
            }
        }
        self.progress.borrow_mut().recorded = false;
        let mut compiler = compiler(&self.includes, &self.progress);
        let error = compiler.open_file(name).err();
        let sound = error.is_none();
        report(error, &compiler, &self.progress, &self.includes);
        if sound || self.compilers.is_empty() {
            self.compilers.push(compiler);
        }
    }

    /// One pool of all files; names are resolved by now.
    fn finish(self) -> DescriptorPool {
        let mut pools = self.compilers.into_iter().map(|compiler| compiler.descriptor_pool());
        let mut all = pools.next().unwrap_or_default();
        for file in pools.flat_map(|pool| pool.files().collect::<Vec<_>>()) {
            if all.get_file_by_name(file.name()).is_some() {
                continue;
            }
            if let Err(error) = all.decode_file_descriptor_proto(file.encode_to_vec().as_slice()) {
                self.progress.borrow_mut().found.push(explain::pool_error(&error));
            }
        }
        all
    }
}

/// Whether a name was taken for one in a package that the compiler knows.
fn is_hidden(error: &protox::Error) -> bool {
    error.to_string().contains(" resolves to ")
}

fn report(
    error: Option<protox::Error>,
    compiler: &Compiler,
    progress: &Rc<RefCell<Progress>>,
    includes: &[PathBuf],
) {
    let mut progress = progress.borrow_mut();
    if let (Some(error), false) = (error, progress.recorded) {
        let pool = compiler.descriptor_pool();
        let found = explain::compiler_error(&error, &progress.found.sources, &pool, includes);
        found.into_iter().for_each(|diagnostic| progress.found.push(diagnostic));
    }
}

fn compiler(includes: &[PathBuf], progress: &Rc<RefCell<Progress>>) -> Compiler {
    let mut compiler = Compiler::with_file_resolver(Resolver {
        includes: includes.to_owned(),
        progress: progress.clone(),
        google: GoogleFileResolver::new(),
    });
    compiler.include_imports(true).include_source_info(true);
    compiler
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
    let plain = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
    let named = path.components().all(plain)
        && (find(includes, path).is_some() || super::is_builtin(&slashes(path)));
    if named {
        return Ok(slashes(path));
    }
    if path.is_file() {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).display();
        return Err(Box::new(catalog::not_included(&nowhere, path.display(), parent)));
    }
    let is_pattern = path.to_string_lossy().contains(['*', '?', '[', '{']);
    Err(Box::new(match is_pattern {
        true => catalog::pattern(&nowhere, path.display()),
        false => catalog::file_not_found(&nowhere, path.display()),
    }))
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
