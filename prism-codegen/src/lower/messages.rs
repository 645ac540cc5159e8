//! Whose a request or response is: the method's own, another one's, or that of a file which is not
//! the user's to change.

use prism_options::{Diagnostic, Label, Severity, Span};
use prost_reflect::MessageDescriptor;

use super::request::Bound;
use crate::descriptors::is_builtin;

impl Bound<'_> {
    /// Whether a message would do as the request.
    pub(super) fn takes(&self, message: &MessageDescriptor) -> bool {
        let (_, found) = self.context.apart(|| self.judge_request(message));
        !self.is_entity_message(message) && !found.has_errors()
    }

    /// Judges a message. What is wrong with one that is not the user's to change, as those of
    /// protobuf itself, is wrong where the method names it.
    pub(super) fn of_others<T>(
        &self,
        message: &MessageDescriptor,
        used: &Span,
        judge: impl FnOnce() -> Option<T>,
        help: impl FnOnce() -> String,
    ) -> Option<T> {
        if self.context.is_own(message) {
            return judge();
        }
        let (judged, found) = self.context.apart(judge);
        let error = found.iter().find(|it| it.severity == Severity::Error).cloned();
        match error {
            Some(error) => {
                let label = Label { span: used.clone(), text: error.label.text.clone() };
                self.context.report(Diagnostic { label, help: help(), ..error });
                None
            }
            None => {
                self.context.extend(found);
                judged
            }
        }
    }

    /// Whether the message is stored: this method's entity, or another one.
    pub(super) fn is_entity_message(&self, message: &MessageDescriptor) -> bool {
        *message == self.entity.message
            || matches!(self.context.reader.entity(message), Ok(Some(_)))
    }

    /// A message of the method's package, by its name.
    pub(super) fn sibling(&self, name: &str) -> Option<MessageDescriptor> {
        let full = match self.file.package_name() {
            "" => name.to_owned(),
            package => format!("{package}.{name}"),
        };
        self.context.loaded.pool.get_message_by_name(&full)
    }

    /// Whether a request (`suffix` is `Request`) or response belongs to another method, or to no
    /// method at all: what is wrong with it for this one is not for it to change.
    pub(super) fn is_of_another(&self, message: &MessageDescriptor, suffix: &str) -> bool {
        let own = format!("{}{suffix}", self.method);
        if message.name() == own {
            return false;
        }
        let name = message.name().strip_suffix(suffix);
        let services = self.file.services();
        let mut methods = services.flat_map(|service| service.methods().collect::<Vec<_>>());
        is_builtin(message.parent_file().name())
            || self.sibling(&own).is_some()
            || methods.any(|method| Some(method.name()) == name)
    }
}
