//! Names and other texts that come in with descriptors. A compiler only makes names of letters,
//! digits and underscores; a descriptor set may hold anything, and what is a name here becomes
//! Rust, SQL, YAML and Markdown.

use prism_options::{Diagnostics, Span};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    ServiceDescriptorProto,
};

use super::defaults;
use crate::diagnostics::catalog::load as catalog;
use crate::printable::{is_hidden, shown};

/// Reports every text of a file that no compiler would have let through.
pub(super) fn check(file: &FileDescriptorProto, found: &mut Diagnostics) {
    if let Err(why) = path(file.name()) {
        found.push(catalog::bad_file_name(&Span::default(), &shown(file.name()), why));
        return;
    }
    let mut check = Check { span: Span::file(file.name()), found };
    if !matches!(file.syntax.as_deref(), None | Some("proto2" | "proto3" | "editions")) {
        let what = format!("there is no syntax '{}'", shown(file.syntax()));
        check.found.push(catalog::malformed(&check.span, &what));
    }
    for import in &file.dependency {
        if let Err(why) = path(import) {
            check.found.push(catalog::bad_file_name(&check.span, &shown(import), why));
        }
    }
    if !file.package().is_empty() {
        check.path_of_names("package", file.package());
    }
    for message in &file.message_type {
        check.message(message);
    }
    for declared in &file.enum_type {
        check.enumeration(declared);
    }
    for extension in &file.extension {
        check.field("extension", extension);
    }
    for service in &file.service {
        check.service(service);
    }
}

/// Why a file's name is not valid. A name is spelled with slashes, from an include folder on. It is written
/// into comments and Markdown, which `<`, `>` and backticks would end.
fn path(name: &str) -> Result<(), &'static str> {
    let mut parts = name.split('/');
    if name.is_empty() {
        Err("it is empty")
    } else if name.chars().any(is_hidden) {
        Err("it holds a character that cannot be seen")
    } else if name.contains('\\') {
        Err("it holds a backslash")
    } else if name.contains(['<', '>', '`', '"']) {
        Err("it holds `<`, `>`, a quote or a backtick")
    } else if parts.any(|part| matches!(part, "" | "." | "..")) {
        Err("it has an empty part, `.` or `..`")
    } else {
        Ok(())
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a name is one that a compiler makes for the entry of a map: that of `_1` is `1Entry`.
fn is_entry_name(name: &str) -> bool {
    name.strip_suffix("Entry").is_some_and(|it| is_identifier(&format!("_{it}")))
}

struct Check<'a> {
    span: Span,
    found: &'a mut Diagnostics,
}

impl Check<'_> {
    fn name(&mut self, what: &str, name: &str) {
        if !is_identifier(name) {
            self.found.push(catalog::bad_name(&self.span, what, &shown(name)));
        }
    }

    /// Names with dots between them.
    fn path_of_names(&mut self, what: &str, name: &str) {
        if !name.split('.').all(is_identifier) {
            self.found.push(catalog::bad_name(&self.span, what, &shown(name)));
        }
    }

    fn reference(&mut self, name: &str) {
        self.path_of_names("type", name.strip_prefix('.').unwrap_or(name));
    }

    /// The type of a repeated field, which may be the entry of a map.
    fn entry_reference(&mut self, name: &str) {
        match name.rsplit_once('.') {
            Some((message, entry)) if is_entry_name(entry) => self.reference(message),
            _ => self.reference(name),
        }
    }

    /// A text that may be anything that can be seen.
    fn text(&mut self, what: &str, text: &str) {
        if text.chars().any(is_hidden) {
            self.found.push(catalog::hidden_text(&self.span, what, &shown(text)));
        }
    }

    fn message(&mut self, message: &DescriptorProto) {
        let is_entry = message.options.as_ref().is_some_and(|options| options.map_entry());
        if !is_entry || !is_entry_name(message.name()) {
            self.name("message", message.name());
        }
        for field in &message.field {
            self.field("field", field);
            let oneof = field.oneof_index.map(usize::try_from);
            if oneof.is_some_and(|it| it.map_or(true, |it| it >= message.oneof_decl.len())) {
                let what = format!("`{}` is in a oneof that is not declared", shown(field.name()));
                self.found.push(catalog::malformed(&self.span, &what));
            }
        }
        for oneof in &message.oneof_decl {
            self.name("oneof", oneof.name());
        }
        for reserved in &message.reserved_name {
            self.text("reserved name", reserved);
        }
        for extension in &message.extension {
            self.field("extension", extension);
        }
        for nested in &message.nested_type {
            self.message(nested);
        }
        for declared in &message.enum_type {
            self.enumeration(declared);
        }
        if is_entry {
            self.map_entry(message);
        }
    }

    /// That an entry is a key and a value.
    fn map_entry(&mut self, message: &DescriptorProto) {
        let fields = message.field.iter().map(|field| (field.name(), field.number()));
        if !fields.eq([("key", 1), ("value", 2)]) {
            let what = format!("`{}` is the entry of no map", shown(message.name()));
            self.found.push(catalog::malformed(&self.span, &what));
        }
    }

    fn field(&mut self, what: &str, field: &FieldDescriptorProto) {
        self.name(what, field.name());
        self.text("JSON name", field.json_name());
        if let Some(name) = &field.type_name {
            match field.label() {
                Label::Repeated => self.entry_reference(name),
                Label::Optional | Label::Required => self.reference(name),
            }
        }
        if let Some(name) = &field.extendee {
            self.reference(name);
        }
        if let Some(default) = &field.default_value {
            let sound = match field.r#type() {
                Type::Enum => is_identifier(default),
                ty => defaults::is_value(ty, default),
            };
            if !sound {
                self.found.push(catalog::bad_default(
                    &self.span,
                    &shown(default),
                    &shown(field.name()),
                ));
            }
        }
    }

    fn enumeration(&mut self, declared: &EnumDescriptorProto) {
        self.name("enum", declared.name());
        for value in &declared.value {
            self.name("enum value", value.name());
        }
        for reserved in &declared.reserved_name {
            self.text("reserved name", reserved);
        }
        if declared.value.is_empty() {
            let what = format!("enum `{}` has no value", shown(declared.name()));
            self.found.push(catalog::malformed(&self.span, &what));
        }
    }

    fn service(&mut self, service: &ServiceDescriptorProto) {
        self.name("service", service.name());
        for method in &service.method {
            self.name("method", method.name());
            self.reference(method.input_type());
            self.reference(method.output_type());
        }
    }
}
