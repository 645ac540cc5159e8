//! Request fields that a call needs together cannot be members of one oneof.

use prism_options::Span;
use prism_schema::Role;
use prost_reflect::{FieldDescriptor, OneofDescriptor};

use super::context::Context;
use crate::diagnostics::catalog::role as catalog;

/// A field of a request, or of a message of keys, that has its role.
pub(super) struct Member {
    pub field: FieldDescriptor,
    pub span: Span,
    /// Whether calls set it beside any other field.
    pub needed: bool,
}

/// Whether a field with the role has to be set beside the others: a page token goes with what the
/// first page was asked for with.
pub(super) fn is_needed(role: Role) -> bool {
    matches!(role, Role::Key | Role::Keys | Role::Entity | Role::UpdateMask | Role::PageToken)
}

/// Reports the needed fields of each oneof that have another field beside them. Of those that are
/// needed alike one may stay.
pub(super) fn check(context: &Context, members: &[Member]) {
    let mut seen: Vec<OneofDescriptor> = Vec::new();
    for member in members {
        let Some(oneof) = oneof(member).filter(|it| !seen.contains(it)) else { continue };
        let within: Vec<&Member> =
            members.iter().filter(|it| self::oneof(it).as_ref() == Some(&oneof)).collect();
        seen.push(oneof);
        let needed = within.iter().filter(|it| it.needed).count();
        let stays = usize::from(needed == within.len());
        for moved in within.iter().filter(|it| it.needed).take(needed - stays) {
            let mut others = within.iter().filter(|other| other.field != moved.field);
            let Some(other) = others.next() else { continue };
            let (name, beside) = (moved.field.name(), other.field.name());
            let found = catalog::exclusive(&moved.span, name, beside);
            context.report(found.with(&other.span, "the other one"));
        }
    }
}

fn oneof(member: &Member) -> Option<OneofDescriptor> {
    member.field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}
