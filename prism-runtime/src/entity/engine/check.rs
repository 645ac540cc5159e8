//! What a request has to hold, checked before the store is asked.

use bytes::Bytes;

use super::{Method, parse_mask};
use crate::entity::collection::Written;
use crate::entity::decide::{Mask, Source, join};
use crate::entity::request::Request;
use crate::schema::{Operation, Role};
use crate::{Error, Result, Violation};

impl Method {
    /// Checks that what is required is set. Answers with what is wrong where an update with
    /// `allow_missing` creates the record.
    pub(super) fn check_required(
        &self,
        bytes: &Bytes,
        request: &Request,
    ) -> Result<Vec<Violation>> {
        if self.required.is_none() && self.collection.required.is_none() {
            return Ok(Vec::new());
        }
        let mut broken = Vec::new();
        if let Some(required) = &self.required {
            required.check(bytes, "", |_| true, &mut broken)?;
        }
        let mut if_created = Vec::new();
        if let Some(entity) = &request.entity {
            let missing = |written| {
                let path = &self.request.entity_path;
                self.collection.missing(entity, path, written, Source::Caller)
            };
            match (self.binding.operation, self.mask(request)) {
                (Operation::Create, _) => broken.extend(missing(Written::Created)?),
                (Operation::Put, _) | (Operation::Update, Ok(Mask::All)) => {
                    broken.extend(missing(Written::Whole)?);
                }
                (Operation::Update, Ok(Mask::Fields(fields))) => {
                    broken.extend(missing(Written::Fields(&fields))?);
                    if request.allow_missing {
                        if_created = missing(Written::Created)?;
                    }
                }
                // The mask is refused.
                _ => {}
            }
        }
        if broken.is_empty() {
            return Ok(if_created);
        }
        let mut violations = self.own_violations(request);
        violations.retain(|own| !broken.iter().any(|rule| rule.field == own.field));
        violations.extend(broken);
        Err(Error::invalid(violations))
    }

    fn mask(&self, request: &Request) -> Result<Mask> {
        let name = self.request.name_of(Role::UpdateMask);
        parse_mask(&self.collection, request.update_mask.as_deref(), name)
    }

    /// What the operation itself finds wrong with a request, beside what is required.
    fn own_violations(&self, request: &Request) -> Vec<Violation> {
        let collection = &self.collection;
        let path = &self.request.entity_path;
        let checked = match (self.binding.operation, &request.entity) {
            (Operation::Get | Operation::Delete | Operation::Undelete, _) => {
                collection.check_key(&request.key, |part| self.request.key_name(part).into())
            }
            (Operation::BatchGet | Operation::List, _) => Ok(()),
            (_, None) => Err(Error::invalid_field(&**path, "is required")),
            (operation, Some(entity)) => self.check_entity(operation, entity),
        };
        let mask = match self.binding.operation {
            Operation::Update => self.mask(request).err(),
            _ => None,
        };
        let errors = checked.err().into_iter().chain(mask);
        errors.flat_map(|error| error.violations().to_vec()).collect()
    }

    /// Checks values and key of the entity in a request.
    fn check_entity(&self, operation: Operation, entity: &[u8]) -> Result<()> {
        let collection = &self.collection;
        let path = &self.request.entity_path;
        let mut record = collection.codec.decode(entity, path)?;
        if operation == Operation::Create {
            collection.fill_id(&mut record);
        }
        let key = collection.layout.key_of(&record);
        collection.check_key(&key.0, |part| join(path, collection.key_field(part)).into())
    }
}
