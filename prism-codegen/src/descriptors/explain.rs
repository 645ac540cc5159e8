//! Errors of protox and prost-reflect as findings of ours.

use miette::Diagnostic as _;
use prism_options::{Diagnostic, Label, Sources, Span};
use prism_schema::names::json_name;
use prost_reflect::DescriptorPool;

use crate::diagnostics::{catalog::load as catalog, suggest};
use crate::printable::shown;

/// Every error that the compiler found in one file. `pool` holds what the file imports.
pub(super) fn compiler_error(
    error: &protox::Error,
    sources: &Sources,
    pool: &DescriptorPool,
) -> Vec<Diagnostic> {
    let file = error.file().unwrap_or_default();
    let message = error.to_string();
    if let Some(cycle) = message.strip_prefix("import cycle detected: ") {
        return vec![catalog::import_cycle(&closing_import(cycle, sources), cycle)];
    }
    if error.is_file_not_found() {
        let first = labels(error, file, sources).into_iter().next();
        let span = first.map_or_else(|| Span::file(file), |label| label.span);
        let import = message.split('\'').nth(1).unwrap_or(&message);
        return vec![catalog::missing_import(&span, &shown(import))];
    }
    let explain = Explain { file, sources, pool, syntax: error.is_parse() };
    let mut found = vec![explain.finding(error)];
    found.extend(error.related().into_iter().flatten().map(|it| explain.finding(it)));
    found
}

/// An error in a descriptor set.
pub(super) fn pool_error(error: &prost_reflect::DescriptorError) -> Diagnostic {
    let file = error.file().unwrap_or_default();
    let mut span = Span::file(file);
    if let (Some(line), Some(column)) = (error.line(), error.column()) {
        (span.line, span.column) = (line as u32 + 1, column as u32 + 1);
    }
    let message = error.to_string();
    let help = spellings(&message).unwrap_or_else(|| advice(&message).to_owned());
    catalog::unresolved(&span, &message, "here", &help)
}

/// The import that closes a cycle, written as `a -> b -> a`.
fn closing_import(cycle: &str, sources: &Sources) -> Span {
    let mut files = cycle.rsplit(" -> ");
    let (first, last) = (files.next().unwrap_or_default(), files.next().unwrap_or_default());
    let text = sources.get(last).map_or("", |source| source.text.as_str());
    let imports = text.match_indices("import").map(|(start, _)| {
        let end = text[start..].find(';').map_or(text.len(), |length| start + length + 1);
        start..end
    });
    let quoted = [format!("\"{first}\""), format!("'{first}'")];
    let closing = imports
        .into_iter()
        .find(|range| quoted.iter().any(|name| text[range.clone()].contains(name.as_str())));
    closing.map_or_else(|| Span::file(last), |range| sources.span(last, range))
}

/// What is needed to word an error of one file.
struct Explain<'a> {
    file: &'a str,
    sources: &'a Sources,
    pool: &'a DescriptorPool,
    syntax: bool,
}

impl Explain<'_> {
    fn finding(&self, error: &dyn miette::Diagnostic) -> Diagnostic {
        let mut labels = labels(error, self.file, self.sources).into_iter();
        let first = labels.next().unwrap_or_else(|| end_of_file(self.file, self.sources));
        if let Some(inner) = error.diagnostic_source()
            && let Some(label) = self.inside(inner, &first.span)
        {
            let message = inner.to_string();
            let help = self.help(inner, &message);
            return catalog::unresolved(&label.span, &message, &label.text, &help);
        }
        let message = error.to_string();
        if let Some(import) = self.bad_import(error, &first.span) {
            return catalog::bad_import(&first.span, &shown(import));
        }
        let help = self.help(error, &message);
        let make = if self.syntax { catalog::syntax } else { catalog::unresolved };
        let mut diagnostic = make(&first.span, &message, &first.text, &help);
        diagnostic.related.extend(labels);
        diagnostic
    }

    /// What stands in an import that is no path. protox has one text for this and for the name of a
    /// group; only its help tells them apart.
    fn bad_import(&self, error: &dyn miette::Diagnostic, at: &Span) -> Option<&str> {
        let of_import = error.help().is_some_and(|help| help.to_string().starts_with("imports "));
        let text = self.sources.get(self.file)?.text.get(at.range.clone())?;
        (self.syntax && of_import).then(|| text.trim_matches(['"', '\'']))
    }

    /// The place of an error inside an aggregate, whose tokens the compiler had joined.
    fn inside(&self, inner: &dyn miette::Diagnostic, option: &Span) -> Option<Label> {
        let label = inner.labels()?.next()?;
        // All of the text is one line; without lines of context only the label's part is read.
        let line = inner.source_code()?.read_span(label.inner(), 1, 1).ok()?;
        let tokens = std::str::from_utf8(line.data()).ok()?;
        // The label may end with the first line of the statement.
        let statement = self.sources.get(self.file)?.text.get(option.range.start..)?;
        let found = prism_options::place_of_token(statement, tokens, label.offset())?;
        let start = option.range.start;
        let span = self.sources.span(self.file, start + found.start..start + found.end);
        Some(Label { span, text: label.label().unwrap_or_default().to_owned() })
    }

    fn help(&self, error: &dyn miette::Diagnostic, message: &str) -> String {
        if self.syntax {
            let own = error.help().map(|help| help.to_string());
            return own.unwrap_or_else(|| syntax_advice(message).to_owned());
        }
        suggestion(message, self.pool)
            .or_else(|| spellings(message))
            .or_else(|| error.help().map(|help| help.to_string()))
            .unwrap_or_else(|| advice(message).to_owned())
    }
}

