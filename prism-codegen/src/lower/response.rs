//! The answer of a bound method.

use prism_options::spec;
use prism_schema::{Operation, Response, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::request::{Bound, free_numbers};
use super::{operation, support, types, unbindable};
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
        let list = matches!(self.operation, Operation::List | Operation::BatchGet);
        if *message == self.entity.message && !list {
            if self.operation == Operation::Delete && allow_missing {
                let found = catalog::missing_and_entity(&self.output_span, self.method);
                self.context.report(found);
            }
            return Some(Response::Entity);
        }
        if *message == self.entity.message {
            let wanted = format!("repeated `{}`", self.entity.message.name());
            self.report_shape(message, &wanted, &self.list_help());
            return None;
        }
        let fields = self.response_fields(message, list)?;
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
            None => {
                let entity = self.entity.message.name();
                let help = format!("answer with `{}`", self.entity.message.full_name());
                self.report_shape(message, &format!("`{entity}`"), &help);
                None
            }
        }
    }

    fn list(&self, message: &MessageDescriptor, fields: Fields) -> Option<Response> {
        let mut numbers = free_numbers(message);
        let mut missing = |wanted: &str, field: &str| {
            let number = numbers.next().unwrap_or_default();
            let help = format!("add `{field} = {number};` to `{}`", message.name());
            self.report_shape(message, wanted, &help);
        };
        if fields.entity.is_none() {
            let wanted = format!("repeated `{}`", self.entity.message.name());
            missing(&wanted, &self.items());
        }
        if let Some(token) = &fields.next_page_token {
            self.check_required(token, "the last page has none");
        }
        let token = fields.next_page_token.map(|field| field.number());
        if self.operation == Operation::List && token.is_none() {
            missing("`next_page_token`", "string next_page_token");
            return None;
        }
        Some(Response::List {
            items: fields.entity?.number(),
            next_page_token: token.unwrap_or_default(),
        })
    }

    /// The declaration of a list of entities.
    fn items(&self) -> String {
        let snake = heck::ToSnakeCase::to_snake_case(self.entity.message.name());
        let plural = operation::plurals(&snake).swap_remove(0);
        format!("repeated {} {plural}", self.entity.message.full_name())
    }

    /// Help for a List or BatchGet that returns no message of its own.
    pub(super) fn list_help(&self) -> String {
        let token = match self.operation {
            Operation::List => " string next_page_token = 2;",
            _ => "",
        };
        let (name, items) = (format!("{}Response", self.method), self.items());
        format!("declare `message {name} {{ {items} = 1;{token} }}`, and return `{name}`")
    }

    /// Reports that the method streams its response, which no operation does.
    pub fn report_streaming(&self, message: &MessageDescriptor) {
        let list = matches!(self.operation, Operation::List | Operation::BatchGet);
        let remove = match list && *message == self.entity.message {
            true => format!("remove `stream`: {}", self.list_help()),
            false => "remove `stream`".to_owned(),
        };
        let help = format!("{remove}, or {}", unbindable::BY_HAND);
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
                let found = catalog::role_type(&span, field.name(), role, &wanted, &actual);
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

    fn report_response_field(&self, candidate: &super::request::Candidate, own: spec::Role) {
        let operation = format!("{:?}", self.operation);
        let answers = match self.operation {
            Operation::List => "the repeated entity and next_page_token",
            Operation::BatchGet => "the repeated entity",
            _ => "the entity",
        };
        let found = if own == spec::Role::Unspecified {
            let message = candidate.field.parent_message().name();
            let help = format!(
                "remove it, or mark it `[(prism.field).role = ROLE_CUSTOM]`: {operation} fills in {answers}"
            );
            catalog::no_role(&candidate.span, candidate.name(), message, &operation, &help)
        } else {
            let takes = format!("a response with {answers}");
            let what = format!("{} in its response", own.as_str_name());
            catalog::role_unfit(&candidate.span, &what, &operation, &takes)
        };
        self.context.report(found);
    }
}

/// Whether a request holds `allow_missing`.
pub(super) fn allows_missing(request: &[prism_schema::RequestField]) -> bool {
    request.iter().any(|field| field.role == Role::AllowMissing)
}
