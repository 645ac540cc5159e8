//! What a request has to be like, beside what its operation finds wrong with it.

use bytes::Bytes;

use super::Method;
use crate::entity::collection::Written;
use crate::entity::decide::{Mask, Source};
use crate::entity::mask::parse_mask;
use crate::entity::record::Record;
use crate::entity::request::Request;
use crate::schema::{Operation, Role};
use crate::violations::Violations;
use crate::{Result, Violation};

/// Length of a `request_id` at most, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 64;

/// A request with what is wrong with it so far.
pub(super) struct Call {
    pub(super) request: Request,
    /// Of an Update; none if it is refused.
    pub(super) mask: Option<Mask>,
    pub(super) violations: Violations,
    /// What is wrong if an update with `allow_missing` creates the record.
    pub(super) if_created: Violations,
}

impl Method {
    /// Cuts a request, and checks that what is required is set.
    ///
    /// # Errors
    ///
    /// INVALID_REQUEST: bytes that are not a message of the type.
    pub(super) fn read(&self, bytes: &Bytes) -> Result<Call> {
        let mut violations = Violations::default();
        let request = self.request.decode(bytes, &mut violations)?;
        let mask = match self.binding.operation {
            Operation::Update => {
                let field = &self.request.mask;
                let paths = request.update_mask.as_deref();
                let parsed = parse_mask(&self.collection, paths, &field.path);
                violations.absorb(field.place(), parsed)?
            }
            _ => None,
        };
        let mut call = Call { request, mask, violations, if_created: Violations::default() };
        self.check_required(bytes, &mut call)?;
        Ok(call)
    }

    fn check_required(&self, bytes: &Bytes, call: &mut Call) -> Result<()> {
        let Call { request, mask, violations, if_created } = call;
        if let Some(required) = &self.required {
            required.check(bytes, "", |_| true, violations)?;
        }
        let Some(entity) = &request.entity else { return Ok(()) };
        let missing = |written, violations: &mut Violations| {
            let path = &self.request.entity.path;
            self.collection.missing(entity, path, written, Source::Caller, violations)
        };
        match (self.binding.operation, mask) {
            (Operation::Create, _) => missing(Written::Created, violations),
            (Operation::Put, _) | (Operation::Update, Some(Mask::All)) => {
                missing(Written::Whole, violations)
            }
            (Operation::Update, Some(Mask::Fields(fields))) => {
                missing(Written::Fields(fields), violations)?;
                if request.allow_missing {
                    missing(Written::Created, if_created)?;
                }
                Ok(())
            }
            // A mask that is refused names no field to check.
            _ => Ok(()),
        }
    }

    /// The entity in a request.
    ///
    /// # Errors
    ///
    /// It is absent, or bytes that are not a message of the type.
    pub(super) fn entity(&self, call: &mut Call) -> Result<Record> {
        let field = &self.request.entity;
        let Some(bytes) = call.request.entity.take() else {
            let absent = Violation::new(&*field.path, "is required");
            call.violations.push(field.place(), absent);
            return Err(std::mem::take(&mut call.violations).into_error());
        };
        self.collection.codec.decode_checked(&bytes, field, &mut call.violations)
    }

    /// A NUL is refused whatever the store takes, so that a client need not know it.
    pub(super) fn check_request_id(&self, id: &str, violations: &mut Violations) {
        let field = self.request.field(Role::RequestId);
        if id.len() > MAX_REQUEST_ID_BYTES {
            let what = format!("has {} bytes, the limit is {MAX_REQUEST_ID_BYTES}", id.len());
            violations.push(field.place(), Violation::too_large(field.name, what));
        }
        if id.contains('\0') {
            violations.push(field.place(), Violation::new(field.name, "holds a NUL"));
        }
    }
}