/// Names that may be written instead, where the message says of what.
fn suggestion(message: &str, pool: &DescriptorPool) -> Option<String> {
    let quoted: Vec<&str> = message.split('\'').skip(1).step_by(2).collect();
    let (wrong, names) = match quoted.as_slice() {
        [name] if name.starts_with("prism.") => {
            return Some("add `import \"prism/options.proto\";`: the file is built in".to_owned());
        }
        [name, ..] if message.contains("not defined") && defining(name).is_some() => {
            let file = defining(name)?;
            return Some(format!("add `import \"{file}\";`: the file is built in"));
        }
        [path] if message.starts_with("option field") => {
            let (outer, wrong) = path.rsplit_once('.')?;
            let extension = outer.split(['(', ')']).nth(1)?.trim_start_matches('.');
            let mut kind = pool.get_extension_by_name(extension)?.kind();
            for name in outer.split_once(')')?.1.split('.').filter(|name| !name.is_empty()) {
                kind = kind.as_message()?.get_field_by_name(name)?.kind();
            }
            (wrong, members(pool, kind.as_message()?.full_name())?)
        }
        [wrong, kind] if message.contains("not found for") => (*wrong, members(pool, kind)?),
        [kind, _, wrong] if message.starts_with("expected a value") => {
            (*wrong, members(pool, kind)?)
        }
        _ => return None,
    };
    Some(match suggest::closest(wrong, names.iter().map(String::as_str)) {
        Some(close) => format!("write `{close}`"),
        None => format!("write one of {}", names.join(", ")),
    })
}

/// The built-in file of Google's that defines a name.
fn defining(name: &str) -> Option<&'static str> {
    Some(match name.trim_matches(['.', '(', ')']) {
        "google.protobuf.Any" => "google/protobuf/any.proto",
        "google.protobuf.Duration" => "google/protobuf/duration.proto",
        "google.protobuf.Empty" => "google/protobuf/empty.proto",
        "google.protobuf.FieldMask" => "google/protobuf/field_mask.proto",
        "google.protobuf.ListValue"
        | "google.protobuf.NullValue"
        | "google.protobuf.Struct"
        | "google.protobuf.Value" => "google/protobuf/struct.proto",
        "google.protobuf.Timestamp" => "google/protobuf/timestamp.proto",
        "google.protobuf.BoolValue"
        | "google.protobuf.BytesValue"
        | "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int32Value"
        | "google.protobuf.Int64Value"
        | "google.protobuf.StringValue"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.UInt64Value" => "google/protobuf/wrappers.proto",
        "google.api.field_behavior" => "google/api/field_behavior.proto",
        "google.api.http" => "google/api/annotations.proto",
        "google.api.resource" | "google.api.resource_reference" => "google/api/resource.proto",
        _ => return None,
    })
}

/// Help for two fields that have one name but for letter case and underscores. protobuf refuses them
/// only if their JSON names are the same; prost-reflect always does.
fn spellings(message: &str) -> Option<String> {
    let names = message.strip_prefix("camel-case name of field '")?.strip_suffix('\'')?;
    let (first, second) = names.split_once("' conflicts with field '")?;
    let json = json_name(second);
    let renamed = format!("call it `{second}_2`");
    if json == json_name(first) {
        return Some(format!("{renamed}: both have the JSON name `{json}`"));
    }
    Some(format!(
        "{renamed} and add `json_name = \"{json}\"` to its options, so that its JSON stays: \
         names have to differ in more than letter case and underscores"
    ))
}

/// The values of an enum, or the fields of a message.
fn members(pool: &DescriptorPool, name: &str) -> Option<Vec<String>> {
    if let Some(kind) = pool.get_enum_by_name(name) {
        let values = kind.values().filter(|value| value.number() != 0);
        return Some(values.map(|value| value.name().to_owned()).collect());
    }
    let message = pool.get_message_by_name(name)?;
    Some(message.fields().map(|field| field.name().to_owned()).collect())
}

fn labels(error: &dyn miette::Diagnostic, file: &str, sources: &Sources) -> Vec<Label> {
    let spans = error.labels().into_iter().flatten();
    let mut labels: Vec<Label> = spans
        .map(|label| Label {
            span: sources.span(file, label.offset()..label.offset() + label.len()),
            text: label.label().unwrap_or_default().to_owned(),
        })
        .collect();
    // Of two definitions the later one is at fault.
    if labels.len() == 2 && labels[0].text.contains("first") {
        labels.reverse();
    }
    labels
}

fn end_of_file(file: &str, sources: &Sources) -> Label {
    let span = sources.get(file).map_or_else(
        || Span::file(file),
        |source| {
            let end = source.text.trim_end().len();
            sources.span(file, end..end)
        },
    );
    Label { span, text: "here".to_owned() }
}

fn syntax_advice(message: &str) -> &'static str {
    if message.contains("';'") {
        "end the statement before it with `;`"
    } else if message.contains("end of file") {
        "close every `{`, `[`, comment and string that the file opens"
    } else {
        "write what the message names instead: everything before this place was understood"
    }
}

fn advice(message: &str) -> &'static str {
    const ADVICE: &[(&str, &str)] = &[
        (
            "field number",
            "give every field of the message a number of its own that is not reserved",
        ),
        ("enum number", "give every value a number of its own that is not reserved"),
        ("expected a value", "write a value of that type"),
        ("option", "look the option's name and type up in the file that defines it"),
        ("already", "rename one of the two"),
        ("is not defined", "correct the name, or import the file that defines it"),
        ("not found", "correct the name, or import the file that defines it"),
        ("reserved", "take a number or name that is not reserved"),
        ("syntax", "write `syntax = \"proto3\";`"),
    ];
    let known = ADVICE.iter().find(|(word, _)| message.contains(word));
    known.map_or("correct the definition: protobuf does not allow it", |(_, advice)| advice)
}
