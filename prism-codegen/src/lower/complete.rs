//! What a request lacks, and its fields without a role. A field that was probably meant to be what is
//! missing is one finding, not two.

use std::cmp::Reverse;

use prism_schema::Role;
use prost_reflect::MessageDescriptor;

use super::needs::{self, Need};
use super::request::{Bound, Candidate, Sorted};
use crate::diagnostics::catalog::role as catalog;

impl Bound<'_> {
    pub(super) fn check_complete(&self, message: &MessageDescriptor, sorted: &Sorted) {
        let mut open = self.missing(message, sorted);
        for candidate in &sorted.reported {
            let meant = |need: &Need| need.role != Role::Key && needs::takes(self, need, candidate);
            open.retain(|need| !meant(need));
        }
        if let Some(need) = open.first().filter(|_| self.is_of_another(message, "Request")) {
            let help = needs::own_request(self, message);
            return self.report_missing(message, &need.what, &help);
        }
        let (assigned, open) = assign(self, &sorted.strays, open);
        let flat = open.iter().any(|need| need.role == Role::Entity);
        let value = |stray: &Candidate| flat && self.column(stray.name()).is_some();
        let mut values = Vec::new();
        for (stray, need) in sorted.strays.iter().zip(assigned) {
            let help = match need {
                Some(need) => needs::fill(self, stray, &need),
                None if value(stray) => {
                    values.push(format!("`{}`", stray.name()));
                    continue;
                }
                None => needs::help(self, stray),
            };
            self.report_stray(stray, &help);
        }
        for need in open {
            let values = if need.role == Role::Entity { values.as_slice() } else { &[] };
            self.report_missing(message, &need.what, &self.add(message, &need, values));
        }
    }

    /// What the operation needs and no field was written for, right or wrong.
    fn missing(&self, message: &MessageDescriptor, sorted: &Sorted) -> Vec<Need> {
        let mut open = needs::of(self);
        let tried = |need: &Need| {
            let named = || message.get_field_by_name(&need.declaration.name).is_some();
            let field = |field: u32| need.role != Role::Key || field == need.field;
            sorted.attempted.iter().any(|(role, part)| *role == need.role && field(*part))
                || (need.role == Role::Key && named())
        };
        open.retain(|need| !tried(need));
        // A field that names no part of the key was meant to name one that is missing.
        let lost = sorted.attempted.iter().filter(|it| **it == (Role::Key, 0)).count();
        open.drain(..lost.min(open.len()));
        open
    }

    /// Help that adds a field, in the place of those that hold values of the entity's fields.
    fn add(&self, message: &MessageDescriptor, need: &Need, values: &[String]) -> String {
        if values.is_empty() {
            return need.declaration.added(self.context, message);
        }
        let number = self.context.free_number(message, &need.declaration.name);
        format!(
            "{}write `{}` in the place of {}: {:?} takes the values from there",
            need.declaration.first(&message.parent_file()),
            need.declaration.placed(message, number),
            values.join(", "),
            self.operation
        )
    }

    fn report_stray(&self, candidate: &Candidate, help: &str) {
        let operation = format!("{:?}", self.operation);
        let message = candidate.field.parent_message().name();
        let name = candidate.name();
        self.context.report(catalog::no_role(&candidate.span, name, message, &operation, help));
    }

    /// Reports that the request lacks a field.
    pub(super) fn report_missing(&self, message: &MessageDescriptor, what: &str, help: &str) {
        let found =
            catalog::missing_role(&self.input_span, self.method, message.name(), what, help);
        self.context.report(found.with(&self.context.reader.name_span(message), "declared here"));
    }
}

/// For each field without a role what it was probably meant to be, and what is still missing then.
fn assign(bound: &Bound, strays: &[Candidate], open: Vec<Need>) -> (Vec<Option<Need>>, Vec<Need>) {
    let mut assigned: Vec<Option<Need>> = strays.iter().map(|_| None).collect();
    let mut left = Vec::new();
    let alone = strays.len() == 1 && open.len() == 1;
    for need in open {
        let free = strays.iter().enumerate().filter(|(position, _)| assigned[*position].is_none());
        let fits = free.filter(|(_, stray)| {
            needs::takes(bound, &need, stray) || (alone && needs::may_become(&need, stray))
        });
        let best = fits.max_by_key(|(position, stray)| {
            (needs::likeness(&need, stray.name()), Reverse(*position))
        });
        match best.map(|(position, _)| position) {
            Some(position) => assigned[position] = Some(need),
            None => left.push(need),
        }
    }
    (assigned, left)
}
