//! Entities: keys, columns, indexes, managed values.

use std::fmt::Write as _;

use super::Writer;
use super::names::Scope;
use super::types::{Class, Type};

/// What a service needs to know of an entity.
pub struct Entity {
    pub name: String,
    pub key: Vec<(String, Type)>,
    /// How many parts of the key are partition keys.
    pub partition: usize,
    /// Fields with an index of their own.
    pub indexed: Vec<(String, Type)>,
    /// Fields of an index: equality on the first, a range on the second.
    pub pair: Option<[(String, Type); 2]>,
    pub deletes_softly: bool,
    pub etag: bool,
}

/// An entity in the making.
struct Draft {
    entity: Entity,
    scope: Scope,
    number: u32,
    fields: String,
}

impl Draft {
    fn number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn field(&mut self, declared: &str, name: &str, options: &[String]) {
        let options = match options {
            [] => String::new(),
            options => format!(" [{}]", options.join(", ")),
        };
        let number = self.number();
        let _ = writeln!(self.fields, "  {declared} {name} = {number}{options};");
    }
}

impl Writer {
    pub fn entity(&mut self, position: usize) -> Entity {
        let name = self.scope.typ(&mut self.random);
        let entity = Entity {
            name: name.clone(),
            key: Vec::new(),
            partition: 1,
            indexed: Vec::new(),
            pair: None,
            deletes_softly: self.random.chance(30),
            etag: self.random.chance(30),
        };
        let mut draft = Draft { entity, scope: Scope::default(), number: 0, fields: String::new() };
        self.key(&mut draft);
        for _ in 0..self.random.between(2, 12) {
            self.column(&mut draft);
        }
        let indexes = self.indexes(&mut draft);
        if self.random.chance(60) {
            let number = &mut draft.number;
            let masked =
                if self.random.chance(20) { " [(prism.field).pii = PII_OTHER]" } else { "" };
            let oneof = self.oneof(&mut draft.scope, number, masked);
            draft.fields.push_str(&oneof);
        }
        self.managed(&mut draft);
        if self.proto2 && self.random.chance(50) {
            let group = draft.scope.take("Inside");
            let number = draft.number();
            let _ = writeln!(
                draft.fields,
                "  optional group {group} = {number} {{ optional int32 depth = 1; }}"
            );
        }
        let namespace = ["order", "select", "group", "a-b", "table"][self.random.below(5)];
        let retention = if self.random.chance(20) { "\n    retention_days: 30" } else { "" };
        let table = match self.random.chance(20) {
            true => format!("\n    table: \"T{position}_{}\"", self.seed),
            false => String::new(),
        };
        let _ = write!(
            self.text,
            "message {name} {{\n  option (prism.message) = {{\n    \
             namespace: \"{namespace}-{position}-{}\"{retention}{table}{indexes}\n  }};\n{}}}\n",
            self.seed, draft.fields
        );
        draft.entity
    }

    fn key(&mut self, draft: &mut Draft) {
        let parts = match self.random.below(3) {
            0 => 1,
            _ => self.random.between(1, 3),
        };
        let composite = parts > 1 || self.random.chance(20);
        draft.entity.partition = if composite { self.random.between(1, parts) } else { 1 };
        for part in 0..parts {
            let kind = match part {
                _ if !composite => "PRIMARY",
                part if part < draft.entity.partition => "PARTITION_KEY",
                _ => "CLUSTERING_KEY",
            };
            let ty = self.key_type();
            let name = draft.scope.field(&mut self.random, self.proto2);
            let mut options = vec![format!("(prism.field).index = INDEX_KIND_{kind}")];
            if kind != "PARTITION_KEY" && ty.name == "string" && self.random.chance(40) {
                let already = draft.fields.contains("MANAGED_ID");
                options.extend((!already).then(|| "(prism.field).managed = MANAGED_ID".to_owned()));
            }
            self.common(draft, &mut options);
            let label = if self.proto2 { "required " } else { "" };
            draft.field(&format!("{label}{}", ty.name), &name, &options);
            draft.entity.key.push((name, ty));
        }
    }

