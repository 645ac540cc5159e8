//! What to write in the place of a name that is not defined, or of a definition that protobuf refuses.

use heck::ToShoutySnakeCase as _;
use prism_schema::names::json_name;
use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use crate::diagnostics::suggest;
use crate::lower::support::{self, Support};

/// An error and what is known about the file that it is in.
pub(super) struct Refused<'a> {
    pub message: &'a str,
    /// What the file imports.
    pub pool: &'a DescriptorPool,
    /// Its text.
    pub text: &'a str,
    /// Where the error is, in bytes of the text.
    pub start: usize,
}

/// Annotations, and what each of them is written in.
const ANNOTATIONS: &[(&str, &str)] = &[
    ("prism.message", "google.protobuf.MessageOptions"),
    ("prism.field", "google.protobuf.FieldOptions"),
    ("prism.service", "google.protobuf.ServiceOptions"),
    ("prism.method", "google.protobuf.MethodOptions"),
];

const OPTIONS: &str = "prism/options.proto";

/// Types of other languages.
const TYPES: &[(&str, &str)] = &[
    ("str", "string"),
    ("text", "string"),
    ("varchar", "string"),
    ("char", "string"),
    ("uuid", "string"),
    ("int", "int32"),
    ("integer", "int32"),
    ("short", "int32"),
    ("long", "int64"),
    ("bigint", "int64"),
    ("uint", "uint32"),
    ("byte", "bytes"),
    ("blob", "bytes"),
    ("boolean", "bool"),
    ("float32", "float"),
    ("float64", "double"),
    ("decimal", "string"),
    ("datetime", "google.protobuf.Timestamp"),
    ("date", "google.protobuf.Timestamp"),
    ("time", "google.protobuf.Timestamp"),
    ("json", "google.protobuf.Struct"),
    ("object", "google.protobuf.Struct"),
];

/// Types of protobuf itself.
const SCALARS: &[&str] = &[
    "string", "bytes", "bool", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "float", "double",
];

/// The names of Google's built-in files that a schema uses.
const GOOGLE: &[(&str, &str)] = &[
    ("google.protobuf.Any", "google/protobuf/any.proto"),
    ("google.protobuf.BoolValue", "google/protobuf/wrappers.proto"),
    ("google.protobuf.BytesValue", "google/protobuf/wrappers.proto"),
    ("google.protobuf.DoubleValue", "google/protobuf/wrappers.proto"),
    ("google.protobuf.Duration", "google/protobuf/duration.proto"),
    ("google.protobuf.Empty", "google/protobuf/empty.proto"),
    ("google.protobuf.FieldMask", "google/protobuf/field_mask.proto"),
    ("google.protobuf.FloatValue", "google/protobuf/wrappers.proto"),
    ("google.protobuf.Int32Value", "google/protobuf/wrappers.proto"),
    ("google.protobuf.Int64Value", "google/protobuf/wrappers.proto"),
    ("google.protobuf.ListValue", "google/protobuf/struct.proto"),
    ("google.protobuf.NullValue", "google/protobuf/struct.proto"),
    ("google.protobuf.StringValue", "google/protobuf/wrappers.proto"),
    ("google.protobuf.Struct", "google/protobuf/struct.proto"),
    ("google.protobuf.Timestamp", "google/protobuf/timestamp.proto"),
    ("google.protobuf.UInt32Value", "google/protobuf/wrappers.proto"),
    ("google.protobuf.UInt64Value", "google/protobuf/wrappers.proto"),
    ("google.protobuf.Value", "google/protobuf/struct.proto"),
    ("google.api.field_behavior", "google/api/field_behavior.proto"),
    ("google.api.http", "google/api/annotations.proto"),
    ("google.api.resource", "google/api/resource.proto"),
    ("google.api.resource_reference", "google/api/resource.proto"),
];

