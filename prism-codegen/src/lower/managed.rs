//! Fields that an entity must have so that an operation or a role works.

use prism_schema::Managed;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::context::Context;
use super::proposal::Declaration;
use super::types;

/// A field that the server fills in, as help lines propose it.
pub(super) struct Needed {
    pub managed: Managed,
    /// The value of the option.
    pub option: &'static str,
    ty: &'static str,
    /// The name that it usually has.
    name: &'static str,
}

pub(super) const ETAG: Needed =
    Needed { managed: Managed::Etag, option: "MANAGED_ETAG", ty: "string", name: "etag" };

pub(super) const DELETE_TIME: Needed = Needed {
    managed: Managed::DeleteTime,
    option: "MANAGED_DELETE_TIME",
    ty: "google.protobuf.Timestamp",
    name: "delete_time",
};

impl Needed {
    /// Help that gives the entity the field: the one that has its name and type, or a new one.
    pub fn help(&self, context: &Context, entity: &MessageDescriptor) -> String {
        let option = format!("(prism.field).managed = {}", self.option);
        let fits = |field: &FieldDescriptor| {
            types::declared(field) == self.ty && types::oneof(field).is_none()
        };
        match entity.get_field_by_name(self.name).filter(fits) {
            Some(_) => format!("mark `{}` of `{}` with `{option}`", self.name, entity.name()),
            None => Declaration::new(self.ty, self.name).with(option).added(context, entity),
        }
    }
}
