//! The start-up table: the backends, which of them serves which namespace, and who answers which
//! method.

use std::fmt;

use super::Schema;
use super::bindings::{Bindings, name_of};
use crate::config::{Config, MEMORY};
use crate::schema::Backend;

/// What a proxy serves, as it is shown at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// One for each database that is open.
    pub backends: Vec<BackendRow>,
    /// One for each entity.
    pub namespaces: Vec<NamespaceRow>,
    /// One for each key-value namespace that the settings name, and one for the others.
    pub keyvalue: Vec<KeyValueRow>,
    /// One for each service of the schema.
    pub services: Vec<ServiceRow>,
}

/// A database that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRow {
    /// Its name in the settings.
    pub name: String,
    /// What it is.
    pub kind: Backend,
    /// Where it is: a path, or `host:port/database`.
    pub place: String,
}

/// Where an entity is served from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRow {
    /// The entity's namespace.
    pub namespace: String,
    /// Its message.
    pub message: String,
    /// The backend that the annotation asks for.
    pub annotated: Backend,
    /// Name of the backend that serves it.
    pub backend: String,
    /// What that backend is.
    pub serving: Backend,
}

/// Where key-value data is served from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValueRow {
    /// The namespace; absent: every one that is in no other row.
    pub namespace: Option<String>,
    /// Name of the backend that serves it.
    pub backend: String,
    /// What that backend is.
    pub serving: Backend,
}

/// Who answers the methods of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Full name of the service.
    pub service: String,
    /// How many methods are bound to storage.
    pub bound: usize,
    /// Methods that the user's code answers.
    pub custom: Vec<String>,
    /// Methods that answer UNIMPLEMENTED, because nobody wrote them.
    pub unimplemented: Vec<String>,
}

impl Table {
    pub(super) fn of(schema: &Schema, config: &Config, bindings: &Bindings) -> Self {
        let backends = bindings.databases.iter().map(|(name, database)| BackendRow {
            name: name.clone(),
            kind: database.kind(),
            place: database.to_string(),
        });
        let entities = schema.entities.iter().zip(&bindings.entities);
        let namespaces = entities.map(|(entity, backend)| NamespaceRow {
            namespace: entity.namespace.clone(),
            message: entity.message.clone(),
            annotated: entity.backend,
            backend: backend.clone(),
            serving: bindings.kind(backend),
        });
        let services = schema.services.iter().map(|handlers| {
            let service = handlers.descriptor();
            let unbound = service.methods.iter().filter(|method| method.binding.is_none());
            let unbound: Vec<String> = unbound.map(|method| method.name.clone()).collect();
            let bound = service.methods.len() - unbound.len();
            let (custom, unimplemented) = match handlers.is_implemented() {
                true => (unbound, Vec::new()),
                false => (Vec::new(), unbound),
            };
            ServiceRow { service: service.name.clone(), bound, custom, unimplemented }
        });
        Table {
            backends: backends.collect(),
            namespaces: namespaces.collect(),
            keyvalue: keyvalue(config, bindings),
            services: services.collect(),
        }
    }

    /// Logs the table, a line for each row.
    pub(super) fn log(&self) {
        for row in &self.backends {
            tracing::info!(name = row.name, kind = name_of(row.kind), place = row.place, "backend");
        }
        for row in &self.namespaces {
            tracing::info!(
                namespace = row.namespace,
                entity = row.message,
                annotated = name_of(row.annotated),
                serving = name_of(row.serving),
                backend = row.backend,
                "namespace"
            );
        }
        for row in &self.keyvalue {
            tracing::info!(
                namespace = row.namespace.as_deref().unwrap_or(OTHERS),
                serving = name_of(row.serving),
                backend = row.backend,
                "key-value namespace"
            );
        }
        for row in &self.services {
            let (custom, unimplemented) = (row.custom.join(" "), row.unimplemented.join(" "));
            tracing::info!(
                service = row.service,
                bound = row.bound,
                custom,
                unimplemented,
                "service"
            );
        }
    }
}

