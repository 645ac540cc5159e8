//! Every option of the contract is honoured, warned about or refused, and is what it is said to be.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use prism_codegen::descriptors::{Inputs, load};
use prism_codegen::diagnostics::{Diagnostics, Format, Severity, render};
use prism_codegen::lower::lower;
use prism_codegen::lower::support::{Support, decision, names};
use prism_codegen::model::Schema;
use prost_reflect::{DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// A schema, and what is found in it.
fn judged(text: &str) -> (Schema, Diagnostics) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.proto"), text).unwrap();
    let inputs = Inputs {
        includes: vec![folder.path().to_owned()],
        files: vec!["a.proto".into()],
        descriptor_set: None,
    };
    match load(&inputs) {
        Ok(loaded) => lower(&loaded),
        Err(found) => panic!("{}\n{text}", render(&found, Format::Plain)),
    }
}

/// What a schema comes to, without its places: the model, and what is found.
fn effect((schema, found): &(Schema, Diagnostics)) -> String {
    let entities = schema.entities.iter().map(|entity| {
        let classes: Vec<_> = entity.fields.iter().map(|field| &field.pii).collect();
        format!("{:?} {} {classes:?}\n", entity.schema, entity.backend_named)
    });
    let services = schema.services.iter().map(|service| format!("{:?}\n", service.schema));
    let found = found.iter().map(|finding| format!("{} {}\n", finding.code, finding.message));
    let all: String = entities.chain(services).chain(found).collect();
    format!("{all}{:?}", schema.masked)
}

/// Values that say what holds anyway.
const WITHOUT_TRACE: [&str; 3] =
    // A store that runs in one place meets every consistency.
    ["CONSISTENCY_EVENTUAL", "CONSISTENCY_CAUSAL", "CONSISTENCY_STRONG"];

fn contract() -> DescriptorPool {
    let folder = tempfile::tempdir().unwrap();
    let text = "syntax = \"proto3\";\nimport \"prism/options.proto\";\n";
    fs::write(folder.path().join("a.proto"), text).unwrap();
    let inputs = Inputs {
        includes: vec![folder.path().to_owned()],
        files: vec!["a.proto".into()],
        descriptor_set: None,
    };
    load(&inputs).unwrap().pool
}

/// An option of an annotation.
struct Place {
    /// `EntitySpec.cache`.
    name: String,
    /// `indexes.parent`, from the annotation.
    path: Vec<String>,
    field: FieldDescriptor,
    /// Full name of the annotation: `prism.message`.
    annotation: &'static str,
}

/// Every option that can be written, except those within one that is refused.
fn options(pool: &DescriptorPool) -> Vec<Place> {
    let mut found = Vec::new();
    for annotation in ["prism.message", "prism.field", "prism.service", "prism.method"] {
        let extension = pool.get_extension_by_name(annotation).unwrap();
        let kind = extension.kind();
        walk(kind.as_message().unwrap(), annotation, &[], &mut found);
    }
    found
}

fn walk(
    message: &MessageDescriptor,
    annotation: &'static str,
    outer: &[String],
    found: &mut Vec<Place>,
) {
    for field in message.fields() {
        let name = format!("{}.{}", message.name(), field.name());
        let path = [outer, &[field.name().to_owned()]].concat();
        let refused = decision(&name) == Some(Support::Refused);
        found.push(Place { name, path: path.clone(), field: field.clone(), annotation });
        if let (Kind::Message(inner), false) = (field.kind(), refused) {
            walk(&inner, annotation, &path, found);
        }
    }
}

fn values(kind: &Kind) -> Vec<String> {
    let values = kind.as_enum().map(EnumDescriptor::values).into_iter().flatten();
    values.filter(|value| value.number() != 0).map(|value| value.name().to_owned()).collect()
}

