//! What every part of lowering needs: the descriptors, the reader of options, and where findings
//! go.

use std::cell::RefCell;

use prism_options::spec::{EntitySpec, FieldSpec, MethodSpec, ServiceSpec};
use prism_options::{Diagnostic, Diagnostics, OptionSet, Reader, Span, catalog as options};
use prost_reflect::{
    ExtensionDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

use crate::descriptors::Loaded;
use crate::diagnostics::catalog::entity as catalog;

/// Version that findings about unsupported options name.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) struct Context<'a> {
    pub loaded: &'a Loaded,
    pub reader: Reader<'a>,
    found: RefCell<Diagnostics>,
}

impl<'a> Context<'a> {
    pub fn new(loaded: &'a Loaded) -> Self {
        Context {
            loaded,
            reader: Reader::new(&loaded.pool, &loaded.sources),
            found: RefCell::new(Diagnostics::new(loaded.sources.clone())),
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

    pub fn finish(self) -> Diagnostics {
        let mut found = self.found.into_inner();
        found.sort();
        found
    }

    pub fn entity(&self, message: &MessageDescriptor) -> Option<OptionSet<EntitySpec>> {
        self.checked(self.reader.entity(message))
    }

    /// A field's annotation, empty where it has none.
    pub fn field(&self, field: &FieldDescriptor) -> OptionSet<FieldSpec> {
        let read = self.checked(self.reader.field(field));
        read.unwrap_or_else(|| OptionSet::new(FieldSpec::default(), self.reader.name_span(field)))
    }

    pub fn extension(&self, extension: &ExtensionDescriptor) -> Option<OptionSet<FieldSpec>> {
        self.checked(self.reader.extension(extension))
    }

    pub fn service(&self, service: &ServiceDescriptor) -> Option<OptionSet<ServiceSpec>> {
        self.checked(self.reader.service(service))
    }

    pub fn method(&self, method: &MethodDescriptor) -> Option<OptionSet<MethodSpec>> {
        self.checked(self.reader.method(method))
    }

    fn checked<T>(
        &self,
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
        Some(set)
    }

    /// The value of an enum option; one from a newer Prism is reported and taken for unset.
    pub fn choice<E: TryFrom<i32> + Default>(&self, value: i32, span: &Span, option: &str) -> E {
        E::try_from(value).unwrap_or_else(|_| {
            self.report(options::newer_option(span, option));
            E::default()
        })
    }
}
