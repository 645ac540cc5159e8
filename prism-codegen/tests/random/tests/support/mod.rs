//! One entity of a served schema, and calls of its methods by their roles.

mod values;

use prism_acceptance::dynamic::Serving;
use prism_schema::{Access, Binding, Entity, Managed, Method, Operation, Response, Role, Service};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use random_schemas::Random;
use tonic::Status;

pub use values::of_field;

/// An entity, with the service that is bound to it.
pub struct Served<'a> {
    pub serving: &'a Serving,
    pub pool: &'a DescriptorPool,
    pub entity: &'a Entity,
    pub service: &'a Service,
}

impl Served<'_> {
    /// The methods of an operation.
    pub fn methods(&self, operation: Operation) -> impl Iterator<Item = (&Method, &Binding)> {
        let bound = |method: &'_ Method| method.binding.as_ref().map(|it| it.operation);
        let methods = self.service.methods.iter();
        methods
            .filter(move |method| bound(method) == Some(operation))
            .filter_map(|method| Some((method, method.binding.as_ref()?)))
    }

    /// A record with a key, and what callers may write of the rest.
    pub fn record(&self, random: &mut Random) -> DynamicMessage {
        let message = self.pool.get_message_by_name(&self.entity.message).unwrap();
        let mut record = DynamicMessage::new(message.clone());
        for field in message.fields() {
            let column = self.entity.column(field.number()).unwrap();
            let key = self.entity.is_key(field.number());
            let managed = column.managed.is_some_and(|managed| managed != Managed::Id);
            if !managed
                && (key || field.is_required() || random.chance(70))
                && let Some(value) = of_field(random, &field, 0)
            {
                record.set_field(&field, value);
            }
        }
        record
    }

    /// What a caller sees of a record, without what the server alone sets.
    pub fn visible(&self, record: &DynamicMessage) -> DynamicMessage {
        let mut seen = record.clone();
        for column in &self.entity.columns {
            let servers = column.managed.is_some_and(|managed| managed != Managed::Id);
            if servers || matches!(column.access, Access::OutputOnly | Access::InputOnly) {
                seen.clear_field_by_number(column.number);
            }
        }
        seen
    }

    /// Calls a method for a record; the answer's records, without what the server alone sets.
    pub async fn call(
        &self,
        (method, binding): (&Method, &Binding),
        record: &DynamicMessage,
        masked: &[String],
    ) -> Result<Vec<DynamicMessage>, Status> {
        let service = self.pool.get_service_by_name(&self.service.name).unwrap();
        let method = service.methods().find(|it| it.name() == method.name).unwrap();
        let mut request = DynamicMessage::new(method.input());
        for field in &binding.request {
            let descriptor = method.input().get_field(field.number).unwrap();
            if let Some(value) = self.argument(field, &descriptor, record, masked) {
                request.set_field(&descriptor, value);
            }
        }
        let answer = self.serving.unary(&method, request).await?;
        let found = match binding.response {
            Response::Entity => vec![answer],
            Response::Empty => Vec::new(),
            Response::Field(number) | Response::List { items: number, .. } => {
                let field = method.output().get_field(number).unwrap();
                match answer.get_field(&field).into_owned() {
                    Value::Message(record) => vec![record],
                    Value::List(records) => {
                        records.iter().map(|it| it.as_message().unwrap().clone()).collect()
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        Ok(found.iter().map(|record| self.visible(record)).collect())
    }

    fn argument(
        &self,
        field: &prism_schema::RequestField,
        descriptor: &FieldDescriptor,
        record: &DynamicMessage,
        masked: &[String],
    ) -> Option<Value> {
        let part = |number: u32| record.get_field_by_number(number).unwrap().into_owned();
        Some(match field.role {
            Role::Entity => Value::Message(record.clone()),
            Role::UpdateMask => {
                let Kind::Message(mask) = descriptor.kind() else { panic!("a mask") };
                let mut mask = DynamicMessage::new(mask);
                let paths = masked.iter().cloned().map(Value::String).collect();
                mask.set_field_by_number(1, Value::List(paths));
                Value::Message(mask)
            }
            Role::RequestId => Value::String("once".to_owned()),
            Role::Key => part(field.field),
            Role::Keys if field.parts.is_empty() => Value::List(vec![part(self.entity.key[0])]),
            Role::Keys => {
                let Kind::Message(key) = descriptor.kind() else { panic!("a key") };
                let mut key = DynamicMessage::new(key);
                for (number, of) in &field.parts {
                    key.set_field_by_number(*number, part(*of));
                }
                Value::List(vec![Value::Message(key)])
            }
            Role::Equals | Role::AtLeast | Role::Prefix | Role::AnyOf => {
                self.condition(field, record)?
            }
            _ => return None,
        })
    }

    /// The record's own value, for which every condition but LESS_THAN holds.
    fn condition(
        &self,
        field: &prism_schema::RequestField,
        record: &DynamicMessage,
    ) -> Option<Value> {
        let column = self.entity.column(field.field)?;
        let own = record.descriptor().get_field(field.field)?;
        let absent = column.access == Access::OutputOnly || !record.has_field(&own);
        if own.supports_presence() && absent {
            return None;
        }
        let value = match column.access {
            Access::OutputOnly => Value::default_value_for_field(&own),
            _ => record.get_field(&own).into_owned(),
        };
        Some(match (field.role, value) {
            (Role::AnyOf, Value::Message(wrapped)) if column.wrapper => {
                Value::List(vec![wrapped.get_field_by_number(1)?.into_owned()])
            }
            (Role::AnyOf, value) => Value::List(vec![value]),
            (_, value) => value,
        })
    }

    /// Whether each ANY_OF of a list has a value.
    pub fn is_judged(&self, binding: &Binding, record: &DynamicMessage) -> bool {
        let mut lists = binding.request.iter().filter(|field| field.role == Role::AnyOf);
        lists.all(|field| self.condition(field, record).is_some())
    }
}

/// That both are the same on the wire.
#[track_caller]
pub fn assert_same(found: &DynamicMessage, expected: &DynamicMessage, what: &str) {
    if found.encode_to_vec() != expected.encode_to_vec() {
        panic!("{what}\nfound    {found:?}\nexpected {expected:?}");
    }
}