#[test]
fn every_option_of_the_contract_has_its_decision() {
    let pool = contract();
    let mut contract = BTreeSet::new();
    for option in options(&pool) {
        contract.insert(option.name.clone());
        if decision(&option.name) != Some(Support::Refused) {
            contract.extend(values(&option.field.kind()));
        }
    }
    let undecided: Vec<_> = contract.iter().filter(|name| decision(name).is_none()).collect();
    assert!(undecided.is_empty(), "say in lower/support.rs what is done with {undecided:?}");
    let listed: Vec<&str> = names().collect();
    let unknown: Vec<_> = listed.iter().filter(|name| !contract.contains(**name)).collect();
    assert!(unknown.is_empty(), "not in the contract: {unknown:?}");
    let twice = listed.len() - listed.iter().collect::<BTreeSet<_>>().len();
    assert_eq!(twice, 0, "a name is in two lists");
}

/// A schema in which one option is set, whatever else it makes wrong.
fn schema(option: &Place, value: &str) -> String {
    let (annotation, written) = (option.annotation, written(option, value));
    text(|other| if other == annotation { written.clone() } else { String::new() })
}

/// An option as an annotation sets it.
fn written(option: &Place, value: &str) -> String {
    let mut written = match option.path.last() {
        Some(last) => format!("{last}: {value}"),
        None => unreachable!("an option has a name"),
    };
    for outer in option.path[..option.path.len() - 1].iter().rev() {
        written = format!("{outer}: {{{written}}}");
    }
    written
}

/// A schema with what each of its annotations sets.
fn text(at: impl Fn(&str) -> String) -> String {
    format!(
        "syntax = \"proto3\";\npackage acme.v1;\nimport \"prism/options.proto\";\n\
         message Thing {{\n  option (prism.message) = {{{}}};\n  string id = 1 [(prism.field) = {{{}}}];\n}}\n\
         service Things {{\n  option (prism.service) = {{{}}};\n  rpc GetThing(GetThingRequest) returns (Thing) {{\n    option (prism.method) = {{{}}};\n  }}\n}}\n\
         service Bound {{\n  option (prism.service).entity = \"Thing\";\n  rpc GetThing(GetThingRequest) returns (Thing) {{\n    option (prism.method) = {{{}}};\n  }}\n}}\n\
         message GetThingRequest {{\n  string id = 1;\n}}\n",
        at("prism.message"),
        at("prism.field"),
        at("prism.service"),
        at("prism.method"),
        at("prism.method"),
    )
}

/// Values to set an option to, each with the name that decides about it.
fn samples(option: &Place) -> Vec<(String, String)> {
    let one = |text: &str| vec![(text.to_owned(), option.name.clone())];
    match option.field.kind() {
        Kind::Enum(_) if decision(&option.name) != Some(Support::Refused) => {
            values(&option.field.kind()).into_iter().map(|it| (it.clone(), it)).collect()
        }
        Kind::Enum(_) => one(&values(&option.field.kind())[0]),
        Kind::Bool => one("true"),
        Kind::String => one("\"x\""),
        Kind::Message(_) => one("{}"),
        _ => one("1"),
    }
}

#[test]
fn an_option_is_treated_as_decided() {
    let pool = contract();
    let mut refused = 0;
    let without = effect(&judged(&text(|_| String::new())));
    for option in options(&pool) {
        for (value, name) in samples(&option) {
            let judged = judged(&schema(&option, &value));
            let acted = effect(&judged) != without;
            let found = judged.1;
            // A value by its name; an option by its path, `indexes[0].parent`.
            let shown = if name == value { value.clone() } else { option.path.join("[0].") };
            let says = |codes: &[&str]| {
                let mut found = found.iter().filter(|it| codes.contains(&it.code));
                found.any(|it| it.message.contains(&shown))
            };
            let report = render(&found, Format::Plain);
            let expected = decision(&name);
            let is_refused = says(&["P0113", "P0114"]);
            assert_eq!(is_refused, expected == Some(Support::Refused), "{name}: {report}");
            refused += usize::from(is_refused);
            assert_ne!(acted, WITHOUT_TRACE.contains(&name.as_str()), "{name} = {value}: {report}");
            let own = decision(&option.name);
            if own == Some(Support::Warned) {
                assert!(says(&["P0903"]) || name == value, "{name}: {report}");
                assert!(found.iter().any(|it| it.severity == Severity::Warning), "{name}");
            }
        }
    }
    assert!(refused > 60, "{refused} options and values are refused");
}
