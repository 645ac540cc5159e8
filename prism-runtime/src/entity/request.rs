//! Requests of bound methods, cut into the values of their roles.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::decide::RequestPath;
use super::layout::Layout;
use super::mask::MAX_PATHS;
use super::record::zero;
use super::wire::{Fault, Field, Finer, Malformed, Occurrence, Reader, Scalar, Wire};
use crate::schema::plan::{Comparison, Condition};
use crate::schema::{Binding, Column, RequestField, Role, Value};
use crate::violations::{Place, Violations};
use crate::{Error, Result, Violation};

/// Reads the requests of one method.
#[derive(Debug)]
pub struct RequestCodec {
    /// By field number.
    slots: Vec<Slot>,
    conditions: Vec<Condition>,
    /// The conditions' fields in the request.
    condition_fields: Vec<(u32, String)>,
    /// What a request holds before anything is read.
    empty: Request,
    /// The key's fields in the request, in key order.
    key_fields: Vec<(u32, String)>,
    /// The entity in the request.
    pub entity: RequestPath,
    /// The update mask in the request.
    pub mask: RequestPath,
}

/// A field of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    pub number: u32,
    /// Empty if the request has no such field.
    pub name: &'a str,
}

impl Named<'_> {
    /// Where it stands among the fields of the request.
    pub fn place(self) -> Place {
        Place::field(self.number)
    }
}

/// What a request says.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The key, in key order; NULL where a field with presence is absent.
    pub key: Vec<Value>,
    /// The keys of a BatchGet.
    pub keys: Vec<Vec<Value>>,
    /// The entity, encoded.
    pub entity: Option<Vec<u8>>,
    /// Paths of the update mask; none where there is no mask.
    pub update_mask: Option<Vec<String>>,
    pub page_size: i64,
    pub page_token: String,
    pub order_by: String,
    pub etag: String,
    pub request_id: String,
    pub allow_missing: bool,
    pub show_deleted: bool,
    /// The values of each condition that the method declares; none where it does not hold.
    pub conditions: Vec<Option<Vec<Value>>>,
}

#[derive(Debug)]
struct Slot {
    number: u32,
    name: String,
    target: Target,
    /// Positions of the conditions that share a oneof with this one: setting it unsets them.
    rivals: Vec<usize>,
}

#[derive(Debug)]
enum Target {
    Key(usize, Field),
    KeysScalar(Field),
    /// The fields of each message, with the part of the key that each stands for, and the
    /// key of a message that sets none.
    KeysMessage(Vec<(Field, usize)>, Vec<Value>),
    Condition(usize, Field),
    AnyOf(usize, Field),
    Plain(Role),
}

impl RequestCodec {
    /// For a binding, whose request is this message.
    ///
    /// # Errors
    ///
    /// Where binding and message do not fit: generated code is of another schema.
    pub fn new(layout: &Layout, binding: &Binding, input: &MessageDescriptor) -> Result<Self> {
        let mut codec = RequestCodec {
            slots: Vec::new(),
            conditions: crate::schema::plan::conditions(binding),
            condition_fields: Vec::new(),
            empty: Request { key: vec![Value::Null; layout.key.len()], ..Request::default() },
            key_fields: vec![(0, String::new()); layout.key.len()],
            entity: request_path(binding, Role::Entity),
            mask: request_path(binding, Role::UpdateMask),
        };
        let mut oneofs: Vec<(u32, String)> = Vec::new();
        for field in &binding.request {
            let descriptor =
                input.get_field(field.number).ok_or_else(|| misfit(input, &field.name))?;
            let target = codec.target(layout, field, &descriptor)?;
            if let (Target::Condition(..), Some(oneof)) = (&target, descriptor.containing_oneof()) {
                oneofs.push((field.number, oneof.name().to_owned()));
            }
            let (number, name) = (field.number, field.name.clone());
            codec.slots.push(Slot { number, name, target, rivals: Vec::new() });
        }
        codec.slots.sort_by_key(|slot| slot.number);
        let numbers: Vec<u32> = codec.slots.iter().map(|slot| slot.number).collect();
        for slot in &mut codec.slots {
            let Some((_, own)) = oneofs.iter().find(|(number, _)| *number == slot.number) else {
                continue;
            };
            let rivals =
                oneofs.iter().filter(|(number, other)| *number != slot.number && other == own);
            slot.rivals = rivals.filter_map(|(n, _)| numbers.binary_search(n).ok()).collect();
        }
        Ok(codec)
    }

