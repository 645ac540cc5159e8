//! Whole files that are not Rust, from the templates.

use serde::Serialize;
use tera::{Context, Tera};

use super::{Input, Layout};
use crate::output::File;

/// A file of the generated crate, and its template.
const TEMPLATES: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!("../../../templates/Cargo.toml.tera")),
    ("README.md", include_str!("../../../templates/README.md.tera")),
];

/// Version of the generated package.
pub(super) const CRATE_VERSION: &str = "0.1.0";

#[derive(Serialize)]
struct Entity<'a> {
    namespace: &'a str,
    message: &'a str,
    table: &'a str,
    key: String,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    methods: Vec<Method<'a>>,
}

#[derive(Serialize)]
struct Method<'a> {
    name: &'a str,
    operation: String,
}

/// The files of a whole crate; none for a build script, whose crate is the user's.
pub fn emit(input: Input<'_>) -> Vec<File> {
    let Layout::Crate { name, runtime_path, deploy } = &input.options.layout else {
        return Vec::new();
    };
    let mut context = Context::new();
    context.insert("origin", &input.options.origin);
    context.insert("name", name);
    context.insert("version", CRATE_VERSION);
    context.insert("library", &name.replace('-', "_"));
    let quoted = runtime_path.as_deref().map(|path| serde_json::Value::from(path).to_string());
    context.insert("runtime_path", &quoted);
    context.insert("deploy", &deploy.is_some());
    context.insert("runtime_version", env!("CARGO_PKG_VERSION"));
    context.insert("entities", &entities(input));
    context.insert("services", &services(input));
    TEMPLATES
        .iter()
        .map(|(path, template)| File::text((*path).to_owned(), render(path, template, &context)))
        .collect()
}

/// Renders one of our templates; `path` is for the panic where it is wrong.
pub(super) fn render(path: &str, template: &str, context: &Context) -> String {
    match Tera::one_off(template, context, false) {
        Ok(text) => text.trim_end().to_owned() + "\n",
        Err(error) => unreachable!("the template of {path} is ours: {error:?}"),
    }
}

fn entities(input: Input<'_>) -> Vec<Entity<'_>> {
    let describe = |entity: &'_ crate::model::Entity| {
        let columns = entity.schema.key.iter().filter_map(|number| entity.schema.column(*number));
        let key: Vec<String> = columns.map(|column| format!("`{}`", column.field)).collect();
        key.join(", ")
    };
    let entities = input.schema.entities.iter();
    entities
        .map(|entity| Entity {
            namespace: &entity.schema.namespace,
            message: &entity.schema.message,
            table: &entity.schema.table,
            key: describe(entity),
        })
        .collect()
}

fn services(input: Input<'_>) -> Vec<Service<'_>> {
    input
        .schema
        .services
        .iter()
        .map(|service| Service {
            name: &service.schema.name,
            methods: service
                .schema
                .methods
                .iter()
                .map(|method| Method {
                    name: &method.name,
                    operation: match &method.binding {
                        Some(binding) => format!("{:?} `{}`", binding.operation, binding.entity),
                        None => "written by hand".to_owned(),
                    },
                })
                .collect(),
        })
        .collect()
}
