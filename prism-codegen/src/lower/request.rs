//! The request of a bound method: every field has one role.

use prism_options::spec::{self, FieldSpec};
use prism_options::{Behavior, OptionSet, Span};
use prism_schema::{Operation, RequestField, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::condition;
use super::context::Context;
use super::entity::Lowered;
use super::needs::{self, Declaration};
use super::{keys, oneofs, operation, types, unbindable};
use crate::diagnostics::catalog::{role as catalog, service};

/// A bound method, and what its parts are judged by.
pub(super) struct Bound<'a> {
    pub context: &'a Context<'a>,
    pub entity: &'a Lowered,
    pub operation: Operation,
    pub method: &'a str,
    /// The file that the method is in.
    pub file: prost_reflect::FileDescriptor,
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
            let declaration = needs::declaration(self);
            let found =
                service::request_is_entity(&self.input_span, self.method, name, &declaration);
            self.context.report(found);
            return (Vec::new(), Vec::new());
        }
        let mut found: Vec<(RequestField, Span)> = Vec::new();
        // A field whose role is not clear counts as what it was probably meant to be.
        let mut attempted: Vec<Role> = Vec::new();
        for field in message.fields() {
            let candidate = self.candidate(field);
            let Some(role) = self.role(&candidate) else {
                attempted.extend(needs::meant(self, &candidate));
                continue;
            };
            attempted.push(role);
            let Some(request) = self.field(&candidate, role) else { continue };
            // The keys of records are given once, in whatever form.
            let same = |other: &RequestField| role == Role::Keys || other.field == request.field;
            let twin = found.iter().find(|(other, _)| other.role == request.role && same(other));
            if let Some((_, first)) = twin {
                let role = operation::role_name(request.role);
                let found = catalog::duplicate_role(&candidate.span, candidate.name(), role);
                self.context.report(found.with(first, "the first is here"));
                continue;
            }
            found.push((request, candidate.span));
        }
        self.check_complete(message, &found, &attempted);
        self.check_oneofs(message, &found);
        found.into_iter().unzip()
    }

    fn check_oneofs(&self, message: &MessageDescriptor, found: &[(RequestField, Span)]) {
        let members = found.iter().filter_map(|(request, span)| {
            let field = message.get_field(request.number)?;
            let (span, needed) = (span.clone(), oneofs::is_needed(request.role));
            Some(oneofs::Member { field, span, needed })
        });
        oneofs::check(self.context, &members.collect::<Vec<_>>());
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
                self.context.report(catalog::ignored(span, name, self.method, unbindable::BY_HAND));
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
        let operation = format!("{:?}", self.operation);
        let help = needs::help(self, candidate);
        let message = candidate.field.parent_message().name();
        let name = candidate.name();
        self.context.report(catalog::no_role(&candidate.span, name, message, &operation, &help));
    }

    /// Type and feasibility of the roles that do not stand for a field.
    fn check_plain(&self, candidate: &Candidate, role: Role) -> Option<()> {
        let wanted = self.type_of(role);
        let actual = types::declared(&candidate.field);
        if actual != wanted {
            let (name, role) = (candidate.name(), operation::role_name(role));
            let span = self.context.reader.name_span(&candidate.field);
            self.context.report(catalog::role_type(&span, name, role, wanted, &actual));
            return None;
        }
        let behaviors = self.context.reader.behaviors(&candidate.field);
        if role == Role::PageToken && behaviors.contains(Behavior::Required) {
            self.context.report(catalog::required_token(&behaviors.span, candidate.name()));
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

    /// The type of a field with a role that does not stand for a field of the entity.
    pub(super) fn type_of(&self, role: Role) -> &str {
        match role {
            Role::PageSize => "int32",
            Role::AllowMissing | Role::ShowDeleted => "bool",
            Role::UpdateMask => "google.protobuf.FieldMask",
            Role::Entity => self.entity.message.full_name(),
            _ => "string",
        }
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
        let mut numbers = free_numbers(message);
        if matches!(self.operation, Operation::Get | Operation::Delete | Operation::Undelete) {
            return keys::check_complete(self, message, found, &mut numbers);
        }
        let missing = needs::of(self).into_iter().filter(|it| !attempted.contains(&it.role));
        for need in missing {
            self.report_missing(message, need.what, &need.declaration, &mut numbers);
        }
    }

    /// Reports that the request lacks a field. `numbers` are those that the help may propose.
    pub(super) fn report_missing(
        &self,
        message: &MessageDescriptor,
        what: &str,
        declaration: &Declaration,
        numbers: &mut impl Iterator<Item = u32>,
    ) {
        let field = declaration.numbered(numbers.next().unwrap_or_default());
        let before = match &declaration.first {
            Some(first) => format!("{first}, and "),
            None => String::new(),
        };
        let help = format!("{before}add `{field}` to `{}`", message.name());
        let found =
            catalog::missing_role(&self.input_span, self.method, message.name(), what, &help);
        self.context.report(found.with(&self.context.reader.name_span(message), "declared here"));
    }
}

/// Names that stand for a role of their own.
pub(super) const PLAIN: &[(&str, Role)] = &[
    ("update_mask", Role::UpdateMask),
    ("page_size", Role::PageSize),
    ("page_token", Role::PageToken),
    ("order_by", Role::OrderBy),
    ("etag", Role::Etag),
    ("request_id", Role::RequestId),
    ("allow_missing", Role::AllowMissing),
    ("show_deleted", Role::ShowDeleted),
];

pub(super) fn by_name(name: &str) -> Option<Role> {
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

/// Field numbers that the message has not used, upwards.
pub(super) fn free_numbers(message: &MessageDescriptor) -> impl Iterator<Item = u32> + use<> {
    let used = message.fields().map(|field| field.number()).max().unwrap_or_default();
    let reserved = message.reserved_ranges().map(|range| range.end - 1).max().unwrap_or_default();
    let extended = message.extension_ranges().map(|range| range.end - 1).max().unwrap_or_default();
    // protobuf keeps 19000 to 19999 for itself.
    (used.max(reserved).max(extended) + 1..).filter(|number| !(19_000..20_000).contains(number))
}
