//! The request of a bound method: every field has one role.

use prism_options::spec::{self, FieldSpec};
use prism_options::{Behavior, OptionSet, Span};
use prism_schema::plan::{Comparison, Condition};
use prism_schema::sql::Visibility;
use prism_schema::{Operation, RequestField, Role};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::condition;
use super::context::Context;
use super::entity::Lowered;
use super::{keys, managed, needs, oneofs, operation, types};
use crate::diagnostics::catalog::{role as catalog, service};

/// A bound method, and what its parts are judged by.
pub(super) struct Bound<'a> {
    pub context: &'a Context<'a>,
    pub entity: &'a Lowered,
    pub operation: Operation,
    pub method: &'a str,
    /// Help that leaves the method to the user's own code.
    pub by_hand: String,
    /// Whether an option says that calls may be repeated.
    pub idempotent: bool,
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

/// The fields of a request, as far as they are understood.
#[derive(Default)]
pub(super) struct Sorted {
    pub found: Vec<(RequestField, Span)>,
    /// Roles that a field has or should have, and the number of the key's part that it stands for:
    /// such a field is not missing, even if it is wrong.
    pub attempted: Vec<(Role, u32)>,
    /// Fields without a role.
    pub strays: Vec<Candidate>,
    /// Fields whose role is wrong, which has been reported.
    pub reported: Vec<Candidate>,
}

/// What a request field is.
enum Judgement {
    Role(Role),
    Stray,
    /// Its annotation is wrong, which has been reported.
    Reported,
}

