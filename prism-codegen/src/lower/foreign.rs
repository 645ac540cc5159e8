//! Warnings for annotations of others that Prism does not honour yet.

use prism_options::Foreign;
use prost_reflect::{MessageDescriptor, ServiceDescriptor};

use super::context::Context;
use super::warnings::Ineffective;

/// Of a message and its fields.
pub(super) fn message(context: &Context, message: &MessageDescriptor) {
    warn(context, message.full_name(), context.reader.foreign(message));
    for oneof in message.oneofs() {
        warn(context, oneof.full_name(), context.reader.foreign(&oneof));
    }
    for field in message.fields() {
        warn(context, field.full_name(), context.reader.foreign(&field));
    }
}

/// Of a service and its methods.
pub(super) fn service(context: &Context, service: &ServiceDescriptor) {
    warn(context, service.full_name(), context.reader.foreign(service));
    for method in service.methods() {
        warn(context, method.full_name(), context.reader.foreign(&method));
    }
}

fn warn(context: &Context, element: &str, found: Vec<Foreign>) {
    for foreign in found {
        // The rules of messages, oneofs and fields count together.
        let name = match foreign.name.starts_with("buf.validate.") {
            true => "buf.validate",
            false => &foreign.name,
        };
        context.count(Ineffective::Foreign, name, element, &foreign.span);
    }
}
