//! Reads annotations out of a descriptor pool.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, MethodDescriptor, OneofDescriptor, ReflectMessage, ServiceDescriptor, Value,
};
use prost_types::source_code_info::Location;

use crate::aggregate::{self, Entry, Target};
use crate::places::Places;
use crate::spec::{EntitySpec, FieldSpec, MethodSpec, ServiceSpec};
use crate::{
    Behaviors, Diagnostic, Foreign, Idempotency, OptionSet, Sources, Span, catalog, setting,
    standard,
};

/// Number of Prism's extensions of every kind of options.
const EXTENSION: u32 = 77476;

/// Something that can be annotated: where it is and what its options are.
pub trait Element {
    /// The file that declares it.
    fn file(&self) -> FileDescriptor;
    /// Its `SourceCodeInfo` path.
    fn place(&self) -> &[i32];
    /// Its options, extensions included.
    fn options(&self) -> DynamicMessage;
    /// Whether it has any options; cheaper than looking at them.
    fn has_options(&self) -> bool;
    /// Field number of `options` in its descriptor.
    const OPTIONS: i32;
}

macro_rules! element {
    ($type:ty, $options:literal, |$it:ident| $file:expr, $proto:expr) => {
        impl Element for $type {
            const OPTIONS: i32 = $options;

            fn file(&self) -> FileDescriptor {
                let $it = self;
                $file
            }

            fn place(&self) -> &[i32] {
                self.path()
            }

            fn options(&self) -> DynamicMessage {
                <$type>::options(self)
            }

            fn has_options(&self) -> bool {
                let $it = self;
                $proto.options.is_some()
            }
        }
    };
}

element!(MessageDescriptor, 7, |it| it.parent_file(), it.descriptor_proto());
element!(FieldDescriptor, 8, |it| it.parent_file(), it.field_descriptor_proto());
element!(ExtensionDescriptor, 8, |it| it.parent_file(), it.field_descriptor_proto());
element!(OneofDescriptor, 2, |it| it.parent_file(), it.oneof_descriptor_proto());
element!(ServiceDescriptor, 3, |it| it.parent_file(), it.service_descriptor_proto());
element!(MethodDescriptor, 4, |it| it.parent_service().parent_file(), it.method_descriptor_proto());

/// Reads the options of a pool's elements.
pub struct Reader<'a> {
    pool: &'a DescriptorPool,
    sources: &'a Sources,
    places: RefCell<HashMap<String, Rc<Places>>>,
}

impl<'a> Reader<'a> {
    /// A reader of `pool`; `sources` may lack files, places are then less exact.
    pub fn new(pool: &'a DescriptorPool, sources: &'a Sources) -> Self {
        Reader { pool, sources, places: RefCell::default() }
    }

    /// `(prism.message)`.
    ///
    /// # Errors
    ///
    /// Where the annotation is not the one that this version defines; so for the other kinds.
    pub fn entity(
        &self,
        message: &MessageDescriptor,
    ) -> Result<Option<OptionSet<EntitySpec>>, Box<Diagnostic>> {
        self.read(message, "prism.message")
    }

    /// `(prism.field)`.
    #[allow(clippy::missing_errors_doc)]
    pub fn field(
        &self,
        field: &FieldDescriptor,
    ) -> Result<Option<OptionSet<FieldSpec>>, Box<Diagnostic>> {
        self.read(field, "prism.field")
    }

    /// `(prism.field)` of an extension, where it has no effect: extensions are unknown fields.
    #[allow(clippy::missing_errors_doc)]
    pub fn extension(
        &self,
        extension: &ExtensionDescriptor,
    ) -> Result<Option<OptionSet<FieldSpec>>, Box<Diagnostic>> {
        self.read(extension, "prism.field")
    }

    /// `(prism.service)`.
    #[allow(clippy::missing_errors_doc)]
    pub fn service(
        &self,
        service: &ServiceDescriptor,
    ) -> Result<Option<OptionSet<ServiceSpec>>, Box<Diagnostic>> {
        self.read(service, "prism.service")
    }

    /// `(prism.method)`.
    #[allow(clippy::missing_errors_doc)]
    pub fn method(
        &self,
        method: &MethodDescriptor,
    ) -> Result<Option<OptionSet<MethodSpec>>, Box<Diagnostic>> {
        self.read(method, "prism.method")
    }

    /// The standard `deprecated`.
    pub fn deprecated<E: Element>(&self, element: &E) -> bool {
        element.has_options() && standard::flag(&element.options(), "deprecated")
    }

    /// The standard `debug_redact` of a field.
    pub fn debug_redact(&self, field: &FieldDescriptor) -> bool {
        field.has_options() && standard::flag(&field.options(), "debug_redact")
    }

    /// The standard `idempotency_level` of a method.
    pub fn idempotency(&self, method: &MethodDescriptor) -> Idempotency {
        standard::idempotency(&method.options())
    }

    /// The standard `google.api.field_behavior` of a field, and its place.
    pub fn behaviors(&self, field: &FieldDescriptor) -> Behaviors {
        if !field.has_options() {
            return Behaviors::default();
        }
        match standard::behaviors(&field.options()) {
            Some((found, number)) => {
                Behaviors { span: self.extension_span(field, number), ..found }
            }
            None => Behaviors::default(),
        }
    }

    /// Annotations of others that a later version honours.
    pub fn foreign<E: Element>(&self, element: &E) -> Vec<Foreign> {
        if !element.has_options() {
            return Vec::new();
        }
        let options = element.options();
        let known = options.extensions().filter(|(it, _)| standard::is_foreign(it.full_name()));
        known
            .map(|(extension, _)| {
                let name = extension.full_name().to_owned();
                Foreign { name, span: self.extension_span(element, extension.number()) }
            })
            .collect()
    }

