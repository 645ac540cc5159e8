//! Which backend serves which namespace.

use std::collections::{BTreeMap, BTreeSet};

use super::Schema;
use prism_schema::names::misspelt;

use crate::config::{Config, ConfigError, Database, KeyValue, MEMORY};
use crate::keyvalue::fault_of_namespace;
use crate::schema::{Backend, Entity};

/// Which backend serves which namespace, by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bindings {
    /// The databases that are needed, by name.
    pub(super) databases: BTreeMap<String, Database>,
    /// One for each entity of the schema, in its order.
    pub(super) entities: Vec<String>,
    /// Key-value namespaces that have a backend of their own.
    pub(super) keyvalue: BTreeMap<String, String>,
    /// All other key-value namespaces; none where every one that is served is bound.
    pub(super) other_keyvalue: Option<String>,
    /// What is most likely not meant.
    pub(super) warnings: Vec<String>,
}

impl Bindings {
    /// Binds the schema's namespaces as the settings say, and by the annotations where they do not.
    ///
    /// # Errors
    ///
    /// Names the namespace that cannot be bound, and the line that would do it.
    pub(super) fn resolve(schema: &Schema, config: &Config) -> Result<Self, ConfigError> {
        let databases = config.databases()?;
        let resolver = Resolver { schema, config, databases: &databases };
        let entities = schema.entities.iter().map(|entity| resolver.entity(entity));
        let entities = entities.collect::<Result<Vec<_>, _>>()?;
        let (keyvalue, mut warnings) = resolver.keyvalue()?;
        let other_keyvalue = resolver.other_keyvalue(&keyvalue)?;
        if databases.is_empty() {
            warnings
                .push("database is memory: its content is gone when the process ends".to_owned());
        }
        let used: BTreeSet<&String> =
            entities.iter().chain(keyvalue.values()).chain(&other_keyvalue).collect();
        let unused = databases.keys().filter(|name| !used.contains(name));
        warnings.extend(
            unused.map(|name| format!("backends.{name} serves no namespace, and is not opened")),
        );
        let needed = |(name, _): &(&String, &Database)| used.contains(name);
        let needed: Vec<(&String, &Database)> = databases.iter().filter(needed).collect();
        let databases =
            needed.into_iter().map(|(name, database)| (name.clone(), database.clone())).collect();
        Ok(Bindings { databases, entities, keyvalue, other_keyvalue, warnings })
    }

    /// The entities that a backend serves.
    pub(super) fn entities_on(&self, name: &str, schema: &Schema) -> Vec<&'static Entity> {
        let bound = schema.entities.iter().zip(&self.entities);
        bound.filter(|(_, backend)| *backend == name).map(|(entity, _)| *entity).collect()
    }

    /// What kind of backend a name stands for.
    pub(super) fn kind(&self, name: &str) -> Backend {
        self.databases.get(name).map_or(Backend::Memory, Database::kind)
    }
}

struct Resolver<'a> {
    schema: &'a Schema,
    config: &'a Config,
    databases: &'a BTreeMap<String, Database>,
}