impl Bound<'_> {
    /// The fields of the request with their roles, and the place of each; `None` if it has to be
    /// another message, which is reported.
    pub fn request(&self, message: &MessageDescriptor) -> Option<(Vec<RequestField>, Vec<Span>)> {
        if self.is_entity_message(message) {
            let help = needs::own_request(self, message);
            let found =
                service::request_is_entity(&self.input_span, self.method, message.name(), &help);
            self.context.report(found);
            return None;
        }
        let help = || needs::own_request(self, message);
        self.of_others(message, &self.input_span, || Some(self.judge_request(message)), help)
    }

    pub(super) fn judge_request(
        &self,
        message: &MessageDescriptor,
    ) -> (Vec<RequestField>, Vec<Span>) {
        let mut sorted = Sorted::default();
        message.fields().for_each(|field| self.sort(self.candidate(field), &mut sorted));
        self.check_complete(message, &sorted);
        self.check_oneofs(message, &sorted.found);
        sorted.found.into_iter().unzip()
    }

    fn sort(&self, candidate: Candidate, sorted: &mut Sorted) {
        let role = match self.role(&candidate) {
            Judgement::Role(role) => role,
            Judgement::Stray => return sorted.strays.push(candidate),
            Judgement::Reported => return sorted.reported.push(candidate),
        };
        let part = self.column(candidate.target()).filter(|_| role == Role::Key);
        let part = part.filter(|_| self.is_key(candidate.target()));
        sorted.attempted.push((role, part.map_or(0, |column| column.number)));
        if let Some(meant) = self.implied(&candidate).filter(|it| *it != role && *it != Role::Key) {
            sorted.attempted.push((meant, 0));
        }
        let Some(request) = self.field(&candidate, role) else { return };
        // The keys of records are given once, in whatever form.
        let same = |other: &RequestField| role == Role::Keys || other.field == request.field;
        let mut found = sorted.found.iter();
        let twin = found.find(|(other, _)| other.role == request.role && same(other));
        if let Some((_, first)) = twin {
            let role = operation::role_name(request.role);
            let found = catalog::duplicate_role(&candidate.span, candidate.name(), role);
            self.context.report(found.with(first, "the first is here"));
            return;
        }
        sorted.found.push((request, candidate.span));
    }

    /// The records that a request may ask for: with those that are deleted, if it has a field for that.
    pub(super) fn visibility(&self, message: &MessageDescriptor) -> Visibility {
        let asks =
            |field| matches!(self.role(&self.candidate(field)), Judgement::Role(Role::ShowDeleted));
        if message.fields().any(asks) { Visibility::Kept } else { Visibility::Live }
    }

    /// The conditions of the fields of a request but this one.
    pub(super) fn conditions_beside(&self, candidate: &Candidate) -> Vec<Condition> {
        let message = candidate.field.parent_message();
        let others = message.fields().filter(|field| *field != candidate.field);
        let condition = |field: FieldDescriptor| {
            let always = !field.supports_presence();
            let other = self.candidate(field);
            let Judgement::Role(role) = self.role(&other) else { return None };
            let comparison = Comparison::of(role)?;
            Some(Condition { field: self.column(other.target())?.number, comparison, always })
        };
        others.filter_map(condition).collect()
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
            let (role, own) = (operation::role_name(role), format!("{:?}", self.operation));
            let help = match self.implied(candidate) {
                Some(meant) => format!(
                    "remove `role`: by its name, `{}` is {}",
                    candidate.name(),
                    operation::role_name(meant)
                ),
                None => self.remove(),
            };
            self.context.report(catalog::role_unfit(&candidate.span, role, &own, &help));
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
    fn role(&self, candidate: &Candidate) -> Judgement {
        let span = candidate.options.span("role");
        let own: spec::Role =
            self.context.choice(candidate.options.value.role, span, "prism.field");
        let keyed =
            matches!(self.operation, Operation::Get | Operation::Delete | Operation::Undelete);
        match own {
            spec::Role::Unspecified => {
                self.implied(candidate).map_or(Judgement::Stray, Judgement::Role)
            }
            spec::Role::Custom => {
                let name = candidate.name();
                self.context.report(catalog::ignored(span, name, self.method, &self.by_hand));
                Judgement::Reported
            }
            spec::Role::NextPageToken => {
                let operation = format!("{:?}", self.operation);
                let what = "next_page_token in a request";
                self.context.report(catalog::role_unfit(span, what, &operation, &self.remove()));
                Judgement::Reported
            }
            spec::Role::Equals if keyed && self.is_key(candidate.target()) => {
                Judgement::Role(Role::Key)
            }
            // Others have been reported as not supported.
            other => explicit(other).map_or(Judgement::Reported, Judgement::Role),
        }
    }

    fn remove(&self) -> String {
        format!("remove the field: {:?} takes {}", self.operation, operation::takes(self.operation))
    }

    fn implied(&self, candidate: &Candidate) -> Option<Role> {
        let allowed = operation::roles(self.operation);
        let named = by_name(candidate.name()).filter(|role| allowed.contains(role));
        let target = candidate.target();
        let mapped = !candidate.options.value.entity_field.is_empty();
        match self.operation {
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
        }
    }

    /// Type and feasibility of the roles that do not stand for a field.
    fn check_plain(&self, candidate: &Candidate, role: Role) -> Option<()> {
        let wanted = self.type_of(role);
        let actual = types::declared(&candidate.field);
        if actual != wanted {
            let (name, role) = (candidate.name(), operation::role_name(role));
            let span = self.context.reader.name_span(&candidate.field);
            let import = types::import(&candidate.field.parent_file(), wanted);
            self.context.report(catalog::role_type(&span, name, role, wanted, &actual, &import));
            return None;
        }
        let behaviors = self.context.reader.behaviors(&candidate.field);
        if role == Role::PageToken && behaviors.contains(Behavior::Required) {
            self.context.report(catalog::required_token(&behaviors.span, candidate.name()));
        }
        let needed = match role {
            Role::Etag => &managed::ETAG,
            Role::ShowDeleted => &managed::DELETE_TIME,
            _ => return Some(()),
        };
        if self.entity.model.schema.managed(needed.managed).is_none() {
            let (role, entity) = (operation::role_name(role), self.entity.message.name());
            let help = needed.help(self.context, &self.entity.message);
            let found =
                catalog::role_unsupported(&candidate.span, role, entity, needed.option, &help);
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