    /// The conditions that the method declares, each with its field in the request.
    pub fn conditions(&self) -> impl Iterator<Item = (Condition, Named<'_>)> {
        let fields = self.condition_fields.iter().map(named);
        self.conditions.iter().copied().zip(fields)
    }

    /// A part of the key in the request.
    pub fn key_field(&self, part: usize) -> Named<'_> {
        named(&self.key_fields[part])
    }

    /// A part of the key in each message of the keys of a BatchGet; none where the keys are scalars.
    pub fn keys_field(&self, part: usize) -> Option<Named<'_>> {
        self.slots.iter().find_map(|slot| match &slot.target {
            Target::KeysMessage(parts, _) => {
                let (field, _) = parts.iter().find(|(_, own)| *own == part)?;
                Some(Named { number: field.number, name: &field.name })
            }
            _ => None,
        })
    }

    /// The request's field with a role; keys are those of a BatchGet.
    pub fn field(&self, role: Role) -> Named<'_> {
        let is_role = |slot: &&Slot| match &slot.target {
            Target::KeysScalar(_) | Target::KeysMessage(..) => role == Role::Keys,
            Target::Plain(own) => *own == role,
            Target::Key(..) | Target::Condition(..) | Target::AnyOf(..) => false,
        };
        let slot = self.slots.iter().find(is_role);
        slot.map_or_else(Named::default, |slot| Named { number: slot.number, name: &slot.name })
    }

    /// Cuts an encoded request. Each value out of range is a violation, and NULL in the request.
    ///
    /// # Errors
    ///
    /// INVALID_REQUEST: it is malformed.
    pub fn decode(&self, message: &[u8], violations: &mut Violations) -> Result<Request> {
        let mut parsing =
            Parsing { request: self.empty.clone(), collected: Vec::new(), violations };
        let mut reader = Reader::new(message);
        while let Some(occurrence) = reader.next()? {
            let number = occurrence.number;
            let Ok(position) = self.slots.binary_search_by_key(&number, |slot| slot.number) else {
                continue;
            };
            parsing.occurrence(position, &self.slots, &occurrence)?;
        }
        parsing.finish(&self.slots)
    }

    fn target(
        &mut self,
        layout: &Layout,
        field: &RequestField,
        descriptor: &FieldDescriptor,
    ) -> Result<Target> {
        let column = |number: u32| {
            layout
                .entity
                .column(number)
                .ok_or_else(|| misfit(descriptor.parent_message(), &field.name))
        };
        let input = descriptor.parent_message();
        if let Some(comparison) = Comparison::of(field.role) {
            let at = self.empty.conditions.len();
            self.condition_fields.push((field.number, field.name.clone()));
            let column = column(field.field)?;
            let compared = Finer::compared(comparison);
            let prepared = prepare(layout, column, descriptor, compared);
            self.empty.conditions.push(match (comparison, field.presence) {
                (Comparison::AnyOf, _) => Some(Vec::new()),
                (_, true) => None,
                (_, false) => Some(vec![zero(column)]),
            });
            return Ok(match comparison {
                Comparison::AnyOf => Target::AnyOf(at, prepared),
                _ => Target::Condition(at, prepared),
            });
        }
        let part = |number: u32| {
            let parts = &layout.entity.key;
            parts.iter().position(|part| *part == number).ok_or_else(|| misfit(input, &field.name))
        };
        Ok(match field.role {
            Role::Key => {
                let (at, column) = (part(field.field)?, column(field.field)?);
                self.key_fields[at] = (field.number, field.name.clone());
                if !descriptor.supports_presence() {
                    self.empty.key[at] = zero(column);
                }
                Target::Key(at, prepare(layout, column, descriptor, Finer::Refuse))
            }
            Role::Keys if field.parts.is_empty() => {
                let column = column(layout.entity.key[0])?;
                Target::KeysScalar(prepare(layout, column, descriptor, Finer::Refuse))
            }
            Role::Keys => {
                let Kind::Message(message) = descriptor.kind() else {
                    return Err(misfit(input, &field.name));
                };
                let mut parts = Vec::with_capacity(field.parts.len());
                let mut absent = vec![Value::Null; layout.key.len()];
                for &(number, key) in &field.parts {
                    let inner =
                        message.get_field(number).ok_or_else(|| misfit(&message, &field.name))?;
                    let (at, column) = (part(key)?, column(key)?);
                    if !inner.supports_presence() {
                        absent[at] = zero(column);
                    }
                    parts.push((prepare(layout, column, &inner, Finer::Refuse), at));
                }
                Target::KeysMessage(parts, absent)
            }
            role => Target::Plain(role),
        })
    }
}

