//! Random schemas that are valid: every type in every place that the documentation allows, under
//! hostile names. The same seed is always the same schema.

mod entity;
mod names;
mod random;
mod service;
mod types;

use names::Scope;
use random::Random;
use types::Types;

/// A schema in the making.
pub struct Writer {
    random: Random,
    proto2: bool,
    seed: u64,
    /// Names of the package.
    scope: Scope,
    types: Types,
    /// The text so far.
    text: String,
}

/// The `.proto` files of a seed: name and text.
pub fn files(seed: u64) -> Vec<(&'static str, String)> {
    let mut random = Random::new(seed);
    let mut names: Vec<&str> = vec!["first.proto"];
    if random.chance(40) {
        names.push("second.proto");
    }
    let write = |(position, name): (usize, &'static str)| (name, file(seed * 10 + position as u64));
    names.into_iter().enumerate().map(write).collect()
}

fn file(seed: u64) -> String {
    let mut random = Random::new(seed);
    let proto2 = random.chance(25);
    let package = names::package(&mut random);
    // A type and a package of one name are refused by protobuf, in all files together.
    let package = match package {
        "" if seed.is_multiple_of(10) => String::new(),
        "" => format!("p{}", seed % 10),
        "google.protobuf" if seed.is_multiple_of(10) => package.to_owned(),
        package => format!("{package}.p{}", seed % 10),
    };
    let syntax = if proto2 { "proto2" } else { "proto3" };
    let mut text = format!("syntax = \"{syntax}\";\n");
    if !package.is_empty() {
        text.push_str(&format!("package {package};\n"));
    }
    text.push_str("import \"prism/options.proto\";\n");
    for import in ["any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers"] {
        text.push_str(&format!("import \"google/protobuf/{import}.proto\";\n"));
    }
    let mut scope = Scope::default();
    // The first parts of packages are names of the outermost scope.
    for part in names::first_parts() {
        scope.take(part);
    }
    if package == "google.protobuf" {
        names::types_of_google().for_each(|name| drop(scope.take(name)));
    }
    let mut writer = Writer { random, proto2, seed, scope, types: Types::default(), text };
    writer.types();
    let entities: Vec<entity::Entity> =
        (0..writer.random.between(1, 3)).map(|position| writer.entity(position)).collect();
    for entity in &entities {
        writer.service(entity);
    }
    writer.text
}