impl Refused<'_> {
    /// What to write instead, if the message says of what.
    pub fn help(&self) -> Option<String> {
        let message = self.message;
        let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
        match quoted.as_slice() {
            [name, ..] if message.ends_with("is not defined") && !message.starts_with("option") => {
                Some(self.undefined(name.trim_start_matches('.')))
            }
            [path]
                if message.starts_with("option field") && message.ends_with("is not defined") =>
            {
                self.option(path)
            }
            [extendee, ..] if message.starts_with("expected an extension") => {
                let (name, _) = ANNOTATIONS.iter().find(|(_, of)| of == extendee)?;
                Some(format!("write `({name})` here"))
            }
            [wrong, kind] if message.contains("not found for") => self.one_of(wrong, kind, None),
            [kind, option, wrong] if message.starts_with("expected a value") => {
                self.value(kind, option, wrong)
            }
            [wrong] if message.starts_with("expected a string") => {
                Some(format!("put it between quotes: `\"{wrong}\"`"))
            }
            ["{", "<", wrong] => {
                Some(format!("write a message in braces in the place of `{wrong}`"))
            }
            _ if message == "invalid token" && self.rest().starts_with('=') => {
                Some("write `:` in the place of `=`: in braces a colon ends a name".to_owned())
            }
            _ if message == "the first value for proto3 enums must be 0" => self.zero_value(),
            _ => None,
        }
    }

    /// The text from the error on.
    fn rest(&self) -> &str {
        self.text.get(self.start..).unwrap_or_default()
    }

    /// Help for the name of a type or of an annotation.
    fn undefined(&self, name: &str) -> String {
        let add = |file: &str| format!("add `import \"{file}\";`: the file is built in");
        let built_in =
            ANNOTATIONS.iter().map(|(it, _)| (*it, OPTIONS)).chain(GOOGLE.iter().copied());
        let named = |name: &str, file: &str| {
            let import = format!("import \"{file}\";");
            match self.text.contains(&import) {
                true => format!("write `{name}`"),
                false => format!("write `{name}` and add `{import}`"),
            }
        };
        let mut built_ins = built_in.clone();
        if let Some((_, file)) = built_ins.find(|(it, _)| *it == name) {
            return add(file);
        }
        if name.starts_with("prism.") && !self.text.contains(OPTIONS) {
            return add(OPTIONS);
        }
        let google = |(it, _): &(&str, &str)| it.rsplit('.').next() == Some(name);
        if let Some((known, file)) = GOOGLE.iter().find(|it| google(it)) {
            return named(known, file);
        }
        let own = self.known();
        let lower = name.to_ascii_lowercase();
        let foreign = TYPES.iter().find(|(it, _)| *it == lower).map(|(_, ty)| *ty);
        if let Some(ty) = foreign.filter(|_| !own.iter().any(|it| it == name)) {
            let file = GOOGLE.iter().find(|(it, _)| *it == ty);
            return file.map_or_else(|| format!("write `{ty}`"), |(_, file)| named(ty, file));
        }
        if SCALARS.contains(&name) {
            return "name a message here: declare one with a field of that type".to_owned();
        }
        let scalars = SCALARS.iter().copied();
        let all = own.iter().map(String::as_str).chain(scalars);
        if let Some(close) = suggest::misspelt(name, all) {
            return format!("write `{close}`");
        }
        let mut built_ins = built_in.clone();
        let close = suggest::misspelt(name, built_in.map(|(it, _)| it));
        match close.and_then(|close| built_ins.find(|(it, _)| *it == close)) {
            Some((known, file)) => named(known, file),
            None => "correct the name, or import the file that defines it".to_owned(),
        }
    }

    /// Messages and enums that the file declares or imports.
    fn known(&self) -> Vec<String> {
        let words: Vec<&str> =
            self.text.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).collect();
        let declared = words
            .windows(2)
            .filter(|pair| matches!(pair[0], "message" | "enum") && !pair[1].is_empty())
            .map(|pair| pair[1].to_owned());
        let messages = self.pool.all_messages().map(|it| it.full_name().to_owned());
        let enums = self.pool.all_enums().map(|it| it.full_name().to_owned());
        declared.chain(messages).chain(enums).collect()
    }

    /// Help for an option that does not exist, by its path: `(prism.field).indx`.
    fn option(&self, path: &str) -> Option<String> {
        let Some((outer, wrong)) = path.rsplit_once('.').filter(|_| path.contains('(')) else {
            let known = ["deprecated", "packed", "json_name", "allow_alias", "idempotency_level"];
            return Some(match suggest::misspelt(path, known) {
                Some(close) => format!("write `{close}`"),
                None => "put the name of an annotation in parentheses, as in `(prism.field).index`"
                    .to_owned(),
            });
        };
        let extension = outer.split(['(', ')']).nth(1)?.trim_start_matches('.');
        let mut kind = self.pool.get_extension_by_name(extension)?.kind();
        for name in outer.split_once(')')?.1.split('.').filter(|name| !name.is_empty()) {
            kind = kind.as_message()?.get_field_by_name(name)?.kind();
        }
        self.one_of(wrong, kind.as_message()?.full_name(), None)
    }

    /// Help for a value of the wrong type, or that its type does not have.
    fn value(&self, kind: &str, option: &str, wrong: &str) -> Option<String> {
        let plain = wrong.trim_matches('"');
        match kind {
            "string" => return Some(format!("write `\"{plain}\"`")),
            "bool" if plain == "true" || plain == "false" => {
                return Some(format!("write `{plain}`"));
            }
            "bool" => return Some("write `true` or `false`".to_owned()),
            "int32" | "int64" | "uint32" | "uint64" => {
                let digits: String = plain.chars().take_while(char::is_ascii_digit).collect();
                return Some(match digits.is_empty() || option.ends_with("_ms") {
                    true => "write an integer, without quotes and without a unit".to_owned(),
                    false => format!("write `{digits}`"),
                });
            }
            _ => {}
        }
        if let Some(message) = self.pool.get_message_by_name(kind) {
            let of_field = message.fields().find(|field| has_value(field.kind(), plain));
            return Some(match of_field {
                Some(field) => format!("write `{option}.{} = {plain}`", field.name()),
                None => format!("write `{option}.NAME = VALUE`, or `{{NAME: VALUE}}`"),
            });
        }
        let (outer, name) = option.rsplit_once('.').unwrap_or((option, ""));
        self.one_of(plain, kind, self.sibling(name, plain).map(|field| format!("{outer}.{field}")))
    }

    /// The option beside `name` that has an enum value.
    fn sibling(&self, name: &str, value: &str) -> Option<String> {
        let holds = |message: &MessageDescriptor| {
            message.get_field_by_name(name)?;
            let mut fields = message.fields();
            fields.find(|field| has_value(field.kind(), value)).map(|it| it.name().to_owned())
        };
        let mut annotations = ANNOTATIONS.iter();
        annotations.find_map(|(annotation, _)| {
            let kind = self.pool.get_extension_by_name(annotation)?.kind();
            holds(kind.as_message()?)
        })
    }

    /// Help that names what is close, or all that there is.
    fn one_of(&self, wrong: &str, kind: &str, sibling: Option<String>) -> Option<String> {
        if let Some(option) = sibling {
            return Some(format!("write `{option} = {wrong}`"));
        }
        let names = members(self.pool, kind)?;
        let numbered = self.pool.get_enum_by_name(kind).and_then(|kind| {
            let value = kind.get_value(wrong.parse().ok()?)?;
            Some(value.name().to_owned())
        });
        let upper = format!("_{}", wrong.to_ascii_uppercase());
        let ends = || names.iter().find(|name| name.ends_with(&upper)).cloned();
        let close = || {
            let names = names.iter().map(String::as_str);
            let close = suggest::closest(wrong, names.clone());
            close.or_else(|| suggest::misspelt(wrong, names)).map(str::to_owned)
        };
        Some(match numbered.or_else(ends).or_else(close) {
            Some(close) => format!("write `{close}`"),
            None => format!("write one of {}", names.join(", ")),
        })
    }

    /// The value that an enum has to begin with.
    fn zero_value(&self) -> Option<String> {
        let before = self.text.get(..self.start)?;
        let after = &before[before.rfind("enum ")? + "enum ".len()..];
        let name = after.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).next()?;
        Some(format!("begin the enum with `{}_UNSPECIFIED = 0;`", name.to_shouty_snake_case()))
    }
}

