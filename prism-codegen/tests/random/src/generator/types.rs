//! Enums and messages that entities are made of, and the types of fields.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::Writer;
use super::names::{self, Scope};

/// What a field may be of.
#[derive(Default)]
pub struct Types {
    /// Full names with a leading dot, and the names of the values.
    enums: Vec<(String, Vec<String>)>,
    messages: Vec<String>,
}

pub const SCALARS: [&str; 15] = [
    "bool", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64",
    "sfixed32", "sfixed64", "string", "bytes", "float", "double",
];

const TIMES: [&str; 2] = [".google.protobuf.Timestamp", ".google.protobuf.Duration"];

const WRAPPERS: [&str; 9] = [
    "BoolValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "StringValue",
    "BytesValue",
    "FloatValue",
    "DoubleValue",
];

const WELL_KNOWN: [&str; 6] = ["Any", "Struct", "Value", "ListValue", "Empty", "FieldMask"];

/// The class of a type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Scalar,
    Enum,
    Time,
    Wrapper,
    Message,
}

/// The type of a field.
#[derive(Clone)]
pub struct Type {
    pub class: Class,
    /// As it is declared.
    pub name: String,
    /// Of an enum: a value of it.
    pub value: String,
}

impl Type {
    pub fn ordered(&self) -> bool {
        let unordered = ["float", "double"];
        let wrapped = ["FloatValue", "DoubleValue"];
        self.class != Class::Message
            && !unordered.contains(&self.name.as_str())
            && !wrapped.iter().any(|name| self.name.ends_with(name))
    }

    /// Whether ROLE_PREFIX takes it.
    pub fn prefixed(&self) -> bool {
        ["string", "bytes"].contains(&self.name.as_str())
    }

    /// Whether it has presence without a label.
    pub fn present(&self) -> bool {
        !matches!(self.class, Class::Scalar | Class::Enum)
    }
}

impl Writer {
    /// Declares enums and messages.
    pub fn types(&mut self) {
        for _ in 0..self.random.between(1, 3) {
            let name = self.scope.typ(&mut self.random);
            let (text, values) = self.enumeration(&name, &mut HashSet::new(), "");
            self.text.push_str(&text);
            self.types.enums.push((format!(".{}{name}", self.prefix()), values));
        }
        for _ in 0..self.random.between(1, 3) {
            let name = self.scope.typ(&mut self.random);
            let text = self.message(&name, 0);
            self.text.push_str(&text);
            let name = format!(".{}{name}", self.prefix());
            self.types.messages.push(name);
        }
    }

    /// The package with a dot behind it.
    pub fn prefix(&self) -> String {
        let package = self.text.lines().find_map(|line| line.strip_prefix("package "));
        package.map_or(String::new(), |package| package.replace(';', "."))
    }

    fn enumeration(
        &mut self,
        name: &str,
        taken: &mut HashSet<String>,
        indent: &str,
    ) -> (String, Vec<String>) {
        let mut text = format!("{indent}enum {name} {{\n");
        let mut values: Vec<String> = Vec::new();
        let alias = self.random.chance(15);
        if alias {
            text.push_str(&format!("{indent}  option allow_alias = true;\n"));
        }
        for number in 0..self.random.between(2, 6) {
            let mut value = names::enum_value(&mut self.random, name);
            // Values are names of the scope around the enum.
            let outer = indent.is_empty();
            while !taken.insert(value.clone()) || (outer && self.scope.take(&value) != value) {
                value.push('x');
            }
            let deprecated = if self.random.chance(5) { " [deprecated = true]" } else { "" };
            let _ = writeln!(text, "{indent}  {value} = {number}{deprecated};");
            values.push(value);
        }
        if alias {
            let mut value = format!("{name}_ALIAS");
            while !taken.insert(value.clone())
                || (indent.is_empty() && self.scope.take(&value) != value)
            {
                value.push('x');
            }
            let _ = writeln!(text, "{indent}  {value} = 1;");
            values.push(value);
        }
        let _ = writeln!(text, "{indent}}}");
        (text, values)
    }