impl Resolver<'_> {
    fn entity(&self, entity: &Entity) -> Result<String, ConfigError> {
        let namespace = &entity.namespace;
        if let Some(bound) = self.config.namespaces.get(namespace) {
            return Ok(bound.clone());
        }
        if entity.backend == Backend::Memory {
            return Ok(MEMORY.to_owned());
        }
        let fitting: Vec<&String> = self
            .databases
            .iter()
            .filter(|(_, database)| database.kind() == entity.backend)
            .map(|(name, _)| name)
            .collect();
        match (fitting.as_slice(), self.only()) {
            ([one], _) => Ok((*one).clone()),
            (_, Some(only)) => Ok(only),
            (several, None) => {
                let kind = name_of(entity.backend);
                let which = match several {
                    [] => format!("none of the backends {} is one", list(self.databases.keys())),
                    _ => format!("the backends {} are", list(several.iter().copied())),
                };
                let example = several.first().copied().or_else(|| self.databases.keys().next());
                Err(ConfigError::new(format!(
                    "namespace {namespace} asks for {kind}, and {which}; say which one serves it \
                     with the line `{namespace}: {}` below `namespaces:`",
                    example.map_or("", String::as_str)
                )))
            }
        }
    }

    /// The only database, or memory if there is none.
    fn only(&self) -> Option<String> {
        match self.databases.len() {
            0 => Some(MEMORY.to_owned()),
            1 => self.databases.keys().next().cloned(),
            _ => None,
        }
    }

    /// The namespaces of `namespaces` that are no entity's, and what is odd about them.
    fn keyvalue(&self) -> Result<(BTreeMap<String, String>, Vec<String>), ConfigError> {
        let (mut bound, mut warnings) = (BTreeMap::new(), Vec::new());
        for (namespace, backend) in &self.config.namespaces {
            if self.entity_namespaces().any(|name| name == namespace) {
                continue;
            }
            let setting = format!("namespaces.{namespace}");
            let near = misspelt(namespace, self.entity_namespaces());
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            if let Some(fault) = fault_of_namespace(namespace) {
                let text = format!(
                    "{setting}: no entity has this namespace, and one for \
                                    key-values {fault}{hint}"
                );
                return Err(ConfigError::new(text));
            }
            let listed = self.config.keyvalue.namespaces.as_ref();
            if listed.is_some_and(|names| !names.contains(namespace)) {
                let text = format!(
                    "{setting}: no entity has this namespace, and \
                                    keyvalue.namespaces does not list it{hint}"
                );
                return Err(ConfigError::new(text));
            }
            if listed.is_none() && near.is_some() {
                warnings.push(format!(
                    "{setting}: no entity has this namespace, it is one for key-values{hint}"
                ));
            }
            bound.insert(namespace.clone(), backend.clone());
        }
        Ok((bound, warnings))
    }

    fn other_keyvalue(
        &self,
        bound: &BTreeMap<String, String>,
    ) -> Result<Option<String>, ConfigError> {
        let KeyValue { backend, namespaces, .. } = &self.config.keyvalue;
        let is_bound = |names: &Vec<String>| names.iter().all(|name| bound.contains_key(name));
        match (backend, self.only()) {
            (Some(backend), _) => Ok(Some(backend.clone())),
            _ if namespaces.as_ref().is_some_and(is_bound) => Ok(None),
            (None, Some(only)) => Ok(Some(only)),
            (None, None) => Err(ConfigError::new(format!(
                "keyvalue.backend is not set, and there are the backends {}; say which one serves \
                 key-values with the line `backend: {}` below `keyvalue:`",
                list(self.databases.keys()),
                self.databases.keys().next().map_or("", String::as_str)
            ))),
        }
    }

    fn entity_namespaces(&self) -> impl Iterator<Item = &str> {
        self.schema.entities.iter().map(|entity| entity.namespace.as_str())
    }
}

/// The name of a kind of backend.
pub(super) fn name_of(backend: Backend) -> &'static str {
    match backend {
        Backend::Memory => "memory",
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    }
}