fn has_value(kind: Kind, value: &str) -> bool {
    kind.as_enum().is_some_and(|kind| kind.get_value_by_name(value).is_some())
}

/// The values of an enum, or the fields of a message, that this version honours.
fn members(pool: &DescriptorPool, name: &str) -> Option<Vec<String>> {
    if let Some(kind) = pool.get_enum_by_name(name) {
        let values = kind.values().filter(|value| value.number() != 0);
        let values = values.filter(|value| is_honoured(value.name()));
        return Some(values.map(|value| value.name().to_owned()).collect());
    }
    let message = pool.get_message_by_name(name)?;
    let of = message.name();
    let fields = message.fields().filter(|field| is_honoured(&format!("{of}.{}", field.name())));
    Some(fields.map(|field| field.name().to_owned()).collect())
}

/// Whether this version does not refuse an option or a value.
fn is_honoured(name: &str) -> bool {
    support::decision(name) != Some(Support::Refused)
}

/// The message without the scopes that were searched, if the name is not resolved in another one.
pub(super) fn plain(message: String) -> String {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [name, other] if name == other && message.ends_with("which is not defined") => {
            format!("name '{name}' is not defined")
        }
        _ => message,
    }
}

/// Two fields of one name but for letter case and underscores: what is wrong, and help. protobuf
/// refuses them only if their JSON names are the same; prost-reflect always does.
pub(super) fn spellings(message: &str) -> Option<(String, String)> {
    let names = message.strip_prefix("camel-case name of field '")?.strip_suffix('\'')?;
    let (first, second) = names.split_once("' conflicts with field '")?;
    if first == second {
        let title = format!("the field `{first}` is declared twice");
        return Some((title, "rename one of the two, or remove it".to_owned()));
    }
    let json = json_name(second);
    if json == json_name(first) {
        return Some(json_names(first, second, &json));
    }
    let title =
        format!("the fields `{first}` and `{second}` differ only in letter case or underscores");
    let help = format!(
        "call it `{second}_2` and add `json_name = \"{json}\"` to its options, so that its JSON stays"
    );
    Some((title, help))
}