    /// Options that any field may have.
    fn common(&mut self, draft: &Draft, options: &mut Vec<String>) {
        let all = [
            "(prism.field).pii = PII_EMAIL",
            "(prism.field).mask_in_logs = true",
            "debug_redact = true",
            "deprecated = true",
        ];
        if self.random.chance(15) {
            options.push(self.random.pick(&all).to_owned());
        }
        if self.random.chance(5) {
            options.push(format!("(prism.field).column = \"Own_{}\"", draft.number + 1));
        }
    }

    fn column(&mut self, draft: &mut Draft) {
        let ty = self.field_type();
        let name = draft.scope.field(&mut self.random, self.proto2);
        let mut options = Vec::new();
        self.common(draft, &mut options);
        let access = ["IMMUTABLE", "OUTPUT_ONLY", "INPUT_ONLY"];
        if self.random.chance(15) {
            options.push(format!("(prism.field).access = ACCESS_{}", self.random.pick(&access)));
        }
        // A caller that reads a field which is `required` must get it, and every type but Any has a
        // value that the tests send.
        let hidden = options.iter().any(|option| option.ends_with("INPUT_ONLY"));
        let required = !hidden && !ty.name.ends_with("Any") && self.random.chance(30);
        let singular = match (self.proto2, required) {
            (false, _) => "",
            (true, false) => "optional ",
            (true, true) => "required ",
        };
        let (declared, list) = match self.random.below(10) {
            0..5 => (format!("{singular}{}", ty.name), false),
            5..7 => (format!("optional {}", ty.name), false),
            7..9 => (format!("repeated {}", ty.name), true),
            _ => (self.map(&ty), true),
        };
        if !list && ty.ordered() && self.random.chance(40) {
            let unique = self.random.chance(30);
            let kind = if unique { "UNIQUE" } else { "SECONDARY" };
            options.push(format!("(prism.field).index = INDEX_KIND_{kind}"));
            draft.entity.indexed.push((name.clone(), ty.clone()));
        } else if self.proto2 && !list && self.random.chance(30) {
            options.extend(self.default(&ty).map(|value| format!("default = {value}")));
        }
        // What is stored as JSON has to have JSON: not every Any, and no path of a mask.
        let jsonable = !["Any", "FieldMask"].iter().any(|name| ty.name.ends_with(name));
        let structured = list || ty.class == Class::Message;
        if structured && jsonable && self.random.chance(25) {
            options.push("(prism.field).storage = STORAGE_JSON".to_owned());
        }
        draft.field(&declared, &name, &options);
    }

    /// Indexes of several fields.
    fn indexes(&mut self, draft: &mut Draft) -> String {
        if !self.random.chance(50) {
            return String::new();
        }
        let mut fields: Vec<(String, Type)> = Vec::new();
        for _ in 0..2 {
            let ty = self.key_type();
            let name = draft.scope.field(&mut self.random, self.proto2);
            let label = if self.proto2 { "optional " } else { "" };
            draft.field(&format!("{label}{}", ty.name), &name, &[]);
            fields.push((name, ty));
        }
        let unique = if self.random.chance(20) { " unique: true" } else { "" };
        let descending = if self.random.chance(40) { " desc" } else { "" };
        let text = format!(
            "\n    indexes: {{fields: [\"{}\", \"{}{descending}\"]{unique} name: \"own_{}_{}\"}}",
            fields[0].0,
            fields[1].0,
            draft.entity.name.len(),
            self.random.bits() % 100_000
        );
        draft.entity.pair = fields.try_into().ok();
        text
    }

    fn managed(&mut self, draft: &mut Draft) {
        let label = if self.proto2 { "optional " } else { "" };
        let time = format!("{label}.google.protobuf.Timestamp");
        let text = format!("{label}string");
        let (soft, etag) = (draft.entity.deletes_softly, draft.entity.etag);
        let kinds = [
            (self.random.chance(30), "CREATE_TIME", &time),
            (self.random.chance(30), "UPDATE_TIME", &time),
            (soft, "DELETE_TIME", &time),
            (self.random.chance(20), "EXPIRE_TIME", &time),
            (etag, "ETAG", &text),
        ];
        for (wanted, kind, declared) in kinds {
            if wanted {
                let name = draft.scope.field(&mut self.random, self.proto2);
                draft.field(declared, &name, &[format!("(prism.field).managed = MANAGED_{kind}")]);
            }
        }
    }
}
