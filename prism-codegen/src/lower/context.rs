//! What every part of lowering needs: the descriptors, the reader of options, and where findings
//! go.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use prism_options::spec::{EntitySpec, FieldSpec, MethodSpec, ServiceSpec};
use prism_options::{Diagnostic, Diagnostics, OptionSet, Reader, Span, catalog as options};
use prost_reflect::{
    ExtensionDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use super::proposal::free_numbers;
use super::support;
use super::warnings::{Ineffective, Warnings};
use crate::descriptors::Loaded;
use crate::diagnostics::catalog::entity as catalog;

/// Version that findings about unsupported options name.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) struct Context<'a> {
    pub loaded: &'a Loaded,
    pub reader: Reader<'a>,
    found: RefCell<Diagnostics>,
    warnings: RefCell<Warnings>,
    /// Names of the fields that help lines propose to add, by the message's.
    proposed: RefCell<BTreeMap<String, Vec<String>>>,
    /// Names of the files to generate for, and of those that they import.
    reach: BTreeSet<String>,
}

impl<'a> Context<'a> {
    pub fn new(loaded: &'a Loaded) -> Self {
        Context {
            loaded,
            reader: Reader::new(&loaded.pool, &loaded.sources),
            found: RefCell::new(Diagnostics::new(loaded.sources.clone())),
            warnings: RefCell::default(),
            proposed: RefCell::default(),
            reach: reach(loaded),
        }
    }

    pub fn report(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// How much has been found so far, to tell whether a part had errors.
    pub fn errors(&self) -> usize {
        let found = self.found.borrow();
        found.iter().filter(|it| it.severity == prism_options::Severity::Error).count()
    }

    /// A free number for a field that a help line proposes: another one for each field of a message.
    pub fn free_number(&self, message: &MessageDescriptor, field: &str) -> u32 {
        let mut proposed = self.proposed.borrow_mut();
        let fields = proposed.entry(message.full_name().to_owned()).or_default();
        let position = fields.iter().position(|it| it == field).unwrap_or(fields.len());
        if position == fields.len() {
            fields.push(field.to_owned());
        }
        free_numbers(message).nth(position).unwrap_or_default()
    }

    /// What a judgement finds, apart from the report.
    pub fn apart<T>(&self, judge: impl FnOnce() -> T) -> (T, Diagnostics) {
        let before = self.found.replace(Diagnostics::new(self.loaded.sources.clone()));
        let judged = judge();
        (judged, self.found.replace(before))
    }

    /// Takes over what was found apart.
    pub fn extend(&self, found: Diagnostics) {
        self.found.borrow_mut().extend(found);
    }

    /// Whether a message is in the files to generate for, which are the user's to change.
    pub fn is_own(&self, message: &MessageDescriptor) -> bool {
        let file = message.parent_file();
        self.loaded.files.iter().any(|own| own == file.name())
    }

    /// Counts something that has no effect; its file gets one warning for all of its kind.
    pub fn count(&self, kind: Ineffective, name: &str, element: &str, span: &Span) {
        self.warnings.borrow_mut().add(kind, name, element, span);
    }

    pub fn finish(self) -> Diagnostics {
        let mut found = self.found.into_inner();
        self.warnings.into_inner().report(&mut found);
        found.sort();
        found
    }

    pub fn entity(&self, message: &MessageDescriptor) -> Option<OptionSet<EntitySpec>> {
        self.checked(message.full_name(), self.reader.entity(message))
    }

    /// Whether a message is an entity, here or where it is generated.
    pub fn is_entity(&self, message: &MessageDescriptor) -> bool {
        matches!(self.reader.entity(message), Ok(Some(_)))
    }

    /// A field's annotation, empty where it has none.
    pub fn field(&self, field: &FieldDescriptor) -> OptionSet<FieldSpec> {
        let read = self.checked(field.full_name(), self.reader.field(field));
        read.unwrap_or_else(|| OptionSet::new(FieldSpec::default(), self.reader.name_span(field)))
    }

    pub fn extension(&self, extension: &ExtensionDescriptor) -> Option<OptionSet<FieldSpec>> {
        self.checked(extension.full_name(), self.reader.extension(extension))
    }

    pub fn service(&self, service: &ServiceDescriptor) -> Option<OptionSet<ServiceSpec>> {
        self.checked(service.full_name(), self.reader.service(service))
    }

    pub fn method(&self, method: &MethodDescriptor) -> Option<OptionSet<MethodSpec>> {
        self.checked(method.full_name(), self.reader.method(method))
    }

    fn checked<T>(
        &self,
        element: &str,
        read: Result<Option<OptionSet<T>>, Box<Diagnostic>>,
    ) -> Option<OptionSet<T>> {
        let set = match read {
            Ok(set) => set?,
            Err(diagnostic) => {
                self.report(*diagnostic);
                return None;
            }
        };
        for (path, span) in set.unspecified() {
            let option = path.split('[').next().unwrap_or(path);
            self.report(catalog::unspecified(span, option));
        }
        self.check_support(element, &set);
        Some(set)
    }

    /// Reports what this version does not honour.
    fn check_support<T>(&self, element: &str, set: &OptionSet<T>) {
        let file: &str = &set.span.file;
        if !self.reach.contains(file) {
            return;
        }
        for (path, name) in support::refused(set) {
            let found = match path {
                "backend" => catalog::backend(set.span(path), name, VERSION),
                _ => catalog::later(set.span(path), name, VERSION),
            };
            self.report(found);
        }
        if self.loaded.files.iter().any(|own| own == file) {
            for (path, name) in support::ineffective(set) {
                self.count(Ineffective::Option, name, element, set.span(path));
            }
        }
    }

    /// The value of an enum option; one from a newer Prism is reported and taken for unset.
    pub fn choice<E: TryFrom<i32> + Default>(&self, value: i32, span: &Span, option: &str) -> E {
        E::try_from(value).unwrap_or_else(|_| {
            self.report(options::newer_option(span, option));
            E::default()
        })
    }
}

/// The files to generate for, and what they import at any depth.
fn reach(loaded: &Loaded) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = loaded.files.clone();
    while let Some(name) = open.pop() {
        if found.insert(name.clone())
            && let Some(file) = loaded.pool.get_file_by_name(&name)
        {
            open.extend(file.dependencies().map(|it| it.name().to_owned()));
        }
    }
    found
}
