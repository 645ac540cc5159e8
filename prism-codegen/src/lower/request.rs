//! The request of a bound method: every field has one role.

use prism_options::spec::{self, FieldSpec};
use prism_options::{OptionSet, Span};
use prism_schema::{Operation, RequestField, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::condition;
use super::context::Context;
use super::entity::Lowered;
use super::{keys, operation, types};
use crate::diagnostics::catalog::{role as catalog, service};
use crate::diagnostics::suggest;

/// A bound method, and what its parts are judged by.
pub(super) struct Bound<'a> {
    pub context: &'a Context<'a>,
    pub entity: &'a Lowered,
    pub operation: Operation,
    pub method: &'a str,
    /// Where the RPC names its request.
    pub input_span: Span,
    /// Where the RPC names its response.
    pub output_span: Span,
}

/// A request field under judgement.
pub(super) struct Candidate {
    pub field: FieldDescriptor,
    pub options: OptionSet<FieldSpec>,
    /// The role's annotation, or the field's name where there is none.
    pub span: Span,
}

impl Candidate {
    pub fn name(&self) -> &str {
        self.field.name()
    }

    /// The name of the entity's field that this one stands for.
    pub fn target(&self) -> &str {
        match self.options.value.entity_field.as_str() {
            "" => self.field.name(),
            other => other,
        }
    }

    pub fn target_span(&self) -> &Span {
        match self.options.value.entity_field.is_empty() {
            true => &self.span,
            false => self.options.span("entity_field"),
        }
    }
}