    /// A message that is stored in a field, with messages in it.
    fn message(&mut self, name: &str, depth: usize) -> String {
        let mut scope = Scope::default();
        let mut text = format!("message {name} {{\n");
        let mut fields = String::new();
        let mut number = 0;
        for _ in 0..self.random.between(0, 5) {
            number += 1;
            let ty = self.field_type();
            let field = scope.field(&mut self.random, self.proto2);
            let declared = self.label(&ty);
            let deprecated = if self.random.chance(5) { " [deprecated = true]" } else { "" };
            let _ = writeln!(fields, "  {declared} {field} = {number}{deprecated};");
        }
        if self.random.chance(40) {
            let field = scope.field(&mut self.random, self.proto2);
            let label = if self.proto2 { "optional " } else { "" };
            number += 1;
            let _ = writeln!(fields, "  {label}{name} {field} = {number};");
        }
        if self.random.chance(40) {
            fields.push_str(&self.oneof(&mut scope, &mut number, ""));
        }
        if self.random.chance(30) {
            let nested = scope.typ(&mut self.random);
            let (declared, _) = self.enumeration(&nested, &mut HashSet::new(), "  ");
            // Values of a nested enum are names of the message: take no name that a field has.
            if !collides(&declared, &fields) {
                text.push_str(&declared);
                let label = if self.proto2 { "optional " } else { "" };
                let field = scope.field(&mut self.random, self.proto2);
                if !declared.contains(&format!(" {field} =")) {
                    number += 1;
                    let _ = writeln!(fields, "  {label}{nested} {field} = {number};");
                }
            }
        }
        if depth < 2 && self.random.chance(40) {
            let nested = scope.typ(&mut self.random);
            if nested != name {
                text.push_str(&self.message(&nested, depth + 1));
            }
        }
        text.push_str(&fields);
        text.push_str("}\n");
        text
    }

    /// A oneof of two to four members.
    pub fn oneof(&mut self, scope: &mut Scope, number: &mut u32, options: &str) -> String {
        let name = scope.field(&mut self.random, self.proto2);
        let mut text = format!("  oneof {name} {{\n");
        for _ in 0..self.random.between(1, 4) {
            let ty = self.field_type();
            let member = scope.field(&mut self.random, self.proto2);
            *number += 1;
            let _ = writeln!(text, "    {} {member} = {number}{options};", ty.name);
        }
        text.push_str("  }\n");
        text
    }

    /// Any type.
    pub fn field_type(&mut self) -> Type {
        let plain = |class, name: &str| Type { class, name: name.to_owned(), value: String::new() };
        match self.random.below(100) {
            0..40 => plain(Class::Scalar, self.random.pick(&SCALARS)),
            40..55 => self.enum_type(),
            55..65 => plain(Class::Time, self.random.pick(&TIMES)),
            65..75 => {
                let name = self.random.pick(&WRAPPERS);
                plain(Class::Wrapper, &format!(".google.protobuf.{name}"))
            }
            75..82 => {
                let name = self.random.pick(&WELL_KNOWN);
                plain(Class::Message, &format!(".google.protobuf.{name}"))
            }
            _ => match self.types.messages.is_empty() {
                true => plain(Class::Scalar, "string"),
                false => plain(Class::Message, &self.random.pick(&self.types.messages)),
            },
        }
    }

    fn enum_type(&mut self) -> Type {
        let (name, values) = self.random.pick(&self.types.enums);
        let value = self.random.pick(&values);
        Type { class: Class::Enum, name, value }
    }

    /// A type of a key.
    pub fn key_type(&mut self) -> Type {
        loop {
            let ty = self.field_type();
            let fits = matches!(ty.class, Class::Scalar | Class::Enum | Class::Time);
            if fits && ty.ordered() {
                return ty;
            }
        }
    }

    /// A label and the type, a list of it or a map to it.
    fn label(&mut self, ty: &Type) -> String {
        let singular = if self.proto2 { "optional " } else { "" };
        match self.random.below(10) {
            0..5 => format!("{singular}{}", ty.name),
            5..7 => format!("optional {}", ty.name),
            7..9 => format!("repeated {}", ty.name),
            _ => self.map(ty),
        }
    }

    /// A map to the type.
    pub fn map(&mut self, ty: &Type) -> String {
        // Every scalar but bytes and floats.
        let key = SCALARS[self.random.below(12)];
        format!("map<{key}, {}>", ty.name)
    }

    /// A default of proto2.
    pub fn default(&mut self, ty: &Type) -> Option<String> {
        let text = match (ty.class, ty.name.as_str()) {
            (Class::Enum, _) => &ty.value,
            (Class::Scalar, "bool") => "true",
            (Class::Scalar, "string") => "\"a \\\"b\\\" \\n {} é\"",
            (Class::Scalar, "bytes") => "\"\\000\\377\\\"x\"",
            (Class::Scalar, "float" | "double") => self.random.pick(&["1.5", "-inf", "nan", "inf"]),
            (Class::Scalar, "int32" | "sint32" | "sfixed32") => "-2147483648",
            (Class::Scalar, "int64" | "sint64" | "sfixed64") => "-9223372036854775808",
            (Class::Scalar, "uint64" | "fixed64") => "18446744073709551615",
            (Class::Scalar, _) => "4294967295",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// Whether a value of an enum has the name of a field.
fn collides(declared: &str, fields: &str) -> bool {
    let name = |line: &str| line.split(" =").next()?.rsplit(' ').next().map(str::to_owned);
    let fields: HashSet<String> = fields.lines().filter_map(name).collect();
    declared.lines().filter_map(name).any(|value| fields.contains(&value))
        || fields.iter().any(|field| declared.contains(&format!(" {field} ")))
}
