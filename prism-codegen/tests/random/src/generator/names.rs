//! Names that Rust, SQL, prost and Prism each have a use of their own for.

use std::collections::HashSet;

use super::random::Random;

const FIELDS: &[&str] = &[
    "type",
    "self",
    "Self",
    "crate",
    "super",
    "extern",
    "async",
    "await",
    "gen",
    "match",
    "move",
    "dyn",
    "order",
    "select",
    "group",
    "table",
    "index",
    "user",
    "where",
    "limit",
    "rowid",
    "ctid",
    "xmin",
    "oid",
    "_rowid_",
    "__",
    "_",
    "___",
    "_1",
    "__2x",
    "a__b",
    "_lead",
    "trail_",
    "camelCase",
    "PascalCase",
    "CONST_CASE",
    "kind",
    "set_kind",
    "push_kind",
    "get_kind",
    "insert_kind",
    "set_set_kind",
    "default",
    "clear",
    "encode",
    "encoded_len",
    "merge",
    "merge_field",
    "clone",
    "new",
    "fmt",
    "drop",
    "into",
    "option",
    "string",
    "vec",
    "box",
    "none",
    "some",
    "ok",
    "err",
    "result",
    "bool",
    "str",
    "i32",
    "u8",
    "value",
    "buf",
    "tag",
    "wire_type",
    "ctx",
    "len",
    "codegen",
    "schema",
    "columns",
    "proto",
    "root",
    "static",
    "yield",
    "try",
    "union",
    "raw",
    "safe",
    "macro_rules",
    "_prism_x",
    "prism_rows",
    "etag",
    "page_size",
    "page_token",
    "id",
    "name",
    "key",
    "fields",
    "fields_entry",
    "entry",
    "x1",
    "x_1",
    "x1_2",
    "now",
    "null",
    "true",
    "false",
    "a_name_of_more_than_sixty_three_bytes_that_ends_in_one_way_or_in_another_one",
    "a_name_of_more_than_sixty_three_bytes_that_ends_in_one_way_or_in_another_two",
];

const TYPES: &[&str] = &[
    "Option",
    "String",
    "Vec",
    "Box",
    "Result",
    "Some",
    "None",
    "Ok",
    "Err",
    "Self",
    "Default",
    "Clone",
    "Debug",
    "Copy",
    "Send",
    "Sync",
    "Future",
    "Message",
    "Entity",
    "Enumeration",
    "Oneof",
    "Bool",
    "Str",
    "I32",
    "I64",
    "U8",
    "F64",
    "HashMap",
    "Timestamp",
    "Duration",
    "Any",
    "T",
    "type",
    "order",
    "Order",
    "ORDER",
    "__",
    "_",
    "_1",
    "HTTPGateway",
    "HttpGateway",
    "Http_Gateway",
    "Codegen",
    "Schema",
    "Service",
    "Operation",
    "Root",
    "Proto",
    "Prism",
    "Core",
    "Std",
    "Static",
    "Iterator",
    "Into",
    "From",
    "TryFrom",
    "Sized",
    "Fn",
    "Drop",
    "Eq",
    "Hash",
    "Ord",
    "PartialEq",
    "Migration",
    "Context",
    "Call",
    "Handlers",
    "Response",
    "Request",
    "LazyLock",
    "Arc",
    "Members",
    "Column",
    "Index",
    "Redact",
    "Kind",
    "KindOneOf",
    "Select",
    "Group",
    "Struct",
    "Value",
    "Empty",
    "Use",
    "Crate",
    "Super",
    "Loop",
    "Bytes",
    "A_name_of_more_than_ninety_characters_that_no_schema_of_a_real_project_would_have_because_nobody_types_it",
];

const METHODS: &[&str] = &[
    "New", "new", "Default", "Clone", "Drop", "Self", "Type", "Async", "__", "_", "_1", "Into",
    "From", "TryInto", "Borrow", "Fmt", "Unary", "Service", "Describe", "Call", "GetX", "getx",
    "GETX", "Get_x", "AsRef", "ToOwned", "TypeId", "Super", "Crate", "Loop", "Handlers",
];

