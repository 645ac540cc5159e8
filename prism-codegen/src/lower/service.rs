//! A service with `(prism.service)`: what each RPC does and how it behaves.

use std::time::Duration;

use prism_options::spec::{self, MethodSpec, ServiceSpec};
use prism_options::{Idempotency, OptionSet, Span};
use prism_schema::{Binding, Method, Operation, Permission, Role};
use prost_reflect::{MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use super::context::Context;
use super::entity::Lowered as Entity;
use super::proposal;
use super::request::Bound;
use super::response::allows_missing;
use super::{managed, needs, operation, support, unbindable};
use crate::diagnostics::catalog::{entity as shared, service as catalog};
use crate::diagnostics::suggest;
use crate::model;

/// `number` and `span` of the fields of descriptors that the findings point at.
const METHOD_INPUT: i32 = 2;
const METHOD_OUTPUT: i32 = 3;

/// A service in the making.
pub(super) struct Scope<'a> {
    pub context: &'a Context<'a>,
    pub entities: &'a [Entity],
    pub service: &'a ServiceDescriptor,
    pub options: &'a OptionSet<ServiceSpec>,
}

/// A service, and its methods: those that are not custom, whether or not they could be bound, and
/// those that are.
pub(super) struct Lowered {
    pub model: model::Service,
    pub bound: Vec<MethodDescriptor>,
    pub custom: Vec<MethodDescriptor>,
}

/// A method with its places.
struct Parts {
    method: Method,
    spans: model::MethodSpans,
    custom: bool,
}

/// What a method's annotations say that it does.
enum Intent<'a> {
    Custom,
    Bind(&'a Entity, Operation),
    /// An error has been reported.
    Unknown,
}

pub(super) fn lower(scope: &Scope) -> Lowered {
    let Scope { context, service, options, .. } = scope;
    let value = &options.value;
    timeout(context, options.span("timeout_ms"), value.timeout_ms);
    let entity = scope.entity(&value.entity, options.span("entity"));
    let methods: Vec<MethodDescriptor> = service.methods().collect();
    let parts: Vec<Parts> = methods.iter().map(|method| scope.method(method, &entity)).collect();
    let (custom, bound): (Vec<_>, Vec<_>) =
        methods.iter().cloned().zip(&parts).partition(|(_, parts)| parts.custom);
    let [bound, custom] =
        [bound, custom].map(|them| them.into_iter().map(|(method, _)| method).collect());
    let (schemas, spans) = parts.into_iter().map(|it| (it.method, it.spans)).unzip();
    let model = model::Service {
        schema: prism_schema::Service { name: service.full_name().to_owned(), methods: schemas },
        package: service.package_name().to_owned(),
        name: service.name().to_owned(),
        span: context.reader.name_span(*service),
        file: service.parent_file().name().to_owned(),
        comment: context.reader.comment(*service),
        method_comments: methods.iter().map(|it| context.reader.comment(it)).collect(),
        deprecated: methods.iter().map(|it| context.reader.deprecated(it)).collect(),
        method_spans: spans,
    };
    Lowered { model, bound, custom }
}

/// An entity that was named.
enum Named<'a> {
    None,
    Entity(&'a Entity),
    /// An error has been reported.
    Unknown,
}