/// A request on its way.
struct Parsing<'v> {
    request: Request,
    /// What was collected of singular messages, by slot: occurrences merge.
    collected: Vec<(usize, Vec<u8>)>,
    violations: &'v mut Violations,
}

impl Parsing<'_> {
    fn occurrence(
        &mut self,
        position: usize,
        slots: &[Slot],
        occurrence: &Occurrence<'_>,
    ) -> Result<()> {
        let wire = occurrence.wire;
        let slot = &slots[position];
        match &slot.target {
            Target::Key(_, field) | Target::Condition(_, field) => {
                for &rival in &slot.rivals {
                    self.collected.retain(|(other, _)| *other != rival);
                    self.violations.forget(Place::field(slots[rival].number));
                    if let Target::Condition(at, _) = slots[rival].target {
                        self.request.conditions[at] = None;
                    }
                }
                if field.is_collected() {
                    return Ok(self.collect(position, wire)?);
                }
                let value = field.value(wire);
                self.set(slot, value)
            }
            Target::KeysScalar(field) => {
                let values = self.elements(slot, field, wire, self.request.keys.len())?;
                self.request.keys.extend(values.into_iter().map(|value| vec![value]));
                Ok(())
            }
            Target::AnyOf(at, field) => {
                let before = self.request.conditions[*at].as_ref().map_or(0, Vec::len);
                let values = self.elements(slot, field, wire, before)?;
                self.request.conditions[*at].get_or_insert_default().extend(values);
                Ok(())
            }
            Target::KeysMessage(parts, absent) => self.key_message(slot, parts, absent, wire),
            Target::Plain(Role::Entity) => Ok(self.collect(position, wire)?),
            Target::Plain(role) => Ok(self.plain(*role, wire)?),
        }
    }

    fn collect(&mut self, position: usize, wire: Wire<'_>) -> Result<(), Malformed> {
        let Wire::Len(content) = wire else { return Err(Malformed) };
        match self.collected.iter_mut().find(|(other, _)| *other == position) {
            Some((_, collected)) => collected.extend_from_slice(content),
            None => self.collected.push((position, content.to_vec())),
        }
        Ok(())
    }

    fn plain(&mut self, role: Role, wire: Wire<'_>) -> Result<(), Malformed> {
        let request = &mut self.request;
        match role {
            Role::PageSize => {
                if let Value::Int(size) = Scalar::Int32.decode(wire)? {
                    request.page_size = size;
                }
            }
            Role::PageToken => request.page_token = text(wire)?,
            Role::OrderBy => request.order_by = text(wire)?,
            Role::Etag => request.etag = text(wire)?,
            Role::RequestId => request.request_id = text(wire)?,
            Role::AllowMissing => request.allow_missing = flag(wire)?,
            Role::ShowDeleted => request.show_deleted = flag(wire)?,
            Role::UpdateMask => {
                let Wire::Len(mask) = wire else { return Err(Malformed) };
                let paths = request.update_mask.get_or_insert_default();
                let mut reader = Reader::new(mask);
                while let Some(path) = reader.next()? {
                    // One more than a mask may have tells that it has too many.
                    if path.number == 1 && paths.len() <= MAX_PATHS {
                        paths.push(text(path.wire)?);
                    }
                }
            }
            // Prism does nothing with it, and the others have targets of their own.
            _ => {}
        }
        Ok(())
    }

    /// The values of one occurrence of a repeated field: one, or packed ones.
    fn elements(
        &mut self,
        slot: &Slot,
        field: &Field,
        wire: Wire<'_>,
        before: usize,
    ) -> Result<Vec<Value>> {
        let mut wires = Vec::new();
        match (field.scalar(), wire) {
            (Some(scalar), Wire::Len(content)) if scalar.is_packable() => {
                let mut reader = Reader::new(content);
                while !reader.is_empty() {
                    wires.push(scalar.packed(&mut reader)?);
                }
            }
            _ => wires.push(wire),
        }
        let mut values = Vec::with_capacity(wires.len());
        for (position, wire) in wires.into_iter().enumerate() {
            match field.value(wire) {
                Ok(value) => values.push(value),
                Err(fault) => {
                    let index = before + position;
                    let place = Place::field(slot.number).element(index);
                    self.violate(place, format!("{}[{index}]", slot.name), fault)?;
                    values.push(Value::Null);
                }
            }
        }
        Ok(values)
    }

    fn key_message(
        &mut self,
        slot: &Slot,
        parts: &[(Field, usize)],
        absent: &[Value],
        wire: Wire<'_>,
    ) -> Result<()> {
        let Wire::Len(content) = wire else { return Err(Malformed.into()) };
        let mut key = absent.to_vec();
        let mut collected: Vec<Option<Vec<u8>>> = vec![None; parts.len()];
        let at = self.request.keys.len();
        let mut reader = Reader::new(content);
        while let Some(occurrence) = reader.next()? {
            let found = parts.iter().position(|(field, _)| field.number == occurrence.number);
            let Some(found) = found else { continue };
            let (field, part) = &parts[found];
            if let (true, Wire::Len(bytes)) = (field.is_collected(), occurrence.wire) {
                collected[found].get_or_insert_default().extend_from_slice(bytes);
                continue;
            }
            key[*part] = self.key_part(slot, at, field, occurrence.wire)?;
        }
        for ((field, part), bytes) in parts.iter().zip(&collected) {
            let Some(bytes) = bytes else { continue };
            key[*part] = self.key_part(slot, at, field, Wire::Len(bytes))?;
        }
        self.request.keys.push(key);
        Ok(())
    }

    /// A part of a key in a message of its own.
    fn key_part(&mut self, slot: &Slot, at: usize, field: &Field, wire: Wire<'_>) -> Result<Value> {
        let place = Place::field(slot.number).element(at).part(field.number);
        self.violations.forget(place);
        match field.value(wire) {
            Ok(value) => Ok(value),
            Err(fault) => {
                self.violate(place, format!("{}[{at}].{}", slot.name, field.name), fault)?;
                Ok(Value::Null)
            }
        }
    }

    /// Sets a value in place of an earlier one. One that is at fault is NULL: it was sent.
    fn set(&mut self, slot: &Slot, value: Result<Value, Fault>) -> Result<()> {
        let place = Place::field(slot.number);
        self.violations.forget(place);
        let value = match value {
            Ok(value) => value,
            Err(fault) => {
                self.violate(place, slot.name.clone(), fault)?;
                Value::Null
            }
        };
        match &slot.target {
            Target::Key(part, _) => self.request.key[*part] = value,
            Target::Condition(at, _) => self.request.conditions[*at] = Some(vec![value]),
            _ => {}
        }
        Ok(())
    }

    fn violate(&mut self, place: Place, path: String, fault: Fault) -> Result<()> {
        match fault {
            Fault::Malformed => Err(Malformed.into()),
            Fault::Invalid(what) => {
                self.violations.push(place, Violation::new(path, what));
                Ok(())
            }
        }
    }

    fn finish(mut self, slots: &[Slot]) -> Result<Request> {
        for (position, bytes) in std::mem::take(&mut self.collected) {
            let slot = &slots[position];
            match &slot.target {
                Target::Key(_, field) | Target::Condition(_, field) => {
                    let value = field.value(Wire::Len(&bytes));
                    self.set(slot, value)?;
                }
                _ => self.request.entity = Some(bytes),
            }
        }
        Ok(self.request)
    }
}