impl Bound<'_> {
    /// The fields of the request with their roles, and the place of each.
    pub fn request(&self, message: &MessageDescriptor) -> (Vec<RequestField>, Vec<Span>) {
        if message == &self.entity.message {
            let name = self.entity.message.name();
            self.context.report(service::request_is_entity(&self.input_span, self.method, name));
            return (Vec::new(), Vec::new());
        }
        let mut found: Vec<(RequestField, Span)> = Vec::new();
        let mut attempted: Vec<Role> = Vec::new();
        for field in message.fields() {
            let candidate = self.candidate(field);
            let Some(role) = self.role(&candidate) else { continue };
            attempted.push(role);
            let Some(request) = self.field(&candidate, role) else { continue };
            let twin = found
                .iter()
                .find(|(other, _)| other.role == request.role && other.field == request.field);
            if let Some((_, first)) = twin {
                let role = operation::role_name(request.role);
                let found = catalog::duplicate_role(&candidate.span, candidate.name(), role);
                self.context.report(found.with(first, "the first is here"));
                continue;
            }
            found.push((request, candidate.span));
        }
        self.check_complete(message, &found, &attempted);
        found.into_iter().unzip()
    }

    pub(super) fn candidate(&self, field: FieldDescriptor) -> Candidate {
        let options = self.context.field(&field);
        let span = match options.value.role {
            0 => self.context.reader.name_span(&field),
            _ => options.span("role").clone(),
        };
        Candidate { field, options, span }
    }

    fn field(&self, candidate: &Candidate, role: Role) -> Option<RequestField> {
        if !operation::roles(self.operation).contains(&role) {
            let takes = operation::takes(self.operation);
            let (role, own) = (operation::role_name(role), format!("{:?}", self.operation));
            self.context.report(catalog::role_unfit(&candidate.span, role, &own, &takes));
            return None;
        }
        let stands = matches!(role, Role::Key | Role::Keys) || operation::is_condition(role);
        if !stands && !candidate.options.value.entity_field.is_empty() {
            let place = format!("beside the role {}", operation::role_name(role));
            let span = candidate.target_span();
            self.context.report(catalog::entity_field_unused(span, candidate.name(), &place));
        }
        let (field, parts) = match role {
            Role::Key => (keys::key(self, candidate)?, Vec::new()),
            Role::Keys => keys::keys(self, candidate)?,
            _ if stands => (condition::target(self, candidate, role)?, Vec::new()),
            _ => {
                self.check_plain(candidate, role)?;
                (0, Vec::new())
            }
        };
        Some(RequestField {
            number: candidate.field.number(),
            name: candidate.name().to_owned(),
            role,
            field,
            presence: candidate.field.supports_presence(),
            parts,
        })
    }

    /// The role that is annotated, or the one that name and type say.
    fn role(&self, candidate: &Candidate) -> Option<Role> {
        let span = candidate.options.span("role");
        let own: spec::Role =
            self.context.choice(candidate.options.value.role, span, "prism.field");
        let keyed =
            matches!(self.operation, Operation::Get | Operation::Delete | Operation::Undelete);
        match own {
            spec::Role::Unspecified => self.implied(candidate),
            spec::Role::Custom => {
                let name = candidate.name();
                self.context.report(catalog::ignored(span, name, self.method));
                None
            }
            spec::Role::NextPageToken => {
                let takes = operation::takes(self.operation);
                let operation = format!("{:?}", self.operation);
                let found =
                    catalog::role_unfit(span, "next_page_token in a request", &operation, &takes);
                self.context.report(found);
                None
            }
            spec::Role::Equals if keyed && self.is_key(candidate.target()) => Some(Role::Key),
            other => explicit(other),
        }
    }

    fn implied(&self, candidate: &Candidate) -> Option<Role> {
        let allowed = operation::roles(self.operation);
        let named = by_name(candidate.name()).filter(|role| allowed.contains(role));
        let target = candidate.target();
        let mapped = !candidate.options.value.entity_field.is_empty();
        let role = match self.operation {
            _ if named.is_some() && !mapped => named,
            Operation::Get | Operation::Delete | Operation::Undelete => {
                (mapped || self.is_key(target)).then_some(Role::Key)
            }
            Operation::BatchGet => keys::is_named(self, candidate).then_some(Role::Keys),
            Operation::List => {
                let known = self.column(target).is_some() && !candidate.field.is_list();
                (mapped || known).then_some(Role::Equals)
            }
            _ => self.holds_entity(candidate).then_some(Role::Entity),
        };
        if role.is_none() {
            self.report_no_role(candidate);
        }
        role
    }

    fn report_no_role(&self, candidate: &Candidate) {
        let name = candidate.name();
        let operation = format!("{:?}", self.operation);
        let entity = self.entity.message.name();
        let fields = self.entity.message.fields().map(|it| it.name().to_owned());
        let fields: Vec<String> = match self.operation {
            Operation::List => fields.collect(),
            _ => self.key_names(),
        };
        let known = fields.iter().map(String::as_str).chain(PLAIN.iter().map(|(name, _)| *name));
        let help = if by_name(name).is_some() {
            format!("remove it: {operation} takes {}", operation::takes(self.operation))
        } else if candidate.field.is_list() && fields.iter().any(|it| it == name) {
            "mark it `[(prism.field).role = ROLE_ANY_OF]` to match any of its values".to_owned()
        } else if let Some(close) = suggest::closest(name, known) {
            format!("call it `{close}`, or remove it")
        } else {
            format!(
                "remove it, or say what it is for with `(prism.field).role`, or which field of \
                 `{entity}` it stands for with `(prism.field).entity_field`"
            )
        };
        let message = candidate.field.parent_message().name();
        self.context.report(catalog::no_role(&candidate.span, name, message, &operation, &help));
    }

    /// Type and feasibility of the roles that do not stand for a field.
    fn check_plain(&self, candidate: &Candidate, role: Role) -> Option<()> {
        let entity = self.entity.message.full_name();
        let wanted = match role {
            Role::PageSize => "int32",
            Role::AllowMissing | Role::ShowDeleted => "bool",
            Role::UpdateMask => "google.protobuf.FieldMask",
            Role::Entity => entity,
            _ => "string",
        };
        let actual = types::declared(&candidate.field);
        if actual != wanted {
            let (name, role) = (candidate.name(), operation::role_name(role));
            let span = self.context.reader.name_span(&candidate.field);
            self.context.report(catalog::role_type(&span, name, role, wanted, &actual));
            return None;
        }
        let (managed, kind, ty) = match role {
            Role::Etag => (prism_schema::Managed::Etag, "MANAGED_ETAG", "string"),
            Role::ShowDeleted => (
                prism_schema::Managed::DeleteTime,
                "MANAGED_DELETE_TIME",
                "google.protobuf.Timestamp",
            ),
            _ => return Some(()),
        };
        if self.entity.model.schema.managed(managed).is_none() {
            let (role, entity) = (operation::role_name(role), self.entity.message.name());
            let found = catalog::role_unsupported(&candidate.span, role, entity, kind, ty);
            self.context.report(found);
        }
        Some(())
    }

    fn holds_entity(&self, candidate: &Candidate) -> bool {
        let singular = !candidate.field.is_list();
        singular && matches!(candidate.field.kind(), Kind::Message(it) if it == self.entity.message)
    }

    pub(super) fn column(&self, field: &str) -> Option<&prism_schema::Column> {
        self.entity.model.schema.column_of_field(field)
    }

    pub(super) fn is_key(&self, field: &str) -> bool {
        let schema = &self.entity.model.schema;
        self.column(field).is_some_and(|column| schema.is_key(column.number))
    }

    /// Field names of the entity's key, in its order.
    pub(super) fn key_names(&self) -> Vec<String> {
        let schema = &self.entity.model.schema;
        let columns = schema.key.iter().filter_map(|number| schema.column(*number));
        columns.map(|column| column.field.clone()).collect()
    }

    /// What the operation cannot do without. A field that failed for another reason is not
    /// reported as missing too.
    fn check_complete(
        &self,
        message: &MessageDescriptor,
        found: &[(RequestField, Span)],
        attempted: &[Role],
    ) {
        let entity = self.entity.message.name();
        let snake = heck::ToSnakeCase::to_snake_case(entity);
        let full = self.entity.message.full_name();
        let missing: &[(Role, &str, String)] = match self.operation {
            Operation::Get | Operation::Delete | Operation::Undelete => {
                return keys::check_complete(self, message, found);
            }
            Operation::BatchGet => &[(Role::Keys, "keys", keys::declaration(self))],
            Operation::List => &[(Role::PageToken, "page_token", "string page_token".to_owned())],
            Operation::Create | Operation::Put => {
                &[(Role::Entity, "entity", format!("{full} {snake}"))]
            }
            Operation::Update => &[
                (Role::Entity, "entity", format!("{full} {snake}")),
                (
                    Role::UpdateMask,
                    "update_mask",
                    "google.protobuf.FieldMask update_mask".to_owned(),
                ),
            ],
        };
        for (_, what, declaration) in missing.iter().filter(|(it, ..)| !attempted.contains(it)) {
            self.report_missing(message, what, declaration);
        }
    }

    pub(super) fn report_missing(
        &self,
        message: &MessageDescriptor,
        what: &str,
        declaration: &str,
    ) {
        let help =
            format!("add `{declaration} = {};` to `{}`", next_number(message), message.name());
        let found =
            catalog::missing_role(&self.input_span, self.method, message.name(), what, &help);
        self.context.report(found.with(&self.context.reader.name_span(message), "declared here"));
    }
}

