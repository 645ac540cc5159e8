//! The start-up table: which backend serves which namespace, and who answers which method.

use std::fmt;

use super::{Schema, stores};
use crate::config::Config;
use crate::schema::Backend;

/// What a proxy serves, as it is shown at start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// One for each entity.
    pub namespaces: Vec<NamespaceRow>,
    /// One for each service of the schema.
    pub services: Vec<ServiceRow>,
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
    /// The backend that serves it.
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
    pub(super) fn of(schema: &Schema, config: &Config) -> Self {
        let namespaces = schema.entities.iter().map(|entity| NamespaceRow {
            namespace: entity.namespace.clone(),
            message: entity.message.clone(),
            annotated: entity.backend,
            serving: stores::serving(entity, config),
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
        Table { namespaces: namespaces.collect(), services: services.collect() }
    }

    /// Logs the table, a line for each row.
    pub(super) fn log(&self) {
        for row in &self.namespaces {
            let (annotated, serving) = (name(row.annotated), name(row.serving));
            tracing::info!(
                namespace = row.namespace,
                entity = row.message,
                annotated,
                serving,
                "namespace"
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

fn name(backend: Backend) -> &'static str {
    match backend {
        Backend::Memory => "memory",
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespaces.is_empty() {
            let width =
                self.namespaces.iter().map(|row| row.namespace.len()).max().unwrap_or(0).max(9);
            writeln!(f, "{:width$}  annotated  serving", "namespace")?;
            for row in &self.namespaces {
                let (annotated, serving) = (name(row.annotated), name(row.serving));
                writeln!(f, "{:width$}  {annotated:9}  {serving}", row.namespace)?;
            }
        }
        let width = self.services.iter().map(|row| row.service.len()).max().unwrap_or(0).max(7);
        if !self.services.is_empty() {
            writeln!(f, "{:width$}  methods", "service")?;
        }
        for row in &self.services {
            write!(f, "{:width$}  {} bound to storage", row.service, row.bound)?;
            for (kind, names) in [("custom", &row.custom), ("unimplemented", &row.unimplemented)] {
                if !names.is_empty() {
                    write!(f, ", {kind}: {}", names.join(" "))?;
                }
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_both_backends_and_what_nobody_wrote() {
        let table = Table {
            namespaces: vec![NamespaceRow {
                namespace: "orders".to_owned(),
                message: "acme.orders.v1.Order".to_owned(),
                annotated: Backend::Postgres,
                serving: Backend::Sqlite,
            }],
            services: vec![ServiceRow {
                service: "acme.orders.v1.OrderService".to_owned(),
                bound: 8,
                custom: Vec::new(),
                unimplemented: vec!["CancelOrder".to_owned()],
            }],
        };
        let expected = "namespace  annotated  serving\n\
                        orders     postgres   sqlite\n\
                        service                      methods\n\
                        acme.orders.v1.OrderService  8 bound to storage, unimplemented: CancelOrder\n";
        assert_eq!(table.to_string(), expected);
    }
}