    /// An option of the element; the element's name where its own place is not known.
    fn extension_span<E: Element>(&self, element: &E, number: u32) -> Span {
        let mut path = element.place().to_vec();
        path.extend([E::OPTIONS, number as i32]);
        let places = self.places(&element.file());
        let location = places.below(&path).next();
        let span = location.map(|it| self.locate(&element.file(), it));
        span.unwrap_or_else(|| self.name_span(element))
    }

    /// The element's name.
    pub fn name_span<E: Element>(&self, element: &E) -> Span {
        self.part_span(element, 1)
    }

    /// A part of the element's declaration, by field number in its descriptor; the whole
    /// declaration where that is not known.
    pub fn part_span<E: Element>(&self, element: &E, part: i32) -> Span {
        let file = element.file();
        let places = self.places(&file);
        let mut path = element.place().to_vec();
        path.push(part);
        let location = places.get(&path).or_else(|| places.get(element.place()));
        location.map_or_else(|| Span::file(file.name()), |it| self.locate(&file, it))
    }

    /// The comment before the element, as the compiler kept it.
    pub fn comment<E: Element>(&self, element: &E) -> String {
        let places = self.places(&element.file());
        let location = places.get(element.place());
        location.map(|it| it.leading_comments().to_owned()).unwrap_or_default()
    }

    fn places(&self, file: &FileDescriptor) -> Rc<Places> {
        let mut places = self.places.borrow_mut();
        if let Some(known) = places.get(file.name()) {
            return known.clone();
        }
        let read = Rc::new(Places::new(file));
        places.insert(file.name().to_owned(), read.clone());
        read
    }

    fn locate(&self, file: &FileDescriptor, location: &Location) -> Span {
        self.sources.located(file.name(), &location.span)
    }

    fn read<E: Element, T: Message + Default>(
        &self,
        element: &E,
        name: &str,
    ) -> Result<Option<OptionSet<T>>, Box<Diagnostic>> {
        if !element.has_options() {
            return Ok(None);
        }
        let options = element.options();
        let place = || self.name_span(element);
        let extension = match self.pool.get_extension_by_name(name) {
            Some(it) if it.number() == EXTENSION => it,
            Some(it) if options.has_extension(&it) => {
                return Err(Box::new(catalog::other_definition(&place(), name)));
            }
            _ if options.unknown_fields().any(|field| field.number() == EXTENSION) => {
                return Err(Box::new(catalog::without_definition(&place())));
            }
            _ => return Ok(None),
        };
        if !options.has_extension(&extension) {
            return Ok(None);
        }
        let value = options.get_extension(&extension);
        let Value::Message(message) = value.as_ref() else {
            return Err(Box::new(catalog::other_definition(&place(), name)));
        };
        let Ok(typed) = message.transcode_to::<T>() else {
            return Err(Box::new(catalog::other_definition(&place(), name)));
        };
        let set = self.with_places(element, message, typed);
        let mut back = DynamicMessage::new(message.descriptor());
        if back.transcode_from(&set.value).is_err() || back != *message {
            return Err(Box::new(catalog::newer_option(&set.span, name)));
        }
        Ok(Some(set))
    }

    fn with_places<E: Element, T>(
        &self,
        element: &E,
        message: &DynamicMessage,
        value: T,
    ) -> OptionSet<T> {
        let file = element.file();
        let places = self.places(&file);
        let mut path = element.place().to_vec();
        path.extend([E::OPTIONS, EXTENSION as i32]);
        let mut set = OptionSet::new(value, self.name_span(element));
        set.settings = setting::settings(message);
        if let Some(first) = places.below(&path).next() {
            set.span = self.locate(&file, first);
        }
        let text = self.sources.get(file.name()).map(|source| source.text.as_str());
        for location in places.below(&path) {
            let span = self.locate(&file, location);
            let Some((names, target)) =
                resolve(&message.descriptor(), &location.path[path.len()..])
            else {
                continue;
            };
            let found =
                text.and_then(|text| aggregate::entries(text, span.range.clone(), &names, &target));
            let found = found.unwrap_or_else(|| whole(message, names, &target, &span));
            for entry in found {
                let place = match text {
                    Some(_) => self.sources.span(file.name(), entry.range.clone()),
                    None => span.clone(),
                };
                set.add(entry, place);
            }
        }
        set
    }
}

/// Follows numbers to the field names of the annotation.
fn resolve(message: &MessageDescriptor, numbers: &[i32]) -> Option<(String, Target)> {
    let mut names = String::new();
    let mut target = Target::Message(message.clone());
    let mut numbers = numbers.iter().copied();
    while let Some(number) = numbers.next() {
        let message = match &target {
            Target::Message(message) => message.clone(),
            Target::Field(field) => match field.kind() {
                Kind::Message(message) => message,
                _ => return None,
            },
        };
        let field = message.get_field(u32::try_from(number).ok()?)?;
        if !names.is_empty() {
            names.push('.');
        }
        names.push_str(field.name());
        if field.is_list()
            && let Some(index) = numbers.next()
        {
            names.push_str(&format!("[{index}]"));
        }
        target = Target::Field(field);
    }
    Some((names, target))
}

/// One entry for an option whose text is not at hand.
fn whole(message: &DynamicMessage, path: String, target: &Target, span: &Span) -> Vec<Entry> {
    let Target::Field(field) = target else { return Vec::new() };
    let top = !path.contains(['.', '[']);
    let unspecified = top && matches!(field.kind(), Kind::Enum(_)) && !message.has_field(field);
    vec![Entry { path, range: span.range.clone(), unspecified }]
}