/// Names that stand for a role of their own.
const PLAIN: &[(&str, Role)] = &[
    ("update_mask", Role::UpdateMask),
    ("page_size", Role::PageSize),
    ("page_token", Role::PageToken),
    ("order_by", Role::OrderBy),
    ("etag", Role::Etag),
    ("request_id", Role::RequestId),
    ("allow_missing", Role::AllowMissing),
    ("show_deleted", Role::ShowDeleted),
];

fn by_name(name: &str) -> Option<Role> {
    PLAIN.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

fn explicit(role: spec::Role) -> Option<Role> {
    Some(match role {
        spec::Role::Entity => Role::Entity,
        spec::Role::UpdateMask => Role::UpdateMask,
        spec::Role::PageSize => Role::PageSize,
        spec::Role::PageToken => Role::PageToken,
        spec::Role::OrderBy => Role::OrderBy,
        spec::Role::Etag => Role::Etag,
        spec::Role::RequestId => Role::RequestId,
        spec::Role::AllowMissing => Role::AllowMissing,
        spec::Role::ShowDeleted => Role::ShowDeleted,
        spec::Role::Equals => Role::Equals,
        spec::Role::AtLeast => Role::AtLeast,
        spec::Role::LessThan => Role::LessThan,
        spec::Role::AnyOf => Role::AnyOf,
        spec::Role::Prefix => Role::Prefix,
        spec::Role::Keys => Role::Keys,
        _ => return None,
    })
}

/// A field number that the message has not used.
pub(super) fn next_number(message: &MessageDescriptor) -> u32 {
    let used = message.fields().map(|field| field.number()).max().unwrap_or_default();
    let reserved = message.reserved_ranges().map(|range| range.end - 1).max().unwrap_or_default();
    used.max(reserved) + 1
}
