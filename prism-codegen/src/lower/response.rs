//! The answer of a bound method.

use prism_options::spec;
use prism_schema::{Operation, Response, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::proposal::{Declaration, entity_field};
use super::request::Bound;
use super::{operation, support, types};
use crate::diagnostics::catalog::{role as catalog, service};

/// The fields of a response that mean something.
#[derive(Default)]
struct Fields {
    /// The entity, or the list of entities.
    entity: Option<FieldDescriptor>,
    next_page_token: Option<FieldDescriptor>,
}

impl Bound<'_> {
    /// Where the answer goes; `None` after an error.
    pub fn response(&self, message: &MessageDescriptor, allow_missing: bool) -> Option<Response> {
        let judge = || self.judge_response(message, allow_missing);
        let help = || match self.is_list() {
            true => self.list_help(message),
            false => self.single_help(),
        };
        self.of_others(message, &self.output_span, judge, help)
    }

    fn is_list(&self) -> bool {
        matches!(self.operation, Operation::List | Operation::BatchGet)
    }

    fn judge_response(&self, message: &MessageDescriptor, allow_missing: bool) -> Option<Response> {
        let list = self.is_list();
        if *message == self.entity.message && !list {
            if self.operation == Operation::Delete && allow_missing {
                let found = catalog::missing_and_entity(&self.output_span, self.method);
                self.context.report(found);
            }
            return Some(Response::Entity);
        }
        if self.is_misfit(message, list) {
            self.report_misfit(message, list);
            return None;
        }
        let Some(fields) = self.response_fields(message, list) else {
            self.check_token(message);
            return None;
        };
        if list {
            return self.list(message, fields);
        }
        match fields.entity {
            Some(field) => {
                if self.operation == Operation::Delete && allow_missing {
                    self.check_required(&field, "with allow_missing there may be no record");
                }
                Some(Response::Field(field.number()))
            }
            None if self.operation == Operation::Delete => Some(Response::Empty),
            // A misfit, which has been reported.
            None => None,
        }
    }

    /// Whether the message as a whole is the wrong one; what its fields lack is not reported then.
    fn is_misfit(&self, message: &MessageDescriptor, list: bool) -> bool {
        let delete = self.operation == Operation::Delete;
        let foreign = self.is_of_another(message, "Response");
        let (mut holds, mut token, mut others) = (false, false, false);
        for field in message.fields() {
            let role = self.candidate(field.clone()).options.value.role();
            let plain = role == spec::Role::Unspecified;
            let entity = role == spec::Role::Entity || (plain && self.is_entity(&field));
            let named = plain && field.name() == "next_page_token";
            holds |= entity && (list || !field.is_list() || !foreign);
            token |= named || role == spec::Role::NextPageToken;
            others |= plain && !entity && !(named && self.operation == Operation::List);
        }
        if self.is_entity_message(message) {
            return true;
        }
        let lacks = !holds || (self.operation == Operation::List && !token);
        match list {
            true => (!holds && others) || (foreign && (lacks || others)),
            false => !holds && !delete,
        }
    }

    /// Reports that a List whose other fields are wrong has no token either.
    fn check_token(&self, message: &MessageDescriptor) {
        let is_token = |field: &FieldDescriptor| {
            let role = self.candidate(field.clone()).options.value.role();
            field.name() == "next_page_token"
                || role == spec::Role::NextPageToken
                || self.is_meant_as_token(field)
        };
        if self.operation == Operation::List && !message.fields().any(|it| is_token(&it)) {
            let help = next_page_token().added(self.context, message);
            self.report_shape(message, "`next_page_token`", &help);
        }
    }

    fn report_misfit(&self, message: &MessageDescriptor, list: bool) {
        let name = self.entity.message.name();
        if list {
            let lists = self.repeated_of_another(message);
            let help = lists.unwrap_or_else(|| self.list_help(message));
            self.report_shape(message, &format!("repeated `{name}`"), &help);
        } else {
            self.report_shape(message, &format!("`{name}`"), &self.single_help());
        }
    }

    /// Help for an operation on one record whose response is not the message that it needs.
    fn single_help(&self) -> String {
        let full = self.entity.message.full_name();
        let import = types::import(&self.file, full);
        let other = match self.operation {
            Operation::Delete => ", or a message without fields",
            _ => "",
        };
        format!("{import}return `{full}`{other}")
    }

    /// Help for a response of this method that lists messages other than the entity.
    fn repeated_of_another(&self, message: &MessageDescriptor) -> Option<String> {
        if self.is_entity_message(message) || self.is_of_another(message, "Response") {
            return None;
        }
        let is_other = |field: &FieldDescriptor| {
            let role = self.candidate(field.clone()).options.value.role();
            role == spec::Role::Unspecified && field.name() != "next_page_token"
        };
        let others: Vec<FieldDescriptor> = message.fields().filter(is_other).collect();
        let [field] = others.as_slice() else { return None };
        let full = self.entity.message.full_name();
        (field.is_list() || field.is_map())
            .then(|| format!("declare `{}` as `repeated {full}`", field.name()))
    }

    fn list(&self, message: &MessageDescriptor, fields: Fields) -> Option<Response> {
        let missing = |wanted: &str, field: Declaration| {
            let help = field.added(self.context, message);
            self.report_shape(message, wanted, &help);
        };
        if fields.entity.is_none() {
            let wanted = format!("repeated `{}`", self.entity.message.name());
            missing(&wanted, self.items());
        }
        if let Some(token) = &fields.next_page_token {
            self.check_required(token, "the last page has none");
        }
        let token = fields.next_page_token.map(|field| field.number());
        if self.operation == Operation::List && token.is_none() {
            missing("`next_page_token`", next_page_token());
            return None;
        }
        Some(Response::List {
            items: fields.entity?.number(),
            next_page_token: token.unwrap_or_default(),
        })
    }

    /// The declaration of a list of entities.
    fn items(&self) -> Declaration {
        let entity = &self.entity.message;
        let plural = operation::plurals(&entity_field(entity)).swap_remove(0);
        Declaration::new(format!("repeated {}", entity.full_name()), plural)
    }

    /// Help for a List or BatchGet whose response is not the message that it needs.
    pub(super) fn list_help(&self, message: &MessageDescriptor) -> String {
        let token = match self.operation {
            Operation::List => format!(" {}", next_page_token().numbered(&self.file, 2)),
            _ => String::new(),
        };
        let (name, items) = (format!("{}Response", self.method), self.items());
        let first = items.first(&self.file);
        let own = format!("message {name} {{ {}{token} }}", items.numbered(&self.file, 1));
        match self.sibling(&name) {
            Some(sibling) if sibling == *message => format!("{first}declare it as `{own}`"),
            Some(sibling) if self.returns(&sibling) => {
                format!("{}return `{name}`", types::import(&self.file, sibling.full_name()))
            }
            Some(_) => format!("{first}declare it anew as `{own}`, and return `{name}`"),
            None => format!("{first}declare `{own}`, and return `{name}`"),
        }
    }

    /// Whether a message would do as the response.
    fn returns(&self, message: &MessageDescriptor) -> bool {
        let (_, found) = self.context.apart(|| self.judge_response(message, false));
        !found.has_errors()
    }

    /// Reports that the method streams its response, which no operation does.
    pub fn report_streaming(&self, message: &MessageDescriptor) {
        let remove = match self.is_list() && *message == self.entity.message {
            true => format!("remove `stream`: {}", self.list_help(message)),
            false => "remove `stream`".to_owned(),
        };
        let help = format!("{remove}, or {}", self.by_hand);
        let operation = format!("{:?}", self.operation);
        let found = service::bound_streaming(&self.output_span, self.method, &operation, &help);
        self.context.report(found);
    }

    /// Reports a field of proto2 that readers insist on and that some responses do not have.
    fn check_required(&self, field: &FieldDescriptor, why: &str) {
        if field.is_required() {
            let span = self.context.reader.name_span(field);
            let (message, declaration) = (field.parent_message(), types::declaration(field));
            let (name, message) = (field.name(), message.name());
            self.context.report(catalog::left_out(&span, name, message, why, &declaration));
        }
    }

    fn report_shape(&self, message: &MessageDescriptor, wanted: &str, help: &str) {
        let found =
            catalog::response_shape(&self.output_span, self.method, message.name(), wanted, help);
        self.context.report(found);
    }

    /// Sorts the fields by role; `None` where one has none.
    fn response_fields(&self, message: &MessageDescriptor, list: bool) -> Option<Fields> {
        let mut fields = Fields::default();
        let mut sound = true;
        for field in message.fields() {
            let candidate = self.candidate(field.clone());
            let own = candidate.options.value.role();
            let token = own == spec::Role::NextPageToken
                || (own == spec::Role::Unspecified && field.name() == "next_page_token");
            let entity = own == spec::Role::Entity
                || (own == spec::Role::Unspecified && self.is_entity(&field));
            let slot = match () {
                () if own == spec::Role::Custom => {
                    self.check_required(&field, "ROLE_CUSTOM leaves it to methods of your own");
                    continue;
                }
                // Reported where the annotation was read.
                () if support::is_refused(own.as_str_name()) => {
                    sound = false;
                    continue;
                }
                () if token && self.operation == Operation::List => &mut fields.next_page_token,
                () if entity => &mut fields.entity,
                () => {
                    self.report_response_field(&candidate, own);
                    sound = false;
                    continue;
                }
            };
            let wanted = if token {
                "string".to_owned()
            } else {
                let prefix = if list { "repeated " } else { "" };
                format!("{prefix}{}", self.entity.message.full_name())
            };
            let role = if token { "next_page_token" } else { "the entity" };
            let actual = types::declared(&field);
            if actual != wanted {
                let span = self.context.reader.name_span(&field);
                let import = types::import(&field.parent_file(), &wanted);
                let found =
                    catalog::role_type(&span, field.name(), role, &wanted, &actual, &import);
                self.context.report(found);
                sound = false;
            } else if let Some(first) = slot.replace(field.clone()) {
                let found = catalog::duplicate_role(&candidate.span, field.name(), role);
                let first = self.context.reader.name_span(&first);
                self.context.report(found.with(&first, "the first is here"));
                sound = false;
            }
        }
        sound.then_some(fields)
    }

    fn is_entity(&self, field: &FieldDescriptor) -> bool {
        matches!(field.kind(), Kind::Message(it) if it == self.entity.message) && !field.is_map()
    }

    /// Whether a field without a role is the only one that could be the next page's token.
    fn is_meant_as_token(&self, field: &FieldDescriptor) -> bool {
        let names_it = |it: &FieldDescriptor| {
            let role = self.candidate(it.clone()).options.value.role();
            it.name() == "next_page_token" || role == spec::Role::NextPageToken
        };
        let like = |it: &FieldDescriptor| {
            let name = it.name().to_ascii_lowercase();
            let named = ["token", "cursor", "next"].iter().any(|part| name.contains(part));
            named && types::declared(it) == "string"
        };
        let message = field.parent_message();
        self.operation == Operation::List
            && !message.fields().any(|it| names_it(&it))
            && message.fields().find(like).as_ref() == Some(field)
    }

    fn report_response_field(&self, candidate: &super::request::Candidate, own: spec::Role) {
        let operation = format!("{:?}", self.operation);
        let answers = match self.operation {
            Operation::List => "the repeated entity and next_page_token",
            Operation::BatchGet => "the repeated entity",
            _ => "the entity",
        };
        let found = if own == spec::Role::Unspecified {
            let message = candidate.field.parent_message().name();
            let help = match self.is_meant_as_token(&candidate.field) {
                true => "call it `next_page_token`, or mark it \
                         `[(prism.field).role = ROLE_NEXT_PAGE_TOKEN]`"
                    .to_owned(),
                false => format!(
                    "remove it, or mark it `[(prism.field).role = ROLE_CUSTOM]`: {operation} fills \
                     in {answers}"
                ),
            };
            catalog::no_role(&candidate.span, candidate.name(), message, &operation, &help)
        } else {
            let takes = format!("a response with {answers}");
            let what = format!("{} in its response", own.as_str_name());
            let help = format!("remove the field: {operation} takes {takes}");
            catalog::role_unfit(&candidate.span, &what, &operation, &help)
        };
        self.context.report(found);
    }
}

fn next_page_token() -> Declaration {
    Declaration::new("string", "next_page_token")
        .or_marked("(prism.field).role = ROLE_NEXT_PAGE_TOKEN")
}

/// Whether a request holds `allow_missing`.
pub(super) fn allows_missing(request: &[prism_schema::RequestField]) -> bool {
    request.iter().any(|field| field.role == Role::AllowMissing)
}
