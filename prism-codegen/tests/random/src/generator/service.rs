//! A service for each entity: every operation, and methods that the user writes.

use std::fmt::Write as _;

use super::Writer;
use super::entity::Entity;
use super::names::Scope;
use super::types::Type;

/// A service in the making.
struct Draft<'a> {
    entity: &'a Entity,
    names: Scope,
    methods: String,
    messages: String,
}

/// Fields of a request or response, numbered as they come.
#[derive(Default)]
struct Fields {
    scope: Scope,
    text: String,
    number: u32,
}

impl Fields {
    fn add(&mut self, declared: &str, name: &str, options: &str) {
        self.number += 1;
        let options = if options.is_empty() { String::new() } else { format!(" [{options}]") };
        let _ = writeln!(self.text, "  {declared} {name} = {}{options};", self.number);
    }
}

impl Writer {
    pub fn service(&mut self, entity: &Entity) {
        let name = self.scope.typ(&mut self.random);
        let mut draft = Draft {
            entity,
            names: Scope::default(),
            methods: String::new(),
            messages: String::new(),
        };
        for operation in ["CREATE", "PUT", "UPDATE"] {
            self.write(&mut draft, operation);
        }
        for operation in ["GET", "DELETE", "UNDELETE"] {
            if operation != "UNDELETE" || entity.deletes_softly {
                self.by_key(&mut draft, operation);
            }
        }
        self.batch_get(&mut draft);
        for _ in 0..self.random.between(1, 3) {
            self.list(&mut draft);
        }
        for _ in 0..self.random.between(0, 2) {
            self.custom(&mut draft);
        }
        let entity = format!(".{}{}", self.prefix(), draft.entity.name);
        let _ = write!(
            self.text,
            "service {name} {{\n  option (prism.service) = {{entity: \"{entity}\"}};\n{}}}\n{}",
            draft.methods, draft.messages
        );
    }