fn named((number, name): &(u32, String)) -> Named<'_> {
    Named { number: *number, name }
}

/// The request's field with a role.
fn request_path(binding: &Binding, role: Role) -> RequestPath {
    let field = binding.role(role);
    field.map_or_else(RequestPath::default, |field| RequestPath {
        number: field.number,
        path: field.name.as_str().into(),
    })
}

/// A request's field that stands for a column, as its own descriptor lays it out. `finer` is for
/// times in columns that are neither part of the key nor in a unique index.
fn prepare(layout: &Layout, column: &Column, descriptor: &FieldDescriptor, finer: Finer) -> Field {
    let position = layout.entity.position(column.number);
    let exact = position.is_some_and(|position| layout.exact.contains(&position));
    Field::of_request(column, if exact { Finer::Refuse } else { finer }, descriptor)
}

fn text(wire: Wire<'_>) -> Result<String, Malformed> {
    match Scalar::String.decode(wire)? {
        Value::Text(text) => Ok(text),
        _ => Err(Malformed),
    }
}

fn flag(wire: Wire<'_>) -> Result<bool, Malformed> {
    Scalar::Bool.decode(wire).map(|value| value == Value::Int(1))
}

fn misfit(message: &MessageDescriptor, field: &str) -> Error {
    Error::internal(format!("{}.{field} does not fit the schema", message.full_name()))
}
