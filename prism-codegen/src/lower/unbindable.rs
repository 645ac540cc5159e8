//! What a method whose name binds it to nothing was probably meant to be.

use heck::ToUpperCamelCase as _;
use prism_options::spec;
use prism_schema::Operation;
use prost_reflect::{Kind, MethodDescriptor};

use super::context::{Context, VERSION};
use super::entity::Lowered as Entity;
use super::{operation, support};
use crate::diagnostics::suggest;

/// Verbs that other APIs use, with the operation that they mostly mean.
const VERBS: &[(&str, Operation)] = &[
    ("BatchGet", Operation::BatchGet),
    ("MultiGet", Operation::BatchGet),
    ("GetAll", Operation::List),
    ("Get", Operation::Get),
    ("Fetch", Operation::Get),
    ("Read", Operation::Get),
    ("Retrieve", Operation::Get),
    ("Find", Operation::Get),
    ("Load", Operation::Get),
    ("Lookup", Operation::Get),
    ("Describe", Operation::Get),
    ("List", Operation::List),
    ("Query", Operation::List),
    ("Browse", Operation::List),
    ("Create", Operation::Create),
    ("Add", Operation::Create),
    ("Insert", Operation::Create),
    ("Register", Operation::Create),
    ("Put", Operation::Put),
    ("Upsert", Operation::Put),
    ("Save", Operation::Put),
    ("Set", Operation::Put),
    ("Store", Operation::Put),
    ("Replace", Operation::Put),
    ("Update", Operation::Update),
    ("Edit", Operation::Update),
    ("Modify", Operation::Update),
    ("Patch", Operation::Update),
    ("Delete", Operation::Delete),
    ("Remove", Operation::Delete),
    ("Undelete", Operation::Undelete),
    ("Restore", Operation::Undelete),
];

/// Plurals that differ from the usual ones by a few letters, as an ending for one of the singular.
const IRREGULAR: &[(&str, &str)] = &[
    ("f", "ves"),
    ("fe", "ves"),
    ("ex", "ices"),
    ("ix", "ices"),
    ("us", "i"),
    ("is", "es"),
    ("on", "a"),
    ("um", "a"),
    ("man", "men"),
];

/// Help that leaves a method to the user's own code, beside the options that it has. Nothing enforces
/// permissions yet, so naming one would be a warning.
pub(super) fn by_hand(context: &Context, method: &MethodDescriptor) -> String {
    let Ok(Some(options)) = context.reader.method(method) else {
        return "write `option (prism.method) = {operation: OPERATION_CUSTOM, require_auth: false};` \
                to implement it in Rust"
            .to_owned();
    };
    let value = &options.value;
    let mut written = Vec::new();
    let mut replaced = Vec::new();
    match value.operation() {
        spec::Operation::Unspecified => written.push("operation = OPERATION_CUSTOM"),
        own => replaced.push(format!("`OPERATION_CUSTOM` in the place of `{}`", own.as_str_name())),
    }
    match value.require_auth {
        Some(true) => replaced.push("`require_auth: false`".to_owned()),
        None if value.required_permissions.is_empty() => written.push("require_auth = false"),
        _ => {}
    }
    let written = written.into_iter().map(|it| format!("`option (prism.method).{it};`"));
    let parts: Vec<String> = replaced.into_iter().chain(written).collect();
    let remove = if value.entity.is_empty() { "" } else { "remove `entity` and " };
    format!("{remove}write {} to implement it in Rust", parts.join(" and "))
}

/// Why the method is bound to nothing, and what to write instead. Each form passes the check of the
/// method's name.
pub(super) fn advice(
    context: &Context,
    method: &MethodDescriptor,
    entity: &Entity,
    entities: &[Entity],
) -> (String, String) {
    let unbound = Unbound { method, entity, by_hand: by_hand(context, method) };
    if let Some(operation) = unbound.later() {
        let why = format!("Prism {VERSION} does not bind {operation} yet");
        return (why, unbound.by_hand);
    }
    let why = "neither its name nor an option says what it does".to_owned();
    (why, unbound.help(entities))
}

/// Operations of the contract that this version does not bind, as method names begin with them.
fn later() -> impl Iterator<Item = String> {
    let known = (0..i32::from(u8::MAX)).filter_map(|value| spec::Operation::try_from(value).ok());
    let refused = known.map(|it| it.as_str_name()).filter(|name| support::is_refused(name));
    refused.map(|name| name.trim_start_matches("OPERATION_").to_upper_camel_case())
}

struct Unbound<'a> {
    method: &'a MethodDescriptor,
    entity: &'a Entity,
    /// Help that leaves the method to the user's own code.
    by_hand: String,
}