/// The rows of the namespaces that the settings name, then of all others, where they are served.
fn keyvalue(config: &Config, bindings: &Bindings) -> Vec<KeyValueRow> {
    let row = |namespace: Option<&String>, backend: &String| KeyValueRow {
        namespace: namespace.cloned(),
        backend: backend.clone(),
        serving: bindings.kind(backend),
    };
    let mut rows: Vec<KeyValueRow> =
        bindings.keyvalue.iter().map(|(name, backend)| row(Some(name), backend)).collect();
    let Some(other) = &bindings.other_keyvalue else { return rows };
    match &config.keyvalue.namespaces {
        Some(listed) => {
            let unbound = listed.iter().filter(|name| !bindings.keyvalue.contains_key(*name));
            rows.extend(unbound.map(|name| row(Some(name), other)));
        }
        None => rows.push(row(None, other)),
    }
    rows
}

/// What stands for all namespaces that have no row.
const OTHERS: &str = "*";

/// Lines of cells, the columns aligned.
#[derive(Default)]
struct Lines(Vec<Vec<String>>);

impl Lines {
    fn add<const N: usize>(&mut self, cells: [&str; N]) {
        self.0.push(cells.map(str::to_owned).to_vec());
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        for line in &self.0 {
            let Some((last, cells)) = line.split_last() else { continue };
            for (column, cell) in cells.iter().enumerate() {
                write!(f, "{cell:width$}  ", width = width(column))?;
            }
            writeln!(f, "{last}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut backends = Lines::default();
        for row in &self.backends {
            if backends.0.is_empty() {
                backends.add(["backend", "kind", "place"]);
            }
            backends.add([&row.name, name_of(row.kind), &row.place]);
        }
        let mut namespaces = Lines::default();
        namespaces.add(["namespace", "annotated", "serving"]);
        for row in &self.namespaces {
            let serving = shown(&row.backend, row.serving);
            namespaces.add([&row.namespace, name_of(row.annotated), &serving]);
        }
        for row in &self.keyvalue {
            let namespace = row.namespace.as_deref().unwrap_or(OTHERS);
            namespaces.add([namespace, "key-value", &shown(&row.backend, row.serving)]);
        }
        let mut services = Lines::default();
        for row in &self.services {
            if services.0.is_empty() {
                services.add(["service", "methods"]);
            }
            let mut methods = format!("{} bound to storage", row.bound);
            for (kind, names) in [("custom", &row.custom), ("unimplemented", &row.unimplemented)] {
                if !names.is_empty() {
                    methods.push_str(&format!(", {kind}: {}", names.join(" ")));
                }
            }
            services.add([&row.service, &methods]);
        }
        write!(f, "{backends}{namespaces}{services}")
    }
}

/// A backend by name and kind.
fn shown(name: &str, kind: Backend) -> String {
    if name == MEMORY { name.to_owned() } else { format!("{name} ({})", name_of(kind)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_both_backends_and_what_nobody_wrote() {
        let table = Table {
            backends: vec![BackendRow {
                name: "main".to_owned(),
                kind: Backend::Sqlite,
                place: "./prism.db".to_owned(),
            }],
            namespaces: vec![NamespaceRow {
                namespace: "orders".to_owned(),
                message: "acme.orders.v1.Order".to_owned(),
                annotated: Backend::Postgres,
                backend: "main".to_owned(),
                serving: Backend::Sqlite,
            }],
            keyvalue: vec![KeyValueRow {
                namespace: None,
                backend: "memory".to_owned(),
                serving: Backend::Memory,
            }],
            services: vec![ServiceRow {
                service: "acme.orders.v1.OrderService".to_owned(),
                bound: 8,
                custom: Vec::new(),
                unimplemented: vec!["CancelOrder".to_owned()],
            }],
        };
        let expected = "backend  kind    place\n\
                        main     sqlite  ./prism.db\n\
                        namespace  annotated  serving\n\
                        orders     postgres   main (sqlite)\n\
                        *          key-value  memory\n\
                        service                      methods\n\
                        acme.orders.v1.OrderService  8 bound to storage, unimplemented: CancelOrder\n";
        assert_eq!(table.to_string(), expected);
    }
}