const PACKAGES: &[&str] = &[
    "",
    "a",
    "acme.v1",
    "type.self",
    "str",
    "a.bool",
    "__",
    "_._",
    "Foo.bar",
    "fooBar",
    "lib",
    "main",
    "std",
    "core",
    "alloc",
    "prism_runtime",
    "crate.super",
    "a.Self",
    "_1.x",
    "prism.own",
    "google.own",
    "google.protobuf.mine",
    "google.protobuf",
    "prism.common.mine",
    "prism.keyvalue.v1",
    "schema",
    "codegen.root",
    "x.i32.v1",
    "a_package.of_a_name.that_is_longer.than_two_hundred_bytes.when_all_of_its_parts.are_joined_to_one_name\
     .as_the_file_of_its_code.would_have_it.and_most_file_systems.take_no_more_than.two_hundred_and_fifty_five\
     .bytes_of_a_name.so_that_this_one_does_not_fit",
];

const ENUM_VALUES: &[&str] = &[
    "A", "a", "SELF", "Self", "1", "_", "__", "NONE", "SOME", "OK", "TYPE", "DEFAULT", "A_B", "AB",
    "a_b", "CRATE", "2x",
];

/// The names of one scope of protobuf.
#[derive(Default)]
pub struct Scope {
    exact: HashSet<String>,
    /// JSON names, of proto3 in lower case: no two fields may have the same.
    folded: HashSet<String>,
}

impl Scope {
    /// A name of the scope's own, that nothing in it has.
    pub fn take(&mut self, name: &str) -> String {
        let mut chosen = name.to_owned();
        let mut count = 1;
        while !self.exact.insert(chosen.clone()) {
            count += 1;
            chosen = format!("{name}{count}");
        }
        chosen
    }

    pub fn typ(&mut self, random: &mut Random) -> String {
        let name = random.pick(TYPES);
        self.take(name)
    }

    pub fn method(&mut self, random: &mut Random) -> String {
        let name = random.pick(METHODS);
        self.take(name)
    }

    /// A field; in proto2 its name may differ from another one in letter case alone.
    pub fn field(&mut self, random: &mut Random, proto2: bool) -> String {
        loop {
            let name = match random.chance(85) {
                true => random.pick(FIELDS).to_owned(),
                false => format!("field_{}", random.below(1_000)),
            };
            let folded = if proto2 { json_name(&name) } else { folded(&name) };
            if !self.folded.contains(&folded) && self.exact.insert(name.clone()) {
                self.folded.insert(folded);
                return name;
            }
        }
    }
}

pub fn package(random: &mut Random) -> &'static str {
    random.pick(PACKAGES)
}

/// Names of types that Google's own files declare, of those that others may have too.
pub fn types_of_google() -> impl Iterator<Item = &'static str> {
    const OTHERS: [&str; 3] = ["NULL_VALUE", "p0", "p1"];
    const GOOGLE: [&str; 18] = [
        "Any",
        "Api",
        "Duration",
        "Empty",
        "Enum",
        "EnumValue",
        "Field",
        "FieldMask",
        "ListValue",
        "Method",
        "Mixin",
        "NullValue",
        "Option",
        "SourceContext",
        "Struct",
        "Syntax",
        "Timestamp",
        "Type",
    ];
    let wrappers = ["Value", "BoolValue", "BytesValue", "StringValue", "Int32Value"];
    GOOGLE.into_iter().chain(OTHERS).chain(wrappers)
}

/// What packages begin with.
pub fn first_parts() -> impl Iterator<Item = &'static str> {
    ["prism", "google", "p1"]
        .into_iter()
        .chain(PACKAGES.iter().filter_map(|it| it.split('.').next()))
}

/// A value of an enum, which often begins with the enum's name.
pub fn enum_value(random: &mut Random, enum_name: &str) -> String {
    let value = random.pick(ENUM_VALUES);
    if value.starts_with(|first: char| first.is_ascii_digit()) || random.chance(60) {
        return format!("{}_{value}", enum_name.to_uppercase());
    }
    value.to_owned()
}

/// A name without underscores and letter case.
fn folded(name: &str) -> String {
    name.chars().filter(|c| *c != '_').collect::<String>().to_lowercase()
}

/// As protoc forms it.
fn json_name(name: &str) -> String {
    let parts = name.split('_').enumerate().map(|(position, part)| match position {
        0 => part.to_owned(),
        _ => part[..part.len().min(1)].to_uppercase() + part.get(1..).unwrap_or_default(),
    });
    parts.collect()
}