/// Names in a sentence: `a, b and c`.
fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A schema with an entity for each namespace.
    fn schema(entities: &[(&str, Backend)]) -> Schema {
        let mut schema = Schema::new(&[]);
        for (namespace, backend) in entities {
            let entity = Entity {
                message: format!("test.{namespace}"),
                namespace: (*namespace).to_owned(),
                backend: *backend,
                table: (*namespace).to_owned(),
                columns: Vec::new(),
                key: Vec::new(),
                partition: 0,
                indexes: Vec::new(),
                retention_days: 0,
            };
            schema.entities.push(Box::leak(Box::new(entity)));
        }
        schema
    }

    fn config(backends: &[(&str, &str)], namespaces: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (name, url) in backends {
            config.backends.entry((*name).to_owned()).or_default().url =
                crate::config::Secret::new(*url);
        }
        let owned = |(name, backend): &(&str, &str)| ((*name).to_owned(), (*backend).to_owned());
        config.namespaces = namespaces.iter().map(owned).collect();
        config
    }

    fn resolve(schema: &Schema, config: &Config) -> Result<Bindings, String> {
        config.validate().unwrap();
        Bindings::resolve(schema, config).map_err(|error| error.to_string())
    }

    const MAIN: (&str, &str) = ("main", "postgres://db/main");
    const SPARE: (&str, &str) = ("spare", "postgres://db/spare");
    const FILE: (&str, &str) = ("file", "a.db");

    fn three() -> Schema {
        schema(&[
            ("orders", Backend::Postgres),
            ("drafts", Backend::Sqlite),
            ("carts", Backend::Memory),
        ])
    }

    #[test]
    fn one_database_serves_all_that_is_not_in_memory() {
        for (database, kind) in [("a.db", Backend::Sqlite), (MAIN.1, Backend::Postgres)] {
            let config = Config { database: database.to_owned(), ..Config::default() };
            let bindings = resolve(&three(), &config).unwrap();
            assert_eq!(bindings.entities, ["main", "main", "memory"]);
            assert_eq!(bindings.other_keyvalue.as_deref(), Some("main"));
            assert_eq!((bindings.kind("main"), bindings.kind("memory")), (kind, Backend::Memory));
        }
    }

    #[test]
    fn the_annotation_decides_where_one_backend_is_of_its_kind() {
        let mut config = config(&[MAIN, FILE], &[("sessions", "file")]);
        config.keyvalue.backend = Some("main".to_owned());
        let bindings = resolve(&three(), &config).unwrap();
        assert_eq!(bindings.entities, ["main", "file", "memory"]);
        assert_eq!(bindings.keyvalue["sessions"], "file");
        assert_eq!(bindings.other_keyvalue.as_deref(), Some("main"));
        assert!(bindings.warnings.is_empty(), "{:?}", bindings.warnings);
    }

    #[test]
    fn the_settings_go_before_the_annotation() {
        let bound = [("orders", "file"), ("drafts", "memory"), ("carts", "main")];
        let mut config = config(&[MAIN, SPARE, FILE], &bound);
        config.keyvalue.backend = Some(MEMORY.to_owned());
        let bindings = resolve(&three(), &config).unwrap();
        assert_eq!(bindings.entities, ["file", "memory", "main"]);
        // What serves nothing is not opened.
        assert_eq!(bindings.databases.keys().collect::<Vec<_>>(), ["file", "main"]);
        assert_eq!(bindings.warnings, ["backends.spare serves no namespace, and is not opened"]);
    }

    #[test]
    fn what_cannot_be_bound_says_which_line_is_missing() {
        let orders = schema(&[("orders", Backend::Postgres)]);
        let drafts = schema(&[("drafts", Backend::Sqlite)]);
        let nothing = schema(&[]);
        let corpus = [
            (
                &orders,
                config(&[MAIN, SPARE, FILE], &[]),
                "namespace orders asks for postgres, and the backends main and spare are; say \
                 which one serves it with the line `orders: main` below `namespaces:`",
            ),
            (
                &drafts,
                config(&[MAIN, SPARE], &[]),
                "namespace drafts asks for sqlite, and none of the backends main and spare is \
                 one; say which one serves it with the line `drafts: main` below `namespaces:`",
            ),
            (
                &nothing,
                config(&[MAIN, SPARE, FILE], &[]),
                "keyvalue.backend is not set, and there are the backends file, main and spare; \
                 say which one serves key-values with the line `backend: file` below `keyvalue:`",
            ),
            (
                &drafts,
                config(&[FILE], &[("Drafts", "file")]),
                "namespaces.Drafts: no entity has this namespace, and one for key-values must be \
                 of a to z, 0 to 9 and -; did you mean `drafts`?",
            ),
            (
                &nothing,
                config(&[FILE], &[("prism-own", "file")]),
                "namespaces.prism-own: no entity has this namespace, and one for key-values \
                 begins with prism-, which is kept for Prism itself",
            ),
        ];
        for (schema, config, expected) in corpus {
            assert_eq!(resolve(schema, &config).unwrap_err(), expected);
        }
        let mut config = config(&[FILE], &[("draft", "file")]);
        config.keyvalue.namespaces = Some(vec!["sessions".to_owned()]);
        let expected = "namespaces.draft: no entity has this namespace, and keyvalue.namespaces \
                        does not list it; did you mean `drafts`?";
        assert_eq!(resolve(&drafts, &config).unwrap_err(), expected);
    }

    #[test]
    fn a_name_that_is_nearly_an_entitys_is_warned_of() {
        let drafts = schema(&[("drafts", Backend::Sqlite)]);
        let bindings = resolve(&drafts, &config(&[FILE], &[("draft", "file")])).unwrap();
        let expected = "namespaces.draft: no entity has this namespace, it is one for key-values; \
                        did you mean `drafts`?";
        assert_eq!(bindings.warnings, [expected]);
    }

    #[test]
    fn key_values_need_no_backend_where_every_namespace_has_one() {
        let mut config = config(&[MAIN, FILE], &[("sessions", "file"), ("flags", "main")]);
        config.keyvalue.namespaces = Some(vec!["sessions".to_owned(), "flags".to_owned()]);
        let bindings = resolve(&schema(&[]), &config).unwrap();
        assert_eq!(bindings.other_keyvalue, None);
    }
}