/// Two fields of one JSON name, which is empty if neither has a name of its own: what is wrong, and
/// help.
pub(super) fn json_names(first: &str, second: &str, json: &str) -> (String, String) {
    let title = format!("the fields `{first}` and `{second}` have the same JSON name");
    let usual = json_name(second);
    let help = match json.is_empty() || json == usual {
        true => format!("call it `{second}_2`: both have the JSON name `{usual}`"),
        false => format!("write another `json_name` for it: both have the JSON name `{json}`"),
    };
    (title, help)
}

/// Help for an error that is about no name that could be suggested.
pub(super) fn advice(message: &str) -> &'static str {
    const ADVICE: &[(&str, &str)] = &[
        (
            "field number",
            "give every field of the message a number of its own that is not reserved; 19000 to \
             19999 are protobuf's",
        ),
        ("enum number", "give every value a number of its own that is not reserved"),
        ("already set", "remove one of the two"),
        ("already been set", "remove one of the two"),
        ("already", "rename one of the two"),
        ("defined twice", "rename one of the two, or remove it"),
        ("is not a message type", "declare a message with a field of that type, and name it here"),
        ("option", "look the option's name and type up in the file that defines it"),
        ("not found", "correct the name, or import the file that defines it"),
        ("reserved", "take a number or name that is not reserved"),
        ("syntax", "write `syntax = \"proto3\";`"),
    ];
    let known = ADVICE.iter().find(|(word, _)| message.contains(word));
    known.map_or("correct the definition: protobuf does not allow it", |(_, advice)| advice)
}