    fn optional(&self) -> &'static str {
        if self.proto2 { "optional " } else { "" }
    }

    /// The label of a field that callers always send, or that every answer has.
    fn always_there(&mut self) -> &'static str {
        match (self.proto2, self.random.chance(40)) {
            (false, _) => "",
            (true, false) => "optional ",
            (true, true) => "required ",
        }
    }

    /// Declares a message and gives its full name.
    fn declare(&mut self, draft: &mut Draft<'_>, fields: Fields) -> String {
        let name = self.scope.typ(&mut self.random);
        let _ = write!(draft.messages, "message {name} {{\n{}}}\n", fields.text);
        format!(".{}{name}", self.prefix())
    }

    fn method(&mut self, draft: &mut Draft<'_>, operation: &str, input: &str, output: &str) {
        let name = draft.names.method(&mut self.random);
        let deprecated = if self.random.chance(10) { "option deprecated = true; " } else { "" };
        let timeout = if self.random.chance(10) { " timeout_ms: 5000" } else { "" };
        let _ = writeln!(
            draft.methods,
            "  rpc {name}({input}) returns ({output}) {{ {deprecated}option (prism.method) = \
             {{operation: OPERATION_{operation}{timeout}}}; }}"
        );
    }

    fn entity_name(&self, draft: &Draft<'_>) -> String {
        format!(".{}{}", self.prefix(), draft.entity.name)
    }

    /// The entity, or a message with it.
    fn answer(&mut self, draft: &mut Draft<'_>) -> String {
        let entity = self.entity_name(draft);
        if self.random.chance(70) {
            return entity;
        }
        let mut fields = Fields::default();
        let name = fields.scope.field(&mut self.random, self.proto2);
        fields.add(&format!("{}{entity}", self.always_there()), &name, "");
        self.declare(draft, fields)
    }

    fn write(&mut self, draft: &mut Draft<'_>, operation: &str) {
        let mut fields = Fields::default();
        let entity = format!("{}{}", self.always_there(), self.entity_name(draft));
        let name = fields.scope.field(&mut self.random, self.proto2);
        fields.add(&entity, &name, "(prism.field).role = ROLE_ENTITY");
        if operation == "UPDATE" {
            let mask = format!("{}.google.protobuf.FieldMask", self.always_there());
            let name = fields.scope.field(&mut self.random, self.proto2);
            fields.add(&mask, &name, "(prism.field).role = ROLE_UPDATE_MASK");
        }
        if operation == "CREATE" && self.random.chance(50) {
            let name = fields.scope.field(&mut self.random, self.proto2);
            let text = format!("{}string", self.optional());
            fields.add(&text, &name, "(prism.field).role = ROLE_REQUEST_ID");
        }
        let input = self.declare(draft, fields);
        let output = self.answer(draft);
        self.method(draft, operation, &input, &output);
    }

    fn by_key(&mut self, draft: &mut Draft<'_>, operation: &str) {
        let mut fields = Fields::default();
        self.key_fields(draft, &mut fields);
        if operation == "GET" && draft.entity.deletes_softly {
            let name = fields.scope.field(&mut self.random, self.proto2);
            let flag = format!("{}bool", self.optional());
            fields.add(&flag, &name, "(prism.field).role = ROLE_SHOW_DELETED");
        }
        let input = self.declare(draft, fields);
        let output = match operation {
            "DELETE" if self.random.chance(50) => ".google.protobuf.Empty".to_owned(),
            _ => self.answer(draft),
        };
        self.method(draft, operation, &input, &output);
    }

    /// The parts of the key, under names of their own.
    fn key_fields(&mut self, draft: &Draft<'_>, fields: &mut Fields) {
        for (part, ty) in &draft.entity.key {
            let name = fields.scope.field(&mut self.random, self.proto2);
            let optional = self.random.chance(20) && !ty.present();
            let label = if optional { "optional " } else { self.always_there() };
            let options = format!("(prism.field).entity_field = \"{part}\"");
            fields.add(&format!("{label}{}", ty.name), &name, &options);
        }
    }

    fn batch_get(&mut self, draft: &mut Draft<'_>) {
        let mut fields = Fields::default();
        let name = fields.scope.field(&mut self.random, self.proto2);
        match draft.entity.key.as_slice() {
            [(part, ty)] if self.random.chance(70) => {
                let options = format!(
                    "(prism.field).role = ROLE_KEYS, (prism.field).entity_field = \"{part}\""
                );
                fields.add(&format!("repeated {}", ty.name), &name, &options);
            }
            _ => {
                let mut parts = Fields::default();
                self.key_fields(draft, &mut parts);
                let key = self.declare(draft, parts);
                fields.add(&format!("repeated {key}"), &name, "(prism.field).role = ROLE_KEYS");
            }
        }
        let input = self.declare(draft, fields);
        let output = self.items(draft, false);
        self.method(draft, "BATCH_GET", &input, &output);
    }

    fn items(&mut self, draft: &mut Draft<'_>, paged: bool) -> String {
        let mut fields = Fields::default();
        let entity = self.entity_name(draft);
        let name = fields.scope.field(&mut self.random, self.proto2);
        fields.add(&format!("repeated {entity}"), &name, "");
        if paged {
            let text = format!("{}string", self.optional());
            let name = fields.scope.field(&mut self.random, self.proto2);
            fields.add(&text, &name, "(prism.field).role = ROLE_NEXT_PAGE_TOKEN");
        }
        self.declare(draft, fields)
    }

    fn list(&mut self, draft: &mut Draft<'_>) {
        let mut fields = Fields::default();
        for (ty, role) in [("int32", "PAGE_SIZE"), ("string", "PAGE_TOKEN"), ("string", "ORDER_BY")]
        {
            let name = fields.scope.field(&mut self.random, self.proto2);
            let declared = format!("{}{ty}", self.optional());
            fields.add(&declared, &name, &format!("(prism.field).role = ROLE_{role}"));
        }
        self.conditions(draft.entity, &mut fields);
        let input = self.declare(draft, fields);
        let output = self.items(draft, true);
        self.method(draft, "LIST", &input, &output);
    }

    /// Conditions that the key or an index serves.
    fn conditions(&mut self, entity: &Entity, fields: &mut Fields) {
        match self.random.below(4) {
            0 => {}
            1 => {
                let partition = &entity.key[..entity.partition];
                // A condition that may be absent leaves those behind it without an index.
                if self.proto2 || partition.iter().any(|(_, ty)| ty.present()) {
                    let (field, ty) = &partition[0];
                    return self.condition(fields, field, ty, "EQUALS", true);
                }
                for (field, ty) in &entity.key[..entity.partition] {
                    self.always(fields, field, ty);
                }
                if let Some((field, ty)) = entity.key.get(entity.partition) {
                    self.range(fields, field, ty);
                }
            }
            2 => {
                if let Some([(first, equal), (second, ranged)]) = &entity.pair
                    && !equal.present()
                    && !self.proto2
                {
                    self.always(fields, first, equal);
                    self.range(fields, second, ranged);
                }
            }
            _ => {
                if entity.indexed.is_empty() {
                    return;
                }
                let (field, ty) = self.random.pick(&entity.indexed);
                let roles: &[&str] = match ty.prefixed() {
                    true => &["EQUALS", "AT_LEAST", "LESS_THAN", "ANY_OF", "PREFIX"],
                    false => &["EQUALS", "AT_LEAST", "LESS_THAN", "ANY_OF"],
                };
                let role = self.random.pick(roles);
                self.condition(fields, &field, &ty, role, true);
            }
        }
    }

    /// An equality that every request has.
    fn always(&mut self, fields: &mut Fields, field: &str, ty: &Type) {
        self.condition(fields, field, ty, "EQUALS", false);
    }

    fn range(&mut self, fields: &mut Fields, field: &str, ty: &Type) {
        for role in ["AT_LEAST", "LESS_THAN"] {
            if self.random.chance(50) {
                self.condition(fields, field, ty, role, true);
            }
        }
    }

    fn condition(&mut self, fields: &mut Fields, of: &str, ty: &Type, role: &str, optional: bool) {
        let name = fields.scope.field(&mut self.random, self.proto2);
        let label = match (role, optional) {
            ("ANY_OF", _) => "repeated ",
            (_, true) if !ty.present() => "optional ",
            _ => self.optional(),
        };
        let options =
            format!("(prism.field).role = ROLE_{role}, (prism.field).entity_field = \"{of}\"");
        let wrapped = ty.name.ends_with("Value") && ty.name.starts_with(".google");
        let name_of_type = match (role, wrapped) {
            // A list of wrappers is a list of messages.
            ("ANY_OF", true) => scalar(&ty.name),
            _ => ty.name.clone(),
        };
        fields.add(&format!("{label}{name_of_type}"), &name, &options);
    }

    fn custom(&mut self, draft: &mut Draft<'_>) {
        let name = draft.names.method(&mut self.random);
        let streams = if self.random.chance(30) { "stream " } else { "" };
        let mut fields = Fields::default();
        for _ in 0..self.random.between(0, 3) {
            let field = fields.scope.field(&mut self.random, self.proto2);
            let ty = self.field_type();
            fields.add(&format!("{}{}", self.optional(), ty.name), &field, "");
        }
        let input = match self.random.chance(20) {
            true => self.field_message(),
            false => self.declare(draft, fields),
        };
        let output = self.field_message();
        let _ = writeln!(
            draft.methods,
            "  rpc {name}({input}) returns ({streams}{output}) {{ option (prism.method) = \
             {{operation: OPERATION_CUSTOM required_permissions: PERMISSION_READ}}; }}"
        );
    }

    /// A message that there is already.
    fn field_message(&mut self) -> String {
        loop {
            let ty = self.field_type();
            if ty.name.starts_with('.') && ty.class != super::types::Class::Enum {
                return ty.name;
            }
        }
    }
}

/// The scalar that a wrapper wraps.
fn scalar(wrapper: &str) -> String {
    let name = wrapper.rsplit('.').next().unwrap_or_default();
    name.trim_end_matches("Value").to_lowercase()
}
