//! What it takes to run the generated proxy: container image, compose file, systemd unit,
//! Kubernetes manifests.

use std::path::{Component, Path, absolute};

use tera::Context;

use super::{Input, Layout, text};
use crate::output::File;

/// Longest name of a Kubernetes object, less the suffixes of the templates, in bytes.
const MAX_OBJECT_NAME: usize = 48;

/// What the health service calls the process alone, whatever its database does.
const LIVENESS: &str = "liveness";

/// The settings in a container; the ConfigMap holds them too.
const CONTAINER_SETTINGS: &str = include_str!("../../../templates/deploy/prism.yaml.tera");

/// The files that do not depend on others. `{object}` in a path is the name of the objects.
const TEMPLATES: [(&str, &str); 10] = [
    ("Dockerfile", include_str!("../../../templates/deploy/Dockerfile.tera")),
    ("Dockerfile.dockerignore", include_str!("../../../templates/deploy/dockerignore.tera")),
    (".gitignore", include_str!("../../../templates/deploy/gitignore.tera")),
    ("docker-compose.yml", include_str!("../../../templates/deploy/docker-compose.yml.tera")),
    ("systemd/{object}.service", include_str!("../../../templates/deploy/systemd/service.tera")),
    ("systemd/prism.yaml", include_str!("../../../templates/deploy/systemd/prism.yaml.tera")),
    (
        "kubernetes/config.yaml",
        include_str!("../../../templates/deploy/kubernetes/config.yaml.tera"),
    ),
    (
        "kubernetes/migration.yaml",
        include_str!("../../../templates/deploy/kubernetes/migration.yaml.tera"),
    ),
    ("kubernetes/proxy.yaml", include_str!("../../../templates/deploy/kubernetes/proxy.yaml.tera")),
    (
        "kubernetes/kustomization.yaml",
        include_str!("../../../templates/deploy/kubernetes/kustomization.yaml.tera"),
    ),
];

/// Where an image is built: the folder that Docker is given has to hold all that Cargo reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildContext {
    /// The generated crate's folder, seen from the context: `.` or `generated`.
    crate_folder: String,
    /// The context, seen from the crate's folder: `.` or `..`.
    from_crate: String,
}

impl BuildContext {
    /// The context for a crate in `out`: the crate's own folder, or one above it where a relative
    /// path leads to prism-runtime. None where an absolute one does: no image can follow it.
    pub fn of(out: &Path, runtime_path: Option<&str>) -> Option<Self> {
        let runtime = Path::new(runtime_path.unwrap_or_default());
        if runtime.is_absolute() {
            return None;
        }
        let up = runtime.components().take_while(|part| *part == Component::ParentDir).count();
        let out = absolute(out).unwrap_or_else(|_| out.to_owned());
        let names: Vec<String> = out
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
                _ => None,
            })
            .collect();
        let folder = names[names.len().saturating_sub(up)..].join("/");
        Some(BuildContext {
            crate_folder: if folder.is_empty() { ".".to_owned() } else { folder },
            from_crate: if up == 0 { ".".to_owned() } else { vec![".."; up].join("/") },
        })
    }

    /// A path below the crate's folder, seen from the context.
    fn path(&self, below: &str) -> String {
        match self.crate_folder.as_str() {
            "." => below.to_owned(),
            folder => format!("{folder}/{below}"),
        }
    }
}

/// The files of `deploy/`; none where they were not asked for.
pub fn emit(input: Input<'_>) -> Vec<File> {
    let Layout::Crate { name, deploy: Some(build), .. } = &input.options.layout else {
        return Vec::new();
    };
    let object = object_name(name);
    let mut context = Context::new();
    context.insert("origin", &input.options.origin);
    context.insert("name", name);
    context.insert("object", &object);
    context.insert("version", text::CRATE_VERSION);
    context.insert("rust_version", env!("CARGO_PKG_RUST_VERSION"));
    context.insert("manifest", &build.path("Cargo.toml"));
    context.insert("deploy", &build.path("deploy"));
    context.insert("context", &build.from_crate);
    context.insert("liveness", LIVENESS);

    let settings = text::render("prism.yaml", CONTAINER_SETTINGS, &context);
    // The ConfigMap's copy is without the header, which the manifest has itself.
    let lines: Vec<&str> = settings.lines().skip(1).collect();
    context.insert("settings", &lines);
    let rendered = TEMPLATES.iter().map(|(path, template)| {
        (path.replace("{object}", &object), text::render(path, template, &context))
    });
    let mut files: Vec<_> = rendered.collect();
    files.push(("prism.yaml".to_owned(), settings));
    files.into_iter().map(|(path, text)| File::text(format!("deploy/{path}"), text)).collect()
}

/// The crate's name as Kubernetes, Docker and systemd take one: lower case, digits and `-`,
/// beginning with a letter (RFC 1035).
fn object_name(name: &str) -> String {
    let mapped: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(MAX_OBJECT_NAME)
        .collect();
    let trimmed =
        mapped.trim_start_matches(|c: char| !c.is_ascii_lowercase()).trim_end_matches('-');
    if trimmed.is_empty() { "prism-proxy".to_owned() } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(out: &str, runtime: Option<&str>) -> Option<(String, String)> {
        let context = BuildContext::of(Path::new(out), runtime)?;
        Some((context.path("Cargo.toml"), context.from_crate))
    }

    #[test]
    fn the_context_reaches_up_to_the_runtime() {
        let pair = |path: &str, up: &str| Some((path.to_owned(), up.to_owned()));
        assert_eq!(context("/p/service", None), pair("Cargo.toml", "."));
        assert_eq!(
            context("/p/generated", Some("../prism-runtime")),
            pair("generated/Cargo.toml", "..")
        );
        assert_eq!(context("/p/a/b", Some("../../r")), pair("a/b/Cargo.toml", "../.."));
        assert_eq!(context("/p/a", Some("runtime")), pair("Cargo.toml", "."));
        assert_eq!(context("/p/a", Some("/elsewhere/runtime")), None);
    }

    #[test]
    fn object_names_are_labels() {
        assert_eq!(object_name("prism-proxy"), "prism-proxy");
        assert_eq!(object_name("My_Things"), "my-things");
        assert_eq!(object_name("_9a-"), "a");
        assert_eq!(object_name("__"), "prism-proxy");
        assert_eq!(object_name(&"a".repeat(64)).len(), MAX_OBJECT_NAME);
    }
}