impl Unbound<'_> {
    fn singular(&self) -> &str {
        self.entity.message.name()
    }

    fn plural(&self) -> Option<&str> {
        self.entity.plural.as_deref()
    }

    /// Whether no method of the service has the name.
    fn is_free(&self, name: &str) -> bool {
        !self.method.parent_service().methods().any(|method| method.name() == name)
    }

    /// Names that would bind the method.
    fn standard_names(&self) -> Vec<String> {
        let names = operation::ALL
            .iter()
            .map(|operation| operation::standard_name(*operation, self.singular(), self.plural()));
        names.filter(|name| self.is_free(name)).collect()
    }

    /// The operation of a later version that the name says, maybe with a typing error.
    fn later(&self) -> Option<String> {
        let name = self.method.name();
        let plural = operation::standard_name(Operation::List, self.singular(), self.plural());
        let objects = [self.singular(), plural.trim_start_matches("List")];
        let said = |verb: &String| {
            let rest = name.strip_prefix(verb.as_str());
            rest.is_some_and(|rest| operation::names(rest, self.singular(), self.plural()))
        };
        let known = VERBS.iter().any(|(verb, _)| name.starts_with(verb));
        let exact = later().find(said);
        if exact.is_some() || known {
            return exact;
        }
        let names: Vec<(String, String)> = later()
            .flat_map(|verb| objects.map(|object| (format!("{verb}{object}"), verb.clone())))
            .collect();
        let standard = self.standard_names();
        let all = names.iter().map(|(name, _)| name).chain(&standard);
        let close = suggest::misspelt(name, all.map(String::as_str))?;
        names.iter().find(|(name, _)| name == close).map(|(_, verb)| verb.clone())
    }

    fn help(&self, entities: &[Entity]) -> String {
        let name = self.method.name();
        let verb = VERBS
            .iter()
            .find_map(|(verb, operation)| Some((*verb, *operation, name.strip_prefix(verb)?)));
        let Some((verb, operation, rest)) = verb else { return self.misspelt() };
        let own =
            |other: &&Entity| operation::names(rest, other.message.name(), other.plural.as_deref());
        let mut others = entities.iter().filter(|it| it.message != self.entity.message);
        if let Some(other) = others.find(own) {
            let other = other.message.full_name();
            return format!("name the entity: `option (prism.method).entity = \".{other}\";`");
        }
        let many = returns_many(self.method, self.entity);
        let operation = match operation {
            Operation::Get if many => Operation::List,
            other => other,
        };
        let option = option(operation);
        if operation::names(rest, self.singular(), self.plural()) {
            return self.renamed(operation);
        }
        if matches!(verb, "List" | "BatchGet") && is_word(rest) {
            if let Some(help) = self.plural_help(operation, rest, many) {
                return help;
            }
        } else if suggest::misspelt(rest, [self.singular()]).is_some() && !many {
            return self.renamed(operation);
        }
        if rest.starts_with(self.singular()) || many {
            return format!("{option}, or {}", self.by_hand);
        }
        self.misspelt()
    }

    /// Help that gives the method the name of its operation, if no other method has it.
    fn renamed(&self, operation: Operation) -> String {
        let option = option(operation);
        let name = operation::standard_name(operation, self.singular(), self.plural());
        match self.is_free(&name) {
            true => format!("call it `{name}`, or {option}"),
            false => format!("{option}, or {}", self.by_hand),
        }
    }

    /// Help for `List` or `BatchGet` and a word that is not the entity's plural.
    fn plural_help(&self, operation: Operation, rest: &str, many: bool) -> Option<String> {
        let singular = self.singular();
        let write = format!("write `plural: \"{rest}\"` in the (prism.message) of `{singular}`");
        let usual = operation::plurals(singular);
        let is_typing_error = |text: &str| {
            let close = suggest::misspelt(text, usual.iter().map(String::as_str)).is_some();
            close && !is_irregular(singular, text)
        };
        let Some(given) = self.plural() else {
            if is_typing_error(rest) {
                return Some(self.renamed(operation));
            }
            let longer = usual.iter().any(|plural| rest.ends_with(plural.as_str()));
            let plain = many && !longer && !rest.contains("By");
            return plain.then(|| format!("{write}, or {}", option(operation)));
        };
        let is_usual = usual.iter().any(|plural| plural == rest);
        if is_usual && is_typing_error(given) {
            return Some(format!("{write}, or {}", option(operation)));
        }
        let close = is_usual || suggest::misspelt(rest, [given]).is_some();
        close.then(|| self.renamed(operation))
    }

    /// Help for a method whose name begins with no verb of an operation.
    fn misspelt(&self) -> String {
        let names = self.standard_names();
        match suggest::misspelt(self.method.name(), names.iter().map(String::as_str)) {
            Some(close) => format!("call it `{close}`, or {}", self.by_hand),
            None => self.by_hand.clone(),
        }
    }
}

/// Help that says the operation in an option.
fn option(operation: Operation) -> String {
    let value = heck::ToShoutySnakeCase::to_shouty_snake_case(format!("{operation:?}").as_str());
    format!("write `option (prism.method).operation = OPERATION_{value};`")
}

fn is_irregular(singular: &str, plural: &str) -> bool {
    IRREGULAR.iter().any(|(one, many)| {
        let stem = singular.strip_suffix(one);
        stem.is_some_and(|stem| plural.strip_suffix(many) == Some(stem))
    })
}

/// Whether the response has a list of the entity.
fn returns_many(method: &MethodDescriptor, entity: &Entity) -> bool {
    let of_entity =
        |kind: Kind| matches!(kind, Kind::Message(message) if message == entity.message);
    method.output().fields().any(|field| field.is_list() && of_entity(field.kind()))
}

/// Whether a text can be a plural: letters and digits, the first one a capital.
fn is_word(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_uppercase())
        && text.chars().all(|it| it.is_ascii_alphanumeric())
}