impl<'a> Scope<'a> {
    /// Resolves a name as protobuf resolves a type in the service's scope.
    fn entity(&self, name: &str, span: &Span) -> Named<'a> {
        if name.is_empty() {
            return Named::None;
        }
        let Some(message) = self
            .candidates(name)
            .find_map(|full| self.context.loaded.pool.get_message_by_name(&full))
        else {
            let known = self.entities.iter().map(|it| it.message.name());
            let help = match suggest::closest(name, known.clone()) {
                Some(close) => format!("write \"{close}\""),
                None if self.entities.is_empty() => {
                    "annotate a message with (prism.message), and name it".to_owned()
                }
                None => format!("name one of {}", known.collect::<Vec<_>>().join(", ")),
            };
            self.context.report(catalog::unknown_entity(span, name, &help));
            return Named::Unknown;
        };
        let full = message.full_name();
        if let Some(entity) = self.entities.iter().find(|it| it.message == message) {
            return Named::Entity(entity);
        }
        let found = match self.context.entity(&message) {
            Some(_) => catalog::entity_elsewhere(span, full, message.parent_file().name()),
            None => catalog::not_an_entity(span, full, &self.not_an_entity(&message)),
        };
        self.context.report(found.with(&self.context.reader.name_span(&message), "declared here"));
        Named::Unknown
    }

    /// Help for a named message that is not an entity.
    fn not_an_entity(&self, message: &MessageDescriptor) -> String {
        let known: Vec<&str> = self.entities.iter().map(|it| it.message.name()).collect();
        let namespace = proposal::default_namespace(message.name());
        let write = format!("`option (prism.message).namespace = \"{namespace}\";`");
        let annotate = match self.context.is_own(message) {
            true => format!("write {write} in `{}` and mark its key", message.full_name()),
            false => "declare a message of your own with `(prism.message)`, and name it".to_owned(),
        };
        match known.as_slice() {
            [] => annotate,
            known => format!("name an entity ({}), or {annotate}", known.join(", ")),
        }
    }

    /// Full names that a name may stand for, the innermost scope first.
    fn candidates(&self, name: &str) -> impl Iterator<Item = String> {
        let absolute = name.strip_prefix('.').map(str::to_owned);
        let mut scope = match absolute {
            Some(_) => None,
            None => Some(self.service.full_name().to_owned()),
        };
        let name = name.to_owned();
        let scoped = std::iter::from_fn(move || {
            let current = scope.take()?;
            if current.is_empty() {
                return Some(name.clone());
            }
            scope = Some(current.rsplit_once('.').map(|it| it.0.to_owned()).unwrap_or_default());
            Some(format!("{current}.{name}"))
        });
        absolute.into_iter().chain(scoped)
    }

    fn method(&self, method: &MethodDescriptor, entity: &Named<'a>) -> Parts {
        let options = self.context.method(method).unwrap_or_else(|| {
            OptionSet::new(MethodSpec::default(), self.context.reader.name_span(method))
        });
        let mut spans =
            model::MethodSpans { name: self.context.reader.name_span(method), request: Vec::new() };
        let intent = self.intent(method, &options, entity);
        let binding = match &intent {
            Intent::Bind(entity, operation) => {
                let bound = self.bind(method, &options, entity, *operation);
                bound.map(|(binding, places)| {
                    spans.request = places;
                    binding
                })
            }
            _ => None,
        };
        let require_auth = options.value.require_auth.or(self.options.value.require_auth);
        let require_auth = require_auth.unwrap_or(true);
        let own_timeout =
            timeout(self.context, options.span("timeout_ms"), options.value.timeout_ms);
        let method = Method {
            name: method.name().to_owned(),
            input: method.input().full_name().to_owned(),
            output: method.output().full_name().to_owned(),
            client_streaming: method.is_client_streaming(),
            server_streaming: method.is_server_streaming(),
            timeout: own_timeout.or_else(|| self.service_timeout(method)),
            idempotent: self.idempotent(method, &options, &intent, binding.as_ref()),
            permissions: self.permissions(method, &options, &intent, require_auth),
            require_auth,
            binding,
        };
        Parts { method, spans, custom: matches!(intent, Intent::Custom) }
    }

    /// The service's timeout, which is for unary methods: a stream has only its own.
    fn service_timeout(&self, method: &MethodDescriptor) -> Option<Duration> {
        let streams = method.is_client_streaming() || method.is_server_streaming();
        duration(self.options.value.timeout_ms).filter(|_| !streams)
    }

    fn intent(
        &self,
        method: &MethodDescriptor,
        options: &OptionSet<MethodSpec>,
        service_entity: &Named<'a>,
    ) -> Intent<'a> {
        let value = &options.value;
        let span = options.span("operation");
        let wanted: spec::Operation = self.context.choice(value.operation, span, "prism.method");
        if wanted == spec::Operation::Custom {
            if !value.entity.is_empty() {
                let span = options.span("entity");
                self.context.report(catalog::entity_of_custom(span, method.name()));
            }
            return Intent::Custom;
        }
        if support::is_refused(wanted.as_str_name()) {
            return Intent::Unknown;
        }
        let own = self.entity(&value.entity, options.span("entity"));
        let entity = match (&own, service_entity) {
            (Named::Unknown, _) | (Named::None, Named::Unknown) => return Intent::Unknown,
            (Named::Entity(entity), _) | (Named::None, Named::Entity(entity)) => *entity,
            (Named::None, Named::None) if wanted == spec::Operation::Unspecified => {
                return Intent::Custom;
            }
            (Named::None, Named::None) => {
                let entity = self.entities.first().map_or("Thing", |it| it.message.name());
                let wanted = wanted.as_str_name();
                self.context.report(catalog::operation_without_entity(span, wanted, entity));
                return Intent::Unknown;
            }
        };
        let name = entity.message.name();
        let plural = entity.plural.as_deref();
        let bound = chosen(wanted).or_else(|| operation::by_name(method.name(), name, plural));
        match bound {
            Some(operation) => Intent::Bind(entity, operation),
            None => {
                self.report_unbindable(method, entity);
                Intent::Unknown
            }
        }
    }

    fn report_unbindable(&self, method: &MethodDescriptor, entity: &Entity) {
        let name = entity.message.name();
        let (why, help) = unbindable::advice(self.context, method, entity, self.entities);
        let span = self.context.reader.name_span(method);
        self.context.report(catalog::unbindable(&span, method.name(), name, &why, &help));
    }

    fn bind(
        &self,
        method: &MethodDescriptor,
        options: &OptionSet<MethodSpec>,
        entity: &Entity,
        operation: Operation,
    ) -> Option<(Binding, Vec<Span>)> {
        let context = self.context;
        let by_hand = unbindable::by_hand(context, method);
        if method.is_client_streaming() {
            let span = context.reader.part_span(method, METHOD_INPUT);
            let operation = format!("{operation:?}");
            let help = format!("remove `stream`, or {by_hand}");
            context.report(catalog::client_streaming(&span, method.name(), &operation, &help));
        }
        let soft = entity.model.schema.managed(prism_schema::Managed::DeleteTime).is_some();
        if operation == Operation::Undelete && !soft && !entity.broken {
            let span = context.reader.name_span(method);
            let help = managed::DELETE_TIME.help(context, &entity.message);
            let found = catalog::undelete_unsupported(&span, entity.message.name(), &help);
            context.report(found);
        }
        if entity.broken {
            return None;
        }
        let bound = Bound {
            context,
            entity,
            operation,
            method: method.name(),
            by_hand,
            idempotent: self.says_idempotent(method, options),
            file: method.parent_service().parent_file(),
            input_span: context.reader.part_span(method, METHOD_INPUT),
            output_span: context.reader.part_span(method, METHOD_OUTPUT),
        };
        let request = bound.request(&method.input());
        if method.is_server_streaming() {
            bound.report_streaming(&method.output());
            return None;
        }
        let allows_missing = request.as_ref().is_some_and(|(fields, _)| allows_missing(fields));
        let response = bound.response(&method.output(), allows_missing)?;
        let (request, places) = request?;
        let entity = entity.message.full_name().to_owned();
        Some((Binding { operation, entity, request, response }, places))
    }

    /// Whether an option says that calls may be repeated.
    fn says_idempotent(&self, method: &MethodDescriptor, options: &OptionSet<MethodSpec>) -> bool {
        let level = self.context.reader.idempotency(method);
        options.value.idempotent || level != Idempotency::Unknown
    }

    fn idempotent(
        &self,
        method: &MethodDescriptor,
        options: &OptionSet<MethodSpec>,
        intent: &Intent,
        binding: Option<&Binding>,
    ) -> bool {
        let level = self.context.reader.idempotency(method);
        let idempotent = self.says_idempotent(method, options);
        let Intent::Bind(_, operation) = intent else { return idempotent };
        let name_span = self.context.reader.name_span(method);
        let repeatable = binding.is_none_or(|it| it.role(Role::RequestId).is_some());
        let create = *operation == Operation::Create && !repeatable;
        if level == Idempotency::NoSideEffects && !operation::is_read(*operation) {
            let help = match create {
                true => "remove the option",
                false => "write `option idempotency_level = IDEMPOTENT;`, or remove the option",
            };
            let operation = format!("{operation:?}");
            let found = catalog::side_effects(&name_span, method.name(), &operation, help);
            self.context.report(found);
        } else if idempotent && create {
            let span = match options.value.idempotent {
                true => options.span("idempotent").clone(),
                false => name_span,
            };
            let input = method.input();
            let add = match self.context.is_own(&input) {
                true => needs::of_role(Role::RequestId, "string").added(self.context, &input),
                false => {
                    format!("use a message of your own with `request_id` for `{}`", input.name())
                }
            };
            let found = catalog::idempotent_create(&span, method.name(), &add);
            self.context.report(found);
        }
        idempotent
    }

    fn permissions(
        &self,
        method: &MethodDescriptor,
        options: &OptionSet<MethodSpec>,
        intent: &Intent,
        require_auth: bool,
    ) -> Vec<Permission> {
        let mut own: Vec<Permission> = Vec::new();
        for (position, value) in options.value.required_permissions.iter().enumerate() {
            let span = options.span(&format!("required_permissions[{position}]"));
            let permission = match self.context.choice(*value, span, "prism.method") {
                spec::Permission::Unspecified => {
                    // Seen here too, because without its text an element of a list is known.
                    self.context.report(shared::unspecified(span, "required_permissions"));
                    continue;
                }
                spec::Permission::Read => Permission::Read,
                spec::Permission::Write => Permission::Write,
                spec::Permission::Admin => Permission::Admin,
            };
            if !own.contains(&permission) {
                own.push(permission);
            }
        }
        if !own.is_empty() {
            return own;
        }
        match intent {
            Intent::Bind(_, operation) if operation::is_read(*operation) => vec![Permission::Read],
            Intent::Bind(..) => vec![Permission::Read, Permission::Write],
            Intent::Custom if require_auth => {
                let span = self.context.reader.name_span(method);
                let help = match options.value.require_auth {
                    Some(_) => "write `require_auth: false`",
                    None => "add `option (prism.method).require_auth = false;`",
                };
                self.context.report(catalog::custom_permissions(&span, method.name(), help));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

fn chosen(operation: spec::Operation) -> Option<Operation> {
    Some(match operation {
        spec::Operation::Get => Operation::Get,
        spec::Operation::BatchGet => Operation::BatchGet,
        spec::Operation::List => Operation::List,
        spec::Operation::Create => Operation::Create,
        spec::Operation::Put => Operation::Put,
        spec::Operation::Update => Operation::Update,
        spec::Operation::Delete => Operation::Delete,
        spec::Operation::Undelete => Operation::Undelete,
        _ => return None,
    })
}

fn timeout(context: &Context, span: &Span, milliseconds: i32) -> Option<Duration> {
    if milliseconds < 0 {
        context.report(shared::negative(span, "timeout_ms", milliseconds.into()));
    }
    duration(milliseconds)
}

fn duration(milliseconds: i32) -> Option<Duration> {
    u64::try_from(milliseconds).ok().filter(|it| *it > 0).map(Duration::from_millis)
}
